//! What bulk work by tables costs: an import as a ratio to writing the same numbers and copies raw, both
//! sides in turns in one run, and the most memory that the service had.
//!
//! `cargo bench --bench bulk` imports `BENCH_ROWS` (1,000,000) rows over SQLite; with `COUCHDB_URL` set it
//! does so over that CouchDB instead, in databases of its own that it removes again. `BENCH_ROUNDS` (1) says
//! how often. The raw side writes numbers and copies as sets, a page of the same size at a time: no look-up,
//! no checks, no journal, nobody to be told who wrote.

#[path = "support/compare.rs"]
mod compare;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/size.rs"]
mod size;
#[path = "support/mod.rs"]
mod support;

use std::{fmt::Write as _, time::Instant};

use compare::compare;
use number_manager::store::{
    Body, DbName, DocumentStore, Expect, Write,
    sqlite::{SqliteConfig, SqliteStore},
};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use size::of_environment;
use support::{Outcome, Server, Service, per_second};

const ACCOUNT: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const NUMBERS: &str = "numbers/+1415";
const COPIES: &str = "account/0f/0f/0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
/// How many numbers are written at once, as `tasks.page_size` says by default.
const PAGE: usize = 250;
/// How many rows are put together before they are sent.
const SENT: usize = 1_000;

#[tokio::main]
async fn main() -> Outcome<()> {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a TLS provider")?;
    let (rows, rounds) =
        (of_environment("BENCH_ROWS", 1_000_000), of_environment("BENCH_ROUNDS", 1));
    #[expect(clippy::disallowed_methods, reason = "a benchmark has no configuration of its own")]
    let url = std::env::var("COUCHDB_URL").ok();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let (raw, service) = match &url {
            Some(url) => over_couchdb(url, rows).await?,
            None => over_sqlite(rows).await?,
        };
        theirs.push(raw);
        ours.push(service);
    }
    compare("importing", &ours, &theirs);
    Ok(())
}

/// How many numbers a second are written raw, and imported.
async fn over_sqlite(rows: usize) -> Outcome<(f64, f64)> {
    let dir = tempfile::tempdir()?;
    let store = SqliteStore::open(&dir.path().join("raw.sqlite"), &SqliteConfig::default())?;
    let dbs = [NUMBERS, COPIES].map(DbName::new);
    for db in &dbs {
        store.create_database(db).await?;
    }
    let begun = Instant::now();
    for page in pages(rows) {
        let set = |number: String| {
            let Value::Object(body) = document() else { return Vec::new() };
            let put =
                |db: &DbName| Write::put(db.clone(), &*number, Expect::Absent, Body::clone(&body));
            dbs.iter().map(put).collect()
        };
        for made in store.commit_many(page.map(number).map(set).collect()).await {
            made.map_err(|err| err.error)?;
        }
    }
    let raw = per_second(rows, begun.elapsed());
    let dir = tempfile::tempdir()?;
    let service = Service::start(dir.path(), &[]).await?;
    Ok((raw, import(&service, "SQLite", rows).await?))
}

async fn over_couchdb(url: &str, rows: usize) -> Outcome<(f64, f64)> {
    let server = Server::new(url);
    let store = format!("CouchDB {}", server.version().await?);
    let outcome = async {
        let names = ["raw_numbers", "raw_copies"];
        for name in names {
            server.json(server.client.put(server.database(name))).await?;
        }
        let begun = Instant::now();
        for page in pages(rows) {
            let row = |place| {
                let mut body = document();
                body["_id"] = number(place).into();
                body
            };
            let documents = json!({ "docs": page.map(row).collect::<Vec<_>>() });
            // The copies come after the numbers, as a set has it.
            for name in names {
                let url = format!("{}/_bulk_docs", server.database(name));
                let rows = server.json(server.client.post(url).json(&documents)).await?;
                if rows.as_array().ok_or("no rows")?.iter().any(|row| row.get("error").is_some()) {
                    return Err("a document of a bulk write was refused".into());
                }
            }
        }
        let raw = per_second(rows, begun.elapsed());
        let dir = tempfile::tempdir()?;
        let settings = [
            ("COUCHDB_URL", url),
            ("NUMBER_MANAGER__COUCHDB__DATABASE_PREFIX", server.prefix.as_str()),
            ("NUMBER_MANAGER__ACCOUNTS__MANAGE", "true"),
        ];
        let service = Service::start(dir.path(), &settings).await?;
        Ok((raw, import(&service, &store, rows).await?))
    };
    let outcome = outcome.await;
    server.clean().await?;
    outcome
}

/// Imports a table and tells the most memory; returns how many rows a second were done, from the first
/// byte that is sent to the end of the job.
async fn import(service: &Service, store: &str, rows: usize) -> Outcome<f64> {
    let account = json!({"name": "Benchmark", "wnm_allow_additions": true});
    service.send(Method::PUT, &format!("accounts/{ACCOUNT}"), account).await?;
    let begun = Instant::now();
    let path = format!("accounts/{ACCOUNT}/tasks?category=number_management&action=import");
    let lines = futures::stream::iter((0..rows).step_by(SENT).map(move |first| {
        let mut text = String::new();
        if first == 0 {
            text.push_str("e164,carrier_module,state,prepend.name\n");
        }
        for place in first..rows.min(first + SENT) {
            writeln!(text, "{},knm_telnyx,in_service,ACME", number(place))?;
        }
        Ok::<_, std::fmt::Error>(text)
    }));
    let request = Client::new().put(format!("{}/v2/{path}", service.base));
    let request = request.header("X-Auth-Token", &service.token).header("Content-Type", "text/csv");
    let answer = request.body(reqwest::Body::wrap_stream(lines)).send().await?;
    let task: Value = answer.error_for_status()?.json().await?;
    let sent = begun.elapsed();
    let path = task["data"]["_read_only"]["id"].as_str().ok_or("no task")?;
    let path = format!("accounts/{ACCOUNT}/tasks/{path}");
    service.send(Method::PATCH, &path, json!({})).await?;
    let task = loop {
        let task =
            service.send(Method::GET, &path, Value::Null).await?["data"]["_read_only"].take();
        if !["pending", "executing"].contains(&task["status"].as_str().unwrap_or_default()) {
            break task;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    };
    if task["status"] != "success" || task["success_count"] != rows {
        return Err(format!("the import ended as {task}").into());
    }
    println!(
        "{store}: {rows} rows sent in {:.1} s, imported in {:.1} s, at most {} MiB resident",
        sent.as_secs_f64(),
        begun.elapsed().saturating_sub(sent).as_secs_f64(),
        memory::peak(service)?
    );
    Ok(per_second(rows, begun.elapsed()))
}

fn pages(rows: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..rows).step_by(PAGE).map(move |first| first..rows.min(first + PAGE))
}

fn number(place: usize) -> String {
    format!("+1415{:07}", 2_000_000 + place)
}

/// A number as an import leaves it.
fn document() -> Value {
    let prepend = json!({"name": "ACME"});
    json!({
        "pvt_type": "number", "pvt_db_name": "numbers%2F%2B1415", "pvt_module_name": "knm_telnyx",
        "pvt_state": "in_service", "pvt_state_since": 63_900_000_000_i64, "pvt_ported_in": false,
        "pvt_assigned_to": ACCOUNT, "pvt_authorizing_account": "system",
        "pvt_features": {"prepend": prepend}, "pvt_created": 63_900_000_000_i64,
        "pvt_modified": 63_900_000_000_i64, "pvt_write_id": "0123456789abcdef0123456789abcdef",
        "prepend": prepend,
    })
}
