//! Purging, deleting, and releasing what an account holds.

use std::sync::Arc;

use number_manager::{
    providers::Registry,
    service::NumberService,
    store::{Body, DbName, Expect, Write},
};
use serde_json::{Value, json};

use super::{
    operation::{act, asked, counts, members, raw, run, run_confirmed, say},
    world::{UNLIMITED, World, account_db, number_db, over_both_stores},
};
use crate::support::{
    app::{ACCOUNT, PARENT, STRANGER, TestApp},
    providers::{Recorder, SCRIPTED, Script, Scripted},
};

over_both_stores! {
    what_really_is_in_a_state_is_purged_with_its_copies,
    only_two_states_are_purged,
    a_purge_ends_though_a_document_cannot_be_removed,
    numbers_are_deleted_as_they_were_typed,
    providers_take_off_what_a_deleted_number_had,
    a_number_goes_though_its_provider_fails,
    a_plan_that_is_applied_asks_the_providers,
    an_account_loses_everything_that_it_holds,
    what_an_account_that_is_gone_holds_is_released,
    a_release_is_taken_back,
}

const A: &str = "+14155550101";
const B: &str = "+14155550102";
const C: &str = "+14155550103";
const D: &str = "+14155550104";
const E: &str = "+14165550105";
/// An account of which nothing is left.
const GONE: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

fn held(account: &str) -> Value {
    json!({"pvt_state": "in_service", "pvt_assigned_to": account, "pvt_used_by": "callflow"})
}

async fn keep_discoveries(world: &World) {
    world.keep(A, json!({"pvt_state": "discovery"})).await;
    world.keep(B, json!({"pvt_number_state": "discovery"})).await;
    let mut body = held(ACCOUNT);
    // Today's name counts, and not the old one.
    body["pvt_number_state"] = json!("discovery");
    world.keep(C, body).await;
    let owned = json!({
        "pvt_state": "discovery", "pvt_assigned_to": ACCOUNT,
        "pvt_previously_assigned_to": STRANGER,
    });
    world.keep(D, owned).await;
    world.keep(E, json!({"pvt_state": "discovery"})).await;
}

async fn what_really_is_in_a_state_is_purged_with_its_copies(world: &World) {
    keep_discoveries(world).await;
    let before = members(world).await;
    // A copy that an interrupted move left with the last owner.
    let stray = world.document(D).await.unwrap().body;
    world.put(account_db(STRANGER), D, stray).await;
    let untouched = raw(world).await;
    let data = json!({"state": "discovery", "scope": {"databases": ["+1415"]}, "page_size": 2});
    let plan = run(&world.app, "purge", &data).await;
    assert_eq!((&plan["options"]["dry_run"], counts(&plan)), (&json!(true), (3, 0)));
    assert_eq!(raw(world).await, untouched);

    let job = run_confirmed(&world.app, "purge", &data).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("succeeded"), (3, 0)));
    for number in [A, B, D] {
        assert_eq!(world.document(number).await, None, "{number}");
    }
    for account in [ACCOUNT, STRANGER] {
        assert_eq!(world.copy(account, D).await, None, "{account} has still a copy");
    }
    assert!(world.document(C).await.is_some() && world.document(E).await.is_some());
    assert_eq!(counts(&run_confirmed(&world.app, "purge", &data).await), (0, 0));

    act(&world.app, &job, "revert").await;
    let stray = world.store.get(&account_db(STRANGER), D).await.unwrap().live();
    if let Some(found) = stray {
        // It was there before, so it is there again.
        let delete = Write::delete(account_db(STRANGER), D, found.rev, Body::new());
        world.store.commit(vec![delete]).await.unwrap();
    }
    assert_eq!(members(world).await, before);
    let text = say(
        &world.app,
        "purge",
        &json!({"state": "discovery", "scope": {"prefix": "+14155550"}, "confirm": "purge"}),
    )
    .await;
    let line = "removing 3 numbers in state 'discovery' from numbers%2F%2B1415\n";
    assert_eq!(text, line);
}

async fn only_two_states_are_purged(world: &World) {
    keep_discoveries(world).await;
    let before = raw(world).await;
    for state in ["in_service", "available", "reserved", "aging", "released", "port_in", "x", ""] {
        let data = json!({"state": state, "scope": {"all": true}, "confirm": "purge"});
        let answer = asked(&world.app, "purge", &data).await;
        answer.check_status(400);
        assert!(answer.text.contains(state), "{}", answer.text);
    }
    let stock = json!({"state": "deleted", "scope": {"databases": ["numbers/managed"]}});
    let answer = asked(&world.app, "purge", &stock).await;
    assert!(answer.status == 400 || answer.json()["data"]["state"] == "failed", "{}", answer.text);
    assert_eq!(raw(world).await, before);
    let deleted = "+14155550177";
    world.keep(deleted, json!({"pvt_state": "deleted"})).await;
    let data = json!({"state": "deleted", "scope": {"all": true}});
    assert_eq!(counts(&run_confirmed(&world.app, "purge", &data).await), (1, 0));
    assert_eq!(world.document(deleted).await, None);
    world.clear().await;
}

async fn a_purge_ends_though_a_document_cannot_be_removed(world: &World) {
    world.keep(A, json!({"pvt_state": "discovery", "pvt_ported_in": "perhaps"})).await;
    world.keep(B, json!({"pvt_state": "discovery"})).await;
    let data = json!({"state": "discovery", "scope": {"all": true}, "page_size": 1});
    let job = run_confirmed(&world.app, "purge", &data).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("partial"), (1, 1)));
    assert_eq!(job["failures"][0]["id"], A);
    assert!(world.document(A).await.is_some());
}

async fn numbers_are_deleted_as_they_were_typed(world: &World) {
    world.keep(A, held(ACCOUNT)).await;
    world.keep(C, held(STRANGER)).await;
    let before = members(world).await;
    let data = json!({"scope": {"numbers": ["415 555-0101", B, "911"]}});
    let plan = run(&world.app, "delete_numbers", &data).await;
    assert_eq!((&plan["options"]["dry_run"], counts(&plan)), (&json!(true), (1, 2)));
    assert_eq!(members(world).await, before);
    let mut confirmed = data.clone();
    confirmed["confirm"] = json!("delete_numbers");
    let text = say(&world.app, "delete_numbers", &confirmed).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "Removed 415 555-0101");
    assert_eq!(lines[1], format!("ERROR: number {B} not found"));
    assert_eq!(lines[2], "ERROR: number 911 is not reconcilable");
    assert_eq!((world.document(A).await, world.copy(ACCOUNT, A).await), (None, None));
    assert!(world.document(C).await.is_some());
    let again = run_confirmed(&world.app, "delete_numbers", &data).await;
    assert_eq!(counts(&again), (0, 3));
    let jobs = world.app.get("/v2/jobs").token(&world.app.admin()).send().await.data(200);
    let is_it = |job: &&Value| job["counts"]["changed"] == 1 && job["options"]["dry_run"] == false;
    let job = jobs.as_array().unwrap().iter().find(is_it).unwrap().clone();
    act(&world.app, &job, "revert").await;
    assert_eq!(members(world).await, before);
}

/// A process with a provider of emergency addresses that does as it is told.
async fn scripted(world: &World, script: Script) -> (TestApp, Scripted, Recorder) {
    let settings = json!({"default": {"e911_provider": SCRIPTED}});
    let settings = serde_json::from_value(settings).unwrap();
    world.put(DbName::new("system_config"), "number_manager", settings).await;
    let (provider, recorder) = (Scripted::new(script), Recorder::default());
    let registry = Registry::with(provider.clone());
    let notifier = Arc::new(recorder.clone());
    let change = |service: NumberService| service.with_providers(registry).with_notifier(notifier);
    (TestApp::serving(world.store.clone(), UNLIMITED, change).await, provider, recorder)
}

fn with_address(account: &str, street: &str) -> Value {
    let address = json!({"street_address": street, "locality": "X", "region": "CA"});
    let mut members = held(account);
    members["e911"] = address.clone();
    members["pvt_features"] = json!({"e911": address});
    members
}

async fn providers_take_off_what_a_deleted_number_had(world: &World) {
    let (app, provider, _) = scripted(world, Script::Obey).await;
    world.keep(A, with_address(ACCOUNT, "1 A")).await;
    world.keep(C, held(ACCOUNT)).await;
    let data = json!({"scope": {"numbers": [A, C]}});
    run(&app, "delete_numbers", &data).await;
    assert_eq!(provider.calls(), [""; 0], "a plan asks nobody");
    let job = run_confirmed(&app, "delete_numbers", &data).await;
    assert_eq!(counts(&job), (2, 0));
    provider.called(&["settle none"]).await;
    // Taken back, it has an address again that nobody outside knows of; that is said.
    let taken_back = act(&app, &job, "revert").await;
    assert_eq!((counts(&taken_back), provider.calls()), ((2, 0), Vec::new()));
    let again = json!({"features_to_provide_again": {"count": 1, "ids": [A]}});
    assert_eq!(taken_back["findings"], again);
    run_confirmed(&app, "delete_numbers", &data).await;
    provider.called(&["settle none"]).await;
    world.keep(B, with_address(ACCOUNT, "1 B")).await;
    let data = json!({"scope": {"accounts": [ACCOUNT]}});
    assert_eq!(counts(&run(&app, "release_account", &data).await), (1, 0));
    provider.called(&["settle none"]).await;
    assert_eq!(counts(&run(&app, "release_account", &data).await), (0, 0));
    assert_eq!(provider.calls(), [""; 0]);
}

async fn a_number_goes_though_its_provider_fails(world: &World) {
    let (app, provider, _) = scripted(world, Script::Fail).await;
    world.keep(A, with_address(ACCOUNT, "1 A")).await;
    world.keep(C, held(ACCOUNT)).await;
    let data = json!({"scope": {"numbers": [A, C]}});
    let job = run_confirmed(&app, "delete_numbers", &data).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("succeeded"), (2, 0)));
    provider.called(&["settle none"]).await;
    assert_eq!((world.document(A).await, world.document(C).await), (None, None));
    provider.turn(Script::Obey);
    app.clock().advance(jiff::SignedDuration::from_secs(60));
    run(&app, "settle", &json!({"scope": {"all": true}})).await;
    assert_eq!(provider.calls(), ["settle none"]);
    run(&app, "settle", &json!({"scope": {"all": true}})).await;
    assert_eq!(provider.calls(), [""; 0]);
}

async fn a_plan_that_is_applied_asks_the_providers(world: &World) {
    let (app, provider, _) = scripted(world, Script::Obey).await;
    world.keep(A, with_address(ACCOUNT, "1 A")).await;
    let plan = run(&app, "delete_numbers", &json!({"scope": {"numbers": [A]}})).await;
    let applied = act(&app, &plan, "apply").await;
    assert_eq!((&applied["state"], counts(&applied)), (&json!("succeeded"), (1, 0)));
    provider.called(&["settle none"]).await;
    assert_eq!(world.document(A).await, None);
}

/// Stores the number document only.
async fn keep_without_copy(world: &World, number: &str, account: &str) {
    world.keep(number, json!({"pvt_state": "available"})).await;
    let mut found = world.document(number).await.unwrap();
    found.body.extend(serde_json::from_value::<Body>(held(account)).unwrap());
    let put = Write::put(number_db(number), number, Expect::At(found.rev), found.body);
    world.store.commit(vec![put]).await.unwrap();
}

async fn an_account_loses_everything_that_it_holds(world: &World) {
    world.keep(A, held(ACCOUNT)).await;
    keep_without_copy(world, B, ACCOUNT).await;
    let mut reserved = held(ACCOUNT);
    reserved["pvt_reserve_history"] = json!([ACCOUNT, PARENT]);
    world.keep(C, reserved).await;
    let mut local = held(ACCOUNT);
    local["pvt_module_name"] = json!("knm_local");
    local["pvt_features"] = json!({"local": {}});
    world.keep(D, local).await;
    world.keep(E, held(ACCOUNT)).await;
    world.keep("+14165550199", held(STRANGER)).await;
    let strangers = world.document("+14165550199").await;
    let data = json!({"scope": {"accounts": [ACCOUNT]}, "page_size": 2});
    let mut plan = data.clone();
    plan["dry_run"] = json!(true);
    let before = raw(world).await;
    assert_eq!(counts(&run(&world.app, "release_account", &plan).await), (5, 0));
    assert_eq!(raw(world).await, before);

    let job = run(&world.app, "release_account", &data).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("succeeded"), (5, 0)), "{job}");
    let state = async |number: &str| {
        let body = world.document(number).await.map(|found| Value::Object(found.body));
        body.map(|body| (body["pvt_state"].clone(), body["pvt_assigned_to"].clone()))
    };
    for number in [A, B, E] {
        assert_eq!(state(number).await, Some((json!("aging"), Value::Null)), "{number}");
        assert_eq!(world.copy(ACCOUNT, number).await, None, "{number}");
    }
    assert_eq!(state(C).await, Some((json!("reserved"), json!(PARENT))));
    assert!(world.copy(PARENT, C).await.is_some());
    assert_eq!(state(D).await, None);
    assert_eq!(world.document("+14165550199").await, strangers);
    assert_eq!(counts(&run(&world.app, "release_account", &data).await), (0, 0));
}

async fn what_an_account_that_is_gone_holds_is_released(world: &World) {
    keep_without_copy(world, A, GONE).await;
    let data = json!({"scope": {"accounts": [GONE]}});
    let text = say(&world.app, "release_account", &data).await;
    let wanted = format!(
        "released numbers of account {GONE} for 1:\n{A}\nreleasing numbers failed for 0:\n"
    );
    assert_eq!(text, wanted);
    assert_eq!(world.owner(A).await, None);
    let db = account_db(GONE);
    assert_eq!(world.store.databases(db.as_str()).await.unwrap(), []);
}

async fn a_release_is_taken_back(world: &World) {
    world.keep(A, held(ACCOUNT)).await;
    let mut reserved = held(ACCOUNT);
    reserved["pvt_reserve_history"] = json!([ACCOUNT, PARENT]);
    world.keep(C, reserved).await;
    // A number of stock, whose claim is given back and taken again with it.
    let mut managed = held(ACCOUNT);
    managed["pvt_module_name"] = json!("knm_managed");
    world.keep(E, managed).await;
    let claimed = json!({
        "pvt_type": "number", "pvt_module_name": "knm_managed", "pvt_state": "in_service",
        "pvt_account_id": PARENT, "pvt_assigned_to": ACCOUNT,
    });
    let stock = DbName::new("numbers/managed");
    world.put(stock.clone(), E, serde_json::from_value(claimed).unwrap()).await;
    let before = members(world).await;
    let data = json!({"scope": {"accounts": [ACCOUNT]}});
    let job = run(&world.app, "release_account", &data).await;
    // The stock's document counts as well.
    assert_eq!((&job["state"], counts(&job)), (&json!("succeeded"), (4, 0)), "{job}");
    let item = world.store.get(&stock, E).await.unwrap().live().unwrap();
    assert_eq!(item.body.get("pvt_state"), Some(&json!("available")));
    act(&world.app, &job, "revert").await;
    assert_eq!(members(world).await, before);
}
