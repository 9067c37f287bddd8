//! Nobody knows whether a write happened, and meanwhile somebody else goes on.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use number_manager::store::{DbName, Document, SharedStore};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{
    couch::CouchServer,
    invariants::violations,
    process::{A, B, Home, OFTEN, PATIENCE, Service, of},
    proxy::{Fault, Proxy},
};

const NUMBER: &str = "+14155550100";
/// Between a lost answer and the question what became of the write: time for somebody else.
const PAUSE: Duration = Duration::from_millis(900);

/// Two replicas, one of them behind a proxy, and a number of A.
async fn replicas() -> (Home, Proxy, Service, Service) {
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let mut home = Home::couchdb();
    let direct = home.start().await;
    home.through(proxy.host());
    let through = home.start_bare().await;
    direct.put(&of(A, NUMBER), json!({"note": "made"})).await.expect(201);
    (home, proxy, direct, through)
}

async fn number(store: &SharedStore) -> Document {
    let numbers = DbName::new("numbers/+1415");
    store.get(&numbers, NUMBER).await.unwrap().live().unwrap()
}

/// Waits until the number belongs to this account.
async fn until_owned_by(store: &SharedStore, account: &str) {
    let begun = Instant::now();
    while number(store).await.body["pvt_assigned_to"] != account {
        assert!(begun.elapsed() < PATIENCE, "the number does not move");
        sleep(OFTEN).await;
    }
}

/// How often the number was written.
async fn writes(store: &SharedStore) -> u64 {
    number(store).await.rev.as_str().split_once('-').unwrap().0.parse().unwrap()
}

/// Loses the answer to the next write of the number, and holds up the reading back.
fn lose_the_answer(proxy: &Proxy) {
    let is_lost = AtomicBool::new(false);
    proxy.rule(move |line| {
        let is_number = line.contains("numbers%2F%2B1415/") && line.contains("14155550100");
        if is_number && line.starts_with("PUT") && !is_lost.swap(true, Ordering::SeqCst) {
            return Some(Fault::LoseAnswer);
        }
        let is_asked = is_number && line.starts_with("GET") && line.contains("open_revs");
        (is_asked && is_lost.load(Ordering::SeqCst)).then_some(Fault::DelayRequest(PAUSE))
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_happened_is_not_decided_again_over_a_later_one() {
    let (home, proxy, direct, through) = replicas().await;
    let store = home.store().await;
    for round in 1..=2 {
        lose_the_answer(&proxy);
        let note = json!({"note": format!("moved {round}")});
        let path = of(B, NUMBER) + "/activate";
        let moved = through.put(&path, note);
        let back = async {
            until_owned_by(&store, B).await;
            let path = of(A, NUMBER) + "/activate";
            direct.put(&path, json!({"note": "back"})).await.expect(201);
        };
        let (moved, ()) = tokio::join!(moved, back);
        proxy.end_rule();
        // It was made, and something on top of it since.
        assert!(moved.is_good(), "{moved:?}");
        let stored = number(&store).await;
        assert_eq!(
            (&stored.body["pvt_assigned_to"], &stored.body["note"]),
            (&json!(A), &json!("back"))
        );
        assert_eq!(writes(&store).await, 1 + 2 * round, "each was made once");
    }
    assert_eq!(violations(&*store).await, []);
    through.stop().await;
    direct.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_in_doubt_is_decided_again_when_it_is_repeated() {
    let (home, proxy, direct, through) = replicas().await;
    let store = home.store().await;
    // Neither the write is answered nor any question after it.
    let is_cut = AtomicBool::new(false);
    proxy.rule(move |line| {
        let is_write = line.starts_with("PUT") && line.contains("numbers%2F%2B1415/");
        let cut = is_write || is_cut.load(Ordering::SeqCst);
        is_cut.fetch_or(is_write, Ordering::SeqCst);
        cut.then_some(Fault::LoseAnswer)
    });
    let path = of(B, NUMBER) + "/activate";
    through.put(&path, json!({"note": "moved"})).await.expect(503);
    proxy.end_rule();
    until_owned_by(&store, B).await;
    let before = writes(&store).await;
    // The same once more: it is there already, so only its copies are written.
    let again = through.put(&path, json!({"note": "moved"})).await;
    assert!(again.is_good(), "{again:?}");
    assert_eq!(writes(&store).await, before, "it was done twice");
    assert_eq!(violations(&*store).await, []);
    // Somebody else had it meanwhile: then it is a request like any other.
    direct.ask(Method::PATCH, &of(B, NUMBER), json!({"note": "later"})).await.expect(200);
    let read = through.ask(Method::GET, &of(B, NUMBER), Value::Null).await.expect(200);
    assert_eq!(read.json["data"]["note"], "later");
    through.stop().await;
    direct.stop().await;
}
