//! `GET …/classifiers`, `…/classifiers/{N}` and `…/carriers_info`.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{HOLDER, Who, World, numbers, over_both_stores};
use crate::support::app::{ACCOUNT, Answer, PARENT, TestApp};

over_both_stores! {
    classifiers_are_listed_in_order,
    a_number_is_classified,
    what_is_no_number_is_classified_too,
    carriers_and_states_by_right,
    stored_rules_replace_the_ordinary_ones,
    rules_that_cannot_be_used_are_said,
}

const NAMES: [&str; 7] =
    ["tollfree_us", "toll_us", "emergency", "caribbean", "did_us", "international", "unknown"];

async fn classify(world: &World, segment: &str) -> Value {
    let path = numbers(&format!("/classifiers/{segment}"));
    world.ask(HOLDER, Method::GET, &path, None).await.data(200)
}

async fn classifiers_are_listed_in_order(world: &World) {
    let data = world.ask(HOLDER, Method::GET, &numbers("/classifiers"), None).await.data(200);
    let classifiers = data.as_object().unwrap();
    assert!(classifiers.keys().eq(NAMES), "{data}");
    for (name, classifier) in classifiers {
        assert!(classifier["regex"].is_string(), "{name}");
        assert!(classifier["friendly_name"].is_string(), "{name}");
    }
    assert_eq!(classifiers["emergency"]["emergency"], true);
    assert_eq!(classifiers["did_us"]["pretty_print"], "SS(###) ### - ####");
}

async fn a_number_is_classified(world: &World) {
    let data = classify(world, "4155550100").await;
    let wanted = json!({
        "number": "4155550100", "e164": "+14155550100", "name": "did_us", "friendly_name": "US DID",
        "pretty_print": "SS(###) ### - ####", "formatted": "(415) 555 - 0100",
        "reconcilable": true,
    });
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(&data[key], value, "{key}");
    }
    for (segment, e164, name) in [
        ("%2B18005550100", "+18005550100", "tollfree_us"),
        ("+19005550100", "+19005550100", "toll_us"),
        ("18765550100", "+18765550100", "caribbean"),
        ("011442079460100", "+442079460100", "international"),
    ] {
        let data = classify(world, segment).await;
        assert_eq!((&data["e164"], &data["name"]), (&json!(e164), &json!(name)), "{segment}");
    }
}

async fn what_is_no_number_is_classified_too(world: &World) {
    let data = classify(world, "911").await;
    assert_eq!((&data["name"], &data["reconcilable"]), (&json!("emergency"), &json!(false)));
    assert_eq!((&data["number"], &data["e164"]), (&json!("911"), &json!("911")));
    let long = "x".repeat(10_000);
    for segment in ["abc", "%00", "%2F", "sip%3Ax%40y", "%D9%A0%D9%A1", long.as_str()] {
        let data = classify(world, segment).await;
        assert_eq!((&data["name"], &data["reconcilable"]), (&json!("unknown"), &json!(false)));
    }
}

async fn carriers_and_states_by_right(world: &World) {
    let states = async |who: Who| {
        let path = numbers("/carriers_info");
        let data = world.ask(who, Method::GET, &path, None).await.data(200);
        assert_eq!(data["maximal_prefix_length"], 10);
        let carriers = data["usable_carriers"].as_array().unwrap();
        assert!(carriers.contains(&json!("bandwidth2")) && carriers.contains(&json!("local")));
        assert!(!carriers.contains(&json!("reserved")));
        data["usable_creation_states"].clone()
    };
    let all = json!(["aging", "available", "in_service", "port_in", "reserved"]);
    assert_eq!(states(Who::Admin).await, all);
    assert_eq!(states(HOLDER).await, json!([]));
    world.allow_additions(ACCOUNT).await;
    assert_eq!(states(HOLDER).await, json!(["in_service", "reserved"]));
    assert_eq!(states(Who::Account(PARENT)).await, json!([]), "the token's account counts");
}

async fn ask_of(app: &TestApp, rest: &str) -> Answer {
    app.get(&numbers(rest)).token(&app.account(ACCOUNT)).send().await
}

async fn stored_rules_replace_the_ordinary_ones(world: &World) {
    let app = world
        .configured(json!({
            "classifiers": {"short": {"regex": "^(\\d{3})$", "friendly_name": "Short"}},
            "carrier_modules": ["knm_local", "knm_bandwidth2"],
        }))
        .await;
    let data = ask_of(&app, "/classifiers").await.data(200);
    assert!(data.as_object().unwrap().keys().eq(["short"]));
    let data = ask_of(&app, "/classifiers/4155550100").await.data(200);
    assert_eq!((data.get("name"), &data["e164"]), (None, &json!("+14155550100")));
    assert_eq!(ask_of(&app, "/classifiers/123").await.data(200)["name"], "short");
    let data = ask_of(&app, "/carriers_info").await.data(200);
    assert_eq!(data["maximal_prefix_length"], 3);
}

async fn rules_that_cannot_be_used_are_said(world: &World) {
    // No settings were ever good here, so none can stay in force.
    let app = world.configured(json!({"released_state": "nowhere"})).await;
    let answer = ask_of(&app, "/classifiers").await;
    answer.check_error(503, "datastore_fault", &json!({"message": "datastore fault"}));
}
