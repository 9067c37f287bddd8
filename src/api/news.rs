//! Waiting for changes: one look at the store for all who wait, and a limit on how many do.

use std::{sync::Arc, time::Duration};

use serde::Deserialize;
use tokio::{
    sync::{Mutex, OwnedSemaphorePermit, Semaphore},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use crate::service::NumberService;

use super::fault::Fault;

/// How changes are told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChangesConfig {
    /// How often who listens hears something, in milliseconds.
    pub heartbeat_ms: u64,
    /// How often the store is asked for news, in milliseconds.
    pub poll_ms: u64,
    /// The longest that a request waits for a change, in seconds.
    pub wait_max_s: u64,
    /// How many may wait or listen at once.
    pub streams: usize,
}

impl ChangesConfig {
    /// What is wrong with the settings, in words that begin with the setting's name.
    ///
    /// # Errors
    ///
    /// The first one that is wrong.
    pub fn check(&self, request_timeout_ms: u64) -> Result<(), String> {
        for (name, value) in [("heartbeat_ms", self.heartbeat_ms), ("poll_ms", self.poll_ms)] {
            if value == 0 {
                return Err(format!("changes.{name} must be at least 1"));
            }
        }
        if self.wait_max_s.saturating_mul(1000) >= request_timeout_ms {
            let wrong = "changes.wait_max_s must be less than http.request_timeout_ms";
            return Err(wrong.to_owned());
        }
        Ok(())
    }
}

/// Who waits for changes, and what is known of them.
#[derive(Debug)]
pub struct News {
    pub(super) config: ChangesConfig,
    seats: Arc<Semaphore>,
    seen: Mutex<Seen>,
    pub(super) stop: CancellationToken,
}

/// The state of the feed when it was looked at last.
#[derive(Debug, Default)]
struct Seen {
    at: Option<Instant>,
    state: String,
}

impl News {
    /// Nobody waits yet. Who does is sent away at `stop`.
    pub(super) fn new(config: ChangesConfig, stop: CancellationToken) -> Self {
        let seats = Arc::new(Semaphore::new(config.streams.min(Semaphore::MAX_PERMITS)));
        Self { config, seats, seen: Mutex::default(), stop }
    }

    /// A place among those who wait, for as long as it is kept.
    pub(super) fn seat(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let seat = Arc::clone(&self.seats).try_acquire_owned();
        seat.map_err(|_| Fault::too_many_streams())
    }

    /// The state of the feed as it was seen last. To be asked for before the feed is read, so that
    /// nothing comes in between unseen.
    pub(super) async fn state(&self, service: &NumberService) -> String {
        let mut seen = self.seen.lock().await;
        if seen.at.is_none() {
            self.look(service, &mut seen).await;
        }
        seen.state.clone()
    }

    /// Waits until the feed is in another state. While the store cannot be asked, it is not.
    pub(super) async fn changed(&self, service: &NumberService, known: &str) {
        let pause = Duration::from_millis(self.config.poll_ms);
        loop {
            let next = {
                let mut seen = self.seen.lock().await;
                if seen.at.is_none_or(|at| at.elapsed() >= pause) {
                    self.look(service, &mut seen).await;
                }
                if seen.state != known {
                    return;
                }
                seen.at.unwrap_or_else(Instant::now) + pause
            };
            sleep_until(next).await;
        }
    }

    async fn look(&self, service: &NumberService, seen: &mut Seen) {
        match service.state_of_changes().await {
            Ok(state) => seen.state = state,
            Err(err) => {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(error = cause, "the feed of changes cannot be asked for news");
            }
        }
        seen.at = Some(Instant::now());
    }
}
