//! Makes the writes of many sets at once: the first of each set, then the second, and so on.
//!
//! A *job* is one write of one set. The jobs of a step are grouped by database and go out in
//! chunks; databases are worked on side by side. A chunk is not atomic on the server: each row has
//! its own outcome. What is in doubt is read back as in [`super::commit`].

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use reqwest::Method;
use serde::Deserialize;
use tokio::time::sleep;

use super::{
    super::{
        CommitError, Committed, DbName, Kind, Lookup, Rev, StoreError, Write, WriteSet,
        rules::{self, Content},
    },
    CouchStore,
    commit::{WRITE_TRIES, Written, refused},
    failure::{Failure, Verdict},
    wire::Outgoing,
};

/// The call that is named in errors.
const CALL: &str = "commit_many";

/// Where a chunk ends before it has all its documents, in bytes.
const CHUNK_BYTES: usize = 8 << 20;

/// How many documents of a refused chunk are written at once.
const SINGLES_AT_ONCE: usize = 8;

/// One write of one set.
struct Job<'a> {
    set: usize,
    write: &'a Write,
    json: Vec<u8>,
}

type Outcome = (usize, Result<Written, StoreError>);

/// How far a set has come.
enum Progress {
    Alive(Committed),
    Failed(CommitError),
}

/// What one request has left open.
#[derive(Default)]
struct Open<'a> {
    /// Refused for a conflict, which may be with ourselves.
    conflicts: Vec<Job<'a>>,
    /// Made or not.
    doubtful: Vec<Job<'a>>,
    /// Certainly not made.
    unsent: Vec<Job<'a>>,
}

#[derive(Deserialize)]
struct BulkRow {
    #[serde(default)]
    id: String,
    rev: Option<String>,
    /// CouchDB's word for a missed quorum.
    #[serde(default)]
    accepted: bool,
    error: Option<String>,
    #[serde(default)]
    reason: String,
}

impl CouchStore {
    /// Applies many sets, step by step.
    pub(super) async fn apply_sets(
        &self,
        sets: Vec<WriteSet>,
    ) -> Vec<Result<Committed, CommitError>> {
        let begin = || Progress::Alive(Committed { revs: Vec::new(), quorum: true });
        let mut progress: Vec<Progress> = sets.iter().map(|_| begin()).collect();
        let steps = sets.iter().map(Vec::len).max().unwrap_or_default();
        for step in 0..steps {
            for (set, outcome) in self.apply_step(&sets, step, &progress).await {
                progress[set].note(outcome);
            }
        }
        progress.into_iter().map(Progress::into_result).collect()
    }

    async fn apply_step(
        &self,
        sets: &[WriteSet],
        step: usize,
        progress: &[Progress],
    ) -> Vec<Outcome> {
        let mut by_database: BTreeMap<&DbName, Vec<Job<'_>>> = BTreeMap::new();
        for (set, writes) in sets.iter().enumerate() {
            if let (Some(write), Progress::Alive(_)) = (writes.get(step), &progress[set]) {
                let json = Outgoing { write, with_id: true }.to_json();
                by_database.entry(&write.db).or_default().push(Job { set, write, json });
            }
        }
        let work: Vec<_> =
            by_database.into_iter().map(|(db, jobs)| self.apply_in(db, jobs)).collect();
        stream::iter(work).buffer_unordered(self.config.parallel_databases).concat().await
    }

    async fn apply_in(&self, db: &DbName, jobs: Vec<Job<'_>>) -> Vec<Outcome> {
        let mut done = Vec::with_capacity(jobs.len());
        let mut sound = Vec::with_capacity(jobs.len());
        for job in jobs {
            match refused(job.write) {
                None => sound.push(job),
                Some(refused) => done.push(job.failed(refused)),
            }
        }
        for chunk in chunks(sound, self.config.bulk_size) {
            match chunk.len() {
                1 => self.apply_singly(chunk, &mut done).await,
                _ => self.apply_chunk(db, chunk, &mut done).await,
            }
        }
        done
    }

    /// Writes each document on its own: a single one, or those of a chunk that was refused whole
    /// because of one of them.
    async fn apply_singly(&self, jobs: Vec<Job<'_>>, done: &mut Vec<Outcome>) {
        let work: Vec<_> = jobs
            .into_iter()
            .map(|job| async move { (job.set, self.apply(job.write, CALL).await) })
            .collect();
        let mut outcomes = stream::iter(work).buffer_unordered(SINGLES_AT_ONCE);
        while let Some(outcome) = outcomes.next().await {
            done.push(outcome);
        }
    }

    async fn apply_chunk(&self, db: &DbName, jobs: Vec<Job<'_>>, done: &mut Vec<Outcome>) {
        let mut jobs = jobs;
        let mut doubted = false;
        for attempt in 0..WRITE_TRIES {
            let mut open = match self.send_chunk(db, &jobs).await {
                Ok((rows, accepted)) => sort_rows(jobs, rows, accepted, done),
                Err(failure) => match failure.verdict() {
                    Verdict::Unsent => Open { unsent: jobs, ..Open::default() },
                    Verdict::Doubt => Open { doubtful: jobs, ..Open::default() },
                    Verdict::Final(Kind::Refused) => return self.apply_singly(jobs, done).await,
                    Verdict::Final(kind) => {
                        let why = &failure.to_string();
                        return done.extend(jobs.into_iter().map(|job| job.failed_for(kind, why)));
                    }
                },
            };
            doubted |= !open.doubtful.is_empty();
            if doubted {
                // An earlier copy of this very chunk may be what it is in conflict with.
                open.doubtful.append(&mut open.conflicts);
            }
            jobs = self.settle(db, open, done).await;
            if jobs.is_empty() {
                return;
            }
            sleep(self.transport.pause(attempt)).await;
        }
        let why = "the server does not take the writes";
        done.extend(jobs.into_iter().map(|job| job.failed_for(Kind::Unavailable, why)));
    }

    async fn send_chunk(
        &self,
        db: &DbName,
        jobs: &[Job<'_>],
    ) -> Result<(Vec<BulkRow>, bool), Failure> {
        let mut json = br#"{"docs":["#.to_vec();
        for (place, job) in jobs.iter().enumerate() {
            if place > 0 {
                json.push(b',');
            }
            json.extend_from_slice(&job.json);
        }
        json.extend_from_slice(b"]}");
        let request = self.on_database(Method::POST, db, "/_bulk_docs").body(json);
        let answer = self.transport.send(&request).await?;
        Ok((answer.decode()?, answer.is_accepted_only()))
    }

    /// Reads back what is open, in one request; returns what can be sent again.
    async fn settle<'a>(
        &self,
        db: &DbName,
        open: Open<'a>,
        done: &mut Vec<Outcome>,
    ) -> Vec<Job<'a>> {
        let Open { conflicts, doubtful, unsent: mut again } = open;
        let definite = conflicts.len();
        let jobs: Vec<_> = conflicts.into_iter().chain(doubtful).collect();
        let ids: Vec<_> = jobs.iter().map(|job| job.write.id.clone()).collect();
        let found = match self.look_up_many(db, &ids).await {
            Ok(found) => found,
            Err(failure) => {
                let why = &failure.to_string();
                let lost = |job: Job<'_>| job.failed_for(Kind::Unavailable, why);
                done.extend(jobs.into_iter().map(lost));
                return again;
            }
        };
        for (place, (job, found)) in jobs.into_iter().zip(found).enumerate() {
            match job.own_revision(found) {
                Some(rev) => done.push((job.set, Ok(Written { rev, quorum: true }))),
                None if place < definite => {
                    done.push(job.failed_for(Kind::Conflict, "the server answered a conflict"));
                }
                None => again.extend(self.settle_one(job, done).await),
            }
        }
        again
    }

    /// Settles a write in doubt that is not the document's winner: by all leaves and its history.
    async fn settle_one<'a>(&self, job: Job<'a>, done: &mut Vec<Outcome>) -> Option<Job<'a>> {
        let doubt = Failure::Own(Kind::Unavailable, "a bulk write is in doubt");
        match self.settle_doubt(job.write, &doubt).await {
            Ok(None) => return Some(job),
            Ok(Some(rev)) => done.push((job.set, Ok(Written { rev, quorum: true }))),
            Err(failure) => done.push(job.failed(failure)),
        }
        None
    }
}

impl Job<'_> {
    /// The revision of what is stored, when it is this write.
    fn own_revision(&self, found: Lookup) -> Option<Rev> {
        let (stored, deleted) = match found {
            Lookup::Live(stored) => (stored, false),
            Lookup::Deleted(stored) => (stored, true),
            Lookup::Missing => return None,
        };
        let written = Content::from(&self.write.change);
        let content = Content { deleted, body: &stored.body };
        let own = rules::is_own_write(&self.write.expect, written, stored.rev.as_str(), content);
        own.then_some(stored.rev)
    }

    fn failed(self, (kind, failure): (Kind, Failure)) -> Outcome {
        let write = self.write;
        (self.set, Err(failure.with_kind(kind, CALL, write.db.as_str(), &write.id)))
    }

    fn failed_for(self, kind: Kind, why: &str) -> Outcome {
        let error = StoreError::new(kind, CALL, &self.write.db, &self.write.id);
        (self.set, Err(error.caused_by(why)))
    }
}

impl Progress {
    fn note(&mut self, outcome: Result<Written, StoreError>) {
        let Self::Alive(done) = self else { return };
        match outcome {
            Ok(written) => done.add(written),
            Err(error) => {
                let applied = std::mem::take(&mut done.revs);
                *self = Self::Failed(CommitError { failed: applied.len(), applied, error });
            }
        }
    }

    fn into_result(self) -> Result<Committed, CommitError> {
        match self {
            Self::Alive(done) => Ok(done),
            Self::Failed(error) => Err(error),
        }
    }
}

/// Cuts jobs into chunks that a server takes.
fn chunks(jobs: Vec<Job<'_>>, size: usize) -> Vec<Vec<Job<'_>>> {
    let mut chunks: Vec<Vec<Job<'_>>> = Vec::new();
    let mut bytes = 0;
    for job in jobs {
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < size && bytes + job.json.len() <= CHUNK_BYTES => {
                bytes += job.json.len();
                chunk.push(job);
            }
            _ => {
                bytes = job.json.len();
                chunks.push(vec![job]);
            }
        }
    }
    chunks
}

/// Sorts a chunk by the server's rows, which come in the order of the documents. Rows that do not
/// match leave the whole chunk in doubt.
fn sort_rows<'a>(
    jobs: Vec<Job<'a>>,
    rows: Vec<BulkRow>,
    accepted: bool,
    done: &mut Vec<Outcome>,
) -> Open<'a> {
    let mut open = Open::default();
    let matches =
        jobs.len() == rows.len() && jobs.iter().zip(&rows).all(|(job, row)| job.write.id == row.id);
    if !matches {
        open.doubtful = jobs;
        return open;
    }
    // A 202 names the rows that missed their quorum; one that names none means all of them.
    let named = rows.iter().any(|row| row.accepted);
    for (job, row) in jobs.into_iter().zip(rows) {
        let quorum = !accepted || (named && !row.accepted);
        match (row.rev, row.error.as_deref()) {
            (Some(rev), None) => done.push((job.set, Ok(Written { rev: Rev::new(rev), quorum }))),
            (_, Some("conflict")) => open.conflicts.push(job),
            (_, Some(error)) => match refusal(error) {
                Some(kind) => done.push(job.failed_for(kind, &row.reason)),
                None => open.doubtful.push(job),
            },
            (None, None) => open.doubtful.push(job),
        }
    }
    open
}

/// What a row's error means; `None` for a failure of the server's own, after which nobody knows.
fn refusal(error: &str) -> Option<Kind> {
    match error {
        "unauthorized" => Some(Kind::Denied),
        "forbidden"
        | "doc_validation"
        | "illegal_docid"
        | "document_too_large"
        | "attachment_too_large"
        | "missing_stub"
        | "bad_request" => Some(Kind::Refused),
        _ => None,
    }
}
