//! What is done to the file, all by one thread.
//!
//! *Group*: the jobs that were waiting when the thread was free. They share one transaction, and
//! so one wait for the disk; each has a savepoint, so that one that fails takes only itself back.
//! Nobody is answered before the group is on the disk.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::Value;
use tokio::sync::oneshot;
use uuid::Uuid;

use super::{
    super::{
        Change, DbName, Expect, Kind, Rev, Write,
        rules::{self, Content},
    },
    applications::{self, Routed},
    reader::must_exist,
    workers::{Fault, Jobs},
};

/// A piece of work for the writer: run within a transaction, or told why there is none.
pub(super) type Job = Box<dyn FnOnce(Result<&Connection, Lost>) -> Ran + Send>;

/// Why a whole group was not written.
pub(super) type Lost = Arc<rusqlite::Error>;

/// A job that was run and waits for its group.
pub(super) struct Ran {
    /// Whether what it wrote is kept.
    keep: bool,
    /// Answers its caller, once it is known whether the group was written.
    answer: Box<dyn FnOnce(Option<Lost>) + Send>,
}

/// A write that was checked and whose body is text.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) db: DbName,
    pub(super) id: String,
    expect: Expect,
    deleted: bool,
    /// Or why it is refused, when its turn comes.
    body: Result<String, &'static str>,
    /// What the document routes, when it is there and not a design document.
    routed: Option<Routed>,
}

/// Runs groups of at most `most_jobs` until the store is dropped.
#[expect(clippy::needless_pass_by_value, reason = "the thread owns its connection and its queue")]
pub(super) fn run(connection: Connection, jobs: Jobs<Job>, most_jobs: usize) {
    loop {
        let group = jobs.next_group(most_jobs);
        if group.is_empty() {
            return;
        }
        run_group(&connection, group);
    }
}

/// Makes a job of `work`, and the place where its answer will be.
pub(super) fn job<T: Send + 'static>(
    work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
) -> (Job, oneshot::Receiver<Result<T, Fault>>) {
    let (reply, answer) = oneshot::channel();
    let job = Box::new(move |connection: Result<&Connection, Lost>| {
        // Nobody waits any more: the caller was told that it may not have happened.
        let result = if reply.is_closed() {
            Err(Fault::new(Kind::Unavailable))
        } else {
            connection.map_err(Fault::unavailable).and_then(work)
        };
        Ran {
            keep: result.is_ok(),
            answer: Box::new(move |lost| drop(reply.send(or_lost(result, lost)))),
        }
    });
    (job, answer)
}

/// Checks a write and turns its body into text, before the writer's time is spent on it.
pub(super) fn prepare(write: Write) -> Prepared {
    let Write { db, id, expect, change } = write;
    let (deleted, body) = match change {
        Change::Put(body) => (false, body),
        Change::Delete(body) => (true, body),
    };
    let is_ordinary = !deleted && !id.starts_with(rules::DESIGN_PREFIX);
    let routed = if is_ordinary { Routed::of(&body) } else { None };
    let body = match rules::refusal(&id, &body) {
        None => Ok(Value::Object(rules::without_managed(body)).to_string()),
        Some(refusal) => Err(refusal),
    };
    Prepared { db, id, expect, deleted, body, routed }
}

/// Applies the writes in order; the first that fails ends it.
pub(super) fn apply_set(connection: &Connection, set: &[Prepared]) -> Result<Vec<Rev>, Fault> {
    set.iter()
        .enumerate()
        .map(|(n, write)| apply(connection, write).map_err(|fault| fault.at_write(n)))
        .collect()
}

/// Makes sure that the database exists; says whether it is new.
pub(super) fn create(connection: &Connection, db: &DbName) -> Result<bool, Fault> {
    let created = connection
        .prepare_cached("INSERT INTO databases (name) VALUES (?1) ON CONFLICT DO NOTHING")?
        .execute([db.as_str()])?;
    Ok(created > 0)
}

/// Forgets the database with all that is in it.
pub(super) fn forget(connection: &Connection, db: &DbName) -> Result<(), Fault> {
    connection.prepare_cached("DELETE FROM databases WHERE name = ?1")?.execute([db.as_str()])?;
    Ok(())
}

pub(super) fn set_checkpoint(
    connection: &Connection,
    db: &DbName,
    name: &str,
    value: &Value,
) -> Result<(), Fault> {
    must_exist(connection, db)?;
    connection
        .prepare_cached(
            "INSERT INTO checkpoints (db, name, value) VALUES (?1, ?2, ?3)
             ON CONFLICT (db, name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![db.as_str(), name, value.to_string()])?;
    Ok(())
}

fn run_group(connection: &Connection, group: Vec<Job>) {
    let mut lost = execute(connection, "BEGIN IMMEDIATE").err();
    let mut answers = Vec::with_capacity(group.len());
    for job in group {
        let ran = match &lost {
            None => run_job(connection, job, &mut lost),
            Some(lost) => job(Err(Arc::clone(lost))),
        };
        answers.push(ran.answer);
    }
    if lost.is_none() {
        lost = execute(connection, "COMMIT").err();
    }
    if lost.is_some() && !connection.is_autocommit() {
        // If this fails too, the next BEGIN fails, and its group is told so.
        drop(execute(connection, "ROLLBACK"));
    }
    for answer in answers {
        answer(lost.clone());
    }
}

/// Runs a job within a savepoint. A full disk makes SQLite end the whole transaction by itself;
/// then the savepoint is gone, and with it all that the group wrote so far.
fn run_job(connection: &Connection, job: Job, lost: &mut Option<Lost>) -> Ran {
    if let Err(error) = execute(connection, "SAVEPOINT job") {
        *lost = Some(Arc::clone(&error));
        return job(Err(error));
    }
    let ran = job(Ok(connection));
    let closed = if ran.keep { Ok(()) } else { execute(connection, "ROLLBACK TO job") };
    *lost = closed.and_then(|()| execute(connection, "RELEASE job")).err();
    ran
}

fn execute(connection: &Connection, sql: &str) -> Result<(), Lost> {
    connection.prepare_cached(sql)?.execute([])?;
    Ok(())
}

/// What a job's caller is told. What the job found while the group was alive may rest on writes
/// that are lost with it, so only a fault of the job's own that says no more than that stays.
fn or_lost<T>(result: Result<T, Fault>, lost: Option<Lost>) -> Result<T, Fault> {
    match (lost, result) {
        (None, result) => result,
        (Some(_), Err(fault)) if fault.kind == Kind::Unavailable => Err(fault),
        (Some(lost), _) => Err(Fault::unavailable(lost)),
    }
}

fn apply(connection: &Connection, write: &Prepared) -> Result<Rev, Fault> {
    let body = write.body.as_deref().map_err(|refusal| Fault::refused(*refusal))?;
    let key = [write.db.as_str(), &write.id];
    let stored: Option<(String, bool)> = connection
        .prepare_cached("SELECT rev, deleted FROM documents WHERE db = ?1 AND id = ?2")?
        .query_row(key, |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    if stored.is_none() {
        must_exist(connection, &write.db)?;
    }
    let live = stored.as_ref().filter(|(_, deleted)| !deleted).map(|(rev, _)| rev.as_str());
    let holds = match &write.expect {
        Expect::Absent => live.is_none(),
        Expect::At(rev) => live == Some(rev.as_str()),
    };
    match stored {
        Some((rev, deleted)) if !holds => {
            let own = is_own(connection, write, body, &rev, deleted)?;
            if own { Ok(Rev(rev)) } else { Err(Fault::new(Kind::Conflict)) }
        }
        None if !holds => Err(Fault::new(Kind::Conflict)),
        stored => put(connection, write, body, stored.map(|(rev, _)| rev).as_deref()),
    }
}

/// Whether the stored document is this write, done before by a call that was answered too late.
fn is_own(
    connection: &Connection,
    write: &Prepared,
    body: &str,
    rev: &str,
    deleted: bool,
) -> Result<bool, Fault> {
    let stored: String = connection
        .prepare_cached("SELECT body FROM documents WHERE db = ?1 AND id = ?2")?
        .query_row([write.db.as_str(), &write.id], |row| row.get(0))?;
    let (stored, written) = (serde_json::from_str(&stored)?, serde_json::from_str(body)?);
    let stored = Content { deleted, body: &stored };
    let written = Content { deleted: write.deleted, body: &written };
    Ok(rules::is_own_write(&write.expect, written, rev, stored))
}

fn put(
    connection: &Connection,
    write: &Prepared,
    body: &str,
    before: Option<&str>,
) -> Result<Rev, Fault> {
    let seq: i64 = connection
        .prepare_cached("UPDATE feed SET last_seq = last_seq + 1 RETURNING last_seq")?
        .query_row([], |row| row.get(0))?;
    let rev = rev_after(before);
    connection
        .prepare_cached(
            "INSERT INTO documents (db, id, rev, seq, deleted, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (db, id) DO UPDATE SET
             rev = excluded.rev, seq = excluded.seq, deleted = excluded.deleted,
             body = excluded.body",
        )?
        .execute(params![write.db.as_str(), write.id, rev, seq, write.deleted, body])?;
    applications::replace(
        connection,
        &write.db,
        &write.id,
        before.is_none(),
        write.routed.as_ref(),
    )?;
    Ok(Rev(rev))
}

/// A revision as CouchDB spells it. Its first part goes on over a delete, so that no revision of
/// a document ever comes back.
fn rev_after(before: Option<&str>) -> String {
    let generation: u64 = before
        .and_then(|rev| rev.split_once('-'))
        .and_then(|(generation, _)| generation.parse().ok())
        .unwrap_or(0);
    format!("{}-{}", generation.saturating_add(1), Uuid::new_v4().simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection() -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(include_str!("../../../migrations/sqlite/0001_documents.sql"))
            .unwrap();
        connection
    }

    fn creating(db: &'static str) -> (Job, oneshot::Receiver<Result<bool, Fault>>) {
        job(move |connection| create(connection, &DbName::new(db)))
    }

    /// Runs `sql` between two jobs that are well, and returns what the three of them are told.
    fn group_around(connection: &Connection, sql: &'static str) -> [Option<Kind>; 3] {
        let (first, told_first) = creating("first");
        let (second, told_second) = job(move |connection| {
            connection.execute_batch(sql).map(|()| true).map_err(Fault::from)
        });
        let (third, told_third) = creating("third");
        run_group(connection, vec![first, second, third]);
        [told_first, told_second, told_third]
            .map(|mut told| told.try_recv().unwrap().err().map(|fault| fault.kind))
    }

    fn stored(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM databases", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_job_that_fails_takes_only_itself_back() {
        let connection = connection();
        let told =
            group_around(&connection, "INSERT INTO databases VALUES ('x'); SELECT * FROM nothing");
        assert_eq!(told, [None, Some(Kind::Unexpected), None]);
        assert_eq!(stored(&connection), 2);
    }

    #[test]
    fn a_commit_that_fails_is_told_to_the_whole_group() {
        let connection = connection();
        connection.pragma_update(None, "foreign_keys", true).unwrap();
        let told = group_around(
            &connection,
            "PRAGMA defer_foreign_keys = ON; INSERT INTO checkpoints VALUES ('none', 'c', '1')",
        );
        assert_eq!(told, [Some(Kind::Unavailable); 3]);
        assert_eq!(stored(&connection), 0);
        assert_eq!(group_around(&connection, "SELECT 1"), [None; 3], "the next one is well");
    }

    #[test]
    fn a_transaction_that_is_gone_is_told_to_the_whole_group() {
        let connection = connection();
        let told = group_around(&connection, "ROLLBACK");
        assert_eq!(told, [Some(Kind::Unavailable); 3]);
        assert_eq!(stored(&connection), 0);
        assert_eq!(group_around(&connection, "SELECT 1"), [None; 3], "the next one is well");
    }

    #[test]
    fn what_nobody_waits_for_is_not_done() {
        let connection = connection();
        let (abandoned, told) = creating("abandoned");
        drop(told);
        run_group(&connection, vec![abandoned]);
        assert_eq!(stored(&connection), 0);
    }

    #[test]
    fn the_generation_goes_on() {
        assert!(rev_after(None).starts_with("1-"));
        assert!(rev_after(Some("41-0123456789abcdef0123456789abcdef")).starts_with("42-"));
        assert_eq!(rev_after(None).len(), 34);
        assert_ne!(rev_after(None), rev_after(None));
    }
}
