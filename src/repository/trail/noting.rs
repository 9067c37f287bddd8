//! Committing writes of numbers, each behind the entry that says who makes it.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::Entry;
use crate::{
    repository::write_id,
    store::{
        Body, CommitError, Committed, DbName, Kind, Rev, SharedStore, StoreError, WRITE_ID, Write,
        WriteSet,
    },
};

/// What became of a set.
type Outcome = Result<Committed, CommitError>;

/// Commits writes of numbers, and keeps the entries.
#[derive(Clone, Debug)]
pub(in crate::repository) struct Trail {
    store: SharedStore,
    is_keeping: bool,
    /// The databases that are known to be there.
    known: Arc<Mutex<BTreeSet<DbName>>>,
}

/// What became of a set with an entry in front.
enum Noted {
    /// What became of the set itself, and the entry's revision if it is to be struck out.
    Outcome(Outcome, Option<Rev>),
    /// The entry was there: the same write was tried before. Of the set nothing was done.
    Before,
}

impl Trail {
    /// Notes who writes.
    pub(in crate::repository) fn keeping(store: SharedStore) -> Self {
        Self { store, is_keeping: true, known: Arc::default() }
    }

    /// Notes nothing.
    pub(in crate::repository) fn silent(store: SharedStore) -> Self {
        Self { store, is_keeping: false, known: Arc::default() }
    }

    /// Commits a set as [`crate::store::DocumentStore::commit`] does, behind its entry.
    pub(in crate::repository) async fn commit(
        &self,
        entry: Option<Entry>,
        set: WriteSet,
    ) -> Outcome {
        let Some(head) = self.head(entry) else { return self.store.commit(set).await };
        self.open([&head.db].into()).await.map_err(unmade)?;
        let done = self.store.commit(behind(Some(&head), &set)).await;
        match self.noted(&head, done) {
            Noted::Before => self.store.commit(set).await,
            Noted::Outcome(outcome, void) => {
                self.strike(void.map(|rev| (head, rev)).into_iter().collect()).await;
                outcome
            }
        }
    }

    /// Commits many sets as [`crate::store::DocumentStore::commit_many`] does, each behind its entry.
    pub(in crate::repository) async fn commit_many(
        &self,
        sets: Vec<(Option<Entry>, WriteSet)>,
    ) -> Vec<Outcome> {
        let (heads, sets): (Vec<Option<Write>>, Vec<WriteSet>) =
            sets.into_iter().map(|(entry, set)| (self.head(entry), set)).unzip();
        if let Err(err) = self.open(heads.iter().flatten().map(|head| &head.db).collect()).await {
            return sets.iter().map(|_| Err(unmade(err.again()))).collect();
        }
        let whole = heads.iter().zip(&sets).map(|(head, set)| behind(head.as_ref(), set));
        let done = self.store.commit_many(whole.collect()).await;
        let (mut outcomes, mut void, mut again) = (Vec::new(), Vec::new(), Vec::new());
        for (place, (head, done)) in heads.into_iter().zip(done).enumerate() {
            let Some(head) = head else {
                outcomes.push(Some(done));
                continue;
            };
            match self.noted(&head, done) {
                Noted::Before => {
                    again.push(place);
                    outcomes.push(None);
                }
                Noted::Outcome(outcome, rev) => {
                    void.extend(rev.map(|rev| (head, rev)));
                    outcomes.push(Some(outcome));
                }
            }
        }
        self.strike(void).await;
        let rest = again.into_iter().map(|place| sets[place].clone()).collect::<Vec<_>>();
        let rest = if rest.is_empty() { Vec::new() } else { self.store.commit_many(rest).await };
        let mut rest = rest.into_iter();
        outcomes.into_iter().filter_map(|outcome| outcome.or_else(|| rest.next())).collect()
    }

    /// The write of an entry; none where nothing is noted.
    fn head(&self, entry: Option<Entry>) -> Option<Write> {
        entry.filter(|_| self.is_keeping).map(|entry| entry.put())
    }

    /// What became of a set, without its entry.
    fn noted(&self, head: &Write, done: Outcome) -> Noted {
        let mut err = match done {
            Ok(mut done) => {
                done.revs.remove(0);
                return Noted::Outcome(Ok(done), None);
            }
            Err(err) => err,
        };
        if err.failed == 0 {
            match err.error.kind {
                Kind::Conflict => return Noted::Before,
                Kind::NoDatabase => {
                    // It is made the next time. The set's own is another one.
                    self.known().remove(&head.db);
                    err.error.kind = Kind::Unavailable;
                }
                _ => (),
            }
            return Noted::Outcome(Err(err), None);
        }
        err.failed -= 1;
        let rev = (!err.applied.is_empty()).then(|| err.applied.remove(0));
        let is_unmade = err.failed == 0 && matches!(err.error.kind, Kind::Conflict | Kind::Refused);
        Noted::Outcome(Err(err), rev.filter(|_| is_unmade))
    }

    /// Strikes out entries of what certainly was not written. If that fails they stay, and reading tells.
    async fn strike(&self, void: Vec<(Write, Rev)>) {
        if void.is_empty() {
            return;
        }
        let sets = void.into_iter().map(|(Write { db, id, .. }, rev)| {
            let tombstone = Body::from_iter([(WRITE_ID.to_owned(), write_id().into())]);
            vec![Write::delete(db, id, rev, tombstone)]
        });
        drop(self.store.commit_many(sets.collect()).await);
    }

    async fn open(&self, dbs: BTreeSet<&DbName>) -> Result<(), StoreError> {
        for db in dbs {
            if !self.known().contains(db) {
                self.store.create_database(db).await?;
                self.known().insert(db.clone());
            }
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, BTreeSet<DbName>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A set with its entry in front.
fn behind(head: Option<&Write>, set: &WriteSet) -> WriteSet {
    head.into_iter().chain(set).cloned().collect()
}

fn unmade(error: StoreError) -> CommitError {
    CommitError { applied: Vec::new(), failed: 0, error }
}
