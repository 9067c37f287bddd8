//! What another carrier cannot do for a number, and the operator who decides.

use serde_json::{Value, json};

use super::{
    operation::{act, counts, members, run},
    world::{World, over_both_stores},
};
use crate::support::app::ACCOUNT;

over_both_stores! {
    what_the_target_cannot_have_is_listed,
    what_a_number_would_lose_is_listed,
}

const HERE: &str = "+14155550101";
const THERE: &str = "+442055550102";

async fn convert(world: &World, target: &str, option: &str) -> Value {
    let mut data = json!({"source": "knm_telnyx", "target": target, "scope": {"all": true}});
    if !option.is_empty() {
        data[option] = true.into();
    }
    run(&world.app, "convert_carrier", &data).await
}

async fn carrier(world: &World, number: &str) -> Value {
    world.document(number).await.unwrap().body["pvt_module_name"].clone()
}

async fn what_the_target_cannot_have_is_listed(world: &World) {
    for number in [HERE, THERE] {
        let body = json!({"pvt_state": "available", "pvt_module_name": "knm_telnyx"});
        world.keep(number, body).await;
    }
    let before = members(world).await;
    let plan = convert(world, "vitelity", "dry_run").await;
    assert_eq!(counts(&plan), (1, 1), "{plan}");
    let failure = &plan["failures"][0];
    assert_eq!((&failure["id"], &failure["error"]), (&json!(THERE), &json!("forbidden")));
    let told = failure["message"].as_str().unwrap();
    let wanted = format!("numbers like {THERE} are not available with knm_vitelity");
    assert!(told.ends_with(&wanted), "{told}");
    assert_eq!(members(world).await, before);
    let named = json!({"target": "vitelity", "scope": {"numbers": [THERE]}});
    assert_eq!(counts(&run(&world.app, "convert_carrier", &named).await), (0, 1));
    assert_eq!(members(world).await, before);
    let forced = convert(world, "vitelity", "force").await;
    assert_eq!(counts(&forced), (2, 0), "{forced}");
    assert_eq!(carrier(world, THERE).await, "knm_vitelity");
    // One that has numbers everywhere is no question.
    let back = json!({"source": "knm_vitelity", "target": "telnyx", "scope": {"all": true}});
    assert_eq!(counts(&run(&world.app, "convert_carrier", &back).await), (2, 0));
}

async fn what_a_number_would_lose_is_listed(world: &World) {
    let cnam = json!({"display_name": "ACME"});
    let held = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_module_name": "knm_telnyx",
        "cnam": cnam, "pvt_features": {"outbound_cnam": cnam},
    });
    world.keep(HERE, held).await;
    let before = members(world).await;
    let plan = convert(world, "local", "").await;
    assert_eq!(counts(&plan), (0, 1), "{plan}");
    assert_eq!(plan["failures"][0]["error"], "forbidden");
    let message = plan["failures"][0]["message"].as_str().unwrap();
    assert!(message.contains("outbound_cnam is not available with knm_local"), "{message}");
    assert_eq!(members(world).await, before);
    let forced = convert(world, "local", "force").await;
    assert_eq!(counts(&forced), (1, 0), "{forced}");
    let body = world.document(HERE).await.unwrap().body;
    assert_eq!((&body["pvt_module_name"], body.get("cnam")), (&json!("knm_local"), None));
    assert_eq!(body["pvt_features"].get("outbound_cnam"), None);
    // And taken back, it has what it had.
    act(&world.app, &forced, "revert").await;
    assert_eq!(members(world).await, before);
}
