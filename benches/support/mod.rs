//! What the benchmarks share: the service as a process, a CouchDB that is asked by hand, and how
//! figures are told.

use std::{
    io::{BufRead, BufReader},
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use reqwest::{Client, Method};
use serde_json::{Value, json};

/// What a benchmark ends with.
pub(crate) type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The service as a process of its own, killed when it is dropped.
pub(crate) struct Service {
    pub(crate) process: Child,
    /// Where it is.
    pub(crate) base: String,
    /// Lets everything be done.
    pub(crate) token: String,
    client: Client,
}

impl Service {
    /// Starts it; with the follower, which reads after every write, if `BENCH_FOLLOWER` is set.
    pub(crate) async fn start(dir: &Path, settings: &[(&str, &str)]) -> Outcome<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let follows = std::env::var_os("BENCH_FOLLOWER").is_some();
        let command = |argument: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_number-manager"));
            command
                .args(argument)
                .env_remove("COUCHDB_URL")
                .env("NUMBER_MANAGER_LISTEN", format!("127.0.0.1:{port}"))
                .env("NUMBER_MANAGER_DATA_DIR", dir)
                .env("NUMBER_MANAGER_LOG", "warn")
                .env("NUMBER_MANAGER__RATE_LIMIT__PER_SECOND", "0")
                .env("NUMBER_MANAGER__FOLLOWER__ENABLED", follows.to_string())
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

    /// Asks something of it; null: with no body.
    pub(crate) async fn send(&self, method: Method, path: &str, data: Value) -> Outcome<Value> {
        let request = self.client.request(method, format!("{}/v2/{path}", self.base));
        let request = request.header("X-Auth-Token", &self.token);
        let request = if data.is_null() { request } else { request.json(&json!({ "data": data })) };
        let answer = request.send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}").into()) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A CouchDB that is asked by hand, request by request, in databases of its own.
pub(crate) struct Server {
    /// Where it is.
    pub(crate) base: String,
    /// What the names of the databases begin with.
    pub(crate) prefix: String,
    /// Asks it.
    pub(crate) client: Client,
}

impl Server {
    /// The server at an address.
    pub(crate) fn new(url: &str) -> Self {
        let prefix = format!("bench{}_", std::process::id());
        Self { base: url.trim_end_matches('/').to_owned(), prefix, client: Client::new() }
    }

    /// The address of a database.
    pub(crate) fn database(&self, name: &str) -> String {
        let name = format!("{}{name}", self.prefix).replace('/', "%2F").replace('+', "%2B");
        format!("{}/{name}", self.base)
    }

    /// Its version.
    pub(crate) async fn version(&self) -> Outcome<String> {
        let answer: Value = self.client.get(&self.base).send().await?.json().await?;
        Ok(answer["version"].as_str().unwrap_or("of unknown version").to_owned())
    }

    /// The answer to a request.
    pub(crate) async fn json(&self, request: reqwest::RequestBuilder) -> Outcome<Value> {
        let answer = request.send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}").into()) }
    }

    /// Removes what the benchmark made.
    pub(crate) async fn clean(&self) -> Outcome<()> {
        let all = self.json(self.client.get(format!("{}/_all_dbs", self.base))).await?;
        for name in all.as_array().into_iter().flatten().filter_map(Value::as_str) {
            if let Some(name) = name.strip_prefix(&self.prefix) {
                self.client.delete(self.database(name)).send().await?;
            }
        }
        Ok(())
    }
}

/// How many there were in a second.
#[expect(clippy::cast_precision_loss, reason = "a few million operations")]
pub(crate) fn per_second(operations: usize, elapsed: Duration) -> f64 {
    operations as f64 / elapsed.as_secs_f64()
}

/// The median, the lowest and the highest.
pub(crate) fn spread(figures: &mut [f64]) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}
