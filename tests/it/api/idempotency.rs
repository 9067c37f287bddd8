//! `Idempotency-Key`: what is sent again is answered again and done once, whichever replica it
//! reaches.

use std::collections::BTreeSet;

use axum::http::Method;
use futures::future::join_all;
use jiff::SignedDuration;
use number_manager::{
    repository::{Claimed, RequestRepository},
    store::{Body, DbName, Document, Expect, IdRange, Order, Query, Question, Write},
};
use serde_json::{Value, json};

use super::world::{HOLDER, NUMBER, UNLIMITED, World, numbers, over_both_stores};
use crate::support::app::{ACCOUNT, Answer, PARENT, TestApp};

over_both_stores! {
    a_repetition_is_answered_and_not_done,
    every_method_that_writes_knows_the_key,
    a_key_is_of_one_account_method_and_path,
    another_body_under_the_same_key_is_refused,
    refusals_are_kept_and_faults_are_not,
    many_at_once_are_done_once,
    a_request_in_flight_is_not_done_again,
    what_a_dead_process_claimed_is_taken_over,
    a_claim_on_the_other_side_of_midnight_counts,
    a_day_later_the_key_is_free_and_old_days_are_dropped,
    a_large_answer_is_not_kept_and_the_repetition_says_so,
    a_bad_key_is_refused_behind_the_token,
    no_key_leaves_no_trace,
}

const REPLAYED: &str = "idempotency-replayed";

/// A second process over the same store.
async fn replica(world: &World) -> TestApp {
    TestApp::over(world.store.clone(), UNLIMITED).await
}

async fn send(app: &TestApp, key: &str, method: Method, path: &str, data: &Value) -> Answer {
    let ask = app.ask(method, path).token(&app.admin());
    ask.header("Idempotency-Key", key).data(data).send().await
}

async fn create(app: &TestApp, key: &str) -> Answer {
    send(app, key, Method::PUT, &numbers(&format!("/{NUMBER}")), &json!({"a": 1})).await
}

fn day(text: &str) -> DbName {
    DbName::new(format!("number_manager_requests-{text}"))
}

async fn days(world: &World) -> Vec<String> {
    let found = world.store.databases("number_manager_requests-").await.unwrap();
    found.iter().map(ToString::to_string).collect()
}

/// The only request of a day.
async fn record(world: &World, db: &DbName) -> Document {
    let query = Query {
        question: Question::All,
        range: IdRange { from: String::new(), before: "\u{10ffff}".to_owned() },
        order: Order::Ascending,
        after: None,
        limit: 10,
    };
    let page = world.store.query(db, &query).await.unwrap();
    let [document] = <[Document; 1]>::try_from(page.documents).unwrap();
    document
}

/// Makes the only request of today one that is being worked on for another minute.
async fn put_back_in_flight(world: &World) {
    let db = day("20240501");
    let Document { id, rev, mut body, .. } = record(world, &db).await;
    body.shift_remove("answer");
    body.insert("until".to_owned(), (world_time(world) + 60_000).into());
    body.insert("pvt_write_id".to_owned(), "in-flight".into());
    world.store.commit(vec![Write::put(db, id, Expect::At(rev), body)]).await.unwrap();
}

fn world_time(world: &World) -> i64 {
    use number_manager::domain::Clock;
    world.app.clock().now().as_millisecond()
}

async fn a_repetition_is_answered_and_not_done(world: &World) {
    let first = create(&world.app, "k1").await;
    first.check_status(201);
    assert_eq!(first.header(REPLAYED), None);
    let before = world.everything().await;
    for app in [&world.app, &replica(world).await] {
        let again = create(app, "k1").await;
        again.check_status(201);
        assert_eq!(again.header(REPLAYED), Some("true"));
        assert_eq!(again.header("etag"), first.header("etag"));
        let (mut first, mut again) = (first.json(), again.json());
        for own in ["request_id", "timestamp", "auth_token"] {
            first[own].take();
            again[own].take();
        }
        assert_eq!(again, first);
    }
    assert_eq!(world.everything().await, before);
    let stored = format!("{:?}", record(world, &day("20240501")).await);
    assert!(!stored.contains(&world.app.admin()), "a token is stored");
}

async fn every_method_that_writes_knows_the_key(world: &World) {
    let path = numbers(&format!("/{NUMBER}"));
    for (index, (method, rest, data)) in [
        (Method::PUT, "", json!({})),
        (Method::POST, "", json!({"b": 1})),
        (Method::PATCH, "", json!({"c": 1})),
        (Method::PUT, "/reserve", json!({})),
        (Method::DELETE, "", json!({})),
    ]
    .into_iter()
    .enumerate()
    {
        let (key, path) = (format!("k{index}"), format!("{path}{rest}"));
        let first = send(&world.app, &key, method.clone(), &path, &data).await;
        assert!(first.status.is_success(), "{}", first.text);
        let before = world.everything().await;
        let again = send(&world.app, &key, method.clone(), &path, &data).await;
        assert_eq!(again.header(REPLAYED), Some("true"), "{method} {rest}: {}", again.text);
        assert_eq!(again.status, first.status);
        assert_eq!(world.everything().await, before, "{method} {rest}");
    }
}

async fn a_key_is_of_one_account_method_and_path(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let path = numbers(&format!("/{NUMBER}"));
    let data = json!({"a": 1});
    let replayed = |answer: &Answer| answer.header(REPLAYED).is_some();
    assert!(!replayed(&send(&world.app, "k", Method::PATCH, &path, &data).await));
    assert!(!replayed(&send(&world.app, "k", Method::POST, &path, &data).await));
    let other = numbers("/%2B14155550199");
    assert!(!replayed(&send(&world.app, "k", Method::PATCH, &other, &data).await));
    for account in [ACCOUNT, PARENT] {
        let ask = || world.app.ask(Method::PATCH, &path).token(&world.app.account(account));
        let send = async || ask().header("Idempotency-Key", "k").data(&data).send().await;
        assert!(!replayed(&send().await), "{account}");
        assert!(replayed(&send().await), "{account}");
    }
}

async fn another_body_under_the_same_key_is_refused(world: &World) {
    create(&world.app, "k").await.check_status(201);
    let before = world.everything().await;
    let path = numbers(&format!("/{NUMBER}"));
    for (path, data) in [(path.clone(), json!({"a": 2})), (format!("{path}?x=1"), json!({"a": 1}))]
    {
        let answer = send(&world.app, "k", Method::PUT, &path, &data).await;
        let said = json!({"message": "idempotency key reused"});
        answer.check_error(422, "idempotency_key_reused", &said);
    }
    assert_eq!(world.everything().await, before);
}

async fn refusals_are_kept_and_faults_are_not(world: &World) {
    create(&world.app, "k1").await.check_status(201);
    let refused = create(&world.app, "k2").await;
    assert_eq!((refused.status.as_u16(), refused.header(REPLAYED)), (409, None));
    // Now it could be done, and is not.
    let path = numbers(&format!("/{NUMBER}?hard=true"));
    send(&world.app, "k3", Method::DELETE, &path, &json!({})).await.check_status(200);
    let again = create(&world.app, "k2").await;
    assert_eq!((again.status.as_u16(), again.header(REPLAYED)), (409, Some("true")));
    assert_eq!(again.json()["data"], refused.json()["data"]);
    // A fault: the number's document cannot be read.
    world.keep("+14155550199", json!({"pvt_state": "odd"})).await;
    let path = numbers("/%2B14155550199");
    for _ in 0..2 {
        let answer = send(&world.app, "k4", Method::PATCH, &path, &json!({})).await;
        assert_eq!((answer.status.as_u16(), answer.header(REPLAYED)), (503, None));
    }
    let document = world.document("+14155550199").await.unwrap();
    let delete =
        Write::delete(DbName::new("numbers/+1415"), document.id, document.rev, Body::new());
    world.store.commit(vec![delete]).await.unwrap();
}

async fn many_at_once_are_done_once(world: &World) {
    let other = replica(world).await;
    let send = |index: usize| create([&world.app, &other][index % 2], "k");
    let answers = join_all((0..16).map(send)).await;
    let mut statuses = BTreeSet::new();
    let mut first = 0;
    for answer in &answers {
        let status = answer.status.as_u16();
        statuses.insert(status);
        match status {
            201 => first += usize::from(answer.header(REPLAYED).is_none()),
            409 => {
                assert_eq!(answer.json()["message"], "request_in_flight");
                assert!(answer.header("retry-after").is_some());
            }
            _ => panic!("{}", answer.text),
        }
    }
    assert_eq!(first, 1, "{statuses:?}");
    assert!(world.document(NUMBER).await.unwrap().rev.as_str().starts_with("1-"));
    assert_eq!(create(&other, "k").await.header(REPLAYED), Some("true"));
}

async fn a_request_in_flight_is_not_done_again(world: &World) {
    create(&world.app, "k").await.check_status(201);
    put_back_in_flight(world).await;
    let answer = create(&replica(world).await, "k").await;
    answer.check_error(409, "request_in_flight", &json!({"message": "request in flight"}));
    assert_eq!(answer.header("retry-after"), Some("60"));
}

async fn what_a_dead_process_claimed_is_taken_over(world: &World) {
    create(&world.app, "k").await.check_status(201);
    put_back_in_flight(world).await;
    world.app.clock().advance(SignedDuration::from_secs(61));
    // The number was stored before the process died.
    let answer = create(&world.app, "k").await;
    assert_eq!((answer.status.as_u16(), answer.header(REPLAYED)), (409, None));
    assert_eq!(answer.json()["message"], "number_exists");
    assert_eq!(create(&world.app, "k").await.header(REPLAYED), Some("true"));
}

async fn a_claim_on_the_other_side_of_midnight_counts(world: &World) {
    let midnight: jiff::Timestamp = "2024-05-02T00:00:00Z".parse().unwrap();
    let at = |time: jiff::Timestamp| {
        let clock = std::sync::Arc::new(number_manager::domain::FixedClock::at(time));
        RequestRepository::new(world.store.clone(), clock)
    };
    let second = SignedDuration::from_secs(1);
    let (evening, morning) = (at(midnight - second), at(midnight + second));
    let lease = std::time::Duration::from_secs(40);
    let claim = evening.claim("id", "f", lease).await.unwrap();
    let Claimed::Mine(claim) = claim else { panic!("{claim:?}") };
    let lost = morning.claim("id", "f", lease).await.unwrap();
    assert!(matches!(lost, Claimed::InFlight(1..)), "{lost:?}");
    evening.keep(&claim, json!("done")).await.unwrap();
    let done = morning.claim("id", "f", lease).await.unwrap();
    assert!(matches!(&done, Claimed::Done(answer) if answer == "done"), "{done:?}");
    // A replica whose clock is late sees what one with an early clock claimed.
    let early = morning.claim("other", "f", lease).await.unwrap();
    assert!(matches!(early, Claimed::Mine(_)), "{early:?}");
    let late = evening.claim("other", "f", lease).await.unwrap();
    assert!(matches!(late, Claimed::InFlight(1..)), "{late:?}");
    assert!(world.store.get(&day("20240501"), "other").await.unwrap().live().is_none());
}

async fn a_day_later_the_key_is_free_and_old_days_are_dropped(world: &World) {
    create(&world.app, "k").await.check_status(201);
    world.app.clock().advance(SignedDuration::from_hours(23));
    assert_eq!(create(&world.app, "k").await.header(REPLAYED), Some("true"));
    assert_eq!(days(world).await, ["number_manager_requests-20240501"]);
    world.app.clock().advance(SignedDuration::from_mins(61));
    let answer = create(&world.app, "k").await;
    assert_eq!((answer.status.as_u16(), answer.header(REPLAYED)), (409, None));
    assert_eq!(days(world).await.len(), 2);
    world.app.clock().advance(SignedDuration::from_hours(48));
    create(&world.app, "k").await;
    assert_eq!(days(world).await, ["number_manager_requests-20240504"]);
}

async fn a_large_answer_is_not_kept_and_the_repetition_says_so(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let path = numbers(&format!("/{NUMBER}"));
    let data = json!({"long": "x".repeat(20_000)});
    send(&world.app, "k", Method::PATCH, &path, &data).await.check_status(200);
    let before = world.everything().await;
    let said = json!({
        "message": "the request was done before, and its answer was too large to be kept",
        "status": 200,
    });
    let answer = send(&world.app, "k", Method::PATCH, &path, &data).await;
    answer.check_error(409, "answer_not_kept", &said);
    assert_eq!(world.everything().await, before);
}

async fn a_bad_key_is_refused_behind_the_token(world: &World) {
    let path = numbers(&format!("/{NUMBER}"));
    for key in ["", "a b", &"x".repeat(65), "\u{e4}"] {
        let answer = send(&world.app, key, Method::PUT, &path, &json!({})).await;
        assert_eq!(answer.status.as_u16(), 400, "{key}: {}", answer.text);
        assert!(answer.json()["data"]["idempotency-key"]["invalid"].is_object());
        let ask = world.app.ask(Method::PUT, &path).header("Idempotency-Key", key);
        assert_eq!(ask.send().await.status.as_u16(), 401);
    }
    assert_eq!(world.everything().await, Vec::<String>::new());
}

async fn no_key_leaves_no_trace(world: &World) {
    let path = numbers(&format!("/{NUMBER}"));
    world.ask(HOLDER, Method::GET, &path, None).await;
    world.app.ask(Method::PUT, &path).token(&world.app.admin()).send().await.check_status(201);
    assert_eq!(days(world).await, Vec::<String>::new());
}
