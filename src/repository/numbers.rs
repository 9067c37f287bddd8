//! Number documents: read with their copies, saved as one write set.
//!
//! [`Stored`] carries what was read from the reading to the saving, and there is no other way to
//! save: so nobody can overwrite a change that they have not seen, nor lose a member that they do
//! not understand.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use futures::{
    StreamExt,
    future::{OptionFuture, try_join_all},
    stream,
};
use serde_json::Value;

use super::{
    RepositoryError, SettingsRepository,
    codec::{self, Owners, UndecodableField},
    mirror::{self, Mirror, MirrorStatus},
    write_id,
};
use crate::{
    domain::{AccountId, Clock, E164, Number, NumberDatabase, gregorian_seconds, number_database},
    store::{
        Body, Change, CommitError, Committed, DbName, Document, Expect, IdRange, Kind, Lookup,
        Order, Page, Query, Question, Rev, SharedStore, WRITE_ID, Write, WriteSet,
        dry_run::DryRunStore,
    },
};

/// How often a write is prepared again because a copy was changed by somebody else in between.
const TRIES: u32 = 5;
/// How many accounts' copies are looked up at once for a bulk write.
const PARALLEL_LOOKUPS: usize = 16;

/// Reads and saves numbers.
#[derive(Clone, Debug)]
pub struct NumberRepository {
    pub(super) store: SharedStore,
    clock: Arc<dyn Clock>,
    settings: SettingsRepository,
}

/// A number as it was read, with everything that saving it needs.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The number; change it and save.
    pub number: Number,
    before: Option<Number>,
    expect: Expect,
    base: Body,
    mirrors: BTreeMap<AccountId, Mirror>,
    /// Who owned it by the document or the tombstone that was read.
    owners: Owners,
    conflicts: usize,
}

/// The place of a number that is not stored.
#[derive(Clone, Debug)]
pub struct Vacancy {
    owners: Owners,
    mirrors: BTreeMap<AccountId, Mirror>,
}

/// A page of the numbers of one carrier.
#[derive(Debug)]
pub struct CarrierPage {
    /// Each number ready to be saved, or its id and why it cannot be read.
    pub numbers: Vec<Result<Stored, (String, RepositoryError)>>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

/// Which of an account's numbers are read, and which way.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// The first id that is read.
    pub from: Option<String>,
    /// The last id that is read.
    pub to: Option<String>,
    /// Whether the highest comes first.
    pub descending: bool,
}

/// A page of the numbers that an account holds.
#[derive(Clone, Debug)]
pub struct HeldPage {
    /// The numbers, each with its copy as it is stored.
    pub numbers: Vec<(Number, Body)>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

/// What was found under a number's id.
#[derive(Clone, Debug)]
pub enum Opened {
    /// The number.
    Found(Box<Stored>),
    /// Nothing, or what a deleted number left behind.
    Vacant(Vacancy),
}

/// A number that was saved.
#[derive(Clone, Debug)]
pub struct Saved {
    /// The number as it is stored.
    pub number: Number,
    /// Its new revision; `None` after a deletion.
    pub rev: Option<Rev>,
    /// How its copies stand.
    pub mirror: MirrorStatus,
    /// Whether the number document was written; not when nothing of it had changed.
    pub written: bool,
}

impl NumberRepository {
    /// Numbers of this store. The settings say which carrier documents have that name none.
    #[must_use]
    pub fn new(store: SharedStore, clock: Arc<dyn Clock>, settings: SettingsRepository) -> Self {
        Self { store, clock, settings }
    }

    /// The time now, in Gregorian seconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        gregorian_seconds(self.clock.now())
    }

    /// Succeeds when the store answers.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn ping(&self) -> Result<(), RepositoryError> {
        Ok(self.store.ping().await?)
    }

    /// Reads a number and its revision, to look at.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Undecodable`] or [`RepositoryError::Store`].
    pub async fn get(&self, id: &E164) -> Result<Option<(Number, Rev)>, RepositoryError> {
        let found = self.store.get(&database(id), id.as_str()).await?.live();
        found.map(|found| Ok((self.decode(id, &found.body)?, found.rev))).transpose()
    }

    /// Reads a number to change it: the document, and beside it the copies in `accounts`, those
    /// that probably own it. The owner's copy is read in any case.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Undecodable`] or [`RepositoryError::Store`].
    pub async fn open(
        &self,
        id: &E164,
        accounts: &[&AccountId],
    ) -> Result<Opened, RepositoryError> {
        let db = database(id);
        let copies = try_join_all(accounts.iter().map(|account| self.mirror(id, account)));
        let (found, copies) = tokio::join!(self.store.get(&db, id.as_str()), copies);
        let mut mirrors: BTreeMap<_, _> = copies?.into_iter().collect();
        match found? {
            Lookup::Live(document) => {
                let number = self.decode(id, &document.body)?;
                if let Some(owner) = number.owner.as_ref().filter(|it| !mirrors.contains_key(it)) {
                    let (owner, mirror) = self.mirror(id, owner).await?;
                    mirrors.insert(owner, mirror);
                }
                Ok(Opened::Found(Box::new(Stored::read(number, document, mirrors))))
            }
            Lookup::Deleted(tombstone) => {
                let owners = codec::tombstone_owners(&tombstone.body);
                Ok(Opened::Vacant(Vacancy { owners, mirrors }))
            }
            Lookup::Missing => Ok(Opened::Vacant(Vacancy { owners: Owners::default(), mirrors })),
        }
    }

    /// Saves a number with its copies. A number that was not changed is not written; its copies are
    /// brought in line all the same.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when the number was changed since it was read: nothing was
    /// written. [`RepositoryError::Store`] when the store fails before the number is stored.
    pub async fn save(&self, mut stored: Stored) -> Result<Saved, RepositoryError> {
        if stored.before.as_ref() == Some(&stored.number) {
            return self.save_unchanged(stored).await;
        }
        self.complete_mirrors(&mut stored, false).await?;
        self.make_room(&mut stored).await?;
        stored.number.modified = self.now();
        let body = codec::encode(&stored.number, &stored.base, &write_id());
        let id = stored.number.id.clone();
        let number = Write::put(database(&id), id.as_str(), stored.expect.clone(), body);
        let (rev, mirror) = self.write(&mut stored, number).await?;
        Ok(Saved { number: stored.number, rev: Some(rev), mirror, written: true })
    }

    /// Deletes a number with its copies. The tombstone says who owned it.
    ///
    /// # Errors
    ///
    /// As [`NumberRepository::save`].
    pub async fn delete(&self, mut stored: Stored) -> Result<Saved, RepositoryError> {
        let id = stored.number.id.clone();
        let Expect::At(rev) = stored.expect.clone() else {
            let mirror = MirrorStatus::Synced;
            return Ok(Saved { number: stored.number, rev: None, mirror, written: false });
        };
        stored.number.modified = self.now();
        self.complete_mirrors(&mut stored, true).await?;
        let tombstone = codec::tombstone(&stored.owners, stored.number.modified, &write_id());
        let number = Write::delete(database(&id), id.as_str(), rev, tombstone);
        let (_, mirror) = self.write(&mut stored, number).await?;
        Ok(Saved { number: stored.number, rev: None, mirror, written: true })
    }

    /// Saves many numbers that keep their owners, with one request per database and step instead of
    /// one per number. One result per number, in order.
    pub async fn save_many(&self, numbers: Vec<Stored>) -> Vec<Result<Saved, RepositoryError>> {
        let now = self.now();
        let mut sets = Vec::with_capacity(numbers.len());
        let mut waiting = Vec::with_capacity(numbers.len());
        for mut stored in numbers {
            stored.number.modified = now;
            let body = codec::encode(&stored.number, &stored.base, &write_id());
            let id = stored.number.id.as_str();
            let db = database(&stored.number.id);
            let number = Write::put(db, id, stored.expect.clone(), body);
            sets.push(stored.write_set(number.clone()));
            waiting.push((stored, number));
        }
        let outcomes = self.store.commit_many(sets).await;
        stream::iter(waiting.into_iter().zip(outcomes))
            .map(|((stored, number), outcome)| self.finish(stored, number, outcome))
            .buffered(PARALLEL_LOOKUPS)
            .collect()
            .await
    }

    /// The databases that hold numbers, in order; those of the carriers' own stock only `with_stock`.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn databases(
        &self,
        with_stock: bool,
    ) -> Result<Vec<NumberDatabase>, RepositoryError> {
        let names = self.store.databases("numbers/").await?;
        let parsed =
            names.iter().filter_map(|name| NumberDatabase::parse_or_stock(name.as_str()).ok());
        Ok(parsed.filter(|database| with_stock || !database.is_stock()).collect())
    }

    /// How many documents of a database carry each stored carrier name, those whose ids begin with
    /// `prefix` or all. A database that does not exist has none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn carrier_counts(
        &self,
        database: &NumberDatabase,
        prefix: Option<&str>,
    ) -> Result<BTreeMap<Option<String>, u64>, RepositoryError> {
        let db = DbName::new(database.as_str());
        match self.store.carrier_counts(&db, &ids(prefix)).await {
            Err(err) if err.kind == Kind::NoDatabase => Ok(BTreeMap::new()),
            counts => Ok(counts?),
        }
    }

    /// A page of the numbers that are stored under exactly this carrier name, ready to be saved:
    /// their owners' copies are looked up with one request per account.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn with_carrier(
        &self,
        database: &NumberDatabase,
        carrier: &str,
        prefix: Option<&str>,
        after: Option<String>,
        limit: usize,
    ) -> Result<CarrierPage, RepositoryError> {
        let db = DbName::new(database.as_str());
        let question = Question::Carrier(Some(carrier.to_owned()));
        let order = Order::Ascending;
        let query = Query { question, range: ids(prefix), order, after, limit };
        let page = match self.store.query(&db, &query).await {
            Err(err) if err.kind == Kind::NoDatabase => Page { documents: Vec::new(), next: None },
            page => page?,
        };
        let still = |it: &Document| codec::stored_carrier(&it.body) == Some(carrier);
        let documents = page.documents.into_iter().filter(still).collect();
        Ok(CarrierPage { numbers: self.prepare(documents).await?, next: page.next })
    }

    async fn prepare(
        &self,
        documents: Vec<Document>,
    ) -> Result<Vec<Result<Stored, (String, RepositoryError)>>, RepositoryError> {
        let decoded: Vec<_> = documents.into_iter().map(|it| self.decode_document(it)).collect();
        let mut held: BTreeMap<AccountId, Vec<String>> = BTreeMap::new();
        for (number, _) in decoded.iter().flatten() {
            if let Some(owner) = &number.owner {
                held.entry(owner.clone()).or_default().push(number.id.to_string());
            }
        }
        let mut revisions = self.mirror_revisions(held).await?;
        let mut stored = |(number, document): (Number, Document)| {
            let mirrors = number.owner.iter().map(|owner| {
                let rev = revisions.remove(&(owner.clone(), number.id.to_string()));
                (owner.clone(), Mirror::at(rev))
            });
            let mirrors = mirrors.collect();
            Stored::read(number, document, mirrors)
        };
        Ok(decoded.into_iter().map(|decoded| decoded.map(&mut stored)).collect())
    }

    fn decode_document(
        &self,
        document: Document,
    ) -> Result<(Number, Document), (String, RepositoryError)> {
        let wrong = UndecodableField { field: "_id", problem: "is not a number in E.164 form" };
        let Ok(id) = E164::parse(&document.id) else {
            let id = document.id.clone();
            return Err((document.id, RepositoryError::Undecodable { id, source: wrong }));
        };
        match self.decode(&id, &document.body) {
            Ok(number) => Ok((number, document)),
            Err(err) => Err((document.id, err)),
        }
    }

    async fn mirror_revisions(
        &self,
        held: BTreeMap<AccountId, Vec<String>>,
    ) -> Result<BTreeMap<(AccountId, String), Rev>, RepositoryError> {
        let lookups = stream::iter(held).map(|(account, ids)| async move {
            let revs = self.store.revisions(&mirror::database(&account), &ids).await?;
            Ok::<_, RepositoryError>((account, ids, revs))
        });
        let mut lookups = lookups.buffer_unordered(PARALLEL_LOOKUPS);
        let mut found = BTreeMap::new();
        while let Some(lookup) = lookups.next().await {
            let (account, ids, revs) = lookup?;
            for (id, rev) in ids.into_iter().zip(revs) {
                if let Some(rev) = rev {
                    found.insert((account.clone(), id), rev);
                }
            }
        }
        Ok(found)
    }

    /// A page of the numbers that an account holds, from their copies: each with the copy itself.
    /// `from` and `to` bound the ids, both included; `after` goes on behind an id.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn held_by(
        &self,
        account: &AccountId,
        span: &Span,
        after: Option<String>,
        limit: usize,
    ) -> Result<HeldPage, RepositoryError> {
        let order = if span.descending { Order::Descending } else { Order::Ascending };
        let query = Query { question: Question::All, range: span.ids(), order, after, limit };
        let page = match self.store.query(&mirror::database(account), &query).await {
            Err(err) if err.kind == Kind::NoDatabase => Page { documents: Vec::new(), next: None },
            page => page?,
        };
        let mut numbers = Vec::with_capacity(page.documents.len());
        for document in page.documents {
            if document.body.get("pvt_deleted").and_then(Value::as_bool) == Some(true) {
                continue;
            }
            match self.decode_document(document) {
                Ok((number, document)) => numbers.push((number, document.body)),
                Err((id, err)) => {
                    let cause: &(dyn std::error::Error + 'static) = &err;
                    tracing::warn!(number = id, error = cause, "a copy is left out of a listing");
                }
            }
        }
        Ok(HeldPage { numbers, next: page.next })
    }

    /// The same repository over a store that keeps its writes to itself.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        let store: SharedStore = Arc::new(DryRunStore::new(self.store.clone()));
        Self { store, ..self.clone() }
    }

    /// What the copy of a number in its owner's database, and in other databases that were read,
    /// is wrong in: nothing when all is well.
    #[must_use]
    pub fn drift(stored: &Stored) -> Vec<&'static str> {
        let mut drift = Vec::new();
        let owner = stored.number.owner.as_ref();
        let mirror = owner.and_then(|owner| stored.mirrors.get(owner));
        match mirror {
            Some(mirror) if !mirror.exists() => drift.push("missing"),
            Some(mirror) if !mirror.equals(&stored.base) => drift.push("stale"),
            _ => (),
        }
        if stored.mirrors.iter().any(|(account, it)| Some(account) != owner && it.exists()) {
            drift.push("extra");
        }
        if stored.conflicts > 0 {
            drift.push("conflicting");
        }
        drift
    }

    /// Reads a number from its document.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Undecodable`].
    pub fn decode(&self, id: &E164, body: &Body) -> Result<Number, RepositoryError> {
        codec::decode(id, body, &self.settings.carrier_of_new_numbers(), self.now())
            .map_err(|source| RepositoryError::Undecodable { id: id.to_string(), source })
    }

    async fn mirror(
        &self,
        id: &E164,
        account: &AccountId,
    ) -> Result<(AccountId, Mirror), RepositoryError> {
        let found = self.store.get(&mirror::database(account), id.as_str()).await?;
        Ok((account.clone(), Mirror::new(found)))
    }

    async fn save_unchanged(&self, mut stored: Stored) -> Result<Saved, RepositoryError> {
        self.complete_mirrors(&mut stored, false).await?;
        let right = Self::drift(&stored).iter().all(|drift| *drift == "conflicting");
        let mirror = if right {
            MirrorStatus::Synced
        } else {
            self.sync(&stored.number.id, &stored.mirrors.keys().cloned().collect()).await
        };
        let rev = match stored.expect {
            Expect::At(rev) => Some(rev),
            Expect::Absent => None,
        };
        Ok(Saved { number: stored.number, rev, mirror, written: false })
    }

    /// Removes the copy that the last owner may still hold when its name is about to be replaced.
    async fn make_room(&self, stored: &mut Stored) -> Result<(), RepositoryError> {
        let number = &stored.number;
        let is_replaced = |last: &&AccountId| {
            number.previous_owner.as_ref() != Some(*last) && number.owner.as_ref() != Some(*last)
        };
        let Some(replaced) = stored.owners.previous_owner.clone().filter(|it| is_replaced(&it))
        else {
            return Ok(());
        };
        // One that could not be read may be there.
        if stored.mirrors.get(&replaced).is_none_or(Mirror::exists) {
            self.remove_stray(&number.id, &replaced).await?;
            stored.mirrors.remove(&replaced);
        }
        Ok(())
    }

    /// Reads the copies that the write is about and that were not read yet: the new owner's, the old
    /// owner's, and the last owner's, which an interrupted write may have left. That one cannot hold
    /// up a write, unless nothing would say any more where it is (`ends`).
    async fn complete_mirrors(
        &self,
        stored: &mut Stored,
        ends: bool,
    ) -> Result<(), RepositoryError> {
        let id = stored.number.id.clone();
        let is_wanted = |account: &&AccountId| !stored.mirrors.contains_key(*account);
        let owners: BTreeSet<&AccountId> =
            stored.number.owner.iter().chain(&stored.owners.owner).filter(is_wanted).collect();
        let last = stored.owners.previous_owner.as_ref().filter(is_wanted);
        let last = last.filter(|last| !owners.contains(last));
        let owners = try_join_all(owners.into_iter().map(|owner| self.mirror(&id, owner)));
        let last = OptionFuture::from(last.map(|last| self.mirror(&id, last)));
        let (owners, last) = tokio::join!(owners, last);
        let last = match last.transpose() {
            Err(_) if !ends => None,
            last => last?,
        };
        stored.mirrors.extend(owners?.into_iter().chain(last));
        Ok(())
    }

    /// Commits the number with its copies and returns its revision. A copy that was changed in
    /// between is read again; an account that has no database any more has no copy; once the number
    /// is stored, what is left of its copies is finished or left to be finished.
    async fn write(
        &self,
        stored: &mut Stored,
        number: Write,
    ) -> Result<(Rev, MirrorStatus), RepositoryError> {
        let id = stored.number.id.clone();
        let mut gone: Vec<String> = Vec::new();
        for _ in 0..TRIES {
            let mut set = stored.write_set(number.clone());
            set.retain(|write| !gone.iter().any(|gone| gone == write.db.as_str()));
            let CommitError { mut applied, failed, error } = match self.store.commit(set).await {
                Ok(done) if gone.is_empty() => return Ok(finished(done)),
                Ok(done) => return Ok((finished(done).0, MirrorStatus::Pending)),
                Err(err) => err,
            };
            if !applied.is_empty() {
                let rev = applied.swap_remove(0);
                return Ok((rev, self.sync(&id, &stored.accounts()).await));
            }
            match (failed, error.kind) {
                (0, Kind::NoDatabase) => self.store.create_database(&number.db).await?,
                (0, Kind::Conflict) => {
                    return Err(RepositoryError::Conflict { id: id.to_string() });
                }
                (_, Kind::Conflict) => self.reread_mirrors(stored).await?,
                (_, Kind::NoDatabase) => gone.push(error.db),
                _ => return Err(error.into()),
            }
        }
        Err(RepositoryError::Conflict { id: id.to_string() })
    }

    async fn reread_mirrors(&self, stored: &mut Stored) -> Result<(), RepositoryError> {
        let accounts: Vec<_> = stored.mirrors.keys().cloned().collect();
        for account in accounts {
            let (account, mirror) = self.mirror(&stored.number.id, &account).await?;
            stored.mirrors.insert(account, mirror);
        }
        Ok(())
    }

    /// What became of one number of a bulk write. A set that was stopped by a copy is written again
    /// by itself.
    async fn finish(
        &self,
        mut stored: Stored,
        number: Write,
        outcome: Result<Committed, CommitError>,
    ) -> Result<Saved, RepositoryError> {
        let (rev, mirror) = match outcome {
            Ok(done) => finished(done),
            Err(CommitError { mut applied, .. }) if !applied.is_empty() => {
                let mirror = self.sync(&stored.number.id, &stored.accounts()).await;
                (applied.swap_remove(0), mirror)
            }
            Err(CommitError { failed: 0, error, .. }) if error.kind == Kind::Conflict => {
                return Err(RepositoryError::Conflict { id: stored.number.id.to_string() });
            }
            Err(CommitError { failed: 0, error, .. }) => return Err(error.into()),
            Err(_) => self.write(&mut stored, number).await?,
        };
        Ok(Saved { number: stored.number, rev: Some(rev), mirror, written: true })
    }
}

fn finished(done: Committed) -> (Rev, MirrorStatus) {
    let mirror = if done.quorum { MirrorStatus::Synced } else { MirrorStatus::Pending };
    let rev = done.revs.into_iter().next().expect("a set has at least the number's write");
    (rev, mirror)
}

/// The ids that begin with `prefix`, or all.
fn ids(prefix: Option<&str>) -> IdRange {
    match prefix {
        Some(prefix) => IdRange::starting_with(prefix),
        None => IdRange { from: String::new(), before: "\u{10ffff}".to_owned() },
    }
}

impl Span {
    /// The ids of numbers begin with `+`, which nothing else in an account's database does.
    fn ids(&self) -> IdRange {
        let all = IdRange::starting_with("+");
        let (low, high) =
            if self.descending { (&self.to, &self.from) } else { (&self.from, &self.to) };
        let from = low.clone().unwrap_or_default().max(all.from);
        let before = high.as_ref().map_or(all.before.clone(), |high| format!("{high}\0"));
        IdRange { from, before: before.min(all.before) }
    }
}

/// The database of a number.
fn database(id: &E164) -> DbName {
    DbName::new(number_database(id))
}

impl Opened {
    /// The accounts that may hold a copy of the number.
    #[must_use]
    pub fn accounts(&self) -> BTreeSet<AccountId> {
        let (owners, mirrors) = match self {
            Self::Found(stored) => (&stored.owners, &stored.mirrors),
            Self::Vacant(vacancy) => (&vacancy.owners, &vacancy.mirrors),
        };
        let named = owners.owner.iter().chain(&owners.previous_owner);
        let held = mirrors.iter().filter(|(_, mirror)| mirror.exists());
        named.chain(held.map(|(account, _)| account)).cloned().collect()
    }
}

impl Stored {
    fn read(number: Number, document: Document, mirrors: BTreeMap<AccountId, Mirror>) -> Self {
        let (owner, previous_owner) = (number.owner.clone(), number.previous_owner.clone());
        Self {
            before: Some(number.clone()),
            number,
            owners: Owners { owner, previous_owner },
            expect: Expect::At(document.rev),
            base: document.body,
            mirrors,
            conflicts: document.conflicts.len(),
        }
    }

    /// The number as it was read; `None` when it is new.
    #[must_use]
    pub fn before(&self) -> Option<&Number> {
        self.before.as_ref()
    }

    /// The revision that the number was read at; `None` when it is new.
    #[must_use]
    pub fn rev(&self) -> Option<&Rev> {
        match &self.expect {
            Expect::At(rev) => Some(rev),
            Expect::Absent => None,
        }
    }

    /// The same as text, as a client's `If-Match` spells it.
    #[must_use]
    pub fn rev_text(&self) -> Option<&str> {
        self.rev().map(Rev::as_str)
    }

    /// Makes sure that the number is written even if nothing of it was changed, as when only its
    /// document is spelt in an old way.
    pub fn rewrite(&mut self) {
        self.before = None;
    }

    /// The carrier's name as the document spells it.
    #[must_use]
    pub fn stored_carrier(&self) -> Option<&str> {
        codec::stored_carrier(&self.base)
    }

    /// The accounts whose copies this number is about.
    fn accounts(&self) -> BTreeSet<AccountId> {
        let owner = self.number.owner.iter();
        self.mirrors.keys().chain(owner).chain(&self.number.previous_owner).cloned().collect()
    }

    /// The number's write, the owner's copy, and the removal of every other copy that was seen.
    fn write_set(&self, number: Write) -> WriteSet {
        let id = &self.number.id;
        let (stamped, owner) = match &number.change {
            Change::Put(body) => (body.clone(), self.number.owner.as_ref()),
            Change::Delete(tombstone) => (tombstone.clone(), None),
        };
        let stamp = stamped.get(WRITE_ID).and_then(Value::as_str).unwrap_or_default();
        let mut set = vec![number];
        if let Some(owner) = owner {
            let none = Mirror::default();
            set.extend(self.mirrors.get(owner).unwrap_or(&none).put(owner, id, &stamped));
        }
        let others = self.mirrors.iter().filter(|(account, _)| Some(*account) != owner);
        set.extend(others.filter_map(|(account, mirror)| mirror.delete(account, id, stamp)));
        set
    }
}

impl Vacancy {
    /// Puts a number in this place. What a deleted number left behind names its last owner.
    #[must_use]
    pub fn fill(self, mut number: Number) -> Stored {
        if number.previous_owner.is_none() {
            let last = self.owners.owner.as_ref().or(self.owners.previous_owner.as_ref());
            number.previous_owner =
                last.filter(|last| number.owner.as_ref() != Some(*last)).cloned();
        }
        Stored {
            number,
            before: None,
            expect: Expect::Absent,
            base: Body::new(),
            mirrors: self.mirrors,
            owners: self.owners,
            conflicts: 0,
        }
    }
}
