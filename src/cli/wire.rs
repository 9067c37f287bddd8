//! The composition root: from settings to a service and its HTTP face. The only file that calls
//! everybody's constructors.

use std::sync::Arc;

use anyhow::Context;
use uuid::Uuid;

use crate::{
    api::{Api, ApiConfig},
    auth::{Authenticator, KeySource},
    config::Config,
    domain::{Clock, clock::SystemClock},
    repository::KeyRepository,
    service::NumberService,
    store::SharedStore,
    telemetry::Metrics,
};

/// The name of the key file in the data directory.
const KEY_FILE: &str = "token.key";

/// Opens the store that the settings name.
#[expect(clippy::unused_async, reason = "a store is opened over the network")]
pub(super) async fn open_store(config: &Config) -> anyhow::Result<SharedStore> {
    let wanted = if config.uses_couchdb() { "CouchDB" } else { "SQLite" };
    anyhow::bail!("this build has no {wanted} store")
}

/// The service over a store.
pub(super) fn build_service(
    _config: &Config,
    _store: &SharedStore,
    _clock: &Arc<dyn Clock>,
) -> NumberService {
    NumberService {}
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
    opened.context("tokens cannot be checked")
}

/// The HTTP face over a store.
pub(super) async fn build_api(
    config: &Config,
    store: &SharedStore,
    metrics: Metrics,
) -> anyhow::Result<Api> {
    let clock = clock();
    let authenticator = Arc::new(authenticator(config, Some(store)).await?);
    let service = build_service(config, store, &clock);
    let node = Uuid::new_v4().simple().to_string()[..16].to_owned();
    let settings = ApiConfig {
        limits: config.http.clone(),
        rate: config.rate_limit,
        serves_metrics: config.metrics_listen()?.is_none(),
        node,
    };
    Ok(Api::new(service, authenticator, clock, metrics, settings))
}

/// Brings the store up to this version.
pub(super) async fn migrate(config: &Config) -> anyhow::Result<()> {
    let store = open_store(config).await?;
    let changed = store.migrate(&[]).await.context("the store cannot be brought up to date")?;
    for line in changed {
        println!("{line}");
    }
    Ok(())
}
