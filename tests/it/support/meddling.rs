//! A store on which somebody else writes right before a bulk write, once or each time.

use std::{
    collections::BTreeMap,
    fmt,
    pin::Pin,
    sync::atomic::{AtomicBool, Ordering},
};

use async_trait::async_trait;
use number_manager::store::{
    Application, Changes, CommitError, Committed, DbName, DocumentStore, IdRange, Lookup, Page,
    Query, Rev, Seq, SharedStore, StoreError, WriteSet,
};
use serde_json::Value;

/// What somebody else does.
pub(crate) type Doing = Pin<Box<dyn Future<Output = ()> + Send>>;
/// Decides whether this is the moment.
type Moment = dyn Fn(&[WriteSet]) -> Option<Doing> + Send + Sync;

/// Passes everything on, and does something else before one bulk write, or before each.
pub(crate) struct MeddlingStore {
    inner: SharedStore,
    moment: Box<Moment>,
    is_once: bool,
    done: AtomicBool,
}

impl MeddlingStore {
    /// Over `inner`; what `moment` answers first is done before that write.
    pub(crate) fn new(
        inner: SharedStore,
        moment: impl Fn(&[WriteSet]) -> Option<Doing> + Send + Sync + 'static,
    ) -> Self {
        Self { inner, moment: Box::new(moment), is_once: true, done: AtomicBool::new(false) }
    }

    /// Over `inner`; whatever `moment` answers is done before that write.
    pub(crate) fn always(
        inner: SharedStore,
        moment: impl Fn(&[WriteSet]) -> Option<Doing> + Send + Sync + 'static,
    ) -> Self {
        Self { is_once: false, ..Self::new(inner, moment) }
    }
}

impl fmt::Debug for MeddlingStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MeddlingStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl DocumentStore for MeddlingStore {
    async fn get(&self, db: &DbName, id: &str) -> Result<Lookup, StoreError> {
        self.inner.get(db, id).await
    }

    async fn get_many(&self, db: &DbName, ids: &[String]) -> Result<Vec<Lookup>, StoreError> {
        self.inner.get_many(db, ids).await
    }

    async fn revisions(&self, db: &DbName, ids: &[String]) -> Result<Vec<Option<Rev>>, StoreError> {
        self.inner.revisions(db, ids).await
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
        if let Some(doing) = (self.moment)(&sets)
            && !(self.done.swap(true, Ordering::SeqCst) && self.is_once)
        {
            doing.await;
        }
        self.inner.commit_many(sets).await
    }

    async fn migrate(&self, databases: &[DbName]) -> Result<Vec<String>, StoreError> {
        self.inner.migrate(databases).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}
