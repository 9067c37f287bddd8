//! Jobs of a program that is killed while they run.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use number_manager::store::{DbName, DocumentStore, Expect, SharedStore, Write};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{
    couch::CouchServer,
    invariants::violations,
    process::{A, B, Home, Service},
};

/// How many numbers are converted.
pub(super) const NUMBERS: usize = 600;
/// How many where the store takes as many as a real one.
const MANY: usize = 20_000;
/// How often the program is killed.
const KILLS: usize = 5;
/// How long a job may take.
const PATIENCE: Duration = Duration::from_mins(3);

pub(super) fn number(place: usize) -> String {
    format!("+14{}{:07}", 10 + place % 3, 5_550_000 + place)
}

fn account_db(account: &str) -> DbName {
    DbName::new(format!("account/{}/{}/{}", &account[..2], &account[2..4], &account[4..]))
}

fn number_db(number: &str) -> DbName {
    DbName::new(format!("numbers/{}", &number[..5]))
}

/// So many numbers of a carrier in three databases, every one of two accounts.
pub(super) async fn keep(store: &SharedStore, numbers: usize) {
    for place in 0..3 {
        store.create_database(&number_db(&number(place))).await.unwrap();
    }
    for account in [A, B] {
        store.create_database(&account_db(account)).await.unwrap();
    }
    let set = |place: usize| {
        let (id, owner) = (number(place), [A, B][place % 2]);
        let body = json!({
            "pvt_type": "number", "pvt_module_name": "knm_telnyx", "pvt_state": "in_service",
            "pvt_assigned_to": owner, "pvt_db_name": format!("numbers%2F%2B{}", &id[1..5]),
            "pvt_created": 63_884_160_000_i64, "pvt_modified": 63_884_160_000_i64, "note": place,
        });
        let Value::Object(body) = body else { unreachable!() };
        let put = |db| Write::put(db, id.clone(), Expect::Absent, body.clone());
        vec![put(number_db(&id)), put(account_db(owner))]
    };
    let places: Vec<usize> = (0..numbers).collect();
    for places in places.chunks(1000) {
        for stored in store.commit_many(places.iter().copied().map(set).collect()).await {
            stored.unwrap();
        }
    }
}

/// Short leases, so that a job is taken over soon.
pub(super) fn hurry(home: &mut Home) {
    for (name, value) in [("lease_ms", "600"), ("renewal_ms", "50"), ("poll_ms", "50")] {
        home.set(&format!("jobs__{name}"), value);
    }
}

async fn look(service: &Service, id: &str) -> Option<Value> {
    let path = format!("jobs/{id}");
    let answer = service.try_ask(Method::GET, &path, Value::Null, service.token()).await?;
    (answer.status == 200).then(|| answer.json["data"].clone())
}

/// Waits until the job has changed so many numbers or ended.
async fn until(service: &Service, id: &str, changed: u64) -> Value {
    let begun = Instant::now();
    loop {
        if let Some(job) = look(service, id).await {
            let is_far = job["counts"]["changed"].as_u64().unwrap() >= changed;
            let has_ended = !["queued", "running"].contains(&job["state"].as_str().unwrap());
            if is_far || has_ended {
                return job;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "the job does not go on");
        sleep(Duration::from_millis(5)).await;
    }
}

/// How often a number was written and whether it and its copy have the new carrier.
pub(super) async fn check_each_once(store: &dyn DocumentStore, numbers: usize) {
    let mut wanted = BTreeMap::<DbName, Vec<usize>>::new();
    for place in 0..numbers {
        for db in [number_db(&number(place)), account_db([A, B][place % 2])] {
            wanted.entry(db).or_default().push(place);
        }
    }
    for (db, places) in wanted {
        let ids: Vec<String> = places.iter().copied().map(number).collect();
        let found = store.get_many(&db, &ids).await.unwrap();
        for ((place, id), found) in places.into_iter().zip(ids).zip(found) {
            let found = found.live().unwrap();
            assert_eq!(found.body["pvt_module_name"], "knm_inventory", "{id} in {db}");
            assert!(
                found.rev.as_str().starts_with("2-"),
                "{id} in {db} is at {}",
                found.rev.as_str()
            );
            assert_eq!(found.body["note"], place);
        }
    }
    assert_eq!(violations(store).await, []);
}

#[rstest]
#[case::sqlite(Home::sqlite(), MANY)]
#[case::couchdb(Home::couchdb(), if CouchServer::shared().is_peer() { NUMBERS } else { MANY })]
#[tokio::test(flavor = "multi_thread")]
async fn a_job_is_killed_five_times_and_does_everything_once(
    #[case] mut home: Home,
    #[case] numbers: usize,
) {
    hurry(&mut home);
    keep(&home.prepared_store().await, numbers).await;
    let mut service = home.start().await;
    let data = json!({
        "source": "knm_telnyx", "target": "knm_inventory", "scope": {"all": true},
        "page_size": numbers / 60, "pause_ms": 15, "concurrency": 2,
    });
    let asked = service.ask(Method::POST, "maintenance/convert_carrier", data).await;
    let id = asked.expect(202).json["data"]["id"].as_str().unwrap().to_owned();
    for round in 1..=KILLS {
        let enough = numbers * round / (KILLS + 2);
        let job = until(&service, &id, enough as u64).await;
        assert_eq!(job["state"], "running", "it ended before it was killed {round} times");
        service.kill();
        service = home.start_bare().await;
    }
    let job = until(&service, &id, u64::MAX).await;
    assert_eq!((&job["state"], &job["counts"]["changed"]), (&json!("succeeded"), &json!(numbers)));
    service.stop().await;
    check_each_once(&*home.store().await, numbers).await;
}

/// Two programs over the same store: one dies, the other goes on.
#[tokio::test(flavor = "multi_thread")]
async fn another_program_goes_on_with_a_job() {
    let mut home = Home::couchdb();
    hurry(&mut home);
    let store = home.prepared_store().await;
    keep(&store, NUMBERS).await;
    let first = home.start().await;
    let second = home.start_bare().await;
    let data = json!({
        "source": "knm_telnyx", "target": "knm_inventory", "scope": {"all": true},
        "page_size": 10, "pause_ms": 15,
    });
    let asked = first.ask(Method::POST, "maintenance/convert_carrier", data).await;
    let id = asked.expect(202).json["data"]["id"].as_str().unwrap().to_owned();
    until(&second, &id, 50).await;
    first.kill();
    let job = until(&second, &id, u64::MAX).await;
    assert_eq!((&job["state"], &job["counts"]["changed"]), (&json!("succeeded"), &json!(NUMBERS)));
    check_each_once(&*store, NUMBERS).await;
    second.stop().await;
}

/// A stop lets the page end and gives the job back; the next program goes on at once.
#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn a_job_outlives_a_stop(#[case] home: Home) {
    keep(&home.prepared_store().await, NUMBERS).await;
    let service = home.start().await;
    let data = json!({
        "source": "knm_telnyx", "target": "knm_inventory", "scope": {"all": true},
        "page_size": 10, "pause_ms": 15,
    });
    let asked = service.ask(Method::POST, "maintenance/convert_carrier", data).await;
    let id = asked.expect(202).json["data"]["id"].as_str().unwrap().to_owned();
    until(&service, &id, 1).await;
    service.stop().await;
    let service = home.start_bare().await;
    let job = until(&service, &id, u64::MAX).await;
    assert_eq!((&job["state"], &job["counts"]["changed"]), (&json!("succeeded"), &json!(NUMBERS)));
    service.stop().await;
    check_each_once(&*home.store().await, NUMBERS).await;
}
