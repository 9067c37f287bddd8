//! What became of numbers: told once it is settled, and not missed by anybody.

mod events;
mod months;
mod rights;

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use number_manager::{
    follower::{Follower, FollowerConfig},
    repository::{EventRepository, FeedRepository, NumberRepository, SettingsRepository},
    store::{SharedStore, WatchedStore},
};
use serde_json::{Value, json};
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::world::{HOLDER, NUMBER, Who, World, numbers, over_both_stores};
use crate::support::{
    app::{ACCOUNT, PARENT, STRANGER, TestApp},
    failing::FailingStore,
};

over_both_stores! {
    a_change_is_told_once_it_is_settled,
    pages_lose_and_repeat_nothing,
    who_waits_is_answered_when_something_happens,
    what_is_not_understood_is_refused_by_name,
    nothing_is_missed_whenever_the_follower_dies,
    a_feed_that_cannot_be_written_holds_the_checkpoint_up,
}

/// How long something may take that is waited for.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many numbers change while the follower dies again and again.
const NUMBERS: usize = 60;
/// How often it dies.
const DEATHS: u64 = 12;

/// A follower of its own, over the store of a world and by its clock.
struct Keeper {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Keeper {
    fn start(store: &SharedStore, app: &TestApp) -> Self {
        let (store, writes) = WatchedStore::over(store.clone());
        let clock = app.shared_clock();
        let settings = SettingsRepository::new(store.clone());
        let numbers = NumberRepository::new(store.clone(), clock.clone(), settings);
        let (feeds, events) = (FeedRepository::new(store), EventRepository::beside(&numbers));
        let limits = FollowerConfig {
            lease_ms: 60_000,
            renewal_ms: 50,
            pace_ms: 10,
            poll_ms: 20,
            sweep_ms: 100,
            deadline_ms: 100,
            retry_ms: 50,
            retry_max_ms: 100,
            ..FollowerConfig::default()
        };
        let stop = CancellationToken::new();
        let follower = Follower::new(numbers, feeds, events, writes, clock, limits, stop.clone());
        // Whoever followed before is dead.
        let task = tokio::spawn(async move { follower.run(true).await });
        Self { task, stop }
    }

    async fn stop(mut self) {
        self.stop.cancel();
        (&mut self.task).await.unwrap();
    }

    /// Ends it without a warning.
    async fn kill(mut self) {
        self.task.abort();
        assert!((&mut self.task).await.unwrap_err().is_cancelled());
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn keeper(world: &World) -> Keeper {
    Keeper::start(&world.store, &world.app)
}

/// The data of a page.
async fn page(world: &World, who: Who, query: &str) -> Value {
    world.ask(who, Method::GET, &format!("/v2/changes?{query}"), None).await.data(200)
}

/// All that happened behind a place, however many pages it takes, and where it ends.
async fn all(world: &World, who: Who, since: &str, limit: usize) -> (Vec<Value>, String) {
    let (mut changes, mut cursor) = (Vec::new(), since.to_owned());
    loop {
        let page = page(world, who, &format!("since={cursor}&limit={limit}")).await;
        let more = page["changes"].as_array().unwrap();
        assert!(more.len() <= limit, "{page}");
        changes.extend(more.iter().cloned());
        page["cursor"].as_str().unwrap().clone_into(&mut cursor);
        if page["is_last"] == true {
            return (changes, cursor);
        }
    }
}

/// What happened behind a place, once something of it is so.
async fn told(
    world: &World,
    who: Who,
    since: &str,
    is_so: impl Fn(&Value) -> bool,
) -> (Vec<Value>, String) {
    let begun = Instant::now();
    loop {
        let (changes, cursor) = all(world, who, since, 100).await;
        if changes.iter().any(&is_so) {
            return (changes, cursor);
        }
        assert!(begun.elapsed() < PATIENCE, "not told: {changes:?}");
        sleep(Duration::from_millis(10)).await;
    }
}

async fn ask(world: &World, method: Method, path: &str, data: Value) {
    let answer = world.ask(Who::Admin, method, &numbers(path), Some(&data)).await;
    assert!(answer.status.is_success(), "{}", answer.text);
}

async fn a_change_is_told_once_it_is_settled(world: &World) {
    let follower = keeper(world);
    ask(world, Method::PUT, &format!("/{NUMBER}"), json!({"note": "x"})).await;
    let (changes, cursor) = told(world, Who::Admin, "0", |_| true).await;
    let stored = world.document(NUMBER).await.unwrap();
    assert_eq!(
        changes,
        [json!({
            "number": NUMBER, "kind": "created", "state": "in_service", "assigned_to": ACCOUNT,
            "previously_assigned_to": null, "revision": stored.rev.as_str(),
            "digest": changes[0]["digest"], "time": "2024-05-01T12:00:00Z",
        })]
    );
    assert_eq!(changes[0]["digest"].as_str().unwrap().len(), 16);

    world.app.clock().advance(jiff::SignedDuration::from_secs(60));
    ask(world, Method::PATCH, &format!("/{NUMBER}"), json!({"note": "y"})).await;
    let (changes, cursor) = told(world, Who::Admin, &cursor, |_| true).await;
    let what = |change: &Value| {
        ["kind", "state", "assigned_to", "previously_assigned_to", "time"]
            .map(|key| change[key].as_str().unwrap_or("-").to_owned())
    };
    let later = "2024-05-01T12:01:00Z";
    assert_eq!(what(&changes[0]), ["updated", "in_service", ACCOUNT, "-", later]);

    ask(world, Method::DELETE, &format!("/{NUMBER}?hard=true"), json!({})).await;
    let (changes, _) = told(world, Who::Admin, &cursor, |it| it["kind"] == "deleted").await;
    assert_eq!(what(&changes[0]), ["deleted", "-", "-", ACCOUNT, later]);
    assert!(changes[0]["digest"].is_null());
    follower.stop().await;
}

async fn pages_lose_and_repeat_nothing(world: &World) {
    let follower = keeper(world);
    let ids: Vec<String> = (0..23).map(|at| format!("+1415555{at:04}")).collect();
    ask(world, Method::PUT, "/collection", json!({ "numbers": ids })).await;
    let begun = Instant::now();
    while all(world, Who::Admin, "0", 100).await.0.len() < ids.len() {
        assert!(begun.elapsed() < PATIENCE);
        sleep(Duration::from_millis(10)).await;
    }
    for limit in [1, 7, 22, 23, 24] {
        let (changes, end) = all(world, Who::Admin, "0", limit).await;
        let mut seen: Vec<&str> = changes.iter().map(|it| it["number"].as_str().unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen, ids, "by {limit}");
        let (nothing, same) = all(world, Who::Admin, &end, limit).await;
        assert_eq!((nothing, same), (vec![], end));
    }
    // The present is behind all of it.
    let now = page(world, Who::Admin, "since=now").await;
    assert_eq!((&now["changes"], &now["is_last"]), (&json!([]), &json!(true)));
    follower.stop().await;
}

async fn who_waits_is_answered_when_something_happens(world: &World) {
    let follower = keeper(world);
    let now = page(world, Who::Admin, "since=now").await;
    let cursor = now["cursor"].as_str().unwrap();
    let query = format!("feed=longpoll&since={cursor}");
    let short = format!("{query}&wait=0");
    assert_eq!(page(world, Who::Admin, &short).await["changes"], json!([]));
    let change = async {
        sleep(Duration::from_millis(50)).await;
        ask(world, Method::PUT, &format!("/{NUMBER}"), json!({})).await;
    };
    let (told, ()) = tokio::join!(page(world, Who::Admin, &query), change);
    assert_eq!(told["changes"][0]["number"], NUMBER, "{told}");
    // What is known already is not waited for.
    assert_eq!(page(world, Who::Admin, &query).await["changes"], told["changes"]);
    // Somebody for whom nothing happened waits to the end.
    let stranger = page(world, Who::Account(STRANGER), &format!("{query}&wait=1")).await;
    assert_eq!(stranger["changes"], json!([]));
    let after = format!("since={}", stranger["cursor"].as_str().unwrap());
    assert_eq!(page(world, HOLDER, &after).await["changes"], json!([]), "the cursor did not move");
    follower.stop().await;
}

async fn what_is_not_understood_is_refused_by_name(world: &World) {
    for (query, field) in [
        ("since=abc", "since"),
        ("since=-1", "since"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=x", "limit"),
        ("feed=continuous", "feed"),
        ("feed=longpoll&wait=x", "wait"),
    ] {
        let path = format!("/v2/changes?{query}");
        let answer = world.ask(Who::Admin, Method::GET, &path, None).await;
        answer.check_status(400);
        assert!(answer.json()["data"][field]["invalid"].is_object(), "{query}: {}", answer.text);
    }
}

async fn nothing_is_missed_whenever_the_follower_dies(world: &World) {
    let mut cursor = "0".to_owned();
    let mut heard = std::collections::BTreeMap::new();
    for turn in 0..DEATHS {
        let follower = keeper(world);
        for at in 0..NUMBERS / 12 {
            let id = format!("+1415555{:04}", usize::try_from(turn).unwrap() * 5 + at);
            ask(world, Method::PUT, &format!("/{id}"), json!({})).await;
            // Those of the turn before change again.
            if let Some(last) = heard.keys().next_back().cloned() {
                let note = json!({ "note": turn });
                ask(world, Method::PATCH, &format!("/{last}"), note).await;
            }
        }
        // From before the first look to after the checkpoint.
        sleep(Duration::from_millis(turn * 25)).await;
        follower.kill().await;
        listen(world, &mut cursor, &mut heard).await;
    }
    let follower = keeper(world);
    let begun = Instant::now();
    for at in 0..NUMBERS {
        let id = format!("+1415555{at:04}");
        let rev = world.document(&id).await.unwrap().rev;
        while heard.get(&id).map(String::as_str) != Some(rev.as_str()) {
            assert!(begun.elapsed() < PATIENCE, "{id} at {rev:?}: {:?}", heard.get(&id));
            sleep(Duration::from_millis(10)).await;
            listen(world, &mut cursor, &mut heard).await;
        }
    }
    follower.stop().await;
}

/// Goes on listening; remembers the last revision of each number.
async fn listen(
    world: &World,
    cursor: &mut String,
    heard: &mut std::collections::BTreeMap<String, String>,
) {
    let (changes, end) = all(world, Who::Admin, cursor, 7).await;
    *cursor = end;
    for change in changes {
        let text = |key: &str| change[key].as_str().unwrap().to_owned();
        heard.insert(text("number"), text("revision"));
    }
}

async fn a_feed_that_cannot_be_written_holds_the_checkpoint_up(world: &World) {
    ask(world, Method::PUT, &format!("/{NUMBER}"), json!({})).await;
    for writes in 0..8 {
        let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), writes));
        let follower = Keeper::start(&failing, &world.app);
        sleep(Duration::from_millis(200)).await;
        follower.kill().await;
    }
    let follower = keeper(world);
    let (changes, _) = told(world, Who::Admin, "0", |it| it["number"] == NUMBER).await;
    assert_eq!(changes.len(), 1, "it is told once: {changes:?}");
    follower.stop().await;
}
