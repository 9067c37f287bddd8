//! How vendors are asked over HTTP: with deadlines, limits and a bound on what is read, and errors
//! that hold no secret.
//!
//! A read is repeated when that may help. What spends money or ends something is sent once: when it is
//! not known how it ended the error says so ([`VendorError::is_doubtful`]), and it is found out by
//! asking.

use std::{
    fmt,
    num::NonZeroU32,
    sync::{Mutex, MutexGuard},
    time::Duration,
};

use futures::StreamExt;
use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};
use reqwest::{Client, Method, RequestBuilder, Response, Url, header, redirect::Policy};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, sleep, timeout_at},
};

use super::{VendorError, xml::Element};

/// Who we are.
const USER_AGENT: &str = concat!("number-manager/", env!("CARGO_PKG_VERSION"));
/// How often a read is repeated.
const RETRIES: u32 = 2;
/// The pause before the first repetition; it doubles each time, and up to half of it is added.
const PAUSE: Duration = Duration::from_millis(250);
/// How much of what a vendor says is handed on, in characters.
const SAID: usize = 300;
/// What stands in place of a secret.
const HIDDEN: &str = "********";

/// What asking a vendor may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LineLimits {
    /// How long connecting may take.
    pub(crate) connect: Duration,
    /// How long a search may take, repetitions and all.
    pub(crate) search: Duration,
    /// How long a purchase, a release or a question about them may take.
    pub(crate) provisioning: Duration,
    /// The most bytes of an answer.
    pub(crate) answer_bytes: usize,
    /// The most requests under way at once.
    pub(crate) concurrency: usize,
    /// The most requests a second; 0 for no limit.
    pub(crate) per_second: u32,
}

/// Until when an answer must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Deadline(Instant);

/// The way to one vendor.
pub(crate) struct Line {
    client: Client,
    limits: LineLimits,
    slots: Semaphore,
    pace: Option<DefaultDirectRateLimiter>,
    secrets: Vec<SecretString>,
    /// The secret that was had last on the way.
    learned: Mutex<Option<SecretString>>,
}

/// An answer, read whole.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The status.
    pub(crate) status: u16,
    /// The headers.
    pub(crate) headers: header::HeaderMap,
    body: Vec<u8>,
}

/// Why there is no answer.
enum Trouble {
    /// Nothing was sent.
    Unsent(String),
    /// It was sent, and perhaps heard.
    Lost(String),
}

impl Line {
    /// A line with these limits. What is said of errors holds none of these secrets. Asks nobody.
    ///
    /// # Panics
    ///
    /// When the system's own certificates cannot be read at all.
    #[must_use]
    pub(crate) fn new(limits: LineLimits, secrets: Vec<SecretString>) -> Self {
        // An error says that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A redirection could take a secret elsewhere, so nobody follows one.
        let client = Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .user_agent(USER_AGENT)
            .connect_timeout(limits.connect)
            .build()
            .expect("the settings of the client are good");
        let pace = NonZeroU32::new(limits.per_second).map(Quota::per_second);
        Self {
            client,
            limits,
            slots: Semaphore::new(limits.concurrency),
            pace: pace.map(RateLimiter::direct),
            secrets,
            learned: Mutex::new(None),
        }
    }

    /// Holds this secret back as well, in place of one that was learned before.
    pub(crate) fn learn(&self, secret: SecretString) {
        *self.learned() = Some(secret);
    }

    fn learned(&self) -> MutexGuard<'_, Option<SecretString>> {
        self.learned.lock().expect("no panic while holding this lock")
    }

    /// Until when a search that begins now must be over.
    #[must_use]
    pub(crate) fn search(&self) -> Deadline {
        Deadline(Instant::now() + self.limits.search)
    }

    /// Until when anything else that begins now must be over.
    #[must_use]
    pub(crate) fn provisioning(&self) -> Deadline {
        Deadline(Instant::now() + self.limits.provisioning)
    }

    /// Begins a request.
    pub(crate) fn request(&self, method: Method, url: Url) -> RequestBuilder {
        self.client.request(method, url)
    }

    /// Sends a request that changes nothing, again when that may help and there is time. Any status
    /// is an answer.
    ///
    /// # Errors
    ///
    /// [`VendorError`], never in doubt.
    pub(crate) async fn ask(
        &self,
        request: RequestBuilder,
        deadline: Deadline,
    ) -> Result<Reply, VendorError> {
        let mut pause = PAUSE;
        for left in (0..=RETRIES).rev() {
            let again =
                request.try_clone().ok_or_else(|| VendorError::refused("cannot be sent"))?;
            let outcome = self.exchange(again, deadline).await;
            let wait = match &outcome {
                Ok(reply) if may_pass(reply.status) => reply.retry_after(),
                Err(Trouble::Unsent(_)) => None,
                _ => return self.answered(outcome),
            };
            let wait = wait.unwrap_or_else(|| pause + jitter(pause / 2));
            if left == 0 || Instant::now() + wait >= deadline.0 {
                return self.answered(outcome);
            }
            sleep(wait).await;
            pause *= 2;
        }
        unreachable!("the last repetition returns")
    }

    /// Sends a request that changes something, once. Any status is an answer.
    ///
    /// # Errors
    ///
    /// [`VendorError`], in doubt when it may have been heard.
    pub(crate) async fn order(
        &self,
        request: RequestBuilder,
        deadline: Deadline,
    ) -> Result<Reply, VendorError> {
        self.exchange(request, deadline).await.map_err(|trouble| match trouble {
            Trouble::Unsent(reason) => VendorError::refused(self.words(&reason)),
            Trouble::Lost(reason) => VendorError::doubtful(self.words(&reason)),
        })
    }

    /// An error in the words of an answer that is none of success: in doubt when its status says that
    /// the vendor itself does not know.
    #[must_use]
    pub(crate) fn refusal(&self, reply: &Reply, code: Option<&str>, reason: &str) -> VendorError {
        let reason = match self.words(reason) {
            reason if reason.is_empty() => "no reason was given".to_owned(),
            reason => reason,
        };
        let error = if reply.status >= 500 || reply.status == 408 {
            VendorError::doubtful(reason)
        } else {
            VendorError::refused(reason)
        };
        let error = error.with_status(reply.status);
        match code {
            Some(code) => error.with_code(self.words(code)),
            None => error,
        }
    }

    /// What a vendor says, as it may be shown: short, on one line, without secrets.
    #[must_use]
    pub(crate) fn words(&self, text: &str) -> String {
        let mut text = text.to_owned();
        let learned = self.learned();
        let secrets = self.secrets.iter().chain(learned.as_ref()).map(ExposeSecret::expose_secret);
        for secret in secrets.filter(|secret| !secret.is_empty()) {
            text = text.replace(secret, HIDDEN);
        }
        let words: Vec<&str> = text
            .split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|it| !it.is_empty())
            .collect();
        words.join(" ").chars().take(SAID).collect()
    }

    fn answered(&self, outcome: Result<Reply, Trouble>) -> Result<Reply, VendorError> {
        outcome.map_err(|trouble| match trouble {
            Trouble::Unsent(reason) | Trouble::Lost(reason) => {
                VendorError::refused(self.words(&reason))
            }
        })
    }

    async fn exchange(
        &self,
        request: RequestBuilder,
        deadline: Deadline,
    ) -> Result<Reply, Trouble> {
        let late = || "it is asked too much at once".to_owned();
        let turn = timeout_at(deadline.0, self.turn()).await;
        let _turn = turn.map_err(|_| Trouble::Unsent(late()))?;
        let exchange = async {
            let response = request.send().await.map_err(|err| {
                let reason = reason(&err);
                if err.is_connect() || err.is_builder() {
                    Trouble::Unsent(reason)
                } else {
                    Trouble::Lost(reason)
                }
            })?;
            self.read(response).await
        };
        let late = |_| Trouble::Lost("no answer came in time".to_owned());
        timeout_at(deadline.0, exchange).await.map_err(late)?
    }

    /// Waits until a request may be sent.
    async fn turn(&self) -> SemaphorePermit<'_> {
        let slot = self.slots.acquire().await.expect("nobody closes it");
        if let Some(pace) = &self.pace {
            pace.until_ready().await;
        }
        slot
    }

    async fn read(&self, response: Response) -> Result<Reply, Trouble> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Vec::new();
        let mut chunks = response.bytes_stream();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|err| Trouble::Lost(reason(&err)))?;
            if body.len() + chunk.len() > self.limits.answer_bytes {
                return Err(Trouble::Lost("its answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status, headers, body })
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Line").field("limits", &self.limits).finish_non_exhaustive()
    }
}

impl fmt::Debug for Reply {
    /// Without what it says: that may be anything.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = self.body.len();
        f.debug_struct("Reply")
            .field("status", &self.status)
            .field("bytes", &bytes)
            .finish_non_exhaustive()
    }
}

impl Reply {
    /// Whether it says that all went well.
    #[must_use]
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Its body as JSON.
    ///
    /// # Errors
    ///
    /// [`VendorError`], in doubt: an answer came, and nobody knows what it says.
    pub(crate) fn json(&self) -> Result<Value, VendorError> {
        let unreadable = |_| VendorError::doubtful("its answer is no JSON");
        serde_json::from_slice(&self.body).map_err(|err| unreadable(err).with_status(self.status))
    }

    /// Its body as XML.
    ///
    /// # Errors
    ///
    /// [`VendorError`], in doubt: an answer came, and nobody knows what it says.
    pub(crate) fn xml(&self) -> Result<Element, VendorError> {
        let unreadable = || VendorError::doubtful("its answer is no XML");
        Element::read(&self.text()).ok_or_else(|| unreadable().with_status(self.status))
    }

    /// Its body as text; what is no text in it is replaced.
    #[must_use]
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// How long the vendor wants to be left alone.
    fn retry_after(&self) -> Option<Duration> {
        let seconds = self.headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
        Some(Duration::from_secs(seconds))
    }
}

/// Whether asking again may help.
fn may_pass(status: u16) -> bool {
    matches!(status, 429 | 502 | 503 | 504)
}

/// What happened, without the address, which may hold a password.
fn reason(err: &reqwest::Error) -> String {
    let what = if err.is_connect() {
        "it cannot be reached"
    } else if err.is_timeout() {
        "no answer came in time"
    } else {
        "the connection was lost"
    };
    what.to_owned()
}

/// A time up to a span, at random.
fn jitter(span: Duration) -> Duration {
    let most = u64::try_from(span.as_micros()).unwrap_or(u64::MAX).max(1);
    let random = uuid::Uuid::new_v4().as_u64_pair().0;
    Duration::from_micros(random % most)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(secrets: &[&str]) -> Line {
        let limits = LineLimits {
            connect: Duration::from_secs(1),
            search: Duration::from_secs(1),
            provisioning: Duration::from_secs(1),
            answer_bytes: 10,
            concurrency: 1,
            per_second: 0,
        };
        Line::new(limits, secrets.iter().map(|it| (*it).to_owned().into()).collect())
    }

    #[test]
    fn what_a_vendor_says_is_shown_without_secrets_on_one_line() {
        let line = line(&["s3cret", ""]);
        line.learn("first".to_owned().into());
        line.learn("t0ken".to_owned().into());
        assert_eq!(line.words(" bad\r\n\tkey  s3cret\u{0}! t0ken"), "bad key ******** ! ********");
        assert_eq!(line.words(&"x".repeat(1000)).len(), SAID);
        assert!(!format!("{line:?}").contains("s3cret"));
    }

    #[test]
    fn only_what_the_vendor_does_not_know_itself_is_in_doubt() {
        let reply = |status| Reply { status, headers: header::HeaderMap::new(), body: Vec::new() };
        for (status, is_doubtful) in [
            (400, false),
            (404, false),
            (408, true),
            (409, false),
            (429, false),
            (500, true),
            (504, true),
        ] {
            let err = line(&[]).refusal(&reply(status), Some("7"), "no");
            assert_eq!((err.is_doubtful(), err.status()), (is_doubtful, Some(status)));
            assert_eq!(err.code(), Some("7"));
        }
        assert_eq!(line(&[]).refusal(&reply(400), None, "").reason(), "no reason was given");
    }
}
