//! What clients were answered by KAZOO, request by request.
//!
//! Vectors that are not replayed stand in [`OUT_OF_SCOPE`], answers that differ on purpose in
//! [`DEVIATIONS`]; what is listed there and would agree fails as well.

use axum::http::{Method, StatusCode};
use number_manager::api::LimitConfig;
use serde_json::{Map, Value, json};

use super::world::{HOLDER, MADE, NUMBER, Who, World, over_both_stores};
use crate::support::app::{ACCOUNT, Answer, Ask, PARENT, STRANGER, TestApp};

/// Ids, or beginnings of ids that end in `*`, which nothing here answers yet.
const OUT_OF_SCOPE: &[(&str, &str)] = &[];

/// Answers that differ on purpose.
const DEVIATIONS: &[(&str, &str)] = &[
    ("get-ok-k5", "`_read_only` is written beside `metadata`, for older interfaces"),
    ("get-missing", "`cause` names the number, as newer servers do"),
    ("get-foreign", "`cause` names the number, as newer servers do"),
    ("post-missing", "`cause` names the number, as newer servers do"),
    ("delete-missing", "`cause` names the number, as newer servers do"),
    ("identify-unknown", "`cause` names the number, as newer servers do"),
    ("identify-not-in-service", "a number of somebody above the caller is not found"),
    ("identify-disabled", "a number of somebody above the caller is not found"),
    ("activate-unknown", "`cause` names the number, as newer servers do"),
    ("put-garbage-43", "an error object, never a bare word"),
    ("activate-aging", "only administrators and the last owner take what is ageing"),
    ("search-no-prefix", "400 and which parameter is missing, where KAZOO crashed"),
];

/// What only KAZOO leaves behind.
const OWNED_AND_AGEING: &str = "+14155550100 aging, still held by B";

/// One request and the answer to it.
#[derive(Debug)]
struct Vector {
    id: String,
    line: Value,
}

fn vectors() -> Vec<Vector> {
    let lines = include_str!("../../vectors/api.jsonl").lines();
    let read = |line| {
        let line: Value = serde_json::from_str(line).unwrap();
        Vector { id: line["id"].as_str().unwrap().to_owned(), line }
    };
    // Lines without a request are facts that other tests hold.
    lines.map(read).filter(|vector| vector.line.get("request").is_some()).collect()
}

fn is_listed(list: &[(&str, &str)], id: &str) -> bool {
    list.iter().any(|(name, _)| match name.strip_suffix('*') {
        Some(beginning) => id.starts_with(beginning),
        None => *name == id,
    })
}

over_both_stores! {
    every_vector_is_answered_as_it_says,
}

async fn every_vector_is_answered_as_it_says(world: &World) {
    let mut wrong = Vec::new();
    for vector in vectors() {
        if is_listed(OUT_OF_SCOPE, &vector.id) {
            continue;
        }
        world.clear().await;
        let differs = vector.replay(world).await.err();
        if vector.text("given") != OWNED_AND_AGEING {
            world.check_invariants().await;
        }
        match (differs, is_listed(DEVIATIONS, &vector.id)) {
            (None, false) | (Some(_), true) => (),
            (Some(why), false) => wrong.push(format!("{}: {why}", vector.id)),
            (None, true) => wrong.push(format!("{} agrees, but is listed", vector.id)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_list_names_vectors_that_there_are() {
    let ids: Vec<String> = vectors().into_iter().map(|vector| vector.id).collect();
    for entry @ (name, reason) in OUT_OF_SCOPE.iter().chain(DEVIATIONS) {
        let names_one = ids.iter().any(|id| is_listed(&[*entry], id));
        assert!(names_one, "no vector is called {name} ({reason})");
    }
}

impl Vector {
    fn text(&self, key: &str) -> &str {
        self.line[key].as_str().unwrap_or_default()
    }

    async fn replay(&self, world: &World) -> Result<(), String> {
        // Before rights are given, since each process makes sure of the accounts.
        let configured = match self.settings() {
            Some(settings) => Some(world.configured(settings).await),
            None => None,
        };
        self.arrange(world).await;
        let answer = if self.text("given") == "bucket empty" {
            let rate = LimitConfig { burst: 1, per_second: 1 };
            let app = TestApp::over(world.store.clone(), rate).await;
            self.ask(&app).await;
            self.ask(&app).await
        } else if self.text("given").contains("port request") {
            // What was read of port requests counts for a while.
            self.ask(&world.beside().await).await
        } else if self.text("given").starts_with("bucket ACCOUNT/") {
            let rate = LimitConfig { burst: 2, per_second: 1 };
            let app = TestApp::over(world.store.clone(), rate).await;
            // From elsewhere, so that only the account's own bucket is empty.
            for _ in 0..2 {
                self.request(&app).await.from([10, 0, 0, 1]).send().await;
            }
            self.ask(&app).await
        } else if self.id == "activate-discovery" {
            let app = world.configured(json!({"carrier_modules": ["knm_managed"]})).await;
            super::offers::make_and_find(world, &app).await;
            self.ask(&app).await
        } else {
            self.ask(configured.as_ref().unwrap_or(&world.app)).await
        };
        self.check(&answer)?;
        self.check_after(world).await
    }

    fn who(&self) -> Who {
        match (self.text("who"), self.text("note")) {
            ("", "no token") => Who::Nobody,
            ("", _) => HOLDER,
            (name, _) => who(name),
        }
    }

    async fn ask(&self, app: &TestApp) -> Answer {
        self.request(app).await.send().await
    }

    async fn request<'a>(&self, app: &'a TestApp) -> Ask<'a> {
        let request = &self.line["request"];
        let method = Method::from_bytes(request["method"].as_str().unwrap().as_bytes()).unwrap();
        let next = super::list::key_of("+14155550100");
        let path = request["path"].as_str().unwrap().replace("NEXT", &next);
        let mut ask = app.ask(method, &path);
        for (name, value) in request["headers"].as_object().unwrap_or(&Map::new()) {
            ask = match value.as_str().unwrap() {
                "ETAG of an unchanged list" => {
                    let list = app.get(&path).token(&app.account(ACCOUNT)).send().await;
                    ask.header(name, list.header("etag").unwrap())
                }
                value => ask.header(name, value),
            };
        }
        ask = match self.who() {
            Who::Nobody => ask,
            Who::Admin => ask.token(&app.admin()),
            Who::Account(account) => ask.token(&app.account(account)),
        };
        match &request["body"] {
            Value::Null => ask,
            Value::String(text) => ask.body(text.as_str()),
            body => ask.body(body.to_string()),
        }
    }

    fn check(&self, answer: &Answer) -> Result<(), String> {
        let expect = &self.line["expect"];
        if expect["http"] != answer.status.as_u16() {
            return Err(answer.text.clone());
        }
        if answer.status == StatusCode::NOT_MODIFIED {
            assert_eq!(answer.text, "", "{}", self.id);
            return Ok(());
        }
        if answer.header("content-type") == Some("text/csv; charset=utf-8") {
            assert!(self.id.ends_with("-csv") && answer.text.starts_with("number,state,"));
            return Ok(());
        }
        let json = answer.json();
        for key in ["status", "error", "message", "data"] {
            if expect.get(key).is_some_and(|value| *value != json[key]) {
                return Err(json.to_string());
            }
        }
        if let Some(part) = expect.get("data_contains")
            && !contains(&json["data"], part)
        {
            return Err(json.to_string());
        }
        let absent = expect["data_absent"].as_array().into_iter().flatten();
        for path in absent.map(|path| path.as_str().unwrap()) {
            let pointer = format!("/{}", path.replace('.', "/"));
            if json["data"].pointer(&pointer).is_some() {
                return Err(format!("{path} is there: {json}"));
            }
        }
        Ok(())
    }

    async fn check_after(&self, world: &World) -> Result<(), String> {
        let owner = match self.text("after") {
            "" => return Ok(()),
            "GET gives 404" => {
                let answer = world.about(Who::Admin, Method::GET, "", None).await;
                answer.check_status(404);
                return Ok(());
            }
            "held by A" => ACCOUNT,
            "held by B" => PARENT,
            other => panic!("{}: {other}", self.id),
        };
        let found = world.owner(NUMBER).await;
        if found.as_deref() == Some(owner) { Ok(()) } else { Err(format!("held by {found:?}")) }
    }

    /// Stores what is given, and what a request without anything given cannot go without.
    async fn arrange(&self, world: &World) {
        if self.text("who") == "account with wnm_allow_additions" || self.id == "content-type-none"
        {
            world.allow_additions(ACCOUNT).await;
        }
        let number = number_given(self.text("given"));
        if self.id.starts_with("search-") {
            for number in ["+14155550150", "+14155550151", "+14155550152"] {
                let free = json!({"pvt_state": "available", "pvt_module_name": "knm_local"});
                world.keep(number, free).await;
            }
            return;
        }
        match (number, self.text("given")) {
            (Some(members), _) => world.keep(NUMBER, members).await,
            (
                None,
                "3 numbers ...100, ...101, ...102"
                | "same"
                | "same; NEXT from the call before last",
            ) => {
                for number in ["+14155550100", "+14155550101", "+14155550102"] {
                    world.keep(number, held(ACCOUNT, "in_service")).await;
                }
            }
            (None, "both in_service") => {
                for number in ["+14155550100", "+14155550101"] {
                    world.keep(number, held(ACCOUNT, "in_service")).await;
                }
            }
            (None, "available") => {
                world.keep("+14155550150", json!({"pvt_state": "available"})).await;
            }
            (None, "+14155550100 in_service, +14155550101 reserved" | "as above")
                if self.id != "list-no-ports" =>
            {
                world.keep("+14155550100", held(ACCOUNT, "in_service")).await;
                world.keep("+14155550101", held(ACCOUNT, "reserved")).await;
            }
            (
                None,
                "open port request (state submitted) with +14155550177"
                | "only in an open port request of A",
            ) => world.request_port(ACCOUNT, "+14155550177", "submitted").await,
            (None, "not stored; inside an open port request") => {
                world.request_port(STRANGER, NUMBER, "pending").await;
            }
            (None, "as above") => {
                world.request_port(ACCOUNT, "+14155550177", "submitted").await;
            }
            (None, given) => assert!(is_nothing(given), "{}: {given}", self.id),
        }
    }

    /// The settings that are given: prices, or what KAZOO makes of released numbers when nothing is configured.
    fn settings(&self) -> Option<Value> {
        let should_age = self.text("given") == "as above with should_age true";
        let settings = json!({"released_state": "available", "should_age": should_age});
        let prices = json!({
            "currency": "USD", "classifications": {"did_us": {"one_time": 1, "monthly": 2}},
        });
        if self.text("given").starts_with("plan bills numbers") {
            // A number in no carrier's stock here is a local one, which nobody is billed for.
            return Some(json!({
                "billing": {"prices": prices}, "available_module_name": "knm_inventory",
            }));
        }
        self.id.starts_with("delete-").then_some(settings)
    }
}

/// Texts after which nothing has to be stored.
fn is_nothing(given: &str) -> bool {
    let nothing =
        ["", "no body", "no numbers", "bucket empty", "default carriers", "no locality url"];
    nothing.contains(&given)
        || given.starts_with("bucket ACCOUNT/")
        || given == "only local carrier"
        || given == "in a recent search as discovery"
        || given.starts_with("not stored")
        || given.starts_with("caller may create")
        || given.starts_with("plan bills numbers")
}

fn held(account: &str, state: &str) -> Value {
    json!({"pvt_state": state, "pvt_assigned_to": account})
}

/// The number that a text describes.
fn number_given(given: &str) -> Option<Value> {
    let with = |account: &str, state: &str, more: Value| {
        let mut members = held(account, state);
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        members
    };
    let in_service = |more: Value| Some(with(ACCOUNT, "in_service", more));
    let local = || json!({"pvt_module_name": "knm_local"});
    match given {
        "+14155550100 in_service, local, held by A"
        | "+14155550100 held, local"
        | "+14155550100 held, other unknown"
        | "+14155550100 in_service, local" => in_service(local()),
        "+14155550100 in_service, local, one entry of history" => {
            let history = json!({"pvt_module_name": "knm_local", "pvt_reserve_history": [ACCOUNT]});
            in_service(history)
        }
        "+14155550100 has public my.tag = x" => in_service(json!({"my": {"tag": "x"}})),
        "+14155550100 created exactly then" => in_service(json!({"pvt_created": MADE})),
        "+14155550100 in_service"
        | "B parent of A; A holds +14155550100, B nothing"
        | "+14155550100 held"
        | "+14155550100 in_service at A"
        | "+14155550100 in_service, carrier inventory"
        | "as above with should_age true"
        | "+14155550100 any state" => in_service(json!({})),
        OWNED_AND_AGEING => Some(held(PARENT, "aging")),
        "+14155550100 in_service at B; B disabled" => Some(held(PARENT, "in_service")),
        "+14155550100 in_service, held by an unrelated account"
        | "+14155550100 held by an unrelated account"
        | "+14155550100 in_service at an unrelated account" => Some(held(STRANGER, "in_service")),
        "+14155550100 in_service, public a=1" => in_service(json!({"a": 1})),
        "+14155550100 in_service at A, reserve history [A,B]" => {
            in_service(json!({"pvt_reserve_history": [ACCOUNT, PARENT]}))
        }
        "+14155550100 in_service at another child of the parent" => {
            Some(held(PARENT, "in_service"))
        }
        "+14155550100 reserved" | "+14155550100 reserved at A" => Some(held(ACCOUNT, "reserved")),
        "+14155550100 reserved by the parent" => Some(held(PARENT, "reserved")),
        "+14155550100 port_in" | "+14155550100 port_in held by A" => Some(held(ACCOUNT, "port_in")),
        "+14155550100 available"
        | "+14155550100 available; no body"
        | "+14155550100 available, not local, released_state available" => {
            Some(json!({"pvt_state": "available"}))
        }
        "+14155550100 aging"
        | "+14155550100 aging, not local"
        | "+14155550100 aging, nobody holds it" => Some(json!({"pvt_state": "aging"})),
        "+14155550100 released" => Some(json!({"pvt_state": "released"})),
        _ => None,
    }
}

fn who(text: &str) -> Who {
    match text {
        "nobody" => Who::Nobody,
        "admin" | "superduper admin" => Who::Admin,
        "holder"
        | "any account"
        | "child account"
        | "account with wnm_allow_additions"
        | "account without wnm_allow_additions" => HOLDER,
        "parent account" => Who::Account(PARENT),
        "unrelated account" => Who::Account(STRANGER),
        other => panic!("nobody is called {other}"),
    }
}

/// Whether every member of `part` is in `whole`, with the same value or one that contains it.
fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part)))
        }
        (whole, part) => whole == part,
    }
}
