//! The follower as the program runs it: over a file, and with two replicas of which one is killed.

use number_manager::store::{Body, DbName, SharedStore, Write};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{
    invariants::violations,
    process::{A, Home, OFTEN, PATIENCE, Service, of, signal},
};

const NUMBER: &str = "+14155550100";

/// A place whose services follow, and take over soon.
fn followed(mut home: Home) -> Home {
    for (name, value) in [("enabled", "true"), ("lease_ms", "3000"), ("renewal_ms", "300")] {
        home.set(&format!("follower__{name}"), value);
    }
    home
}

async fn told(service: &Service) -> Value {
    service.get("consistency").await.expect(200).json["data"]["follower"].take()
}

/// Takes the copy away, behind everybody's back.
async fn remove_copy(store: &SharedStore) {
    let copies = DbName::new(format!("account/aa/aa/{}", &A[4..]));
    let found = store.get(&copies, NUMBER).await.unwrap().live().unwrap();
    let delete = Write::delete(copies, NUMBER, found.rev, Body::new());
    store.commit(vec![delete]).await.unwrap();
}

/// Waits until a service says that.
async fn until_told(service: &Service, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let told = told(service).await;
        if is_so(&told) {
            return told;
        }
        assert!(begun.elapsed() < PATIENCE, "{told}: {service:?}");
        sleep(OFTEN).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_edited_while_nothing_ran_is_put_right_at_the_start() {
    let home = followed(Home::sqlite());
    let service = home.start().await;
    service.put(&of(A, NUMBER), json!({})).await.expect(201);
    until_told(&service, |told| told["here"] == true).await;
    service.kill();
    {
        let store = home.store().await;
        remove_copy(&store).await;
    }
    let service = home.start_bare().await;
    let told = until_told(&service, |told| told["healed"] == 1).await;
    assert_eq!((&told["epoch"], &told["retries"]), (&json!(2), &json!(0)), "{told}");
    service.stop().await;
    assert_eq!(violations(&*home.store().await).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_that_was_paused_leaves_the_copies_to_the_other_when_it_wakes() {
    let home = followed(Home::couchdb());
    let first = home.start().await;
    first.put(&of(A, NUMBER), json!({})).await.expect(201);
    until_told(&first, |told| told["here"] == true).await;
    let second = home.start_bare().await;
    until_told(&second, |told| told["holder"].is_string()).await;
    signal("-STOP", first.id());
    let told = until_told(&second, |told| told["here"] == true).await;
    let store = home.store().await;
    remove_copy(&store).await;
    until_told(&second, |told| told["healed"] == 1).await;
    signal("-CONT", first.id());
    let woken = until_told(&first, |it| it["holder"] == told["holder"]).await;
    assert_eq!((&woken["here"], &woken["epoch"]), (&json!(false), &json!(2)), "{woken}");
    remove_copy(&store).await;
    until_told(&second, |told| told["healed"] == 2).await;
    assert_eq!(violations(&*store).await, []);
    first.stop().await;
    second.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_goes_on_when_the_one_that_follows_is_killed() {
    let home = followed(Home::couchdb());
    let first = home.start().await;
    first.put(&of(A, NUMBER), json!({})).await.expect(201);
    until_told(&first, |told| told["here"] == true).await;
    let second = home.start_bare().await;
    let told = until_told(&second, |told| told["holder"].is_string()).await;
    assert_eq!((&told["here"], &told["epoch"]), (&json!(false), &json!(1)), "{told}");
    first.kill();
    let told = until_told(&second, |told| told["here"] == true).await;
    assert_eq!(told["epoch"], 2, "{told}");
    let store = home.store().await;
    remove_copy(&store).await;
    until_told(&second, |told| told["healed"] == 1).await;
    assert_eq!(violations(&*store).await, []);
    let moved = second.ask(Method::PATCH, &of(A, NUMBER), json!({"note": "on"})).await;
    assert!(moved.is_good(), "{moved:?}");
    assert_eq!(second.status_of("readyz").await, 200);
    second.stop().await;
}
