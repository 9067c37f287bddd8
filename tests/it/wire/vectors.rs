//! The table of the wire, line by line: what KAZOO's API answers, over a service that was given what
//! the line says.

use std::{collections::BTreeSet, sync::LazyLock};

use axum::http::Method;
use number_manager::{api::LimitConfig, store::sqlite::SqliteStore};
use serde_json::{Value, json};

use crate::support::{
    app::{ACCOUNT, Answer, PARENT, STRANGER, TestApp},
    home::{Home, on_both_stores},
};

on_both_stores! {
    every_line_in_scope_is_answered_as_written,
    a_released_number_ages_first_as_written,
}

const NUMBER: &str = "+14155550100";

/// The lines that are requests.
static LINES: LazyLock<Vec<Value>> = LazyLock::new(|| {
    let lines = include_str!("../../vectors/api.jsonl").lines();
    let lines = lines.map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line.get("request").is_some()).collect()
});

/// Lines that are not answered yet, by the beginning of their ids.
const OUT_OF_SCOPE: &[(&str, &str)] = &[
    ("coll-", "collections are not there yet"),
    ("collection-get-405", "collections are not there yet"),
    ("search-", "search is not there yet"),
    ("fix", "fix is not there yet"),
    ("identify-", "identify is not there yet"),
    ("port-", "ports are not there yet"),
    ("check-local", "check is not there yet"),
    ("locality-", "locality is not there yet"),
    ("list-ports", "ports are not there yet"),
    ("get-port", "ports are not there yet"),
    ("put-porting", "ports are not there yet"),
    ("list-csv", "the listing has no CSV form yet"),
    ("list-etag", "the listing has no tag yet"),
    ("list-not-descendants", "nobody counts what descendants are billed for yet"),
    ("put-402", "charges are not there yet"),
    ("schema-", "members are not checked against their schema yet"),
    ("activate-rate", "there is one bucket, not a second one for activations"),
    ("activate-discovery", "search is not there yet"),
    ("task-", "CSV jobs are not there yet"),
];

/// Lines that are answered differently, on purpose.
const DEVIATIONS: &[(&str, &str)] = &[
    ("get-ok-k5", "`_read_only` stays beside `metadata`, for older clients"),
    ("get-missing", "the cause is there, as newer servers give it"),
    ("get-foreign", "the cause is there, as newer servers give it"),
    ("post-missing", "the cause is there, as newer servers give it"),
    ("delete-missing", "the cause is there, as newer servers give it"),
    ("activate-unknown", "the cause is there, as newer servers give it"),
    ("put-garbage-43", "an error object with 400, never a bare word"),
    ("activate-aging", "an aging number is for administrators and its last owner"),
];

fn is_listed(list: &[(&str, &str)], id: &str) -> bool {
    list.iter().any(|(name, _)| id == *name || name.ends_with('-') && id.starts_with(name))
        || list.iter().any(|(name, _)| *name == "put-402" && id.starts_with("put-402"))
        || list.iter().any(|(name, _)| *name == "fix" && id.starts_with("fix"))
}

#[test]
fn every_listed_line_exists() {
    let ids: BTreeSet<&str> = LINES.iter().map(|line| line["id"].as_str().unwrap()).collect();
    for (name, _) in OUT_OF_SCOPE.iter().chain(DEVIATIONS) {
        assert!(ids.iter().any(|id| id.starts_with(name)), "{name}");
    }
}

#[tokio::test]
async fn an_empty_bucket_is_answered_as_written() {
    let line = LINES.iter().find(|line| line["id"] == "rate-limit").unwrap();
    let store = std::sync::Arc::new(SqliteStore::in_memory().unwrap());
    let app = TestApp::over(store, LimitConfig { burst: 1, per_second: 1 }).await;
    let path = format!("/v2/accounts/{ACCOUNT}/phone_numbers");
    app.get(&path).token(&app.account(ACCOUNT)).send().await;
    let answer = app.get(&path).token(&app.account(ACCOUNT)).send().await;
    assert_eq!(disagreement(line, &answer), None);
}

async fn a_released_number_ages_first_as_written(home: &Home) {
    home.configure(&json!({ "released_state": "available", "should_age": true })).await;
    let line = LINES.iter().find(|line| line["id"] == "delete-age").unwrap();
    store(home, NUMBER, "in_service", Some(ACCOUNT), &json!({"pvt_module_name": "knm_inventory"}))
        .await;
    assert_eq!(disagreement(line, &ask(home, line).await), None);
    home.check().await;
}

async fn every_line_in_scope_is_answered_as_written(home: &Home) {
    // The table speaks of KAZOO's default; ours is that a released number ages.
    home.configure(&json!({ "released_state": "available" })).await;
    let mut wrong = Vec::new();
    let mut answered = 0;
    for line in LINES.iter() {
        let id = line["id"].as_str().unwrap();
        if is_listed(OUT_OF_SCOPE, id) || ["rate-limit", "delete-age"].contains(&id) {
            continue;
        }
        clear(home).await;
        give(home, line).await;
        let answer = ask(home, line).await;
        let disagreement = disagreement(line, &answer);
        answered += 1;
        match (is_listed(DEVIATIONS, id), disagreement) {
            (false, Some(why)) => wrong.push(format!("{id}: {why}: {}", answer.text)),
            (true, None) => wrong.push(format!("{id} agrees, but is listed as a deviation")),
            (true, Some(_)) | (false, None) => {}
        }
        if line["after"] == "GET gives 404" {
            let path = format!("/v2/accounts/{ACCOUNT}/phone_numbers/{NUMBER}");
            let gone = home.app.get(&path).token(&home.app.admin()).send().await;
            assert_eq!(gone.status.as_u16(), 404, "{id}");
        }
        home.check().await;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(answered > 70, "{answered} lines were answered");
}

/// Deletes every number of the line before.
async fn clear(home: &Home) {
    for number in ["+14155550100", "+14155550101", "+14155550102", "+14155550199"] {
        let path = format!("/v2/accounts/{PARENT}/phone_numbers/{number}?hard=true");
        home.app.ask(Method::DELETE, &path).token(&home.app.admin()).send().await;
    }
    // Whether the holder may add numbers is part of what a line gives.
    allow_additions(home, false).await;
}

async fn allow_additions(home: &Home, allowed: bool) {
    let ask = home.app.ask(Method::PATCH, &format!("/v2/accounts/{ACCOUNT}"));
    let ask = ask.token(&home.app.admin()).data(&json!({ "wnm_allow_additions": allowed }));
    assert_eq!(ask.send().await.status.as_u16(), 200);
}

/// Stores what the line gives, in the words of the table.
async fn give(home: &Home, line: &Value) {
    let id = line["id"].as_str().unwrap();
    let given = line["given"].as_str().unwrap_or_default();
    if line["who"] == "account with wnm_allow_additions" || given.starts_with("caller may create") {
        allow_additions(home, true).await;
    }
    if id.starts_with("list-page") || id == "list-start-plain" {
        for number in ["+14155550100", "+14155550101", "+14155550102"] {
            store(home, number, "in_service", Some(ACCOUNT), &json!({})).await;
        }
        return;
    }
    if given.starts_with("+14155550100 in_service, +14155550101 reserved") {
        store(home, "+14155550101", "reserved", Some(ACCOUNT), &json!({})).await;
    }
    if !given.starts_with(NUMBER) {
        return;
    }
    let state = ["available", "aging", "reserved", "released", "port_in"];
    let state = state.into_iter().find(|state| given.contains(state)).unwrap_or("in_service");
    let state = if given.contains("in_service") { "in_service" } else { state };
    let owner = match given {
        _ if matches!(state, "available" | "aging" | "released") => None,
        _ if given.contains("unrelated account") => Some(STRANGER),
        _ if given.contains("by the parent") || given.contains("another child") => Some(PARENT),
        _ => Some(ACCOUNT),
    };
    let mut members = json!({});
    if given.contains("public a=1") {
        members["a"] = 1.into();
    }
    if given.contains("my.tag = x") {
        members["my"] = json!({ "tag": "x" });
    }
    if given.contains("history [A,B]") {
        members["pvt_reserve_history"] = json!([ACCOUNT, PARENT]);
    } else if given.contains("one entry of history") {
        members["pvt_reserve_history"] = json!([ACCOUNT]);
    }
    if given.contains("carrier inventory") || given.contains("not local") {
        members["pvt_module_name"] = "knm_inventory".into();
    }
    store(home, NUMBER, state, owner, &members).await;
}

async fn store(home: &Home, number: &str, state: &str, owner: Option<&str>, members: &Value) {
    let mut body = json!({
        "pvt_state": state, "pvt_module_name": "knm_local", "pvt_features": {"local": {}},
        "pvt_created": 63_884_160_000_i64, "pvt_modified": 63_884_160_000_i64,
    });
    if let Some(owner) = owner {
        body["pvt_assigned_to"] = owner.into();
    }
    for (key, value) in members.as_object().unwrap() {
        body[key] = value.clone();
    }
    home.put_number(number, &body).await;
}

async fn ask(home: &Home, line: &Value) -> Answer {
    let request = &line["request"];
    let mut path = request["path"].as_str().unwrap().to_owned();
    if path.contains("NEXT") {
        let first = format!("/v2/accounts/{ACCOUNT}/phone_numbers?page_size=2");
        let page = home.app.get(&first).token(&home.app.admin()).send().await.json();
        path = path.replace("NEXT", page["next_start_key"].as_str().unwrap());
    }
    let method: Method = request["method"].as_str().unwrap().parse().unwrap();
    let mut ask = home.app.ask(method, &path);
    ask = match line["who"].as_str().unwrap() {
        "nobody" => ask,
        "admin" | "superduper admin" => ask.token(&home.app.admin()),
        "unrelated account" => ask.token(&home.app.account(STRANGER)),
        "parent account" => ask.token(&home.app.account(PARENT)),
        _ => ask.token(&home.app.account(ACCOUNT)),
    };
    for (name, value) in request["headers"].as_object().into_iter().flatten() {
        ask = ask.header(name, value.as_str().unwrap());
    }
    match &request["body"] {
        Value::Null => ask.send().await,
        Value::String(text) => ask.body(text.clone()).send().await,
        body => ask.body(body.to_string()).send().await,
    }
}

/// In what an answer is not what the line expects.
fn disagreement(line: &Value, answer: &Answer) -> Option<String> {
    let expect = &line["expect"];
    if answer.status.as_u16() != u16::try_from(expect["http"].as_u64().unwrap()).unwrap() {
        return Some(format!("status {}", answer.status));
    }
    let json = answer.json();
    for key in ["status", "error", "message", "data"] {
        if let Some(wanted) = expect.get(key)
            && json[key] != *wanted
        {
            return Some(format!("{key} is {}, not {wanted}", json[key]));
        }
    }
    if let Some(part) = expect.get("data_contains")
        && !contains(&json["data"], part)
    {
        return Some(format!("data does not contain {part}"));
    }
    let absent = expect["data_absent"].as_array().into_iter().flatten();
    let there = |path: &&Value| {
        let mut steps = path.as_str().unwrap_or_default().split('.');
        steps.try_fold(&json["data"], |value, step| value.get(step)).is_some()
    };
    absent.into_iter().find(there).map(|path| format!("{path} is there"))
}

/// Whether every member of `part` is in `whole`.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|it| contains(it, part)))
        }
        (whole, part) => whole == part,
    }
}
