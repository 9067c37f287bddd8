//! Jobs: what was asked for, how far it came, and the journal of what it writes.
//!
//! All lie in one database. `job:{id}` is the job, with the lease of the process that runs it;
//! `units:{id}` what it works through, one by one; `journal:{id}:{unit}:{page}:{part}` what a page of a
//! unit writes, stored before it is written, in parts of a bounded size; `active` which jobs have not
//! ended. `task:{id}` and `task_input:{id}:{chunk}` are work by tables and the rows of these (`tasks`);
//! what became of the rows is in the journal (`results`). A page that is stored `Absent` is also a fence:
//! whoever lost the lease meets a conflict.

mod pages;
mod record;
mod results;
mod tasks;
mod turns;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::{
    pages::{JournalPart, RecordedPage},
    record::{
        DoneUnits, Findings, Job, JobFailure, JobState, Lease, Report, RowResult, RowTally, Tally,
        Wanted,
    },
    results::{ResultPage, ResultReading},
    tasks::{Task, TaskChunk},
    turns::ClaimedTurn,
};

use super::{RepositoryError, write_id};
use crate::store::{
    Body, DbName, Document, Expect, IdRange, Kind, Order, Query, Question, Rev, SharedStore,
    StoreError, WRITE_ID, Write,
};

/// The database of jobs.
pub(super) const DATABASE: &str = "number_manager_jobs";
/// The document that names the jobs which have not ended.
const ACTIVE: &str = "active";
/// How many documents of an old job are removed at once: parts of a journal are large.
const FORGOTTEN_AT_ONCE: usize = 20;
/// How often a document that several processes change is read and written again.
const TRIES: u32 = 20;

/// A job with the revision at which it was read.
#[derive(Clone, Debug)]
pub struct StoredJob {
    /// The job; change it and save.
    pub job: Job,
    rev: Rev,
}

/// A job that has not ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActiveJob {
    /// Its operation.
    pub operation: String,
    /// The databases that it works on; none for all.
    pub databases: Option<BTreeSet<String>>,
    /// When it was entered, in milliseconds of Unix time.
    pub entered_ms: i64,
}

/// Keeps jobs.
#[derive(Clone, Debug)]
pub struct JobRepository {
    store: SharedStore,
}

impl StoredJob {
    /// Goes on from the revision at which another one was read.
    pub fn follow(&mut self, other: Self) {
        self.rev = other.rev;
    }
}

impl JobRepository {
    /// Jobs in this store.
    #[must_use]
    pub fn new(store: SharedStore) -> Self {
        Self { store }
    }

    /// Enters a job among those that have not ended, unless another one of the same operation works
    /// on the same databases: then nothing is entered, and its id is the answer.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`], [`RepositoryError::Conflict`] when others kept entering jobs.
    pub async fn enter(
        &self,
        id: &str,
        job: ActiveJob,
    ) -> Result<Result<(), String>, RepositoryError> {
        let meets = |other: &ActiveJob| {
            other.operation == job.operation
                && match (&other.databases, &job.databases) {
                    (Some(theirs), Some(ours)) => !theirs.is_disjoint(ours),
                    _ => true,
                }
        };
        self.change_active(|active| {
            if let Some((other, _)) = active.iter().find(|(_, other)| meets(other)) {
                return Err(other.clone());
            }
            active.insert(id.to_owned(), job.clone());
            Ok(())
        })
        .await
    }

    /// Strikes a job that has ended out.
    ///
    /// # Errors
    ///
    /// As [`JobRepository::enter`].
    pub async fn leave(&self, id: &str) -> Result<(), RepositoryError> {
        let left = self.change_active(|active| active.remove(id).map(|_| ()).ok_or(())).await?;
        // Who is not there has left before.
        left.or(Ok(()))
    }

    /// The jobs that have not ended, by their ids.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn active(&self) -> Result<BTreeMap<String, ActiveJob>, RepositoryError> {
        Ok(self.read_active().await?.1)
    }

    async fn read_active(&self) -> Result<(Expect, BTreeMap<String, ActiveJob>), RepositoryError> {
        let Some(found) = self.store.get(&database(), ACTIVE).await?.live() else {
            return Ok((Expect::Absent, BTreeMap::new()));
        };
        let jobs = found.body.get("jobs").cloned().unwrap_or_else(|| json!({}));
        let jobs = serde_json::from_value(jobs).map_err(|_| unreadable(ACTIVE))?;
        Ok((Expect::At(found.rev), jobs))
    }

    async fn change_active<E>(
        &self,
        change: impl Fn(&mut BTreeMap<String, ActiveJob>) -> Result<(), E>,
    ) -> Result<Result<(), E>, RepositoryError> {
        for _ in 0..TRIES {
            let (expect, mut active) = self.read_active().await?;
            if let Err(refused) = change(&mut active) {
                return Ok(Err(refused));
            }
            let body = object(json!({ "pvt_type": "active_jobs", "jobs": active }));
            match self.put(ACTIVE, expect, body).await {
                Ok(_) => return Ok(Ok(())),
                Err(RepositoryError::Conflict { .. }) => (),
                Err(err) => return Err(err),
            }
        }
        Err(RepositoryError::Conflict { id: ACTIVE.to_owned() })
    }

    /// Stores a new job.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`], [`RepositoryError::Conflict`] when there is one of that id.
    pub async fn create(&self, job: Job) -> Result<StoredJob, RepositoryError> {
        let rev = self.put(&job_id(&job.id), Expect::Absent, body(&job)).await?;
        Ok(StoredJob { job, rev })
    }

    /// Reads a job.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`], and [`RepositoryError::Conflict`] for one that cannot be read.
    pub async fn load(&self, id: &str) -> Result<Option<StoredJob>, RepositoryError> {
        let found = self.store.get(&database(), &job_id(id)).await?.live();
        found.map(stored).transpose()
    }

    /// Saves a job.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when somebody changed it since it was read.
    pub async fn save(&self, stored: &mut StoredJob) -> Result<(), RepositoryError> {
        let expect = Expect::At(stored.rev.clone());
        stored.rev = self.put(&job_id(&stored.job.id), expect, body(&stored.job)).await?;
        Ok(())
    }

    /// A page of jobs, the newest first: those before the one named.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn list(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Job>, Option<String>), RepositoryError> {
        let query = Query {
            question: Question::All,
            range: IdRange::starting_with("job:"),
            order: Order::Descending,
            after: before.map(job_id),
            limit,
        };
        let page = self.store.query(&database(), &query).await?;
        let next = page.next.map(|id| id.trim_start_matches("job:").to_owned());
        let jobs: Result<Vec<_>, _> = page.documents.into_iter().map(stored).collect();
        Ok((jobs?.into_iter().map(|stored| stored.job).collect(), next))
    }

    /// The oldest jobs.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn oldest(&self, limit: usize) -> Result<Vec<Job>, RepositoryError> {
        let (question, order, after) = (Question::All, Order::Ascending, None);
        let query = Query { question, range: IdRange::starting_with("job:"), order, after, limit };
        let page = self.store.query(&database(), &query).await?;
        let jobs: Result<Vec<_>, _> = page.documents.into_iter().map(stored).collect();
        Ok(jobs?.into_iter().map(|stored| stored.job).collect())
    }

    /// Removes a job that has ended, with its journal. The job itself goes last, so that what is left
    /// of it when this is interrupted is found again.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`], [`RepositoryError::Conflict`] when somebody else removes it, too.
    pub async fn forget(&self, id: &str) -> Result<(), RepositoryError> {
        for prefix in [format!("journal:{id}:"), format!("units:{id}"), job_id(id)] {
            self.forget_all(&prefix).await?;
        }
        Ok(())
    }

    /// Removes every document whose id begins so.
    async fn forget_all(&self, prefix: &str) -> Result<(), RepositoryError> {
        loop {
            let query = Query {
                question: Question::All,
                range: IdRange::starting_with(prefix),
                order: Order::Ascending,
                after: None,
                limit: FORGOTTEN_AT_ONCE,
            };
            let found = self.store.query(&database(), &query).await?.documents;
            if found.is_empty() {
                return Ok(());
            }
            let delete = |document: Document| {
                let mut left = Body::new();
                stamped(&mut left);
                vec![Write::delete(database(), document.id, document.rev, left)]
            };
            let sets = found.into_iter().map(delete).collect();
            for outcome in self.store.commit_many(sets).await {
                match outcome {
                    Ok(_) => (),
                    Err(err) if err.error.kind == Kind::Conflict => {
                        return Err(RepositoryError::Conflict { id: prefix.to_owned() });
                    }
                    Err(err) => return Err(err.error.into()),
                }
            }
        }
    }

    /// Stores what a job works through. Whoever was first counts.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn keep_units(&self, id: &str, units: &[Value]) -> Result<(), RepositoryError> {
        let body = object(json!({ "pvt_type": "job_units", "units": units }));
        match self.put(&format!("units:{id}"), Expect::Absent, body).await {
            Ok(_) | Err(RepositoryError::Conflict { .. }) => Ok(()),
            Err(err) => Err(err),
        }
    }

    /// What a job works through; none when that was not stored yet.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn units(&self, id: &str) -> Result<Option<Vec<Value>>, RepositoryError> {
        let found = self.store.get(&database(), &format!("units:{id}")).await?.live();
        Ok(found.and_then(|mut found| match found.body.shift_remove("units") {
            Some(Value::Array(units)) => Some(units),
            _ => None,
        }))
    }

    async fn put(&self, id: &str, expect: Expect, mut body: Body) -> Result<Rev, RepositoryError> {
        stamped(&mut body);
        match self.store.commit(vec![Write::put(database(), id, expect, body)]).await {
            Ok(done) if !done.quorum => Err(not_safe(id)),
            Ok(done) => done.revs.into_iter().next().ok_or_else(|| unreadable(id)),
            Err(err) if err.error.kind == Kind::Conflict => {
                Err(RepositoryError::Conflict { id: id.to_owned() })
            }
            Err(err) => Err(err.error.into()),
        }
    }
}

fn database() -> DbName {
    DbName::new(DATABASE)
}

fn job_id(id: &str) -> String {
    format!("job:{id}")
}

fn body(job: &Job) -> Body {
    let mut body = Body::from_iter([("pvt_type".to_owned(), "job".into())]);
    body.insert("job".to_owned(), json!(job));
    body
}

fn stored(document: Document) -> Result<StoredJob, RepositoryError> {
    let Document { id, rev, mut body, .. } = document;
    let job = body.shift_remove("job").unwrap_or_default();
    let job = serde_json::from_value(job).map_err(|_| unreadable(&id))?;
    Ok(StoredJob { job, rev })
}

fn object(value: Value) -> Body {
    match value {
        Value::Object(body) => body,
        _ => Body::new(),
    }
}

fn stamped(body: &mut Body) {
    body.insert(WRITE_ID.to_owned(), write_id().into());
}

/// A write that not enough nodes have: what was won by it is not held.
fn not_safe(id: &str) -> RepositoryError {
    StoreError::new(Kind::Unavailable, "commit", &database(), id)
        .caused_by("the write did not reach the quorum")
        .into()
}

/// A document of ours that somebody spoilt.
fn unreadable(id: &str) -> RepositoryError {
    let source = super::UndecodableField { field: "job", problem: "cannot be read" };
    RepositoryError::Undecodable { id: id.to_owned(), source }
}
