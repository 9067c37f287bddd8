//! How the following goes, as far as this process knows: its own, or what the holder stored.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use metrics::gauge;
use serde_json::{Value, json};

use crate::repository::{FollowerLease, Following};

/// Tells how the following goes.
#[derive(Clone, Debug, Default)]
pub struct FollowerWatch(Arc<Mutex<Option<Seen>>>);

#[derive(Debug)]
struct Seen {
    lease: Option<FollowerLease>,
    /// Whether this process holds it.
    here: bool,
    at: Instant,
    degraded_after: Duration,
}

impl FollowerWatch {
    /// As documents show it; null where nobody may follow.
    #[must_use]
    pub fn shown(&self) -> Value {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = &*seen else { return Value::Null };
        let following = seen.following();
        json!({
            "holder": seen.lease.as_ref().map(|lease| &lease.holder),
            "here": seen.here,
            "epoch": seen.lease.as_ref().map(|lease| lease.epoch),
            "lag_ms": u64::try_from(seen.lag().as_millis()).unwrap_or(u64::MAX),
            "databases_behind": following.databases_behind,
            "retries": following.retries,
            "conflicting_owners": following.conflicting_owners,
            "healed": following.healed,
        })
    }

    /// Whether this process is the one that follows.
    #[must_use]
    pub fn is_here(&self) -> bool {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.as_ref().is_some_and(|seen| seen.here)
    }

    /// Why the process is degraded, if it is.
    #[must_use]
    pub fn degraded(&self) -> Option<String> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, lag) = seen.as_ref().map(|seen| (seen, seen.lag()))?;
        (lag > seen.degraded_after)
            .then(|| format!("copies are looked at {} s after their numbers", lag.as_secs()))
    }

    /// Begins to tell.
    pub(super) fn begin(&self, degraded_after: Duration) {
        let seen = Seen { lease: None, here: false, at: Instant::now(), degraded_after };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
    }

    /// Measures again what grows by itself.
    pub(super) fn refresh(&self) {
        if let Some(seen) = &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            seen.measure();
        }
    }

    /// What was stored last, by this process or by another one; what is old adds to the lag.
    pub(super) fn note(&self, lease: &FollowerLease, here: bool, age: Duration) {
        if let Some(seen) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            seen.lease = Some(lease.clone());
            seen.here = here;
            let now = Instant::now();
            seen.at = now.checked_sub(age).unwrap_or(now);
            seen.measure();
        }
    }
}

impl Seen {
    fn following(&self) -> Following {
        self.lease.as_ref().map(|lease| lease.following.clone()).unwrap_or_default()
    }

    fn lag(&self) -> Duration {
        Duration::from_millis(self.following().lag_ms) + self.at.elapsed()
    }

    fn measure(&self) {
        let following = self.following();
        gauge!("number_manager_follower_lag_seconds").set(self.lag().as_secs_f64());
        for (name, value) in [
            ("number_manager_follower_databases_behind", following.databases_behind),
            ("number_manager_follower_retries", following.retries),
            ("number_manager_follower_conflicting_owners", following.conflicting_owners),
            ("number_manager_follower_healed", following.healed),
            ("number_manager_follower_holds_lease", u64::from(self.here)),
        ] {
            gauge!(name).set(u32::try_from(value).map_or(f64::MAX, f64::from));
        }
    }
}
