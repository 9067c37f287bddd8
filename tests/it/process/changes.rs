//! The feed of changes while processes die: of who listens nobody misses anything.

use std::collections::BTreeMap;

use number_manager::store::DbName;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::support::process::{A, Home, PATIENCE, Service, of};

/// A place whose services follow, look for the second time soon, and take over soon.
fn followed(mut home: Home) -> Home {
    for (name, value) in [
        ("follower__enabled", "true"),
        ("follower__lease_ms", "1500"),
        ("follower__renewal_ms", "200"),
        ("follower__deadline_ms", "900"),
        ("couchdb__call_timeout_ms", "300"),
        ("changes__poll_ms", "50"),
        ("changes__heartbeat_ms", "500"),
    ] {
        home.set(name, value);
    }
    home
}

/// Somebody who keeps a copy of its own: the last revision of each number, and where it was.
#[derive(Debug, Default)]
struct Listener {
    heard: BTreeMap<String, String>,
    last: Option<String>,
}

impl Listener {
    async fn connect(&self, service: &Service) -> Response {
        let url = format!("http://{}/v2/changes?feed=eventsource", service.address());
        let mut request = Client::new().get(url).header("x-auth-token", service.token());
        if let Some(last) = &self.last {
            request = request.header("last-event-id", last);
        }
        request.send().await.unwrap().error_for_status().unwrap()
    }

    /// Listens until it has heard enough.
    async fn listen(&mut self, service: &Service, is_enough: impl Fn(&Self) -> bool) {
        let mut response = self.connect(service).await;
        let mut text = String::new();
        while !is_enough(self) {
            let chunk = timeout(PATIENCE, response.chunk()).await.expect("silence");
            let chunk = chunk.unwrap().expect("the end");
            text.push_str(std::str::from_utf8(&chunk).unwrap());
            while let Some(end) = text.find("\n\n") {
                let part: String = text.drain(..end + 2).collect();
                self.hear(&part);
            }
        }
    }

    fn hear(&mut self, part: &str) {
        let field = |name: &str| part.lines().find_map(|line| line.strip_prefix(name));
        if let Some(id) = field("id: ") {
            self.last = Some(id.to_owned());
        }
        if field("event: ") == Some("change") {
            let data: Value = serde_json::from_str(field("data: ").unwrap()).unwrap();
            let text = |key: &str| data[key].as_str().unwrap().to_owned();
            self.heard.insert(text("number"), text("revision"));
        }
    }
}

async fn create(service: &Service, numbers: std::ops::Range<usize>) {
    for at in numbers {
        service.put(&of(A, &number(at)), json!({"note": at})).await.expect(201);
    }
}

async fn change(service: &Service, at: usize) {
    let data = json!({"note": "again"});
    service.ask(reqwest::Method::PATCH, &of(A, &number(at)), data).await.expect(200);
}

fn number(at: usize) -> String {
    format!("+1415555{at:04}")
}

/// The revisions that are stored.
async fn stored(home: &Home, numbers: usize) -> BTreeMap<String, String> {
    let (store, db) = (home.store().await, DbName::new("numbers/+1415"));
    let mut stored = BTreeMap::new();
    for id in (0..numbers).map(number) {
        let rev = store.get(&db, &id).await.unwrap().live().unwrap().rev;
        stored.insert(id, rev.as_str().to_owned());
    }
    stored
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_while_replicas_die() {
    let home = followed(Home::couchdb());
    let first = home.start().await;
    let second = home.start_bare().await;
    let mut listener = Listener::default();
    create(&first, 0..8).await;
    listener.listen(&second, |it| !it.heard.is_empty()).await;
    // What was written last has not been settled when its writer dies.
    create(&first, 8..16).await;
    change(&first, 0).await;
    first.kill();
    create(&second, 16..20).await;
    listener.listen(&second, |it| it.heard.len() > 12).await;
    change(&second, 1).await;
    second.kill();
    let third = home.start_bare().await;
    create(&third, 20..22).await;
    let stored = stored(&home, 22).await;
    listener.listen(&third, |it| it.heard == stored).await;
    third.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_missed_over_restarts_of_a_process_with_a_file() {
    let home = followed(Home::sqlite());
    let mut listener = Listener::default();
    let mut service = home.start().await;
    for turn in 0..3 {
        create(&service, turn * 5..turn * 5 + 5).await;
        change(&service, 0).await;
        if turn > 0 {
            listener.listen(&service, |it| it.heard.len() > (turn - 1) * 5).await;
        }
        service.kill();
        service = home.start_bare().await;
    }
    listener.listen(&service, |it| it.heard.len() == 15).await;
    // With somebody who listens it stops all the same, at once.
    let _open = listener.connect(&service).await;
    service.stop().await;
    assert_eq!(stored(&home, 15).await, listener.heard);
}
