//! Telling others of changes by calls: signed, in order, at least once, whatever the receiver does.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method},
    response::{IntoResponse, Redirect, Response},
    routing::any,
};
use number_manager::{
    domain::{Clock, SystemClock},
    repository::{Event, EventRepository, NumberRepository, SettingsRepository},
    webhooks::{Courier, WebhooksConfig, signature},
};
use serde_json::{Value, json};
use tokio::{
    net::TcpListener,
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::world::{HOLDER, Who, World, over_both_stores};
use crate::support::app::webhooks_config;

over_both_stores! {
    changes_are_told_in_order_and_signed,
    who_fails_is_told_again_and_holds_nobody_up,
    a_redirection_is_not_followed,
    who_is_given_up_is_tried_again_when_it_is_changed,
    everything_is_told_once_more_on_request,
    only_one_process_calls,
    receivers_are_kept_by_administrators,
}

const SECRET: &str = "a secret of the receiver";
const PATIENCE: Duration = Duration::from_secs(30);

/// How a receiver answers.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    Failing,
    Silent,
    Elsewhere(String),
}

/// Somebody who is called.
#[derive(Clone, Debug)]
struct Called {
    heard: Arc<Mutex<Vec<(HeaderMap, Bytes)>>>,
    mood: Arc<Mutex<Mood>>,
    address: String,
}

impl Called {
    async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}/hook", listener.local_addr().unwrap());
        let called = Self { heard: Arc::default(), mood: Arc::new(Mutex::new(mood)), address };
        let router = Router::new().fallback(any(hear)).with_state(called.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        called
    }

    fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn calls(&self) -> Vec<(HeaderMap, Bytes)> {
        self.heard.lock().unwrap().clone()
    }

    /// The numbers that it took, in order.
    fn numbers(&self) -> Vec<String> {
        let mut numbers = Vec::new();
        for (_, body) in self.calls() {
            let body: Value = serde_json::from_slice(&body).unwrap();
            let changes = body["changes"].as_array().unwrap();
            numbers.extend(changes.iter().map(|it| it["number"].as_str().unwrap().to_owned()));
        }
        numbers
    }

    async fn took(&self, wanted: &[&str]) {
        let wanted: BTreeSet<&str> = wanted.iter().copied().collect();
        let begun = Instant::now();
        loop {
            let numbers = self.numbers();
            if wanted.iter().all(|number| numbers.iter().any(|it| it == number)) {
                return;
            }
            assert!(begun.elapsed() < PATIENCE, "{numbers:?}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

async fn hear(State(called): State<Called>, headers: HeaderMap, body: Bytes) -> Response {
    let mood = called.mood.lock().unwrap().clone();
    match mood {
        Mood::Good => {
            called.heard.lock().unwrap().push((headers, body));
            "taken".into_response()
        }
        Mood::Failing => axum::http::StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::Silent => std::future::pending().await,
        Mood::Elsewhere(url) => Redirect::temporary(&url).into_response(),
    }
}

/// A process that calls.
struct Calling {
    task: JoinHandle<()>,
    is_here: Arc<AtomicBool>,
    /// How often it was asked whether it is.
    asked: Arc<AtomicUsize>,
}

impl Calling {
    fn start(world: &World, config: WebhooksConfig) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let settings = SettingsRepository::new(world.store.clone());
        let numbers = NumberRepository::new(world.store.clone(), clock.clone(), settings);
        let is_here = Arc::new(AtomicBool::new(true));
        let asked = Arc::new(AtomicUsize::new(0));
        let (here, times) = (is_here.clone(), asked.clone());
        let is_it = move || {
            times.fetch_add(1, Ordering::SeqCst);
            here.load(Ordering::SeqCst)
        };
        let stop = CancellationToken::new();
        let courier = Courier::new(&numbers, config, clock, is_it, stop).unwrap();
        Self { task: tokio::spawn(async move { courier.run().await }), is_here, asked }
    }
}

impl Drop for Calling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn happen(world: &World, numbers: &[&str]) {
    let events = EventRepository::new(world.store.clone(), world.app.shared_clock());
    for number in numbers {
        let event = json!({
            "number": number, "kind": "updated", "revision": format!("1-{number}"),
            "time": "2024-05-01T12:00:00Z",
        });
        let event: Event = serde_json::from_value(event).unwrap();
        for done in events.append(&[event]).await {
            done.unwrap();
        }
    }
}

async fn ask(world: &World, method: Method, rest: &str, data: Value, status: u16) -> Value {
    let path = format!("/v2/webhooks{rest}");
    world.ask(Who::Admin, method, &path, Some(&data)).await.data(status)
}

async fn add(world: &World, called: &Called) -> String {
    let data = json!({"url": called.address, "secret": SECRET});
    let made = ask(world, Method::POST, "", data, 201).await;
    assert!(made["secret"].is_null(), "{made}");
    made["id"].as_str().unwrap().to_owned()
}

async fn state(world: &World, id: &str) -> Value {
    let path = format!("/v2/webhooks/{id}");
    world.ask(Who::Admin, Method::GET, &path, None).await.data(200)
}

async fn until(world: &World, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let state = state(world, id).await;
        if is_so(&state) {
            return state;
        }
        assert!(begun.elapsed() < PATIENCE, "{state}");
        sleep(Duration::from_millis(10)).await;
    }
}

const ONE: &str = "+14155550101";
const TWO: &str = "+14155550102";
const THREE: &str = "+14155550103";

async fn changes_are_told_in_order_and_signed(world: &World) {
    let called = Called::start(Mood::Good).await;
    happen(world, &["+14155550100"]).await;
    let id = add(world, &called).await;
    let calling = Calling::start(world, webhooks_config());
    happen(world, &[ONE, TWO, THREE]).await;
    called.took(&[ONE, TWO, THREE]).await;
    assert!(!called.numbers().contains(&"+14155550100".to_owned()), "it was before");
    for (headers, body) in called.calls() {
        let header = |name: &str| headers[name].to_str().unwrap();
        assert_eq!(header("x-number-manager-webhook"), id);
        assert_eq!(header("content-type"), "application/json");
        let signed = header("x-number-manager-signature");
        let (time, given) = signed.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        assert_eq!(given, signature(SECRET, time.parse().unwrap(), &body));
        assert!(serde_json::from_slice::<Value>(&body).unwrap()["cursor"].is_string());
    }
    until(world, &id, |it| it["state"] == "good" && it["last_success"].is_string()).await;
    // Another process goes on where this one was.
    drop(calling);
    let before = called.numbers().len();
    let _calling = Calling::start(world, webhooks_config());
    happen(world, &["+14155550104"]).await;
    called.took(&["+14155550104"]).await;
    assert!(called.numbers().len() <= before + 2, "{:?}", called.numbers());
}

async fn who_fails_is_told_again_and_holds_nobody_up(world: &World) {
    let failing = Called::start(Mood::Failing).await;
    let silent = Called::start(Mood::Silent).await;
    let good = Called::start(Mood::Good).await;
    let (first, second) = (add(world, &failing).await, add(world, &silent).await);
    add(world, &good).await;
    let _calling = Calling::start(world, webhooks_config());
    happen(world, &[ONE, TWO, THREE]).await;
    good.took(&[ONE, TWO, THREE]).await;
    let is_failing = |it: &Value| it["failures"].as_u64() > Some(1);
    let told = until(world, &first, is_failing).await;
    assert_eq!(
        (&told["state"], &told["last_error"]),
        (&json!("failing"), &json!("it answered 503"))
    );
    let told = until(world, &second, is_failing).await;
    assert_eq!(told["last_error"], "it did not answer in time");
    for called in [&failing, &silent] {
        called.set(Mood::Good);
        called.took(&[ONE, TWO, THREE]).await;
    }
    for id in [first, second] {
        let told = until(world, &id, |it| it["state"] == "good").await;
        assert_eq!((&told["failures"], &told["last_error"]), (&json!(0), &json!(null)));
    }
}

async fn a_redirection_is_not_followed(world: &World) {
    let elsewhere = Called::start(Mood::Good).await;
    let called = Called::start(Mood::Elsewhere(elsewhere.address.clone())).await;
    let id = add(world, &called).await;
    let _calling = Calling::start(world, webhooks_config());
    happen(world, &[ONE]).await;
    let told = until(world, &id, |it| it["failures"].as_u64() > Some(1)).await;
    assert_eq!(told["last_error"], "it answered 307");
    assert!(elsewhere.calls().is_empty());
}

async fn who_is_given_up_is_tried_again_when_it_is_changed(world: &World) {
    let called = Called::start(Mood::Failing).await;
    let id = add(world, &called).await;
    let _calling = Calling::start(world, WebhooksConfig { give_up_h: 0, ..webhooks_config() });
    happen(world, &[ONE]).await;
    until(world, &id, |it| it["state"] == "dead").await;
    called.set(Mood::Good);
    let place = format!("/{id}");
    ask(world, Method::PATCH, &place, json!({"enabled": false}), 200).await;
    assert_eq!(state(world, &id).await["state"], "disabled");
    ask(world, Method::PATCH, &place, json!({"enabled": true}), 200).await;
    called.took(&[ONE]).await;
}

async fn everything_is_told_once_more_on_request(world: &World) {
    let called = Called::start(Mood::Good).await;
    happen(world, &[ONE, TWO]).await;
    let data = json!({"url": called.address, "since": "0"});
    let made = ask(world, Method::POST, "", data, 201).await;
    assert_eq!(made["secret"].as_str().unwrap().len(), 64);
    let id = made["id"].as_str().unwrap();
    let _calling = Calling::start(world, webhooks_config());
    called.took(&[ONE, TWO]).await;
    until(world, id, |it| it["last_success"].is_string()).await;
    ask(world, Method::POST, &format!("/{id}/replay"), json!({"since": "0"}), 200).await;
    let begun = Instant::now();
    while called.numbers() != [ONE, TWO, ONE, TWO] {
        assert!(begun.elapsed() < PATIENCE, "{:?}", called.numbers());
        sleep(Duration::from_millis(10)).await;
    }
}

async fn only_one_process_calls(world: &World) {
    let called = Called::start(Mood::Good).await;
    add(world, &called).await;
    let other = Calling::start(world, webhooks_config());
    other.is_here.store(false, Ordering::SeqCst);
    happen(world, &[ONE]).await;
    let (begun, before) = (Instant::now(), other.asked.load(Ordering::SeqCst));
    while other.asked.load(Ordering::SeqCst) < before + 3 {
        assert!(begun.elapsed() < PATIENCE);
        sleep(Duration::from_millis(10)).await;
    }
    assert!(called.calls().is_empty());
    other.is_here.store(true, Ordering::SeqCst);
    called.took(&[ONE]).await;
}

async fn receivers_are_kept_by_administrators(world: &World) {
    let url = "https://hooks.example.com/x";
    let made = ask(world, Method::POST, "", json!({"url": url, "secret": SECRET}), 201).await;
    let id = made["id"].as_str().unwrap();
    let listed = world.ask(Who::Admin, Method::GET, "/v2/webhooks", None).await;
    assert!(!listed.text.contains(SECRET));
    assert_eq!(listed.data(200), json!([made]));
    for (data, field) in [
        (json!({"url": "https://evil.example.org/"}), "url"),
        (json!({"url": "ftp://hooks.example.com/"}), "url"),
        (json!({"url": "nonsense"}), "url"),
        (json!({}), "url"),
        (json!({"url": 1}), "url"),
        (json!({"url": url, "secret": "short"}), "secret"),
        (json!({"url": url, "enabled": "x"}), "enabled"),
        (json!({"url": url, "since": "x"}), "since"),
    ] {
        let answer = world.ask(Who::Admin, Method::POST, "/v2/webhooks", Some(&data)).await;
        answer.check_status(400);
        assert!(answer.json()["data"][field].is_object(), "{data}: {}", answer.text);
    }
    let data = json!({"url": url});
    world.ask(HOLDER, Method::POST, "/v2/webhooks", Some(&data)).await.check_status(403);
    world.ask(Who::Nobody, Method::GET, "/v2/webhooks", None).await.check_status(401);
    for _ in 0..2 {
        ask(world, Method::POST, "", data.clone(), 201).await;
    }
    world.ask(Who::Admin, Method::POST, "/v2/webhooks", Some(&data)).await.check_status(400);
    let place = format!("/v2/webhooks/{id}");
    world.ask(Who::Admin, Method::DELETE, &place, None).await.check_status(200);
    for (method, rest) in
        [(Method::GET, ""), (Method::PATCH, ""), (Method::DELETE, ""), (Method::POST, "/replay")]
    {
        let data = json!({"since": "0"});
        let path = format!("{place}{rest}");
        world.ask(Who::Admin, method, &path, Some(&data)).await.check_status(404);
    }
}
