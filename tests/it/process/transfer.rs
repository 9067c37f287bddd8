//! Whole stores that are moved: out of one, into another, and back.

use std::fs;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::process::{A, B, Home, Outcome, of};

/// How many numbers there are.
const NUMBERS: usize = 40;

/// Runs a command, which must succeed.
async fn run(home: &Home, arguments: &[&str]) -> Outcome {
    let outcome = home.run(arguments).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome
}

async fn dump(home: &Home, name: &str) -> String {
    let path = home.folder().join(name);
    run(home, &["dump", path.to_str().unwrap()]).await;
    fs::read_to_string(path).unwrap()
}

async fn load(home: &Home, lines: &str, arguments: &[&str]) -> String {
    let path = home.folder().join("in.jsonl");
    fs::write(&path, lines).unwrap();
    let arguments = [&["load", path.to_str().unwrap()], arguments].concat();
    run(home, &arguments).await.stdout.trim().to_owned()
}

fn told(made: usize, unchanged: usize) -> String {
    format!("made {made}, unchanged {unchanged}, different 0, failed 0")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_moved_there_and_back() {
    let home = Home::sqlite();
    let service = home.start().await;
    for place in 0..NUMBERS {
        let number = format!("+14{}555{place:04}", 15 + place % 3);
        let data = json!({"note": place, "prepend": {"enabled": place % 2 == 0, "name": "x"}});
        let made = service.put(&of([A, B][place % 2], &number), data).await;
        made.expect(201);
        if place % 5 == 0 {
            let path = of([A, B][place % 2], &number);
            service.ask(Method::DELETE, &path, Value::Null).await.expect(200);
        }
    }
    service.stop().await;
    let first = dump(&home, "first.jsonl").await;
    let lines = first.lines().count();
    assert!(lines > NUMBERS, "{lines} lines");
    let couch = Home::couchdb();
    assert_eq!(load(&couch, &first, &[]).await, told(lines, 0));
    let second = dump(&couch, "second.jsonl").await;
    assert!(first == second, "byte by byte");
    assert_eq!(load(&couch, &first, &[]).await, told(0, lines));
    assert!(dump(&couch, "again.jsonl").await == first, "the second load changes nothing");
    let back = Home::sqlite();
    assert_eq!(load(&back, &second, &[]).await, told(lines, 0));
    assert!(dump(&back, "third.jsonl").await == first, "byte by byte");
    // What another store says otherwise stays, and is told.
    let other = first.replacen("\"note\":1,", "\"note\":-1,", 1);
    assert_ne!(other, first);
    let path = back.folder().join("other.jsonl");
    fs::write(&path, &other).unwrap();
    let outcome = back.run(&["load", path.to_str().unwrap()]).await;
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let wanted = format!("made 0, unchanged {}, different 1, failed 0", lines - 1);
    assert_eq!(outcome.stdout.trim(), wanted);
    assert!(dump(&back, "last.jsonl").await == first);
}

/// What a CouchDB says of a database is what a load takes.
#[tokio::test(flavor = "multi_thread")]
async fn all_documents_of_a_couchdb_are_loaded() {
    let couch = Home::couchdb();
    let service = couch.start().await;
    for place in 0..5 {
        let number = format!("+1415555{place:04}");
        service.put(&of(A, &number), json!({ "note": place })).await.expect(201);
    }
    service.stop().await;
    let url = format!("{}/_all_docs?include_docs=true", couch.database_url("numbers%2F%2B1415"));
    let answer = reqwest::get(url).await.unwrap().text().await.unwrap();
    assert!(answer.starts_with("{\"total_rows\""), "{answer}");
    let home = Home::sqlite();
    assert_eq!(load(&home, &answer, &[]).await, told(5, 0));
    assert_eq!(load(&home, &answer, &[]).await, told(0, 5));
    let documents = dump(&home, "out.jsonl").await;
    let whole = dump(&couch, "out.jsonl").await;
    let numbers: Vec<&str> =
        whole.lines().filter(|line| line.starts_with("{\"database\":\"numbers/")).collect();
    assert_eq!(documents.lines().collect::<Vec<_>>(), numbers);
    let outcome = home.run(&["load", "nothing.jsonl"]).await;
    assert!(outcome.check_refused(1).contains("nothing.jsonl"));
}
