//! What runs by the clock: once for all processes.

use std::{collections::BTreeMap, time::Duration};

use jiff::SignedDuration;
use number_manager::{domain::Clock as _, jobs::JobsConfig, repository::JobRepository};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::world::{NOW, World, over_both_stores};
use crate::support::app::TestApp;

over_both_stores! {
    each_turn_runs_once_for_all_processes,
    a_turn_outlives_the_process_that_claimed_it,
    what_is_switched_off_never_runs,
}

const NUMBER: &str = "+14155550101";
const SEEN: &str = "+14155550102";

fn limits() -> JobsConfig {
    JobsConfig {
        age_every_h: 6,
        expire_every_h: 12,
        audit_at: "03:00".to_owned(),
        ..JobsConfig::default()
    }
}

/// The jobs of each operation, once all have ended.
async fn ended(app: &TestApp) -> BTreeMap<String, Vec<Value>> {
    for _ in 0..1000 {
        let jobs = app.get("/v2/jobs").token(&app.admin()).send().await.data(200);
        let jobs = jobs.as_array().unwrap();
        let is_open = |job: &Value| job["state"] == "queued" || job["state"] == "running";
        if !jobs.iter().any(is_open) {
            let mut by_operation = BTreeMap::<String, Vec<Value>>::new();
            for job in jobs {
                let name = job["operation"].as_str().unwrap().to_owned();
                by_operation.entry(name).or_default().push(job.clone());
            }
            return by_operation;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("the jobs do not end");
}

/// Lets time pass, and both look at the clock again and again.
async fn after(hours: i64, apps: [&TestApp; 2]) -> BTreeMap<String, usize> {
    for app in apps {
        app.clock().advance(SignedDuration::from_hours(hours));
    }
    let [one, other] = apps;
    for _ in 0..3 {
        let (mine, theirs) = tokio::join!(one.jobs().take_turns(), other.jobs().take_turns());
        mine.unwrap();
        theirs.unwrap();
    }
    let jobs = ended(one).await;
    for job in jobs.values().flatten() {
        assert_eq!(
            (&job["state"], &job["options"]["dry_run"]),
            (&json!("succeeded"), &json!(false))
        );
        assert_eq!(job["scope"], json!({"all": true}));
    }
    jobs.into_iter().map(|(name, jobs)| (name, jobs.len())).collect()
}

fn counted(counts: &[(&str, usize)]) -> BTreeMap<String, usize> {
    counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

async fn each_turn_runs_once_for_all_processes(world: &World) {
    let aged = NOW - 90 * 86_400;
    world.keep(NUMBER, json!({"pvt_state": "aging", "pvt_state_since": aged})).await;
    world.keep(SEEN, json!({"pvt_state": "discovery", "pvt_state_since": aged})).await;
    let one = TestApp::working(world.store.clone(), limits()).await;
    let other = TestApp::working(world.store.clone(), limits()).await;
    let apps = [&one, &other];
    // It is noon. What was due before nobody was there is nobody's.
    assert_eq!(after(0, apps).await, counted(&[]));
    assert_eq!(after(5, apps).await, counted(&[]));
    assert_eq!(after(1, apps).await, counted(&[("age", 1)]));
    let state = world.document(NUMBER).await.unwrap().body["pvt_state"].clone();
    assert_eq!(state, "available");
    assert!(world.document(SEEN).await.is_some());
    assert_eq!(after(1, apps).await, counted(&[("age", 1)]));
    // Midnight, then four in the morning.
    assert_eq!(after(5, apps).await, counted(&[("age", 2), ("expire", 1)]));
    assert_eq!(world.document(SEEN).await, None);
    assert_eq!(after(4, apps).await, counted(&[("age", 2), ("audit", 1), ("expire", 1)]));
    // A process that was away for days runs each once, and not once for each time that it missed.
    assert_eq!(after(72, apps).await, counted(&[("age", 3), ("audit", 2), ("expire", 2)]));
    // Another process that starts does nothing again.
    let third = TestApp::working(world.store.clone(), limits()).await;
    third.clock().advance(SignedDuration::from_hours(88));
    third.jobs().take_turns().await.unwrap();
    let jobs = ended(&third).await;
    assert_eq!(jobs.values().map(Vec::len).sum::<usize>(), 7);
}

async fn a_turn_outlives_the_process_that_claimed_it(world: &World) {
    let (one, other) = (
        TestApp::working(world.store.clone(), limits()).await,
        TestApp::working(world.store.clone(), limits()).await,
    );
    let apps = [&one, &other];
    assert_eq!(after(5, apps).await, counted(&[]));
    let dead = JobRepository::new(world.store.clone());
    let claim = async |job: &str| {
        let due = one.clock().now() + SignedDuration::from_hours(1);
        let claimed = dead.claim_turn("age", &due.to_string(), job, due.as_millisecond()).await;
        assert_eq!(claimed.unwrap().unwrap().job, job);
    };
    let seconds = |seconds| {
        for app in apps {
            app.clock().advance(SignedDuration::from_secs(seconds));
        }
    };
    let job = "0123456789abcdef0123456789abcdef";
    claim(job).await;
    // Whoever claimed it may be about to begin it.
    assert_eq!(after(1, apps).await, counted(&[]));
    seconds(59);
    assert_eq!(after(0, apps).await, counted(&[]));
    seconds(1);
    assert_eq!(after(0, apps).await, counted(&[("age", 1)]));
    assert_eq!(ended(&one).await["age"][0]["id"], job);
    seconds(3600 * 5 - 60);
    // This one dies when the job is stored, before it notes so.
    claim(job).await;
    seconds(3600 + 120);
    assert_eq!(after(0, apps).await, counted(&[("age", 1), ("expire", 1)]));
    assert_eq!(after(6, apps).await, counted(&[("age", 2), ("audit", 1), ("expire", 1)]));
}

async fn what_is_switched_off_never_runs(world: &World) {
    let one = TestApp::working(world.store.clone(), JobsConfig::default()).await;
    let other = TestApp::working(world.store.clone(), JobsConfig::default()).await;
    assert_eq!(after(0, [&one, &other]).await, counted(&[]));
    assert_eq!(after(100, [&one, &other]).await, counted(&[]));
}
