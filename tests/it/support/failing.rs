//! A store whose writes or pages fail from some point on, and which applies a set write by write, as CouchDB
//! does: so a set can be left in its middle.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use number_manager::store::{
    Application, Changes, CommitError, Committed, DbName, DocumentStore, IdRange, Kind, Lookup,
    Page, Query, Rev, Seq, SharedStore, StoreError, Write, WriteSet,
};
use serde_json::Value;

/// Lets a number of writes through to the store behind it, and fails every later one.
#[derive(Debug)]
pub(crate) struct FailingStore {
    inner: SharedStore,
    left: AtomicUsize,
    /// How many writes fail then.
    failures: AtomicUsize,
    queries: AtomicUsize,
    documents: AtomicUsize,
    most_queries: usize,
    has_feeds: bool,
}

impl FailingStore {
    /// Over `inner`, with `after` writes that succeed.
    pub(crate) fn new(inner: SharedStore, after: usize) -> Self {
        let left = AtomicUsize::new(after);
        Self {
            inner,
            left,
            failures: AtomicUsize::new(usize::MAX),
            queries: AtomicUsize::new(0),
            documents: AtomicUsize::new(0),
            most_queries: usize::MAX,
            has_feeds: true,
        }
    }

    /// Over `inner`, with `after` writes that succeed, one that fails, and others that succeed.
    pub(crate) fn once(inner: SharedStore, after: usize) -> Self {
        Self { failures: AtomicUsize::new(1), ..Self::new(inner, after) }
    }

    /// Over `inner`, with `after` pages of documents that succeed.
    pub(crate) fn pages(inner: SharedStore, after: usize) -> Self {
        Self { most_queries: after, ..Self::new(inner, usize::MAX) }
    }

    /// Over `inner`, whose feeds of changes cannot be read.
    pub(crate) fn without_feeds(inner: SharedStore) -> Self {
        Self { has_feeds: false, ..Self::new(inner, usize::MAX) }
    }

    /// How many pages of documents were asked for.
    pub(crate) fn asked(&self) -> usize {
        self.queries.load(Ordering::SeqCst)
    }

    /// How many documents were in these pages.
    pub(crate) fn read(&self) -> usize {
        self.documents.load(Ordering::SeqCst)
    }

    async fn write(&self, write: Write) -> Result<Committed, StoreError> {
        let take = |left: usize| left.checked_sub(1);
        let is_taken = |from: &AtomicUsize| {
            from.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).is_ok()
        };
        if !is_taken(&self.left) && is_taken(&self.failures) {
            return Err(StoreError::new(Kind::Unavailable, "commit", &write.db, &write.id));
        }
        self.inner.commit(vec![write]).await.map_err(|err| err.error)
    }
}

#[async_trait]
impl DocumentStore for FailingStore {
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
        if self.queries.fetch_add(1, Ordering::SeqCst) >= self.most_queries {
            return Err(StoreError::new(Kind::Unavailable, "query", db, ""));
        }
        let page = self.inner.query(db, query).await?;
        self.documents.fetch_add(page.documents.len(), Ordering::SeqCst);
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
        if !self.has_feeds {
            return Err(StoreError::new(Kind::Unavailable, "changes", db, ""));
        }
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
        let mut applied = Vec::with_capacity(set.len());
        for (failed, write) in set.into_iter().enumerate() {
            match self.write(write).await {
                Ok(done) => applied.extend(done.revs),
                Err(error) => return Err(CommitError { applied, failed, error }),
            }
        }
        Ok(Committed { revs: applied, quorum: true })
    }

    /// The first writes of all sets, then the second ones, and so on.
    async fn commit_many(&self, sets: Vec<WriteSet>) -> Vec<Result<Committed, CommitError>> {
        let mut outcomes: Vec<Result<Committed, CommitError>> =
            sets.iter().map(|_| Ok(Committed { revs: Vec::new(), quorum: true })).collect();
        let steps = sets.iter().map(Vec::len).max().unwrap_or_default();
        for step in 0..steps {
            for (set, outcome) in sets.iter().zip(&mut outcomes) {
                let (Some(write), Ok(done)) = (set.get(step), outcome.as_mut()) else {
                    continue;
                };
                match self.write(write.clone()).await {
                    Ok(written) => done.revs.extend(written.revs),
                    Err(error) => {
                        let applied = done.revs.clone();
                        *outcome = Err(CommitError { applied, failed: step, error });
                    }
                }
            }
        }
        outcomes
    }

    async fn migrate(&self, databases: &[DbName]) -> Result<Vec<String>, StoreError> {
        self.inner.migrate(databases).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.inner.ping().await
    }
}
