//! Between the service and its store things go wrong all the time: what is acknowledged is there all
//! the same, everything else is refused in the service's own words, and the copies become right by
//! themselves.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use number_manager::store::{Body, DbName, SharedStore};
use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::kill::Random;
use crate::support::{
    couch::CouchServer,
    invariants::violations,
    process::{A, B, Home, OFTEN, PATIENCE, Service, of},
    proxy::{Fault, Proxy},
};

/// How many numbers there are.
const NUMBERS: u64 = 5;
/// How many requests are made in bad weather.
const REQUESTS: usize = 40;
/// Later than everything that waits for an answer.
const LATE: Duration = Duration::from_secs(5);
/// What CouchDB says of an index that is not ready in time.
const TIMED_OUT: &str =
    r#"{"error":"timeout","reason":"The request could not be processed in time."}"#;

/// What is wrong with requests to the store.
#[derive(Clone, Debug)]
struct Weather {
    fault: Fault,
    /// How the first lines begin of those that it is wrong with; empty for all.
    methods: &'static [&'static str],
    /// Every how many of them.
    every: usize,
}

fn weather(fault: Fault, every: usize) -> Weather {
    Weather { fault, methods: &[], every }
}

fn of_writes(fault: Fault, every: usize) -> Weather {
    Weather { fault, methods: &["PUT", "DELETE", "POST"], every }
}

fn answer(status: u16, body: &'static str) -> Fault {
    Fault::Answer(status, body)
}

/// A service behind a proxy that keeps the copies true, and the store beside it.
async fn place() -> (Home, Proxy, Service, SharedStore) {
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let mut home = Home::couchdb();
    home.through(proxy.host());
    for (name, value) in [
        ("follower__enabled", "true"),
        ("follower__deadline_ms", "900"),
        ("follower__pace_ms", "20"),
        ("follower__sweep_ms", "1000"),
        ("follower__retry_ms", "100"),
        ("follower__retry_max_ms", "500"),
        ("couchdb__call_timeout_ms", "300"),
        ("couchdb__bulk_timeout_ms", "600"),
    ] {
        home.set(name, value);
    }
    let service = home.start().await;
    let store = home.store().await;
    (home, proxy, service, store)
}

fn number(place: u64) -> String {
    format!("+1415555{place:04}")
}

/// The document of a number; none when there is no number.
async fn stored(store: &SharedStore, number: &str) -> Option<Body> {
    let db = DbName::new(format!("numbers/{}", &number[..5]));
    store.get(&db, number).await.unwrap().live().map(|found| found.body)
}

/// Waits until all copies are right, and have been for as long as anything can be late.
async fn healed(store: &SharedStore, late: Duration, case: &str) {
    let (begun, mut right_since) = (Instant::now(), None::<Instant>);
    loop {
        let wrong = violations(&**store).await;
        if wrong.is_empty() {
            let since = *right_since.get_or_insert_with(Instant::now);
            if since.elapsed() >= late {
                return;
            }
        } else {
            right_since = None;
        }
        assert!(begun.elapsed() < late + PATIENCE, "{case}: {wrong:?}");
        sleep(OFTEN * 4).await;
    }
}

#[rstest]
#[case::late_answers(weather(Fault::DelayAnswer(LATE), 9), Duration::ZERO)]
#[case::late_requests(of_writes(Fault::DelayRequest(LATE), 7), LATE)]
#[case::cut_answers(weather(Fault::CutAnswer, 4), Duration::ZERO)]
#[case::reset_after_the_request(weather(Fault::LoseAnswer, 4), Duration::ZERO)]
#[case::two_requests(of_writes(Fault::SendTwice, 2), Duration::ZERO)]
#[case::two_answers(weather(Fault::AnswerTwice, 1), Duration::ZERO)]
#[case::a_byte_a_second(weather(Fault::Trickle(Duration::from_secs(1)), 9), Duration::ZERO)]
#[case::errors(
    weather(answer(500, r#"{"error":"unknown_error","reason":"x"}"#), 4),
    Duration::ZERO
)]
#[case::too_many_databases(
    weather(answer(500, r#"{"error":"error","reason":"all_dbs_active"}"#), 4),
    Duration::ZERO
)]
#[case::overload(weather(answer(503, "<html>busy</html>"), 4), Duration::ZERO)]
#[case::errors_although_it_was_done(of_writes(Fault::AnswerInstead(503, ""), 3), Duration::ZERO)]
#[case::no_quorum(of_writes(Fault::AcceptOnly, 2), Duration::ZERO)]
#[case::mixed_up(weather(Fault::AnswerInstead(200, "nonsense"), 6), Duration::ZERO)]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_acknowledged_is_there(#[case] weather: Weather, #[case] late: Duration) {
    let (_home, proxy, service, store) = place().await;
    let (count, bad) = (AtomicUsize::new(0), weather.clone());
    proxy.rule(move |line| {
        let is_meant = bad.methods.is_empty() || bad.methods.iter().any(|it| line.starts_with(it));
        let is_next = is_meant && count.fetch_add(1, Ordering::SeqCst) % bad.every == bad.every - 1;
        is_next.then(|| bad.fault.clone())
    });
    let mut random = Random::of(7);
    let mut known = BTreeMap::<String, Known>::new();
    let mut acknowledged = 0;
    for request in 0..REQUESTS {
        let (number, wanted) = change(&service, &mut random, request, &weather).await;
        // What was not acknowledged may have been done, or may still be.
        let entry = known.entry(number).or_default();
        match wanted {
            // A creation that is still on its way is carried out when it finds no number: nobody can
            // tell it from one that was asked for later.
            Ok(None) if late > Duration::ZERO => *entry = Known::Doubtful,
            Ok(note) => {
                acknowledged += 1;
                *entry = Known::Certain(note);
            }
            Err(true) => *entry = Known::Doubtful,
            Err(false) => (),
        }
    }
    proxy.end_rule();
    let case = format!("{weather:?}");
    assert!(acknowledged > REQUESTS / 8, "{case}: only {acknowledged} were acknowledged");
    healed(&store, late, &case).await;
    for (number, known) in &known {
        let Known::Certain(note) = known else { continue };
        let found = stored(&store, number).await;
        let found = found.map(|it| it["note"].clone());
        assert_eq!(found, *note, "{case}: {number}");
    }
    service.put(&of(A, "+14155559999"), json!({"note": "after"})).await.expect(201);
    service.stop().await;
}

/// What the client knows of a number.
#[derive(Clone, Debug, Default, PartialEq)]
enum Known {
    /// Nothing yet, or that something may or may not have been done.
    #[default]
    Doubtful,
    /// The note that is on it; none when there is no number.
    Certain(Option<Value>),
}

/// Any change to any number, with a note of its own. Answers the note that is stored then; or whether
/// it may have been done although it was not acknowledged.
async fn change(
    service: &Service,
    random: &mut Random,
    request: usize,
    weather: &Weather,
) -> (String, Result<Option<Value>, bool>) {
    let number = number(random.below(NUMBERS));
    let account = [A, B][usize::from(random.below(2) == 1)];
    let (path, note) = (of(account, &number), json!(request));
    let data = json!({ "note": note });
    let (method, path, data, left) = match random.below(6) {
        0 | 1 => (Method::PUT, path, data, Some(note)),
        2 | 3 => (Method::PUT, path + "/activate", data, Some(note)),
        4 => (Method::PATCH, path, data, Some(note)),
        _ => (Method::DELETE, path + "?hard=true", Value::Null, None),
    };
    let answer = service.ask(method, &path, data).await;
    let outcome = match answer.status {
        200..300 => Ok(left),
        // What makes no sense to us does not become better by asking again.
        503 if answer.json["message"] == "datastore_fault" => Err(true),
        503 => {
            assert!(answer.retry_after.is_some(), "{weather:?}: {answer:?}");
            Err(true)
        }
        // It is as somebody else has left it, an earlier request of ours perhaps.
        404 | 409 => Err(false),
        // What it answers makes no sense to us.
        500 if matches!(weather.fault, Fault::AnswerInstead(200, _)) => Err(true),
        _ => panic!("{weather:?}: {answer:?}"),
    };
    (number, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_is_not_ready_or_not_there_is_waited_for_or_made_again() {
    let (home, proxy, service, store) = place().await;
    for place in 0..NUMBERS {
        service.put(&of(A, &number(place)), json!({})).await.expect(201);
    }
    let list = format!("phone_numbers?filter_owner={A}");
    let count = async || {
        let answer = service.get(&list).await;
        (answer.status, answer.json["data"]["numbers"].as_object().map_or(0, serde_json::Map::len))
    };
    let all = usize::try_from(NUMBERS).unwrap();
    let seen = count().await;
    assert_eq!(seen, (200, all));
    proxy.rule(|line| line.contains("/_view/").then_some(answer(500, TIMED_OUT)));
    assert_eq!(count().await.0, 503, "an index that is not ready is no empty one");
    proxy.end_rule();
    assert_eq!(count().await, seen);

    let db = home.database_url("numbers%2F%2B1415");
    let client = reqwest::Client::new();
    let design = format!("{db}/_design/number_manager");
    let found: Value =
        serde_json::from_str(&client.get(&design).send().await.unwrap().text().await.unwrap())
            .unwrap();
    let gone = format!("{design}?rev={}", found["_rev"].as_str().unwrap());
    assert!(client.delete(gone).send().await.unwrap().status().is_success());
    assert_eq!(count().await, seen, "the index is made again");
    healed(&store, Duration::ZERO, "an index").await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_deleted_meanwhile_is_made_again_and_filled_from_the_copies() {
    let (home, _proxy, service, store) = place().await;
    let client = reqwest::Client::new();
    let last = 30;
    for place in 0..=last {
        let path = of([A, B][usize::from(place % 2 == 1)], &number(place));
        service.put(&path, json!({"note": place})).await.expect(201);
        if place == last / 2 {
            let url = home.database_url("numbers%2F%2B1415");
            assert!(client.delete(url).send().await.unwrap().status().is_success());
        }
    }
    let data = json!({"scope": {"all": true}});
    let path = "maintenance/copy_to_number_databases?wait=20";
    let job = service.ask(Method::POST, path, data).await.expect(200).json;
    assert_eq!(job["data"]["state"], "succeeded", "{job}");
    healed(&store, Duration::ZERO, "a database that was deleted").await;
    for place in 0..=last {
        let found = stored(&store, &number(place)).await.expect("a number that was acknowledged");
        assert_eq!(found["note"], place);
    }
    service.stop().await;
}
