//! Copying between numbers and accounts: `copy_to_accounts` and `copy_to_number_databases`.

use std::sync::Arc;

use axum::http::Method;
use number_manager::store::{Body, DbName, Expect, SharedStore, Write};
use serde_json::{Value, json};

use super::world::{MADE, UNLIMITED, Who, World, account_db, number_db, over_both_stores};
use crate::support::{
    app::{ACCOUNT, PARENT, STRANGER, TestApp},
    invariants::numbers_in,
    meddling::MeddlingStore,
};

over_both_stores! {
    each_owner_gets_an_equal_copy,
    only_what_is_asked_for_is_copied,
    an_account_gets_what_it_does_not_own_only_unchecked,
    stock_is_no_source,
    a_number_that_moves_meanwhile_leaves_no_copy,
    numbers_are_made_from_copies,
    numbers_are_overwritten_only_on_request,
    only_named_copies_become_numbers,
}

/// An account that there is not.
const NOBODY: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

/// The document of a number that an account holds.
pub(super) fn document(number: &str, owner: Option<&str>) -> Body {
    let mut body = json!({
        "pvt_type": "number", "pvt_db_name": format!("numbers%2F%2B{}", &number[1..5]),
        "pvt_module_name": "knm_local", "pvt_state": "available", "pvt_ported_in": false,
        "pvt_created": MADE, "pvt_modified": MADE, "pvt_unknown": {"kept": [1]}, "note": number,
    });
    if let Some(owner) = owner {
        body["pvt_assigned_to"] = json!(owner);
        body["pvt_state"] = json!("in_service");
    }
    serde_json::from_value(body).unwrap()
}

/// The same with a member more.
pub(super) fn other(number: &str, owner: &str) -> Body {
    let mut body = document(number, Some(owner));
    body.insert("other".to_owned(), true.into());
    body
}

/// A number and its owner's copy.
async fn keep(world: &World, number: &str, owner: &str) {
    for db in [number_db(number), account_db(owner)] {
        world.put(db, number, document(number, Some(owner))).await;
    }
}

/// Runs an operation to its end.
pub(super) async fn run(world: &World, operation: &str, data: &Value) -> Value {
    let path = format!("/v2/maintenance/{operation}?wait=20");
    world.ask(Who::Admin, Method::POST, &path, Some(data)).await.data(200)
}

/// Takes back what a job did.
pub(super) async fn revert(world: &World, job: &Value) -> Value {
    let path = format!("/v2/jobs/{}/revert?wait=20", job["id"].as_str().unwrap());
    world.ask(Who::Admin, Method::POST, &path, Some(&json!({}))).await.data(200)
}

/// Every document of numbers and copies, without revisions.
pub(super) async fn bodies(world: &World) -> Vec<(String, String, Body)> {
    let mut all = Vec::new();
    for prefix in ["numbers/", "account/"] {
        for db in world.store.databases(prefix).await.unwrap() {
            let documents = numbers_in(&*world.store, &db).await;
            all.extend(documents.into_iter().map(|it| (db.to_string(), it.id, it.body)));
        }
    }
    all
}

/// Changed, unchanged, skipped and failed.
pub(super) fn counts(job: &Value) -> [u64; 4] {
    ["changed", "unchanged", "skipped", "failed"].map(|key| job["counts"][key].as_u64().unwrap())
}

/// The failures, in order: number, error and message.
fn failures(job: &Value) -> Vec<(String, String, String)> {
    let text = |it: &Value, key: &str| it[key].as_str().unwrap().to_owned();
    let failures = job["failures"].as_array().unwrap().iter();
    let mut failures: Vec<_> =
        failures.map(|it| (text(it, "id"), text(it, "error"), text(it, "message"))).collect();
    failures.sort_unstable();
    failures
}

fn told(failures: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    let own = |it: &(&str, &str, &str)| (it.0.to_owned(), it.1.to_owned(), it.2.to_owned());
    failures.iter().map(own).collect()
}

async fn copy_of(world: &World, account: &str, number: &str) -> Option<Body> {
    world.copy(account, number).await.map(|copy| copy.body)
}

async fn each_owner_gets_an_equal_copy(world: &World) {
    keep(world, "+14155550100", ACCOUNT).await;
    world
        .put(number_db("+14155550101"), "+14155550101", document("+14155550101", Some(PARENT)))
        .await;
    world.put(number_db("+14165550102"), "+14165550102", other("+14165550102", ACCOUNT)).await;
    world.put(account_db(ACCOUNT), "+14165550102", document("+14165550102", Some(ACCOUNT))).await;
    world.put(number_db("+14165550103"), "+14165550103", document("+14165550103", None)).await;
    world
        .put(number_db("+14155550104"), "+14155550104", document("+14155550104", Some(NOBODY)))
        .await;
    let mut broken = document("+14155550105", Some(ACCOUNT));
    broken.shift_remove("pvt_state");
    world.put(number_db("+14155550105"), "+14155550105", broken).await;
    world
        .put(number_db("+14155550106"), "+14165550106", document("+14165550106", Some(ACCOUNT)))
        .await;
    let (all, before, databases) = (
        json!({"scope": {"all": true}}),
        bodies(world).await,
        world.store.databases("").await.unwrap(),
    );
    let everything = world.everything().await;
    let dry =
        run(world, "copy_to_accounts", &json!({"scope": {"all": true}, "dry_run": true})).await;
    assert_eq!(counts(&dry), [2, 1, 1, 3]);
    assert_eq!(world.everything().await, everything);
    let job = run(world, "copy_to_accounts", &all).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("partial"), [2, 1, 1, 3]));
    let wanted = [
        ("+14155550104", "not_found", &*format!("account {NOBODY} not found")),
        (
            "+14155550105",
            "datastore_fault",
            "document +14155550105 cannot be read: member pvt_state is missing",
        ),
        (
            "+14165550106",
            "datastore_fault",
            "document +14165550106 cannot be read: member _id belongs in another database",
        ),
    ];
    assert_eq!(failures(&job), told(&wanted));
    assert_eq!(
        copy_of(world, PARENT, "+14155550101").await,
        Some(document("+14155550101", Some(PARENT)))
    );
    assert_eq!(copy_of(world, ACCOUNT, "+14165550102").await, Some(other("+14165550102", ACCOUNT)));
    assert_eq!(world.store.databases("").await.unwrap(), databases, "no account was made");
    let again = world.everything().await;
    assert_eq!(counts(&run(world, "copy_to_accounts", &all).await), [0, 3, 1, 3]);
    assert_eq!(world.everything().await, again);
    assert_eq!(counts(&revert(world, &job).await)[0], 2);
    assert_eq!(bodies(world).await, before);
    world.clear().await;
    // It does not belong there, so nobody else removes it.
    assert_eq!(world.everything().await, [""; 0]);
}

async fn only_what_is_asked_for_is_copied(world: &World) {
    for (number, owner) in [
        ("+14155550100", ACCOUNT),
        ("+14155550101", PARENT),
        ("+14165550102", ACCOUNT),
        ("+14165550103", ACCOUNT),
    ] {
        world.put(number_db(number), number, document(number, Some(owner))).await;
    }
    let held = async || {
        let mut held = Vec::new();
        for account in [ACCOUNT, PARENT] {
            held.extend(numbers_in(&*world.store, &account_db(account)).await);
        }
        let mut held: Vec<String> = held.into_iter().map(|it| it.id).collect();
        held.sort_unstable();
        held
    };
    for (scope, wanted) in [
        (json!({"databases": ["+1416"]}), &["+14165550102", "+14165550103"][..]),
        (
            json!({"databases": ["+141655501", "+1415555010"]}),
            &["+14155550100", "+14155550101", "+14165550102", "+14165550103"],
        ),
        (json!({"accounts": [ACCOUNT]}), &["+14155550100", "+14165550102", "+14165550103"]),
        (json!({"accounts": [ACCOUNT], "databases": ["+1416"]}), &["+14165550102", "+14165550103"]),
        (
            json!({"accounts": [ACCOUNT, PARENT], "databases": ["+1415"]}),
            &["+14155550100", "+14155550101"],
        ),
        (json!({"numbers": ["4155550101", "+14165550103"]}), &["+14155550101", "+14165550103"]),
        (json!({"accounts": [ACCOUNT], "numbers": ["4155550100"]}), &["+14155550100"]),
    ] {
        for page_size in [1, 100] {
            let data = json!({"scope": scope, "page_size": page_size});
            let job = run(world, "copy_to_accounts", &data).await;
            assert_eq!(counts(&job), [wanted.len() as u64, 0, 0, 0], "{scope} {job}");
            assert_eq!(held().await, wanted, "{scope}");
            assert_eq!(counts(&revert(world, &job).await)[0], wanted.len() as u64);
        }
    }
    let data = json!({"scope": {"numbers": ["4155550199", "911", "4155550100"]}});
    let job = run(world, "copy_to_accounts", &data).await;
    let wanted = [
        ("+14155550199", "not_found", "number +14155550199 not found"),
        ("911", "not_reconcilable", "number 911 is not reconcilable"),
    ];
    assert_eq!((failures(&job), counts(&job)), (told(&wanted), [1, 0, 0, 2]));
    run(world, "copy_to_accounts", &json!({"scope": {"all": true}})).await;
}

async fn an_account_gets_what_it_does_not_own_only_unchecked(world: &World) {
    keep(world, "+14155550100", ACCOUNT).await;
    let before = world.everything().await;
    let mut data = json!({"scope": {"accounts": [STRANGER], "numbers": ["+14155550100"]}});
    let job = run(world, "copy_to_accounts", &data).await;
    let message = format!(
        "requestor is unauthorized to perform operation: account {STRANGER} does not own it"
    );
    assert_eq!(failures(&job), told(&[("+14155550100", "forbidden", &message)]));
    assert_eq!(world.everything().await, before);
    data["unchecked"] = json!(true);
    let job = run(world, "copy_to_accounts", &data).await;
    assert_eq!(counts(&job), [1, 0, 0, 0]);
    let copy = copy_of(world, STRANGER, "+14155550100").await;
    assert_eq!(copy, Some(document("+14155550100", Some(ACCOUNT))));
    revert(world, &job).await;
    for scope in [
        json!({"all": true}),
        json!({"numbers": ["+14155550100"]}),
        json!({"accounts": [STRANGER]}),
    ] {
        let data = json!({"scope": scope, "unchecked": true});
        let path = "/v2/maintenance/copy_to_accounts";
        world.ask(Who::Admin, Method::POST, path, Some(&data)).await.check_status(400);
    }
}

async fn stock_is_no_source(world: &World) {
    keep(world, "+14155550100", ACCOUNT).await;
    let sparse = json!({"pvt_assigned_to": ACCOUNT, "pvt_state": "in_service"});
    let sparse: Body = serde_json::from_value(sparse).unwrap();
    world.put(DbName::new("numbers/managed"), "+14155550100", sparse).await;
    let before = world.everything().await;
    for scope in [json!({"all": true}), json!({"accounts": [ACCOUNT]})] {
        let job = run(world, "copy_to_accounts", &json!({"scope": scope})).await;
        assert_eq!(counts(&job), [0, 1, 0, 0], "{scope}");
    }
    assert_eq!(world.everything().await, before);
    for (operation, scope) in [
        ("copy_to_accounts", json!({"databases": ["numbers/managed"]})),
        ("copy_to_accounts", json!({"accounts": [ACCOUNT], "databases": ["numbers/inum"]})),
        ("audit", json!({"databases": ["numbers/managed"]})),
    ] {
        let path = format!("/v2/maintenance/{operation}");
        let data = json!({"scope": scope});
        world.ask(Who::Admin, Method::POST, &path, Some(&data)).await.check_status(400);
    }
}

/// Gives a number to another account.
async fn give(store: SharedStore, number: &'static str, account: &'static str) {
    let found = store.get(&number_db(number), number).await.unwrap().live().unwrap();
    let mut body = document(number, Some(account));
    body.insert("pvt_previously_assigned_to".to_owned(), json!(ACCOUNT));
    let number_write = Write::put(number_db(number), number, Expect::At(found.rev), body.clone());
    let copy = Write::put(account_db(account), number, Expect::Absent, body);
    store.commit(vec![number_write, copy]).await.unwrap();
}

/// Runs an operation; a number is given away right before its copy is written.
pub(super) async fn run_meddled(world: &World, operation: &str, data: &Value) -> Value {
    const NUMBER: &str = "+14155550100";
    world.put(number_db(NUMBER), NUMBER, document(NUMBER, Some(ACCOUNT))).await;
    let inner = world.store.clone();
    let store = MeddlingStore::new(world.store.clone(), move |sets| {
        let hit = sets.iter().flatten().any(|it| it.id == NUMBER && it.db == account_db(ACCOUNT));
        hit.then(|| Box::pin(give(inner.clone(), NUMBER, STRANGER)) as _)
    });
    let app = TestApp::over(Arc::new(store), UNLIMITED).await;
    let path = format!("/v2/maintenance/{operation}?wait=20");
    let job = app.ask(Method::POST, &path).token(&app.admin()).data(data).send().await.data(200);
    assert_eq!(counts(&job)[0], 1, "{job}");
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(STRANGER));
    assert_eq!(world.copy(ACCOUNT, NUMBER).await, None, "a stray copy stays");
    job
}

async fn a_number_that_moves_meanwhile_leaves_no_copy(world: &World) {
    run_meddled(world, "copy_to_accounts", &json!({"scope": {"all": true}})).await;
}

/// Removes a document.
async fn remove(world: &World, db: DbName, id: &str) {
    let found = world.store.get(&db, id).await.unwrap().live().unwrap();
    world.store.commit(vec![Write::delete(db, id, found.rev, Body::new())]).await.unwrap();
}

/// A number that is lost, one that is equal, one that is otherwise, one that was deleted, one of
/// another owner, a copy of another owner's number, and what is no number.
async fn lose_numbers(world: &World) {
    let held = document("+14175550100", Some(ACCOUNT));
    world.put(account_db(ACCOUNT), "+14175550100", held).await;
    keep(world, "+14155550101", ACCOUNT).await;
    world
        .put(number_db("+14155550102"), "+14155550102", document("+14155550102", Some(ACCOUNT)))
        .await;
    world.put(account_db(ACCOUNT), "+14155550102", other("+14155550102", ACCOUNT)).await;
    keep(world, "+14155550103", ACCOUNT).await;
    remove(world, number_db("+14155550103"), "+14155550103").await;
    keep(world, "+14155550104", STRANGER).await;
    world.put(account_db(ACCOUNT), "+14155550104", document("+14155550104", Some(ACCOUNT))).await;
    world.put(account_db(ACCOUNT), "+14155550105", document("+14155550105", Some(STRANGER))).await;
    world.put(account_db(ACCOUNT), "+none", document("+14155550106", Some(ACCOUNT))).await;
}

async fn numbers_are_made_from_copies(world: &World) {
    lose_numbers(world).await;
    let (before, raw) = (bodies(world).await, world.everything().await);
    let data = json!({"scope": {"all": true}});
    let dry = json!({"scope": {"all": true}, "dry_run": true});
    assert_eq!(counts(&run(world, "copy_to_number_databases", &dry).await), [1, 2, 0, 5]);
    assert_eq!(world.everything().await, raw);
    let job = run(world, "copy_to_number_databases", &data).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("partial"), [1, 2, 0, 5]));
    let no_number = "document +none cannot be read: member _id is not a number in E.164 form";
    let other_owner =
        "requestor is unauthorized to perform operation: the copy names another owner";
    let wanted = [
        ("+14155550102", "datastore_conflict", "the number is otherwise"),
        ("+14155550103", "datastore_conflict", "the number was deleted"),
        ("+14155550104", "datastore_conflict", "the number is otherwise"),
        ("+14155550105", "forbidden", other_owner),
        ("+none", "datastore_fault", no_number),
    ];
    assert_eq!(failures(&job), told(&wanted));
    let made = world.document("+14175550100").await.unwrap().body;
    assert_eq!(copy_of(world, ACCOUNT, "+14175550100").await.as_ref(), Some(&made));
    for (key, value) in document("+14175550100", Some(ACCOUNT)) {
        assert!(key == "pvt_modified" || made[&key] == value, "{key} of {made:?}");
    }
    let after = world.everything().await;
    assert_eq!(counts(&run(world, "copy_to_number_databases", &data).await), [0, 3, 0, 5]);
    assert_eq!(world.everything().await, after);
    revert(world, &job).await;
    assert_eq!(world.document("+14175550100").await, None);
    let ids = |all: &[(String, String, Body)]| -> Vec<(String, String)> {
        all.iter().map(|(db, id, _)| (db.clone(), id.clone())).collect()
    };
    let mut left = ids(&before);
    // The copy was written with the number that is gone again.
    left.retain(|(db, id)| id != "+14175550100" || db.starts_with("numbers/"));
    let mut now = ids(&bodies(world).await);
    now.retain(|(db, id)| id != "+14175550100" || db.starts_with("numbers/"));
    assert_eq!(now, left);
    world.clear().await;
}

async fn numbers_are_overwritten_only_on_request(world: &World) {
    lose_numbers(world).await;
    let data = json!({"scope": {"accounts": [ACCOUNT]}, "overwrite": true});
    let theirs = world.document("+14155550104").await;
    let job = run(world, "copy_to_number_databases", &data).await;
    assert_eq!(counts(&job), [3, 1, 0, 3]);
    let failures = failures(&job);
    let kept = told(&[("+14155550104", "datastore_conflict", "the number has another owner")]);
    assert_eq!(failures[..1], kept);
    for number in ["+14155550102", "+14155550103", "+14175550100"] {
        let made = world.document(number).await.unwrap().body;
        assert_eq!(copy_of(world, ACCOUNT, number).await.as_ref(), Some(&made), "{number}");
        assert_eq!(made["pvt_unknown"], json!({"kept": [1]}));
        assert_eq!(made["pvt_assigned_to"], json!(ACCOUNT));
    }
    assert_eq!(world.document("+14155550102").await.unwrap().body["other"], json!(true));
    assert_eq!(world.document("+14155550104").await, theirs);
    let after = world.everything().await;
    assert_eq!(counts(&run(world, "copy_to_number_databases", &data).await), [0, 4, 0, 3]);
    assert_eq!(world.everything().await, after);
    world.clear().await;
}

async fn only_named_copies_become_numbers(world: &World) {
    for number in ["+14175550100", "+14175550101"] {
        world.put(account_db(ACCOUNT), number, document(number, Some(ACCOUNT))).await;
    }
    let numbers = ["4175550101", "+14175550102", "911"];
    let data = json!({"scope": {"accounts": [ACCOUNT], "numbers": numbers}});
    let job = run(world, "copy_to_number_databases", &data).await;
    let wanted = [
        ("+14175550102", "not_found", "number +14175550102 not found"),
        ("911", "not_reconcilable", "number 911 is not reconcilable"),
    ];
    assert_eq!((counts(&job), failures(&job)), ([1, 0, 0, 2], told(&wanted)));
    assert_eq!(world.document("+14175550100").await, None);
    assert_eq!(world.owner("+14175550101").await.as_deref(), Some(ACCOUNT));
    let data = json!({"scope": {"accounts": [NOBODY]}});
    assert_eq!(run(world, "copy_to_number_databases", &data).await["state"], "failed");
    run(world, "copy_to_number_databases", &json!({"scope": {"all": true}})).await;
}
