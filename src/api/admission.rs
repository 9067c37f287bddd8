//! How much is done at once. Who comes while the service is full is told to come back, before what they
//! send takes memory; health and metrics are answered all the same.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    body::{Body, HttpBody},
    extract::Request,
    response::Response,
};
use http_body_util::BodyExt;
use metrics::counter;
use serde::Deserialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{fault::Fault, request, turns::TurnLimits};

/// How much is done at once.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AdmissionConfig {
    /// How many requests are worked on at once, streamed answers included.
    pub requests: usize,
    /// How many more wait for their turn.
    pub waiting: usize,
    /// For how long each of them waits, in milliseconds.
    pub wait_ms: u64,
    /// How many numbers the requests about many of them work on at once.
    pub batch_numbers: usize,
    /// How many of those requests wait in the order in which they came; while there are more, whoever
    /// came last is first.
    pub batch_queue: usize,
    /// For how long one of them waits while there are more, in milliseconds.
    pub batch_crowded_wait_ms: u64,
    /// For how long one of them waits in that order, in milliseconds.
    pub batch_wait_ms: u64,
    /// Up to how many bytes a body is small.
    pub small_body_bytes: usize,
    /// How many bytes the bodies of all requests have together, without the small ones.
    pub large_bodies_bytes: usize,
}

impl AdmissionConfig {
    /// What is wrong with the settings, in words that begin with the setting's name. `body_bytes`: the
    /// most bytes of a body.
    ///
    /// # Errors
    ///
    /// The first one that is wrong.
    pub fn check(&self, body_bytes: usize) -> Result<(), String> {
        if self.requests == 0 || self.requests > Semaphore::MAX_PERMITS {
            return Err("http.admission.requests must be at least 1".to_owned());
        }
        if self.batch_numbers == 0 {
            return Err("http.admission.batch_numbers must be at least 1".to_owned());
        }
        if self.large_bodies_bytes < body_bytes || u32::try_from(self.large_bodies_bytes).is_err() {
            let wrong = "http.admission.large_bodies_bytes must be at least http.body_bytes, and less \
                         than 4 GiB";
            return Err(wrong.to_owned());
        }
        Ok(())
    }
}

impl AdmissionConfig {
    /// How much of that is about many numbers.
    pub(super) fn of_batches(&self) -> TurnLimits {
        TurnLimits {
            numbers: self.batch_numbers,
            queue: self.batch_queue,
            waiting: self.waiting,
            patience: Duration::from_millis(self.batch_wait_ms),
            haste: Duration::from_millis(self.batch_crowded_wait_ms),
        }
    }
}

impl Default for AdmissionConfig {
    /// As in `default.toml`.
    fn default() -> Self {
        Self {
            requests: 256,
            waiting: 1024,
            wait_ms: 1_000,
            batch_numbers: 500,
            batch_queue: 16,
            batch_crowded_wait_ms: 100,
            batch_wait_ms: 10_000,
            small_body_bytes: 65_536,
            large_bodies_bytes: 32_000_000,
        }
    }
}

/// What is under way.
#[derive(Debug)]
pub struct Admission {
    requests: Arc<Semaphore>,
    waiting: AtomicUsize,
    bodies: Arc<Semaphore>,
    config: AdmissionConfig,
}

/// The part that one request has of it, until it is dropped.
#[derive(Debug)]
pub(super) struct Admitted {
    _part: OwnedSemaphorePermit,
}

impl Admission {
    /// Nothing is under way.
    pub(super) fn new(config: AdmissionConfig) -> Self {
        Self {
            requests: Arc::new(Semaphore::new(config.requests)),
            waiting: AtomicUsize::new(0),
            bodies: Arc::new(Semaphore::new(config.large_bodies_bytes)),
            config,
        }
    }

    /// Lets a request in, at once or when it is its turn.
    pub(super) async fn enter(&self) -> Result<Admitted, Fault> {
        if let Ok(permit) = Arc::clone(&self.requests).try_acquire_owned() {
            return Ok(Admitted { _part: permit });
        }
        let _place = Place::take(&self.waiting, self.config.waiting)?;
        self.wait(&self.requests, 1, "requests").await
    }

    /// Makes room for a body; a small one needs none. One whose length nobody knows may become as long
    /// as any (`limit`).
    pub(super) async fn make_room(
        &self,
        length: Option<u64>,
        limit: usize,
    ) -> Result<Option<Admitted>, Fault> {
        let length = length.map_or(limit, |length| usize::try_from(length).unwrap_or(limit));
        if length <= self.config.small_body_bytes {
            return Ok(None);
        }
        let bytes = u32::try_from(length.min(limit)).unwrap_or(u32::MAX);
        self.wait(&self.bodies, bytes, "bodies").await.map(Some)
    }

    async fn wait(
        &self,
        of: &Arc<Semaphore>,
        permits: u32,
        what: &'static str,
    ) -> Result<Admitted, Fault> {
        let patience = Duration::from_millis(self.config.wait_ms);
        match timeout(patience, Arc::clone(of).acquire_many_owned(permits)).await {
            Ok(Ok(permit)) => Ok(Admitted { _part: permit }),
            _ => Err(refused(what)),
        }
    }
}

/// How long a body is, as far as that is known before it is read.
pub(super) fn length_of(request: &Request) -> Option<u64> {
    let announced = request::announced_length(request.headers());
    announced.or_else(|| request.body().size_hint().exact())
}

impl Admitted {
    /// Keeps its part until an answer that is sent while it is made has gone out.
    pub(super) fn hold_with(self, response: Response) -> Response {
        if response.body().size_hint().exact().is_some() {
            return response;
        }
        let (parts, body) = response.into_parts();
        let body = body.map_frame(move |frame| {
            let _held = &self;
            frame
        });
        Response::from_parts(parts, Body::new(body))
    }
}

/// A place among those who wait.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, most: usize) -> Result<Self, Fault> {
        let place = Self(waiting);
        if waiting.fetch_add(1, Ordering::Relaxed) < most {
            Ok(place)
        } else {
            Err(refused("requests"))
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

pub(super) fn refused(what: &'static str) -> Fault {
    counter!("http_requests_refused_total", "full_of" => what).increment(1);
    Fault::overloaded()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admission() -> Admission {
        Admission::new(AdmissionConfig {
            requests: 1,
            waiting: 1,
            wait_ms: 50,
            small_body_bytes: 10,
            large_bodies_bytes: 100,
            ..AdmissionConfig::default()
        })
    }

    #[tokio::test]
    async fn who_finds_no_room_waits_for_a_while_and_who_finds_no_place_not_at_all() {
        let admission = admission();
        let first = admission.enter().await.unwrap();
        let (second, third) = tokio::join!(admission.enter(), admission.enter());
        for refused in [second, third] {
            let fault = refused.unwrap_err();
            assert_eq!((fault.status.as_u16(), &*fault.message), (503, "overloaded"));
        }
        drop(first);
        admission.enter().await.unwrap();
        assert_eq!(admission.waiting.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn large_bodies_share_what_there_is_and_small_ones_do_not_count() {
        let admission = admission();
        let room = async |length: Option<u64>| admission.make_room(length, 60).await;
        let held = room(Some(60)).await.unwrap();
        assert!(held.is_some());
        assert!(room(Some(10)).await.unwrap().is_none());
        assert!(room(Some(41)).await.is_err());
        // One of which nobody knows how long it is may be as long as any.
        assert!(room(None).await.is_err());
        drop(held);
        assert!(room(None).await.unwrap().is_some());
        // What is too long is refused for that, once it is looked at.
        assert!(room(Some(u64::MAX)).await.unwrap().is_some());
    }

    #[tokio::test]
    async fn a_streamed_answer_counts_until_it_is_gone() {
        let admission = admission();
        let whole = admission.enter().await.unwrap().hold_with(Response::new(Body::from("x")));
        let stream = Body::from_stream(futures::stream::pending::<Result<&str, std::io::Error>>());
        let streamed = admission.enter().await.unwrap().hold_with(Response::new(stream));
        drop(whole);
        assert!(admission.enter().await.is_err());
        drop(streamed);
        assert!(admission.enter().await.is_ok());
    }
}
