//! Numbers that have aged.

use number_manager::store::{Body, Write};
use serde_json::{Value, json};

use super::{
    operation::{act, asked, counts, members, raw, run, say},
    world::{NOW, World, account_db, number_db, over_both_stores},
};
use crate::support::app::{ACCOUNT, STRANGER};

over_both_stores! {
    what_has_aged_for_long_enough_is_available,
    the_settings_say_how_long_numbers_age,
    nothing_of_the_last_owners_is_left,
    numbers_are_looked_at_by_name,
    what_is_gone_stays_gone,
    another_write_makes_no_number_younger,
}

const A: &str = "+14155550101";
const B: &str = "+14155550102";
const C: &str = "+14155550103";
const D: &str = "+14165550104";
const DAY: i64 = 86_400;
/// A number that has been in its state since then has just aged.
const AGED: i64 = NOW - 90 * DAY;

fn aging(since: i64) -> Value {
    json!({"pvt_state": "aging", "pvt_state_since": since})
}

fn all() -> Value {
    json!({"scope": {"all": true}, "page_size": 2})
}

async fn state(world: &World, number: &str) -> (Value, Value) {
    let body = world.document(number).await.unwrap().body;
    let member = |key: &str| body.get(key).cloned().unwrap_or_default();
    (member("pvt_state"), member("pvt_state_since"))
}

async fn what_has_aged_for_long_enough_is_available(world: &World) {
    let cases = [
        (aging(AGED), true),
        (aging(AGED + 1), false),
        (json!({"pvt_state": "aging", "pvt_modified": AGED}), true),
        (json!({"pvt_number_state": "aging", "pvt_modified": AGED}), true),
        (json!({"pvt_state": "aging", "pvt_state_since": AGED + 1, "pvt_modified": AGED}), false),
        (json!({"pvt_state": "aging", "pvt_state_since": AGED, "pvt_modified": NOW}), true),
        (json!({"pvt_state": "released", "pvt_state_since": AGED}), false),
        (json!({"pvt_state": "discovery", "pvt_state_since": AGED}), false),
        (
            json!({"pvt_state": "in_service", "pvt_state_since": AGED, "pvt_assigned_to": ACCOUNT}),
            false,
        ),
    ];
    let number = |place: usize| format!("+141555501{place:02}");
    for (place, (body, _)) in cases.iter().enumerate() {
        world.keep(&number(place), body.clone()).await;
    }
    // What never leaves its device is reported, and left alone.
    let mut device = aging(AGED);
    device["pvt_module_name"] = json!("knm_mdn");
    world.keep(D, device).await;
    let (before, untouched) = (members(world).await, raw(world).await);

    let mut plan = all();
    plan["dry_run"] = json!(true);
    assert_eq!(counts(&run(&world.app, "age", &plan).await), (4, 1));
    assert_eq!(raw(world).await, untouched);

    let job = run(&world.app, "age", &all()).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("partial"), (4, 1)), "{job}");
    assert_eq!(job["failures"][0]["id"], D);
    for (place, (body, is_due)) in cases.iter().enumerate() {
        let found = world.document(&number(place)).await.unwrap().body;
        if *is_due {
            let member = |key: &str| found.get(key).cloned().unwrap_or_default();
            assert_eq!(member("pvt_state"), "available", "{body}");
            assert_eq!(
                (member("pvt_state_since"), member("pvt_assigned_to")),
                (NOW.into(), Value::Null)
            );
        } else {
            let kept =
                body.as_object().unwrap().iter().all(|(key, value)| found.get(key) == Some(value));
            assert!(kept, "{body} is {found:?}");
        }
    }
    assert_eq!(counts(&run(&world.app, "age", &all()).await), (0, 1));
    act(&world.app, &job, "revert").await;
    assert_eq!(members(world).await, before);
    // A state in an older spelling is no legal one.
    world.clear().await;
}

async fn the_settings_say_how_long_numbers_age(world: &World) {
    let app = world.configured(json!({"aging_expiry_d": 10})).await;
    world.keep(A, aging(NOW - 10 * DAY)).await;
    world.keep(B, aging(NOW - 10 * DAY + 1)).await;
    let text = say(&app, "age", &json!({"scope": {"prefix": "+1415555"}})).await;
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some(format!("{A} is available").as_str()), "{text}");
    assert_eq!(state(world, B).await.0, "aging");
}

async fn nothing_of_the_last_owners_is_left(world: &World) {
    // As another program leaves it: still with its owner.
    let mut body = aging(AGED);
    body["pvt_assigned_to"] = json!(ACCOUNT);
    body["pvt_previously_assigned_to"] = json!(STRANGER);
    body["pvt_used_by"] = json!("callflow");
    body["pvt_carrier_data"] = json!({"order": 7});
    body["note"] = json!("mine");
    body["failover"] = json!({"sip": "a@b.example"});
    body["pvt_features"] = json!({"failover": {"sip": "a@b.example"}});
    world.keep(A, body).await;
    // A copy that an interrupted move left with the owner before.
    let stray = world.document(A).await.unwrap().body;
    world.put(account_db(STRANGER), A, stray).await;
    let job = run(&world.app, "age", &all()).await;
    // The copy of the owner before goes first, by itself: the number is about to forget that one.
    assert_eq!((&job["state"], counts(&job)), (&json!("succeeded"), (2, 0)), "{job}");
    assert_eq!((world.copy(ACCOUNT, A).await, world.copy(STRANGER, A).await), (None, None));
    let body = world.document(A).await.unwrap().body;
    for gone in ["pvt_assigned_to", "pvt_used_by", "note", "failover", "pvt_features"] {
        assert_eq!(body.get(gone), None, "{gone}");
    }
    assert_eq!(body["pvt_previously_assigned_to"], ACCOUNT);
    assert_eq!(body["pvt_carrier_data"], json!({"order": 7}));
}

async fn numbers_are_looked_at_by_name(world: &World) {
    world.keep(A, aging(AGED)).await;
    world.keep(B, aging(AGED + 1)).await;
    world.keep(C, aging(AGED)).await;
    let data = json!({"scope": {"numbers": ["415 555-0101", B]}});
    let job = run(&world.app, "age", &data).await;
    assert_eq!((counts(&job), &job["counts"]["skipped"]), ((1, 0), &json!(1)));
    assert_eq!(state(world, A).await, (json!("available"), json!(NOW)));
    assert_eq!(state(world, B).await, (json!("aging"), json!(AGED + 1)));
    assert_eq!(state(world, C).await, (json!("aging"), json!(AGED)));
    let data = json!({"scope": {"databases": ["numbers/managed"]}});
    let answer = asked(&world.app, "age", &data).await;
    assert!(answer.status == 400 || answer.json()["data"]["state"] == "failed", "{}", answer.text);
}

/// What is given back to its carrier is deleted, so there is nothing to make available.
async fn what_is_gone_stays_gone(world: &World) {
    world.keep(A, aging(AGED)).await;
    let found = world.document(A).await.unwrap();
    let delete = Write::delete(number_db(A), A, found.rev, found.body.clone());
    world.store.commit(vec![delete]).await.unwrap();
    assert_eq!(counts(&run(&world.app, "age", &all()).await), (0, 0));
    let job = run(&world.app, "age", &json!({"scope": {"numbers": [A]}})).await;
    assert_eq!((counts(&job), &job["failures"][0]["error"]), ((0, 1), &json!("not_found")));
    assert_eq!(world.document(A).await, None);
}

async fn another_write_makes_no_number_younger(world: &World) {
    let body = json!({"pvt_state": "aging", "pvt_modified": AGED, "pvt_module_name": "knm_telnyx"});
    world.keep(A, body).await;
    let data = json!({"target": "knm_inventory", "scope": {"numbers": [A]}});
    assert_eq!(counts(&run(&world.app, "convert_carrier", &data).await), (1, 0));
    let body: Body = world.document(A).await.unwrap().body;
    assert_eq!((&body["pvt_modified"], &body["pvt_state_since"]), (&json!(NOW), &json!(AGED)));
    assert_eq!(counts(&run(&world.app, "age", &all()).await), (1, 0));
}
