//! What providers are still to be told: what a number has lost, and what became of a change of which
//! nobody knew how it ended.

use std::sync::Arc;

use axum::http::Method;
use number_manager::{
    providers::Registry,
    service::NumberService,
    store::{DbName, SharedStore},
};
use serde_json::{Value, json};

use super::{
    features::{about, held},
    operation::run,
    world::{HOLDER, NOW, NUMBER, UNLIMITED, Who, World, number_db, numbers, over_both_stores},
};
use crate::support::{
    app::TestApp,
    failing::FailingStore,
    providers::{SCRIPTED, Script, Scripted},
};

over_both_stores! {
    what_a_number_has_lost_is_told_until_it_is_heard,
    nothing_is_told_before_the_number_is_written,
    what_a_number_has_again_is_not_taken_away,
    what_cannot_be_taken_back_is_settled_later,
    what_was_perhaps_written_is_settled_later,
    what_nobody_knows_is_settled_later,
    a_plan_tells_nobody,
}

const MINUTE: i64 = 60;

fn address(street: &str) -> Value {
    json!({"street_address": street, "locality": "X", "region": "CA", "postal_code": "94105"})
}

fn e911(street: &str) -> Value {
    json!({ "e911": address(street) })
}

/// A number with an address.
fn addressed(street: &str) -> Value {
    held(&json!({"e911": address(street), "pvt_features": {"e911": address(street)}}))
}

async fn serving(store: SharedStore, provider: &Scripted) -> TestApp {
    let registry = Registry::with(provider.clone());
    let change = |service: NumberService| service.with_providers(registry);
    TestApp::serving(store, UNLIMITED, change).await
}

/// A process with a provider that does as it is told.
async fn scripted(world: &World, script: Script) -> (TestApp, Scripted) {
    let settings = json!({"default": {"e911_provider": SCRIPTED}});
    let settings = serde_json::from_value(settings).unwrap();
    world.put(DbName::new("system_config"), "number_manager", settings).await;
    let provider = Scripted::new(script);
    (serving(world.store.clone(), &provider).await, provider)
}

/// Sees to it that the settings are read, and kept, before anything is counted.
async fn warm(app: &TestApp) {
    let path = numbers(&format!("/{NUMBER}"));
    app.get(&path).token(&app.admin()).send().await.check_status(200);
}

/// What is left, as administrators see it.
async fn left(app: &TestApp) -> Value {
    let shown = app.get("/v2/consistency").token(&app.admin()).send().await.data(200);
    shown["providers"].clone()
}

/// Waits until what is left was tried so often; until nothing is left when no number is given.
async fn tried(app: &TestApp, tries: Option<u64>) -> Value {
    for _ in 0..500 {
        let left = left(app).await;
        if left[0]["tries"].as_u64() == tries {
            return left;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{} is left", left(app).await);
}

async fn settle(app: &TestApp) -> Value {
    run(app, "settle", &json!({"scope": {"all": true}})).await
}

fn later(app: &TestApp, seconds: i64) {
    app.clock().advance(jiff::SignedDuration::from_secs(seconds));
}

fn found(job: &Value, kind: &str) -> Value {
    job["findings"][kind]["ids"].clone()
}

async fn what_a_number_has_lost_is_told_until_it_is_heard(world: &World) {
    for (method, rest) in [(Method::POST, ""), (Method::DELETE, ""), (Method::DELETE, "?hard=true")]
    {
        world.clear().await;
        let (app, provider) = scripted(world, Script::Fail).await;
        world.keep(NUMBER, addressed("1 Main St")).await;
        about(&app, Who::Admin, method, rest, &json!({})).await.check_status(200);
        let reason = format!("{SCRIPTED}: closed (status 403)");
        let wanted = json!([{
            "number": NUMBER, "providers": [SCRIPTED], "since": NOW, "due": NOW + MINUTE,
            "tries": 1, "reason": reason,
        }]);
        assert_eq!(tried(&app, Some(1)).await, wanted, "{rest}");
        assert_eq!(provider.calls(), ["settle none"]);
        // Not before its pause is over.
        assert_eq!(found(&settle(&app).await, "providers_to_be_told"), json!([NUMBER]));
        assert_eq!(provider.calls(), Vec::<String>::new());
        later(&app, MINUTE);
        let job = settle(&app).await;
        assert_eq!(
            (&job["state"], left(&app).await[0]["tries"].as_u64()),
            (&json!("failed"), Some(2))
        );
        provider.turn(Script::Obey);
        later(&app, 2 * MINUTE);
        assert_eq!(found(&settle(&app).await, "providers_told"), json!([NUMBER]));
        assert_eq!(provider.calls(), ["settle none", "settle none"]);
        assert_eq!(left(&app).await, json!([]));
        assert_eq!(settle(&app).await["counts"]["read"], 0);
    }
}

async fn nothing_is_told_before_the_number_is_written(world: &World) {
    let (app, provider) = scripted(world, Script::Obey).await;
    world.keep(NUMBER, addressed("1 Main St")).await;
    warm(&app).await;
    // What is left is written, the number is not.
    let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), 1));
    let broken = serving(failing, &provider).await;
    about(&broken, HOLDER, Method::POST, "", &json!({})).await.check_status(503);
    assert_eq!(left(&app).await[0]["number"], NUMBER);
    assert_eq!(found(&settle(&app).await, "providers_to_be_told"), json!([NUMBER]));
    assert_eq!(provider.calls(), Vec::<String>::new(), "the write may still come");
    later(&app, 61 * MINUTE);
    settle(&app).await;
    assert_eq!(provider.calls(), [r#"settle "1 Main St""#], "it has what it had");
    assert_eq!(left(&app).await, json!([]));
}

async fn what_a_number_has_again_is_not_taken_away(world: &World) {
    let (app, provider) = scripted(world, Script::Fail).await;
    world.keep(NUMBER, addressed("1 Main St")).await;
    about(&app, HOLDER, Method::POST, "", &json!({})).await.check_status(200);
    tried(&app, Some(1)).await;
    provider.turn(Script::Obey);
    about(&app, HOLDER, Method::PATCH, "", &e911("2 Main St")).await.check_status(200);
    provider.called(&["settle none", r#"provide none -> "2 Main St""#]).await;
    // It was held for as long as that may have taken.
    later(&app, MINUTE);
    settle(&app).await;
    assert_eq!(provider.calls(), Vec::<String>::new());
    later(&app, MINUTE);
    settle(&app).await;
    assert_eq!(provider.calls(), [r#"settle "2 Main St""#]);
    assert_eq!(left(&app).await, json!([]));
    // While somebody is at it, nobody may put anything there.
    provider.turn(Script::Doubt);
    about(&app, HOLDER, Method::POST, "", &json!({})).await.check_status(200);
    tried(&app, Some(1)).await;
    about(&app, HOLDER, Method::PATCH, "", &e911("3 Main St")).await.check_status(409);
    assert_eq!(provider.calls(), ["settle none"]);
}

async fn what_cannot_be_taken_back_is_settled_later(world: &World) {
    world.keep(NUMBER, addressed("1 Main St")).await;
    let race = Script::Stick(world.store.clone(), number_db(NUMBER));
    let (app, provider) = scripted(world, race).await;
    about(&app, HOLDER, Method::PATCH, "", &e911("2 Main St")).await.check_status(200);
    let step = r#""1 Main St" -> "2 Main St""#;
    let wanted = [format!("provide {step}"), format!("undo {step}"), format!("provide {step}")];
    assert_eq!(provider.calls(), wanted);
    assert_eq!(left(&app).await[0]["number"], NUMBER);
    later(&app, 2 * MINUTE);
    settle(&app).await;
    assert_eq!(provider.calls(), [r#"settle doubt "2 Main St""#]);
    assert_eq!(left(&app).await, json!([]));
}

async fn what_was_perhaps_written_is_settled_later(world: &World) {
    let (app, provider) = scripted(world, Script::Obey).await;
    world.keep(NUMBER, held(&json!({}))).await;
    warm(&app).await;
    // The number's own write fails, and nobody knows whether it will come.
    let broken: SharedStore = Arc::new(FailingStore::once(world.store.clone(), 0));
    let broken = serving(broken, &provider).await;
    about(&broken, HOLDER, Method::PATCH, "", &e911("1 Main St")).await.check_status(503);
    let asked = r#"provide none -> "1 Main St""#;
    assert_eq!(provider.calls(), [asked], "an address too many harms nobody");
    later(&app, 2 * MINUTE);
    settle(&app).await;
    assert_eq!(provider.calls(), Vec::<String>::new(), "the write may still come");
    later(&app, 61 * MINUTE);
    settle(&app).await;
    assert_eq!(provider.calls(), ["settle doubt none"]);
    assert_eq!(left(&app).await, json!([]));
}

async fn what_nobody_knows_is_settled_later(world: &World) {
    let (app, provider) = scripted(world, Script::Doubt).await;
    world.keep(NUMBER, addressed("1 Main St")).await;
    about(&app, HOLDER, Method::PATCH, "", &e911("2 Main St")).await.check_status(500);
    assert_eq!(provider.calls(), [r#"provide "1 Main St" -> "2 Main St""#]);
    provider.turn(Script::Obey);
    settle(&app).await;
    assert_eq!(provider.calls(), [r#"settle doubt "1 Main St""#]);
    assert_eq!(left(&app).await, json!([]));
}

async fn a_plan_tells_nobody(world: &World) {
    let (app, provider) = scripted(world, Script::Fail).await;
    world.keep(NUMBER, addressed("1 Main St")).await;
    about(&app, HOLDER, Method::POST, "", &json!({})).await.check_status(200);
    tried(&app, Some(1)).await;
    provider.calls();
    later(&app, MINUTE);
    let before = left(&app).await;
    let plan = run(&app, "settle", &json!({"scope": {"all": true}, "dry_run": true})).await;
    assert_eq!(found(&plan, "providers_to_be_told"), json!([NUMBER]));
    assert_eq!((provider.calls(), left(&app).await), (Vec::new(), before));
}
