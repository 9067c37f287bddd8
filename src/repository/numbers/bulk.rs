//! Many numbers at once, with one request per database and step instead of one per number.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::{
    Decision, NumberRepository, Opened, RepositoryError, Saved, Stored, database,
    mirror::{self, Mirror, Patience},
    save::{Prepared, finished},
    stored::Unread,
};
use crate::{
    domain::{AccountId, E164},
    repository::{charges::ChargeCopy, trail::Entry},
    store::{Change, CommitError, Committed, DbName, Kind, Lookup, StoreError, Write},
};

/// How many databases, or left-over numbers, are worked on at once.
pub(super) const PARALLEL_LOOKUPS: usize = 16;

/// What was found under ids of one database each, or why it could not be read.
pub(super) type Found = BTreeMap<(DbName, String), Result<Lookup, StoreError>>;

/// A number and its write, which has to be committed with the copies.
type Waiting = (Stored, Write);

impl NumberRepository {
    /// Reads numbers to change them, as [`NumberRepository::open`] does, and beside them the copies
    /// in `account`, which probably owns them; other copies are read when they are saved. One result
    /// per number, in order.
    pub async fn open_many(
        &self,
        ids: &[E164],
        account: Option<&AccountId>,
    ) -> Vec<Result<Opened, RepositoryError>> {
        let mut wanted = BTreeMap::<DbName, Vec<String>>::new();
        for id in ids {
            let dbs = [database(id)].into_iter().chain(account.map(mirror::database));
            dbs.for_each(|db| wanted.entry(db).or_default().push(id.to_string()));
        }
        let mut found = self.look_up(wanted).await;
        let mut open = |id: &E164| {
            let mut take = |db: DbName| found.remove(&(db, id.to_string())).transpose();
            let number = take(database(id))?.unwrap_or(Lookup::Missing);
            let mut mirrors = BTreeMap::new();
            if let Some(account) = account
                && let Some(copy) = take(mirror::database(account))?
            {
                mirrors.insert(account.clone(), Mirror::new(copy));
            }
            self.opened(id, number, mirrors)
        };
        ids.iter().map(&mut open).collect()
    }

    /// Does what was decided about many numbers, each of them once. One result per decision, in
    /// order; a number that cannot be written does not hold up the others.
    pub async fn carry_out_many(
        &self,
        mut decisions: Vec<Decision>,
    ) -> Vec<Result<Saved, RepositoryError>> {
        self.read_mirrors(&mut decisions).await;
        let patience = Patience::begin();
        let prepared = stream::iter(decisions).map(|decision| self.prepare(decision, patience));
        let prepared: Vec<_> = prepared.buffered(PARALLEL_LOOKUPS).collect().await;
        let mut results = Vec::with_capacity(prepared.len());
        let mut waiting = Vec::new();
        for prepared in prepared {
            results.push(match prepared {
                Ok(Prepared::Done(saved)) => Some(Ok(*saved)),
                Ok(Prepared::Waiting(stored, number)) => {
                    waiting.push((*stored, *number));
                    None
                }
                Err(err) => Some(Err(err)),
            });
        }
        let mut written = self.write_many(waiting).await.into_iter();
        let written = |result: Option<_>| result.or_else(|| written.next());
        results.into_iter().filter_map(written).collect()
    }

    /// Saves many numbers that keep their owners and whose owners' copies were read. One result per
    /// number, in order.
    pub async fn save_many(&self, numbers: Vec<Stored>) -> Vec<Result<Saved, RepositoryError>> {
        let put = |mut stored: Stored| {
            let number = self.put(&mut stored);
            (stored, number)
        };
        self.write_many(numbers.into_iter().map(put).collect()).await
    }

    /// Reads the copies, those of charges too, that matter to these decisions and were not read yet. What cannot be read
    /// here is read, and fails, when its number is prepared.
    async fn read_mirrors(&self, decisions: &mut [Decision]) {
        let mut wanted = BTreeMap::<DbName, Vec<String>>::new();
        for decision in decisions.iter() {
            let Unread { owners, last } = decision.stored().unread();
            for account in owners.into_iter().chain(last) {
                let id = decision.stored().number.id.to_string();
                wanted.entry(mirror::database(account)).or_default().push(id);
            }
            if let Some(charge) = ChargeCopy::of(&decision.stored().base) {
                let (db, id) = charge.place();
                wanted.entry(db).or_default().push(id);
            }
        }
        let mut found = self.look_up(wanted).await;
        for stored in decisions.iter_mut().map(Decision::stored_mut) {
            let charge = ChargeCopy::of(&stored.base).and_then(|it| found.remove(&it.place()));
            stored.is_settled |= matches!(charge, Some(Ok(Lookup::Live(_) | Lookup::Deleted(_))));
            let Unread { owners, last } = stored.unread();
            let accounts: Vec<AccountId> = owners.into_iter().chain(last).cloned().collect();
            for account in accounts {
                let place = (mirror::database(&account), stored.number.id.to_string());
                if let Some(Ok(copy)) = found.remove(&place) {
                    stored.mirrors.insert(account, Mirror::new(copy));
                }
            }
        }
    }

    /// Reads many documents, with one request per database.
    pub(super) async fn look_up(&self, wanted: BTreeMap<DbName, Vec<String>>) -> Found {
        let reads = stream::iter(wanted).map(|(db, ids)| async move {
            let read = self.store.get_many(&db, &ids).await;
            (db, ids, read)
        });
        let mut reads = reads.buffer_unordered(PARALLEL_LOOKUPS);
        let mut found = Found::new();
        while let Some((db, ids, read)) = reads.next().await {
            let places = ids.into_iter().map(|id| (db.clone(), id));
            match read {
                Ok(lookups) => found.extend(places.zip(lookups.into_iter().map(Ok))),
                Err(err) => found.extend(places.map(|place| (place, Err(err.again())))),
            }
        }
        found
    }

    async fn write_many(&self, waiting: Vec<Waiting>) -> Vec<Result<Saved, RepositoryError>> {
        let outcomes = self.commit(&waiting).await;
        let patience = Patience::begin();
        stream::iter(waiting.into_iter().zip(outcomes))
            .map(|((stored, number), outcome)| self.finish(stored, number, outcome, patience))
            .buffered(PARALLEL_LOOKUPS)
            .collect()
            .await
    }

    /// Commits every number with its copies; where a number database is missing, makes it and
    /// commits those numbers again.
    async fn commit(&self, waiting: &[Waiting]) -> Vec<Result<Committed, CommitError>> {
        let set = |(stored, number): &Waiting| {
            let entry = Entry::of(stored.ground.clone(), number, self.now());
            (entry, stored.write_set(number.clone()))
        };
        let mut outcomes = self.trail.commit_many(waiting.iter().map(set).collect()).await;
        let mut again = BTreeMap::<DbName, Vec<usize>>::new();
        for (place, outcome) in outcomes.iter().enumerate() {
            if outcome
                .as_ref()
                .is_err_and(|err| err.failed == 0 && err.error.kind == Kind::NoDatabase)
            {
                again.entry(waiting[place].1.db.clone()).or_default().push(place);
            }
        }
        let made = stream::iter(again).map(|(db, failed)| async move {
            let made = self.store.create_database(&db).await.is_ok();
            if made { failed } else { Vec::new() }
        });
        let places: Vec<usize> = made.buffer_unordered(PARALLEL_LOOKUPS).concat().await;
        if !places.is_empty() {
            let sets = places.iter().map(|place| set(&waiting[*place])).collect();
            for (place, outcome) in places.into_iter().zip(self.trail.commit_many(sets).await) {
                outcomes[place] = outcome;
            }
        }
        outcomes
    }

    /// What became of one number of a bulk write. A set that was stopped by a copy is written again
    /// by itself.
    async fn finish(
        &self,
        mut stored: Stored,
        number: Write,
        outcome: Result<Committed, CommitError>,
        patience: Patience,
    ) -> Result<Saved, RepositoryError> {
        let deleted = matches!(number.change, Change::Delete(_));
        let (rev, mirror) = match outcome {
            Ok(done) => finished(done),
            Err(CommitError { mut applied, .. }) if !applied.is_empty() => {
                let (id, accounts) = (&stored.number.id, stored.accounts());
                (applied.swap_remove(0), self.sync_until(id, &accounts, patience).await)
            }
            Err(CommitError { failed: 0, error, .. }) if error.kind == Kind::Conflict => {
                return Err(RepositoryError::Conflict { id: stored.number.id.to_string() });
            }
            Err(CommitError { failed: 0, error, .. }) => return Err(error.into()),
            Err(_) => self.write(&mut stored, number).await?,
        };
        Ok(stored.saved((!deleted).then_some(rev), mirror))
    }
}
