//! Documents, whatever they mean: the contract between the repositories and a database.
//!
//! *Database*: a named set of documents (`numbers/+1415`). *Document*: JSON members under an id.
//! *Revision*: the opaque name of one stored version. *Write set*: an ordered list of writes that
//! belong together. *Tombstone*: what a delete leaves behind.
//!
//! There is no blind overwrite: every write says what it expects to find. Every body that is
//! written carries a stamp of its own under [`WRITE_ID`], by which a backend recognises its own
//! write after a time-out.
//!
//! This module knows no numbers; what a document means is the repositories' business.

pub mod couchdb;
pub mod dry_run;
mod routing;
mod rules;
pub mod sqlite;
mod watched;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use self::watched::{LocalWrites, WatchedStore};

/// The member of a body that names one write: unique to it, and the same in each copy of it.
pub const WRITE_ID: &str = "pvt_write_id";

/// The members of a document, in their stored order, without `_id` and `_rev`.
pub type Body = Map<String, Value>;

/// The name of a database as people write it (`numbers/+1415`), never percent-encoded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DbName(String);

/// The opaque name of one stored version of a document: compared for equality and nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Rev(String);

/// A place in a database's feed of changes: opaque, only handed back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seq(String);

/// A stored version of a document.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// The document's id within its database.
    pub id: String,
    /// The revision that this copy was read at.
    pub rev: Rev,
    /// Every member but `_id`, `_rev` and `_conflicts`. Stubs of attachments stay under
    /// `_attachments`, so that writing the body back keeps them.
    pub body: Body,
    /// Other leaf revisions that are not deleted: more than none after a split cluster or a restore.
    pub conflicts: Vec<Rev>,
}

/// What is stored under an id.
#[derive(Clone, Debug, PartialEq)]
pub enum Lookup {
    /// A document.
    Live(Document),
    /// A tombstone, with the members it was left with.
    Deleted(Document),
    /// Nothing, and there never was; or there is no such database.
    Missing,
}

/// Databases that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Updates {
    /// Their names; what was dropped or made is among them.
    pub databases: BTreeSet<DbName>,
    /// Where to go on.
    pub last: Seq,
}

/// What must be true of the stored document for a write to happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expect {
    /// There is no live document: nothing was ever stored, or it is deleted.
    Absent,
    /// The live document is at this revision.
    At(Rev),
}

/// What a write does.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// Stores this body, whole.
    Put(Body),
    /// Deletes the document and leaves these members as its tombstone.
    Delete(Body),
}

/// One write to one document.
#[derive(Clone, Debug, PartialEq)]
pub struct Write {
    /// The database.
    pub db: DbName,
    /// The document's id. Not empty, `.` or `..`, and without `_` in front unless it is that of a
    /// design document.
    pub id: String,
    /// What must be stored for the write to happen.
    pub expect: Expect,
    /// What is written. Of the names with `_` in front a body may have `_attachments` only; those
    /// of the store itself are left out.
    pub change: Change,
}

/// Writes that belong together, in the order in which they must happen.
pub type WriteSet = Vec<Write>;

/// A write set that was applied whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The new revision of each write, in order.
    pub revs: Vec<Rev>,
    /// Whether every write reached the store's quorum. `false` is CouchDB's 202: stored on at
    /// least one node, not yet safe.
    pub quorum: bool,
}

/// A write set that was not applied whole.
#[derive(Debug, thiserror::Error)]
#[error("write {} of a set was not made", applied.len() + 1)]
pub struct CommitError {
    /// The revisions of the writes that were made before the one that failed. SQLite applies a
    /// set whole or not at all, so there it is empty.
    pub applied: Vec<Rev>,
    /// Which write failed, from 0. On CouchDB it equals `applied.len()`.
    pub failed: usize,
    /// Why.
    #[source]
    pub error: StoreError,
}

/// The ids from `from` on and before `before`, in byte order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdRange {
    /// The first id that belongs to the range.
    pub from: String,
    /// The first id that no longer belongs to it.
    pub before: String,
}

/// Which way a page runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// From the lowest id up.
    Ascending,
    /// From the highest id down.
    Descending,
}

/// The questions that can be asked of one database; each answer is ordered by document id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Every document.
    All,
    /// Documents whose stored carrier name is exactly this; `None` for those that have none.
    /// May lag behind the documents; later pages show the index as it was at the first page.
    Carrier(Option<String>),
    /// Documents whose stored owner (`pvt_assigned_to`) is exactly this; `None` for those without
    /// one. May lag as [`Question::Carrier`] does: what is not in the answer is not missing, and
    /// what is in it may be somebody else's by now.
    Owner(Option<String>),
}

/// A document of an account by which one of its applications routes a number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Application {
    /// The application (`callflow`, `trunkstore`).
    pub app: &'static str,
    /// The document's id.
    pub id: String,
}

/// A question, and which page of the answer is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// What is asked.
    pub question: Question,
    /// Which ids may be in the answer.
    pub range: IdRange,
    /// Which way it runs.
    pub order: Order,
    /// Go on behind this id: [`Page::next`] of the page before.
    pub after: Option<String>,
    /// The most documents in one page; at least 1.
    pub limit: usize,
}

/// A page of documents.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The live documents, in order. Can be fewer than the limit though more follow.
    pub documents: Vec<Document>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

/// One entry of a database's feed of changes: the latest change of one document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The document's id.
    pub id: String,
    /// The revision that won.
    pub rev: Rev,
    /// Whether that is a tombstone.
    pub deleted: bool,
}

/// A page of a feed of changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    /// The changes; each document at most once. What changed later comes later on SQLite; in
    /// CouchDB's shards the order between documents can be any, and another one the next time.
    /// Empty only when there is nothing more behind the place asked for.
    pub rows: Vec<Changed>,
    /// Where the next page goes on. Equal to the place asked for when nothing happened since.
    pub last: Seq,
}

/// What a caller may want to tell apart about a failed store call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The [`Expect`] did not hold: someone else wrote first. Nothing was written.
    Conflict,
    /// The database does not exist. Nothing was written.
    NoDatabase,
    /// The backend does not let us (wrong password, missing right). Trying again will not help.
    Denied,
    /// The backend refused this document (too large, illegal id). Trying again will not help.
    Refused,
    /// The backend cannot be reached, is overloaded or answered late; the same call may work
    /// later. A write may have happened or not.
    Unavailable,
    /// The backend answered something that we do not understand. A write may have happened or not.
    Unexpected,
}

/// A store call that failed.
#[derive(Debug, thiserror::Error)]
#[error(
    "{call}{}{db}{}{id} failed: {kind}",
    if db.is_empty() { "" } else { " of " },
    if id.is_empty() { "" } else { " document " },
)]
pub struct StoreError {
    /// What to do about it.
    pub kind: Kind,
    /// Which method of [`DocumentStore`] failed.
    pub call: &'static str,
    /// The database that was addressed; empty for the server as a whole.
    pub db: String,
    /// The document that was addressed; empty when there is not one.
    pub id: String,
    /// The driver's own error.
    #[source]
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// [`DocumentStore::versions`] of a store that cannot ask for many at once.
async fn versions_one_by_one<S: DocumentStore + ?Sized>(
    store: &S,
    dbs: &[DbName],
) -> Result<Vec<Option<Seq>>, StoreError> {
    let mut versions = Vec::with_capacity(dbs.len());
    for db in dbs {
        versions.push(match store.version(db).await {
            Ok(version) => Some(version),
            Err(err) if err.kind == Kind::NoDatabase => None,
            Err(err) => return Err(err),
        });
    }
    Ok(versions)
}

/// The contract between the repositories and a backend.
///
/// Every call ends within the backend's time limits. A backend repeats by itself only what is safe
/// to repeat: reads, and writes of which it made sure that they did not happen.
#[async_trait]
pub trait DocumentStore: fmt::Debug + Send + Sync + 'static {
    /// Reads what is stored under `id`. A missing database is [`Lookup::Missing`].
    async fn get(&self, db: &DbName, id: &str) -> Result<Lookup, StoreError>;

    /// Reads many documents of one database: one answer per id, in the order asked, each as current
    /// as that of [`DocumentStore::get`]. A missing database answers [`Lookup::Missing`] for each.
    async fn get_many(&self, db: &DbName, ids: &[String]) -> Result<Vec<Lookup>, StoreError>;

    /// The revisions of the live documents under `ids`, in the order asked and as current as that of
    /// [`DocumentStore::get`]; `None` for what is missing or deleted, and for each when there is no
    /// such database.
    async fn revisions(&self, db: &DbName, ids: &[String]) -> Result<Vec<Option<Rev>>, StoreError>;

    /// Every live version of a document, the one that counts first: more than one only after a
    /// split cluster or a restore. A missing database has none.
    async fn live_versions(&self, db: &DbName, id: &str) -> Result<Vec<Document>, StoreError> {
        Ok(self.get(db, id).await?.live().into_iter().collect())
    }

    /// Answers one page of a question. Design documents are never in the answer.
    ///
    /// # Errors
    ///
    /// [`Kind::NoDatabase`] when the database does not exist.
    async fn query(&self, db: &DbName, query: &Query) -> Result<Page, StoreError>;

    /// How many live documents of `range` carry each stored carrier name (`None`: no name). Counts
    /// documents of every kind but design documents.
    ///
    /// # Errors
    ///
    /// [`Kind::NoDatabase`] when the database does not exist.
    async fn carrier_counts(
        &self,
        db: &DbName,
        range: &IdRange,
    ) -> Result<BTreeMap<Option<String>, u64>, StoreError>;

    /// The documents of one database that route each of these numbers, in the order asked; those
    /// of one number are ordered. Numbers are compared byte by byte. May lag behind the documents.
    ///
    /// # Errors
    ///
    /// [`Kind::NoDatabase`] when the database does not exist. An index that cannot be read is an
    /// error too, and never an answer without documents.
    async fn applications(
        &self,
        db: &DbName,
        numbers: &[String],
    ) -> Result<Vec<Vec<Application>>, StoreError>;

    /// The databases whose names begin with `prefix`, in byte order.
    async fn databases(&self, prefix: &str) -> Result<Vec<DbName>, StoreError>;

    /// Makes sure that the database exists, with the indexes that its kind needs. Safe to repeat,
    /// and from several processes at once.
    async fn create_database(&self, db: &DbName) -> Result<(), StoreError>;

    /// Whether a database has the indexes of its kind as this build has them. Where it has not,
    /// [`DocumentStore::create_database`] installs them.
    ///
    /// # Errors
    ///
    /// [`Kind::NoDatabase`] when the database does not exist.
    async fn has_current_indexes(&self, db: &DbName) -> Result<bool, StoreError>;

    /// Drops one of our own dated databases (`number_manager_…-YYYYMM` or `-YYYYMMDD`). Dropping
    /// one that does not exist succeeds.
    ///
    /// # Errors
    ///
    /// [`Kind::Refused`] for every other name.
    async fn drop_database(&self, db: &DbName) -> Result<(), StoreError>;

    /// The version that a deleted document was before, if the store still has it; few do for long.
    async fn before_deletion(
        &self,
        _db: &DbName,
        _id: &str,
    ) -> Result<Option<Document>, StoreError> {
        Ok(None)
    }

    /// What changed in a database behind `since` (`None`: from the beginning), at most `limit`
    /// documents. Design documents are never in it.
    ///
    /// # Errors
    ///
    /// [`Kind::NoDatabase`] when the database does not exist.
    async fn changes(
        &self,
        db: &DbName,
        since: Option<&Seq>,
        limit: usize,
    ) -> Result<Changes, StoreError>;

    /// A name of the state that a database is in: after every write to it another one. It may
    /// change without a write as well. Read it before what it is to stand for.
    ///
    /// # Errors
    ///
    /// [`Kind::NoDatabase`] when the database does not exist.
    async fn version(&self, db: &DbName) -> Result<Seq, StoreError>;

    /// The same of many databases, in the order asked; `None` for one that does not exist.
    async fn versions(&self, dbs: &[DbName]) -> Result<Vec<Option<Seq>>, StoreError> {
        versions_one_by_one(self, dbs).await
    }

    /// Waits until any database changes behind `since`, at most for `wait`; `None`: says at once where
    /// the present is. For hints: changes of one database come together, and one may be left out.
    /// Answers `None` where the store keeps no such feed.
    async fn updates(
        &self,
        _since: Option<&Seq>,
        _wait: Duration,
    ) -> Result<Option<Updates>, StoreError> {
        Ok(None)
    }

    /// Reads a checkpoint: a small value kept beside the documents of a database, gone with it,
    /// and not in its feed of changes.
    async fn checkpoint(&self, db: &DbName, name: &str) -> Result<Option<Value>, StoreError>;

    /// Stores a checkpoint; the last writer wins, so only the holder of a lease may write.
    ///
    /// # Errors
    ///
    /// [`Kind::NoDatabase`] when the database does not exist.
    async fn set_checkpoint(&self, db: &DbName, name: &str, value: Value)
    -> Result<(), StoreError>;

    /// Applies the writes of a set in order.
    ///
    /// A write whose outcome was in doubt is read back, and so is one that does not find what it
    /// expects: a stored version with the write's own [`WRITE_ID`] and members counts as written,
    /// unless it is the one that the write expects to find.
    ///
    /// # Errors
    ///
    /// [`CommitError`] at the first write that was not made; those behind it are not tried.
    async fn commit(&self, set: WriteSet) -> Result<Committed, CommitError>;

    /// Applies many sets: the first writes of all, then the second ones, and so on. One result per
    /// set, in order; a set that fails does not hold up the others. The sets must not share a
    /// document.
    async fn commit_many(&self, sets: Vec<WriteSet>) -> Vec<Result<Committed, CommitError>>;

    /// Makes sure that these databases exist, and that every database of the store has the indexes
    /// of its kind as this build has them. Returns a line per thing that was changed. Safe to
    /// repeat, and from several processes at once.
    async fn migrate(&self, databases: &[DbName]) -> Result<Vec<String>, StoreError>;

    /// Succeeds when the store answers and lets us in.
    async fn ping(&self) -> Result<(), StoreError>;
}

/// A store that is shared.
pub type SharedStore = Arc<dyn DocumentStore>;

impl DbName {
    /// A database's name, as people write it.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for DbName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Rev {
    /// A revision, as a backend or a client's `ETag` spells it.
    #[must_use]
    pub fn new(rev: impl Into<String>) -> Self {
        Self(rev.into())
    }

    /// The revision as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Seq {
    /// A place in a feed, as a backend spells it.
    #[must_use]
    pub fn new(seq: impl Into<String>) -> Self {
        Self(seq.into())
    }

    /// The place as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How many changes there were up to this place, as far as the backend says: for finding out
    /// that a database is not the one that it was, and for nothing else.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        let end = self.0.find(|c: char| !c.is_ascii_digit()).unwrap_or(self.0.len());
        self.0[..end].parse().ok()
    }
}

impl Lookup {
    /// The live document, if there is one.
    #[must_use]
    pub fn live(self) -> Option<Document> {
        match self {
            Self::Live(document) => Some(document),
            Self::Deleted(_) | Self::Missing => None,
        }
    }
}

impl IdRange {
    /// Every id that begins with `prefix`, which must be ASCII and not empty.
    ///
    /// # Panics
    ///
    /// When `prefix` is empty or not ASCII.
    #[must_use]
    pub fn starting_with(prefix: &str) -> Self {
        assert!(!prefix.is_empty() && prefix.is_ascii(), "an id range needs an ASCII prefix");
        let mut before = prefix.as_bytes().to_vec();
        *before.last_mut().expect("checked above: not empty") += 1;
        Self {
            from: prefix.to_owned(),
            before: String::from_utf8(before).expect("below 0x7f plus one is ASCII"),
        }
    }
}

impl Kind {
    /// Whether the same call may succeed later.
    #[must_use]
    pub fn is_retryable(self) -> bool {
        match self {
            Self::Conflict | Self::Unavailable => true,
            Self::NoDatabase | Self::Denied | Self::Refused | Self::Unexpected => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Conflict => "someone else wrote first",
            Self::NoDatabase => "the database does not exist",
            Self::Denied => "the store does not let us",
            Self::Refused => "the store refused the document",
            Self::Unavailable => "the store cannot be reached",
            Self::Unexpected => "the store answered something unexpected",
        })
    }
}

impl StoreError {
    /// An error without a cause of the driver's.
    #[must_use]
    pub fn new(kind: Kind, call: &'static str, db: &DbName, id: &str) -> Self {
        Self { kind, call, db: db.to_string(), id: id.to_owned(), source: None }
    }

    /// The same failure once more, for another one who waited for it.
    #[must_use]
    pub fn again(&self) -> Self {
        Self::new(self.kind, self.call, &DbName::new(self.db.as_str()), &self.id)
            .caused_by(self.to_string())
    }

    /// The same error with the driver's own as its cause.
    #[must_use]
    pub fn caused_by(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl Write {
    /// A write that stores `body`.
    #[must_use]
    pub fn put(db: DbName, id: impl Into<String>, expect: Expect, body: Body) -> Self {
        Self { db, id: id.into(), expect, change: Change::Put(body) }
    }

    /// A write that deletes the document at `rev` and leaves `tombstone`.
    #[must_use]
    pub fn delete(db: DbName, id: impl Into<String>, rev: Rev, tombstone: Body) -> Self {
        Self { db, id: id.into(), expect: Expect::At(rev), change: Change::Delete(tombstone) }
    }
}
