//! The program itself, as operators run it: over an SQLite file or a CouchDB of its own, on a port
//! of its own. What is started here is killed when it is dropped.

use std::{
    fmt,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, Once},
    thread,
    time::{Duration, Instant},
};

use number_manager::{
    repository::system_databases,
    store::{
        SharedStore,
        couchdb::CouchStore,
        sqlite::{SqliteConfig, SqliteStore},
    },
};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    sync::oneshot,
    time::{sleep, timeout},
};

use super::couch::{CouchServer, Namespace};

/// The account that most numbers are for.
pub(crate) const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
/// Another account.
pub(crate) const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// How long a program may take to start, to end, or to answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
/// How often something is looked at that is waited for.
pub(crate) const OFTEN: Duration = Duration::from_millis(5);

/// Where a program keeps everything that it keeps.
#[derive(Debug)]
pub(crate) struct Home {
    folder: TempDir,
    couch: Option<Couch>,
    settings: Vec<(String, String)>,
    /// The most that a file may have, in KiB.
    largest_file: Option<u64>,
}

#[derive(Debug)]
struct Couch {
    namespace: Namespace,
    url: String,
}

/// A program that ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// A running service.
pub(crate) struct Service {
    child: Child,
    address: SocketAddr,
    token: String,
    client: Client,
    log: Log,
}

/// What a program has written to its standard error.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<String>>);

/// A whole answer.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
    /// The envelope; the text when it is none.
    pub json: Value,
}

impl Home {
    /// An SQLite file.
    pub(crate) fn sqlite() -> Self {
        // A client without TLS wants to know who would provide it all the same.
        static ONCE: Once = Once::new();
        ONCE.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
        let folder = tempfile::tempdir().unwrap();
        Self { folder, couch: None, settings: Vec::new(), largest_file: None }
    }

    /// Databases of its own on the server of the tests.
    pub(crate) fn couchdb() -> Self {
        let url = CouchServer::shared().url().to_owned();
        let couch = Couch { namespace: CouchServer::namespace(), url };
        Self { couch: Some(couch), ..Self::sqlite() }
    }

    /// What is started from now on finds its CouchDB at `host`.
    pub(crate) fn through(&mut self, host: &str) {
        let server = CouchServer::shared();
        self.couch.as_mut().unwrap().url = server.url().replace(&server.host(), host);
    }

    /// What is started from now on finds its CouchDB where it is.
    pub(crate) fn directly(&mut self) {
        self.through(&CouchServer::shared().host());
    }

    /// What is started from now on has this setting, named as `section__key`.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let name = format!("NUMBER_MANAGER__{}", name.to_uppercase());
        self.settings.push((name, value.to_owned()));
    }

    /// What is started from now on cannot write files above this size, in KiB; none for any size.
    pub(crate) fn limit_files(&mut self, kib: Option<u64>) {
        self.largest_file = kib;
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The address of a database on the server, its name percent-encoded; CouchDB only.
    pub(crate) fn database_url(&self, name: &str) -> String {
        self.couch.as_ref().expect("a CouchDB").namespace.database_url(name)
    }

    /// Whether there is one file, which one process holds.
    pub(crate) fn is_sqlite(&self) -> bool {
        self.couch.is_none()
    }

    /// The program, without arguments and with nothing of our own environment.
    pub(crate) fn command(&self) -> Command {
        let program = env!("CARGO_BIN_EXE_number-manager");
        let mut command = match self.largest_file {
            None => Command::new(program),
            Some(kib) => {
                let mut shell = Command::new("/bin/sh");
                // A write behind the limit fails, and does not end the process.
                let line = format!("trap '' XFSZ; ulimit -f {}; exec {program} \"$@\"", kib * 2);
                shell.args(["-c", &line, "number-manager"]);
                shell
            }
        };
        command
            .env_clear()
            .env("NUMBER_MANAGER_DATA_DIR", self.folder())
            .env("NUMBER_MANAGER_LOG_FORMAT", "json")
            .env("NUMBER_MANAGER__ACCOUNTS__MANAGE", "true")
            .env("NUMBER_MANAGER__RATE_LIMIT__BURST", "0")
            // Its writes would come between those that are counted; who wants it sets it.
            .env("NUMBER_MANAGER__FOLLOWER__ENABLED", "false")
            .current_dir(self.folder())
            .stdin(Stdio::null());
        if let Some(couch) = &self.couch {
            let config = couch.namespace.config();
            command
                .env("COUCHDB_URL", &couch.url)
                .env("NUMBER_MANAGER__COUCHDB__DATABASE_PREFIX", config.database_prefix);
        }
        command.envs(self.settings.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs the program with these arguments to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Outcome {
        let mut command = self.command();
        command.args(arguments);
        run(command).await
    }

    /// Starts to serve, with the accounts A and B.
    pub(crate) async fn start(&self) -> Service {
        let service = self.start_bare().await;
        for account in [A, B] {
            let made = service.put(&format!("accounts/{account}"), json!({"name": account})).await;
            assert!(made.status < 300, "{made:?}");
        }
        service
    }

    /// Starts to serve.
    pub(crate) async fn start_bare(&self) -> Service {
        let mut command = self.command();
        command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::default();
        let listening = log.clone().read(&mut child);
        let client = Client::builder().timeout(PATIENCE).build().unwrap();
        // From here on dropped, and with that killed, whatever happens.
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut service = Service { child, address, token: String::new(), client, log };
        let address = timeout(PATIENCE, listening).await;
        service.address = address.ok().and_then(Result::ok).unwrap_or_else(|| {
            panic!("the service does not listen: {service:?}");
        });
        service.wait_ready().await;
        let token = self.run(&["token", "--admin"]).await;
        assert_eq!(token.code, Some(0), "{token:?}");
        token.stdout.trim().clone_into(&mut service.token);
        service
    }

    /// The store, to look at it raw. Nobody else can have an SQLite file open.
    pub(crate) async fn store(&self) -> SharedStore {
        let Some(couch) = &self.couch else {
            let file = self.folder().join("number-manager.sqlite");
            return Arc::new(SqliteStore::open(&file, &SqliteConfig::default()).unwrap());
        };
        Arc::new(CouchStore::connect(couch.namespace.config()).await.unwrap())
    }

    /// The store with its databases, before any service.
    pub(crate) async fn prepared_store(&self) -> SharedStore {
        let store = self.store().await;
        store.migrate(&system_databases()).await.unwrap();
        store
    }
}

/// Runs a program to its end, and kills it when that does not come.
pub(crate) async fn run(mut command: Command) -> Outcome {
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    let id = child.id();
    let mut ending = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let output = if let Ok(output) = timeout(PATIENCE, &mut ending).await {
        output.unwrap()
    } else {
        kill(id);
        ending.await.unwrap()
    };
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    Outcome { code: output.status.code(), stdout, stderr }
}

/// Ends a process without a warning.
pub(crate) fn kill(id: u32) {
    signal("-KILL", id);
}

/// Sends a process a signal.
pub(crate) fn signal(signal: &str, id: u32) {
    assert!(Command::new("kill").args([signal, &id.to_string()]).status().unwrap().success());
}

impl Outcome {
    /// Checks that the program ended with this code after one sentence, and returns that.
    pub(crate) fn check_refused(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        self.stderr.trim().strip_prefix("number-manager: ").expect(&self.stderr)
    }
}

impl Service {
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The process's id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// Everything that was logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.0.lock().unwrap().clone()
    }

    /// The resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        self.memory_line("VmRSS:")
    }

    /// The most resident memory that there ever was, in bytes.
    pub(crate) fn most_memory(&self) -> u64 {
        self.memory_line("VmHWM:")
    }

    fn memory_line(&self, name: &str) -> u64 {
        let path = PathBuf::from(format!("/proc/{}/status", self.child.id()));
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Ends the process without a warning.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to stop.
    pub(crate) fn terminate(&self) {
        signal("-TERM", self.id());
    }

    /// Waits for the process to end by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(begun.elapsed() < PATIENCE, "the service does not end: {self:?}");
            sleep(OFTEN).await;
        }
    }

    /// Stops, and waits until it is done.
    pub(crate) async fn stop(mut self) {
        self.terminate();
        assert!(self.ended().await.success());
    }

    /// The status of a path outside of the versions.
    pub(crate) async fn status_of(&self, path: &str) -> u16 {
        let url = format!("http://{}/{path}", self.address);
        self.client.get(url).send().await.unwrap().status().as_u16()
    }

    /// Waits until the service says that it can serve.
    pub(crate) async fn wait_ready(&self) {
        let begun = Instant::now();
        while self.status_of("readyz").await != 200 {
            assert!(begun.elapsed() < PATIENCE, "the service is not ready: {self:?}");
            sleep(OFTEN).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, Value::Null).await
    }

    pub(crate) async fn put(&self, path: &str, data: Value) -> Answer {
        self.ask(Method::PUT, path, data).await
    }

    /// Asks as the operator, below `/v2`.
    pub(crate) async fn ask(&self, method: Method, path: &str, data: Value) -> Answer {
        let asked = format!("{method} {path}");
        let answer = self.try_ask(method, path, data, &self.token).await;
        answer.unwrap_or_else(|| panic!("{asked}: no answer: {self:?}"))
    }

    /// The same with any token; none when there is no answer.
    pub(crate) async fn try_ask(
        &self,
        method: Method,
        path: &str,
        data: Value,
        token: &str,
    ) -> Option<Answer> {
        let url = format!("http://{}/v2/{}", self.address, path.replace('+', "%2B"));
        let mut request = self.client.request(method, url).header("x-auth-token", token);
        if !data.is_null() {
            request = request
                .header("content-type", "application/json")
                .body(json!({ "data": data }).to_string());
        }
        let response = request.send().await.ok()?;
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after");
        let retry_after = header.map(|value| value.to_str().unwrap().to_owned());
        let text = response.text().await.ok()?;
        let json = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Some(Answer { status, retry_after, json })
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        let last = &lines[lines.len().saturating_sub(20)..];
        write!(f, "{} with the log\n{}", self.address, last.join("\n"))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Answer {
    /// Whether the request was carried out.
    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.json);
        self
    }
}

impl Log {
    /// Collects what the program writes, and tells the address on which it listens.
    fn read(self, child: &mut Child) -> oneshot::Receiver<SocketAddr> {
        let (tell, listening) = oneshot::channel();
        let mut tell = Some(tell);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        thread::spawn(move || {
            for line in lines {
                let entry: Value = serde_json::from_str(&line).unwrap_or_default();
                if entry["message"] == "listening"
                    && let Some(tell) = tell.take()
                {
                    // Nobody waits any more for who was too late.
                    let _ = tell.send(entry["address"].as_str().unwrap().parse().unwrap());
                }
                let mut text = self.0.lock().unwrap();
                text.push_str(&line);
                text.push('\n');
            }
        });
        listening
    }
}

/// The path of a number in an account.
pub(crate) fn of(account: &str, number: &str) -> String {
    format!("accounts/{account}/phone_numbers/{number}")
}
