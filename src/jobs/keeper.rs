//! The lease of the process that runs a job, and what is saved of its progress.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Mutex as AsyncMutex,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use crate::{
    domain::Clock,
    repository::{
        Job, JobFailure, JobRepository, JobState, Lease, Report, RepositoryError, StoredJob, Tally,
        Wanted,
    },
};

/// How often a save is tried again because somebody said what they want of the job.
const TRIES: u32 = 10;
/// The pause before a job that ends is saved again.
const PAUSE: Duration = Duration::from_millis(200);
/// The part of a lease that is left unused, so that clocks may differ.
const MARGIN: u32 = 5;

/// Why a job stops before its end.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// Somebody else runs it now, or may.
    Lost,
    /// It was asked to.
    Wanted(Wanted),
    /// The process ends.
    Shutdown,
    /// It cannot go on.
    Broken(JobFailure),
}

/// Keeps one job while it runs.
#[derive(Debug)]
pub(super) struct Keeper {
    repository: JobRepository,
    clock: Arc<dyn Clock>,
    lease: Duration,
    /// The process is asked to stop.
    shutdown: CancellationToken,
    stored: AsyncMutex<StoredJob>,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    held_until: Instant,
    wanted: Option<Wanted>,
    /// What became so far of units that are not finished.
    live: BTreeMap<u64, Tally>,
}

impl Keeper {
    /// Takes a job that nobody runs; none when somebody does, or when it does not want to be run.
    pub(super) async fn take(
        repository: &JobRepository,
        clock: &Arc<dyn Clock>,
        holder: &str,
        lease: Duration,
        shutdown: CancellationToken,
        id: &str,
    ) -> Result<Option<Self>, RepositoryError> {
        let Some(mut stored) = repository.load(id).await? else {
            return Ok(None);
        };
        let now = clock.now();
        let is_free =
            stored.job.lease.as_ref().is_none_or(|held| held.until_ms < now.as_millisecond());
        if !is_free || !matches!(stored.job.state, JobState::Queued | JobState::Running) {
            return Ok(None);
        }
        let begun = Instant::now();
        let epoch = stored.job.lease.as_ref().map_or(0, |held| held.epoch) + 1;
        stored.job.lease =
            Some(Lease { holder: holder.to_owned(), epoch, until_ms: until(clock, lease) });
        stored.job.state = JobState::Running;
        stored.job.started.get_or_insert_with(|| now.to_string());
        match repository.save(&mut stored).await {
            Ok(()) => (),
            Err(RepositoryError::Conflict { .. }) => return Ok(None),
            Err(err) => return Err(err),
        }
        let seen = Seen {
            held_until: begun + lease - lease / MARGIN,
            wanted: stored.job.wanted,
            live: BTreeMap::new(),
        };
        Ok(Some(Self {
            repository: repository.clone(),
            clock: clock.clone(),
            lease,
            shutdown,
            stored: AsyncMutex::new(stored),
            seen: Mutex::new(seen),
        }))
    }

    /// The job as it was saved last.
    pub(super) async fn job(&self) -> Job {
        self.stored.lock().await.job.clone()
    }

    /// Whether the next page may be begun.
    pub(super) fn check(&self) -> Result<(), Stop> {
        let (held, wanted) = {
            let seen = self.seen();
            (Instant::now() < seen.held_until, seen.wanted)
        };
        if !held {
            return Err(Stop::Lost);
        }
        if let Some(wanted) = wanted {
            return Err(Stop::Wanted(wanted));
        }
        if self.shutdown.is_cancelled() { Err(Stop::Shutdown) } else { Ok(()) }
    }

    /// Says how far a unit is.
    pub(super) fn progress(&self, unit: u64, tally: Tally) {
        self.seen().live.insert(unit, tally);
    }

    /// Says that a unit is finished.
    pub(super) async fn unit_done(&self, unit: u64, database: Option<&str>, report: Report) {
        let mut stored = self.stored.lock().await;
        stored.job.done.insert(unit);
        stored.job.add(database, report);
        self.seen().live.remove(&unit);
    }

    /// Changes the job and saves it.
    pub(super) async fn change(&self, change: impl Fn(&mut Job)) -> Result<(), Stop> {
        let mut stored = self.stored.lock().await;
        change(&mut stored.job);
        self.save(&mut stored).await.map(|_| ())
    }

    /// Prolongs the lease and saves the progress.
    pub(super) async fn renew(&self) -> Result<(), Stop> {
        self.change(|_| ()).await
    }

    /// Gives the lease back, with the state that the job is left in. Tried until it is stored, or until
    /// somebody else may have taken the job: they go on with it then.
    pub(super) async fn give_back(&self, end: impl Fn(&mut Job)) -> Result<(), Stop> {
        let mut stored = self.stored.lock().await;
        end(&mut stored.job);
        if let Some(lease) = &mut stored.job.lease {
            lease.until_ms = 0;
        }
        while !self.save(&mut stored).await? {
            if Instant::now() >= self.seen().held_until {
                return Err(Stop::Lost);
            }
            sleep(PAUSE).await;
        }
        Ok(())
    }

    /// Saves the job; returns whether it is stored.
    async fn save(&self, stored: &mut StoredJob) -> Result<bool, Stop> {
        let begun = Instant::now();
        let epoch = stored.job.lease.as_ref().map(|lease| lease.epoch);
        if let Some(lease) = stored.job.lease.as_mut().filter(|lease| lease.until_ms > 0) {
            lease.until_ms = until(&self.clock, self.lease);
        }
        stored.job.live = self.seen().live.values().fold(Tally::default(), |mut all, tally| {
            all.add(*tally);
            all
        });
        for _ in 0..TRIES {
            match self.repository.save(stored).await {
                Ok(()) => {
                    self.seen().held_until = begun + self.lease - self.lease / MARGIN;
                    return Ok(true);
                }
                Err(RepositoryError::Conflict { .. }) => {}
                // The lease may run out by this, which `check` sees.
                Err(err) => {
                    let cause: &(dyn std::error::Error + 'static) = &err;
                    tracing::warn!(job = stored.job.id, error = cause, "a job is not saved");
                    return Ok(false);
                }
            }
            let found = match self.repository.load(&stored.job.id).await {
                Ok(Some(found)) => found,
                Ok(None) => return Err(self.lose()),
                Err(_) => return Ok(false),
            };
            if found.job.lease.as_ref().map(|lease| lease.epoch) != epoch {
                return Err(self.lose());
            }
            stored.job.wanted = found.job.wanted;
            self.seen().wanted = found.job.wanted;
            stored.follow(found);
        }
        Ok(false)
    }

    fn lose(&self) -> Stop {
        self.seen().held_until = Instant::now();
        Stop::Lost
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn until(clock: &Arc<dyn Clock>, lease: Duration) -> i64 {
    let lease = i64::try_from(lease.as_millis()).unwrap_or(i64::MAX);
    clock.now().as_millisecond().saturating_add(lease)
}
