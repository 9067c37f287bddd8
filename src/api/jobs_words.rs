//! What jobs answer and are asked, as the API's document describes it.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// A job.
#[derive(ToSchema)]
pub(super) struct JobBody {
    /// Its id.
    id: String,
    /// What it does.
    operation: String,
    /// `queued`, `running`, `paused`, `succeeded`, `partial`, `failed` or `cancelled`.
    state: String,
    /// As RFC 3339.
    created: String,
    /// As RFC 3339; null before.
    started: Option<String>,
    /// As RFC 3339; null before.
    finished: Option<String>,
    /// What it is about.
    scope: Value,
    /// The operation's own arguments.
    arguments: Value,
    options: JobOptions,
    progress: JobProgress,
    counts: JobCounts,
    /// By database.
    per_database: BTreeMap<String, JobCounts>,
    /// Whether there were more failures than are listed.
    truncated: bool,
    /// The first failures.
    failures: Vec<JobFailureBody>,
    /// What was found, by kind.
    findings: BTreeMap<String, FindingsBody>,
    /// Why it ended before everything was tried.
    error: Option<JobFailureBody>,
    /// Where a dry run's plan is.
    plan: Option<String>,
    /// Where the journal of what it wrote is.
    journal: Option<String>,
    /// Where it can be followed.
    events: String,
    /// What is done in place of what an old command did; only in the answer to such a command.
    instead: Option<String>,
}

/// How a job runs.
#[derive(ToSchema)]
struct JobOptions {
    /// Whether nothing is written.
    dry_run: bool,
    /// The most documents of one page.
    page_size: u64,
    /// How many databases are worked on at once.
    concurrency: u64,
    /// The pause between two pages of a database, in milliseconds.
    pause_ms: u64,
}

/// How far a job came.
#[derive(ToSchema)]
struct JobProgress {
    /// Databases, accounts or blocks of numbers that are finished.
    databases_done: u64,
    /// The same in all; null until that is known.
    databases_total: Option<u64>,
}

/// What became of the numbers.
#[derive(ToSchema)]
pub(super) struct JobCounts {
    /// Looked at.
    read: u64,
    /// Written or removed; in a dry run those that would be.
    changed: u64,
    /// Right before.
    unchanged: u64,
    /// Left alone, because the operation is not about them.
    skipped: u64,
    /// Not changed because of an error.
    failed: u64,
}

/// Why a number was not changed.
#[derive(ToSchema)]
struct JobFailureBody {
    /// The number, or the database as a whole.
    id: String,
    /// The database.
    database: Option<String>,
    /// The status that a request about this number alone would have had.
    code: u16,
    /// The error's id.
    error: String,
    /// The same in words.
    message: String,
}

/// What was found of one kind.
#[derive(ToSchema)]
pub(super) struct FindingsBody {
    /// How often.
    count: u64,
    /// The first ids.
    ids: Vec<String>,
}

/// A part of a plan or a journal.
#[derive(ToSchema)]
pub(super) struct JournalBody(Vec<JournalWrite>);

/// A write.
#[derive(ToSchema)]
struct JournalWrite {
    /// The database.
    database: String,
    /// The document.
    id: String,
    /// The revision that is replaced; null for a document that is new.
    expected: Option<String>,
    /// `create`, `change` or `delete`.
    action: String,
    /// Whether it is the copy of the number before it.
    is_copy: bool,
    /// The members that differ, as they were; null when there was nothing.
    before: Option<Value>,
    /// The members that differ, as they are to be; null for a copy, and when it is deleted.
    after: Option<Value>,
}

/// Which job.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct JobPath {
    /// The job's id.
    job_id: String,
}

/// Which page of jobs.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct JobsParameters {
    /// How many jobs.
    page_size: Option<u64>,
    /// `next_start_key` of the page before.
    start_key: Option<String>,
}

/// How long the answer may take.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WaitParameters {
    /// For how many seconds the end of the job is waited for, at most; `Prefer: wait=N` says the same.
    wait: Option<u64>,
}
