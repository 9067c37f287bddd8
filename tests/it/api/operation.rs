//! Runs operations over many numbers, for the cases of single ones.

use std::time::Duration;

use axum::http::Method;
use number_manager::store::{DbName, Document, IdRange, Kind, Order, Query, Question};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::world::World;
use crate::support::app::{Answer, TestApp};

/// Asks for an operation and waits for its end.
pub(super) async fn asked(app: &TestApp, operation: &str, data: &Value) -> Answer {
    let path = format!("/v2/maintenance/{operation}?wait=30");
    app.ask(Method::POST, &path).token(&app.admin()).data(data).send().await
}

/// The finished job of an operation.
pub(super) async fn run(app: &TestApp, operation: &str, data: &Value) -> Value {
    asked(app, operation, data).await.data(200)
}

/// The same, where it removes something and that is confirmed.
pub(super) async fn run_confirmed(app: &TestApp, operation: &str, data: &Value) -> Value {
    let mut data = data.clone();
    data["confirm"] = operation.into();
    run(app, operation, &data).await
}

/// What an operation says in words.
pub(super) async fn say(app: &TestApp, operation: &str, data: &Value) -> String {
    let path = format!("/v2/maintenance/{operation}");
    let ask = app.ask(Method::POST, &path).token(&app.admin()).header("Accept", "text/plain");
    let answer = ask.data(data).send().await;
    answer.check_status(200);
    answer.text
}

/// Applies or reverts a job, and waits for its end.
pub(super) async fn act(app: &TestApp, job: &Value, action: &str) -> Value {
    let ask = |method, path: &str| app.ask(method, path).token(&app.admin());
    let path = format!("/v2/jobs/{}/{action}", job["id"].as_str().unwrap());
    let begun = ask(Method::POST, &path).data(&json!({})).send().await.json();
    let path = format!("/v2/jobs/{}", begun["data"]["id"].as_str().unwrap());
    for _ in 0..1000 {
        let now = ask(Method::GET, &path).send().await.data(200);
        if !["queued", "running"].contains(&now["state"].as_str().unwrap()) {
            return now;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{begun} does not end");
}

/// How many documents a job changed, and how many failed.
pub(super) fn counts(job: &Value) -> (u64, u64) {
    let count = |name: &str| job["counts"][name].as_u64().unwrap();
    (count("changed"), count("failed"))
}

/// Every document but those of jobs and of keys.
pub(super) async fn raw(world: &World) -> Vec<(String, Document)> {
    let mut all = Vec::new();
    for db in world.store.databases("").await.unwrap() {
        if !db.as_str().starts_with("number_manager") {
            all.extend(documents(world, &db).await);
        }
    }
    all
}

/// The same without what every write stamps, and without revisions.
pub(super) async fn members(world: &World) -> Vec<(String, String, Value)> {
    let bare = |(db, mut document): (String, Document)| {
        for stamp in ["pvt_write_id", "pvt_modified"] {
            document.body.shift_remove(stamp);
        }
        (db, document.id, Value::Object(document.body))
    };
    raw(world).await.into_iter().map(bare).collect()
}

async fn documents(world: &World, db: &DbName) -> Vec<(String, Document)> {
    let query = Query {
        question: Question::All,
        range: IdRange { from: String::new(), before: "\u{10ffff}".to_owned() },
        order: Order::Ascending,
        after: None,
        limit: 1000,
    };
    match world.store.query(db, &query).await {
        Err(err) if err.kind == Kind::NoDatabase => Vec::new(),
        page => page.unwrap().documents.into_iter().map(|it| (db.to_string(), it)).collect(),
    }
}
