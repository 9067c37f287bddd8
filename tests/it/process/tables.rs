//! Tables of many rows: a program that is killed while it works through one, what one takes that is
//! longer than the memory, and what is refused.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use futures::stream;
use number_manager::store::{DbName, DocumentStore};
use reqwest::{Body, Client, Method, Response};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::jobs::hurry;
use crate::support::{
    couch::CouchServer,
    invariants::violations,
    process::{A, B, Home, Service},
};

/// How many rows are imported, and how many where the server takes only a few.
const MANY: usize = 50_000;
const FEW: usize = 600;
/// How often the program is killed.
const KILLS: usize = 3;
/// How long a task may take.
const PATIENCE: Duration = Duration::from_mins(8);
/// How many rows there are in a table that is longer than the memory that it may take.
const LONG: usize = 1_000_000;
/// A table needs no more than this, in bytes, however long it is.
const MEMORY: u64 = 200_000_000;

fn number(place: usize) -> String {
    format!("+14{}{:07}", 10 + place % 3, 5_550_000 + place)
}

fn row(place: usize) -> String {
    format!("{},{},knm_inventory,note {place}\r\n", number(place), [A, B][place % 2])
}

/// Sends a table as it is made: a header, and rows.
async fn send(
    service: &Service,
    action: &str,
    rows: impl Iterator<Item = String> + Send + 'static,
) -> Response {
    let query = format!("category=number_management&action={action}");
    let url = format!("http://{}/v2/accounts/{A}/tasks?{query}", service.address());
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    let parts = stream::iter(rows.map(Ok::<_, std::io::Error>));
    let request = client.put(url).header("x-auth-token", service.token());
    request.header("content-type", "text/csv").body(Body::wrap_stream(parts)).send().await.unwrap()
}

/// The same in parts of many rows.
fn table(rows: usize) -> impl Iterator<Item = String> + Send + 'static {
    const AT_ONCE: usize = 500;
    let header = "e164,account_id,carrier_module,opaque.note\r\n".to_owned();
    let parts = (0..rows).step_by(AT_ONCE);
    let part = move |from: usize| (from..rows.min(from + AT_ONCE)).map(row).collect();
    std::iter::once(header).chain(parts.map(part))
}

async fn create(service: &Service, action: &str, rows: usize) -> String {
    let response = send(service, action, table(rows)).await;
    assert_eq!(response.status(), 201);
    let task: Value = serde_json::from_str(&response.text().await.unwrap()).unwrap();
    assert_eq!(task["data"]["_read_only"]["total_count"], rows);
    task["data"]["_read_only"]["id"].as_str().unwrap().to_owned()
}

/// Waits until so many rows are done, or the task has ended.
async fn until(service: &Service, id: &str, rows: usize) -> Value {
    let begun = Instant::now();
    loop {
        let path = format!("tasks/{id}");
        let answer = service.try_ask(Method::GET, &path, Value::Null, service.token()).await;
        if let Some(answer) = answer.filter(|answer| answer.status == 200) {
            let task = answer.json["data"]["_read_only"].clone();
            let done = task["success_count"].as_u64().unwrap_or_default();
            if done >= rows as u64 || task["status"] != "executing" {
                return task;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "the task does not go on");
        sleep(Duration::from_millis(5)).await;
    }
}

/// A file of a task, part by part.
async fn fetch(service: &Service, id: &str, file: &str) -> Response {
    let url = format!("http://{}/v2/tasks/{id}/{file}", service.address());
    let client = Client::builder().timeout(PATIENCE).build().unwrap();
    let response = client.get(url).header("x-auth-token", service.token()).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response
}

#[rstest]
#[case::sqlite(Home::sqlite(), MANY)]
#[case::couchdb(Home::couchdb(), if CouchServer::shared().is_peer() { FEW } else { MANY })]
#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_does_every_row_once(#[case] mut home: Home, #[case] rows: usize) {
    hurry(&mut home);
    home.set("tasks__page_size", &(rows / 60).to_string());
    home.prepared_store().await;
    let mut service = home.start().await;
    let id = create(&service, "import", rows).await;
    service.ask(Method::PATCH, &format!("tasks/{id}"), Value::Null).await.expect(200);
    for round in 1..=KILLS {
        let task = until(&service, &id, rows * round / (KILLS + 2)).await;
        assert_eq!(task["status"], "executing", "it ended before it was killed {round} times");
        service.kill();
        service = home.start_bare().await;
    }
    let task = until(&service, &id, usize::MAX).await;
    let counts = ["status", "success_count", "failure_count"].map(|key| task[key].clone());
    assert_eq!(counts, [json!("success"), json!(rows), json!(0)]);
    let output = fetch(&service, &id, "output").await.text().await.unwrap();
    let mut reader = csv::Reader::from_reader(output.as_bytes());
    let numbers: Vec<String> =
        reader.records().map(|row| row.unwrap().get(0).unwrap().to_owned()).collect();
    let wanted: Vec<String> = (0..rows).map(number).collect();
    assert!(numbers == wanted, "{} results of {rows} rows", numbers.len());
    service.stop().await;
    check_each_once(&*home.store().await, rows).await;
}

/// Every number and every copy is there, and was written once.
async fn check_each_once(store: &dyn DocumentStore, rows: usize) {
    let mut wanted = BTreeMap::<DbName, Vec<usize>>::new();
    for place in 0..rows {
        let (id, owner) = (number(place), [A, B][place % 2]);
        let account = format!("account/{}/{}/{}", &owner[..2], &owner[2..4], &owner[4..]);
        for db in [format!("numbers/{}", &id[..5]), account] {
            wanted.entry(DbName::new(db)).or_default().push(place);
        }
    }
    for (db, places) in wanted {
        let ids: Vec<String> = places.iter().copied().map(number).collect();
        let found = store.get_many(&db, &ids).await.unwrap();
        for ((place, id), found) in places.into_iter().zip(ids).zip(found) {
            let found = found.live().unwrap();
            let revision = found.rev.as_str();
            assert!(revision.starts_with("1-"), "{id} in {db} is at {revision}");
            assert_eq!(found.body["note"], format!("note {place}"));
        }
    }
    assert_eq!(violations(store).await, []);
}

/// The embedded store alone: what a CouchDB takes is not ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_long_table_takes_little_memory() {
    let home = Home::sqlite();
    let service = home.start().await;
    let id = create(&service, "import", LONG).await;
    let mut input = fetch(&service, &id, "input").await;
    let mut bytes = 0;
    while let Some(part) = input.chunk().await.unwrap() {
        bytes += part.len();
    }
    assert!(bytes > LONG * 60, "{bytes} bytes");
    // What is done about rows takes a page at a time, so some of them show it.
    service.ask(Method::PATCH, &format!("tasks/{id}"), Value::Null).await.expect(200);
    until(&service, &id, 20_000).await;
    service.ask(Method::PATCH, &format!("tasks/{id}/stop"), Value::Null).await.expect(200);
    let mut output = fetch(&service, &id, "output").await;
    let mut lines = 0;
    while let Some(part) = output.chunk().await.unwrap() {
        lines += part.split(|byte| *byte == b'\n').count() - 1;
    }
    assert!(lines > 20_000, "{lines} lines");
    let most = service.most_memory();
    println!("{LONG} rows: {} MiB", most >> 20);
    assert!(most < MEMORY, "{most} bytes");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_can_mean_takes_little_memory() {
    let home = Home::sqlite();
    let service = home.start().await;
    let cell = |letter: &str| letter.repeat(1 << 20);
    let (quoted, plain) = (cell("x"), cell("y"));
    let columns = "a,".repeat(1 << 20);
    for (head, part, words) in [
        ("e164,a\n+1,\"", quoted, "line 2, column 2: the cell has more than 10000 bytes"),
        ("e164,a\n+1,", plain, "line 2, column 2: the cell has more than 10000 bytes"),
        ("e164,", columns, "line 1, column 201: there are more than 200 columns"),
    ] {
        // A hundred megabytes of it.
        let parts = std::iter::once(head.to_owned()).chain(std::iter::repeat_n(part, 100));
        let response = send(&service, "find", parts).await;
        assert_eq!(response.status(), 400);
        let text = response.text().await.unwrap();
        assert!(text.contains(words), "{text}");
    }
    let most = service.most_memory();
    assert!(most < MEMORY, "{most} bytes");
    service.stop().await;
}
