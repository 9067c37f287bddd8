//! What the service costs, as ratios against the same work made raw, both sides in turn in one run.
//!
//! `cargo bench --bench service` measures over SQLite; with `COUCHDB_URL` set it also measures over
//! that CouchDB, in databases of its own that it removes again. Each line gives the median of the
//! rounds and the lowest and highest of them.
//!
//! Reads are asked for over connections that are held open, with as little of a client as there
//! is, on both sides: what a client costs would otherwise be most of what is measured. Writing and
//! converting by hand goes through the HTTP client that the service itself uses.

use std::{
    future::Future,
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use async_trait::async_trait;
use base64::{Engine, prelude::BASE64_STANDARD};
use futures::future::{BoxFuture, try_join_all};
use http_body_util::{BodyExt, Empty};
use hyper::{body::Bytes, client::conn::http1};
use hyper_util::rt::TokioIo;
use reqwest::{Client, Method, StatusCode, Url};
use serde_json::{Value, json};
use tokio::net::TcpStream;

const ACCOUNT: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
const ROUNDS: usize = 7;
const CLIENTS: usize = 32;
const READ_NUMBERS: usize = 2_000;
const CONVERTED: usize = 20_000;

type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

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
    let raw = Arc::new(Raw::new(url));
    println!("CouchDB {}", raw.version().await?);
    let outcome = against_couchdb(url, &raw).await;
    raw.clean().await?;
    outcome
}

async fn against_couchdb(url: &str, raw: &Arc<Raw>) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let settings = [
        ("COUCHDB_URL", url),
        ("NUMBER_MANAGER__COUCHDB__DATABASE_PREFIX", raw.prefix.as_str()),
        ("NUMBER_MANAGER__ACCOUNTS__MANAGE", "true"),
    ];
    let service = Arc::new(Service::start(dir.path(), &settings).await?);
    service.create_account().await?;
    create(&service).await?;

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

    // Each side has numbers of its own, so that the service's index over carriers knows its own
    // writes and not those of the other side.
    raw.fill("+1416").await?;
    raw.fill("+1417").await?;
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    service.convert("knm_none", "knm_telnyx").await?;
    for round in 0..5 {
        let (source, target) = if round % 2 == 0 {
            ("knm_telnyx", "knm_simwood")
        } else {
            ("knm_simwood", "knm_telnyx")
        };
        let begun = Instant::now();
        raw.convert("+1417", target).await?;
        theirs.push(per_second(CONVERTED, begun.elapsed()));
        let begun = Instant::now();
        let changed = service.convert(source, target).await?;
        ours.push(per_second(CONVERTED, begun.elapsed()));
        if changed != CONVERTED as u64 {
            return Err(format!("{changed} numbers were converted").into());
        }
    }
    compare("CouchDB: converting 20,000 numbers", &ours, &theirs);
    Ok(())
}

/// The service as a process of its own, killed when it is dropped.
struct Service {
    process: Child,
    base: String,
    token: String,
    client: Client,
}

impl Service {
    async fn start(dir: &Path, settings: &[(&str, &str)]) -> Outcome<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let command = |argument: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_number-manager"));
            command
                .args(argument)
                .env_remove("COUCHDB_URL")
                .env("NUMBER_MANAGER_LISTEN", format!("127.0.0.1:{port}"))
                .env("NUMBER_MANAGER_DATA_DIR", dir)
                .env("NUMBER_MANAGER_LOG", "warn")
                .env("NUMBER_MANAGER__RATE_LIMIT__PER_SECOND", "0")
                .envs(settings.iter().copied());
            command
        };
        let mut process = command(&["serve"]).stdout(Stdio::null()).spawn()?;
        let client = Client::new();
        let base = format!("http://127.0.0.1:{port}");
        let deadline = Instant::now() + Duration::from_secs(30);
        while client.get(format!("{base}/readyz")).send().await.is_err() {
            if Instant::now() > deadline || process.try_wait()?.is_some() {
                return Err("the service did not start".into());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let mut minted = command(&["token", "--admin"]).stdout(Stdio::piped()).spawn()?;
        let mut token = String::new();
        let output = minted.stdout.take().ok_or("no output of the token command")?;
        BufReader::new(output).read_line(&mut token)?;
        minted.wait()?;
        Ok(Self { process, base, token: token.trim().to_owned(), client })
    }

    async fn send(&self, method: Method, path: &str, data: Value) -> Outcome<Value> {
        let request = self.client.request(method, format!("{}/v2/{path}", self.base));
        let request = request.header("X-Auth-Token", &self.token);
        let answer = request.json(&json!({ "data": data })).send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}").into()) }
    }

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

    async fn convert(&self, source: &str, target: &str) -> Outcome<u64> {
        let scope = json!({"databases": ["+1416"]});
        let data = json!({"source": source, "target": target, "scope": scope});
        let job = self.send(Method::POST, "maintenance/convert_carrier", data).await?;
        Ok(job["data"]["counts"]["changed"].as_u64().unwrap_or_default())
    }
}

#[async_trait]
impl Side for Service {
    async fn write(&self, number: &str, stamp: usize) -> Outcome<()> {
        self.send(Method::PATCH, &path(number), json!({ "stamp": stamp })).await.map(|_| ())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The same work made by hand, request by request.
struct Raw {
    base: String,
    prefix: String,
    client: Client,
}

impl Raw {
    fn new(url: &str) -> Self {
        let prefix = format!("bench{}_", std::process::id());
        Self { base: url.trim_end_matches('/').to_owned(), prefix, client: Client::new() }
    }

    fn database(&self, name: &str) -> String {
        let name = format!("{}{name}", self.prefix).replace('/', "%2F").replace('+', "%2B");
        format!("{}/{name}", self.base)
    }

    fn number(&self, number: &str) -> String {
        let id = number.replace('+', "%2B");
        format!("{}/{id}", self.database(&format!("numbers/{}", &number[..5])))
    }

    fn account(&self) -> String {
        let (a, b, rest) = (&ACCOUNT[..2], &ACCOUNT[2..4], &ACCOUNT[4..]);
        self.database(&format!("account/{a}/{b}/{rest}"))
    }

    fn line(&self) -> Outcome<Line> {
        let url = Url::parse(&self.base)?;
        let user = format!("{}:{}", url.username(), url.password().unwrap_or_default());
        let header = ("Authorization", format!("Basic {}", BASE64_STANDARD.encode(user)));
        let path = |i| Ok(Url::parse(&self.number(&number(i)))?.path().to_owned());
        let paths = (0..READ_NUMBERS).map(path).collect::<Outcome<_>>()?;
        Ok(Line { authority: authority(&url)?, header, paths })
    }

    async fn version(&self) -> Outcome<String> {
        let answer: Value = self.client.get(&self.base).send().await?.json().await?;
        Ok(answer["version"].as_str().unwrap_or("of unknown version").to_owned())
    }

    async fn json(&self, request: reqwest::RequestBuilder) -> Outcome<Value> {
        let answer = request.send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}").into()) }
    }

    /// Stores the numbers of the conversion and their copies.
    async fn fill(&self, area: &str) -> Outcome<()> {
        let database = self.database(&format!("numbers/{area}"));
        let created = self.client.put(&database).send().await?.status();
        if !(created.is_success() || created == StatusCode::PRECONDITION_FAILED) {
            return Err(format!("{database}: {created}").into());
        }
        for page in (0..CONVERTED).collect::<Vec<_>>().chunks(1_000) {
            let documents: Vec<Value> = page
                .iter()
                .map(|i| {
                    json!({
                        "_id": format!("{area}{:07}", 5_550_000 + i), "pvt_type": "number",
                        "pvt_db_name": format!("numbers%2F%2B{}", &area[1..]),
                        "pvt_module_name": "knm_telnyx", "pvt_state": "in_service",
                        "pvt_ported_in": false, "pvt_assigned_to": ACCOUNT,
                        "pvt_created": 63_900_000_000_i64, "pvt_modified": 63_900_000_000_i64,
                    })
                })
                .collect();
            for database in [&database, &self.account()] {
                let request = self.client.post(format!("{database}/_bulk_docs"));
                self.json(request.json(&json!({ "docs": documents }))).await?;
            }
        }
        Ok(())
    }

    /// Reads the numbers with their documents, the copies' revisions by key, and writes both; the
    /// carrier's name stays, so that the service finds it.
    async fn convert(&self, area: &str, carrier: &str) -> Outcome<()> {
        let database = self.database(&format!("numbers/{area}"));
        let mut after: Option<String> = None;
        let mut done = 0;
        while done < CONVERTED {
            let from = after.as_ref().map_or_else(|| area.to_owned(), |id| format!("{id}0"));
            let request = self.client.get(format!("{database}/_all_docs")).query(&[
                ("include_docs", "true"),
                ("limit", "1000"),
                ("startkey", &json!(from).to_string()),
            ]);
            let page = self.json(request).await?;
            let mut documents: Vec<Value> = page["rows"]
                .as_array()
                .ok_or("no rows")?
                .iter()
                .map(|row| row["doc"].clone())
                .collect();
            let keys: Vec<Value> =
                documents.iter().map(|document| document["_id"].clone()).collect();
            let request = self.client.post(format!("{}/_all_docs", self.account()));
            let copies = self.json(request.json(&json!({ "keys": keys }))).await?;
            done += documents.len();
            after = keys.last().and_then(Value::as_str).map(str::to_owned);
            for document in &mut documents {
                document["pvt_module_name"] = carrier.into();
                document["pvt_write_id"] = format!("raw-{}", document["_rev"]).into();
            }
            self.write_all(&database, &documents).await?;
            let copies = copies["rows"].as_array().ok_or("no rows")?;
            for (document, copy) in documents.iter_mut().zip(copies) {
                document["_rev"] = copy["value"]["rev"].clone();
            }
            self.write_all(&self.account(), &documents).await?;
        }
        Ok(())
    }

    async fn write_all(&self, database: &str, documents: &[Value]) -> Outcome<()> {
        for chunk in documents.chunks(500) {
            let request = self.client.post(format!("{database}/_bulk_docs"));
            let rows = self.json(request.json(&json!({ "docs": chunk }))).await?;
            if rows.as_array().ok_or("no rows")?.iter().any(|row| row.get("error").is_some()) {
                return Err("a document of a bulk write was refused".into());
            }
        }
        Ok(())
    }

    async fn clean(&self) -> Outcome<()> {
        let all = self.json(self.client.get(format!("{}/_all_dbs", self.base))).await?;
        for name in all.as_array().into_iter().flatten().filter_map(Value::as_str) {
            if let Some(name) = name.strip_prefix(&self.prefix) {
                self.client.delete(self.database(name)).send().await?;
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Side for Raw {
    /// What the promise needs: both documents read side by side, both written one after the other.
    async fn write(&self, number: &str, stamp: usize) -> Outcome<()> {
        let mirror = format!("{}/{}", self.account(), number.replace('+', "%2B"));
        let (first, second) = tokio::try_join!(
            self.json(self.client.get(self.number(number))),
            self.json(self.client.get(&mirror)),
        )?;
        for (url, mut document) in [(self.number(number), first), (mirror, second)] {
            document["stamp"] = stamp.into();
            document["pvt_write_id"] = format!("raw-{stamp}").into();
            self.json(self.client.put(url).json(&document)).await?;
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

#[expect(clippy::cast_precision_loss, reason = "a few thousand operations")]
fn per_second(operations: usize, elapsed: Duration) -> f64 {
    operations as f64 / elapsed.as_secs_f64()
}

fn report(what: &str, figures: &mut [f64]) {
    let (median, low, high) = spread(figures);
    println!("{what}: median {median:.0} (lowest {low:.0}, highest {high:.0})");
}

fn compare(what: &str, ours: &[f64], theirs: &[f64]) {
    let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, raw)| ours / raw).collect();
    let (median, low, high) = spread(&mut ratios);
    let ours = spread(&mut ours.to_vec()).0;
    let raw = spread(&mut theirs.to_vec()).0;
    println!(
        "{what}: {median:.2} of raw (lowest {low:.2}, highest {high:.2}); {ours:.0}/s against {raw:.0}/s"
    );
}

fn spread(figures: &mut [f64]) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}
