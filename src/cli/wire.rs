//! The composition root: from settings to a service and its HTTP face. The only file that calls
//! everybody's constructors.

use std::{fs, sync::Arc};

use anyhow::Context;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    api::{Api, ApiConfig},
    auth::{Authenticator, KeySource, Revoked},
    carriers::OutsideCarriers,
    config::Config,
    domain::{Clock, clock::SystemClock},
    follower::{Follower, FollowerWatch},
    jobs::{JobRepository, Jobs},
    maintenance::OPERATIONS,
    providers::Mailer,
    repository::{
        AccountRepository, EventRepository, FeatureSettingsRepository, FeedRepository,
        KeyRepository, LocalWrites, NumberRepository, RequestRepository, RevokedRepository,
        SettingsRepository, system_databases,
    },
    service::{AccountRule, NumberService},
    store::{SharedStore, couchdb::CouchStore, sqlite::SqliteStore},
    tasks,
    telemetry::Metrics,
    webhooks::{Courier, Webhooks},
};

/// The name of the key file in the data directory.
const KEY_FILE: &str = "token.key";
/// The name of the embedded database in the data directory.
const DATABASE_FILE: &str = "number-manager.sqlite";

/// Opens the store that the settings name, and makes sure that our own databases are there.
pub(super) async fn open_store(config: &Config) -> anyhow::Result<SharedStore> {
    let store = find_store(config).await?;
    for database in system_databases() {
        store.create_database(&database).await?;
    }
    Ok(store)
}

/// Opens the store that the settings name, as it is.
async fn find_store(config: &Config) -> anyhow::Result<SharedStore> {
    let store: SharedStore = if config.uses_couchdb() {
        Arc::new(CouchStore::connect(config.couchdb.clone()).await?)
    } else {
        let dir = &config.data_dir;
        fs::create_dir_all(dir).with_context(|| format!("cannot create {}", dir.display()))?;
        Arc::new(SqliteStore::open(&dir.join(DATABASE_FILE), &config.sqlite)?)
    };
    Ok(store)
}

/// The service over a store.
pub(super) fn build_service(
    config: &Config,
    store: &SharedStore,
    clock: &Arc<dyn Clock>,
) -> NumberService {
    let settings = SettingsRepository::new(Arc::clone(store));
    let numbers = NumberRepository::new(Arc::clone(store), Arc::clone(clock), settings.clone());
    let accounts = AccountRepository::new(Arc::clone(store));
    let rule = if config.manages_accounts() { AccountRule::Ours } else { AccountRule::Foreign };
    let features = FeatureSettingsRepository::new(Arc::clone(store));
    let service = NumberService::new(numbers, accounts, settings, rule, features)
        .with_carriers(OutsideCarriers::standard())
        // Wrong settings end the start before.
        .with_mailer(Mailer::new(&config.mail).unwrap_or_default());
    if config.history.enabled { service.with_trail() } else { service }
}

/// The system's clock.
pub(super) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// What checks tokens and makes them. On SQLite the key is in a file of its own, so that a token
/// can be made while the service holds the database.
pub(super) async fn authenticator(
    config: &Config,
    store: Option<&SharedStore>,
) -> anyhow::Result<Authenticator> {
    let source = match config.token_secret()? {
        Some(secret) => KeySource::Secret(secret),
        None if !config.uses_couchdb() => KeySource::File(config.data_dir.join(KEY_FILE)),
        None => {
            let store = match store {
                Some(store) => Arc::clone(store),
                None => open_store(config).await?,
            };
            KeySource::Store(KeyRepository::new(store))
        }
    };
    let opened = Authenticator::open(source, &config.token.issuers, clock()).await;
    let opened = opened.context("tokens cannot be checked")?;
    Ok(match store {
        Some(store) => {
            let revoked = RevokedRepository::new(Arc::clone(store));
            opened.with_revoked(Revoked::new(revoked, config.token.revoked_days))
        }
        None => opened,
    })
}

/// Long work over a store, which goes on until `stop`.
pub(super) fn build_jobs(
    config: &Config,
    store: &SharedStore,
    service: NumberService,
    stop: CancellationToken,
) -> Jobs {
    let repository = JobRepository::new(Arc::clone(store));
    Jobs::new(
        service,
        repository,
        clock(),
        [OPERATIONS, tasks::OPERATIONS],
        config.jobs.clone(),
        stop,
    )
}

/// What keeps the copies of a store true, until `stop`.
pub(super) fn build_follower(
    config: &Config,
    store: &SharedStore,
    writes: LocalWrites,
    stop: CancellationToken,
) -> Follower {
    let clock = clock();
    let numbers = numbers(store, &clock);
    let feeds = FeedRepository::new(Arc::clone(store));
    let events = EventRepository::beside(&numbers);
    Follower::new(numbers, feeds, events, writes, clock, config.follower.clone(), stop)
}

/// What tells others of changes by calls while this process follows, until `stop`.
pub(super) fn build_courier(
    config: &Config,
    store: &SharedStore,
    follower: FollowerWatch,
    stop: CancellationToken,
) -> anyhow::Result<Courier> {
    let (clock, config) = (clock(), config.webhooks.clone());
    let is_here = move || follower.is_here();
    Courier::new(&numbers(store, &clock), config, clock, is_here, stop)
        .context("no client for calls can be made")
}

/// The numbers of a store.
fn numbers(store: &SharedStore, clock: &Arc<dyn Clock>) -> NumberRepository {
    let settings = SettingsRepository::new(Arc::clone(store));
    NumberRepository::new(Arc::clone(store), Arc::clone(clock), settings)
}

/// The HTTP face over a store. Its jobs go on until `stop`.
pub(super) async fn build_api(
    config: &Config,
    store: &SharedStore,
    metrics: Metrics,
    follower: FollowerWatch,
    stop: CancellationToken,
) -> anyhow::Result<Api> {
    let clock = clock();
    let authenticator = Arc::new(authenticator(config, Some(store)).await?);
    let service = build_service(config, store, &clock);
    let node = Uuid::new_v4().simple().to_string()[..16].to_owned();
    let settings = ApiConfig {
        limits: config.http.clone(),
        tasks: config.tasks,
        rate: config.rate_limit,
        jobs: build_jobs(config, store, service.clone(), stop.clone()),
        changes: config.changes.clone(),
        webhooks: Webhooks::new(&numbers(store, &clock), &config.webhooks, Arc::clone(&clock)),
        stop,
        follower,
        requests: RequestRepository::new(Arc::clone(store), Arc::clone(&clock)),
        serves_metrics: config.metrics_listen()?.is_none(),
        node,
    };
    Ok(Api::new(service, authenticator, clock, metrics, settings))
}

/// Brings the store up to this version.
pub(super) async fn migrate(config: &Config) -> anyhow::Result<()> {
    let store = find_store(config).await?;
    let changed = store.migrate(&system_databases()).await;
    let changed = changed.context("the store cannot be brought up to date")?;
    if changed.is_empty() {
        println!("nothing to do");
    }
    for line in changed {
        println!("{line}");
    }
    Ok(())
}
