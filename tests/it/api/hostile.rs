//! What nobody should send: it is answered, by no fault of ours, and nothing is written.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{HOLDER, NUMBER, Who, World, numbers, over_both_stores};
use crate::support::app::{ACCOUNT, Answer};

over_both_stores! {
    broken_bodies_are_refused,
    bodies_that_are_too_large_are_refused,
    the_last_of_two_members_counts,
    paths_that_are_no_numbers,
    deep_members_are_refused_or_kept_whole,
}

/// Every way to send a body about a number.
fn ways() -> [(Method, &'static str); 5] {
    [
        (Method::PUT, ""),
        (Method::POST, ""),
        (Method::PATCH, ""),
        (Method::PUT, "/activate"),
        (Method::PUT, "/reserve"),
    ]
}

async fn send(world: &World, method: Method, rest: &str, body: &[u8]) -> Answer {
    let ask = world.app.ask(method, &numbers(&format!("/{NUMBER}{rest}")));
    ask.token(&world.app.admin()).body(body).send().await
}

async fn broken_bodies_are_refused(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "available"})).await;
    let before = world.everything().await;
    let deep = |open: &str, close: &str| {
        format!("{{\"data\":{}1{}}}", open.repeat(10_000), close.repeat(10_000)).into_bytes()
    };
    let bodies: [Vec<u8>; 12] = [
        b"{\"data\":".to_vec(),
        b"{\"data\":{\"a\":}}".to_vec(),
        b"{\"data\":{}} trailing".to_vec(),
        b"{\"data\":{\"a\":\"\xff\xfe\"}}".to_vec(),
        b"\xef\xbb\xbf{\"data\":{}}".to_vec(),
        b"{\"data\":{\"a\":\"\x00\"}}".to_vec(),
        b"{\"data\":{\"a\":\"\\ud800\"}}".to_vec(),
        b"{\"data\":{\"a\":NaN}}".to_vec(),
        b"{\"data\":{\"a\":1e400}}".to_vec(),
        deep("[", "]"),
        deep("{\"a\":", "}"),
        b"\x00".to_vec(),
    ];
    for body in &bodies {
        for (method, rest) in ways() {
            let answer = send(world, method, rest, body).await;
            let shown = String::from_utf8_lossy(&body[..body.len().min(40)]).into_owned();
            assert_eq!(answer.status.as_u16(), 400, "{shown}: {}", answer.text);
            let json = answer.json();
            assert_eq!(json["message"], "validation error");
            assert_eq!(json["data"]["json"]["invalid"]["target"], "body");
        }
    }
    for body in ["[]", "1", "null", "\"x\"", "{\"data\":null}", "{\"data\":1}", "{\"x\":{}}"] {
        let answer = send(world, Method::POST, "", body.as_bytes()).await;
        assert_eq!(answer.status.as_u16(), 400, "{body}: {}", answer.text);
        assert!(answer.json()["data"]["data"].is_object(), "{}", answer.text);
    }
    assert_eq!(world.everything().await, before);
}

async fn bodies_that_are_too_large_are_refused(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "available"})).await;
    let before = world.everything().await;
    let rule = json!({
        "message": "Files must not be more than 8000000 bytes", "target": 8_000_000,
    });
    let data = json!({"file": {"maxSize": rule}});
    let mut body = b"{\"data\":{\"a\":\"".to_vec();
    body.resize(8_000_001 - 3, b'x');
    body.extend(b"\"}}");
    for (method, rest) in ways() {
        let answer = send(world, method, rest, &body).await;
        answer.check_error(413, "validation error", &data);
    }
    assert_eq!(world.everything().await, before);
}

async fn the_last_of_two_members_counts(world: &World) {
    let body =
        br#"{"data":{"my":1,"my":2,"create_with_state":"deleted","create_with_state":"reserved"}}"#;
    let data = send(world, Method::PUT, "", body).await.data(201);
    assert_eq!((&data["my"], &data["state"]), (&json!(2), &json!("reserved")));
    let body = br#"{"data":{"a":1},"DATA":{"a":2}}"#;
    let answer = send(world, Method::PATCH, "", body).await;
    assert_eq!(answer.data(200)["a"], 2);
}

async fn paths_that_are_no_numbers(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let before = world.everything().await;
    let long = "4".repeat(10_000);
    for segment in [
        "%2B14155550100%2F",
        "%2B14155550100%2Factivate",
        "%2B1415555%000100",
        "%2B14155550100%00",
        "%00",
        "%FF%FE",
        "%2B1415555010%EF%BC%90",
        "%2F%2F",
        "_all_docs",
        "_bulk_docs",
        "%2B%2B14155550100",
        "*",
        "%25",
        "%",
        "%2",
        "-",
        long.as_str(),
    ] {
        for (method, rest) in ways() {
            let path = numbers(&format!("/{segment}{rest}"));
            let answer = world.ask(Who::Admin, method, &path, None).await;
            let status = answer.status.as_u16();
            assert!(matches!(status, 400 | 404), "{segment}: {status} {}", answer.text);
        }
        for method in [Method::GET, Method::DELETE] {
            let path = numbers(&format!("/{segment}"));
            let answer = world.ask(Who::Admin, method, &path, None).await;
            assert!(matches!(answer.status.as_u16(), 400 | 404), "{segment}: {}", answer.text);
        }
    }
    for account in ["..", "%2e%2e", "a%2Fb", "accounts", "%00", &"a".repeat(10_000)] {
        let path = format!("/v2/accounts/{account}/phone_numbers/{NUMBER}");
        let answer = world.ask(Who::Admin, Method::GET, &path, None).await;
        answer.check_status(404);
    }
    assert_eq!(world.everything().await, before);
}

async fn deep_members_are_refused_or_kept_whole(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    for levels in [50, 100, 120] {
        let deep = (0..levels).fold(Value::Null, |value, _| json!([value]));
        let answer = world.about(HOLDER, Method::POST, "", Some(&json!({"deep": deep}))).await;
        assert_eq!(answer.status.as_u16(), 200, "{levels}: {}", answer.text);
        let data = world.about(HOLDER, Method::GET, "", None).await.data(200);
        assert_eq!(data["deep"], deep, "{levels}");
        let list = world.ask(HOLDER, Method::GET, &numbers(""), None).await;
        list.check_status(200);
    }
}
