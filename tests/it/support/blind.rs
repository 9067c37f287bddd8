//! A store of which parts cannot be read from some moment on, and whose look-ups of many lag.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use async_trait::async_trait;
use number_manager::store::{
    Application, Changes, CommitError, Committed, DbName, Document, DocumentStore, IdRange, Kind,
    Lookup, Page, Query, Rev, Seq, SharedStore, StoreError, WriteSet,
};
use serde_json::Value;

/// What is wrong with a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults {
    /// Calls that fail, each with the beginning of the names of the databases it fails for.
    pub(crate) unreadable: Vec<(&'static str, DbName)>,
    /// Whether these calls fail for a reason that may pass.
    pub(crate) may_pass: bool,
    /// Numbers that look-ups of many do not find.
    pub(crate) overlooked: Vec<&'static str>,
    /// Documents that pages of a database still show.
    pub(crate) outdated: Vec<(DbName, Document)>,
}

/// Passes everything on that does not fail.
pub(crate) struct BlindStore {
    inner: SharedStore,
    faults: Mutex<Faults>,
    failed: AtomicUsize,
}

impl BlindStore {
    /// Over `inner`, without faults.
    pub(crate) fn new(inner: SharedStore) -> Self {
        Self { inner, faults: Mutex::default(), failed: AtomicUsize::new(0) }
    }

    /// From now on these faults.
    pub(crate) fn fail(&self, faults: Faults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
    }

    /// How many calls have failed.
    pub(crate) fn failed(&self) -> usize {
        self.failed.load(Ordering::SeqCst)
    }

    fn check(&self, call: &'static str, db: &str) -> Result<(), StoreError> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fails = |(name, of): &(&str, DbName)| *name == call && db.starts_with(of.as_str());
        if faults.unreadable.iter().any(fails) {
            self.failed.fetch_add(1, Ordering::SeqCst);
            let kind = if faults.may_pass { Kind::Unavailable } else { Kind::Denied };
            return Err(StoreError::new(kind, call, &DbName::new(db), ""));
        }
        Ok(())
    }

    /// Takes the answers for what is overlooked away.
    fn overlook<T>(&self, ids: &[String], answers: &mut [T], nothing: impl Fn() -> T) {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        for (id, answer) in ids.iter().zip(answers) {
            if faults.overlooked.contains(&id.as_str()) {
                *answer = nothing();
            }
        }
    }
}

impl fmt::Debug for BlindStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlindStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl DocumentStore for BlindStore {
    async fn get(&self, db: &DbName, id: &str) -> Result<Lookup, StoreError> {
        self.check("get", db.as_str())?;
        self.inner.get(db, id).await
    }

    async fn get_many(&self, db: &DbName, ids: &[String]) -> Result<Vec<Lookup>, StoreError> {
        self.check("get_many", db.as_str())?;
        let mut found = self.inner.get_many(db, ids).await?;
        self.overlook(ids, &mut found, || Lookup::Missing);
        Ok(found)
    }

    async fn revisions(&self, db: &DbName, ids: &[String]) -> Result<Vec<Option<Rev>>, StoreError> {
        self.check("revisions", db.as_str())?;
        let mut found = self.inner.revisions(db, ids).await?;
        self.overlook(ids, &mut found, || None);
        Ok(found)
    }

    async fn query(&self, db: &DbName, query: &Query) -> Result<Page, StoreError> {
        self.check("query", db.as_str())?;
        let mut page = self.inner.query(db, query).await?;
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        for shown in &mut page.documents {
            let mut old = faults.outdated.iter().filter(|(of, _)| of == db);
            if let Some((_, old)) = old.find(|(_, old)| old.id == shown.id) {
                shown.clone_from(old);
            }
        }
        Ok(page)
    }

    async fn carrier_counts(
        &self,
        db: &DbName,
        range: &IdRange,
    ) -> Result<BTreeMap<Option<String>, u64>, StoreError> {
        self.inner.carrier_counts(db, range).await
    }

    async fn applications(
        &self,
        db: &DbName,
        numbers: &[String],
    ) -> Result<Vec<Vec<Application>>, StoreError> {
        self.check("applications", db.as_str())?;
        self.inner.applications(db, numbers).await
    }

    async fn databases(&self, prefix: &str) -> Result<Vec<DbName>, StoreError> {
        self.check("databases", prefix)?;
        self.inner.databases(prefix).await
    }

    async fn create_database(&self, db: &DbName) -> Result<(), StoreError> {
        self.inner.create_database(db).await
    }

    async fn drop_database(&self, db: &DbName) -> Result<(), StoreError> {
        self.inner.drop_database(db).await
    }

    async fn changes(
        &self,
        db: &DbName,
        since: Option<&Seq>,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        self.check("changes", db.as_str())?;
        self.inner.changes(db, since, limit).await
    }

    async fn version(&self, db: &DbName) -> Result<Seq, StoreError> {
        self.inner.version(db).await
    }

    async fn checkpoint(&self, db: &DbName, name: &str) -> Result<Option<Value>, StoreError> {
        self.inner.checkpoint(db, name).await
    }

    async fn set_checkpoint(
        &self,
        db: &DbName,
        name: &str,
        value: Value,
    ) -> Result<(), StoreError> {
        self.inner.set_checkpoint(db, name, value).await
    }

    async fn commit(&self, set: WriteSet) -> Result<Committed, CommitError> {
        self.inner.commit(set).await
    }

    async fn commit_many(&self, sets: Vec<WriteSet>) -> Vec<Result<Committed, CommitError>> {
        self.inner.commit_many(sets).await
    }

    async fn migrate(&self, databases: &[DbName]) -> Result<Vec<String>, StoreError> {
        self.inner.migrate(databases).await
    }

    async fn has_current_indexes(&self, db: &DbName) -> Result<bool, StoreError> {
        self.inner.has_current_indexes(db).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}
