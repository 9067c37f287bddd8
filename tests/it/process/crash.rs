//! The process is killed at each step of each write: before its first request that writes to
//! CouchDB, before its second, and so on until the operation needs no more.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use number_manager::store::{DbName, DocumentStore, Lookup};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::{sync::mpsc, time::sleep};

use crate::support::{
    couch::CouchServer,
    invariants::{Violation, violations},
    process::{A, Answer, B, Home, Service, of},
    proxy::{Fault, Proxy},
};

/// The most steps that any operation here has.
const STEPS: usize = 12;

/// A request.
type Request = (Method, String, Value);

fn put(path: String) -> Request {
    (Method::PUT, path, Value::Null)
}

fn delete(path: String) -> Request {
    (Method::DELETE, path, Value::Null)
}

fn create(number: &str) -> Request {
    (Method::PUT, of(A, number), json!({"note": "made"}))
}

fn creations(numbers: &[String]) -> Vec<Request> {
    numbers.iter().map(|number| create(number)).collect()
}

fn take(account: &str, how: &str, number: &str) -> Request {
    put(of(account, number) + how)
}

fn creating(numbers: &[String]) -> (Vec<Request>, Request) {
    (Vec::new(), create(&numbers[0]))
}

fn updating(numbers: &[String]) -> (Vec<Request>, Request) {
    (creations(numbers), (Method::PATCH, of(A, &numbers[0]), json!({"note": "changed"})))
}

fn moving(numbers: &[String]) -> (Vec<Request>, Request) {
    (creations(numbers), take(B, "/activate", &numbers[0]))
}

fn reserving(numbers: &[String]) -> (Vec<Request>, Request) {
    (creations(numbers), take(B, "/reserve", &numbers[0]))
}

fn releasing(numbers: &[String]) -> (Vec<Request>, Request) {
    (creations(numbers), delete(of(A, &numbers[0])))
}

fn releasing_with_a_history(numbers: &[String]) -> (Vec<Request>, Request) {
    let number = &numbers[0];
    let mut before = creations(numbers);
    before.extend([take(B, "/reserve", number), take(A, "/activate", number)]);
    (before, delete(of(A, number)))
}

fn deleting(numbers: &[String]) -> (Vec<Request>, Request) {
    (creations(numbers), delete(of(A, &numbers[0]) + "?hard=true"))
}

fn creating_where_one_was_deleted(numbers: &[String]) -> (Vec<Request>, Request) {
    let mut before = creations(numbers);
    before.push(delete(of(A, &numbers[0]) + "?hard=true"));
    (before, (Method::PUT, of(B, &numbers[0]), json!({})))
}

/// Three numbers of a database that no other step uses.
fn numbers(step: usize) -> Vec<String> {
    (0..3).map(|number| format!("+1{}5550{number:03}", 410 + step)).collect()
}

#[rstest]
#[case::creating(creating)]
#[case::updating(updating)]
#[case::moving(moving)]
#[case::reserving(reserving)]
#[case::releasing(releasing)]
#[case::releasing_with_a_history(releasing_with_a_history)]
#[case::deleting(deleting)]
#[case::creating_where_one_was_deleted(creating_where_one_was_deleted)]
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_each_step(#[case] operation: fn(&[String]) -> (Vec<Request>, Request)) {
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let mut home = Home::couchdb();
    home.through(proxy.host());
    let store = home.prepared_store().await;
    let mut service = home.start().await;
    for step in 0..STEPS {
        let numbers = numbers(step);
        let (before, request) = operation(&numbers);
        for request in before {
            let answer = send(&service, &request).await.unwrap();
            assert!(answer.is_good(), "{request:?} {answer:?}");
        }
        let mut cut = cut_at_write(&proxy, step, Fault::Hang);
        let answer = tokio::select! {
            answer = send(&service, &request) => answer,
            _ = cut.recv() => None,
        };
        service.kill();
        proxy.end_rule();
        check_what_is_left(&*store, &numbers).await;
        service = home.start_bare().await;
        if let Some(answer) = answer {
            assert!(answer.is_good(), "{request:?} {answer:?}");
            if answer.status != 202 {
                assert_eq!(violations(&*store).await, [], "{answer:?}");
            }
            assert!(step > 1, "{request:?} needs more than one step");
            return service.stop().await;
        }
        let again = send(&service, &request).await.unwrap();
        let wrong = violations(&*store).await;
        assert_eq!(wrong, [], "after step {step} of {request:?} and again: {again:?}");
    }
    panic!("there are more than {STEPS} steps");
}

async fn send(service: &Service, (method, path, data): &Request) -> Option<Answer> {
    service.try_ask(method.clone(), path, data.clone(), service.token()).await
}

#[rstest]
#[case::creating(creating)]
#[case::moving(moving)]
#[case::releasing_with_a_history(releasing_with_a_history)]
#[case::deleting(deleting)]
#[tokio::test(flavor = "multi_thread")]
async fn cut_off_from_the_store_at_each_step(
    #[case] operation: fn(&[String]) -> (Vec<Request>, Request),
    #[values(Fault::LoseRequest, Fault::LoseAnswer)] fault: Fault,
) {
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let mut home = Home::couchdb();
    home.through(proxy.host());
    let store = home.prepared_store().await;
    let service = home.start().await;
    for step in 0..5 {
        let numbers = numbers(step);
        let (before, request) = operation(&numbers);
        for request in before {
            let answer = send(&service, &request).await.unwrap();
            assert!(answer.is_good(), "{request:?} {answer:?}");
        }
        let mut cut = cut_at_write(&proxy, step, fault.clone());
        let answer = send(&service, &request).await.unwrap();
        let was_cut = cut.try_recv().is_ok();
        proxy.end_rule();
        check_what_is_left(&*store, &numbers).await;
        let right = if was_cut { [202, 503].contains(&answer.status) } else { answer.is_good() };
        assert!(right, "step {step}: {answer:?}");
        if answer.status == 200 || answer.status == 201 {
            assert_eq!(violations(&*store).await, [], "{answer:?}");
        }
        let again = send(&service, &request).await.unwrap();
        let wrong = violations(&*store).await;
        assert_eq!(wrong, [], "after step {step} of {request:?} and again: {again:?}");
    }
}

/// Lets `writes` requests through that write, and does `fault` to every one after them; says when.
fn cut_at_write(proxy: &Proxy, writes: usize, fault: Fault) -> mpsc::UnboundedReceiver<()> {
    let (tell, cut) = mpsc::unbounded_channel();
    let left = AtomicUsize::new(writes);
    let is_cut = AtomicBool::new(false);
    proxy.rule(move |line| {
        let is_write = ["PUT", "DELETE"].iter().any(|method| line.starts_with(method))
            || line.contains("_bulk_docs");
        if is_cut.load(Ordering::SeqCst) {
            return Some(fault.clone());
        }
        if !is_write {
            return None;
        }
        let take = |left: usize| left.checked_sub(1);
        if left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok() {
            return None;
        }
        is_cut.store(true, Ordering::SeqCst);
        // Nobody listens any more when the operation has ended.
        let _ = tell.send(());
        Some(fault.clone())
    });
    cut
}

/// Checks that of each number at most one copy is out of place, and that its document says where.
pub(super) async fn check_what_is_left(store: &dyn DocumentStore, numbers: &[String]) {
    // What the killed process had sent before may still arrive.
    sleep(Duration::from_millis(20)).await;
    let found = violations(store).await;
    for violation in &found {
        let (id, place) = match violation {
            Violation::Missing { id, owner } | Violation::Unequal { id, owner } => {
                let database = format!("account/{}/{}/{}", &owner[..2], &owner[2..4], &owner[4..]);
                (id, database)
            }
            Violation::Stray { id, database } => (id, database.clone()),
            other => panic!("{other:?}"),
        };
        assert!(numbers.contains(id), "{violation:?} is of no number that was written");
        let named = accounts_named(store, id).await;
        assert!(named.contains(&place), "{violation:?}: the document names {named:?}");
    }
    for number in numbers {
        let strays = found
            .iter()
            .filter(|violation| matches!(violation, Violation::Stray { id, .. } if id == number));
        assert!(strays.count() <= 1, "{found:?}");
    }
}

/// The databases of the accounts that a number's document, or what is left of it, names.
async fn accounts_named(store: &dyn DocumentStore, id: &str) -> Vec<String> {
    let body = match store.get(&DbName::new(format!("numbers/{}", &id[..5])), id).await.unwrap() {
        Lookup::Live(document) => document.body,
        Lookup::Deleted(tombstone) => tombstone.body,
        Lookup::Missing => return Vec::new(),
    };
    ["pvt_assigned_to", "pvt_previously_assigned_to"]
        .iter()
        .filter_map(|key| body.get(*key)?.as_str())
        .map(|id| format!("account/{}/{}/{}", &id[..2], &id[2..4], &id[4..]))
        .collect()
}
