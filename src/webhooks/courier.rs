//! Calling receivers: each by itself, in order, at least once.

use std::{collections::BTreeSet, error::Error as _, fmt, sync::Arc, time::Duration};

use futures::{StreamExt, future::BoxFuture, stream::FuturesUnordered};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, header, redirect};
use secrecy::ExposeSecret;
use serde_json::json;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use super::{WebhooksConfig, rules::Rules, signature};
use crate::{
    domain::Clock,
    repository::{
        Cursor, EventPage, EventRepository, EventsError, NumberRepository, Progress, Receiver,
        RepositoryError, StoredProgress, WebhookRepository,
    },
};

/// Who calls, and how it is signed.
const ID: &str = "x-number-manager-webhook";
const SIGNATURE: &str = "x-number-manager-signature";
/// The most characters that are kept of why a call failed.
const REASON: usize = 300;
/// From which status on an answer is no yes.
const NOT_GOOD: u16 = 300;

/// Says whether this process is the one that calls.
type IsHere = Arc<dyn Fn() -> bool + Send + Sync>;

/// Calls receivers while this process is the one that does.
pub struct Courier {
    repository: WebhookRepository,
    events: EventRepository,
    client: Client,
    rules: Rules,
    config: WebhooksConfig,
    clock: Arc<dyn Clock>,
    is_here: IsHere,
    stop: CancellationToken,
}

impl fmt::Debug for Courier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Courier").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Courier {
    /// Calls the receivers beside these numbers until `stop`, while `is_here`.
    ///
    /// # Errors
    ///
    /// When no client can be made.
    pub fn new(
        numbers: &NumberRepository,
        config: WebhooksConfig,
        clock: Arc<dyn Clock>,
        is_here: impl Fn() -> bool + Send + Sync + 'static,
        stop: CancellationToken,
    ) -> Result<Self, reqwest::Error> {
        let rules = Rules::of(&config);
        // Somebody else may have been faster; any provider will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_millis(config.timeout_ms))
            .user_agent(concat!("number-manager/", env!("CARGO_PKG_VERSION")))
            .dns_resolver(Arc::new(rules.guard()))
            .build()?;
        Ok(Self {
            repository: WebhookRepository::beside(numbers),
            events: EventRepository::beside(numbers),
            client,
            rules,
            config,
            clock,
            is_here: Arc::new(is_here),
            stop,
        })
    }

    /// Goes on until the stop.
    pub async fn run(&self) {
        let mut tick = interval(Duration::from_millis(self.config.poll_ms));
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut calls: FuturesUnordered<BoxFuture<'_, String>> = FuturesUnordered::new();
        let mut called = BTreeSet::new();
        loop {
            tokio::select! {
                () = self.stop.cancelled() => return,
                Some(id) = calls.next() => drop(called.remove(&id)),
                _ = tick.tick() => {
                    for (id, receiver) in self.waiting().await {
                        if called.insert(id.clone()) {
                            calls.push(Box::pin(async move {
                                self.serve(&id, &receiver).await;
                                id
                            }));
                        }
                    }
                }
            }
        }
    }

    /// The receivers that may be told something now.
    async fn waiting(&self) -> Vec<(String, Receiver)> {
        if !(self.is_here)() {
            return Vec::new();
        }
        match self.repository.all().await {
            Ok(mut receivers) => {
                receivers.retain(|(_, receiver)| receiver.enabled);
                receivers
            }
            Err(err) => {
                warn("", &err, "the receivers of changes cannot be read");
                Vec::new()
            }
        }
    }

    /// Tells a receiver what there is, until there is nothing more or it fails.
    async fn serve(&self, id: &str, receiver: &Receiver) {
        loop {
            match self.tell_next(id, receiver).await {
                Ok(true) => (),
                Ok(false) => return,
                Err(err) => return warn(id, &err, "a receiver of changes waits"),
            }
        }
    }

    /// Tells a receiver the next changes; returns whether there may be more.
    async fn tell_next(&self, id: &str, receiver: &Receiver) -> Result<bool, RepositoryError> {
        let Some(stored) = self.repository.progress(id).await? else { return Ok(false) };
        let now = self.clock.now();
        let progress = &stored.progress;
        if progress.dead || progress.next_ms > now.as_millisecond() || !(self.is_here)() {
            return Ok(false);
        }
        // Nothing, and what nobody understands, is the beginning.
        let since = Cursor::parse(&progress.cursor).ok();
        let page = match self.events.page(since.as_ref(), self.config.batch).await {
            Ok(page) => page,
            Err(EventsError::Repository(err)) => return Err(err),
            Err(EventsError::Gone(present)) => {
                tracing::warn!(webhook = id, "changes were dropped before a receiver took them");
                let missed = Some(now.to_string());
                let cursor = present.to_string();
                let progress = Progress { cursor, missed, ..progress.clone() };
                return Ok(self.repository.keep(id, &stored, progress).await?.is_some());
            }
        };
        if page.events.is_empty() {
            if page.cursor.to_string() != progress.cursor {
                let cursor = page.cursor.to_string();
                let progress = Progress { cursor, ..progress.clone() };
                self.repository.keep(id, &stored, progress).await?;
            }
            return Ok(false);
        }
        let told = self.call(id, receiver, &page, now).await;
        self.note(id, &stored, &page, told).await
    }

    /// Keeps what became of a call; returns whether to go on.
    async fn note(
        &self,
        id: &str,
        stored: &StoredProgress,
        page: &EventPage,
        told: Result<(), String>,
    ) -> Result<bool, RepositoryError> {
        let (now, before) = (self.clock.now(), &stored.progress);
        let progress = match &told {
            Ok(()) => Progress {
                cursor: page.cursor.to_string(),
                last_success: Some(now.to_string()),
                missed: before.missed.clone(),
                ..Progress::default()
            },
            Err(reason) => {
                let since = before.failing_since.clone().unwrap_or_else(|| now.to_string());
                let dead = self.is_enough(&since, now);
                tracing::warn!(webhook = id, reason, dead, "a receiver does not take changes");
                Progress {
                    failures: before.failures.saturating_add(1),
                    failing_since: Some(since),
                    last_error: Some(reason.clone()),
                    next_ms: now.as_millisecond().saturating_add(self.pause(before.failures)),
                    dead,
                    ..before.clone()
                }
            }
        };
        // Whoever set another place meanwhile is right; these changes may come again then.
        self.repository.keep(id, stored, progress).await?;
        Ok(told.is_ok() && !page.is_last)
    }

    async fn call(
        &self,
        id: &str,
        receiver: &Receiver,
        page: &EventPage,
        now: Timestamp,
    ) -> Result<(), String> {
        // The rules may have changed since it was added.
        let url = self.rules.check(&receiver.url).map_err(|problem| format!("url {problem}"))?;
        let body = json!({ "changes": page.events, "cursor": page.cursor.to_string() }).to_string();
        let time = now.as_second();
        let signed = signature(receiver.secret.expose_secret(), time, body.as_bytes());
        let sent = self
            .client
            .post(url)
            .header(header::CONTENT_TYPE, "application/json")
            .header(ID, id)
            .header(SIGNATURE, format!("t={time},v1={signed}"))
            .body(body)
            .send();
        let sent = self.stop.run_until_cancelled(sent).await.ok_or("the process stops")?;
        let status = sent.map_err(|err| reason(&err))?.status().as_u16();
        if status < NOT_GOOD { Ok(()) } else { Err(format!("it answered {status}")) }
    }

    fn pause(&self, failures: u32) -> i64 {
        let pause = self.config.retry_ms.saturating_mul(1 << failures.min(20));
        i64::try_from(pause.min(self.config.retry_max_ms)).unwrap_or(i64::MAX)
    }

    fn is_enough(&self, since: &str, now: Timestamp) -> bool {
        let patience = SignedDuration::from_hours(i64::from(self.config.give_up_h));
        since.parse::<Timestamp>().is_ok_and(|since| now.duration_since(since) >= patience)
    }
}

/// Why a call failed, without the address, which may hold secrets.
fn reason(err: &reqwest::Error) -> String {
    if err.is_timeout() {
        return "it did not answer in time".to_owned();
    }
    let mut text = "it cannot be reached".to_owned();
    let mut cause = err.source();
    while let Some(err) = cause {
        text.push_str(": ");
        text.push_str(&err.to_string());
        cause = err.source();
    }
    text.chars().take(REASON).collect()
}

fn warn(id: &str, err: &RepositoryError, what: &'static str) {
    let cause: &(dyn std::error::Error + 'static) = err;
    tracing::warn!(webhook = id, error = cause, "{what}");
}
