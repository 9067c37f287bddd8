//! The process is killed at random moments while a client writes.

use std::{collections::BTreeMap, slice, time::Duration};

use reqwest::Method;
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::crash::check_what_is_left;
use crate::support::{
    invariants::violations,
    process::{A, Answer, B, Home, Service, kill, of},
};

const ROUNDS: u64 = 8;
/// How many numbers the client plays with.
const NUMBERS: u64 = 6;
/// The longest time that a process lives, in milliseconds.
const LIFE_MS: u64 = 400;

/// Numbers that look random and are the same every time.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn of(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }
}

/// A request of the client.
#[derive(Clone, Debug)]
struct Request {
    number: String,
    method: Method,
    path: String,
    data: Value,
}

impl Request {
    /// Any request to any number; not every one can be carried out.
    fn any(random: &mut Random) -> Self {
        let number = format!("+1415555{:04}", random.below(NUMBERS));
        let account = [A, B][usize::from(random.below(2) == 1)];
        let note = json!({"note": random.below(1_000_000)});
        let path = of(account, &number);
        let (method, path, data) = match random.below(8) {
            0 | 1 => (Method::PUT, path, note),
            2 => (Method::PUT, path + "/activate", note),
            3 => (Method::PUT, path + "/reserve", Value::Null),
            4 => (Method::DELETE, path, Value::Null),
            5 => (Method::DELETE, path + "?hard=true", Value::Null),
            _ => (Method::PATCH, path, note),
        };
        Self { number, method, path, data }
    }
}

/// What the client knows of a number: its revision and its note; none when it does not exist.
type Known = Option<(String, Value)>;

/// Writes until there is no answer, and returns the request that had none.
async fn write(
    service: &Service,
    random: &mut Random,
    known: &mut BTreeMap<String, Known>,
) -> Request {
    loop {
        let request = Request::any(random);
        let Some(answer) = send(service, &request).await else {
            return request;
        };
        assert!(answer.status < 500, "{request:?} {answer:?}");
        if answer.is_good() {
            let exists = answer.json["data"]["state"] != "deleted";
            known.insert(request.number, exists.then(|| of_envelope(&answer.json)));
        }
    }
}

async fn send(service: &Service, request: &Request) -> Option<Answer> {
    let Request { method, path, data, .. } = request.clone();
    service.try_ask(method, &path, data, service.token()).await
}

fn of_envelope(json: &Value) -> (String, Value) {
    (json["revision"].as_str().expect("a revision").to_owned(), json["data"]["note"].clone())
}

async fn stored(service: &Service, number: &str) -> Known {
    let answer = service.get(&format!("phone_numbers/{number}")).await;
    (answer.status != 404).then(|| of_envelope(&answer.expect(200).json))
}

/// How often a document was written, by its revision.
fn generation(known: &Known) -> u64 {
    let revision = known.as_ref().map(|(revision, _)| revision);
    revision.map_or(0, |text| text.split_once('-').unwrap().0.parse().unwrap())
}

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_acknowledged_is_lost(#[case] home: Home) {
    let mut random = Random::of(42);
    let mut known = BTreeMap::new();
    let mut service = home.start().await;
    for round in 0..ROUNDS {
        let life = Duration::from_millis(LIFE_MS / 4 + random.below(LIFE_MS));
        let id = service.id();
        let (interrupted, ()) = tokio::join!(write(&service, &mut random, &mut known), async {
            sleep(life).await;
            kill(id);
        });
        // Waits until it has ended.
        service.kill();
        check_raw(&home, &interrupted).await;

        service = home.start_bare().await;
        check_answers(&service, &interrupted, &known, round).await;
        send(&service, &interrupted).await.expect("an answer");
        let now = stored(&service, &interrupted.number).await;
        known.insert(interrupted.number, now);
        if !home.is_sqlite() {
            assert_eq!(violations(&*home.store().await).await, [], "round {round}: not healed");
        }
    }
    assert!(known.values().flatten().count() > 0, "{known:?}");
    service.stop().await;
    assert_eq!(violations(&*home.store().await).await, []);
}

/// On SQLite nothing is there by half; on CouchDB at most a copy of the number that was written.
async fn check_raw(home: &Home, interrupted: &Request) {
    let store = home.store().await;
    if home.is_sqlite() {
        assert_eq!(violations(&*store).await, []);
    } else {
        check_what_is_left(&*store, slice::from_ref(&interrupted.number)).await;
    }
}

/// Every number is as the client knows it; the one that was written may be one write further.
async fn check_answers(
    service: &Service,
    interrupted: &Request,
    known: &BTreeMap<String, Known>,
    round: u64,
) {
    for number in (0..NUMBERS).map(|number| format!("+1415555{number:04}")) {
        let before = known.get(&number).cloned().flatten();
        let now = stored(service, &number).await;
        let made = number == interrupted.number
            && (now.is_none() || before.is_none() || generation(&now) == generation(&before) + 1);
        assert!(
            now == before || made,
            "round {round}: {number} was {before:?} and is {now:?}; interrupted: {interrupted:?}"
        );
    }
}
