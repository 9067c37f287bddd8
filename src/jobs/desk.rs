//! Where jobs are asked for, looked at and stopped, and where those are found that nobody runs.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    JobError, JobRequest, JobsConfig, Narration, Narrator, Operation, Preparation, Scope, Unit,
    Work,
    courtesy::Courtesy,
    keeper::{Keeper, Stop},
    replay::{Apply, Revert},
    runner::Run,
    schedule::{Turn, turns},
};
use crate::{
    domain::{Actor, Clock},
    repository::{
        ActiveJob, Job, JobFailure, JobRepository, JobState, JournalPart, RepositoryError, Tally,
        Wanted,
    },
    service::{Error, NumberService},
};

/// How often somebody who waits for a job looks at it.
const LOOKS: Duration = Duration::from_millis(250);
/// For how long a job may be entered without being stored, in milliseconds: its maker died then.
const UNSTORED_MS: i64 = 60_000;
/// How often old jobs are looked for.
const SWEEPS: Duration = Duration::from_hours(1);
/// How many jobs are looked at then, at once.
const SWEPT_AT_ONCE: usize = 50;
/// How often a job that others change is changed again.
const TRIES: u32 = 20;

/// All jobs, of this process and of others.
#[derive(Clone, Debug)]
pub struct Jobs(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    service: NumberService,
    repository: JobRepository,
    clock: Arc<dyn Clock>,
    operations: &'static [&'static dyn Operation],
    limits: JobsConfig,
    /// The name of this process.
    holder: String,
    /// The jobs that run here.
    here: Mutex<HashSet<String>>,
    slots: Arc<Semaphore>,
    courtesy: Courtesy,
    /// Somebody wants something of a job that runs here.
    poked: Notify,
    tracker: TaskTracker,
    shutdown: CancellationToken,
}

impl Jobs {
    /// Jobs of these operations, which go on until `shutdown`.
    #[must_use]
    pub fn new(
        service: NumberService,
        repository: JobRepository,
        clock: Arc<dyn Clock>,
        operations: &'static [&'static dyn Operation],
        limits: JobsConfig,
        shutdown: CancellationToken,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(limits.parallel.max(1)));
        let remembered = Duration::from_millis(limits.courtesy_ms);
        let courtesy = Courtesy::new(remembered, limits.courtesy_page_size);
        Self(Arc::new(Desk {
            service,
            repository,
            clock,
            operations,
            limits,
            holder: Uuid::new_v4().simple().to_string(),
            here: Mutex::default(),
            slots,
            courtesy,
            poked: Notify::new(),
            tracker: TaskTracker::new(),
            shutdown,
        }))
    }

    /// The operations that can be asked for.
    #[must_use]
    pub fn operations(&self) -> &'static [&'static dyn Operation] {
        self.0.operations
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &JobsConfig {
        &self.0.limits
    }

    /// Says that somebody asks this process for something that is no job, so that jobs step back.
    pub fn step_back(&self) {
        self.0.courtesy.asked();
    }

    /// Asks for a job, which begins at once.
    ///
    /// # Errors
    ///
    /// [`JobError`]: nothing was begun.
    pub async fn start(&self, request: &JobRequest) -> Result<Job, JobError> {
        self.begin(request, None).await
    }

    /// As [`Jobs::start`], with a report in words that ends when the job does, or when this process
    /// no longer runs it.
    ///
    /// # Errors
    ///
    /// As [`Jobs::start`].
    pub async fn start_telling(&self, request: &JobRequest) -> Result<(Job, Narration), JobError> {
        let (narrator, narration) = Narrator::new();
        Ok((self.begin(request, Some(narrator)).await?, narration))
    }

    /// Does what a dry run planned, as a job of its own.
    ///
    /// # Errors
    ///
    /// [`JobError::UnknownJob`], [`JobError::State`] for one that is no finished dry run.
    pub async fn apply(&self, id: &str, actor: &Actor) -> Result<Job, JobError> {
        let planned = self.get(id).await?;
        if !planned.dry_run || !planned.state.has_ended() {
            return Err(state_of(&planned));
        }
        self.replay(Apply.name(), id, actor).await
    }

    /// Puts back what a job changed, as a job of its own.
    ///
    /// # Errors
    ///
    /// [`JobError::UnknownJob`], [`JobError::State`] for one that is a dry run or has not ended.
    pub async fn revert(&self, id: &str, actor: &Actor) -> Result<Job, JobError> {
        let done = self.get(id).await?;
        if done.dry_run || !done.state.has_ended() {
            return Err(state_of(&done));
        }
        self.replay(Revert.name(), id, actor).await
    }

    async fn replay(&self, operation: &str, id: &str, actor: &Actor) -> Result<Job, JobError> {
        let members = Map::from_iter([("job".to_owned(), id.into())]);
        let (operation, actor) = (operation.to_owned(), actor.clone());
        self.start(&JobRequest { operation, members, confirmed_by: None, actor }).await
    }

    async fn begin(
        &self,
        request: &JobRequest,
        narrator: Option<Narrator>,
    ) -> Result<Job, JobError> {
        let desk = &self.0;
        if !request.actor.is_admin {
            return Err(Error::Forbidden { cause: None }.into());
        }
        let operation = desk.operation(&request.operation)?;
        let checked = request.check(operation, &desk.limits)?;
        let work = operation
            .prepare(&Preparation {
                service: &desk.service,
                jobs: &desk.repository,
                arguments: &checked.arguments,
                scope: &checked.scope,
                dry_run: checked.dry_run,
                operations: desk.operations,
            })
            .await?;
        let id = Uuid::now_v7().simple().to_string();
        let now = desk.clock.now();
        let databases = checked.scope.places().or_else(|| replayed(&checked.arguments));
        let entry = ActiveJob {
            operation: operation.name().to_owned(),
            databases: databases.map(|names| names.into_iter().collect()),
            entered_ms: now.as_millisecond(),
        };
        // A plan changes nothing, so it gets in nobody's way.
        let entry = if checked.dry_run {
            ActiveJob { operation: format!("plan:{id}"), ..entry }
        } else {
            entry
        };
        desk.enter(&id, &entry).await?;
        let job = Job {
            id: id.clone(),
            operation: operation.name().to_owned(),
            arguments: checked.arguments,
            scope: request.members.get("scope").cloned().unwrap_or(json!({})),
            dry_run: checked.dry_run,
            page_size: checked.page_size,
            concurrency: checked.concurrency,
            pause_ms: checked.pause_ms,
            asked_by: request.actor.name().to_owned(),
            state: JobState::Queued,
            wanted: None,
            created: now.to_string(),
            started: None,
            finished: None,
            lease: None,
            units: None,
            done: <_>::default(),
            counts: Tally::default(),
            live: Tally::default(),
            per_database: <_>::default(),
            failures: Vec::new(),
            findings: <_>::default(),
            error: None,
        };
        tracing::info!(
            job = id,
            operation = job.operation,
            by = job.asked_by,
            "a job is asked for"
        );
        let stored = match desk.repository.create(job).await {
            Ok(stored) => stored,
            Err(err) => {
                let _ = desk.repository.leave(&id).await;
                return Err(Error::from(err).into());
            }
        };
        self.run_here(&id, Some(work), narrator);
        Ok(stored.job)
    }

    /// A job.
    ///
    /// # Errors
    ///
    /// [`JobError::UnknownJob`], and those of every read.
    pub async fn get(&self, id: &str) -> Result<Job, JobError> {
        let unknown = || JobError::UnknownJob(id.to_owned());
        if !is_id(id) {
            return Err(unknown());
        }
        let found = self.0.repository.load(id).await.map_err(Error::from)?;
        found.map(|stored| stored.job).ok_or_else(unknown)
    }

    /// A page of jobs, the newest first, and where the next one begins.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn list(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Job>, Option<String>), JobError> {
        if let Some(before) = before.filter(|before| !is_id(before)) {
            return Err(JobError::UnknownJob(before.to_owned()));
        }
        Ok(self.0.repository.list(before, limit).await.map_err(Error::from)?)
    }

    /// The job of an operation that has not ended and is no dry run; none when there is none.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn running(&self, operation: &str) -> Result<Option<String>, JobError> {
        let active = self.0.repository.active().await.map_err(Error::from)?;
        let mut active = active.into_iter();
        Ok(active.find(|(_, entry)| entry.operation == operation).map(|(id, _)| id))
    }

    /// A part of the journal of a job behind a place; none at the end.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn journal(
        &self,
        id: &str,
        after: Option<&str>,
    ) -> Result<Option<JournalPart>, JobError> {
        let is_place = |place: &&str| place.bytes().all(|it| it.is_ascii_digit() || it == b':');
        if let Some(after) = after.filter(|after| !is_place(after)) {
            return Err(JobError::UnknownJob(format!("{id}:{after}")));
        }
        Ok(self.0.repository.journal(id, after, false).await.map_err(Error::from)?)
    }

    /// The job once it has ended or is paused, or as it is after `patience`.
    ///
    /// # Errors
    ///
    /// As [`Jobs::get`].
    pub async fn wait(&self, id: &str, patience: Duration) -> Result<Job, JobError> {
        let begun = Instant::now();
        loop {
            let job = self.get(id).await?;
            let left = patience.saturating_sub(begun.elapsed());
            if job.state.has_ended() || job.state == JobState::Paused || left.is_zero() {
                return Ok(job);
            }
            // Looking is cheap for short jobs and rare for long ones.
            let look = (begun.elapsed() / 4).clamp(Duration::from_millis(5), LOOKS);
            sleep(look.min(left)).await;
        }
    }

    /// Stops a job for good, at its next page.
    ///
    /// # Errors
    ///
    /// [`JobError::UnknownJob`], [`JobError::State`] for one that has ended.
    pub async fn cancel(&self, id: &str) -> Result<Job, JobError> {
        self.want(id, Wanted::Cancel, JobState::Cancelled).await
    }

    /// Stops a job at its next page, so that it can go on.
    ///
    /// # Errors
    ///
    /// As [`Jobs::cancel`].
    pub async fn pause(&self, id: &str) -> Result<Job, JobError> {
        self.want(id, Wanted::Pause, JobState::Paused).await
    }

    /// Lets a job go on that was paused.
    ///
    /// # Errors
    ///
    /// As [`Jobs::cancel`].
    pub async fn resume(&self, id: &str) -> Result<Job, JobError> {
        let job = self.unpause(id).await?;
        self.run_here(id, None, None);
        Ok(job)
    }

    async fn unpause(&self, id: &str) -> Result<Job, JobError> {
        let job = self
            .change(id, |job| {
                if job.state != JobState::Paused && job.wanted != Some(Wanted::Pause) {
                    return Err(state_of(job));
                }
                job.wanted = None;
                if job.state == JobState::Paused {
                    job.state = JobState::Queued;
                }
                Ok(())
            })
            .await?;
        self.0.poked.notify_waiters();
        Ok(job)
    }

    /// Lets a job go on in this process that was paused, or that a process left behind which is gone.
    ///
    /// # Errors
    ///
    /// [`JobError::UnknownJob`], [`JobError::State`] for one that has ended.
    pub async fn resume_telling(&self, id: &str) -> Result<Narration, JobError> {
        let job = self.get(id).await?;
        if job.state.has_ended() {
            return Err(state_of(&job));
        }
        if job.state == JobState::Paused || job.wanted == Some(Wanted::Pause) {
            self.unpause(id).await?;
        }
        Ok(self.take_telling(id))
    }

    /// Runs a job in this process if nobody else does, with a report in words of what is left of it.
    /// The report ends as that of [`Jobs::start_telling`]; at once when somebody else runs the job.
    #[must_use]
    pub fn take_telling(&self, id: &str) -> Narration {
        let (narrator, narration) = Narrator::new();
        self.run_here(id, None, Some(narrator));
        narration
    }

    async fn want(&self, id: &str, wanted: Wanted, end: JobState) -> Result<Job, JobError> {
        let now = self.0.clock.now();
        let job = self
            .change(id, |job| {
                if job.state.has_ended() {
                    return Err(state_of(job));
                }
                let is_held =
                    job.lease.as_ref().is_some_and(|it| it.until_ms > now.as_millisecond());
                if is_held {
                    job.wanted = Some(wanted);
                } else {
                    job.wanted = None;
                    job.state = end;
                    if end.has_ended() {
                        job.finished = Some(now.to_string());
                    }
                }
                Ok(())
            })
            .await?;
        if job.state.has_ended() {
            self.0.repository.leave(id).await.map_err(Error::from)?;
        }
        self.0.poked.notify_waiters();
        Ok(job)
    }

    async fn change(
        &self,
        id: &str,
        change: impl Fn(&mut Job) -> Result<(), JobError>,
    ) -> Result<Job, JobError> {
        if !is_id(id) {
            return Err(JobError::UnknownJob(id.to_owned()));
        }
        let repository = &self.0.repository;
        for _ in 0..TRIES {
            let found = repository.load(id).await.map_err(Error::from)?;
            let mut stored = found.ok_or_else(|| JobError::UnknownJob(id.to_owned()))?;
            change(&mut stored.job)?;
            match repository.save(&mut stored).await {
                Ok(()) => return Ok(stored.job),
                Err(RepositoryError::Conflict { .. }) => sleep(Duration::from_millis(10)).await,
                Err(err) => return Err(Error::from(err).into()),
            }
        }
        Err(Error::Conflict.into())
    }

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
        let is_ours = desk.repository.claim_turn(turn.operation, &due.to_string()).await;
        if !is_ours.map_err(Error::from)? {
            return Ok(());
        }
        let (operation, members) = (turn.operation.to_owned(), turn.members());
        let actor = Actor::operator();
        match self.start(&JobRequest { operation, members, confirmed_by: None, actor }).await {
            // Somebody asked for it already.
            Ok(_) | Err(JobError::Running(_)) => Ok(()),
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
                Ok(_) | Err(JobError::UnknownJob(_)) => (),
                Err(err) => return Err(err),
            }
        }
        Ok(())
    }

    /// Removes jobs that ended longer ago than they are kept, with their journals.
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
            let old: Vec<&Job> = oldest.iter().filter(|job| is_old(job)).collect();
            for job in &old {
                match desk.repository.forget(&job.id).await {
                    // Another process does the same.
                    Ok(()) | Err(RepositoryError::Conflict { .. }) => (),
                    Err(err) => return Err(err),
                }
            }
            if old.len() < SWEPT_AT_ONCE {
                return Ok(());
            }
        }
    }

    /// Waits until the jobs that run here have stopped; after the shutdown.
    pub async fn stopped(&self) {
        self.0.tracker.close();
        self.0.tracker.wait().await;
    }

    async fn look(&self) -> Result<(), RepositoryError> {
        let desk = &self.0;
        let now = desk.clock.now().as_millisecond();
        for (id, entry) in desk.repository.active().await? {
            if desk.here().contains(&id) {
                continue;
            }
            match desk.repository.load(&id).await? {
                None if entry.entered_ms + UNSTORED_MS < now => desk.repository.leave(&id).await?,
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

    /// Runs a job in this process, as soon as there is room for it.
    fn run_here(&self, id: &str, work: Option<Box<dyn Work>>, narrator: Option<Narrator>) {
        let desk = self.0.clone();
        if desk.shutdown.is_cancelled() || !desk.here().insert(id.to_owned()) {
            return;
        }
        let id = id.to_owned();
        self.0.tracker.spawn(async move {
            let slot = desk.shutdown.run_until_cancelled(desk.slots.clone().acquire_owned()).await;
            if let Some(Ok(_slot)) = slot
                && let Err(err) = desk.run(&id, work, narrator.as_ref()).await
            {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(job = id, error = cause, "a job cannot be run");
            }
            desk.here().remove(&id);
        });
    }
}

impl Desk {
    fn here(&self) -> std::sync::MutexGuard<'_, HashSet<String>> {
        self.here.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn operation(&self, name: &str) -> Result<&'static dyn Operation, JobError> {
        let replays: [&'static dyn Operation; 2] = [&Apply, &Revert];
        let known = self.operations.iter().copied().chain(replays);
        let found = known.into_iter().find(|operation| operation.name() == name);
        found.ok_or_else(|| JobError::UnknownOperation(name.to_owned()))
    }

    /// Enters a job among those that have not ended. One that has, and is about to be struck out, is in
    /// nobody's way.
    async fn enter(&self, id: &str, entry: &ActiveJob) -> Result<(), JobError> {
        for _ in 0..TRIES {
            let entered = self.repository.enter(id, entry.clone()).await.map_err(Error::from)?;
            let Err(other) = entered else { return Ok(()) };
            let found = self.repository.load(&other).await.map_err(Error::from)?;
            if !found.is_some_and(|found| found.job.state.has_ended()) {
                return Err(JobError::Running(other));
            }
            self.repository.leave(&other).await.map_err(Error::from)?;
        }
        Err(Error::Conflict.into())
    }

    /// Takes a job and runs it to its end, or until it has to stop.
    async fn run(
        &self,
        id: &str,
        work: Option<Box<dyn Work>>,
        narrator: Option<&Narrator>,
    ) -> Result<(), RepositoryError> {
        let lease = Duration::from_millis(self.limits.lease_ms);
        let shutdown = self.shutdown.clone();
        let taken =
            Keeper::take(&self.repository, &self.clock, &self.holder, lease, shutdown, id).await?;
        let Some(keeper) = taken else {
            return Ok(());
        };
        let job = keeper.job().await;
        tracing::info!(job = id, operation = job.operation, "a job runs here");
        let running = self.work_through(&keeper, &job, work, narrator);
        let renewing = self.renew(&keeper);
        let ended = tokio::select! {
            ended = running => ended,
            stop = renewing => Err(stop),
        };
        self.end(&keeper, ended, narrator).await
    }

    /// Keeps the lease; ends when it is lost.
    async fn renew(&self, keeper: &Keeper) -> Stop {
        let pause = Duration::from_millis(self.limits.renewal_ms.max(1));
        loop {
            // Whether it was poked or not, it is time.
            let _ = timeout(pause, self.poked.notified()).await;
            if let Err(stop) = keeper.renew().await {
                return stop;
            }
        }
    }

    async fn work_through(
        &self,
        keeper: &Keeper,
        job: &Job,
        work: Option<Box<dyn Work>>,
        narrator: Option<&Narrator>,
    ) -> Result<(), Stop> {
        let broken = |err: &JobError| {
            Stop::Broken(JobFailure {
                id: job.id.clone(),
                database: None,
                error: err.id().to_owned(),
                message: err.to_string(),
            })
        };
        let operation = self.operation(&job.operation).map_err(|err| broken(&err))?;
        let scope =
            Scope::parse(Some(&job.scope).filter(|it| **it != json!({})), operation.forms());
        let scope = scope.map_err(|err| {
            broken(&JobError::Wrong {
                member: "scope".to_owned(),
                problem: err.to_string(),
                value: job.scope.clone(),
            })
        })?;
        let work = match work {
            Some(work) => work,
            None => operation
                .prepare(&Preparation {
                    service: &self.service,
                    jobs: &self.repository,
                    arguments: &job.arguments,
                    scope: &scope,
                    dry_run: job.dry_run,
                    operations: self.operations,
                })
                .await
                .map_err(|err| broken(&err))?,
        };
        let units = self.units(job, &scope, &*work).await.map_err(|err| broken(&err.into()))?;
        keeper.change(|job| job.units = Some(units.len() as u64)).await?;
        // An administrator asked for it; only they can.
        let actor = Actor::operator();
        let patience = Duration::from_millis(self.limits.patience_ms);
        let run = Run {
            service: &self.service,
            repository: &self.repository,
            keeper,
            work: &*work,
            job,
            actor: &actor,
            narrator,
            courtesy: &self.courtesy,
            patience,
        };
        run.go(&units).await?;
        keeper.check()?;
        let done = keeper.job().await;
        if !job.dry_run {
            work.finish(&self.service, &done).await.map_err(|err| broken(&err.into()))?;
        }
        if let Some(narrator) = narrator {
            narrator.tell(work.closing(&done));
        }
        Ok(())
    }

    /// What the job goes through: the same after a crash.
    async fn units(&self, job: &Job, scope: &Scope, work: &dyn Work) -> Result<Vec<Unit>, Error> {
        let read = |values: Vec<Value>| {
            let units: Result<Vec<Unit>, _> =
                values.into_iter().map(serde_json::from_value).collect();
            units.map_err(|err| Error::Store(Arc::new(err)))
        };
        if let Some(values) = self.repository.units(&job.id).await? {
            return read(values);
        }
        let units = work.units(&self.service, scope, job.page_size).await?;
        let values: Vec<Value> = units.iter().map(|unit| json!(unit)).collect();
        self.repository.keep_units(&job.id, &values).await?;
        // Somebody else may have been first.
        read(self.repository.units(&job.id).await?.unwrap_or(values))
    }

    async fn end(
        &self,
        keeper: &Keeper,
        ended: Result<(), Stop>,
        narrator: Option<&Narrator>,
    ) -> Result<(), RepositoryError> {
        let now = self.clock.now().to_string();
        let state = match &ended {
            Err(Stop::Lost) => {
                tracing::warn!("the lease of a job was lost");
                return Ok(());
            }
            Ok(()) => None,
            Err(Stop::Broken(_)) => Some(JobState::Failed),
            Err(Stop::Wanted(Wanted::Cancel)) => Some(JobState::Cancelled),
            Err(Stop::Wanted(Wanted::Pause)) => Some(JobState::Paused),
            // Another process goes on with it, or this one after its next start.
            Err(Stop::Shutdown) => Some(JobState::Queued),
        };
        let given_back = keeper
            .give_back(|job| {
                job.state = state.unwrap_or_else(|| result_of(job.counts));
                job.wanted = None;
                if job.state.has_ended() {
                    job.finished = Some(now.clone());
                    job.live = Tally::default();
                }
                if let Err(Stop::Broken(failure)) = &ended {
                    job.error = Some(failure.clone());
                }
            })
            .await;
        if let (Err(Stop::Broken(failure)), Some(narrator)) = (&ended, narrator) {
            narrator.tell(format!("ERROR: {}\n", failure.message));
        }
        let job = keeper.job().await;
        if given_back.is_ok() && job.state.has_ended() {
            tracing::info!(job = job.id, state = job.state.name(), "a job ended");
            self.repository.leave(&job.id).await?;
        }
        Ok(())
    }
}

/// Whether a text can be the id of a job: no other is looked for.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|it| it.is_ascii_hexdigit())
}

/// How a job ended that went through everything.
fn result_of(counts: Tally) -> JobState {
    match (counts.failed, counts.changed + counts.unchanged) {
        (0, _) => JobState::Succeeded,
        (_, 0) => JobState::Failed,
        _ => JobState::Partial,
    }
}

fn state_of(job: &Job) -> JobError {
    JobError::State { id: job.id.clone(), state: job.state.name() }
}

/// Two jobs that go through the same journal get in each other's way, others do not.
fn replayed(arguments: &Map<String, Value>) -> Option<Vec<String>> {
    let job = arguments.get("job").and_then(Value::as_str)?;
    Some(vec![format!("job:{job}")])
}
