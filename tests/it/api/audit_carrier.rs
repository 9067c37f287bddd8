//! A carrier's own list, and what we hold of it.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::{
    operation::{asked, run, say},
    world::{UNLIMITED, World, over_both_stores},
};
use crate::support::{
    app::{ACCOUNT, TestApp},
    carriers::{Mood, ScriptedCarrier, registry},
};

over_both_stores! {
    each_difference_is_named,
    a_list_can_be_given,
    half_a_list_is_none,
    what_cannot_be_compared,
}

const BOTH: &str = "+14155550101";
const OLDER: &str = "+14155550102";
const HERE: &str = "+14155550103";
const THERE: &str = "+14165550104";
const OTHERS: &str = "+14155550105";
const SEEN: &str = "+14155550106";

async fn keep(world: &World) -> (TestApp, Arc<ScriptedCarrier>) {
    let held = |carrier: &str| json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_module_name": carrier});
    world.keep(BOTH, held("knm_telnyx")).await;
    world.keep(OLDER, held("wnm_telnyx")).await;
    world.keep(HERE, held("knm_telnyx")).await;
    world.keep(OTHERS, held("knm_vitelity")).await;
    // Seen there once, so nothing that we have.
    world.keep(SEEN, json!({"pvt_state": "discovery", "pvt_module_name": "knm_telnyx"})).await;
    let carrier = ScriptedCarrier::new(Mood::Willing, &[]);
    carrier.hold(&[BOTH, OLDER, THERE, OTHERS, SEEN]);
    let outside = registry(&[("knm_telnyx", &carrier)]);
    (TestApp::selling(world.store.clone(), UNLIMITED, outside).await, carrier)
}

fn wanted(list: Option<&str>) -> Value {
    let mut data = json!({"carrier": "telnyx", "scope": {"all": true}, "page_size": 2});
    if let Some(list) = list {
        data["list"] = list.into();
    }
    data
}

fn check(job: &Value) {
    let found = |kind: &str| job["findings"][kind]["ids"].clone();
    assert_eq!(found("missing_there"), json!([HERE]), "{job}");
    assert_eq!(found("missing_here"), json!([SEEN, THERE]), "{job}");
    assert_eq!(found("foreign"), json!([OTHERS]), "{job}");
    assert_eq!(job["counts"]["changed"], 0, "{job}");
}

async fn each_difference_is_named(world: &World) {
    let (app, _) = keep(world).await;
    let before = world.everything().await;
    let job = run(&app, "audit_carrier", &wanted(None)).await;
    assert_eq!(job["state"], "succeeded", "{job}");
    check(&job);
    let text = say(&app, "audit_carrier", &wanted(None)).await;
    for line in [
        format!("{HERE} is held here and not in the carrier's list"),
        format!("{THERE} is in the carrier's list and not held here"),
        format!("{OTHERS} is in the carrier's list and held here as another carrier's"),
    ] {
        assert!(text.contains(&line), "{text}");
    }
    assert!(!text.contains(BOTH) && !text.contains(OLDER), "{text}");
    assert_eq!(world.everything().await, before);
}

async fn a_list_can_be_given(world: &World) {
    let (app, carrier) = keep(world).await;
    // Nobody is asked.
    carrier.turn(Mood::Broken);
    let list = format!(
        "number,city\n{BOTH},SF\n\"{}\",SF\n{THERE},TO\n{OTHERS},SF\n{SEEN},SF\n911,SF\n",
        "415 555-0102"
    );
    let job = run(&app, "audit_carrier", &wanted(Some(&list))).await;
    check(&job);
    assert_eq!((&job["state"], &job["failures"][0]["id"]), (&json!("partial"), &json!("911")));
}

async fn half_a_list_is_none(world: &World) {
    let (app, carrier) = keep(world).await;
    carrier.turn(Mood::Failing);
    let job = run(&app, "audit_carrier", &wanted(None)).await;
    assert_eq!((&job["state"], &job["findings"]), (&json!("failed"), &json!({})), "{job}");
    assert!(job.to_string().contains("gives no list of our numbers: closed"), "{job}");
    // A list that is longer than is allowed.
    carrier.turn(Mood::Willing);
    world.configured(json!({"maximum_carrier_list": 4})).await;
    let outside = registry(&[("knm_telnyx", &carrier)]);
    let app = TestApp::selling(world.store.clone(), UNLIMITED, outside).await;
    let job = run(&app, "audit_carrier", &wanted(None)).await;
    assert_eq!((&job["state"], &job["findings"]), (&json!("failed"), &json!({})), "{job}");
    assert!(job.to_string().contains("maximum_carrier_list"), "{job}");
}

async fn what_cannot_be_compared(world: &World) {
    let (app, _) = keep(world).await;
    for (data, words) in [
        (json!({"carrier": "nobody", "scope": {"all": true}}), "not known by the system"),
        (json!({"carrier": "local", "scope": {"all": true}}), "lists no numbers"),
        (json!({"scope": {"all": true}}), "carrier"),
    ] {
        let answer = asked(&app, "audit_carrier", &data).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{data} {}", answer.text);
        assert!(answer.text.contains(words), "{data} {}", answer.text);
    }
}
