//! Which process follows.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::{FollowerConfig, FollowerWatch};
use crate::{
    domain::Clock,
    repository::{
        EventRepository, FeedRepository, FollowerLease, Following, RepositoryError, StoredLease,
    },
};

/// The part of a lease that is left unused, so that clocks may differ.
const MARGIN: u32 = 5;

/// Takes the lease when nobody holds it.
#[derive(Debug)]
pub(super) struct Contender {
    pub(super) feeds: FeedRepository,
    pub(super) events: EventRepository,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) limits: FollowerConfig,
    pub(super) watch: FollowerWatch,
    /// The name of this process.
    pub(super) holder: String,
}

/// The lease, while it is held.
#[derive(Debug)]
pub(super) struct Held<'a> {
    contender: &'a Contender,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    stored: StoredLease,
    until: Instant,
    following: Following,
    /// When that was said.
    reported: Instant,
}

/// The lease is somebody else's, or may be.
#[derive(Debug)]
pub(super) struct Lost;

impl Contender {
    /// Takes the lease unless somebody holds it. `alone`: nobody else can have the store open, so
    /// whoever held it is gone.
    pub(super) async fn take(&self, alone: bool) -> Result<Option<Held<'_>>, RepositoryError> {
        let before = self.feeds.lease().await?;
        let now = self.clock.now().as_millisecond();
        if let Some(StoredLease { lease, .. }) = &before {
            let is_free = alone || lease.until_ms < now || lease.holder == self.holder;
            if !is_free {
                let renewed = lease.until_ms - millis(self.lease());
                let age = u64::try_from(now.saturating_sub(renewed)).unwrap_or_default();
                self.watch.note(lease, false, Duration::from_millis(age));
                return Ok(None);
            }
        }
        let begun = Instant::now();
        let (epoch, following) = before
            .as_ref()
            .map_or_else(Default::default, |it| (it.lease.epoch, it.lease.following.clone()));
        // What was put right is counted anew.
        let following = Following { healed: 0, ..following };
        let lease = self.signed(epoch + 1, following.clone());
        let (stored, is_safe) = match self.feeds.put_lease(lease, before.as_ref()).await {
            Ok(done) => done,
            Err(RepositoryError::Conflict { .. }) => return Ok(None),
            Err(err) => return Err(err),
        };
        if !is_safe {
            return Ok(None);
        }
        self.watch.note(&stored.lease, true, Duration::ZERO);
        let state = State { stored, until: self.end(begun), following, reported: begun };
        Ok(Some(Held { contender: self, state: Mutex::new(state) }))
    }

    fn lease(&self) -> Duration {
        Duration::from_millis(self.limits.lease_ms)
    }

    fn end(&self, begun: Instant) -> Instant {
        begun + self.lease() - self.lease() / MARGIN
    }

    fn signed(&self, epoch: u64, following: Following) -> FollowerLease {
        let until_ms = self.clock.now().as_millisecond().saturating_add(millis(self.lease()));
        FollowerLease { holder: self.holder.clone(), epoch, until_ms, following }
    }
}

impl Held<'_> {
    /// How often the lease was taken before and with this time.
    pub(super) fn epoch(&self) -> u64 {
        self.state().stored.lease.epoch
    }

    /// Whether it is still ours.
    pub(super) fn check(&self) -> Result<(), Lost> {
        if Instant::now() < self.state().until { Ok(()) } else { Err(Lost) }
    }

    /// Says how the following goes.
    pub(super) fn report(&self, following: Following) {
        let mut state = self.state();
        state.following = following;
        state.reported = Instant::now();
        let lease =
            FollowerLease { following: state.following.clone(), ..state.stored.lease.clone() };
        self.contender.watch.note(&lease, true, Duration::ZERO);
    }

    /// Gives signs of life, until `shutdown`. None of them is cut off: the revision that it made would
    /// not be known, and the lease could not be given back.
    pub(super) async fn keep(&self, shutdown: &CancellationToken) -> Result<(), Lost> {
        let pause = Duration::from_millis(self.contender.limits.renewal_ms);
        while shutdown.run_until_cancelled(sleep(pause)).await.is_some() {
            self.check()?;
            self.renew(false).await?;
        }
        Ok(())
    }

    /// Gives it back, so that somebody else can have it at once.
    pub(super) async fn give_back(&self) {
        // If it cannot be given back, it runs out.
        drop(self.renew(true).await);
    }

    async fn renew(&self, is_last: bool) -> Result<(), Lost> {
        let begun = Instant::now();
        let (stored, mut following, said) = {
            let state = self.state();
            (state.stored.clone(), state.following.clone(), state.reported.elapsed())
        };
        // Who is stuck falls behind, too.
        following.lag_ms += u64::try_from(said.as_millis()).unwrap_or_default();
        let mut lease = self.contender.signed(stored.lease.epoch, following);
        if is_last {
            lease.until_ms = 0;
        }
        match self.contender.feeds.put_lease(lease, Some(&stored)).await {
            Ok((stored, is_safe)) => {
                let mut state = self.state();
                state.stored = stored;
                if is_safe {
                    state.until = self.contender.end(begun);
                }
                Ok(())
            }
            Err(RepositoryError::Conflict { .. }) => Err(Lost),
            // It may run out by this, which `check` sees.
            Err(err) => {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(error = cause, "the lease of the follower is not renewed");
                Ok(())
            }
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}
