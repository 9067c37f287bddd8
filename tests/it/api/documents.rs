//! Numbers as their documents: out, and in again.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{HOLDER, NUMBER, Who, World, over_both_stores};
use crate::support::app::{ACCOUNT, Answer, STRANGER};

over_both_stores! {
    what_goes_out_comes_in_as_it_was,
    what_is_there_stays_and_what_is_no_number_is_named,
}

const PATH: &str = "/v2/phone_numbers/documents";

async fn export(world: &World) -> String {
    let answer = world.ask(Who::Admin, Method::GET, PATH, None).await;
    answer.check_status(200);
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    answer.text
}

async fn import(world: &World, lines: &str) -> Answer {
    let ask = world.app.ask(Method::PUT, PATH).header("content-type", "application/x-ndjson");
    ask.token(&world.app.admin()).body(lines).send().await
}

async fn what_goes_out_comes_in_as_it_was(world: &World) {
    for place in 0..30 {
        let number = format!("+14{}555{place:04}", 15 + place % 2);
        let state = ["in_service", "available"][place % 2];
        let mut members = json!({"pvt_state": state, "note": place, "zeta": {"b": 1, "a": [2]}});
        if state == "in_service" {
            members["pvt_assigned_to"] = ACCOUNT.into();
        }
        world.keep(&number, members).await;
    }
    let before = export(world).await;
    assert_eq!(before.lines().count(), 30);
    world.clear().await;
    assert_eq!(export(world).await, "");
    let counts = |made: u64, unchanged: u64| json!({"read": 30, "made": made, "unchanged": unchanged, "failed": 0, "failures": []});
    assert_eq!(import(world, &before).await.data(200), counts(30, 0));
    assert_eq!(export(world).await, before, "byte by byte");
    // The copies came with them, which the invariants hold; and once more is nothing more.
    let stored = world.everything().await;
    assert_eq!(stored.len(), 45);
    assert_eq!(import(world, before.trim_end()).await.data(200), counts(0, 30));
    assert_eq!(world.everything().await, stored);
}

async fn what_is_there_stays_and_what_is_no_number_is_named(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": STRANGER})).await;
    let before = world.everything().await;
    let strange = "c".repeat(32);
    let lines = [
        json!({"_id": NUMBER, "pvt_state": "available"}).to_string(),
        "{".to_owned(),
        json!({"_id": "abc"}).to_string(),
        json!({"pvt_state": "available"}).to_string(),
        json!({"_id": "+14155550170", "pvt_state": "in_service", "pvt_assigned_to": strange})
            .to_string(),
    ];
    let told = import(world, &format!("{}\n\n", lines.join("\r\n"))).await.data(200);
    assert_eq!((&told["read"], &told["made"], &told["failed"]), (&json!(5), &json!(0), &json!(5)));
    let failures: Vec<Value> = told["failures"].as_array().unwrap().clone();
    let mut named: Vec<(u64, &str)> = failures
        .iter()
        .map(|it| (it["line"].as_u64().unwrap(), it["error"]["error"].as_str().unwrap()))
        .collect();
    named.sort_unstable();
    let wanted = [
        (1, "number_exists"),
        (2, "invalid"),
        (3, "not_reconcilable"),
        (4, "not_reconcilable"),
        (5, "not_found"),
    ];
    assert_eq!(named, wanted);
    assert_eq!(world.everything().await, before);
    world.ask(HOLDER, Method::GET, PATH, None).await.check_status(403);
    let data = json!({});
    world.ask(HOLDER, Method::PUT, PATH, Some(&data)).await.check_status(403);
    world.ask(Who::Admin, Method::PUT, PATH, Some(&data)).await.check_status(415);
}
