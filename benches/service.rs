//! What the service costs, as ratios against the same work made raw, both sides in turn in one run.
//!
//! `cargo bench --bench service` measures over SQLite; with `COUCHDB_URL` set it also measures over
//! that CouchDB, in databases of its own that it removes again. Each line gives the median of the
//! rounds and the lowest and highest of them.
//!
//! Reads are asked for over connections that are held open, with as little of a client as there
//! is, on both sides: what a client costs would otherwise be most of what is measured. Writing by hand
//! goes through the HTTP client that the service itself uses.

#[path = "support/compare.rs"]
mod compare;
#[path = "support/mod.rs"]
mod support;

use std::{
    future::Future,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Instant,
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::{BoxFuture, try_join_all};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use reqwest::{Method, Url};
use serde_json::json;
use tokio::net::TcpStream;

use compare::compare;
use support::{Outcome, Server, Service, per_second, spread};

const ACCOUNT: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
/// Where the raw side notes who writes.
const HISTORY: &str = "number_manager_history-000000";
const ROUNDS: usize = 7;
const CLIENTS: usize = 32;
const READ_NUMBERS: usize = 2_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome<()> {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a TLS provider")?;
    sqlite().await?;
    #[expect(clippy::disallowed_methods, reason = "a benchmark has no configuration of its own")]
    let url = std::env::var("COUCHDB_URL");
    if let Ok(url) = url {
        return couchdb(&url).await;
    }
    println!("COUCHDB_URL is not set: nothing was measured over CouchDB");
    Ok(())
}

async fn sqlite() -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let service = Arc::new(Service::start(dir.path(), &[]).await?);
    service.create_account().await?;
    create(&service).await?;
    let mut reads = Vec::new();
    let mut writes = Vec::new();
    for round in 0..ROUNDS {
        reads.push(read_rate(&service.line()?, 40_000).await?);
        writes.push(rate(CLIENTS, 5_000, writing(&service, round * 10_000)).await?);
    }
    report("SQLite: reads of one number a second, 32 clients", &mut reads);
    report("SQLite: durable mirrored writes a second, 32 clients", &mut writes);
    Ok(())
}

/// Creates the numbers that are read and written.
async fn create(service: &Arc<Service>) -> Outcome<()> {
    let service = service.clone();
    let create = move |i| {
        let service = service.clone();
        async move { service.create(&number(i)).await }
    };
    rate(CLIENTS, READ_NUMBERS, create).await.map(|_| ())
}

fn writing<S: Side>(
    side: &Arc<S>,
    stamp: usize,
) -> impl Fn(usize) -> BoxFuture<'static, Outcome<()>> + use<S> {
    let side = side.clone();
    move |i| {
        let side = side.clone();
        Box::pin(async move { side.write(&number(i % READ_NUMBERS), stamp + i).await })
    }
}

/// One of the two that are compared.
#[async_trait]
trait Side: Send + Sync + 'static {
    async fn write(&self, number: &str, stamp: usize) -> Outcome<()>;
}

async fn couchdb(url: &str) -> Outcome<()> {
    let raw = Arc::new(Raw(Server::new(url)));
    println!("CouchDB {}", raw.0.version().await?);
    let outcome = against_couchdb(url, &raw).await;
    raw.0.clean().await?;
    outcome
}

async fn against_couchdb(url: &str, raw: &Arc<Raw>) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let settings = [
        ("COUCHDB_URL", url),
        ("NUMBER_MANAGER__COUCHDB__DATABASE_PREFIX", raw.0.prefix.as_str()),
        ("NUMBER_MANAGER__ACCOUNTS__MANAGE", "true"),
    ];
    let service = Arc::new(Service::start(dir.path(), &settings).await?);
    service.create_account().await?;
    create(&service).await?;
    raw.0.json(raw.0.client.put(raw.0.database(HISTORY))).await?;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        theirs.push(read_rate(&raw.line()?, 10_000).await?);
        ours.push(read_rate(&service.line()?, 10_000).await?);
    }
    compare("CouchDB: reading one number, 32 clients", &ours, &theirs);

    for (clients, operations) in [(1, 200), (CLIENTS, 2_000)] {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            let stamp = (clients * ROUNDS + round) * 100_000;
            theirs.push(rate(clients, operations, writing(raw, stamp)).await?);
            ours.push(rate(clients, operations, writing(&service, stamp + 50_000)).await?);
        }
        compare(&format!("CouchDB: a mirrored write, {clients} client(s)"), &ours, &theirs);
    }

    Ok(())
}

/// What the benchmark asks of the service.
trait Numbers {
    fn line(&self) -> Outcome<Line>;
    async fn create_account(&self) -> Outcome<()>;
    async fn create(&self, number: &str) -> Outcome<()>;
}

impl Numbers for Service {
    fn line(&self) -> Outcome<Line> {
        let url = Url::parse(&self.base)?;
        let paths = (0..READ_NUMBERS).map(|i| format!("/v2/{}", path(&number(i)))).collect();
        Ok(Line {
            authority: authority(&url)?,
            header: ("X-Auth-Token", self.token.clone()),
            paths,
        })
    }

    async fn create_account(&self) -> Outcome<()> {
        let account = json!({"name": "Benchmark", "wnm_allow_additions": true});
        self.send(Method::PUT, &format!("accounts/{ACCOUNT}"), account).await.map(|_| ())
    }

    async fn create(&self, number: &str) -> Outcome<()> {
        self.send(Method::PUT, &path(number), json!({})).await.map(|_| ())
    }
}

#[async_trait]
impl Side for Service {
    async fn write(&self, number: &str, stamp: usize) -> Outcome<()> {
        self.send(Method::PATCH, &path(number), json!({ "stamp": stamp })).await.map(|_| ())
    }
}

/// The same work made by hand, request by request.
struct Raw(Server);

impl Raw {
    fn number(&self, number: &str) -> String {
        let id = number.replace('+', "%2B");
        format!("{}/{id}", self.0.database(&format!("numbers/{}", &number[..5])))
    }

    fn account(&self) -> String {
        let (a, b, rest) = (&ACCOUNT[..2], &ACCOUNT[2..4], &ACCOUNT[4..]);
        self.0.database(&format!("account/{a}/{b}/{rest}"))
    }

    fn line(&self) -> Outcome<Line> {
        let url = Url::parse(&self.0.base)?;
        let user = format!("{}:{}", url.username(), url.password().unwrap_or_default());
        let header = ("Authorization", format!("Basic {}", BASE64_STANDARD.encode(user)));
        let path = |i| Ok(Url::parse(&self.number(&number(i)))?.path().to_owned());
        let paths = (0..READ_NUMBERS).map(path).collect::<Outcome<_>>()?;
        Ok(Line { authority: authority(&url)?, header, paths })
    }
}

#[async_trait]
impl Side for Raw {
    /// What the promise needs: both documents read side by side; who writes, and both of them, written
    /// one after the other.
    async fn write(&self, number: &str, stamp: usize) -> Outcome<()> {
        let mirror = format!("{}/{}", self.account(), number.replace('+', "%2B"));
        let (first, second) = tokio::try_join!(
            self.0.json(self.0.client.get(self.number(number))),
            self.0.json(self.0.client.get(&mirror)),
        )?;
        let entry = json!({
            "pvt_type": "number_write", "number": number, "time": "2026-01-01T00:00:00Z",
            "operation": "PATCH /v2/accounts/{account_id}/phone_numbers/{number}",
            "request_id": format!("{stamp:032x}"), "pvt_follows": first["pvt_write_id"],
            "before": {"state": "in_service", "assigned_to": ACCOUNT, "revision": first["_rev"]},
            "after": {"state": "in_service", "assigned_to": ACCOUNT},
            "pvt_write_id": format!("raw-{stamp}"),
        });
        let id = format!("{number}@20260101000000@{stamp:032x}").replace('+', "%2B");
        let url = format!("{}/{id}", self.0.database(HISTORY));
        self.0.json(self.0.client.put(url).json(&entry)).await?;
        for (url, mut document) in [(self.number(number), first), (mirror, second)] {
            document["stamp"] = stamp.into();
            document["pvt_write_id"] = format!("raw-{stamp}").into();
            self.0.json(self.0.client.put(url).json(&document)).await?;
        }
        Ok(())
    }
}

fn authority(url: &Url) -> Outcome<String> {
    let host = url.host_str().ok_or("the server has no host")?;
    let port = url.port_or_known_default().ok_or("the server has no port")?;
    Ok(format!("{host}:{port}"))
}

fn number(i: usize) -> String {
    format!("+1415{:07}", 5_550_000 + i)
}

fn path(number: &str) -> String {
    format!("accounts/{ACCOUNT}/phone_numbers/{}", number.replace('+', "%2B"))
}

/// What reads are asked of.
struct Line {
    authority: String,
    header: (&'static str, String),
    /// The path of each number.
    paths: Vec<String>,
}

/// How many reads a second 32 clients at once get done, each over a connection of its own.
async fn read_rate(line: &Line, operations: usize) -> Outcome<f64> {
    let next = AtomicUsize::new(0);
    let mut senders = Vec::new();
    for _ in 0..CLIENTS {
        let stream = TcpStream::connect(&line.authority).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        senders.push(sender);
    }
    let begun = Instant::now();
    try_join_all(senders.into_iter().map(|sender| read_until(line, sender, &next, operations)))
        .await?;
    Ok(per_second(operations, begun.elapsed()))
}

async fn read_until(
    line: &Line,
    mut sender: http1::SendRequest<Empty<Bytes>>,
    next: &AtomicUsize,
    operations: usize,
) -> Outcome<()> {
    loop {
        let i = next.fetch_add(1, Ordering::Relaxed);
        if i >= operations {
            return Ok(());
        }
        sender.ready().await?;
        let request = hyper::Request::get(&line.paths[i % READ_NUMBERS])
            .header("Host", &line.authority)
            .header(line.header.0, &line.header.1)
            .header("Accept", "application/json");
        let answer = sender.send_request(request.body(Empty::new())?).await?;
        let status = answer.status();
        let body = answer.into_body().collect().await?.to_bytes();
        if !status.is_success() {
            return Err(format!("{status}: {}", String::from_utf8_lossy(&body)).into());
        }
    }
}

/// How many operations a second `clients` at once get done, each a task of its own.
async fn rate<F, D>(clients: usize, operations: usize, operation: F) -> Outcome<f64>
where
    F: Fn(usize) -> D + Send + Sync + 'static,
    D: Future<Output = Outcome<()>> + Send + 'static,
{
    let operation = Arc::new(operation);
    let next = Arc::new(AtomicUsize::new(0));
    let begun = Instant::now();
    let client = |_| {
        let (operation, next) = (operation.clone(), next.clone());
        tokio::spawn(async move {
            loop {
                let i = next.fetch_add(1, Ordering::Relaxed);
                if i >= operations {
                    return Ok::<(), Box<dyn std::error::Error + Send + Sync>>(());
                }
                operation(i).await?;
            }
        })
    };
    for client in (0..clients).map(client).collect::<Vec<_>>() {
        client.await??;
    }
    Ok(per_second(operations, begun.elapsed()))
}

/// Tells figures.
fn report(what: &str, figures: &mut [f64]) {
    let (median, low, high) = spread(figures);
    println!("{what}: median {median:.0} (lowest {low:.0}, highest {high:.0})");
}
