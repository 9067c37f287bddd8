//! Who wrote numbers, and how: an entry for each write, in databases by the month, which expire by being
//! dropped.
//!
//! The entry is stored before the number is, so whatever was stored has one. Where it turns out that
//! nothing was, the entry is struck out again. Where a process died in between, it stays; which write a
//! number had when the next one was decided is in the next entry, so reading tells which ones happened.

mod noting;
mod origin;
mod reading;

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

pub use self::{
    origin::{Caller, Origin},
    reading::{History, HistoryKey},
};
use super::{codec, write_id};
use crate::{
    domain::{E164, from_gregorian_seconds},
    store::{
        Body, Change, CommitError, DbName, Expect, Kind, Rev, SharedStore, StoreError, WRITE_ID,
        Write,
    },
};

/// What the names of the databases begin with; the month follows.
pub(super) const DATABASES: &str = "number_manager_history-";
/// The type of the documents.
const TYPE: &str = "number_write";
/// Where the names of databases of numbers begin.
const NUMBERS: &str = "numbers/+";

/// Keeps the entries.
#[derive(Clone, Debug)]
pub(super) struct Trail {
    store: SharedStore,
    /// The databases that are known to be there.
    known: Arc<Mutex<BTreeSet<DbName>>>,
}

/// A write of a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number.
    pub number: String,
    /// When (RFC 3339).
    pub time: String,
    /// What was asked for: a method and a route, or a job's operation.
    pub operation: Option<String>,
    /// The account of the token; none for the operator's own, and for what nobody asked for.
    pub account_id: Option<String>,
    /// The token's own name.
    pub jti: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// The job.
    pub job_id: Option<String>,
    /// How the number stood; none when it is new.
    pub before: Option<Side>,
    /// How it stands; none when it is deleted.
    pub after: Option<Side>,
    /// The name of the write.
    #[serde(rename = "pvt_write")]
    pub(super) write: String,
    /// The name of the write before it.
    #[serde(rename = "pvt_follows", default)]
    pub(super) follows: Option<String>,
}

/// How a number stood before or after a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its state.
    pub state: Option<String>,
    /// Its owner.
    pub assigned_to: Option<String>,
    /// Its revision, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// An entry that is stored, and what strikes it out; nothing for one that was stored before.
#[derive(Debug)]
pub(super) struct Noted(Option<Write>);

impl Entry {
    /// The entry of a write over what was read; none of a write of something else.
    pub(super) fn of(
        before: Option<(&Body, Option<&Rev>)>,
        write: &Write,
        now: i64,
    ) -> Option<Self> {
        if !write.db.as_str().starts_with(NUMBERS) {
            return None;
        }
        let number = E164::parse(&write.id).ok()?;
        let (Change::Put(left) | Change::Delete(left)) = &write.change;
        let time = codec::modified(left).unwrap_or(now);
        let origin = Origin::current();
        let of_origin =
            |read: fn(&Origin) -> Option<&str>| origin.as_ref().and_then(read).map(str::to_owned);
        let name = |body: &Body| body.get(WRITE_ID).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            number: number.to_string(),
            time: from_gregorian_seconds(time).unwrap_or_default().to_string(),
            operation: of_origin(|it| Some(it.operation())),
            account_id: of_origin(|it| it.caller()?.account.as_deref()),
            jti: of_origin(|it| it.caller()?.jti.as_deref()),
            request_id: of_origin(Origin::request_id),
            job_id: of_origin(Origin::job_id),
            before: before.map(|(body, rev)| Side::of(body, rev)),
            after: match &write.change {
                Change::Put(body) => Some(Side::of(body, None)),
                Change::Delete(_) => None,
            },
            write: name(left).unwrap_or_else(write_id),
            follows: before.and_then(|(body, _)| name(body)),
        })
    }

    /// Where it lies: the same for the same write.
    fn place(&self) -> (DbName, String) {
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).map(char::from).collect();
        let time: String = digits(self.time.split('.').next().unwrap_or_default());
        let db = DbName::new(format!("{DATABASES}{}", time.get(..6).unwrap_or_default()));
        (db, format!("{}@{time}@{}", self.number, self.write))
    }

    fn put(&self) -> Write {
        let (db, id) = self.place();
        let mut body = Body::from_iter([("pvt_type".to_owned(), TYPE.into())]);
        if let Value::Object(members) = json!(self) {
            body.extend(members);
        }
        body.insert(WRITE_ID.to_owned(), write_id().into());
        Write::put(db, id, Expect::Absent, body)
    }
}

impl Side {
    fn of(body: &Body, rev: Option<&Rev>) -> Self {
        Self {
            state: codec::stored_state(body).map(str::to_owned),
            assigned_to: codec::owner(body).map(|owner| owner.to_string()),
            revision: rev.map(|rev| rev.as_str().to_owned()),
        }
    }
}

impl Trail {
    pub(super) fn new(store: SharedStore) -> Self {
        Self { store, known: Arc::default() }
    }

    /// Stores the entries of writes that are about to be made. One result per entry, in order.
    async fn note_many(&self, entries: &[Entry]) -> Vec<Result<Noted, StoreError>> {
        let writes: Vec<Write> = entries.iter().map(Entry::put).collect();
        let dbs: BTreeSet<&DbName> = writes.iter().map(|write| &write.db).collect();
        for db in dbs {
            if let Err(err) = self.open(db).await {
                return writes.iter().map(|_| Err(err.again())).collect();
            }
        }
        let sets = writes.iter().map(|write| vec![write.clone()]).collect();
        let done = self.store.commit_many(sets).await;
        let noted = writes.into_iter().zip(done).map(|(write, done)| match done {
            Ok(done) if done.quorum => {
                let tombstone = Body::from_iter([(WRITE_ID.to_owned(), write_id().into())]);
                let rev = done.revs.into_iter().next();
                Ok(Noted(rev.map(|rev| Write::delete(write.db, write.id, rev, tombstone))))
            }
            // What too few nodes of a cluster have may be lost.
            Ok(_) => Err(StoreError::new(Kind::Unavailable, "commit", &write.db, &write.id)),
            // It was noted before, when the same write was tried.
            Err(CommitError { error, .. }) if error.kind == Kind::Conflict => Ok(Noted(None)),
            Err(CommitError { error, .. }) => {
                if error.kind == Kind::NoDatabase {
                    self.known().remove(&write.db);
                }
                Err(error)
            }
        });
        noted.collect()
    }

    async fn strike(&self, noted: Vec<Noted>) {
        let sets = noted.into_iter().filter_map(|noted| Some(vec![noted.0?]));
        drop(self.store.commit_many(sets.collect()).await);
    }

    async fn open(&self, db: &DbName) -> Result<(), StoreError> {
        if self.known().contains(db) {
            return Ok(());
        }
        self.store.create_database(db).await?;
        self.known().insert(db.clone());
        Ok(())
    }

    fn known(&self) -> std::sync::MutexGuard<'_, BTreeSet<DbName>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
