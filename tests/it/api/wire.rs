//! What every route does alike: methods, tunnels, headers, forms and limits of the wire.

use axum::http::Method;
use number_manager::{api, maintenance::OPERATIONS};
use serde_json::{Value, json};

use super::world::{HOLDER, NUMBER, Who, World, numbers, over_both_stores};
use crate::support::app::ACCOUNT;

over_both_stores! {
    options_lists_the_methods_of_every_path_without_a_token,
    every_answer_to_a_page_can_be_read,
    a_verb_is_tunnelled_from_each_place,
    people_can_ask_for_indentation,
    long_answers_are_packed_for_those_who_can_read_them,
    a_request_id_is_echoed_in_errors_and_answers,
    a_token_in_the_query_is_none,
}

fn filled(path: &str) -> String {
    path.replace("{account_id}", ACCOUNT).replace("{number}", "%2B14155550100")
}

async fn options_lists_the_methods_of_every_path_without_a_token(world: &World) {
    let document: Value = serde_json::from_str(&api::printed_document(OPERATIONS)).unwrap();
    let paths = document["paths"].as_object().unwrap();
    for (path, operations) in paths.iter().filter(|(path, _)| path.starts_with("/v2")) {
        let ask = world.app.ask(Method::OPTIONS, &filled(path));
        let answer = ask.header("Access-Control-Request-Method", "PUT").send().await;
        assert_eq!(answer.status.as_u16(), 200, "{path}: {}", answer.text);
        let said = answer.header("access-control-allow-methods").unwrap();
        let mut said: Vec<&str> = said.split(", ").collect();
        said.sort_unstable();
        let mut wanted: Vec<String> =
            operations.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        wanted.push("OPTIONS".to_owned());
        wanted.sort_unstable();
        assert_eq!(said, wanted, "{path}");
    }
}

async fn every_answer_to_a_page_can_be_read(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let good = numbers(&format!("/{NUMBER}"));
    for (method, path, token, status) in [
        (Method::GET, good.as_str(), true, 200),
        (Method::GET, good.as_str(), false, 401),
        (Method::HEAD, good.as_str(), true, 405),
        (Method::PUT, good.as_str(), true, 403),
        (Method::GET, "/v2/nothing", true, 404),
        (Method::GET, "/v1/accounts", true, 410),
    ] {
        let mut ask = world.app.ask(method, path).header("Origin", "https://ui.example");
        if token {
            ask = ask.token(&world.app.account(ACCOUNT));
        }
        let answer = ask.send().await;
        assert_eq!(answer.status.as_u16(), status, "{path}: {}", answer.text);
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{path}");
        let headers = answer.header("access-control-allow-headers").unwrap();
        for name in ["content-type", "x-auth-token", "if-match", "authorization", "idempotency-key"]
        {
            assert!(headers.split(", ").any(|it| it == name), "{name}: {headers}");
        }
        let exposed = answer.header("access-control-expose-headers").unwrap();
        for name in ["x-request-id", "etag", "location", "idempotency-replayed"] {
            assert!(exposed.split(", ").any(|it| it == name), "{name}: {exposed}");
        }
        assert_eq!(answer.header("content-type"), Some("application/json"), "{path}");
    }
}

async fn a_verb_is_tunnelled_from_each_place(world: &World) {
    let path = numbers(&format!("/{NUMBER}"));
    for (query, body, wanted) in [
        ("?verb=PUT", json!({"data": {}}), 200),
        ("?verb=patch", json!({"data": {"a": 1}}), 200),
        ("", json!({"data": {"verb": "PATCH", "a": 2}}), 200),
        ("", json!({"data": {}, "verb": "GET"}), 200),
        ("?verb=HEAD", json!({"data": {}}), 200),
        ("", json!({"data": {}, "VERB": "delete"}), 200),
        ("?verb=put", json!({"data": {}}), 200),
    ] {
        let ask = world.app.ask(Method::POST, &format!("{path}{query}"));
        let answer = ask.token(&world.app.admin()).body(body.to_string()).send().await;
        assert_eq!(answer.status.as_u16(), wanted, "{query} {body}: {}", answer.text);
    }
    // What only a POST may say changes nothing of a GET.
    let answer = world.ask(Who::Admin, Method::GET, &format!("{path}?verb=DELETE"), None).await;
    answer.check_status(200);
    assert!(world.document(NUMBER).await.is_some());
}

async fn people_can_ask_for_indentation(world: &World) {
    let path = "/v2/nothing";
    for (query, header, is_pretty) in [
        ("", None, false),
        ("?pretty_print=true", None, true),
        ("?pretty_print=false", None, false),
        ("", Some("true"), true),
        ("", Some("no"), false),
    ] {
        let mut ask = world.app.get(&format!("{path}{query}"));
        if let Some(value) = header {
            ask = ask.header("X-Pretty-Print", value);
        }
        let answer = ask.send().await;
        assert_eq!(answer.text.contains("\n  \""), is_pretty, "{query} {header:?}");
        assert_eq!(answer.json()["message"], "not_found");
    }
}

async fn long_answers_are_packed_for_those_who_can_read_them(world: &World) {
    let path = numbers("/classifiers");
    let token = world.app.account(ACCOUNT);
    let packed = world.app.get(&path).token(&token).header("Accept-Encoding", "gzip");
    let packed = packed.raw_headers().await;
    assert_eq!(packed.get("content-encoding").unwrap(), "gzip");
    assert_eq!(packed.get("content-type").unwrap(), "application/json");
    let plain = world.ask(HOLDER, Method::GET, &path, None).await;
    assert_eq!(plain.header("content-encoding"), None);
    assert!(plain.text.len() > 1024);
}

async fn a_request_id_is_echoed_in_errors_and_answers(world: &World) {
    for (path, given, echoed) in [
        ("/v2/maintenance", "abc-123", true),
        ("/v2/nothing", "abc-123", true),
        ("/v2/nothing", "a b", false),
        ("/v2/nothing", &"x".repeat(129), false),
    ] {
        let ask = world.app.get(path).token(&world.app.admin()).header("X-Request-ID", given);
        let answer = ask.send().await;
        let said = answer.header("x-request-id").unwrap();
        assert_eq!(said == given, echoed, "{path} {said}");
        assert_eq!(answer.json()["request_id"], said);
    }
}

async fn a_token_in_the_query_is_none(world: &World) {
    let path = format!("/v2/maintenance?auth_token={}", world.app.admin());
    world.ask(Who::Nobody, Method::GET, &path, None).await.check_status(401);
}
