//! Tables of numbers whose carriers are asked what they are there.

use std::sync::Arc;

use axum::http::Method;
use serde_json::json;

use super::{
    task_features::run,
    world::{NUMBER, UNLIMITED, World, numbers, over_both_stores},
};
use crate::support::{
    app::{ACCOUNT, TestApp},
    carriers::{Mood, ScriptedCarrier, registry},
};

over_both_stores! {
    what_the_carrier_says_is_kept,
    what_the_carrier_does_not_have_is_said,
    nobody_else_has_carriers_asked,
}

const OURS: &str = "+14155550101";
const GONE: &str = "+14155550102";

/// A process with a number of a carrier, and one of our own.
async fn bought(world: &World) -> (TestApp, Arc<ScriptedCarrier>) {
    world.configured(json!({"carrier_modules": ["knm_telnyx"]})).await;
    let carrier = ScriptedCarrier::new(Mood::Willing, &[NUMBER]);
    let outside = registry(&[("knm_telnyx", &carrier)]);
    let app = TestApp::selling(world.store.clone(), UNLIMITED, outside).await;
    let path = numbers("?prefix=415&quantity=1");
    app.get(&path).token(&app.account(ACCOUNT)).send().await.check_status(200);
    let path = numbers(&format!("/{NUMBER}/activate"));
    let ask = app.ask(Method::PUT, &path).token(&app.account(ACCOUNT));
    ask.data(&json!({})).send().await.check_status(201);
    let body = json!({"pvt_state": "available", "pvt_module_name": "knm_inventory"});
    world.keep(OURS, body).await;
    (app, carrier)
}

fn table(numbers: &[&str]) -> String {
    format!("e164\n{}\n", numbers.join("\n"))
}

async fn what_the_carrier_says_is_kept(world: &World) {
    let (app, carrier) = bought(world).await;
    carrier.say(json!({"ref": "r2"}));
    let rows = table(&[NUMBER, OURS]);
    let (task, output) = run(&app, "sync", "&dry_run=true", &rows).await;
    assert_eq!(task["status"], "success", "{output}");
    assert_eq!(world.document(NUMBER).await.unwrap().body["pvt_carrier_data"]["ref"], "r1");
    let (task, output) = run(&app, "sync", "", &rows).await;
    assert_eq!(
        (&task["status"], &task["failure_count"]),
        (&json!("success"), &json!(0)),
        "{output}"
    );
    let body = world.document(NUMBER).await.unwrap().body;
    assert_eq!(body["pvt_carrier_data"], json!({"ref": "r2"}));
    assert_eq!(world.copy(ACCOUNT, NUMBER).await.unwrap().body, body);
    // Said again, nothing is written.
    let before = world.document(NUMBER).await.unwrap().rev;
    run(&app, "sync", "", &rows).await;
    assert_eq!(world.document(NUMBER).await.unwrap().rev, before);
}

async fn what_the_carrier_does_not_have_is_said(world: &World) {
    let (app, carrier) = bought(world).await;
    let body = json!({"pvt_state": "available", "pvt_module_name": "knm_telnyx"});
    world.keep(GONE, body).await;
    let before = world.everything().await;
    let (task, output) = run(&app, "sync", "", &table(&[GONE, NUMBER, "+14155550109"])).await;
    assert_eq!(task["failure_count"], 2, "{output}");
    let line = |number: &str| output.lines().find(|line| line.contains(number)).unwrap().to_owned();
    let told = line(GONE);
    assert!(told.contains("fault by carrier: it says that the number is not ours"), "{output}");
    assert!(line("+14155550109").contains("not_found"), "{output}");
    for (mood, words) in
        [(Mood::Unable, "it does not say whether the number is ours"), (Mood::Failing, "closed")]
    {
        carrier.turn(mood);
        let (task, output) = run(&app, "sync", "", &table(&[NUMBER])).await;
        assert_eq!(task["failure_count"], 1, "{output}");
        assert!(output.contains(words), "{output}");
    }
    assert_eq!(world.everything().await, before);
}

async fn nobody_else_has_carriers_asked(world: &World) {
    let (app, carrier) = bought(world).await;
    carrier.say(json!({"ref": "r2"}));
    let path = format!("/v2/accounts/{ACCOUNT}/tasks?category=number_management&action=sync");
    let token = app.account(ACCOUNT);
    let ask = app.ask(Method::PUT, &path).header("content-type", "text/csv").token(&token);
    let task = ask.body(table(&[NUMBER])).send().await.data(201)["_read_only"].clone();
    let output = super::task_features::done(&app, &token, &task).await.1;
    assert!(output.contains("requestor is unauthorized"), "{output}");
    assert_eq!(world.document(NUMBER).await.unwrap().body["pvt_carrier_data"]["ref"], "r1");
}
