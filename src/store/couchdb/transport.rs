//! One request to CouchDB and its answer, whole.
//!
//! `couch_rs` makes the requests; the answers are decoded by us, because it drops the server's
//! status or its reason in most calls. It also has no bound on its connections (ours is a
//! semaphore) and puts URLs, which hold phone numbers, into its errors (they are taken out).

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use couch_rs::Client;
use reqwest::{Method, header::ACCEPT};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, timeout_at},
};

use super::{
    config::{Address, CouchConfig},
    failure::{Answered, Failure},
};
use crate::store::Kind;

/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(2);

/// The connections to one server. Debug must not reach the client: `couch_rs` prints its password.
pub(super) struct Transport {
    client: Client,
    host: String,
    slots: Semaphore,
    read_retries: u32,
    retry_base: Duration,
}

/// A request, which can be sent again as it is.
pub(super) struct Request {
    method: Method,
    path: String,
    query: HashMap<String, String>,
    body: Option<Vec<u8>>,
    /// The limit of one try.
    timeout: Duration,
    /// The limit of all tries together, when there is one.
    limit: Option<Duration>,
}

/// A successful answer.
pub(super) struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Transport {
    /// Makes the client. Asks the server nothing.
    pub(super) fn new(config: &CouchConfig, address: &Address) -> Result<Self, Failure> {
        // couch_rs panics without a provider, even for http://. An error says that there is one.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let password = address.user.as_ref().map(|_| address.password.expose_secret());
        let client =
            Client::new_with_timeout(&address.base, address.user.as_deref(), password, None)
                .map_err(|_| Failure::Own(Kind::Unexpected, "cannot make an HTTP client"))?;
        Ok(Self {
            client,
            host: address.host.clone(),
            slots: Semaphore::new(config.connections.min(Semaphore::MAX_PERMITS)),
            read_retries: config.read_retries,
            retry_base: Duration::from_millis(config.retry_base_ms),
        })
    }

    /// Sends a request once.
    pub(super) async fn send(&self, request: &Request) -> Result<Answer, Failure> {
        self.send_before(request, Instant::now() + request.timeout).await
    }

    /// Sends a request that is safe to repeat, again and again while it fails for a passing
    /// reason, within its limits.
    pub(super) async fn read(&self, request: &Request) -> Result<Answer, Failure> {
        let end = request.limit.map(|limit| Instant::now() + limit);
        let mut attempt = 0;
        loop {
            let mut deadline = Instant::now() + request.timeout;
            if let Some(end) = end {
                deadline = deadline.min(end);
            }
            let failure = match self.send_before(request, deadline).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let pause = self.pause(attempt);
            let late = end.is_some_and(|end| Instant::now() + pause >= end);
            if !failure.is_passing() || attempt >= self.read_retries || late {
                return Err(failure);
            }
            sleep(pause).await;
            attempt += 1;
        }
    }

    /// How long to wait behind attempt number `attempt` (from 0): doubling, with jitter, so that
    /// many callers do not come back at once.
    pub(super) fn pause(&self, attempt: u32) -> Duration {
        let full = self.retry_base.saturating_mul(1 << attempt.min(16)).min(LONGEST_PAUSE);
        let random = RandomState::new().hash_one(attempt) % 512;
        full.mul_f64(0.5 + f64::from(u16::try_from(random).unwrap_or_default()) / 1024.0)
    }

    async fn send_before(&self, request: &Request, deadline: Instant) -> Result<Answer, Failure> {
        let slot = timeout_at(deadline, self.slots.acquire()).await;
        let Ok(Ok(_slot)) = slot else { return Err(Failure::Busy(request.timeout)) };
        let query = Some(&request.query).filter(|query| !query.is_empty());
        let mut built = self.client.req(request.method.clone(), &request.path, query);
        // Asked for anything, CouchDB sends the leaves of a document as multipart.
        built = built.header(ACCEPT, "application/json");
        if let Some(body) = &request.body {
            built = built.body(body.clone());
        }
        let left = deadline.saturating_duration_since(Instant::now());
        let response = built.timeout(left).send().await.map_err(|error| self.failed(error))?;
        let status = response.status().as_u16();
        let body = response.bytes().await.map_err(|error| self.failed(error))?;
        if !(200..300).contains(&status) {
            return Err(Answered::new(status, &body).into());
        }
        Ok(Answer { status, body: body.into() })
    }

    fn failed(&self, error: reqwest::Error) -> Failure {
        let source = error.without_url();
        if source.is_connect() {
            return Failure::Unreachable { host: self.host.clone(), source };
        }
        Failure::NoAnswer(source)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("host", &self.host).finish_non_exhaustive()
    }
}

impl Request {
    /// A request to an encoded path.
    pub(super) fn new(method: Method, path: impl Into<String>, timeout: Duration) -> Self {
        Self { method, path: path.into(), query: HashMap::new(), body: None, timeout, limit: None }
    }

    /// The same request with one more parameter, which is encoded on the way.
    pub(super) fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.insert(name.to_owned(), value.into());
        self
    }

    /// The same request with a JSON body.
    pub(super) fn body(mut self, json: impl Into<Vec<u8>>) -> Self {
        self.body = Some(json.into());
        self
    }

    /// The same request, all of whose tries end within `limit`; so a single one has all of it.
    pub(super) fn within(mut self, limit: Duration) -> Self {
        self.timeout = limit;
        self.limit = Some(limit);
        self
    }
}

impl Answer {
    /// Whether CouchDB only accepted the write: its quorum was missed.
    pub(super) fn is_accepted_only(&self) -> bool {
        self.status == 202
    }

    /// Decodes the body.
    pub(super) fn decode<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        Ok(serde_json::from_slice(&self.body)?)
    }
}
