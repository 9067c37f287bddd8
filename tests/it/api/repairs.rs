//! What the tests of repairs and removals have in common: running them, and looking at what is left.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use axum::http::Method;
use number_manager::store::{Body, DbName, Expect, Write};
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use super::world::{UNLIMITED, Who, World, account_db, number_db};
use crate::support::{
    app::{ACCOUNT, PARENT, STRANGER, TestApp},
    blind::{BlindStore, Faults},
};

/// Runs an operation to its end.
pub(super) async fn run(world: &World, operation: &str, data: &Value) -> Value {
    run_on(&world.app, operation, data).await
}

/// The same on another process.
pub(super) async fn run_on(app: &TestApp, operation: &str, data: &Value) -> Value {
    let path = format!("/v2/maintenance/{operation}?wait=25");
    app.ask(Method::POST, &path).token(&app.admin()).data(data).send().await.data(200)
}

/// A process over the same store with faults, which begin when everything is set up.
pub(super) async fn with_faults(world: &World, faults: Faults) -> TestApp {
    let store = Arc::new(BlindStore::new(world.store.clone()));
    let app = TestApp::over(store.clone(), UNLIMITED).await;
    store.fail(faults);
    app
}

/// Takes a job back and waits until that is done.
pub(super) async fn revert(world: &World, job: &Value) -> Value {
    let path = format!("/v2/jobs/{}/revert", job["id"].as_str().unwrap());
    let mut job = world.ask(Who::Admin, Method::POST, &path, Some(&json!({}))).await.data(202);
    for _ in 0..1000 {
        if !["queued", "running"].contains(&job["state"].as_str().unwrap()) {
            return job;
        }
        sleep(Duration::from_millis(20)).await;
        let path = format!("/v2/jobs/{}", job["id"].as_str().unwrap());
        job = world.ask(Who::Admin, Method::GET, &path, None).await.data(200);
    }
    panic!("{job} does not end");
}

/// Checks state and counts: read, changed, unchanged, skipped, failed.
#[track_caller]
pub(super) fn check_counts(job: &Value, state: &str, counts: [u64; 5]) {
    let [read, changed, unchanged, skipped, failed] = counts;
    let wanted = json!({
        "read": read, "changed": changed, "unchanged": unchanged, "skipped": skipped,
        "failed": failed,
    });
    assert_eq!((&job["state"], &job["counts"]), (&json!(state), &wanted), "{job}");
}

/// The ids that failed, with the errors, in order.
pub(super) fn failures(job: &Value) -> Vec<(&str, &str)> {
    let failures = job["failures"].as_array().unwrap();
    let mut failures: Vec<(&str, &str)> = failures
        .iter()
        .map(|it| (it["id"].as_str().unwrap(), it["error"].as_str().unwrap()))
        .collect();
    failures.sort_unstable();
    failures
}

/// The ids of one kind of finding.
pub(super) fn found(job: &Value, kind: &str) -> Value {
    job["findings"][kind]["ids"].clone()
}

/// A body from its members.
pub(super) fn body(members: Value) -> Body {
    serde_json::from_value(members).unwrap()
}

/// Replaces members of a stored document; `null` removes one.
pub(super) async fn change(world: &World, db: DbName, id: &str, members: Value) {
    let found = world.store.get(&db, id).await.unwrap().live().unwrap();
    let mut changed = found.body;
    for (key, value) in body(members) {
        if value.is_null() {
            changed.shift_remove(&key);
        } else {
            changed.insert(key, value);
        }
    }
    let write = Write::put(db, id, Expect::At(found.rev), changed);
    world.store.commit(vec![write]).await.unwrap();
}

/// Deletes a stored document.
pub(super) async fn delete(world: &World, db: DbName, id: &str) {
    let found = world.store.get(&db, id).await.unwrap().live().unwrap();
    let tombstone = body(json!({"pvt_write_id": format!("of-{id}")}));
    let write = Write::delete(db, id, found.rev, tombstone);
    world.store.commit(vec![write]).await.unwrap();
}

/// The members of every number and copy of these, but those that every write changes.
pub(super) async fn members(world: &World, ids: &[&str]) -> Vec<(String, Body)> {
    let mut all = Vec::new();
    for id in ids {
        for db in [ACCOUNT, PARENT, STRANGER].map(account_db).into_iter().chain([number_db(id)]) {
            if let Some(mut found) = world.store.get(&db, id).await.unwrap().live() {
                for stamp in ["pvt_write_id", "pvt_modified", "pvt_db_name"] {
                    found.body.shift_remove(stamp);
                }
                all.push((format!("{db} {id}"), found.body));
            }
        }
    }
    all
}

/// A document by which an application routes numbers.
pub(super) async fn route(world: &World, account: &str, app: &str, numbers: &[&str]) {
    let members = if app == "callflow" {
        json!({"pvt_type": "callflow", "numbers": numbers})
    } else {
        let dids: Map<String, Value> =
            numbers.iter().map(|number| ((*number).to_owned(), json!({}))).collect();
        json!({"pvt_type": "sys_info", "servers": [{"DIDs": dids}]})
    };
    world.put(account_db(account), &format!("{app}-1"), body(members)).await;
}

/// Stores many numbers of one account with their copies.
pub(super) async fn keep_many(world: &World, numbers: &[String], more: Value) {
    let mut members = body(json!({
        "pvt_type": "number", "pvt_module_name": "knm_local", "pvt_state": "in_service",
        "pvt_assigned_to": ACCOUNT, "pvt_features": {"local": {}}, "pvt_created": 63_000_000_000_u64,
        "pvt_modified": 63_000_000_000_u64,
    }));
    members.extend(body(more));
    let dbs: BTreeSet<_> = numbers.iter().map(|it| number_db(it)).collect();
    for db in dbs {
        world.store.create_database(&db).await.unwrap();
    }
    for some in numbers.chunks(500) {
        let put = |db, id: &String| Write::put(db, id.clone(), Expect::Absent, members.clone());
        let set = |id: &String| vec![put(number_db(id), id), put(account_db(ACCOUNT), id)];
        for stored in world.store.commit_many(some.iter().map(set).collect()).await {
            stored.unwrap();
        }
    }
}

/// The numbers that a job recorded, each as often as it did, in order. Copies beside their numbers
/// are not counted.
pub(super) async fn journaled(world: &World, job: &Value) -> Vec<String> {
    let path = job["journal"].as_str().unwrap();
    let (mut ids, mut place) = (Vec::new(), String::new());
    loop {
        let answer = world.ask(Who::Admin, Method::GET, &format!("{path}{place}"), None).await;
        let data = answer.data(200);
        let heads = data.as_array().unwrap().iter().filter(|it| it["is_copy"] == false);
        ids.extend(heads.map(|it| it["id"].as_str().unwrap().to_owned()));
        match answer.json()["next_start_key"].as_str() {
            Some(next) => place = format!("?start_key={next}"),
            None => break,
        }
    }
    ids.sort_unstable();
    ids
}
