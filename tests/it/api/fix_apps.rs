//! What numbers say they are used by, against the documents of their owners' applications.

use axum::http::Method;
use serde_json::{Value, json};

use super::{
    repairs::{
        body, change, check_counts, failures, found, journaled, keep_many, members, revert, route,
        run, run_on, with_faults,
    },
    world::{MADE, NOW, Who, World, account_db, number_db, over_both_stores},
};
use crate::support::{
    app::{ACCOUNT, PARENT},
    blind::Faults,
};

over_both_stores! {
    what_uses_a_number_is_put_right,
    every_scope_goes_through_its_own,
    a_rehearsal_changes_nothing_and_an_end_can_be_taken_back,
    an_account_that_cannot_be_asked_keeps_what_it_has,
    a_number_of_an_account_without_a_database_stays,
    numbers_that_are_not_there_are_reported,
    what_does_not_fit_is_refused,
    a_copy_is_never_made_older,
    every_number_of_many_pages_is_changed_once,
}

const UNUSED: &str = "+14155550101";
const TRUNK: &str = "+14155550102";
const NOBODY: &str = "+14155550103";
const BOTH: &str = "+14165550104";
const RIGHT: &str = "+14165550105";
const FREE: &str = "+14165550106";
const HALF: &str = "+14165550107";
const OTHERS: &str = "+14175550108";
const ALL: [&str; 8] = [UNUSED, TRUNK, NOBODY, BOTH, RIGHT, FREE, HALF, OTHERS];

/// Numbers that say what is wrong, each in a way of its own.
async fn keep(world: &World) {
    route(world, ACCOUNT, "callflow", &["100", UNUSED, BOTH, RIGHT, HALF, OTHERS]).await;
    route(world, ACCOUNT, "trunkstore", &[TRUNK, BOTH]).await;
    for (number, owner, used_by) in [
        (UNUSED, ACCOUNT, None),
        (TRUNK, ACCOUNT, Some("callflow")),
        (NOBODY, ACCOUNT, Some("callflow")),
        (BOTH, ACCOUNT, Some("trunkstore")),
        (RIGHT, ACCOUNT, Some("callflow")),
        (HALF, ACCOUNT, Some("callflow")),
        // A document of another account says nothing.
        (OTHERS, PARENT, Some("callflow")),
    ] {
        let mut members = json!({
            "pvt_assigned_to": owner, "pvt_state": "in_service", "note": number,
            "pvt_unknown": [1, {"a": null}],
        });
        if let Some(used_by) = used_by {
            members["pvt_used_by"] = json!(used_by);
        }
        world.keep(number, members).await;
    }
    world.keep(FREE, json!({"pvt_state": "available", "pvt_used_by": "callflow"})).await;
    // As KAZOO leaves it, which puts one side right.
    change(world, account_db(ACCOUNT), HALF, json!({"pvt_used_by": "trunkstore"})).await;
}

async fn used_by(world: &World, number: &str) -> Option<String> {
    let members = world.document(number).await.unwrap().body;
    members.get("pvt_used_by").map(|used_by| used_by.as_str().unwrap().to_owned())
}

fn all() -> Value {
    json!({"scope": {"all": true}})
}

async fn what_uses_a_number_is_put_right(world: &World) {
    keep(world).await;
    let untouched = world.documents(&[BOTH, RIGHT, HALF].map(str::to_owned)).await;
    let job = run(world, "fix_apps", &all()).await;
    check_counts(&job, "succeeded", [8, 6, 1, 1, 0]);
    assert_eq!(found(&job, "conflict"), json!([BOTH]));
    for (number, wanted) in [
        (UNUSED, Some("callflow")),
        (TRUNK, Some("trunkstore")),
        (NOBODY, None),
        // Never `calltrunkflow`, which nobody understands.
        (BOTH, Some("trunkstore")),
        (RIGHT, Some("callflow")),
        (FREE, None),
        (HALF, Some("callflow")),
        (OTHERS, None),
    ] {
        assert_eq!(used_by(world, number).await.as_deref(), wanted, "{number}");
    }
    assert_eq!(world.documents(&[BOTH, RIGHT, HALF].map(str::to_owned)).await, untouched);
    let written = world.document(UNUSED).await.unwrap().body;
    assert_eq!((&written["pvt_modified"], &written["pvt_created"]), (&json!(NOW), &json!(MADE)));
    assert_eq!(
        (&written["note"], &written["pvt_unknown"]),
        (&json!(UNUSED), &json!([1, {"a": null}]))
    );
    let copy = world.copy(ACCOUNT, HALF).await.unwrap().body;
    assert_eq!(copy, world.document(HALF).await.unwrap().body);
    world.check_invariants().await;
    let before = world.everything().await;
    check_counts(&run(world, "fix_apps", &all()).await, "succeeded", [8, 0, 7, 1, 0]);
    assert_eq!(world.everything().await, before, "the second time there is nothing to do");
}

async fn every_scope_goes_through_its_own(world: &World) {
    keep(world).await;
    let numbers = |numbers: &[&str]| json!({"numbers": numbers});
    let mut kept = world.everything().await;
    for (scope, target, counts, changed) in [
        (json!({"databases": ["+1417"]}), "both", [1, 1, 0, 0, 0], vec![OTHERS]),
        (json!({"databases": ["+14165550105"]}), "numbers", [1, 0, 1, 0, 0], vec![]),
        (json!({"databases": ["+1499"]}), "numbers", [0, 0, 0, 0, 0], vec![]),
        (json!({"databases": ["numbers/managed"]}), "numbers", [0, 0, 0, 0, 0], vec![]),
        (numbers(&[BOTH, "416-555-0105"]), "numbers", [2, 0, 1, 1, 0], vec![]),
        (numbers(&[FREE]), "numbers", [1, 1, 0, 0, 0], vec![FREE]),
        (
            json!({"accounts": [ACCOUNT], "numbers": [UNUSED, BOTH, OTHERS]}),
            "accounts",
            [3, 1, 0, 2, 0],
            vec![UNUSED],
        ),
        (json!({"accounts": [PARENT]}), "accounts", [1, 0, 1, 0, 0], vec![]),
        (json!({"accounts": [ACCOUNT]}), "numbers", [6, 3, 2, 1, 0], vec![TRUNK, NOBODY, HALF]),
        (json!({"accounts": [ACCOUNT]}), "accounts", [6, 0, 5, 1, 0], vec![]),
        (json!({"all": true}), "accounts", [7, 0, 6, 1, 0], vec![]),
    ] {
        let data = json!({"scope": scope, "target": target, "page_size": 2});
        let job = run(world, "fix_apps", &data).await;
        check_counts(&job, "succeeded", counts);
        let now = world.everything().await;
        let differ = now.iter().filter(|line| !kept.contains(line));
        let differ: Vec<&String> = differ.collect();
        for id in &changed {
            assert!(differ.iter().any(|line| line.contains(id)), "{scope} {id}");
        }
        let is_wanted = |line: &&String| changed.iter().any(|id| line.contains(id));
        assert!(differ.iter().all(is_wanted), "{scope} {differ:?}");
        kept = now;
    }
    // The copies of the accounts alone are as good a way to all of it.
    change(world, account_db(ACCOUNT), TRUNK, json!({"pvt_used_by": "callflow"})).await;
    let data = json!({"scope": {"all": true}, "target": "accounts"});
    check_counts(&run(world, "fix_apps", &data).await, "succeeded", [7, 1, 5, 1, 0]);
}

async fn a_rehearsal_changes_nothing_and_an_end_can_be_taken_back(world: &World) {
    keep(world).await;
    let (before, all_members) = (world.everything().await, members(world, &ALL).await);
    for target in ["both", "accounts"] {
        let data = json!({"scope": {"all": true}, "target": target, "dry_run": true});
        let job = run(world, "fix_apps", &data).await;
        let changed = if target == "both" { 6 } else { 5 };
        assert_eq!(job["counts"]["changed"], changed);
        assert_eq!(world.everything().await, before, "{target}");
    }
    let job = run(world, "fix_apps", &all()).await;
    let taken_back = revert(world, &job).await;
    check_counts(&taken_back, "succeeded", [6, 6, 0, 0, 0]);
    assert_eq!(members(world, &ALL).await, all_members);
    world.clear().await;
}

async fn an_account_that_cannot_be_asked_keeps_what_it_has(world: &World) {
    keep(world).await;
    let ids = [UNUSED, TRUNK, NOBODY, BOTH, RIGHT, HALF].map(str::to_owned);
    let before = world.documents(&ids).await;
    let unreadable = vec![("applications", account_db(ACCOUNT))];
    let app = with_faults(world, Faults { unreadable, ..Faults::default() }).await;
    for data in [
        all(),
        json!({"scope": {"all": true}, "target": "accounts"}),
        json!({"scope": {"accounts": [ACCOUNT]}}),
        json!({"scope": {"numbers": ids}}),
        json!({"scope": {"accounts": [ACCOUNT], "numbers": ids}}),
    ] {
        let job = run_on(&app, "fix_apps", &data).await;
        assert_eq!(job["counts"]["failed"], 6, "{job}");
        let failed: Vec<&str> = failures(&job).into_iter().map(|(id, _)| id).collect();
        assert_eq!(failed, ids);
        assert_eq!(world.documents(&ids).await, before);
    }
    assert_eq!(used_by(world, OTHERS).await, None, "the others are put right");
    assert_eq!(used_by(world, FREE).await, None);
    let data = json!({"scope": {"accounts": [ACCOUNT]}});
    let job = run_on(&app, "fix_account", &data).await;
    assert_eq!(job["counts"]["failed"], 6, "{job}");
    assert_eq!(world.documents(&ids).await, before);
    world.clear().await;
}

async fn a_number_of_an_account_without_a_database_stays(world: &World) {
    let gone = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";
    let mut members = json!({
        "pvt_type": "number", "pvt_module_name": "knm_local", "pvt_state": "in_service",
        "pvt_assigned_to": gone, "pvt_used_by": "callflow",
    });
    members["pvt_created"] = json!(MADE);
    world.put(number_db(UNUSED), UNUSED, body(members)).await;
    let before = world.everything().await;
    let job = run(world, "fix_apps", &all()).await;
    assert_eq!(failures(&job), [(UNUSED, "not_found")]);
    let job = run(world, "fix_account", &json!({"scope": {"accounts": [gone]}})).await;
    assert_eq!((&job["state"], failures(&job)[0].1), (&json!("failed"), "not_found"));
    assert_eq!(world.everything().await, before);
    world.clear().await;
}

async fn numbers_that_are_not_there_are_reported(world: &World) {
    keep(world).await;
    let numbers = json!(["abc", "+14155550199", UNUSED, "+14995550100"]);
    for data in [
        json!({"scope": {"numbers": numbers}}),
        json!({"scope": {"accounts": [ACCOUNT], "numbers": numbers}, "target": "accounts"}),
    ] {
        let job = run(world, "fix_apps", &data).await;
        let failed = [
            ("+14155550199", "not_found"),
            ("+14995550100", "not_found"),
            ("abc", "not_reconcilable"),
        ];
        assert_eq!((&job["state"], failures(&job)), (&json!("partial"), failed.to_vec()));
        assert_eq!(used_by(world, UNUSED).await.as_deref(), Some("callflow"));
    }
    let data = json!({"scope": {"accounts": [ACCOUNT], "numbers": [OTHERS]}});
    let job = run(world, "fix_apps", &data).await;
    check_counts(&job, "succeeded", [1, 0, 0, 1, 0]);
    assert_eq!(found(&job, "not_owned"), json!([OTHERS]));
    world.clear().await;
}

async fn what_does_not_fit_is_refused(world: &World) {
    for data in [
        json!({}),
        json!({"scope": {"all": true}, "target": "nothing"}),
        json!({"scope": {"all": true}, "target": true}),
        json!({"scope": {"databases": ["+1415"]}, "target": "accounts"}),
        json!({"scope": {"accounts": [ACCOUNT], "databases": ["+1415"]}}),
        json!({"scope": {"numbers": []}}),
    ] {
        let path = "/v2/maintenance/fix_apps";
        let answer = world.ask(Who::Admin, Method::POST, path, Some(&data)).await;
        assert_eq!(answer.status.as_u16(), 400, "{data} {}", answer.text);
    }
}

/// A page that is behind shows a number as it was before its copy: that copy is not wrong.
async fn a_copy_is_never_made_older(world: &World) {
    keep(world).await;
    let old = world.document(RIGHT).await.unwrap();
    for db in [number_db(RIGHT), account_db(ACCOUNT)] {
        change(world, db, RIGHT, json!({"note": "newer"})).await;
    }
    let outdated = vec![(number_db(RIGHT), old)];
    let app = with_faults(world, Faults { outdated, ..Faults::default() }).await;
    let job = run_on(&app, "fix_apps", &all()).await;
    check_counts(&job, "succeeded", [8, 6, 1, 1, 0]);
    assert_eq!(world.copy(ACCOUNT, RIGHT).await.unwrap().body["note"], "newer");
}

/// The page over the numbers stays where it is while they change.
async fn every_number_of_many_pages_is_changed_once(world: &World) {
    const NUMBERS: u64 = 2500;
    let numbers: Vec<String> = (0..NUMBERS).map(|n| format!("+1418555{n:04}")).collect();
    keep_many(world, &numbers, json!({"pvt_used_by": "callflow"})).await;
    let data = json!({"scope": {"databases": ["+1418"]}, "page_size": 500});
    let job = run(world, "fix_apps", &data).await;
    check_counts(&job, "succeeded", [NUMBERS, NUMBERS, 0, 0, 0]);
    let written = journaled(world, &job).await;
    assert_eq!(written, numbers, "each number once");
    for number in &numbers {
        assert_eq!(used_by(world, number).await, None, "{number}");
    }
    check_counts(&run(world, "fix_apps", &data).await, "succeeded", [NUMBERS, 0, NUMBERS, 0, 0]);
}
