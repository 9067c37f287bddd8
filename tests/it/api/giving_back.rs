//! Numbers that leave our stock go back to their carriers; those that stay do not.

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use number_manager::{
    jobs::JobsConfig,
    store::{DbName, SharedStore},
};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    operation::{act, run, run_confirmed},
    world::{NOW, NUMBER, UNLIMITED, World, numbers, over_both_stores},
};
use crate::support::{
    app::{ACCOUNT, TestApp},
    carriers::{Mood, ScriptedCarrier, registry},
    failing::FailingStore,
    invariants::violations,
};

over_both_stores! {
    what_leaves_our_stock_is_given_back,
    what_stays_in_our_stock_is_not_given_back,
    plans_and_refusals_give_nothing_back,
    what_could_not_be_given_back_is_tried_again,
    a_carrier_that_takes_nothing_back_is_no_obstacle,
    what_is_ours_again_is_not_given_back,
    what_is_being_given_back_is_not_stored_meanwhile,
    a_deletion_that_stops_anywhere_forgets_nothing,
    a_deletion_that_was_not_made_gives_nothing_back,
    what_is_put_back_is_not_given_back,
    what_is_put_back_too_late_is_named,
    the_clock_sees_to_what_is_open,
}

const OTHER: &str = "+14155550101";
const HOUR: i64 = 3600;

/// A service with one outside carrier.
async fn dealing(store: SharedStore, carrier: &Arc<ScriptedCarrier>) -> TestApp {
    TestApp::selling(store, UNLIMITED, registry(&[("knm_telnyx", carrier)])).await
}

/// A world with these settings, a number that the carrier has sold us, and one of our own.
async fn stocked(
    world: &World,
    settings: Value,
    members: Value,
) -> (TestApp, Arc<ScriptedCarrier>) {
    world.clear().await;
    world.configured(settings).await;
    let mut number = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_module_name": "knm_telnyx",
        "pvt_carrier_data": {"order": "o1"},
    });
    number.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    world.keep(NUMBER, number).await;
    let ours = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_module_name": "knm_inventory",
    });
    world.keep(OTHER, ours).await;
    let carrier = ScriptedCarrier::new(Mood::Willing, &[]);
    let app = dealing(world.store.clone(), &carrier).await;
    // The settings are read, and kept, before anything is counted.
    let path = numbers(&format!("/{NUMBER}"));
    app.get(&path).token(&app.admin()).send().await.check_status(200);
    (app, carrier)
}

/// What is open, as administrators see it.
async fn open(app: &TestApp) -> Value {
    let shown = app.get("/v2/consistency").token(&app.admin()).send().await.data(200);
    shown["carriers"]["disconnects"].clone()
}

/// Waits until nothing waits for being given back.
async fn settled(app: &TestApp) {
    for _ in 0..500 {
        if open(app).await == json!([]) {
            return;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("{} is still open", open(app).await);
}

/// Waits until the first try has failed.
async fn tried(app: &TestApp) -> Value {
    for _ in 0..500 {
        let open = open(app).await;
        if open[0]["tries"].as_u64().is_some_and(|tries| tries > 0) {
            return open;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody has tried");
}

async fn delete(app: &TestApp, rest: &str, data: &Value) -> u16 {
    let ask = app.ask(Method::DELETE, &numbers(rest)).token(&app.admin());
    ask.data(data).send().await.status.as_u16()
}

async fn settle(app: &TestApp) -> Value {
    run(app, "settle", &json!({"scope": {"all": true}})).await
}

fn later(app: &TestApp, seconds: i64) {
    app.clock().advance(jiff::SignedDuration::from_secs(seconds));
}

/// A way in which numbers leave, and what it needs.
type Way = fn() -> (&'static str, Value, Value);

async fn what_leaves_our_stock_is_given_back(world: &World) {
    let one = format!("/{NUMBER}");
    let both = json!({"numbers": [NUMBER, OTHER]});
    for (settings, rest, data) in [
        (json!({}), format!("{one}?hard=true"), json!({})),
        (json!({"released_state": "deleted"}), one.clone(), json!({})),
        (json!({"should_permanently_delete": true}), one.clone(), json!({})),
        (json!({}), "/collection?hard=true".to_owned(), both.clone()),
        (json!({"released_state": "deleted"}), "/collection".to_owned(), both),
    ] {
        let (app, carrier) = stocked(world, settings, json!({})).await;
        assert_eq!(delete(&app, &rest, &data).await, 200, "{rest}");
        assert_eq!(world.document(NUMBER).await, None);
        settled(&app).await;
        assert_eq!(carrier.returned(), [NUMBER], "{rest}");
    }
    let jobs: [Way; 4] = [
        || ("delete_numbers", json!({}), json!({"scope": {"numbers": [NUMBER, OTHER]}})),
        || {
            let marked = json!({"pvt_state": "deleted", "pvt_state_since": NOW - 90 * 24 * HOUR});
            ("purge", marked, json!({"state": "deleted", "scope": {"all": true}}))
        },
        || {
            let marked = json!({"pvt_state": "deleted", "pvt_state_since": NOW - 90 * 24 * HOUR});
            ("expire", marked, json!({"scope": {"all": true}}))
        },
        || ("release_account", json!({}), json!({"scope": {"accounts": [ACCOUNT]}})),
    ];
    for job in jobs {
        let (operation, members, data) = job();
        let settings = json!({"released_state": "deleted"});
        let (app, carrier) = stocked(world, settings, members).await;
        let done = match operation {
            "release_account" => run(&app, operation, &data).await,
            _ => run_confirmed(&app, operation, &data).await,
        };
        assert_eq!(done["state"], "succeeded", "{done}");
        assert_eq!(world.document(NUMBER).await, None, "{operation}");
        settled(&app).await;
        assert_eq!(carrier.returned(), [NUMBER], "{operation}");
    }
    world.clear().await;
}

async fn what_stays_in_our_stock_is_not_given_back(world: &World) {
    for (settings, members) in [
        (json!({}), json!({})),
        (json!({"released_state": "available"}), json!({})),
        (json!({"released_state": "released"}), json!({})),
        (
            json!({"released_state": "deleted"}),
            json!({"pvt_reserve_history": [ACCOUNT, crate::support::app::PARENT]}),
        ),
    ] {
        let (app, carrier) = stocked(world, settings, members).await;
        assert_eq!(delete(&app, &format!("/{NUMBER}"), &json!({})).await, 200);
        assert!(world.document(NUMBER).await.is_some());
        assert_eq!((open(&app).await, carrier.asked_back()), (json!([]), 0));
    }
    // What was only seen, and what is on its way in or out, is not ours to give back.
    for state in ["discovery", "port_in", "port_out"] {
        let (app, carrier) = stocked(world, json!({}), json!({"pvt_state": state})).await;
        assert_eq!(delete(&app, &format!("/{NUMBER}?hard=true"), &json!({})).await, 200);
        assert_eq!(world.document(NUMBER).await, None);
        assert_eq!((open(&app).await, carrier.asked_back()), (json!([]), 0), "{state}");
    }
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    assert_eq!(delete(&app, &format!("/{OTHER}?hard=true"), &json!({})).await, 200);
    assert_eq!((open(&app).await, carrier.asked_back()), (json!([]), 0));
}

async fn plans_and_refusals_give_nothing_back(world: &World) {
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    let data = json!({"scope": {"numbers": [NUMBER]}});
    let plan = run(&app, "delete_numbers", &data).await;
    assert_eq!(plan["options"]["dry_run"], true);
    let path = numbers(&format!("/{NUMBER}?hard=true"));
    let ask = app.ask(Method::DELETE, &path).token(&app.account(ACCOUNT));
    ask.send().await.check_status(403);
    let ask = app.ask(Method::DELETE, &path).token(&app.admin()).header("If-Match", "\"1-x\"");
    ask.send().await.check_status(412);
    assert_eq!((open(&app).await, carrier.asked_back()), (json!([]), 0));
    // The plan is applied: it is given back then.
    act(&app, &plan, "apply").await;
    settled(&app).await;
    assert_eq!(carrier.returned(), [NUMBER]);
}

async fn what_could_not_be_given_back_is_tried_again(world: &World) {
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    carrier.turn(Mood::Failing);
    assert_eq!(delete(&app, &format!("/{NUMBER}?hard=true"), &json!({})).await, 200);
    let wanted = json!([{
        "number": NUMBER, "carrier": "knm_telnyx", "since": NOW, "due": NOW + 60, "tries": 1,
        "reason": "it refused: closed",
    }]);
    assert_eq!(tried(&app).await, wanted);
    // Not before its pause is over, and each time after a longer one.
    for (wait, tries, due) in [(59, 1, 60), (1, 2, 180), (60, 2, 180), (60, 3, 420)] {
        later(&app, wait);
        let job = settle(&app).await;
        let open = open(&app).await;
        assert_eq!((&open[0]["tries"], &open[0]["due"]), (&json!(tries), &json!(NOW + due)));
        assert_eq!(job["findings"]["to_be_given_back"]["ids"], json!([NUMBER]));
    }
    // Another process does it, once it can be done.
    carrier.turn(Mood::Willing);
    later(&app, 6 * HOUR);
    let other = dealing(world.store.clone(), &carrier).await;
    other.clock().advance(jiff::SignedDuration::from_secs(7 * HOUR));
    let job = settle(&other).await;
    assert_eq!((&job["state"], &job["counts"]["changed"]), (&json!("succeeded"), &json!(1)));
    assert_eq!(job["findings"]["given_back"]["ids"], json!([NUMBER]));
    assert_eq!((open(&app).await, carrier.returned()), (json!([]), vec![NUMBER.to_owned()]));
    assert_eq!(settle(&other).await["counts"]["read"], 0);
}

async fn a_carrier_that_takes_nothing_back_is_no_obstacle(world: &World) {
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    carrier.turn(Mood::Unable);
    assert_eq!(delete(&app, &format!("/{NUMBER}?hard=true"), &json!({})).await, 200);
    settled(&app).await;
    assert_eq!((world.document(NUMBER).await, carrier.returned()), (None, Vec::new()));
    // One that panics, and one that never answers.
    for mood in [Mood::Broken, Mood::Slow] {
        let settings = json!({"number_disconnect_timeout_ms": 50});
        let (app, carrier) = stocked(world, settings, json!({})).await;
        carrier.turn(mood);
        assert_eq!(delete(&app, &format!("/{NUMBER}?hard=true"), &json!({})).await, 200);
        tried(&app).await;
        carrier.turn(Mood::Willing);
        later(&app, 10 * 60);
        settle(&app).await;
        assert_eq!(carrier.returned(), [NUMBER], "{mood:?}");
    }
}

async fn what_is_ours_again_is_not_given_back(world: &World) {
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    carrier.turn(Mood::Failing);
    assert_eq!(delete(&app, &format!("/{NUMBER}?hard=true"), &json!({})).await, 200);
    tried(&app).await;
    let ask = app.ask(Method::PUT, &numbers(&format!("/{NUMBER}"))).token(&app.admin());
    let data = json!({"create_with_state": "in_service", "carrier_name": "telnyx"});
    ask.data(&data).send().await.check_status(201);
    carrier.turn(Mood::Willing);
    later(&app, HOUR);
    let job = settle(&app).await;
    assert_eq!(job["findings"]["not_given_back"]["ids"], json!([NUMBER]));
    assert_eq!((open(&app).await, carrier.returned()), (json!([]), Vec::<String>::new()));
    // It is when it leaves again.
    assert_eq!(delete(&app, &format!("/{NUMBER}?hard=true"), &json!({})).await, 200);
    settled(&app).await;
    assert_eq!(carrier.returned(), [NUMBER]);
    // What another program has stored is ours as well.
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    carrier.turn(Mood::Failing);
    assert_eq!(delete(&app, &format!("/{NUMBER}?hard=true"), &json!({})).await, 200);
    tried(&app).await;
    world.keep(NUMBER, json!({"pvt_state": "available", "pvt_module_name": "knm_telnyx"})).await;
    carrier.turn(Mood::Willing);
    later(&app, HOUR);
    settle(&app).await;
    assert_eq!((open(&app).await, carrier.returned()), (json!([]), Vec::<String>::new()));
}

async fn what_is_being_given_back_is_not_stored_meanwhile(world: &World) {
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    carrier.turn(Mood::Slow);
    assert_eq!(delete(&app, &format!("/{NUMBER}?hard=true"), &json!({})).await, 200);
    for _ in 0..500 {
        if carrier.asked_back() > 0 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    let data = json!({"create_with_state": "in_service", "carrier_name": "telnyx"});
    let create = async || {
        let ask = app.ask(Method::PUT, &numbers(&format!("/{NUMBER}"))).token(&app.admin());
        ask.data(&data).send().await.status.as_u16()
    };
    assert_eq!(create().await, 409);
    assert_eq!(world.document(NUMBER).await, None);
    // Once it cannot be under way any more it may be.
    later(&app, 91);
    assert_eq!(create().await, 201);
    assert_eq!(settle(&app).await["findings"].get("given_back"), None);
}

async fn a_deletion_that_stops_anywhere_forgets_nothing(world: &World) {
    let mut ways = Vec::new();
    for after in 0..4 {
        let (app, carrier) = stocked(world, json!({}), json!({})).await;
        let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), after));
        // What stops is gone: it gives nothing back by itself.
        let broken = dealing(failing, &ScriptedCarrier::new(Mood::Failing, &[])).await;
        delete(&broken, &format!("/{NUMBER}?hard=true"), &json!({})).await;
        let is_gone = world.document(NUMBER).await.is_none();
        later(&app, 10 * 60);
        settle(&app).await;
        assert_eq!(carrier.returned().len(), usize::from(is_gone), "after {after} writes");
        if !is_gone {
            // The deletion will not be made any more: the number stays.
            later(&app, 2 * HOUR);
            settle(&app).await;
            assert_eq!(carrier.returned(), Vec::<String>::new());
            assert!(world.document(NUMBER).await.is_some());
        }
        assert_eq!(open(&app).await, json!([]));
        ways.push(is_gone);
        world.clear().await;
        assert_eq!(violations(&*world.store).await, []);
    }
    // The wish is the first write, the deletion the second.
    assert_eq!(ways, [false, false, true, true]);
}

async fn a_deletion_that_was_not_made_gives_nothing_back(world: &World) {
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), 1));
    let broken = dealing(failing, &carrier).await;
    assert_eq!(delete(&broken, &format!("/{NUMBER}?hard=true"), &json!({})).await, 503);
    assert_eq!(open(&app).await[0]["number"], NUMBER);
    settle(&app).await;
    assert_eq!((open(&app).await[0]["tries"].clone(), carrier.asked_back()), (json!(0), 0));
    // It is changed: what was decided about it before is void.
    let ask = app.ask(Method::PATCH, &numbers(&format!("/{NUMBER}"))).token(&app.admin());
    ask.data(&json!({"my": 1})).send().await.check_status(200);
    let job = settle(&app).await;
    assert_eq!(job["findings"]["not_given_back"]["ids"], json!([NUMBER]));
    assert_eq!((open(&app).await, carrier.asked_back()), (json!([]), 0));
}

async fn what_is_put_back_is_not_given_back(world: &World) {
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    carrier.turn(Mood::Failing);
    let data = json!({"scope": {"numbers": [NUMBER, OTHER]}});
    let job = run_confirmed(&app, "delete_numbers", &data).await;
    tried(&app).await;
    carrier.turn(Mood::Willing);
    let back = act(&app, &job, "revert").await;
    assert_eq!(back["state"], "succeeded", "{back}");
    assert_eq!(back["findings"].get("given_back_to_carrier"), None, "{back}");
    assert!(world.document(NUMBER).await.is_some());
    later(&app, HOUR);
    settle(&app).await;
    assert_eq!((open(&app).await, carrier.returned()), (json!([]), Vec::<String>::new()));
}

async fn what_is_put_back_too_late_is_named(world: &World) {
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    let data = json!({"scope": {"numbers": [NUMBER, OTHER]}});
    let job = run_confirmed(&app, "delete_numbers", &data).await;
    settled(&app).await;
    assert_eq!(carrier.returned(), [NUMBER]);
    let back = act(&app, &job, "revert").await;
    assert_eq!(back["findings"]["given_back_to_carrier"]["ids"], json!([NUMBER]), "{back}");
    assert!(world.document(NUMBER).await.is_some() && world.document(OTHER).await.is_some());
}

async fn the_clock_sees_to_what_is_open(world: &World) {
    let (app, carrier) = stocked(world, json!({}), json!({})).await;
    let limits = JobsConfig { settle_every_min: 5, ..JobsConfig::default() };
    let working =
        TestApp::dealing(world.store.clone(), limits, registry(&[("knm_telnyx", &carrier)])).await;
    let jobs = async || {
        working.jobs().take_turns().await.unwrap();
        let jobs = working.get("/v2/jobs").token(&working.admin()).send().await.data(200);
        jobs.as_array().unwrap().len()
    };
    // There is nothing to do, so nothing runs.
    later(&working, 600);
    assert_eq!(jobs().await, 0);
    carrier.turn(Mood::Failing);
    assert_eq!(delete(&app, &format!("/{NUMBER}?hard=true"), &json!({})).await, 200);
    tried(&app).await;
    carrier.turn(Mood::Willing);
    // Somebody has to have seen the clock before.
    assert_eq!(jobs().await, 0);
    later(&working, 300);
    assert_eq!(jobs().await, 1);
    settled(&working).await;
    assert_eq!(carrier.returned(), [NUMBER]);
    later(&working, 300);
    assert_eq!(jobs().await, 1);
    let db = DbName::new("number_manager");
    let id = format!("disconnect:{NUMBER}");
    assert_eq!(world.store.get(&db, &id).await.unwrap().live(), None);
}
