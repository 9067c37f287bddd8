//! What operators see: log lines, metrics, and errors with their causes.

use std::{error::Error, fmt::Write, io::IsTerminal, panic, sync::Arc};

use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};
use serde::Deserialize;
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// The upper bounds of the duration histograms, in seconds.
const BUCKETS: &[f64] =
    &[0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];

/// What is logged, and how.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// Which lines are written, as `tracing-subscriber` spells it.
    pub filter: String,
    /// How a line looks.
    pub format: LogFormat,
}

/// How a log line looks.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The log could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("setting log.filter `{filter}` is no filter of log lines")]
pub struct LogError {
    filter: String,
}

/// The collected metrics.
#[derive(Clone)]
pub struct Metrics {
    handle: Arc<PrometheusHandle>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

/// Writes log lines to standard error from now on, panics included.
///
/// # Errors
///
/// [`LogError`] when the filter cannot be understood.
pub fn init_log(config: &LogConfig) -> Result<(), LogError> {
    let filter = EnvFilter::try_new(&config.filter)
        .map_err(|_| LogError { filter: config.filter.clone() })?;
    let registry = tracing_subscriber::registry().with(filter);
    // A second call in one process (tests) keeps the first subscriber.
    let _ = match config.format {
        LogFormat::Text => {
            let colours = std::io::stderr().is_terminal();
            let layer = fmt::layer().with_ansi(colours).with_writer(std::io::stderr);
            registry.with(layer).try_init()
        }
        LogFormat::Json => {
            let layer = fmt::layer().json().flatten_event(true).with_writer(std::io::stderr);
            registry.with(layer).try_init()
        }
    };
    panic::set_hook(Box::new(|panic| tracing::error!(%panic, "panicked")));
    Ok(())
}

impl Metrics {
    /// Collects every metric of this process from now on.
    ///
    /// # Errors
    ///
    /// [`BuildError`] when something else collects them already.
    pub fn install() -> Result<Self, BuildError> {
        let handle = PrometheusBuilder::new().set_buckets(BUCKETS)?.install_recorder()?;
        Ok(Self { handle: Arc::new(handle) })
    }

    /// Metrics that nobody feeds: for tests and for making the API's document.
    #[must_use]
    pub fn detached() -> Self {
        Self { handle: Arc::new(PrometheusBuilder::new().build_recorder().handle()) }
    }

    /// The metrics in Prometheus's text form.
    #[must_use]
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Folds what was recorded since the last call; to be called every few seconds.
    pub fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

/// An error with all its causes, in one line.
#[must_use]
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut line = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a string cannot fail.
        let _ = write!(line, ": {error}");
        cause = error.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("upper")]
    struct Upper(#[source] std::fmt::Error);

    #[test]
    fn a_chain_names_every_cause_once() {
        let line = chain(&Upper(std::fmt::Error));
        assert_eq!(line, format!("upper: {}", std::fmt::Error));
    }
}
