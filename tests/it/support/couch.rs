//! A server that speaks CouchDB's protocol, one for the whole test binary.
//!
//! In this order: the one at `COUCHDB_URL`; a CouchDB that is installed; the peer of
//! `tests/couchdb-peer/`, which is installed by npm from its lock file. With none of them the
//! tests fail: they never skip.
//!
//! What is started here ends with this process, however that ends: it waits on a pipe whose other
//! end only we hold.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use number_manager::store::couchdb::{CouchConfig, CouchStore};
use reqwest::Url;

const USER: &str = "admin";
const PASSWORD: &str = "secret";

/// The limits of a store with faults on its way, in milliseconds: enough on a busy machine.
pub(crate) const LIMIT_MS: u64 = 1_500;

/// How long a server may take to answer for the first time.
const PATIENCE: Duration = Duration::from_mins(1);

/// Where an installed CouchDB is looked for besides the path: the place of Apache's packages.
const PACKAGED: &str = "/opt/couchdb/bin/couchdb";

/// A running server.
#[derive(Debug)]
pub(crate) struct CouchServer {
    url: Url,
    /// Its standard input is the pipe: dropped with the process.
    _child: Option<Child>,
}

/// A part of the server that belongs to one test. Dropping it drops its databases.
#[derive(Debug)]
pub(crate) struct Namespace {
    server: &'static CouchServer,
    prefix: String,
}

impl CouchServer {
    /// The server of this test binary, started when it is first asked for.
    pub(crate) fn shared() -> &'static Self {
        static SERVER: OnceLock<CouchServer> = OnceLock::new();
        SERVER.get_or_init(Self::find)
    }

    /// The server's URL with a server admin's credentials.
    pub(crate) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// `host:port`, without credentials.
    pub(crate) fn host(&self) -> String {
        let port = self.url.port_or_known_default().unwrap();
        format!("{}:{port}", self.url.host_str().unwrap())
    }

    /// Whether it is the peer and not CouchDB itself.
    pub(crate) fn is_peer(&self) -> bool {
        let mut stream = TcpStream::connect(self.host()).unwrap();
        let head = "GET / HTTP/1.1\r\nConnection: close\r\nHost: ";
        write!(stream, "{head}{}\r\n\r\n", self.host()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.contains("pouch-peer")
    }

    /// Databases of its own for one test.
    pub(crate) fn namespace() -> Namespace {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let run = uuid::Uuid::new_v4().simple().to_string();
        Namespace { server: Self::shared(), prefix: format!("t{}_{number}_", &run[..8]) }
    }

    fn find() -> Self {
        if let Some(url) = environment("COUCHDB_URL") {
            let url = Url::parse(&url).expect("COUCHDB_URL is not a URL");
            return Self { url, _child: None }.when_up();
        }
        let path = environment("PATH").unwrap_or_default();
        let on_path = std::env::split_paths(&path).map(|folder| folder.join("couchdb"));
        let installed = on_path.chain([PathBuf::from(PACKAGED)]).find(|file| file.is_file());
        match installed {
            Some(couchdb) => Self::start_couchdb(&couchdb).when_up(),
            None => Self::start_peer().when_up(),
        }
    }

    fn start_couchdb(couchdb: &Path) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("couchdb-{port}"));
        fs::create_dir_all(&scratch).unwrap();
        let data = scratch.display();
        let settings = format!(
            "[couchdb]\ndatabase_dir = {data}\nview_index_dir = {data}\nsingle_node = true\n\
             [chttpd]\nport = {port}\nbind_address = 127.0.0.1\n[admins]\n{USER} = {PASSWORD}\n"
        );
        fs::write(scratch.join("test.ini"), settings).unwrap();
        fs::write(scratch.join("vm.args"), format!("-name nm{port}@127.0.0.1\n-setcookie nm\n"))
            .unwrap();
        let bin = fs::canonicalize(couchdb).unwrap();
        let default = bin.parent().unwrap().join("../etc/default.ini");
        // CouchDB does not watch its standard input, so a shell does.
        let script = r#""$0" "$@" >couchdb.log 2>&1 </dev/null & cat; kill $!; rm -rf "$PWD""#;
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(&bin)
            .arg("-couch_ini")
            .args([&default, &scratch.join("test.ini")])
            .env("COUCHDB_ARGS_FILE", scratch.join("vm.args"))
            .current_dir(&scratch)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", bin.display()));
        Self::at(port, child)
    }

    fn start_peer() -> Self {
        let home = install_peer();
        let mut child = Command::new("node")
            .arg(peer_source().join("peer.js"))
            .envs([("PORT", "0"), ("EXIT_WITH_STDIN", "1")])
            .envs([("COUCH_USER", USER), ("COUCH_PASSWORD", PASSWORD)])
            .env("NODE_PATH", home.join("node_modules"))
            .current_dir(&home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("no COUCHDB_URL, no CouchDB, and node cannot be started");
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).expect("the peer's output cannot be read");
        let port = line.trim().rsplit(' ').next().and_then(|port| port.parse().ok());
        let port = port.unwrap_or_else(|| panic!("the peer did not start: {line:?}"));
        thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self::at(port, child)
    }

    fn at(port: u16, child: Child) -> Self {
        let url = format!("http://{USER}:{PASSWORD}@127.0.0.1:{port}");
        Self { url: Url::parse(&url).unwrap(), _child: Some(child) }
    }

    fn when_up(self) -> Self {
        let begun = Instant::now();
        while !self.is_up() {
            assert!(begun.elapsed() < PATIENCE, "no answer from {}", self.host());
            thread::sleep(Duration::from_millis(50));
        }
        self
    }

    fn is_up(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(self.host()) else { return false };
        stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
        let request =
            format!("GET /_up HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.host());
        let mut answer = [0; 12];
        stream.write_all(request.as_bytes()).is_ok()
            && stream.read_exact(&mut answer).is_ok()
            && answer == *b"HTTP/1.1 200"
    }
}

impl Namespace {
    /// The settings of a store that sees only this namespace.
    pub(crate) fn config(&self) -> CouchConfig {
        CouchConfig {
            url: self.server.url().into(),
            database_prefix: self.prefix.clone(),
            ..CouchConfig::default()
        }
    }

    /// The same through something that listens elsewhere, with short limits.
    pub(crate) fn config_through(&self, host: &str) -> CouchConfig {
        let url = self.server.url().replace(&self.server.host(), host);
        CouchConfig {
            url: url.into(),
            call_timeout_ms: LIMIT_MS,
            bulk_timeout_ms: LIMIT_MS,
            ..self.config()
        }
    }

    /// A store that sees only this namespace.
    pub(crate) async fn store(&self) -> CouchStore {
        CouchStore::connect(self.config()).await.unwrap()
    }

    /// The URL of a database on the server; `name` percent-encoded.
    pub(crate) fn database_url(&self, name: &str) -> String {
        format!("{}{}{name}", self.server.url(), self.prefix)
    }

    async fn drop_databases(url: String, prefix: String) -> Result<(), reqwest::Error> {
        let client = reqwest::Client::new();
        let names =
            client.get(format!("{url}_all_dbs")).send().await?.json::<Vec<String>>().await?;
        for name in names.iter().filter(|name| name.starts_with(&prefix)) {
            let name =
                percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
            client.delete(format!("{url}{name}")).send().await?;
        }
        Ok(())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The test may be inside a runtime of its own, and may be panicking.
        let work = Self::drop_databases(self.server.url().to_owned(), self.prefix.clone());
        let cleaner = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            drop(runtime.map(|runtime| runtime.block_on(work)));
        });
        drop(cleaner.join());
    }
}

fn peer_source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/couchdb-peer")
}

/// Installs the peer's packages, once per lock file, and returns the folder that has them.
fn install_peer() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("couchdb-peer");
    fs::create_dir_all(&home).unwrap();
    let guard = File::create(home.join("install.lock")).unwrap();
    guard.lock().expect("cannot wait for another installation");
    let wanted = fs::read(peer_source().join("package-lock.json")).unwrap();
    let mark = home.join("installed.json");
    if fs::read(&mark).is_ok_and(|installed| installed == wanted) {
        return home;
    }
    for file in ["package.json", "package-lock.json"] {
        fs::copy(peer_source().join(file), home.join(file)).unwrap();
    }
    let output = Command::new("npm")
        .args(["ci", "--omit=optional", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(&home)
        .output()
        .expect("no COUCHDB_URL, no CouchDB, and npm cannot be started");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "npm ci failed in {}: {errors}", home.display());
    fs::write(mark, wanted).unwrap();
    home
}

#[expect(clippy::disallowed_methods, reason = "the harness is told where a server is")]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
