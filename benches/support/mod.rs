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
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// The service as a process of its own, killed when it is dropped.
pub struct Service {
    process: Child,
    /// Where it is.
    pub base: String,
    /// Lets everything be done.
    pub token: String,
    client: Client,
}

impl Service {
    /// Starts it.
    pub async fn start(dir: &Path, settings: &[(&str, &str)]) -> Outcome<Self> {
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

    /// Asks something of it.
    pub async fn send(&self, method: Method, path: &str, data: Value) -> Outcome<Value> {
        let request = self.client.request(method, format!("{}/v2/{path}", self.base));
        let request = request.header("X-Auth-Token", &self.token);
        let answer = request.json(&json!({ "data": data })).send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}").into()) }
    }
}

impl Service {
    /// Runs an operation to its end and returns the job.
    pub async fn run(&self, operation: &str, data: Value) -> Outcome<Value> {
        let path = format!("maintenance/{operation}?wait=25");
        let mut job = self.send(Method::POST, &path, data).await?;
        while ["queued", "running"].contains(&job["data"]["state"].as_str().unwrap_or_default()) {
            let id = job["data"]["id"].as_str().ok_or("no job")?;
            job = self.send(Method::GET, &format!("jobs/{id}?wait=25"), Value::Null).await?;
        }
        Ok(job["data"].take())
    }

    /// The most memory that it ever had, in MiB (Linux).
    pub fn peak_memory(&self) -> Outcome<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kib =
            line.and_then(|line| line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok());
        Ok(kib.ok_or("no figure of memory")? / 1024)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A CouchDB that is asked by hand, request by request, in databases of its own.
pub struct Server {
    /// Where it is.
    pub base: String,
    /// What the names of the databases begin with.
    pub prefix: String,
    /// Asks it.
    pub client: Client,
}

impl Server {
    /// The server at an address.
    pub fn new(url: &str) -> Self {
        let prefix = format!("bench{}_", std::process::id());
        Self { base: url.trim_end_matches('/').to_owned(), prefix, client: Client::new() }
    }

    /// The address of a database.
    pub fn database(&self, name: &str) -> String {
        let name = format!("{}{name}", self.prefix).replace('/', "%2F").replace('+', "%2B");
        format!("{}/{name}", self.base)
    }

    /// Its version.
    pub async fn version(&self) -> Outcome<String> {
        let answer: Value = self.client.get(&self.base).send().await?.json().await?;
        Ok(answer["version"].as_str().unwrap_or("of unknown version").to_owned())
    }

    /// The answer to a request.
    pub async fn json(&self, request: reqwest::RequestBuilder) -> Outcome<Value> {
        let answer = request.send().await?;
        let status = answer.status();
        let body: Value = answer.json().await?;
        if status.is_success() { Ok(body) } else { Err(format!("{status}: {body}").into()) }
    }

    /// Writes documents to a database, 500 at a time.
    pub async fn write_all(&self, database: &str, documents: &[Value]) -> Outcome<()> {
        for chunk in documents.chunks(500) {
            let request = self.client.post(format!("{database}/_bulk_docs"));
            let rows = self.json(request.json(&json!({ "docs": chunk }))).await?;
            if rows.as_array().ok_or("no rows")?.iter().any(|row| row.get("error").is_some()) {
                return Err("a document of a bulk write was refused".into());
            }
        }
        Ok(())
    }

    /// Removes what the benchmark made.
    pub async fn clean(&self) -> Outcome<()> {
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
pub fn per_second(operations: usize, elapsed: Duration) -> f64 {
    operations as f64 / elapsed.as_secs_f64()
}

/// Tells figures.
pub fn report(what: &str, figures: &mut [f64]) {
    let (median, low, high) = spread(figures);
    println!("{what}: median {median:.0} (lowest {low:.0}, highest {high:.0})");
}

/// Tells figures of both sides.
pub fn compare(what: &str, ours: &[f64], theirs: &[f64]) {
    let mut ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, raw)| ours / raw).collect();
    let (median, low, high) = spread(&mut ratios);
    let ours = spread(&mut ours.to_vec()).0;
    let raw = spread(&mut theirs.to_vec()).0;
    println!(
        "{what}: {median:.2} of raw (lowest {low:.2}, highest {high:.2}); {ours:.0}/s against {raw:.0}/s"
    );
}

/// The median, the lowest and the highest.
pub fn spread(figures: &mut [f64]) -> (f64, f64, f64) {
    figures.sort_by(f64::total_cmp);
    (figures[figures.len() / 2], figures[0], figures[figures.len() - 1])
}
