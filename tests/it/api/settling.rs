//! Purchases of which nobody knows how they ended.

use std::sync::Arc;

use axum::http::Method;
use number_manager::store::{Body, DbName, Expect, SharedStore, Write};
use serde_json::{Value, json};

use super::{
    operation::run,
    world::{NUMBER, UNLIMITED, World, numbers, over_both_stores},
};
use crate::support::{
    app::{ACCOUNT, STRANGER, TestApp},
    carriers::{Mood, ScriptedCarrier, registry},
    failing::FailingStore,
};

over_both_stores! {
    what_was_bought_in_silence_is_stored,
    what_was_not_bought_is_struck_out,
    what_nobody_can_say_is_asked_again,
    what_was_bought_and_not_stored_is_stored,
    what_somebody_else_has_by_now_stays_theirs,
    what_was_bought_for_an_account_that_is_gone_is_free,
    a_plan_asks_nobody,
}

async fn dealing(store: SharedStore, carrier: &Arc<ScriptedCarrier>) -> TestApp {
    TestApp::selling(store, UNLIMITED, registry(&[("knm_telnyx", carrier)])).await
}

/// A carrier that has the number, which was searched for.
async fn offering(world: &World, mood: Mood) -> (TestApp, Arc<ScriptedCarrier>) {
    let settings = json!({
        "carrier_modules": ["knm_telnyx"], "number_purchase_timeout_ms": 50,
    });
    world.configured(settings).await;
    let carrier = ScriptedCarrier::new(mood, &[NUMBER]);
    let app = dealing(world.store.clone(), &carrier).await;
    let path = numbers("?prefix=415&quantity=3");
    let found = app.get(&path).token(&app.account(ACCOUNT)).send().await.data(200);
    assert_eq!(found.as_array().unwrap().len(), 1);
    (app, carrier)
}

async fn take(app: &TestApp, how: &str) -> u16 {
    let path = numbers(&format!("/{NUMBER}/{how}"));
    let ask = app.ask(Method::PUT, &path).token(&app.account(ACCOUNT));
    ask.data(&json!({})).send().await.status.as_u16()
}

async fn settle(app: &TestApp) -> Value {
    run(app, "settle", &json!({"scope": {"all": true}})).await
}

async fn open(app: &TestApp) -> Value {
    let shown = app.get("/v2/consistency").token(&app.admin()).send().await.data(200);
    shown["carriers"]["purchases"].clone()
}

fn later(app: &TestApp, seconds: i64) {
    app.clock().advance(jiff::SignedDuration::from_secs(seconds));
}

fn found(job: &Value, kind: &str) -> Value {
    job["findings"][kind]["ids"].clone()
}

async fn what_was_bought_in_silence_is_stored(world: &World) {
    for (how, state) in [("activate", "in_service"), ("reserve", "reserved")] {
        world.clear().await;
        let (app, carrier) = offering(world, Mood::Swallowing).await;
        assert_eq!(take(&app, how).await, 500);
        assert_eq!((world.document(NUMBER).await, carrier.sold()), (None, 1));
        assert_eq!(open(&app).await[0]["account"], ACCOUNT);
        // Somebody may still be at it.
        let early = settle(&app).await;
        assert_eq!(found(&early, "in_doubt"), json!([NUMBER]));
        assert_eq!(world.document(NUMBER).await, None);
        later(&app, 120);
        let job = settle(&app).await;
        assert_eq!((&job["state"], found(&job, "bought")), (&json!("succeeded"), json!([NUMBER])));
        let document = world.document(NUMBER).await.unwrap().body;
        assert_eq!(
            (&document["pvt_state"], &document["pvt_assigned_to"], &document["pvt_carrier_data"]),
            (&json!(state), &json!(ACCOUNT), &json!({"ref": "r1"}))
        );
        assert_eq!(document["pvt_module_name"], "knm_telnyx");
        assert_eq!(document["pvt_authorizing_account"], ACCOUNT);
        assert_eq!((open(&app).await, carrier.sold()), (json!([]), 1));
        assert_eq!(settle(&app).await["counts"]["read"], 0);
    }
}

async fn what_was_not_bought_is_struck_out(world: &World) {
    let (app, carrier) = offering(world, Mood::Stalling).await;
    assert_eq!(take(&app, "activate").await, 500);
    later(&app, 120);
    let job = settle(&app).await;
    assert_eq!(found(&job, "not_bought"), json!([NUMBER]));
    assert_eq!((open(&app).await, world.document(NUMBER).await), (json!([]), None));
    carrier.turn(Mood::Willing);
    assert_eq!(take(&app, "activate").await, 201);
    assert_eq!(carrier.sold(), 1);
}

async fn what_nobody_can_say_is_asked_again(world: &World) {
    let (app, carrier) = offering(world, Mood::Swallowing).await;
    assert_eq!(take(&app, "activate").await, 500);
    carrier.turn(Mood::Unable);
    for tries in 1..3 {
        later(&app, 600);
        let job = settle(&app).await;
        assert_eq!((&job["state"], found(&job, "in_doubt")), (&json!("failed"), json!([NUMBER])));
        let open = open(&app).await;
        assert_eq!(open[0]["tries"], tries);
        let reason = "the carrier does not say whether it was sold";
        assert_eq!(open[0]["reason"], reason);
        // Not again before its pause is over.
        settle(&app).await;
        assert_eq!(self::open(&app).await[0]["tries"], tries);
    }
    carrier.turn(Mood::Failing);
    later(&app, 600);
    settle(&app).await;
    assert_eq!(open(&app).await[0]["reason"], "it refused: closed");
    carrier.turn(Mood::Willing);
    later(&app, 600);
    settle(&app).await;
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(ACCOUNT));
    assert_eq!((open(&app).await, carrier.sold()), (json!([]), 1));
}

async fn what_was_bought_and_not_stored_is_stored(world: &World) {
    let (app, carrier) = offering(world, Mood::Willing).await;
    // The purchase and its end are written, the number is not.
    let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), 2));
    assert_eq!(take(&dealing(failing, &carrier).await, "activate").await, 503);
    assert_eq!(open(&app).await[0]["is_bought"], true);
    later(&app, 120);
    // The carrier need not be asked.
    carrier.turn(Mood::Failing);
    assert_eq!(found(&settle(&app).await, "bought"), json!([NUMBER]));
    let data = json!({"ref": "r1", "order": "o1"});
    assert_eq!(world.document(NUMBER).await.unwrap().body["pvt_carrier_data"], data);
    assert_eq!((open(&app).await, carrier.sold()), (json!([]), 1));
}

async fn what_somebody_else_has_by_now_stays_theirs(world: &World) {
    let (app, carrier) = offering(world, Mood::Swallowing).await;
    assert_eq!(take(&app, "activate").await, 500);
    let theirs = json!({
        "pvt_state": "in_service", "pvt_assigned_to": STRANGER, "pvt_module_name": "knm_telnyx",
    });
    world.keep(NUMBER, theirs).await;
    let before = world.document(NUMBER).await;
    later(&app, 120);
    settle(&app).await;
    assert_eq!((world.document(NUMBER).await, open(&app).await), (before, json!([])));
    assert_eq!(carrier.sold(), 1);
}

async fn what_was_bought_for_an_account_that_is_gone_is_free(world: &World) {
    let (app, _carrier) = offering(world, Mood::Swallowing).await;
    assert_eq!(take(&app, "activate").await, 500);
    let db = DbName::new("number_manager");
    let id = format!("purchase:{NUMBER}");
    let found = world.store.get(&db, &id).await.unwrap().live().unwrap();
    let mut body: Body = found.body;
    body.insert("account".to_owned(), "9".repeat(32).into());
    body.insert("pvt_write_id".to_owned(), "w".into());
    world.store.commit(vec![Write::put(db, id, Expect::At(found.rev), body)]).await.unwrap();
    later(&app, 120);
    settle(&app).await;
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(
        (&document["pvt_state"], document.get("pvt_assigned_to")),
        (&json!("available"), None)
    );
    assert_eq!(open(&app).await, json!([]));
}

async fn a_plan_asks_nobody(world: &World) {
    let (app, carrier) = offering(world, Mood::Swallowing).await;
    assert_eq!(take(&app, "activate").await, 500);
    later(&app, 120);
    carrier.turn(Mood::Broken);
    let data = json!({"scope": {"all": true}, "dry_run": true});
    let plan = run(&app, "settle", &data).await;
    assert_eq!((&plan["state"], found(&plan, "in_doubt")), (&json!("succeeded"), json!([NUMBER])));
    assert_eq!(
        (world.document(NUMBER).await, open(&app).await[0]["tries"].clone()),
        (None, json!(0))
    );
}
