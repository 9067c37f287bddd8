//! What nobody needs any more.

use number_manager::store::DbName;
use serde_json::{Value, json};

use super::{
    operation::{act, counts, members, raw, run, run_confirmed, say},
    world::{NOW, World, over_both_stores},
};
use crate::support::app::ACCOUNT;

over_both_stores! {
    what_is_over_is_removed,
    what_was_activated_stays,
    days_and_months_that_are_over_are_dropped,
}

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
const A: &str = "+14155550101";
const B: &str = "+14155550102";

fn since(state: &str, since: i64) -> Value {
    json!({"pvt_state": state, "pvt_state_since": since})
}

fn all() -> Value {
    json!({"scope": {"all": true}, "page_size": 2})
}

async fn what_is_over_is_removed(world: &World) {
    let mut copied = since("discovery", NOW - DAY);
    copied["pvt_assigned_to"] = json!(ACCOUNT);
    let cases = [
        (since("discovery", NOW - DAY), true),
        (since("discovery", NOW - DAY + 1), false),
        (json!({"pvt_state": "discovery", "pvt_modified": NOW - DAY}), true),
        (copied, true),
        (since("deleted", NOW - 90 * DAY), true),
        (since("deleted", NOW - 90 * DAY + 1), false),
        (since("aging", 1), false),
        (since("available", 1), false),
        (since("released", 1), false),
    ];
    let number = |place: usize| format!("+141555501{place:02}");
    for (place, (body, _)) in cases.iter().enumerate() {
        world.keep(&number(place), body.clone()).await;
    }
    let (before, untouched) = (members(world).await, raw(world).await);
    let plan = run(&world.app, "expire", &all()).await;
    assert_eq!((&plan["options"]["dry_run"], counts(&plan)), (&json!(true), (4, 0)));
    assert_eq!(raw(world).await, untouched);

    let job = run_confirmed(&world.app, "expire", &all()).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("succeeded"), (4, 0)), "{job}");
    for (place, (body, is_over)) in cases.iter().enumerate() {
        assert_eq!(world.document(&number(place)).await.is_none(), *is_over, "{body}");
    }
    assert_eq!(world.copy(ACCOUNT, &number(3)).await, None);
    assert_eq!(counts(&run_confirmed(&world.app, "expire", &all()).await), (0, 0));
    act(&world.app, &job, "revert").await;
    assert_eq!(members(world).await, before);
    // What is marked as deleted is no legal number.
    world.clear().await;
}

async fn what_was_activated_stays(world: &World) {
    let settings = json!({"discovery_expiry_h": 2, "deleted_expiry_d": 0});
    let app = world.configured(settings).await;
    world.keep(A, since("discovery", NOW - 2 * HOUR)).await;
    world.keep(B, since("discovery", NOW - 2 * HOUR + 1)).await;
    let mut taken = since("in_service", NOW - DAY);
    taken["pvt_assigned_to"] = json!(ACCOUNT);
    world.keep("+14155550103", taken).await;
    world.keep("+14155550104", since("deleted", NOW)).await;
    let data = json!({"scope": {"databases": ["+1415"]}, "confirm": "expire"});
    let text = say(&app, "expire", &data).await;
    assert!(text.starts_with(&format!("{A} has expired\n+14155550104 has expired\n")), "{text}");
    assert!(world.document(B).await.is_some() && world.document("+14155550103").await.is_some());
}

async fn days_and_months_that_are_over_are_dropped(world: &World) {
    // The clock shows noon of the first of May.
    let cases = [
        ("number_manager_requests-20240429", true),
        ("number_manager_requests-20240430", false),
        ("number_manager_requests-20240501", false),
        ("number_manager_offers-20230501", true),
        ("number_manager_offers-20240429", true),
        ("number_manager_offers-20240430", false),
        ("number_manager_feed-202401", true),
        ("number_manager_feed-202402", false),
        ("number_manager_charges-202001", false),
    ];
    for (name, _) in cases {
        world.store.create_database(&DbName::new(name)).await.unwrap();
    }
    let present = async || {
        let found = world.store.databases("number_manager_").await.unwrap();
        cases.map(|(name, _)| found.contains(&DbName::new(name)))
    };
    let over: Vec<&str> = cases.iter().filter(|(_, over)| *over).map(|(name, _)| *name).collect();
    let named = |job: &Value| {
        let found = job["findings"]["database_expired"]["ids"].as_array().cloned();
        let mut found = found.unwrap_or_default();
        found.sort_by_key(|name| over.iter().position(|it| name == it));
        found
    };
    let plan = run(&world.app, "expire", &all()).await;
    let wanted: Vec<Value> = over.iter().map(|name| json!(name)).collect();
    assert_eq!((named(&plan), counts(&plan)), (wanted, (4, 0)));
    assert_eq!(present().await, [true; 9], "a plan drops nothing");
    // What is asked for of one database of numbers is about no other.
    let data = json!({"scope": {"databases": ["+1415"]}});
    run_confirmed(&world.app, "expire", &data).await;
    assert_eq!(present().await, [true; 9]);

    let job = run_confirmed(&world.app, "expire", &all()).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("succeeded"), (4, 0)), "{job}");
    assert_eq!(present().await, cases.map(|(_, over)| !over));
    assert_eq!(counts(&run_confirmed(&world.app, "expire", &all()).await), (0, 0));
}
