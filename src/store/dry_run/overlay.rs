//! What a rehearsal has written, and how it lies over what the store below has.

mod applications;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    ops::Bound,
    sync::Arc,
};

use serde_json::Value;

use super::{
    super::{
        Change, Changed, CommitError, Committed, DbName, Document, Expect, IdRange, Kind, Lookup,
        Order, Page, Query, Question, Rev, StoreError, Write, WriteSet,
        rules::{self, Content},
    },
    Planned,
    memory::Known,
};

/// All that was done and that the store below does not know.
#[derive(Default)]
pub(super) struct Overlay {
    documents: BTreeMap<DbName, BTreeMap<String, Written>>,
    /// Databases that were made here.
    created: BTreeSet<DbName>,
    /// Databases that were dropped here: what the store below has under the name is not shown.
    dropped: BTreeSet<DbName>,
    pub(super) checkpoints: BTreeMap<(DbName, String), Value>,
    pub(super) journal: Vec<Planned>,
    /// How many writes there were; the last one's place in the feed.
    writes: u64,
    /// How many sets were applied.
    sets: u64,
}

/// What lies under the overlay of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    /// What the store below has, if it has that database.
    Below,
    /// The same, but made here: it is there even if the store below has no such database.
    BelowOrEmpty,
    /// Nothing: it was dropped here, and made again.
    Empty,
    /// It was dropped here.
    Dropped,
}

/// What the store below said about the documents and databases of some sets.
#[derive(Default)]
pub(super) struct Below {
    pub(super) documents: HashMap<DbName, HashMap<String, Known>>,
    pub(super) existing: BTreeSet<DbName>,
    /// The databases that could not be read.
    pub(super) failed: HashMap<DbName, Arc<StoreError>>,
}

#[derive(Clone)]
struct Written {
    document: Document,
    deleted: bool,
    seq: u64,
}

/// The writes of a set that is not known yet to hold whole.
#[derive(Default)]
struct Staged {
    documents: Vec<(DbName, Written)>,
    planned: Vec<Planned>,
}

impl Overlay {
    pub(super) fn base(&self, db: &DbName) -> Base {
        match (self.dropped.contains(db), self.created.contains(db)) {
            (false, false) => Base::Below,
            (false, true) => Base::BelowOrEmpty,
            (true, true) => Base::Empty,
            (true, false) => Base::Dropped,
        }
    }

    pub(super) fn create(&mut self, db: &DbName) {
        self.created.insert(db.clone());
    }

    pub(super) fn forget(&mut self, db: &DbName) {
        self.dropped.insert(db.clone());
        self.created.remove(db);
        self.documents.remove(db);
        self.checkpoints.retain(|(name, _), _| name != db);
    }

    /// The databases as they are here, of those that the store below has.
    pub(super) fn databases(&self, prefix: &str, below: Vec<DbName>) -> Vec<DbName> {
        let mut names: BTreeSet<DbName> =
            below.into_iter().filter(|name| !self.dropped.contains(name)).collect();
        let created = self.created.iter().filter(|name| name.as_str().starts_with(prefix));
        names.extend(created.cloned());
        names.into_iter().collect()
    }

    /// What is under the id; `None` when the store below has to be asked.
    pub(super) fn lookup(&self, db: &DbName, id: &str) -> Option<Lookup> {
        if let Some(written) = self.documents.get(db).and_then(|own| own.get(id)) {
            return Some(written.lookup());
        }
        match self.base(db) {
            Base::Below | Base::BelowOrEmpty => None,
            Base::Empty | Base::Dropped => Some(Lookup::Missing),
        }
    }

    /// Whether the document was written here.
    pub(super) fn has(&self, db: &DbName, id: &str) -> bool {
        self.documents.get(db).is_some_and(|own| own.contains_key(id))
    }

    /// Lays the overlay over a page of the store below.
    ///
    /// That page speaks for the ids from the place asked for up to its own end. Within them, what
    /// was written here replaces and adds; what lies behind waits for the page it belongs to.
    pub(super) fn merge(&self, db: &DbName, query: &Query, mut page: Page) -> Page {
        page.documents.retain(|document| !self.has(db, &document.id));
        let answers = self
            .in_range(db, &query.range)
            .filter(|written| !written.deleted && is_answer(&query.question, &written.document))
            .filter(|written| is_within(query, page.next.as_deref(), &written.document.id));
        page.documents.extend(answers.map(|written| written.document.clone()));
        page.documents.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        if query.order == Order::Descending {
            page.documents.reverse();
        }
        let limit = query.limit.max(1);
        if page.documents.len() > limit {
            page.documents.truncate(limit);
            page.next = page.documents.last().map(|document| document.id.clone());
        }
        page
    }

    /// The ids of `range` that were written here, but design documents.
    pub(super) fn ids(&self, db: &DbName, range: &IdRange) -> Vec<String> {
        self.in_range(db, range).map(|written| written.document.id.clone()).collect()
    }

    /// The carrier's name of each live document among them.
    pub(super) fn carriers(&self, db: &DbName, range: &IdRange) -> Vec<Option<String>> {
        self.in_range(db, range)
            .filter(|written| !written.deleted)
            .map(|written| rules::carrier_name(&written.document.body).map(str::to_owned))
            .collect()
    }

    /// The changes behind the place `since`, at most `limit`, and the place of the last of them.
    pub(super) fn changes(&self, db: &DbName, since: u64, limit: usize) -> (Vec<Changed>, u64) {
        let mut written: Vec<_> = self
            .documents
            .get(db)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(|written| written.seq > since && !written.is_design())
            .collect();
        written.sort_unstable_by_key(|written| written.seq);
        written.truncate(limit);
        let last = written.last().map_or(since, |written| written.seq);
        (written.into_iter().map(Written::changed).collect(), last)
    }

    /// Applies a set whole or not at all.
    pub(super) fn apply(&mut self, set: WriteSet, below: &Below) -> Result<Committed, CommitError> {
        let mut staged = Staged::default();
        let mut revs = Vec::with_capacity(set.len());
        for (failed, write) in set.into_iter().enumerate() {
            let (db, id) = (write.db.clone(), write.id.clone());
            match self.stage(&mut staged, write, below) {
                Ok(rev) => revs.push(rev),
                Err(fault) => {
                    let error = fault.into_error(&db, &id);
                    return Err(CommitError { applied: Vec::new(), failed, error });
                }
            }
        }
        for (db, written) in staged.documents {
            self.writes = written.seq;
            self.documents.entry(db).or_default().insert(written.document.id.clone(), written);
        }
        self.sets += 1;
        self.journal.extend(staged.planned);
        Ok(Committed { revs, quorum: true })
    }

    fn stage(&self, staged: &mut Staged, write: Write, below: &Below) -> Result<Rev, Fault> {
        let Write { db, id, expect, change } = write;
        let (deleted, body) = match change {
            Change::Put(body) => (false, body),
            Change::Delete(body) => (true, body),
        };
        if let Some(refusal) = rules::refusal(&id, &body) {
            return Err(Fault::Refused(refusal));
        }
        let body = rules::without_managed(body);
        let current = self.current(staged, &db, &id, below)?;
        if !holds(&expect, &current) {
            let written = Content { deleted, body: &body };
            return own_write(&expect, written, current).ok_or(Fault::Kind(Kind::Conflict));
        }
        let before = current.before();
        let seq = self.writes + staged.documents.len() as u64 + 1;
        let rev = Rev(format!("dry-run-{seq}"));
        // Who writes the winner leaves the other leaves where they are.
        let conflicts = match current {
            Known::Read(Lookup::Live(document)) => document.conflicts,
            Known::Read(_) | Known::Revision(_) => Vec::new(),
        };
        let change = if deleted { Change::Delete(body.clone()) } else { Change::Put(body.clone()) };
        let (set, db_name, doc_id) = (self.sets + 1, db.clone(), id.clone());
        staged.planned.push(Planned { set, db: db_name, id: doc_id, expect, before, change });
        let document = Document { id, rev: rev.clone(), body, conflicts };
        staged.documents.push((db, Written { document, deleted, seq }));
        Ok(rev)
    }

    /// What is stored under the id, by this set, by one before it, or below.
    fn current(
        &self,
        staged: &Staged,
        db: &DbName,
        id: &str,
        below: &Below,
    ) -> Result<Known, Fault> {
        let of_this_set =
            staged.documents.iter().rev().find(|(name, own)| name == db && own.document.id == id);
        if let Some((_, written)) = of_this_set {
            return Ok(Known::Read(written.lookup()));
        }
        let (known, exists) = match self.base(db) {
            Base::Below => (self.lookup(db, id), below.existing.contains(db)),
            Base::BelowOrEmpty | Base::Empty => (self.lookup(db, id), true),
            Base::Dropped => (None, false),
        };
        if let Some(known) = known {
            return Ok(Known::Read(known));
        }
        if let Some(error) = below.failed.get(db) {
            return Err(Fault::Below(Arc::clone(error)));
        }
        if !exists {
            return Err(Fault::Kind(Kind::NoDatabase));
        }
        let found = below.documents.get(db).and_then(|found| found.get(id)).cloned();
        Ok(found.unwrap_or(Known::Read(Lookup::Missing)))
    }

    /// What was written here within a range, but design documents.
    fn in_range<'a>(
        &'a self,
        db: &DbName,
        range: &'a IdRange,
    ) -> impl Iterator<Item = &'a Written> {
        let from = (Bound::Included(range.from.as_str()), Bound::Unbounded);
        self.documents
            .get(db)
            .into_iter()
            .flat_map(move |own| own.range::<str, _>(from))
            .take_while(|(id, _)| id.as_str() < range.before.as_str())
            .map(|(_, written)| written)
            .filter(|written| !written.is_design())
    }
}

impl Written {
    fn lookup(&self) -> Lookup {
        let document = self.document.clone();
        if self.deleted { Lookup::Deleted(document) } else { Lookup::Live(document) }
    }

    fn is_design(&self) -> bool {
        self.document.id.starts_with(rules::DESIGN_PREFIX)
    }

    fn changed(&self) -> Changed {
        let Document { id, rev, .. } = &self.document;
        Changed { id: id.clone(), rev: rev.clone(), deleted: self.deleted }
    }
}

/// Why a write of a set was not made.
enum Fault {
    Kind(Kind),
    Refused(&'static str),
    Below(Arc<StoreError>),
}

impl Fault {
    fn into_error(self, db: &DbName, id: &str) -> StoreError {
        match self {
            Self::Kind(kind) => StoreError::new(kind, "commit", db, id),
            Self::Refused(why) => StoreError::new(Kind::Refused, "commit", db, id).caused_by(why),
            Self::Below(error) => StoreError::new(error.kind, "commit", db, id).caused_by(error),
        }
    }
}

fn holds(expect: &Expect, current: &Known) -> bool {
    match expect {
        Expect::At(rev) => current.rev() == Some(rev),
        Expect::Absent => current.rev().is_none(),
    }
}

/// The revision of what is stored when it is this very write, done before.
fn own_write(expect: &Expect, written: Content<'_>, current: Known) -> Option<Rev> {
    let (document, deleted) = match current {
        Known::Read(Lookup::Live(document)) => (document, false),
        Known::Read(Lookup::Deleted(document)) => (document, true),
        Known::Read(Lookup::Missing) | Known::Revision(_) => return None,
    };
    let stored = Content { deleted, body: &document.body };
    let own = rules::is_own_write(expect, written, document.rev.as_str(), stored);
    own.then_some(document.rev)
}

fn is_answer(question: &Question, document: &Document) -> bool {
    match question {
        Question::All => true,
        Question::Carrier(name) => rules::carrier_name(&document.body) == name.as_deref(),
        Question::Owner(owner) => rules::owner(&document.body) == owner.as_deref(),
    }
}

/// Whether the page that ends at `end` (`None`: the last one) speaks for this id.
fn is_within(query: &Query, end: Option<&str>, id: &str) -> bool {
    let after = query.after.as_deref();
    match query.order {
        Order::Ascending => after.is_none_or(|after| id > after) && end.is_none_or(|end| id <= end),
        Order::Descending => {
            after.is_none_or(|after| id < after) && end.is_none_or(|end| id >= end)
        }
    }
}
