//! A store that remembers which databases this process wrote to, for who follows them.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use serde_json::Value;

use super::{
    Application, Changes, CommitError, Committed, DbName, Document, DocumentStore, IdRange, Lookup,
    Page, Query, Rev, Seq, SharedStore, StoreError, Updates, WriteSet,
};

/// The databases that this process wrote to.
#[derive(Clone, Debug, Default)]
pub struct LocalWrites(Arc<Mutex<BTreeSet<DbName>>>);

/// Passes everything on, and notes which databases are written to.
#[derive(Debug)]
pub struct WatchedStore {
    inner: SharedStore,
    writes: LocalWrites,
}

impl LocalWrites {
    /// Those since the last call. What is in it may not be changed: a write that failed counts.
    #[must_use]
    pub fn take(&self) -> BTreeSet<DbName> {
        mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, databases: BTreeSet<DbName>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(databases);
    }
}

impl WatchedStore {
    /// Over `inner`; and what tells of the writes.
    #[must_use]
    pub fn over(inner: SharedStore) -> (SharedStore, LocalWrites) {
        let writes = LocalWrites::default();
        (Arc::new(Self { inner, writes: writes.clone() }), writes)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl DocumentStore for WatchedStore {
    async fn get(&self, db: &DbName, id: &str) -> Result<Lookup, StoreError> {
        self.inner.get(db, id).await
    }

    async fn get_many(&self, db: &DbName, ids: &[String]) -> Result<Vec<Lookup>, StoreError> {
        self.inner.get_many(db, ids).await
    }

    async fn revisions(&self, db: &DbName, ids: &[String]) -> Result<Vec<Option<Rev>>, StoreError> {
        self.inner.revisions(db, ids).await
    }

    async fn live_versions(&self, db: &DbName, id: &str) -> Result<Vec<Document>, StoreError> {
        self.inner.live_versions(db, id).await
    }

    async fn before_deletion(&self, db: &DbName, id: &str) -> Result<Option<Document>, StoreError> {
        self.inner.before_deletion(db, id).await
    }

    async fn query(&self, db: &DbName, query: &Query) -> Result<Page, StoreError> {
        self.inner.query(db, query).await
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
        self.inner.applications(db, numbers).await
    }

    async fn databases(&self, prefix: &str) -> Result<Vec<DbName>, StoreError> {
        self.inner.databases(prefix).await
    }

    async fn create_database(&self, db: &DbName) -> Result<(), StoreError> {
        self.inner.create_database(db).await
    }

    async fn has_current_indexes(&self, db: &DbName) -> Result<bool, StoreError> {
        self.inner.has_current_indexes(db).await
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
        self.inner.changes(db, since, limit).await
    }

    async fn version(&self, db: &DbName) -> Result<Seq, StoreError> {
        self.inner.version(db).await
    }

    async fn versions(&self, dbs: &[DbName]) -> Result<Vec<Option<Seq>>, StoreError> {
        self.inner.versions(dbs).await
    }

    async fn updates(
        &self,
        since: Option<&Seq>,
        wait: Duration,
    ) -> Result<Option<Updates>, StoreError> {
        self.inner.updates(since, wait).await
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
        let databases = set.iter().map(|write| write.db.clone()).collect();
        let outcome = self.inner.commit(set).await;
        self.writes.note(databases);
        outcome
    }

    async fn commit_many(&self, sets: Vec<WriteSet>) -> Vec<Result<Committed, CommitError>> {
        let databases = sets.iter().flatten().map(|write| write.db.clone()).collect();
        let outcomes = self.inner.commit_many(sets).await;
        self.writes.note(databases);
        outcomes
    }

    async fn migrate(&self, databases: &[DbName]) -> Result<Vec<String>, StoreError> {
        self.inner.migrate(databases).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}
