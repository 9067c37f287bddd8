//! Jobs that nobody runs, those that the clock asks for, and those that are too old.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{Jobs, new_id};
use crate::{
    domain::Actor,
    jobs::{
        JobError, JobRequest,
        schedule::{Turn, turns},
    },
    repository::{Job, JobState, RepositoryError},
    service::Error,
};

/// How often old jobs are looked for.
const SWEEPS: Duration = Duration::from_hours(1);
/// How many jobs are looked at then, at once.
const SWEPT_AT_ONCE: usize = 50;

impl Jobs {
    /// Looks for jobs that nobody runs, and for those that are too old, until the shutdown.
    pub async fn watch(&self) {
        let desk = &self.0;
        let pause = Duration::from_millis(desk.limits.poll_ms.max(1));
        let mut swept: Option<Instant> = None;
        loop {
            if let Err(err) = self.look().await {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(error = cause, "jobs cannot be looked for");
            }
            if let Err(err) = self.take_turns().await {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(error = cause, "what runs by the clock does not");
            }
            if swept.is_none_or(|swept| swept.elapsed() >= SWEEPS) {
                swept = Some(Instant::now());
                if let Err(err) = self.forget_old().await {
                    let cause: &(dyn std::error::Error + 'static) = &err;
                    tracing::warn!(error = cause, "old jobs cannot be removed");
                }
            }
            if desk.shutdown.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    /// Starts what runs by the clock and is due, unless another process does.
    ///
    /// # Errors
    ///
    /// [`JobError`] of what cannot be started.
    pub async fn take_turns(&self) -> Result<(), JobError> {
        let desk = &self.0;
        let mut ended = Ok(());
        for turn in turns(&desk.limits) {
            // One that cannot be started holds up no other.
            let taken = self.take_turn(turn).await;
            ended = ended.and(taken);
        }
        ended
    }

    async fn take_turn(&self, turn: Turn<'_>) -> Result<(), JobError> {
        let desk = &self.0;
        let Some(due) = turn.last(desk.clock.now()) else {
            return Ok(());
        };
        if turn.waits_for_work && !desk.service.is_to_be_settled().await? {
            return Ok(());
        }
        let (repository, now) = (&desk.repository, desk.clock.now().as_millisecond());
        let claimed = repository.claim_turn(turn.operation, &due.to_string(), &new_id(), now).await;
        let Some(claimed) = claimed.map_err(Error::from)? else {
            return Ok(());
        };
        if self.begin_turn(&turn, &claimed.job).await? {
            repository.turn_has_begun(claimed).await.map_err(Error::from)?;
        }
        Ok(())
    }

    /// Starts the job of a turn, unless whoever claimed the turn before has stored it. `false`: it is
    /// entered and not stored, so it is to be tried again once the entry is void.
    async fn begin_turn(&self, turn: &Turn<'_>, id: &str) -> Result<bool, JobError> {
        if self.0.repository.load(id).await.map_err(Error::from)?.is_some() {
            return Ok(true);
        }
        let (operation, members) = (turn.operation.to_owned(), turn.members());
        let actor = Actor::operator();
        let request = JobRequest { operation, members, confirmed_by: None, actor };
        match self.begin(id, self.asked(&request)?, &request, None).await {
            Ok(_) => Ok(true),
            // Somebody asked for another one already.
            Err(JobError::Running(other)) => Ok(other != id),
            Err(err) => Err(err),
        }
    }

    /// Ends every lease: for a store that no other process can have open, so that whoever held a job is
    /// gone.
    ///
    /// # Errors
    ///
    /// Those of every read and write.
    pub async fn inherit(&self) -> Result<(), JobError> {
        for id in self.0.repository.active().await.map_err(Error::from)?.into_keys() {
            let ended = self.change(&id, |job| {
                if let Some(lease) = &mut job.lease {
                    lease.until_ms = 0;
                }
                Ok(())
            });
            match ended.await {
                Ok(_) => (),
                // Whoever entered it did not come to storing it.
                Err(JobError::UnknownJob(_)) => {
                    self.0.repository.leave(&id).await.map_err(Error::from)?;
                }
                Err(err) => return Err(err),
            }
        }
        Ok(())
    }

    /// Removes jobs that ended longer ago than they are kept, with their journals and the tables that
    /// they were made from; and tables as old as that which nothing was made of.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`] of the first that cannot be removed.
    pub async fn forget_old(&self) -> Result<(), RepositoryError> {
        let desk = &self.0;
        let kept = SignedDuration::from_hours(24 * i64::from(desk.limits.keep_days));
        let end = desk.clock.now().saturating_sub(kept).unwrap_or(Timestamp::MIN);
        loop {
            let oldest = desk.repository.oldest(SWEPT_AT_ONCE).await?;
            let is_old = |job: &Job| {
                let finished = job.finished.as_deref().and_then(|text| text.parse().ok());
                job.state.has_ended() && finished.is_some_and(|at: Timestamp| at < end)
            };
            let mut forgotten = 0;
            for job in oldest.iter().filter(|job| is_old(job)) {
                let task = job.arguments.get("task").and_then(Value::as_str);
                let forgotten_now = match task {
                    Some(task) => desk.repository.forget_task(task).await,
                    None => desk.repository.forget(&job.id).await,
                };
                match forgotten_now {
                    Ok(()) => forgotten += 1,
                    // Another process does the same.
                    Err(RepositoryError::Conflict { .. }) => (),
                    Err(err) => return Err(err),
                }
            }
            if forgotten < SWEPT_AT_ONCE {
                break;
            }
        }
        loop {
            let old = desk.repository.old_tasks(end.as_millisecond(), SWEPT_AT_ONCE).await?;
            let mut forgotten = 0;
            for task in old {
                match desk.repository.forget_task(&task).await {
                    Ok(()) => forgotten += 1,
                    Err(RepositoryError::Conflict { .. }) => (),
                    Err(err) => return Err(err),
                }
            }
            if forgotten == 0 {
                return Ok(());
            }
        }
    }

    async fn look(&self) -> Result<(), RepositoryError> {
        let desk = &self.0;
        let now = desk.clock.now().as_millisecond();
        let unstored = i64::try_from(desk.limits.unstored_ms).unwrap_or(i64::MAX);
        for (id, entry) in desk.repository.active().await? {
            if desk.here().contains(&id) {
                continue;
            }
            match desk.repository.load(&id).await? {
                None if entry.entered_ms.saturating_add(unstored) < now => {
                    desk.repository.leave(&id).await?;
                }
                None => (),
                Some(stored) if stored.job.state.has_ended() => desk.repository.leave(&id).await?,
                Some(stored) => {
                    let is_free = stored.job.lease.as_ref().is_none_or(|it| it.until_ms < now);
                    if is_free && stored.job.state != JobState::Paused {
                        self.run_here(&id, None, None);
                    }
                }
            }
        }
        Ok(())
    }
}
