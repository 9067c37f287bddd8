//! What lies in the databases after each request: the same documents on every store, and nothing
//! where a request was refused.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{
    app::{ACCOUNT, Answer, PARENT, STRANGER},
    home::{Home, account_database, on_both_stores},
};

on_both_stores! {
    a_new_number_has_the_documented_members_in_both_databases,
    a_number_wanders_through_its_life,
    a_number_of_another_program_keeps_what_we_do_not_know,
    what_is_refused_changes_nothing,
    a_revision_guards_a_write,
    an_administrator_sees_what_is_wrong_with_a_copy,
}

const NUMBER: &str = "+14155550100";

fn path(account: &str, rest: &str) -> String {
    format!("/v2/accounts/{account}/phone_numbers/{rest}")
}

async fn send(home: &Home, method: Method, path: &str, data: &Value) -> Answer {
    home.app.ask(method, path).token(&home.app.admin()).data(data).send().await
}

async fn a_new_number_has_the_documented_members_in_both_databases(home: &Home) {
    let answer = send(home, Method::PUT, &path(ACCOUNT, "4155550100"), &json!({"a": 1})).await;
    assert_eq!(answer.status.as_u16(), 201, "{}", answer.text);
    let stored = home.read("numbers/+1415", NUMBER).await.unwrap();
    let copy = home.read(&account_database(ACCOUNT), NUMBER).await.unwrap();
    assert_eq!(copy, stored);
    let mut stored = Value::Object(stored);
    assert!(stored["pvt_write_id"].take().is_string());
    let now = 63_881_784_000_i64;
    assert_eq!(
        stored,
        json!({
            "pvt_type": "number", "pvt_db_name": "numbers%2F%2B1415",
            "pvt_module_name": "knm_local", "pvt_state": "in_service", "pvt_state_since": now,
            "pvt_ported_in": false, "pvt_assigned_to": ACCOUNT, "pvt_features": {"local": {}},
            "pvt_authorizing_account": "system", "pvt_created": now, "pvt_modified": now,
            "pvt_write_id": null, "a": 1,
        })
    );
}

async fn a_number_wanders_through_its_life(home: &Home) {
    let steps = [
        (Method::PUT, path(PARENT, NUMBER), 201, "in_service", Some(PARENT)),
        (Method::PUT, path(PARENT, "+14155550100/reserve"), 201, "reserved", Some(PARENT)),
        (Method::PUT, path(ACCOUNT, "+14155550100/reserve"), 201, "reserved", Some(ACCOUNT)),
        (Method::PUT, path(ACCOUNT, "+14155550100/activate"), 201, "in_service", Some(ACCOUNT)),
        (Method::PUT, path(STRANGER, "+14155550100/activate"), 201, "in_service", Some(STRANGER)),
        (Method::PUT, path(ACCOUNT, "+14155550100/activate"), 201, "in_service", Some(ACCOUNT)),
        (Method::DELETE, path(ACCOUNT, NUMBER), 200, "reserved", Some(PARENT)),
        (Method::DELETE, path(PARENT, NUMBER), 200, "deleted", None),
        (Method::PUT, path(ACCOUNT, NUMBER), 201, "in_service", Some(ACCOUNT)),
        (Method::DELETE, path(ACCOUNT, "+14155550100?hard=true"), 200, "deleted", None),
    ];
    for (method, path, status, state, owner) in steps {
        let answer = send(home, method, &path, &json!({})).await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert_eq!(answer.json()["data"]["state"], state, "{path}");
        home.check().await;
        for account in [ACCOUNT, PARENT, STRANGER] {
            let copy = home.read(&account_database(account), NUMBER).await;
            assert_eq!(copy.is_some(), owner == Some(account), "{path}: {account}");
        }
    }
}

async fn a_number_of_another_program_keeps_what_we_do_not_know(home: &Home) {
    let old = json!({
        "pvt_number_state": "in_service", "pvt_module_name": "wnm_bandwidth",
        "pvt_module_data": {"order": 7}, "pvt_assigned_to": ACCOUNT, "pvt_features": ["failover"],
        "failover": {"sip": "sip:a@b"}, "pvt_unknown": {"keep": [1, 2.5]}, "my": "own",
    });
    home.put_number(NUMBER, &old).await;
    let answer = send(home, Method::PATCH, &path(ACCOUNT, NUMBER), &json!({"b": 2})).await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    let stored = home.read("numbers/+1415", NUMBER).await.unwrap();
    assert_eq!(stored["pvt_state"], "in_service");
    assert_eq!(stored["pvt_module_name"], "knm_bandwidth2");
    assert_eq!(stored["pvt_carrier_data"], json!({"order": 7}));
    assert_eq!(stored["pvt_features"], json!({"failover": {"sip": "sip:a@b"}}));
    assert_eq!(stored["pvt_unknown"], json!({"keep": [1, 2.5]}));
    assert_eq!((&stored["my"], &stored["b"]), (&json!("own"), &json!(2)));
    for gone in ["pvt_number_state", "pvt_module_data"] {
        assert!(!stored.contains_key(gone), "{gone}");
    }
    home.check().await;
}

async fn what_is_refused_changes_nothing(home: &Home) {
    send(home, Method::PUT, &path(STRANGER, NUMBER), &json!({})).await;
    let before = home.everything().await;
    let ours = home.app.account(ACCOUNT);
    let large = format!("{{\"data\": {{\"a\": \"{}\"}}}}", "x".repeat(8_000_000));
    let deep = format!("{{\"data\": {{\"a\": {}1{}}}}}", "[".repeat(10_000), "]".repeat(10_000));
    let gone = "99999999999999999999999999999999";
    let long = "1".repeat(10_000);
    for (method, path, token, body, status) in [
        (Method::POST, path(ACCOUNT, NUMBER), &ours, "{\"data\": {\"a\": 1}}", 403),
        (Method::DELETE, path(ACCOUNT, NUMBER), &ours, "", 403),
        (Method::PUT, path(ACCOUNT, "+14155550100/activate"), &ours, "", 403),
        (Method::PUT, path(STRANGER, "+14155550101"), &ours, "", 403),
        (Method::PUT, path(ACCOUNT, "+14155550101"), &ours, "", 403),
        (Method::PUT, path(gone, "+14155550101"), &home.app.admin(), "", 404),
        (Method::PUT, path(ACCOUNT, "hello"), &home.app.admin(), "", 400),
        (Method::PUT, path(ACCOUNT, "%00"), &home.app.admin(), "", 400),
        (Method::PUT, path(ACCOUNT, &long), &home.app.admin(), "", 400),
        (Method::PUT, path(ACCOUNT, "+14155550101"), &home.app.admin(), "{\"data\":", 400),
        (Method::PUT, path(ACCOUNT, "+14155550101"), &home.app.admin(), "[1]", 400),
        (Method::PUT, path(ACCOUNT, "+14155550101"), &home.app.admin(), &large, 413),
        (Method::PUT, path(ACCOUNT, "+14155550101"), &home.app.admin(), &deep, 400),
        (
            Method::PUT,
            path(ACCOUNT, "+14155550101"),
            &home.app.admin(),
            "{\"data\": {\"carrier_name\": \"nobody\"}}",
            400,
        ),
        (Method::DELETE, path(ACCOUNT, "+14155550100?hard=true"), &ours, "", 403),
    ] {
        let answer = home.app.ask(method, &path).token(token).body(body).send().await;
        let shown = &path[..path.len().min(100)];
        assert_eq!(answer.status.as_u16(), status, "{shown}: {}", answer.text);
        assert_eq!(answer.json()["status"], "error");
        assert_eq!(home.everything().await, before, "{shown}");
    }
}

async fn a_revision_guards_a_write(home: &Home) {
    let at = path(ACCOUNT, NUMBER);
    let created = send(home, Method::PUT, &at, &json!({})).await;
    let tag = created.header("etag").unwrap().to_owned();
    let admin = home.app.admin();
    let same = home.app.get(&at).token(&admin).header("If-None-Match", &tag).send().await;
    assert_eq!((same.status.as_u16(), same.text.as_str()), (304, ""));
    let guarded = |tag: &str, a: i64| {
        let ask = home.app.ask(Method::PATCH, &at).token(&admin).header("If-Match", tag);
        ask.data(&json!({ "a": a })).send()
    };
    let changed = guarded(&tag, 1).await;
    assert_eq!(changed.status.as_u16(), 200, "{}", changed.text);
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    let before = home.everything().await;
    assert_eq!(guarded(&tag, 2).await.status.as_u16(), 412);
    assert_eq!(home.everything().await, before);
    assert_eq!(guarded("*", 3).await.status.as_u16(), 200);
    home.check().await;
}

async fn an_administrator_sees_what_is_wrong_with_a_copy(home: &Home) {
    let body = json!({ "pvt_type": "number", "pvt_state": "in_service",
        "pvt_module_name": "knm_local", "pvt_assigned_to": ACCOUNT });
    home.put("numbers/+1415", NUMBER, body.as_object().unwrap().clone()).await;
    let at = format!("/v2/phone_numbers/{NUMBER}");
    let seen = home.app.get(&at).token(&home.app.admin()).send().await.json()["data"].take();
    assert_eq!(seen["assigned_to"], ACCOUNT);
    assert_eq!(seen["mirror"], json!({ "synced": false, "drift": ["missing"] }));
    let hidden = home.app.get(&at).token(&home.app.account(ACCOUNT)).send().await;
    assert_eq!(hidden.status.as_u16(), 403);
    // An update that changes nothing brings the copy in line.
    send(home, Method::PATCH, &path(ACCOUNT, NUMBER), &json!({})).await;
    home.check().await;
}
