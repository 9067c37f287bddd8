//! What jobs cost, as ratios against the same work made raw at the same concurrency, both sides in
//! turn in one run: documents read page by page, the revisions of copies by key, the journal, who writes,
//! and both bulk writes.
//!
//! `COUCHDB_URL=… cargo bench --bench maintenance` builds its own data in databases of its own and
//! removes them again. `BENCH_NUMBERS` (200,000), `BENCH_DATABASES` (300), `BENCH_ACCOUNTS` (2,000) and
//! `BENCH_ROUNDS` (1) say how much. Without a CouchDB it measures over SQLite how much memory a
//! conversion of so many numbers takes.

#[path = "support/compare.rs"]
mod compare;
#[path = "support/memory.rs"]
mod memory;
#[path = "support/size.rs"]
mod size;
#[path = "support/mod.rs"]
mod support;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use compare::compare;
use futures::{StreamExt, TryStreamExt, stream};
use number_manager::store::{
    Body, DbName, DocumentStore, Expect, Write,
    sqlite::{SqliteConfig, SqliteStore},
};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use size::of_environment;
use support::{Outcome, Server, Service, per_second, spread};

/// Where the raw side notes who writes. The service drops old databases that are named like its own.
const HISTORY: &str = "number_manager_raw_history";
/// How many databases a job works on at once, and so does the raw side.
const CONCURRENCY: usize = 4;
/// How many databases the service asks for counts at once.
const COUNTED_AT_ONCE: usize = 16;
/// How many accounts' databases are asked at once for one page.
const LOOKUPS: usize = 16;
/// How many databases are written at once for one page.
const BULK_WRITES: usize = 8;
/// How many documents a page has.
const PAGE: usize = 1_000;
/// How many numbers in a row an account has.
const BLOCK: usize = 10;
/// For how long reads are timed, in seconds.
const TIMED: u64 = 5;
/// For how long they are not timed at first, in seconds: what was being written when they began is
/// written to its end.
const UNTIMED: u64 = 2;
/// How many clients read meanwhile.
const READERS: usize = 4;

/// What the benchmark asks of the service.
trait Jobs {
    /// Runs an operation to its end and returns the job.
    async fn run(&self, operation: &str, data: Value) -> Outcome<Value>;
}

impl Jobs for Service {
    async fn run(&self, operation: &str, data: Value) -> Outcome<Value> {
        let path = format!("maintenance/{operation}?wait=25");
        let mut job = self.send(Method::POST, &path, data).await?;
        while ["queued", "running"].contains(&job["data"]["state"].as_str().unwrap_or_default()) {
            let id = job["data"]["id"].as_str().ok_or("no job")?;
            job = self.send(Method::GET, &format!("jobs/{id}?wait=25"), Value::Null).await?;
        }
        Ok(job["data"].take())
    }
}

/// How much there is.
#[derive(Clone, Copy)]
struct Size {
    numbers: usize,
    databases: usize,
    accounts: usize,
    rounds: usize,
}

impl Size {
    fn of_environment() -> Self {
        Self {
            numbers: of_environment("BENCH_NUMBERS", 200_000),
            databases: of_environment("BENCH_DATABASES", 300),
            accounts: of_environment("BENCH_ACCOUNTS", 2_000),
            rounds: of_environment("BENCH_ROUNDS", 1),
        }
    }

    fn names(self) -> impl Iterator<Item = String> {
        (0..self.databases).map(|place| format!("numbers/+{}", 2000 + place))
    }

    fn account_ids(self) -> impl Iterator<Item = String> {
        (0..self.accounts).map(|place| format!("{:032x}", place + 1))
    }

    /// The numbers of a database, each with its owner.
    fn of_database(self, database: &str) -> impl Iterator<Item = (String, String)> + use<> {
        let area: usize = database.trim_start_matches("numbers/+").parse().unwrap_or_default();
        let each = self.numbers.div_ceil(self.databases);
        let first = (area - 2000) * each;
        let last = (first + each).min(self.numbers);
        (first..last).map(move |place| {
            let owner = format!("{:032x}", place / BLOCK % self.accounts + 1);
            (format!("+{area}{:07}", place - first), owner)
        })
    }
}

fn account_database(id: &str) -> String {
    format!("account/{}/{}/{}", &id[..2], &id[2..4], &id[4..])
}

fn document(number: &str, owner: &str, carrier: &str) -> Value {
    json!({
        "pvt_type": "number", "pvt_db_name": format!("numbers%2F%2B{}", &number[1..5]),
        "pvt_module_name": carrier, "pvt_state": "in_service", "pvt_ported_in": false,
        "pvt_assigned_to": owner, "pvt_authorizing_account": "system",
        "pvt_features": {}, "pvt_carrier_data": {"order": "0123456789"},
        "pvt_created": 63_900_000_000_i64, "pvt_modified": 63_900_000_000_i64,
        "cnam": {"display_name": "ACME"}, "used_by": "callflow",
    })
}

#[tokio::main]
async fn main() -> Outcome<()> {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a TLS provider")?;
    let size = Size::of_environment();
    #[expect(clippy::disallowed_methods, reason = "a benchmark has no configuration of its own")]
    let url = std::env::var("COUCHDB_URL");
    let Ok(url) = url else {
        println!("COUCHDB_URL is not set: only memory is measured, over SQLite");
        return of_memory(size).await;
    };
    let (server, noted) = (Arc::new(Server::new(&url)), AtomicUsize::new(0));
    let raw = Raw { server, size, noted };
    println!("CouchDB {}", raw.server.version().await?);
    let outcome = against_couchdb(&url, &raw).await;
    raw.server.clean().await?;
    outcome
}

/// Converts everything over SQLite, and tells the most memory that the service had.
async fn of_memory(size: Size) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    {
        let file = dir.path().join("number-manager.sqlite");
        let store = SqliteStore::open(&file, &SqliteConfig::default())?;
        for id in size.account_ids() {
            let db = DbName::new(account_database(&id));
            store.create_database(&db).await?;
            let account = Body::from_iter([("pvt_type".to_owned(), "account".into())]);
            let write = Write::put(db, id, Expect::Absent, account);
            store.commit(vec![write]).await.map_err(|err| err.error)?;
        }
        for name in size.names() {
            store.create_database(&DbName::new(name.as_str())).await?;
            let set = |(number, owner): (String, String)| {
                let body: Body = match document(&number, &owner, "knm_telnyx") {
                    Value::Object(body) => body,
                    _ => Body::new(),
                };
                [name.clone(), account_database(&owner)]
                    .map(|db| {
                        Write::put(DbName::new(db), number.as_str(), Expect::Absent, body.clone())
                    })
                    .to_vec()
            };
            for made in store.commit_many(size.of_database(&name).map(set).collect()).await {
                made.map_err(|err| err.error)?;
            }
        }
    }
    let service = Service::start(dir.path(), &[]).await?;
    let begun = Instant::now();
    let job = service.run("convert_carrier", conversion("knm_telnyx", "knm_simwood")).await?;
    check(&job, size.numbers)?;
    let rate = per_second(size.numbers, begun.elapsed());
    let memory = memory::peak(&service)?;
    println!(
        "SQLite: {} numbers converted, {rate:.0}/s, at most {memory} MiB resident",
        size.numbers
    );
    let begun = Instant::now();
    service.run("audit", json!({"scope": {"all": true}})).await?;
    let rate = per_second(size.numbers, begun.elapsed());
    let memory = memory::peak(&service)?;
    println!("SQLite: the same audited, {rate:.0}/s, at most {memory} MiB resident");
    Ok(())
}

fn conversion(source: &str, target: &str) -> Value {
    json!({"source": source, "target": target, "scope": {"all": true}})
}

fn check(job: &Value, changed: usize) -> Outcome<()> {
    if job["state"] == "succeeded" && job["counts"]["changed"] == changed {
        return Ok(());
    }
    let told = (&job["state"], &job["counts"], &job["failures"][0]);
    Err(format!("not {changed} changed: {told:?}").into())
}

async fn against_couchdb(url: &str, raw: &Raw) -> Outcome<()> {
    let dir = tempfile::tempdir()?;
    let settings =
        [("COUCHDB_URL", url), ("NUMBER_MANAGER__COUCHDB__DATABASE_PREFIX", &raw.server.prefix)];
    let begun = Instant::now();
    raw.fill().await?;
    println!("filled in {:.0} s", begun.elapsed().as_secs_f64());
    let service = Arc::new(Service::start(dir.path(), &settings).await?);
    let begun = Instant::now();
    service.send(Method::GET, "maintenance/carrier_usage", Value::Null).await?;
    println!("indexed in {:.0} s", begun.elapsed().as_secs_f64());
    let Size { numbers, rounds, .. } = raw.size;

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(5) {
        let begun = Instant::now();
        raw.usage().await?;
        theirs.push(per_second(1, begun.elapsed()));
        let begun = Instant::now();
        service.send(Method::GET, "maintenance/carrier_usage", Value::Null).await?;
        ours.push(per_second(1, begun.elapsed()));
    }
    compare("usage of everything", &ours, &theirs);

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let mut names = ["knm_telnyx", "knm_simwood"];
    for _ in 0..rounds {
        let begun = Instant::now();
        raw.convert(names[0], names[1]).await?;
        theirs.push(per_second(numbers, begun.elapsed()));
        names.reverse();
        // The index follows what was written before it is asked.
        service.send(Method::GET, "maintenance/carrier_usage", Value::Null).await?;
        let begun = Instant::now();
        check(&service.run("convert_carrier", conversion(names[0], names[1])).await?, numbers)?;
        ours.push(per_second(numbers, begun.elapsed()));
        names.reverse();
    }
    compare("converting", &ours, &theirs);

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        raw.spoil_copies(2 * round).await?;
        let begun = Instant::now();
        raw.copy_to_accounts().await?;
        theirs.push(per_second(numbers, begun.elapsed()));
        raw.spoil_copies(2 * round + 1).await?;
        let begun = Instant::now();
        let scope = json!({"scope": {"all": true}});
        check(&service.run("copy_to_accounts", scope).await?, numbers)?;
        ours.push(per_second(numbers, begun.elapsed()));
    }
    compare("copying to accounts", &ours, &theirs);

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        raw.empty_number_databases().await?;
        let begun = Instant::now();
        raw.copy_to_numbers().await?;
        theirs.push(per_second(numbers, begun.elapsed()));
        raw.empty_number_databases().await?;
        let begun = Instant::now();
        let scope = json!({"scope": {"all": true}});
        check(&service.run("copy_to_number_databases", scope).await?, numbers)?;
        ours.push(per_second(numbers, begun.elapsed()));
    }
    compare("copying to number databases", &ours, &theirs);

    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(3) {
        let begun = Instant::now();
        raw.read_both_sides().await?;
        theirs.push(per_second(numbers, begun.elapsed()));
        let begun = Instant::now();
        let job = service.run("audit", json!({"scope": {"all": true}})).await?;
        if job["state"] != "succeeded" || job["findings"] != json!({}) {
            return Err(format!("the audit found {} {}", job["state"], job["findings"]).into());
        }
        ours.push(per_second(numbers, begun.elapsed()));
    }
    compare("auditing", &ours, &theirs);

    politeness(&service, raw).await?;
    println!("at most {} MiB resident", memory::peak(&service)?);
    Ok(())
}

/// How long reads of single numbers take while nothing runs, and while a job does, in turns: with what
/// is set by default, and with small pages and pauses.
async fn politeness(service: &Arc<Service>, raw: &Raw) -> Outcome<()> {
    let numbers: Vec<String> =
        raw.size.names().flat_map(|name| raw.size.of_database(&name)).map(|(it, _)| it).collect();
    // The index follows what was written before it is asked.
    service.send(Method::GET, "maintenance/carrier_usage", Value::Null).await?;
    let gentle = json!({"page_size": 20, "concurrency": 1, "pause_ms": 100});
    let ways = [("as it is by default", json!({})), ("with pauses", gentle)];
    let mut beside = [Vec::new(), Vec::new()];
    let mut idle = Vec::new();
    for _ in 0..raw.size.rounds.max(3) {
        let alone = p99(&latencies(service, &numbers, Duration::from_secs(TIMED)).await?);
        for ((what, options), ratios) in ways.iter().zip(&mut beside) {
            match beside_job(service, &numbers, options).await? {
                Some(busy) => ratios.push(busy / alone),
                None => println!("beside a job {what}: it ended too soon to tell"),
            }
        }
        idle.push(alone);
    }
    let (median, low, high) = spread(&mut idle);
    println!(
        "reads of single numbers, {READERS} clients: p99 {median:.1} ms idle ({low:.1} to {high:.1})"
    );
    for ((what, _), mut ratios) in ways.into_iter().zip(beside) {
        let (median, low, high) = spread(&mut ratios);
        println!(
            "p99 beside a job {what}: {median:.1} of idle (lowest {low:.1}, highest {high:.1})"
        );
    }
    Ok(())
}

/// The p99 of reads, in milliseconds, while a conversion runs; none when it ended before they did.
async fn beside_job(
    service: &Arc<Service>,
    numbers: &[String],
    options: &Value,
) -> Outcome<Option<f64>> {
    for (source, target) in [
        ("knm_simwood", "knm_bandwidth2"),
        ("knm_telnyx", "knm_bandwidth2"),
        ("knm_bandwidth2", "knm_simwood"),
    ] {
        let mut data = conversion(source, target);
        data["options"] = options.clone();
        let job = service.send(Method::POST, "maintenance/convert_carrier", data).await?;
        let path = format!("jobs/{}", job["data"]["id"].as_str().ok_or("no job")?);
        tokio::time::sleep(Duration::from_secs(1)).await;
        latencies(service, numbers, Duration::from_secs(UNTIMED)).await?;
        let times = latencies(service, numbers, Duration::from_secs(TIMED)).await?;
        let job = service.send(Method::GET, &path, Value::Null).await?;
        let was_busy = job["data"]["state"] == "running";
        if was_busy {
            let _ = service.send(Method::DELETE, &path, Value::Null).await;
        }
        service.send(Method::GET, &format!("{path}?wait=25"), Value::Null).await?;
        if was_busy {
            return Ok(Some(p99(&times)));
        }
    }
    Ok(None)
}

fn p99(times: &[f64]) -> f64 {
    times.get(times.len() * 99 / 100).copied().unwrap_or_default()
}

/// How long reads take, in milliseconds, sorted.
async fn latencies(
    service: &Arc<Service>,
    numbers: &[String],
    time: Duration,
) -> Outcome<Vec<f64>> {
    let until = Instant::now() + time;
    let reader = |first: usize| {
        let service = service.clone();
        let numbers: Vec<String> =
            numbers.iter().skip(first).step_by(101).map(ToOwned::to_owned).collect();
        tokio::spawn(async move {
            let mut times = Vec::new();
            for number in numbers.iter().cycle() {
                let begun = Instant::now();
                if begun > until {
                    break;
                }
                let path = format!("phone_numbers/{}", number.replace('+', "%2B"));
                service.send(Method::GET, &path, Value::Null).await?;
                times.push(begun.elapsed().as_secs_f64() * 1000.0);
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(times)
        })
    };
    let mut all = Vec::new();
    for reader in (0..READERS).map(reader).collect::<Vec<_>>() {
        all.extend(reader.await??);
    }
    let _ = spread(&mut all);
    Ok(all)
}

/// The same work made by hand.
struct Raw {
    server: Arc<Server>,
    size: Size,
    /// How many writes were noted.
    noted: AtomicUsize,
}

/// Documents by the database that they are in.
type ByDatabase = BTreeMap<String, Vec<Value>>;

impl Raw {
    /// Writes documents to a database, 500 at a time.
    async fn write_all(&self, database: &str, documents: &[Value]) -> Outcome<()> {
        for chunk in documents.chunks(500) {
            let request = self.server.client.post(format!("{database}/_bulk_docs"));
            let rows = self.server.json(request.json(&json!({ "docs": chunk }))).await?;
            if rows.as_array().ok_or("no rows")?.iter().any(|row| row.get("error").is_some()) {
                return Err("a document of a bulk write was refused".into());
            }
        }
        Ok(())
    }

    async fn create(&self, name: &str) -> Outcome<()> {
        let status = self.server.client.put(self.server.database(name)).send().await?.status();
        if status.is_success() || status == StatusCode::PRECONDITION_FAILED {
            return Ok(());
        }
        Err(format!("{name}: {status}").into())
    }

    /// Does something for each, several at once.
    async fn each<T: Send, F>(
        &self,
        items: Vec<T>,
        at_once: usize,
        call: impl Fn(T) -> F,
    ) -> Outcome<()>
    where
        F: Future<Output = Outcome<()>>,
    {
        stream::iter(items.into_iter().map(Ok)).try_for_each_concurrent(at_once, call).await
    }

    async fn fill(&self) -> Outcome<()> {
        self.create("number_manager_raw").await?;
        self.create(HISTORY).await?;
        let accounts = self.size.account_ids().map(|id| account_database(&id));
        self.each(accounts.collect(), 8, |name| async move { self.create(&name).await }).await?;
        let mut copies = ByDatabase::new();
        for id in self.size.account_ids() {
            let account = json!({"_id": id, "pvt_type": "account", "name": id, "pvt_tree": []});
            copies.entry(account_database(&id)).or_default().push(account);
        }
        for name in self.size.names() {
            for (number, owner) in self.size.of_database(&name) {
                let mut body = document(&number, &owner, "knm_telnyx");
                body["_id"] = number.into();
                copies.entry(account_database(&owner)).or_default().push(body);
            }
        }
        self.write_by_database(copies, 8).await?;
        self.each(self.size.names().collect(), 4, |name| async move {
            self.create(&name).await?;
            let documents = self.size.of_database(&name).map(|(number, owner)| {
                let mut body = document(&number, &owner, "knm_telnyx");
                body["_id"] = number.into();
                body
            });
            let documents: Vec<Value> = documents.collect();
            self.write_all(&self.server.database(&name), &documents).await
        })
        .await
    }

    async fn write_by_database(&self, documents: ByDatabase, at_once: usize) -> Outcome<()> {
        self.each(documents.into_iter().collect(), at_once, |(name, documents)| async move {
            self.write_all(&self.server.database(&name), &documents).await
        })
        .await
    }

    async fn usage(&self) -> Outcome<()> {
        self.each(self.size.names().collect(), COUNTED_AT_ONCE, |name| async move {
            let view = "_design/number_manager/_view/carriers?group_level=1";
            let url = format!("{}/{view}", self.server.database(&name));
            self.server.json(self.server.client.get(url)).await.map(|_| ())
        })
        .await
    }

    /// A page of documents behind an id.
    async fn page(&self, name: &str, after: Option<&str>) -> Outcome<Vec<Value>> {
        let from = after.map_or_else(|| "+".to_owned(), |id| format!("{id}0"));
        let url = format!("{}/_all_docs", self.server.database(name));
        let request = self.server.client.get(url).query(&[
            ("include_docs", "true"),
            ("limit", &PAGE.to_string()),
            ("startkey", &json!(from).to_string()),
            ("endkey", "\"+a\""),
        ]);
        let mut page = self.server.json(request).await?;
        let rows = page["rows"].as_array_mut().ok_or("no rows")?;
        Ok(rows.iter_mut().map(|row| row["doc"].take()).collect())
    }

    /// What lies under ids of one database, by id; by `_bulk_get`, the quicker way.
    async fn by_key(&self, name: &str, ids: &[Value]) -> Outcome<BTreeMap<String, Value>> {
        let url = format!("{}/_bulk_get", self.server.database(name));
        let asked: Vec<Value> = ids.iter().map(|id| json!({ "id": id })).collect();
        let request = self.server.client.post(url).json(&json!({ "docs": asked }));
        let mut answer = self.server.json(request).await?;
        let rows = answer["results"].as_array_mut().map(std::mem::take).ok_or("no rows")?;
        let row = |mut row: Value| {
            let id = row["id"].as_str().unwrap_or_default().to_owned();
            (id, row["docs"][0]["ok"].take())
        };
        Ok(rows.into_iter().map(row).filter(|(_, document)| !document.is_null()).collect())
    }

    async fn journal(&self, entries: Vec<Value>) -> Outcome<()> {
        let url = self.server.database("number_manager_raw");
        let request = self.server.client.post(url).json(&json!({ "sets": entries }));
        self.server.json(request).await.map(|_| ())
    }

    /// Notes who writes these numbers.
    async fn note<'a>(&self, numbers: impl Iterator<Item = &'a Value>) -> Outcome<()> {
        let entry = |number: &Value| {
            let id = number["_id"].as_str().unwrap_or_default();
            let write = format!("{:032x}", self.noted.fetch_add(1, Ordering::Relaxed));
            let side = json!({"state": "in_service", "assigned_to": number["pvt_assigned_to"]});
            json!({
                "_id": format!("{id}@20260101000000@{write}"), "pvt_type": "number_write",
                "number": id, "time": "2026-01-01T00:00:00Z", "operation": "raw", "job_id": write,
                "before": side, "after": side, "pvt_write_id": write, "pvt_follows": write,
            })
        };
        let entries: Vec<Value> = numbers.map(entry).collect();
        self.write_all(&self.server.database(HISTORY), &entries).await
    }

    /// Goes through a database page by page; what is written of one page goes on beside reading the
    /// next.
    async fn pages<F>(&self, name: &str, write: impl Fn(Vec<Value>) -> F) -> Outcome<()>
    where
        F: Future<Output = Outcome<()>>,
    {
        let mut page = self.page(name, None).await?;
        loop {
            let last = page.last().and_then(|it| it["_id"].as_str()).map(str::to_owned);
            if page.len() < PAGE {
                return write(page).await;
            }
            let (next, written) = tokio::join!(self.page(name, last.as_deref()), write(page));
            written?;
            page = next?;
        }
    }

    /// The copies of some numbers.
    async fn copies(&self, documents: &[Value]) -> Outcome<BTreeMap<String, Value>> {
        let mut by_owner: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for document in documents {
            let owner = document["pvt_assigned_to"].as_str().ok_or("no owner")?;
            by_owner.entry(account_database(owner)).or_default().push(document["_id"].clone());
        }
        let reads =
            by_owner.into_iter().map(|(name, ids)| async move { self.by_key(&name, &ids).await });
        let reads: Vec<_> = reads.collect();
        let found: Vec<BTreeMap<String, Value>> =
            stream::iter(reads).buffer_unordered(LOOKUPS).try_collect().await?;
        Ok(found.into_iter().flatten().collect())
    }

    async fn convert(&self, source: &str, target: &str) -> Outcome<()> {
        self.each(self.size.names().collect(), CONCURRENCY, |name| async move {
            let name = &name;
            self.pages(name, |mut documents| async move {
                documents.retain(|document| document["pvt_module_name"] == source);
                let mut found = self.copies(&documents).await?;
                let mut entries = Vec::with_capacity(documents.len());
                let mut copies = ByDatabase::new();
                for document in &mut documents {
                    let id = document["_id"].as_str().unwrap_or_default().to_owned();
                    let copy = found.remove(&id).unwrap_or_default()["_rev"].take();
                    let rev = document["_rev"].clone();
                    entries.push(json!([
                        {"database": name, "id": id, "expected": rev,
                         "before": {"pvt_module_name": source, "pvt_modified": 0},
                         "after": {"pvt_module_name": target, "pvt_modified": 1, "pvt_write_id": rev}},
                        {"database": document["pvt_assigned_to"], "id": id, "expected": copy, "copy": true},
                    ]));
                    document["pvt_module_name"] = target.into();
                    document["pvt_write_id"] = rev;
                    let owner = document["pvt_assigned_to"].as_str().unwrap_or_default();
                    let mut mirror = document.clone();
                    mirror["_rev"] = copy;
                    copies.entry(account_database(owner)).or_default().push(mirror);
                }
                self.journal(entries).await?;
                self.note(documents.iter()).await?;
                self.write_all(&self.server.database(name), &documents).await?;
                self.write_by_database(copies, BULK_WRITES).await
            })
            .await
        })
        .await
    }

    /// Makes every copy unlike its number.
    async fn spoil_copies(&self, round: usize) -> Outcome<()> {
        let accounts = self.size.account_ids().map(|id| account_database(&id));
        self.each(accounts.collect(), 8, |name| async move {
            let name = &name;
            self.pages(name, |mut documents| async move {
                for document in &mut documents {
                    document["spoilt"] = round.into();
                }
                self.write_all(&self.server.database(name), &documents).await
            })
            .await
        })
        .await
    }

    async fn copy_to_accounts(&self) -> Outcome<()> {
        self.each(self.size.names().collect(), CONCURRENCY, |name| async move {
            self.pages(&name, |documents| async move {
                let mut found = self.copies(&documents).await?;
                let mut entries = Vec::with_capacity(documents.len());
                let mut copies = ByDatabase::new();
                for mut document in documents {
                    let id = document["_id"].as_str().unwrap_or_default().to_owned();
                    let copy = found.remove(&id).unwrap_or_default();
                    let owner =
                        account_database(document["pvt_assigned_to"].as_str().unwrap_or_default());
                    entries.push(json!([
                        {"database": owner, "id": id, "expected": copy["_rev"],
                         "before": {"spoilt": copy["spoilt"]}, "after": {}},
                    ]));
                    document["_rev"] = copy["_rev"].clone();
                    copies.entry(owner).or_default().push(document);
                }
                self.journal(entries).await?;
                self.write_by_database(copies, BULK_WRITES).await
            })
            .await
        })
        .await
    }

    async fn empty_number_databases(&self) -> Outcome<()> {
        self.each(self.size.names().collect(), 4, |name| async move {
            self.server.client.delete(self.server.database(&name)).send().await?;
            self.create(&name).await
        })
        .await
    }

    async fn copy_to_numbers(&self) -> Outcome<()> {
        let accounts = self.size.account_ids().map(|id| account_database(&id));
        self.each(accounts.collect(), CONCURRENCY, |name| async move {
            let name = &name;
            self.pages(name, |documents| async move {
                let mut by_database = ByDatabase::new();
                // Number and copy become equal, stamp and all, so both are written.
                let copies = ByDatabase::from([(name.clone(), documents.clone())]);
                for document in documents {
                    let number = document["_id"].as_str().unwrap_or_default();
                    let name = format!("numbers/{}", &number[..5]);
                    by_database.entry(name).or_default().push(document);
                }
                let lookups: Vec<_> = by_database
                    .iter()
                    .map(|(name, documents)| async move {
                        let ids: Vec<Value> =
                            documents.iter().map(|it| it["_id"].clone()).collect();
                        self.by_key(name, &ids).await
                    })
                    .collect();
                let found: Vec<BTreeMap<String, Value>> =
                    stream::iter(lookups).buffer_unordered(LOOKUPS).try_collect().await?;
                if !found.iter().all(BTreeMap::is_empty) {
                    return Err("a number is there already".into());
                }
                let entry = |document: &mut Value| {
                    document["_rev"].take();
                    if let Some(members) = document.as_object_mut() {
                        members.shift_remove("_rev");
                    }
                    json!([{"database": "numbers", "id": document["_id"], "after": document}])
                };
                let entries = by_database.values_mut().flatten().map(entry).collect();
                self.journal(entries).await?;
                self.note(by_database.values().flatten()).await?;
                self.write_by_database(by_database, BULK_WRITES).await?;
                self.write_by_database(copies, BULK_WRITES).await
            })
            .await
        })
        .await
    }

    async fn read_both_sides(&self) -> Outcome<()> {
        let accounts = self.size.account_ids().map(|id| account_database(&id));
        let all: Vec<String> = self.size.names().chain(accounts).collect();
        self.each(
            all,
            CONCURRENCY,
            |name| async move { self.pages(&name, |_| async { Ok(()) }).await },
        )
        .await
    }
}
