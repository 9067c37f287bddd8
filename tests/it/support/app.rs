//! The whole HTTP face in process, over a service of its own.

use std::{net::SocketAddr, sync::Arc};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{HeaderMap, Method, Request, StatusCode},
};
use number_manager::{
    api::{
        self, AdmissionConfig, Api, ApiConfig, ChangesConfig, HttpConfig, IdempotencyConfig,
        LimitConfig,
    },
    auth::{Authenticator, Claims, KeySource, Revoked},
    carriers::OutsideCarriers,
    domain::{
        AccountId, Actor,
        clock::{Clock, FixedClock},
    },
    follower::FollowerWatch,
    jobs::{JobRepository, Jobs, JobsConfig},
    maintenance::OPERATIONS,
    repository::{
        AccountRepository, FeatureSettingsRepository, KeyRepository, NumberRepository,
        RequestRepository, RevokedRepository, SettingsRepository, system_databases,
    },
    service::{AccountRule, NewAccount, NumberService},
    store::{SharedStore, sqlite::SqliteStore},
    tasks::{self, TasksConfig},
    telemetry::Metrics,
    webhooks::{Webhooks, WebhooksConfig},
};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::document;

/// The account that most tests are about.
pub(crate) const ACCOUNT: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";
/// The account above it.
pub(crate) const PARENT: &str = "1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a";
/// An account that has nothing to do with either.
pub(crate) const STRANGER: &str = "2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b";
/// What signs the tokens.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// For how many days a token is denied of which nobody says when it ends.
pub(crate) const REVOKED_DAYS: u32 = 10;

/// The router and what tests need beside it.
#[derive(Debug)]
pub(crate) struct TestApp {
    router: Router,
    jobs: Jobs,
    authenticator: Arc<Authenticator>,
    clock: Arc<FixedClock>,
    stop: CancellationToken,
}

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub text: String,
}

/// A request that is being put together.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    app: &'a TestApp,
    request: axum::http::request::Builder,
    body: Vec<u8>,
}

/// Long work over a store, which ends with the test.
fn jobs(
    store: &SharedStore,
    clock: &Arc<dyn Clock>,
    service: NumberService,
    limits: JobsConfig,
) -> Jobs {
    let repository = JobRepository::new(store.clone());
    let stop = CancellationToken::new();
    let limits = JobsConfig { renewal_ms: 50, poll_ms: 50, ..limits };
    Jobs::new(service, repository, clock.clone(), [OPERATIONS, tasks::OPERATIONS], limits, stop)
}

impl TestApp {
    /// A service without numbers or accounts.
    pub(crate) async fn new() -> Self {
        Self::with(LimitConfig { burst: 0, per_second: 0 }).await
    }

    /// The same with a limit on how often clients may ask.
    pub(crate) async fn with(rate: LimitConfig) -> Self {
        Self::over(Arc::new(SqliteStore::in_memory().unwrap()), rate).await
    }

    /// The same over a store of the caller's.
    pub(crate) async fn over(store: SharedStore, rate: LimitConfig) -> Self {
        Self::serving(store, rate, |service| service).await
    }

    /// The same with outside carriers that can be asked.
    pub(crate) async fn selling(
        store: SharedStore,
        rate: LimitConfig,
        carriers: OutsideCarriers,
    ) -> Self {
        Self::serving(store, rate, |service| service.with_carriers(carriers)).await
    }

    /// The same with a service that was changed.
    pub(crate) async fn serving(
        store: SharedStore,
        rate: LimitConfig,
        change: impl FnOnce(NumberService) -> NumberService,
    ) -> Self {
        let secret = KeySource::Secret(SECRET.to_owned().into());
        Self::made(store, rate, secret, JobsConfig::default(), change).await
    }

    /// The same with keys of tokens that are in the store.
    pub(crate) async fn keyed(store: SharedStore) -> Self {
        let keys = KeySource::Store(KeyRepository::new(store.clone()));
        let rate = LimitConfig { burst: 0, per_second: 0 };
        Self::made(store, rate, keys, JobsConfig::default(), |service| service).await
    }

    /// The same with these limits of long work.
    pub(crate) async fn working(store: SharedStore, limits: JobsConfig) -> Self {
        let secret = KeySource::Secret(SECRET.to_owned().into());
        let rate = LimitConfig { burst: 0, per_second: 0 };
        Self::made(store, rate, secret, limits, |service| service).await
    }

    /// The same, with outside carriers that can be asked.
    pub(crate) async fn dealing(
        store: SharedStore,
        limits: JobsConfig,
        carriers: OutsideCarriers,
    ) -> Self {
        let secret = KeySource::Secret(SECRET.to_owned().into());
        let rate = LimitConfig { burst: 0, per_second: 0 };
        Self::made(store, rate, secret, limits, |service| service.with_carriers(carriers)).await
    }

    async fn made(
        store: SharedStore,
        rate: LimitConfig,
        keys: KeySource,
        work: JobsConfig,
        change: impl FnOnce(NumberService) -> NumberService,
    ) -> Self {
        for database in system_databases() {
            store.create_database(&database).await.unwrap();
        }
        let clock = Arc::new(FixedClock::at("2024-05-01T12:00:00Z".parse().unwrap()));
        let shared: Arc<dyn Clock> = clock.clone();
        let revoked = Revoked::new(RevokedRepository::new(store.clone()), REVOKED_DAYS);
        let authenticator = Authenticator::open(keys, &[], shared.clone()).await.unwrap();
        let authenticator = Arc::new(authenticator.with_revoked(revoked));
        let service = change(service(&store, &shared));
        let jobs = jobs(&store, &shared, service.clone(), work);
        let stop = CancellationToken::new();
        let config = ApiConfig {
            jobs: jobs.clone(),
            // So that a few rows are several pages and chunks.
            tasks: TasksConfig { page_size: 10, chunk_rows: 25, ..TasksConfig::default() },
            follower: FollowerWatch::default(),
            limits: HttpConfig {
                connections: 1000,
                header_timeout_ms: 1000,
                body_bytes: 8_000_000,
                body_values: 100_000,
                body_timeout_ms: 1000,
                request_timeout_ms: 5000,
                stream_timeout_ms: 5000,
                cascade_timeout_ms: 5000,
                shutdown_timeout_s: 1,
                page_size: 50,
                page_size_max: 1000,
                admission: AdmissionConfig::default(),
                idempotency: IdempotencyConfig {
                    key_length: 64,
                    answer_bytes: 10_000,
                    margin_ms: 1000,
                },
                batch_size: 1500,
                batch_bytes: 8_000_000,
            },
            changes: ChangesConfig { heartbeat_ms: 200, poll_ms: 20, wait_max_s: 4, streams: 3 },
            webhooks: webhooks(&store, &shared),
            stop: stop.clone(),
            rate,
            requests: RequestRepository::new(store.clone(), shared.clone()),
            serves_metrics: true,
            node: "n0de".to_owned(),
        };
        for (id, parent) in [(PARENT, None), (ACCOUNT, Some(PARENT)), (STRANGER, None)] {
            let parent = parent.map(|parent| AccountId::parse(parent).unwrap());
            let (is_reseller, may_add_numbers, enabled) = (parent.is_none(), false, true);
            let name = format!("Account {}", &id[..2]);
            let new = NewAccount { name, parent, is_reseller, may_add_numbers, enabled };
            let id = AccountId::parse(id).unwrap();
            service.create_account(&Actor::operator(), &id, new).await.unwrap();
        }
        let api = Api::new(service, authenticator.clone(), shared, Metrics::detached(), config);
        Self { router: api::router(api), jobs, authenticator, clock, stop }
    }

    /// Its long work.
    pub(crate) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Everything that is served.
    pub(crate) fn router(&self) -> axum::Router {
        self.router.clone()
    }

    /// Ends what goes on until the process stops.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }

    /// The clock that everything looks at, to be shared.
    pub(crate) fn shared_clock(&self) -> Arc<dyn Clock> {
        self.clock.clone()
    }

    /// The clock that everything looks at.
    pub(crate) fn clock(&self) -> &FixedClock {
        &self.clock
    }

    /// What the clock shows, in Unix seconds.
    pub(crate) fn clock_seconds(&self) -> i64 {
        self.clock.now().as_second()
    }

    /// A token of the operator.
    pub(crate) fn admin(&self) -> String {
        self.token(Claims { admin: true, ..Claims::default() })
    }

    /// A token that speaks for an account.
    pub(crate) fn account(&self, account: &str) -> String {
        self.token(Claims { account_id: Some(account.to_owned()), ..Claims::default() })
    }

    /// A token with these claims, good for an hour.
    pub(crate) fn token(&self, claims: Claims) -> String {
        let exp = self.clock.now().as_second() + 3600;
        self.authenticator.mint(&Claims { exp, ..claims }).unwrap()
    }

    /// Begins a request.
    pub(crate) fn ask(&self, method: Method, path: &str) -> Ask<'_> {
        let request = Request::builder().method(method).uri(path);
        Ask { app: self, request, body: Vec::new() }
    }

    /// Begins a GET.
    pub(crate) fn get(&self, path: &str) -> Ask<'_> {
        self.ask(Method::GET, path)
    }
}

/// Receivers at hosts of this machine.
fn webhooks(store: &SharedStore, clock: &Arc<dyn Clock>) -> Webhooks {
    let settings = SettingsRepository::new(store.clone());
    let numbers = NumberRepository::new(store.clone(), clock.clone(), settings);
    Webhooks::new(&numbers, &webhooks_config(), clock.clone())
}

/// The rules by which they are called.
pub(crate) fn webhooks_config() -> WebhooksConfig {
    WebhooksConfig {
        allowed_hosts: ["127.0.0.1", "hooks.example.com"].map(str::to_owned).to_vec(),
        allow_http: true,
        allow_private: true,
        receivers: 3,
        batch: 2,
        timeout_ms: 300,
        poll_ms: 20,
        retry_ms: 20,
        retry_max_ms: 40,
        ..WebhooksConfig::default()
    }
}

/// A service over a store, which keeps its own accounts.
pub(crate) fn service(store: &SharedStore, clock: &Arc<dyn Clock>) -> NumberService {
    let settings = SettingsRepository::new(store.clone());
    let numbers = NumberRepository::new(store.clone(), clock.clone(), settings.clone());
    let accounts = AccountRepository::new(store.clone());
    let features = FeatureSettingsRepository::new(store.clone());
    NumberService::new(numbers, accounts, settings, AccountRule::Ours, features)
}

impl Ask<'_> {
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// From this address.
    pub(crate) fn from(mut self, client: [u8; 4]) -> Self {
        let address = SocketAddr::from((client, 1));
        self.request = self.request.extension(ConnectInfo(address));
        self
    }

    pub(crate) fn token(self, token: &str) -> Self {
        self.header("X-Auth-Token", token)
    }

    /// A body with these bytes and no type.
    pub(crate) fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// A body with this `data`.
    pub(crate) fn data(self, data: &Value) -> Self {
        self.body(serde_json::json!({ "data": data }).to_string())
    }

    /// The headers of an answer whose body may be packed.
    pub(crate) async fn raw_headers(self) -> HeaderMap {
        let request = self.request.body(Body::from(self.body)).unwrap();
        self.app.router.clone().oneshot(request).await.unwrap().headers().clone()
    }

    pub(crate) async fn send(self) -> Answer {
        let request = self.request.body(Body::from(self.body)).unwrap();
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let response = self.app.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let answer = Answer { status: parts.status, headers: parts.headers, text };
        let kind = answer.header("content-type");
        document::check(&method, &path, answer.status.as_u16(), kind, &answer.text);
        answer
    }
}

impl Answer {
    /// The envelope.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Checks the status.
    pub(crate) fn check_status(&self, status: u16) {
        assert_eq!(self.status.as_u16(), status, "{}", self.text);
    }

    /// The data of an answer with that status.
    pub(crate) fn data(&self, status: u16) -> Value {
        self.check_status(status);
        let mut json = self.json();
        assert_eq!(json["status"], "success");
        assert_eq!(self.header("content-type"), Some("application/json"));
        json["data"].take()
    }

    /// Checks status, message and data of an error.
    pub(crate) fn check_error(&self, status: u16, message: &str, data: &Value) {
        let json = self.json();
        assert_eq!(self.status.as_u16(), status, "{json}");
        assert_eq!(json["status"], "error");
        assert_eq!(json["error"], status.to_string());
        assert_eq!(json["message"], message);
        assert_eq!(&json["data"], data);
        assert_eq!(self.header("content-type"), Some("application/json"));
    }
}
