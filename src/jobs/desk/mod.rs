//! Where jobs are asked for, looked at and stopped. `work` runs one, `watch` finds those that nobody
//! runs.

mod watch;
mod work;

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use serde_json::{Map, Value, json};
use tokio::{
    sync::{Notify, Semaphore},
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use super::{
    JobError, JobRequest, JobsConfig, Narration, Narrator, Operation, Preparation, Scope, Work,
    courtesy::Courtesy,
    replay::{Apply, Revert},
};
use crate::{
    domain::{Actor, Clock, ID_DIGITS, is_id},
    repository::{
        ActiveJob, Job, JobRepository, JobState, JournalPart, Origin, RepositoryError, Tally,
        Wanted,
    },
    service::{Error, NumberService},
};

/// A job that is asked for by what it is of, and once.
#[derive(Debug)]
pub struct Lone {
    /// Its id.
    pub id: String,
    /// Its operation.
    pub operation: &'static dyn Operation,
    /// What is asked for.
    pub arguments: Map<String, Value>,
    /// The most documents of a page.
    pub page_size: usize,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// Who asks.
    pub asked_by: String,
}

/// How often somebody who waits for a job looks at it.
const LOOKS: Duration = Duration::from_millis(250);
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
    /// Those that nobody asks for by name.
    others: &'static [&'static dyn Operation],
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
    /// Jobs of these operations, and of others that nobody asks for by name, which go on until
    /// `shutdown`.
    #[must_use]
    pub fn new(
        service: NumberService,
        repository: JobRepository,
        clock: Arc<dyn Clock>,
        [operations, others]: [&'static [&'static dyn Operation]; 2],
        limits: JobsConfig,
        shutdown: CancellationToken,
    ) -> Self {
        let slots = Arc::new(Semaphore::new(limits.parallel.max(1)));
        let remembered = Duration::from_millis(limits.courtesy_ms);
        let courtesy = Courtesy::new(remembered, limits.courtesy_page_size, limits.courtesy_pause);
        Self(Arc::new(Desk {
            service,
            repository,
            clock,
            operations,
            others,
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

    /// Where jobs are kept.
    #[must_use]
    pub fn repository(&self) -> &JobRepository {
        &self.0.repository
    }

    /// What they work with.
    #[must_use]
    pub fn service(&self) -> &NumberService {
        &self.0.service
    }

    /// Tells them the time.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        &*self.0.clock
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
        self.begin(&new_id(), self.asked(request)?, request, None).await
    }

    /// As [`Jobs::start`], with a report in words that ends when the job does, or when this process
    /// no longer runs it.
    ///
    /// # Errors
    ///
    /// As [`Jobs::start`].
    pub async fn start_telling(&self, request: &JobRequest) -> Result<(Job, Narration), JobError> {
        let (narrator, narration) = Narrator::new();
        let asked = self.asked(request)?;
        let job = self.begin(&new_id(), asked, request, Some(narrator)).await?;
        Ok((job, narration))
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
        self.replay(&Apply, id, actor).await
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
        self.replay(&Revert, id, actor).await
    }

    async fn replay(
        &self,
        operation: &'static dyn Operation,
        id: &str,
        actor: &Actor,
    ) -> Result<Job, JobError> {
        let members = Map::from_iter([("job".to_owned(), id.into())]);
        let (name, actor) = (operation.name().to_owned(), actor.clone());
        let request = JobRequest { operation: name, members, confirmed_by: None, actor };
        self.begin(&new_id(), operation, &request, None).await
    }

    /// The operation that is asked for by its name. Going through a journal is asked for by the job
    /// that it is of, which is looked at first.
    fn asked(&self, request: &JobRequest) -> Result<&'static dyn Operation, JobError> {
        let mut operations = self.0.operations.iter().copied();
        let found = operations.find(|operation| operation.name() == request.operation);
        found.ok_or_else(|| JobError::UnknownOperation(request.operation.clone()))
    }

    async fn begin(
        &self,
        id: &str,
        operation: &'static dyn Operation,
        request: &JobRequest,
        narrator: Option<Narrator>,
    ) -> Result<Job, JobError> {
        let desk = &self.0;
        if !request.actor.is_admin {
            return Err(Error::Forbidden { cause: None }.into());
        }
        let checked = request.check(operation, &desk.limits)?;
        let preparation = desk.preparation(&checked.arguments, &checked.scope, checked.dry_run);
        let work = operation.prepare(&preparation).await?;
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
        desk.enter(id, &entry).await?;
        let job = Job {
            arguments: checked.arguments,
            scope: request.members.get("scope").cloned().unwrap_or(json!({})),
            dry_run: checked.dry_run,
            page_size: checked.page_size,
            concurrency: checked.concurrency,
            pause_ms: checked.pause_ms,
            asked_by: request.actor.name().to_owned(),
            ..desk.new_job(id, operation)
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
                let _ = desk.repository.leave(id).await;
                return Err(Error::from(err).into());
            }
        };
        self.run_here(id, Some(work), narrator);
        Ok(stored.job)
    }

    /// Begins a job that gets in nobody's way, of an operation that is not asked for by name.
    ///
    /// # Errors
    ///
    /// [`JobError::State`] when there is one of that id.
    pub async fn begin_alone(&self, lone: Lone) -> Result<Job, JobError> {
        let desk = &self.0;
        let Lone { id, operation, arguments, page_size, dry_run, asked_by } = lone;
        if desk.repository.load(&id).await.map_err(Error::from)?.is_some() {
            return Err(state_of(&self.get(&id).await?));
        }
        let entry = ActiveJob {
            operation: id.clone(),
            databases: Some(<_>::default()),
            entered_ms: desk.clock.now().as_millisecond(),
        };
        desk.enter(&id, &entry).await?;
        let job = desk.new_job(&id, operation);
        let job = Job { arguments, dry_run, page_size, concurrency: 1, asked_by, ..job };
        match desk.repository.create(job).await {
            Ok(stored) => {
                self.run_here(&id, None, None);
                Ok(stored.job)
            }
            // Somebody else begins it, and their entry is this one.
            Err(RepositoryError::Conflict { .. }) => Err(state_of(&self.get(&id).await?)),
            Err(err) => Err(Error::from(err).into()),
        }
    }

    /// A job.
    ///
    /// # Errors
    ///
    /// [`JobError::UnknownJob`], and those of every read.
    pub async fn get(&self, id: &str) -> Result<Job, JobError> {
        let unknown = || JobError::UnknownJob(id.to_owned());
        if !is_id(id, ID_DIGITS) {
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
        if let Some(before) = before.filter(|before| !is_id(before, ID_DIGITS)) {
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
        for (id, _) in active.into_iter().filter(|(_, entry)| entry.operation == operation) {
            // A job ends before it is taken off the list.
            let found = self.0.repository.load(&id).await.map_err(Error::from)?;
            if found.is_some_and(|found| !found.job.state.has_ended()) {
                return Ok(Some(id));
            }
        }
        Ok(None)
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
        if !is_id(id, ID_DIGITS) {
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

    /// Waits until the jobs that run here have stopped; after the shutdown.
    pub async fn stopped(&self) {
        self.0.tracker.close();
        self.0.tracker.wait().await;
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

    /// Every operation that a job can have.
    fn known(&self) -> impl Iterator<Item = &'static dyn Operation> + use<> {
        let replays: [&'static dyn Operation; 2] = [&Apply, &Revert];
        self.operations.iter().chain(self.others).copied().chain(replays)
    }

    /// A job that is about to be.
    fn new_job(&self, id: &str, operation: &dyn Operation) -> Job {
        Job {
            id: id.to_owned(),
            operation: operation.name().to_owned(),
            arguments: Map::new(),
            scope: json!({}),
            dry_run: false,
            page_size: self.limits.page_size,
            concurrency: self.limits.concurrency,
            pause_ms: 0,
            asked_by: String::new(),
            asked_with: Origin::token(),
            state: JobState::Queued,
            wanted: None,
            created: self.clock.now().to_string(),
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
            rows: <_>::default(),
            error: None,
        }
    }

    /// What an operation is prepared from.
    fn preparation<'a>(
        &'a self,
        arguments: &'a Map<String, Value>,
        scope: &'a Scope,
        dry_run: bool,
    ) -> Preparation<'a> {
        let (service, jobs, operations) = (&self.service, &self.repository, self.operations);
        Preparation { service, jobs, arguments, scope, dry_run, operations }
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
}

/// The id of a new job: ids are ordered by the time at which they were made.
fn new_id() -> String {
    Uuid::now_v7().simple().to_string()
}

fn state_of(job: &Job) -> JobError {
    JobError::State { id: job.id.clone(), state: job.state.name() }
}

/// Two jobs that go through the same journal get in each other's way, others do not.
fn replayed(arguments: &Map<String, Value>) -> Option<Vec<String>> {
    let job = arguments.get("job").and_then(Value::as_str)?;
    Some(vec![format!("job:{job}")])
}
