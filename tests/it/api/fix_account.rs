//! The series of repairs of one account.

use axum::http::Method;
use number_manager::store::Body;
use serde_json::{Value, json};

use super::{
    repairs::{
        body, change, check_counts, delete, failures, found, members, revert, route, run, run_on,
        with_faults,
    },
    world::{MADE, Who, World, account_db, number_db, over_both_stores},
};
use crate::support::{
    app::{ACCOUNT, PARENT},
    blind::Faults,
};

over_both_stores! {
    an_account_is_put_right_in_one_pass,
    numbers_of_an_account_are_put_right,
    a_rehearsal_changes_nothing_and_an_end_can_be_taken_back,
    what_could_not_be_read_stays,
}

const USED: &str = "+14155550101";
const MISSING: &str = "+14155550102";
const STALE: &str = "+14165550103";
const GONE: &str = "+14165550104";
const MOVED: &str = "+14165550105";
const WRONG: &str = "+14175550106";
const RIGHT: &str = "+14175550107";
const BOTH: &str = "+14185550108";
const TOMBSTONE: &str = "+14185550109";
const ALL: [&str; 9] = [USED, MISSING, STALE, GONE, MOVED, WRONG, RIGHT, BOTH, TOMBSTONE];

fn of(owner: &str) -> Value {
    json!({"pvt_assigned_to": owner, "pvt_state": "in_service"})
}

fn stray(owner: &str) -> Body {
    let mut members = of(owner);
    members["pvt_type"] = json!("number");
    members["pvt_module_name"] = json!("knm_local");
    members["pvt_created"] = json!(MADE);
    body(members)
}

/// Everything that can be wrong with the copies of an account.
async fn keep(world: &World) {
    route(world, ACCOUNT, "callflow", &[USED, BOTH]).await;
    route(world, ACCOUNT, "trunkstore", &[BOTH]).await;
    for number in [USED, MISSING, STALE, RIGHT, BOTH] {
        world.keep(number, of(ACCOUNT)).await;
    }
    delete(world, account_db(ACCOUNT), MISSING).await;
    change(world, account_db(ACCOUNT), STALE, json!({"note": "an old one"})).await;
    change(world, account_db(ACCOUNT), BOTH, json!({"note": "an old one"})).await;
    // These still name the account, so that no look-up by owner shows them.
    world.put(account_db(ACCOUNT), GONE, stray(ACCOUNT)).await;
    world.keep(MOVED, of(PARENT)).await;
    world.put(account_db(ACCOUNT), MOVED, stray(ACCOUNT)).await;
    world.keep(TOMBSTONE, of(ACCOUNT)).await;
    delete(world, number_db(TOMBSTONE), TOMBSTONE).await;
    // This one names another owner.
    world.keep(WRONG, of(PARENT)).await;
    world.put(account_db(ACCOUNT), WRONG, stray(PARENT)).await;
}

async fn an_account_is_put_right_in_one_pass(world: &World) {
    for page_size in [1, 3, 1000] {
        keep(world).await;
        let right = world.documents(&[RIGHT, STALE, BOTH, MOVED].map(str::to_owned)).await;
        let data = json!({"scope": {"accounts": [ACCOUNT]}, "page_size": page_size});
        let job = run(world, "fix_account", &data).await;
        check_counts(&job, "succeeded", [9, 8, 1, 0, 0]);
        assert_eq!(found(&job, "conflict"), json!([BOTH]));
        assert_eq!(world.document(USED).await.unwrap().body["pvt_used_by"], "callflow");
        let now = world.documents(&[RIGHT, STALE, BOTH, MOVED].map(str::to_owned)).await;
        assert_eq!(now, right, "copies follow numbers, not the other way round");
        for number in [GONE, MOVED, WRONG, TOMBSTONE] {
            assert_eq!(world.copy(ACCOUNT, number).await, None, "{number}");
        }
        world.check_invariants().await;
        let before = world.everything().await;
        check_counts(&run(world, "fix_account", &data).await, "succeeded", [5, 0, 5, 0, 0]);
        assert_eq!(world.everything().await, before);
        world.clear().await;
        for id in ["callflow-1", "trunkstore-1"] {
            delete(world, account_db(ACCOUNT), id).await;
        }
    }
}

async fn numbers_of_an_account_are_put_right(world: &World) {
    keep(world).await;
    let unknown = "+14155550199";
    let numbers = json!(["4155550101", MISSING, STALE, GONE, MOVED, WRONG, RIGHT, unknown, "x"]);
    let data = json!({"scope": {"accounts": [ACCOUNT], "numbers": numbers}});
    let job = run(world, "fix_account", &data).await;
    check_counts(&job, "partial", [9, 6, 1, 0, 2]);
    assert_eq!(failures(&job), [(unknown, "not_found"), ("x", "not_reconcilable")]);
    let again = run(world, "fix_account", &data).await;
    // Those that it does not own are no longer its business, and one of them there is not.
    check_counts(&again, "partial", [9, 0, 4, 2, 3]);
    assert_eq!(found(&again, "not_owned"), json!([MOVED, WRONG]));
    assert!(world.copy(ACCOUNT, TOMBSTONE).await.is_some(), "it was not named");
    for data in [json!({"scope": {"all": true}}), json!({"scope": {"numbers": [USED]}})] {
        let path = "/v2/maintenance/fix_account";
        let answer = world.ask(Who::Admin, Method::POST, path, Some(&data)).await;
        answer.check_status(400);
    }
    world.clear().await;
}

async fn a_rehearsal_changes_nothing_and_an_end_can_be_taken_back(world: &World) {
    keep(world).await;
    let (before, all) = (world.everything().await, members(world, &ALL).await);
    let data = json!({"scope": {"accounts": [ACCOUNT]}, "dry_run": true, "page_size": 2});
    let job = run(world, "fix_account", &data).await;
    check_counts(&job, "succeeded", [9, 8, 1, 0, 0]);
    assert_eq!(world.everything().await, before);
    let job = run(world, "fix_account", &json!({"scope": {"accounts": [ACCOUNT]}})).await;
    assert_ne!(members(world, &ALL).await, all);
    check_counts(&revert(world, &job).await, "succeeded", [8, 8, 0, 0, 0]);
    assert_eq!(members(world, &ALL).await, all);
    world.clear().await;
}

async fn what_could_not_be_read_stays(world: &World) {
    keep(world).await;
    // There is no database for this one, which may only be out of reach.
    let nowhere = "+14995550100";
    world.put(account_db(ACCOUNT), nowhere, stray(ACCOUNT)).await;
    change(world, number_db(MOVED), MOVED, json!({"pvt_state": null})).await;
    let unreadable = vec![("get_many", number_db("+1418")), ("get", number_db("+1417"))];
    let app = with_faults(world, Faults { unreadable, ..Faults::default() }).await;
    let job = run_on(&app, "fix_account", &json!({"scope": {"accounts": [ACCOUNT]}})).await;
    assert_eq!(job["state"], "partial");
    let failed: Vec<&str> = failures(&job).into_iter().map(|(id, _)| id).collect();
    assert_eq!(failed, [MOVED, WRONG, TOMBSTONE, nowhere]);
    for number in failed {
        assert!(world.copy(ACCOUNT, number).await.is_some(), "{number}");
    }
    assert_eq!(world.copy(ACCOUNT, GONE).await, None, "the others are put right");
    world.clear().await;
}
