//! Where tasks are asked for, begun, looked at, stopped and removed.

use std::{sync::Arc, time::Duration};

use futures::{Stream, StreamExt, future::Either};
use serde_json::{Map, Value};
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    Action, File, FileLine, RowReader, TaskError, TasksConfig, action,
    intake::{Intake, Taken},
    operation::{self, BY_TABLE},
    output::{self, Columns},
};
use crate::{
    domain::{AccountId, Actor, gregorian_seconds, is_id},
    jobs::{Job, JobError, JobRepository, JobState, Jobs, Lone, Wanted},
    repository::Task,
};

/// How many tasks are read at once to find those of an account.
const READ_AT_ONCE: usize = 100;

/// All tasks.
#[derive(Clone, Debug)]
pub struct Tasks(Arc<Desk>);

#[derive(Debug)]
struct Desk {
    jobs: Jobs,
    limits: TasksConfig,
}

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct NewTask<'a> {
    /// What is to be done.
    pub action: &'static Action,
    /// The account that it is for; none for an administrator's.
    pub account: Option<&'a AccountId>,
    /// Who asks.
    pub actor: &'a Actor,
    /// The name of the file that is given.
    pub file_name: Option<String>,
    /// Whether nothing is to be written.
    pub dry_run: bool,
}

/// A task, and the job that it has become.
#[derive(Clone, Debug)]
pub struct TaskView {
    /// The task.
    pub task: Task,
    /// The job; none when it was not begun.
    pub job: Option<Job>,
}

impl Tasks {
    /// Tasks that become these jobs.
    #[must_use]
    pub fn new(jobs: Jobs, limits: TasksConfig) -> Self {
        Self(Arc::new(Desk { jobs, limits }))
    }

    /// The limits in force.
    #[must_use]
    pub fn limits(&self) -> &TasksConfig {
        &self.0.limits
    }

    fn repository(&self) -> &JobRepository {
        self.0.jobs.repository()
    }

    /// Makes a task of an action that takes no rows.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    pub async fn create(&self, new: &NewTask<'_>) -> Result<TaskView, TaskError> {
        if new.account.is_none() && new.action.needs_account() {
            return Err(TaskError::NoAccount);
        }
        if new.action.takes_rows() {
            let fields = new.action.mandatory().iter().map(|name| (*name).to_owned()).collect();
            let expected = Some("text/csv");
            return Err(TaskError::Rows { fields, values: Vec::new(), expected });
        }
        self.store(new, &new_id(), None).await
    }

    /// Makes a task of a table that arrives.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    pub async fn create_from_table<B, E>(
        &self,
        new: &NewTask<'_>,
        table: impl Stream<Item = Result<B, E>> + Send,
    ) -> Result<TaskView, TaskError>
    where
        B: AsRef<[u8]> + Send,
        E: Send,
    {
        self.create_from_rows(new, |mut intake| async move {
            let limits = &self.0.limits;
            let patience = Duration::from_millis(limits.upload_timeout_ms);
            let mut table = std::pin::pin!(table);
            let mut reader = RowReader::new(limits);
            let mut bytes = 0;
            while let Some(part) =
                timeout(patience, table.next()).await.map_err(|_| TaskError::Slow)?
            {
                let part = part.map_err(|_| TaskError::Broken)?;
                bytes += part.as_ref().len() as u64;
                if bytes > limits.file_bytes {
                    return Err(TaskError::TooLarge(limits.file_bytes));
                }
                intake.take(reader.feed(part.as_ref())?).await?;
            }
            intake.take(reader.finish()?).await?;
            intake.end().await
        })
        .await
    }

    /// Makes a task of records.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    pub async fn create_from_records(
        &self,
        new: &NewTask<'_>,
        records: &[Map<String, Value>],
    ) -> Result<TaskView, TaskError> {
        self.create_from_rows(new, |mut intake| async move {
            intake.take_records(records).await?;
            intake.end().await
        })
        .await
    }

    async fn create_from_rows<'s, F>(
        &'s self,
        new: &NewTask<'_>,
        take: impl FnOnce(Intake<'s>) -> F,
    ) -> Result<TaskView, TaskError>
    where
        F: Future<Output = Result<Taken, TaskError>>,
    {
        if !new.action.takes_rows() {
            let expected = Some("none");
            return Err(TaskError::Rows { fields: Vec::new(), values: Vec::new(), expected });
        }
        let id = new_id();
        let intake = Intake::new(self.repository(), id.clone(), new.action, &self.0.limits);
        let made = match take(intake).await {
            Ok(taken) => self.store(new, &id, Some(taken)).await,
            Err(refused) => Err(refused),
        };
        if made.is_err()
            && let Err(err) = self.repository().forget_input(&id).await
        {
            let cause: &(dyn std::error::Error + 'static) = &err;
            tracing::warn!(task = id, error = cause, "rows of no task are left");
        }
        made
    }

    async fn store(
        &self,
        new: &NewTask<'_>,
        id: &str,
        taken: Option<Taken>,
    ) -> Result<TaskView, TaskError> {
        let rows = taken.as_ref().map(|taken| taken.rows);
        let chunks = taken.as_ref().map_or(0, |taken| taken.chunks);
        let task = Task {
            id: id.to_owned(),
            action: new.action.name.to_owned(),
            account: new.account.map(ToString::to_string),
            auth_account: new.actor.account.as_ref().map(ToString::to_string),
            is_admin: new.actor.is_admin,
            file_name: new.file_name.clone(),
            dry_run: new.dry_run,
            created: gregorian_seconds(self.0.jobs.clock().now()),
            columns: taken.map(|taken| taken.columns).unwrap_or_default(),
            rows,
            chunks,
        };
        self.repository().create_task(&task).await?;
        tracing::info!(task = id, action = task.action, rows, "a task is made");
        Ok(TaskView { task, job: None })
    }

    /// A task; of an account, when one is named.
    ///
    /// # Errors
    ///
    /// [`TaskError::Unknown`].
    pub async fn get(&self, account: Option<&AccountId>, id: &str) -> Result<TaskView, TaskError> {
        let unknown = || TaskError::Unknown(id.to_owned());
        if !is_id(id, ID_DIGITS) {
            return Err(unknown());
        }
        let task = self.repository().task(id).await?.ok_or_else(unknown)?;
        if account.is_some_and(|account| task.account.as_deref() != Some(account.as_str())) {
            return Err(unknown());
        }
        self.view(task).await
    }

    async fn view(&self, task: Task) -> Result<TaskView, TaskError> {
        match self.0.jobs.get(&task.job()).await {
            Ok(job) => Ok(TaskView { task, job: Some(job) }),
            Err(JobError::UnknownJob(_)) => Ok(TaskView { task, job: None }),
            Err(err) => Err(err.into()),
        }
    }

    /// A page of the tasks of an account, the newest first, and where the next one goes on.
    ///
    /// # Errors
    ///
    /// [`TaskError`].
    pub async fn list(
        &self,
        account: &AccountId,
        before: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<TaskView>, Option<String>), TaskError> {
        if let Some(before) = before.filter(|before| !is_id(before, ID_DIGITS)) {
            return Err(TaskError::Unknown(before.to_owned()));
        }
        let mut found = Vec::new();
        let mut before = before.map(str::to_owned);
        loop {
            let (tasks, next) = self.repository().tasks(before.as_deref(), READ_AT_ONCE).await?;
            for task in tasks {
                if task.account.as_deref() != Some(account.as_str()) {
                    continue;
                }
                let id = task.id.clone();
                found.push(self.view(task).await?);
                if found.len() == limit {
                    return Ok((found, Some(id)));
                }
            }
            before = next;
            if before.is_none() {
                return Ok((found, None));
            }
        }
    }

    /// Begins a task.
    ///
    /// # Errors
    ///
    /// [`TaskError::Started`], and those of [`Tasks::get`].
    pub async fn start(
        &self,
        account: Option<&AccountId>,
        id: &str,
    ) -> Result<TaskView, TaskError> {
        let TaskView { task, job } = self.get(account, id).await?;
        if job.is_some() {
            return Err(TaskError::Started(task.id));
        }
        let lone = Lone {
            id: task.job(),
            operation: &BY_TABLE,
            arguments: operation::arguments(&task),
            page_size: self.0.limits.page_size,
            dry_run: task.dry_run,
            asked_by: task.auth_account.clone().unwrap_or_else(|| "system".to_owned()),
        };
        match self.0.jobs.begin_alone(lone).await {
            Ok(job) => Ok(TaskView { task, job: Some(job) }),
            Err(JobError::State { .. }) => Err(TaskError::Started(task.id)),
            Err(err) => Err(err.into()),
        }
    }

    /// Stops a task at its next page, for good.
    ///
    /// # Errors
    ///
    /// [`TaskError::Idle`], and those of [`Tasks::get`].
    pub async fn stop(&self, account: Option<&AccountId>, id: &str) -> Result<TaskView, TaskError> {
        let TaskView { task, .. } = self.get(account, id).await?;
        match self.0.jobs.cancel(&task.job()).await {
            Ok(job) => Ok(TaskView { task, job: Some(job) }),
            Err(JobError::State { .. } | JobError::UnknownJob(_)) => Err(TaskError::Idle),
            Err(err) => Err(err.into()),
        }
    }

    /// Removes a task that is not under way.
    ///
    /// # Errors
    ///
    /// [`TaskError::Running`], and those of [`Tasks::get`].
    pub async fn remove(
        &self,
        account: Option<&AccountId>,
        id: &str,
    ) -> Result<TaskView, TaskError> {
        let view = self.get(account, id).await?;
        if view.job.as_ref().is_some_and(|job| !job.state.has_ended()) {
            return Err(TaskError::Running(view.task.id));
        }
        self.repository().forget_task(id).await?;
        Ok(view)
    }

    /// The lines of a file of a task.
    ///
    /// # Errors
    ///
    /// [`TaskError::Unknown`] when it has no such file.
    pub fn file(
        &self,
        view: TaskView,
        file: File,
    ) -> Result<impl Stream<Item = FileLine> + Send + use<>, TaskError> {
        if !view.files().contains(&file) {
            return Err(TaskError::Unknown(view.task.id));
        }
        let jobs = self.repository().clone();
        Ok(match file {
            File::Input => Either::Left(output::input(jobs, view.task)),
            File::Output => {
                let columns = view.columns();
                Either::Right(output::output(jobs, view.task.job(), columns))
            }
        })
    }
}

impl TaskView {
    /// The files that it has.
    #[must_use]
    pub fn files(&self) -> Vec<File> {
        let input = self.task.rows.map(|_| File::Input);
        let output = self.job.as_ref().map(|_| File::Output);
        input.into_iter().chain(output).collect()
    }

    /// Where it stands, in the platform's words.
    #[must_use]
    pub fn status(&self) -> &'static str {
        let Some(job) = &self.job else { return "pending" };
        match job.state {
            JobState::Cancelled => "stopped",
            _ if job.wanted == Some(Wanted::Cancel) => "stopped",
            JobState::Queued | JobState::Running | JobState::Paused => "executing",
            // What is not in the rows went wrong with all of them.
            _ if job.error.is_some() || !self.is_whole(job) => "internal_error",
            JobState::Succeeded | JobState::Partial | JobState::Failed => {
                match (job.rows.good, job.rows.bad) {
                    (_, 0) => "success",
                    (0, _) => "failure",
                    _ => "partial",
                }
            }
        }
    }

    /// Whether something became of every row.
    fn is_whole(&self, job: &Job) -> bool {
        match self.task.rows {
            Some(rows) => job.rows.good + job.rows.bad == rows,
            None => job.counts.failed == 0,
        }
    }

    /// How many rows there are, as far as that is known.
    #[must_use]
    pub fn total(&self) -> Option<u64> {
        let ended = self.job.as_ref().filter(|job| job.state.has_ended());
        self.task.rows.or_else(|| ended.map(|job| job.rows.good))
    }

    /// How many rows went well so far, and how many did not; none before it is begun.
    #[must_use]
    pub fn counts(&self) -> Option<(u64, u64)> {
        let job = self.job.as_ref()?;
        if job.state.has_ended() && job.state != JobState::Cancelled {
            return Some((job.rows.good, job.rows.bad));
        }
        let mut counts = job.counts;
        counts.add(job.live);
        Some((counts.read.saturating_sub(counts.failed), counts.failed))
    }

    /// The columns of what became of it: all of them, unless it is known which are empty everywhere.
    fn columns(&self) -> Columns {
        let takes_rows = self.task.rows.is_some();
        let job = self.job.as_ref().filter(|job| job.state.has_ended() && !job.rows.is_empty());
        let is_known = |column: &String| super::columns::COLUMNS.contains(&column.as_str());
        match job {
            Some(job)
                if job.state != JobState::Cancelled && self.task.columns.iter().all(is_known) =>
            {
                Columns::of(job.rows)
            }
            _ => Columns::all(takes_rows),
        }
    }
}

impl Action {
    /// Whether there must be an account that it is for.
    fn needs_account(&self) -> bool {
        matches!(self.kind, action::Kind::List { .. })
    }
}

/// How many digits an id has.
const ID_DIGITS: usize = 30;

/// The id of a task that is about to be: ids rise with time.
fn new_id() -> String {
    let mut id = Uuid::now_v7().simple().to_string();
    id.truncate(ID_DIGITS);
    id
}
