//! HTTP: the wire that the platform's user interfaces and tools speak, over the service.
//!
//! A request passes `layers`, which understand it and put every answer into the `envelope`; an
//! extractor (`extract`), which checks who asks; and a handler of a few statements. Rules about numbers are
//! not here, and only `fault` knows the status of an error.

mod accounts;
mod accounts_words;
mod admission;
mod changes;
mod changes_words;
mod charges;
mod classifiers;
mod classifiers_words;
mod collection;
mod consistency;
mod cors;
mod digests;
mod digests_words;
mod directory;
mod documents;
mod envelope;
mod explain;
mod extract;
mod fault;
mod features;
mod health;
mod health_words;
mod history;
mod idempotency;
mod jobs;
mod jobs_words;
mod layers;
mod limit;
mod listing;
mod lists;
mod lists_words;
mod maintenance;
mod maintenance_words;
mod news;
mod numbers;
mod numbers_words;
mod openapi;
mod path;
mod porting;
mod reconcile;
mod repair;
mod request;
mod rows;
mod schema;
mod search;
mod shape;
mod system_config;
mod tasks;
mod tasks_words;
mod tokens;
mod turns;
mod webhooks;
mod words;

use std::{
    ops::Deref,
    sync::{Arc, LazyLock, OnceLock},
};

use axum::{Router, middleware};
use serde::Deserialize;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower_http::{
    CompressionLevel,
    compression::{
        CompressionLayer,
        predicate::{NotForContentType, Predicate, SizeAbove},
    },
};
use utoipa::openapi::OpenApi;

use crate::{
    auth::Authenticator,
    domain::Clock,
    follower::FollowerWatch,
    jobs::{Jobs, Operation},
    service::{NumberService, RequestRepository},
    tasks::{Tasks, TasksConfig},
    telemetry::Metrics,
    webhooks::Webhooks,
};

pub use admission::AdmissionConfig;
pub use idempotency::IdempotencyConfig;
pub(crate) use jobs::shown as shown_job;
pub use limit::LimitConfig;
pub use news::ChangesConfig;

/// Answers shorter than this are not worth compressing, in bytes.
const COMPRESS_ABOVE: u64 = 1024;

/// What a request may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    /// How many clients may be connected at once.
    pub connections: usize,
    /// For how long the head of a request may arrive, in milliseconds.
    pub header_timeout_ms: u64,
    /// The most bytes of a body.
    pub body_bytes: usize,
    /// The most values that the JSON of a body has.
    pub body_values: usize,
    /// For how long a body may arrive, in milliseconds.
    pub body_timeout_ms: u64,
    /// For how long an answer may be made, in milliseconds.
    pub request_timeout_ms: u64,
    /// For how long a streamed answer may stand still, in milliseconds.
    pub stream_timeout_ms: u64,
    /// For how long a list waits for the count of what descendants are billed for, in milliseconds;
    /// it says 0 until that is known.
    pub cascade_timeout_ms: u64,
    /// For how long a stop waits for requests and writes, in seconds.
    pub shutdown_timeout_s: u64,
    /// How many rows a page has when the request does not say.
    pub page_size: usize,
    /// The most rows that a page has.
    pub page_size_max: usize,
    /// How much is done at once.
    pub admission: AdmissionConfig,
    /// How requests with an `Idempotency-Key` are kept.
    pub idempotency: IdempotencyConfig,
    /// The most numbers that one request may name.
    pub batch_size: usize,
    /// The most bytes that one request may write on all the numbers that it names.
    pub batch_bytes: usize,
}

/// What handlers need.
#[derive(Clone, Debug)]
pub struct Api(Arc<Parts>);

/// What an [`Api`] is made of.
#[derive(Debug)]
pub struct Parts {
    /// Everything that can be done with numbers.
    pub service: NumberService,
    /// Long work.
    pub jobs: Jobs,
    /// Work by tables.
    pub tasks: Tasks,
    /// Tells how copies are kept true.
    pub follower: FollowerWatch,
    /// The requests that carried a key.
    pub requests: RequestRepository,
    /// Checks tokens.
    pub authenticator: Arc<Authenticator>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// What a request may take.
    pub limits: HttpConfig,
    /// Who waits for changes.
    pub news: news::News,
    /// Who is told of changes by calls.
    pub webhooks: Webhooks,
    /// How often a client may ask.
    pub limiter: limit::Limiter,
    /// What is under way.
    pub admission: admission::Admission,
    /// Whose turn it is among requests about many numbers.
    pub batches: turns::Turns,
    /// What is measured.
    pub metrics: Metrics,
    /// Whether `/metrics` is served here; not when it has an address of its own.
    pub serves_metrics: bool,
    /// The writes that are under way.
    pub tracker: TaskTracker,
    /// The name of this process in answers.
    pub node: String,
    /// What is under which path.
    routes: path::Routes,
    /// The API's own document, as it is sent, once somebody has asked for it.
    document: OnceLock<String>,
}

/// What an [`Api`] is made from.
#[derive(Debug)]
pub struct ApiConfig {
    /// What a request may take.
    pub limits: HttpConfig,
    /// How changes are told.
    pub changes: ChangesConfig,
    /// Who is told of changes by calls.
    pub webhooks: Webhooks,
    /// When who listens is sent away.
    pub stop: CancellationToken,
    /// How often a client may ask.
    pub rate: LimitConfig,
    /// Long work.
    pub jobs: Jobs,
    /// What tables may take.
    pub tasks: TasksConfig,
    /// Tells how copies are kept true.
    pub follower: FollowerWatch,
    /// The requests that carried a key.
    pub requests: RequestRepository,
    /// Whether `/metrics` is served here.
    pub serves_metrics: bool,
    /// The name of this process in answers.
    pub node: String,
}

impl Deref for Api {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl Api {
    /// Puts together what handlers need.
    #[must_use]
    pub fn new(
        service: NumberService,
        authenticator: Arc<Authenticator>,
        clock: Arc<dyn Clock>,
        metrics: Metrics,
        config: ApiConfig,
    ) -> Self {
        Self(Arc::new(Parts {
            service,
            tasks: Tasks::new(config.jobs.clone(), config.tasks),
            jobs: config.jobs,
            follower: config.follower,
            requests: config.requests,
            authenticator,
            clock,
            admission: admission::Admission::new(config.limits.admission),
            batches: turns::Turns::new(config.limits.admission.of_batches()),
            limits: config.limits,
            news: news::News::new(config.changes, config.stop),
            webhooks: config.webhooks,
            limiter: limit::Limiter::new(config.rate),
            metrics,
            serves_metrics: config.serves_metrics,
            tracker: TaskTracker::new(),
            node: config.node,
            routes: path::Routes::of(&ROUTES.1),
            document: OnceLock::new(),
        }))
    }

    /// The API's own document, as it is sent.
    fn document(&self) -> &str {
        self.document.get_or_init(|| printed_document(self.jobs.operations()))
    }
}

/// Every route, and the document of them all: the same for every service of a process.
static ROUTES: LazyLock<(Router<Api>, OpenApi)> =
    LazyLock::new(|| openapi::routes().split_for_parts());

/// The API's own document, of a service with these operations.
#[must_use]
pub fn document(operations: &[&dyn Operation]) -> OpenApi {
    let mut document = ROUTES.1.clone();
    idempotency::describe(&mut document);
    maintenance::describe(&mut document, operations);
    document
}

/// The API's own document, as it is sent and committed.
#[must_use]
pub fn printed_document(operations: &[&dyn Operation]) -> String {
    openapi::print(&document(operations))
}

/// Everything that is served.
pub fn router(api: Api) -> Router {
    let inner = ROUTES.0.clone().with_state(api.clone()).merge(openapi::swagger_ui());
    let compression = CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        // What is packed is held back until there is enough of it; events must not be.
        .compress_when(SizeAbove::new(COMPRESS_ABOVE).and(NotForContentType::SSE));
    // The inner router is a service, not merged: paths and methods change before it sees them.
    Router::new()
        .fallback_service(inner)
        .layer(middleware::from_fn_with_state(api, layers::wire))
        // Outside of the envelope, whose bytes it packs.
        .layer(compression)
        .layer(middleware::from_fn(layers::observe))
}

/// `/metrics` alone, for an address of its own.
pub fn metrics_router(metrics: Metrics) -> Router {
    let text = move || {
        let metrics = metrics.clone();
        async move { health::metrics_text(&metrics) }
    };
    Router::new().route("/metrics", axum::routing::get(text))
}
