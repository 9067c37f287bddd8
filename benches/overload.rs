//! What the calls that are let in wait for while ten times as many are made as can be served: the ratio of
//! their 99th percentile to that of an idle service, in one run.
//!
//! `cargo bench --bench overload` measures over SQLite; with `COUCHDB_URL` set it also measures over that
//! CouchDB, in databases of its own that it removes again. A call changes `BENCH_BATCH` (100) numbers, so
//! that ten times the rate is one that the client on the same machine can offer. First calls are made one
//! after the other, then by many clients at once, which tells the rate that can be served; then
//! `BENCH_TIMES` (10) times that rate is offered for `BENCH_SECONDS` (10), whether answers come or not.
//! Each with the limits as they come, and with those that let in no more than is worked on at once.

#[path = "support/size.rs"]
mod size;
#[path = "support/mod.rs"]
mod support;

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures::future::join_all;
use reqwest::{Client, Method, StatusCode};
use serde_json::json;
use size::of_environment;
use support::{Outcome, Server, Service, per_second, spread};
use tokio::{
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep},
};

const ACCOUNT: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
/// How many clients find out what can be served.
const CLIENTS: usize = 16;
/// How many batches of numbers there are, so that calls do not meet on one.
const BATCHES: usize = 64;
/// For how long calls are made one after the other, and for how long what can be served is found out.
const CALM: Duration = Duration::from_secs(5);
/// How often the next calls are made.
const BEAT: Duration = Duration::from_millis(5);
/// How long a call may take; it is as good as refused then.
const PATIENCE: Duration = Duration::from_secs(30);

/// The limits of a service.
type Settings<'a> = Vec<(&'a str, &'a str)>;

/// How much is done.
#[derive(Clone, Copy)]
struct Size {
    batch: usize,
    times: usize,
    seconds: usize,
}

/// What became of calls.
#[derive(Default)]
struct Told {
    /// How long those took that were let in, in milliseconds.
    served: Vec<f64>,
    /// The same of those that were refused.
    refused: Vec<f64>,
    /// How many had another end.
    lost: usize,
}

/// Makes calls.
struct Caller {
    service: Service,
    client: Client,
    batch: usize,
    next: AtomicUsize,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    rustls::crypto::ring::default_provider().install_default().map_err(|_| "a TLS provider")?;
    let size = Size::of_environment();
    measure("SQLite", &Vec::new(), size).await?;
    #[expect(clippy::disallowed_methods, reason = "a benchmark has no configuration of its own")]
    let url = std::env::var("COUCHDB_URL");
    let Ok(url) = url else {
        println!("COUCHDB_URL is not set: nothing was measured over CouchDB");
        return Ok(());
    };
    let server = Server::new(&url);
    println!("CouchDB {}", server.version().await?);
    let settings = vec![
        ("COUCHDB_URL", url.as_str()),
        ("NUMBER_MANAGER__COUCHDB__DATABASE_PREFIX", server.prefix.as_str()),
        ("NUMBER_MANAGER__ACCOUNTS__MANAGE", "true"),
    ];
    let outcome = measure("CouchDB", &settings, size).await;
    server.clean().await?;
    outcome
}

/// Measures over a store, with the limits as they come and with narrow ones.
async fn measure(store: &str, settings: &Settings<'_>, size: Size) -> Outcome<()> {
    let narrow = [
        ("NUMBER_MANAGER__HTTP__ADMISSION__REQUESTS", "1"),
        ("NUMBER_MANAGER__HTTP__ADMISSION__WAITING", "1"),
    ];
    for (limits, more) in [("as they come", [].as_slice()), ("of one, and one waits", &narrow)] {
        let dir = tempfile::tempdir()?;
        let settings: Vec<_> = settings.iter().chain(more).copied().collect();
        let service = Service::start(dir.path(), &settings).await?;
        let caller = Arc::new(Caller::new(service, size.batch).await?);
        let (mut idle, _) = caller.calm(1).await?;
        let (_, capacity) = caller.calm(CLIENTS).await?;
        let offered = capacity * whole(size.times);
        let told = caller.flood(offered, size.seconds).await?;
        tell(&format!("{store}, limits {limits}"), &mut idle, capacity, offered, told);
    }
    Ok(())
}

fn tell(what: &str, idle: &mut [f64], capacity: f64, offered: f64, told: Told) {
    let Told { mut served, mut refused, lost } = told;
    let made = served.len() + refused.len() + lost;
    let (calm, busy) = (p99(idle), p99(&mut served));
    println!(
        "{what}: {capacity:.0} calls/s can be served, {offered:.0}/s offered; of {made} {} were let in, {} \
         refused (p99 {:.1} ms), {lost} lost",
        served.len(),
        refused.len(),
        p99(&mut refused),
    );
    println!(
        "{what}: p99 of calls let in {:.2} of idle ({busy:.1} ms against {calm:.1} ms)",
        busy / calm
    );
}

impl Caller {
    /// Asks a service, where it makes the numbers.
    async fn new(service: Service, batch: usize) -> Outcome<Self> {
        let account = json!({"name": "Benchmark", "wnm_allow_additions": true});
        service.send(Method::PUT, &format!("accounts/{ACCOUNT}"), account).await?;
        let client = Client::builder().timeout(PATIENCE).build()?;
        let caller = Self { service, client, batch, next: AtomicUsize::new(0) };
        for batch in 0..BATCHES {
            let data = json!({"numbers": caller.numbers(batch)});
            caller.service.send(Method::PUT, &path(), data).await?;
        }
        Ok(caller)
    }

    fn numbers(&self, batch: usize) -> Vec<String> {
        let first = batch * self.batch;
        (first..first + self.batch).map(|place| format!("+1415{:07}", 5_000_000 + place)).collect()
    }

    /// Makes one call; tells how it ended and how long it took, in milliseconds.
    async fn call(&self) -> (Option<StatusCode>, f64) {
        let stamp = self.next.fetch_add(1, Ordering::Relaxed);
        let data = json!({"numbers": self.numbers(stamp % BATCHES), "stamp": stamp});
        let url = format!("{}/v2/{}", self.service.base, path());
        let request = self.client.patch(url).header("X-Auth-Token", &self.service.token);
        let begun = Instant::now();
        let status = match request.json(&json!({ "data": data })).send().await {
            Ok(answer) => {
                let status = answer.status();
                answer.bytes().await.is_ok().then_some(status)
            }
            Err(_) => None,
        };
        (status, begun.elapsed().as_secs_f64() * 1000.0)
    }

    /// So many clients that wait for their answers: how long the calls take, and how many there are in a
    /// second.
    async fn calm(&self, clients: usize) -> Outcome<(Vec<f64>, f64)> {
        let begun = Instant::now();
        let client = async || {
            let mut times = Vec::new();
            while begun.elapsed() < CALM {
                if let (Some(StatusCode::OK), time) = self.call().await {
                    times.push(time);
                }
            }
            times
        };
        let times = join_all((0..clients).map(|_| client())).await.concat();
        if times.is_empty() {
            return Err("no call was served".into());
        }
        let rate = per_second(times.len(), begun.elapsed());
        Ok((times, rate))
    }

    /// So many calls a second, whether they are answered or not.
    async fn flood(self: &Arc<Self>, rate: f64, seconds: usize) -> Outcome<Told> {
        let (begun, mut beat) = (Instant::now(), interval(BEAT));
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let (mut calls, mut made) = (JoinSet::new(), 0.0);
        while begun.elapsed().as_secs_f64() < whole(seconds) {
            beat.tick().await;
            while made < rate * begun.elapsed().as_secs_f64() {
                let caller = self.clone();
                calls.spawn(async move { caller.call().await });
                made += 1.0;
            }
        }
        let mut told = Told::default();
        while let Some(call) = calls.join_next().await {
            match call? {
                (Some(StatusCode::OK), time) => told.served.push(time),
                (Some(StatusCode::SERVICE_UNAVAILABLE), time) => told.refused.push(time),
                _ => told.lost += 1,
            }
        }
        // What is left of it ends before the next measurement.
        sleep(Duration::from_millis(500)).await;
        Ok(told)
    }
}

impl Size {
    fn of_environment() -> Self {
        let (batch, times) =
            (of_environment("BENCH_BATCH", 100), of_environment("BENCH_TIMES", 10));
        Self { batch, times, seconds: of_environment("BENCH_SECONDS", 10) }
    }
}

fn path() -> String {
    format!("accounts/{ACCOUNT}/phone_numbers/collection")
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn whole(number: usize) -> f64 {
    number as f64
}

/// The time that 99 of 100 do not exceed.
fn p99(times: &mut [f64]) -> f64 {
    if times.is_empty() {
        return f64::NAN;
    }
    let _ = spread(times);
    times[times.len() * 99 / 100]
}
