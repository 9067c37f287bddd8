//! A store that writes nowhere: it reads through to another one, keeps the writes to itself, and
//! lets later reads see them as if they were done.
//!
//! *Journal*: what it would have written, in order. A rehearsal's journal is its plan.
//!
//! A rehearsal that is to be carried out afterwards remembers what was read through it
//! ([`DryRunStore::remembering`]): its writes are held against that, and nothing is read twice.

mod memory;
mod overlay;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::Value;

use self::{
    memory::{Known, Memory},
    overlay::{Base, Below, Overlay},
};
use super::{
    Application, Body, Change, Changes, CommitError, Committed, DbName, Document, DocumentStore,
    Expect, IdRange, Kind, Lookup, Page, Query, Rev, Seq, SharedStore, StoreError, Updates,
    WriteSet, rules, versions_one_by_one,
};

/// How many documents are asked for at once.
const READ_AT_ONCE: usize = 500;

/// What a place in the feed of a rehearsal begins with: `dry-run:{own}:{below}`.
const SEQ_PREFIX: &str = "dry-run:";

/// A store over another one, to which it never writes.
pub struct DryRunStore {
    below: SharedStore,
    overlay: Mutex<Overlay>,
    memory: Option<Mutex<Memory>>,
}

/// One write that would have been made.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// Which set it belongs to: the first has 1.
    pub set: u64,
    /// The database.
    pub db: DbName,
    /// The document's id.
    pub id: String,
    /// What the write expected to find. The revision is one of the store's own only at the first
    /// write to a document; later ones name what the rehearsal made up.
    pub expect: Expect,
    /// The live document before the write.
    pub before: Before,
    /// What would have been written.
    pub change: Change,
}

/// What is known of the document that a write replaces.
#[derive(Clone, Debug, PartialEq)]
pub enum Before {
    /// There was none.
    Nothing,
    /// There was none, but for what a deleted one left.
    Tombstone(Body),
    /// Its members.
    Members(Body),
    /// Only its revision was read.
    Unread,
}

/// A place in the feed: how far it went in each of the two layers.
struct Place {
    own: u64,
    below: Option<Seq>,
}

impl DryRunStore {
    /// Lays a rehearsal over `below`.
    #[must_use]
    pub fn new(below: SharedStore) -> Self {
        Self { below, overlay: Mutex::default(), memory: None }
    }

    /// The same, which believes what was read through it instead of reading it again when something
    /// is written. For a few thousand documents: all of them are kept.
    #[must_use]
    pub fn remembering(below: SharedStore) -> Self {
        Self { memory: Some(Mutex::default()), ..Self::new(below) }
    }

    /// What would have been written so far, in order.
    #[must_use]
    pub fn journal(&self) -> Vec<Planned> {
        self.overlay().journal.clone()
    }

    /// The same, which is forgotten here by that.
    #[must_use]
    pub fn take_journal(&self) -> Vec<Planned> {
        std::mem::take(&mut self.overlay().journal)
    }

    fn overlay(&self) -> MutexGuard<'_, Overlay> {
        // Nothing that holds it can fail half way.
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, keep: impl FnOnce(&mut Memory)) {
        if let Some(memory) = &self.memory {
            keep(&mut memory.lock().unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// What was read of a document.
    fn recall(&self, db: &DbName, id: &str) -> Option<Known> {
        let memory = self.memory.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        memory.get(db, id).cloned()
    }

    /// What the store below answers about a database, or `empty` where the database is only here.
    async fn ask_below<T>(
        &self,
        call: &'static str,
        db: &DbName,
        empty: T,
        answer: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let base = self.overlay().base(db);
        match base {
            Base::Below => answer.await,
            Base::BelowOrEmpty => match answer.await {
                Err(error) if error.kind == Kind::NoDatabase => Ok(empty),
                answer => answer,
            },
            Base::Empty => Ok(empty),
            Base::Dropped => Err(StoreError::new(Kind::NoDatabase, call, db, "")),
        }
    }

    async fn exists(&self, db: &DbName) -> Result<bool, StoreError> {
        let base = self.overlay().base(db);
        match base {
            Base::Below => Ok(self.below.databases(db.as_str()).await?.contains(db)),
            Base::BelowOrEmpty | Base::Empty => Ok(true),
            Base::Dropped => Ok(false),
        }
    }

    /// Reads below what the sets need to be checked against.
    async fn read_below(&self, sets: &[WriteSet]) -> Below {
        let mut below = Below::default();
        let mut wanted: BTreeMap<DbName, BTreeSet<String>> = BTreeMap::new();
        for write in sets.iter().flatten() {
            let ids = wanted.entry(write.db.clone()).or_default();
            // An illegal id is refused before anybody looks what is stored under it.
            if !rules::is_legal_id(&write.id)
                || self.overlay().lookup(&write.db, &write.id).is_some()
            {
                continue;
            }
            match self.recall(&write.db, &write.id) {
                Some(known) => {
                    if known.exists() {
                        below.existing.insert(write.db.clone());
                    }
                    below
                        .documents
                        .entry(write.db.clone())
                        .or_default()
                        .insert(write.id.clone(), known);
                }
                None => {
                    ids.insert(write.id.clone());
                }
            }
        }
        for (db, ids) in wanted {
            if let Err(error) = self.read_database(&db, ids, &mut below).await {
                below.failed.insert(db, Arc::new(error));
            }
        }
        below
    }

    async fn read_database(
        &self,
        db: &DbName,
        ids: BTreeSet<String>,
        below: &mut Below,
    ) -> Result<(), StoreError> {
        let ids: Vec<String> = ids.into_iter().collect();
        let mut found = Vec::with_capacity(ids.len());
        for some in ids.chunks(READ_AT_ONCE) {
            found.extend(self.below.get_many(db, some).await?);
        }
        // Any document proves that there is a database; else one has to ask.
        if !below.existing.contains(db)
            && (found.iter().any(|lookup| *lookup != Lookup::Missing) || self.exists(db).await?)
        {
            below.existing.insert(db.clone());
        }
        let known = ids.into_iter().zip(found.into_iter().map(Known::Read));
        below.documents.entry(db.clone()).or_default().extend(known);
        Ok(())
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl DocumentStore for DryRunStore {
    async fn get(&self, db: &DbName, id: &str) -> Result<Lookup, StoreError> {
        let own = self.overlay().lookup(db, id);
        if let Some(lookup) = own {
            return Ok(lookup);
        }
        let found = self.below.get(db, id).await?;
        self.remember(|memory| memory.read(db, id, &found));
        Ok(found)
    }

    async fn before_deletion(&self, db: &DbName, id: &str) -> Result<Option<Document>, StoreError> {
        self.below.before_deletion(db, id).await
    }

    async fn live_versions(&self, db: &DbName, id: &str) -> Result<Vec<Document>, StoreError> {
        // What was written here has no other versions than its own.
        match self.get(db, id).await?.live() {
            Some(document) if !document.conflicts.is_empty() => {
                self.below.live_versions(db, id).await
            }
            document => Ok(document.into_iter().collect()),
        }
    }

    async fn get_many(&self, db: &DbName, ids: &[String]) -> Result<Vec<Lookup>, StoreError> {
        let own: Vec<Option<Lookup>> = {
            let overlay = self.overlay();
            ids.iter().map(|id| overlay.lookup(db, id)).collect()
        };
        let asked = unanswered(ids, &own);
        let found = self.below.get_many(db, &asked).await?;
        self.remember(|memory| {
            asked.iter().zip(&found).for_each(|(id, found)| memory.read(db, id, found));
        });
        Ok(fill(own, found))
    }

    async fn revisions(&self, db: &DbName, ids: &[String]) -> Result<Vec<Option<Rev>>, StoreError> {
        let own: Vec<Option<Option<Rev>>> = {
            let overlay = self.overlay();
            let rev = |lookup: Lookup| lookup.live().map(|document| document.rev);
            ids.iter().map(|id| overlay.lookup(db, id).map(rev)).collect()
        };
        let asked = unanswered(ids, &own);
        let found = self.below.revisions(db, &asked).await?;
        self.remember(|memory| {
            asked.iter().zip(&found).for_each(|(id, rev)| memory.revision(db, id, rev.as_ref()));
        });
        Ok(fill(own, found))
    }

    async fn query(&self, db: &DbName, query: &Query) -> Result<Page, StoreError> {
        let empty = Page { documents: Vec::new(), next: None };
        let page = self.ask_below("query", db, empty, self.below.query(db, query)).await?;
        self.remember(|memory| {
            page.documents.iter().for_each(|document| memory.document(db, document));
        });
        Ok(self.overlay().merge(db, query, page))
    }

    async fn carrier_counts(
        &self,
        db: &DbName,
        range: &IdRange,
    ) -> Result<BTreeMap<Option<String>, u64>, StoreError> {
        let answer = self.below.carrier_counts(db, range);
        let mut counts = self.ask_below("carrier_counts", db, BTreeMap::new(), answer).await?;
        let (ids, carriers, base) = {
            let overlay = self.overlay();
            (overlay.ids(db, range), overlay.carriers(db, range), overlay.base(db))
        };
        if matches!(base, Base::Below | Base::BelowOrEmpty) {
            for some in ids.chunks(READ_AT_ONCE) {
                let hidden = self.below.get_many(db, some).await?;
                for document in hidden.into_iter().filter_map(Lookup::live) {
                    let carrier = rules::carrier_name(&document.body).map(str::to_owned);
                    counts.entry(carrier).and_modify(|count| *count = count.saturating_sub(1));
                }
            }
        }
        for carrier in carriers {
            *counts.entry(carrier).or_default() += 1;
        }
        counts.retain(|_, count| *count > 0);
        Ok(counts)
    }

    async fn applications(
        &self,
        db: &DbName,
        numbers: &[String],
    ) -> Result<Vec<Vec<Application>>, StoreError> {
        let none = vec![Vec::new(); numbers.len()];
        let answer = self.below.applications(db, numbers);
        let found = self.ask_below("applications", db, none, answer).await?;
        Ok(self.overlay().merge_applications(db, numbers, found))
    }

    async fn databases(&self, prefix: &str) -> Result<Vec<DbName>, StoreError> {
        let below = self.below.databases(prefix).await?;
        Ok(self.overlay().databases(prefix, below))
    }

    async fn create_database(&self, db: &DbName) -> Result<(), StoreError> {
        if !self.exists(db).await? {
            self.overlay().create(db);
        }
        Ok(())
    }

    async fn has_current_indexes(&self, db: &DbName) -> Result<bool, StoreError> {
        let answer = self.below.has_current_indexes(db);
        self.ask_below("has_current_indexes", db, true, answer).await
    }

    async fn drop_database(&self, db: &DbName) -> Result<(), StoreError> {
        if !rules::is_dated(db) {
            return Err(StoreError::new(Kind::Refused, "drop_database", db, ""));
        }
        self.overlay().forget(db);
        Ok(())
    }

    /// First what changed below, but for the documents that were written here, then these.
    async fn changes(
        &self,
        db: &DbName,
        since: Option<&Seq>,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        let mut place = Place::parse(since);
        let mut rows = Vec::new();
        let mut moved = false;
        while rows.len() < limit {
            let answer = self.below.changes(db, place.below.as_ref(), limit - rows.len());
            let empty = Changes { rows: Vec::new(), last: Seq::new("") };
            let page = self.ask_below("changes", db, empty, answer).await?;
            if page.rows.is_empty() {
                break;
            }
            moved = true;
            place.below = Some(page.last);
            let overlay = self.overlay();
            rows.extend(page.rows.into_iter().filter(|row| !overlay.has(db, &row.id)));
        }
        let overlay = self.overlay();
        // Once more: it may have been written here since it was read.
        rows.retain(|row| !overlay.has(db, &row.id));
        let (own, last) = overlay.changes(db, place.own, limit - rows.len());
        moved |= !own.is_empty();
        place.own = last;
        rows.extend(own);
        let last = since.filter(|_| !moved).cloned().unwrap_or_else(|| place.to_seq());
        Ok(Changes { rows, last })
    }

    async fn version(&self, db: &DbName) -> Result<Seq, StoreError> {
        let below = self.ask_below("version", db, Seq::new(""), self.below.version(db)).await?;
        let (_, own) = self.overlay().changes(db, 0, usize::MAX);
        Ok(Place { own, below: Some(below) }.to_seq())
    }

    async fn versions(&self, dbs: &[DbName]) -> Result<Vec<Option<Seq>>, StoreError> {
        versions_one_by_one(self, dbs).await
    }

    async fn updates(
        &self,
        since: Option<&Seq>,
        wait: Duration,
    ) -> Result<Option<Updates>, StoreError> {
        self.below.updates(since, wait).await
    }

    async fn checkpoint(&self, db: &DbName, name: &str) -> Result<Option<Value>, StoreError> {
        let (own, base) = {
            let overlay = self.overlay();
            let own = overlay.checkpoints.get(&(db.clone(), name.to_owned())).cloned();
            (own, overlay.base(db))
        };
        match (own, base) {
            (Some(value), _) => Ok(Some(value)),
            (None, Base::Below | Base::BelowOrEmpty) => self.below.checkpoint(db, name).await,
            (None, Base::Empty | Base::Dropped) => Ok(None),
        }
    }

    async fn set_checkpoint(
        &self,
        db: &DbName,
        name: &str,
        value: Value,
    ) -> Result<(), StoreError> {
        if !self.exists(db).await? {
            return Err(StoreError::new(Kind::NoDatabase, "set_checkpoint", db, name));
        }
        self.overlay().checkpoints.insert((db.clone(), name.to_owned()), value);
        Ok(())
    }

    async fn commit(&self, set: WriteSet) -> Result<Committed, CommitError> {
        let below = self.read_below(std::slice::from_ref(&set)).await;
        self.overlay().apply(set, &below)
    }

    async fn commit_many(&self, sets: Vec<WriteSet>) -> Vec<Result<Committed, CommitError>> {
        let below = self.read_below(&sets).await;
        let mut overlay = self.overlay();
        sets.into_iter().map(|set| overlay.apply(set, &below)).collect()
    }

    async fn migrate(&self, databases: &[DbName]) -> Result<Vec<String>, StoreError> {
        let mut changed = Vec::new();
        for db in databases {
            if !self.exists(db).await? {
                self.overlay().create(db);
                changed.push(rules::created_line(db));
            }
        }
        Ok(changed)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.below.ping().await
    }
}

impl fmt::Debug for DryRunStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DryRunStore").field("below", &self.below).finish_non_exhaustive()
    }
}

impl Planned {
    /// The members afterwards; `None` when it is deleted.
    #[must_use]
    pub fn after(&self) -> Option<&Body> {
        match &self.change {
            Change::Put(body) => Some(body),
            Change::Delete(_) => None,
        }
    }
}

impl Place {
    /// A place that the store below gave out counts too: checkpoints are older than a rehearsal.
    fn parse(since: Option<&Seq>) -> Self {
        let ours = since.and_then(|seq| {
            let (own, below) = seq.as_str().strip_prefix(SEQ_PREFIX)?.split_once(':')?;
            let below = Some(below).filter(|below| !below.is_empty()).map(Seq::new);
            Some(Self { own: own.parse().ok()?, below })
        });
        ours.unwrap_or_else(|| Self { own: 0, below: since.cloned() })
    }

    fn to_seq(&self) -> Seq {
        let below = self.below.as_ref().map_or("", Seq::as_str);
        Seq(format!("{SEQ_PREFIX}{}:{below}", self.own))
    }
}

/// The ids that the overlay says nothing about.
fn unanswered<T>(ids: &[String], own: &[Option<T>]) -> Vec<String> {
    ids.iter().zip(own).filter(|(_, own)| own.is_none()).map(|(id, _)| id.clone()).collect()
}

/// Puts what the store below said into the gaps, in order.
fn fill<T>(own: Vec<Option<T>>, below: Vec<T>) -> Vec<T> {
    let mut below = below.into_iter();
    own.into_iter().filter_map(|own| own.or_else(|| below.next())).collect()
}
