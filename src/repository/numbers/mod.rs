//! Number documents: read with their copies, saved as one write set.
//!
//! [`Stored`] carries what was read from the reading to the saving, and there is no other way to
//! save: so nobody can overwrite a change that they have not seen, nor lose a member that they do
//! not understand.

mod bulk;
mod by_owner;
mod carriers;
mod condition;
mod copies;
mod drift;
mod listing;
mod look;
mod picked;
mod restore;
mod said;
mod save;
mod seen;
mod stored;
mod strays;
mod sums;
mod unlike;

pub use self::{
    by_owner::OwnersPage,
    carriers::CarrierPage,
    condition::{Condition, Happening},
    copies::{CopyWrite, Source, SourcePage, Unequal},
    drift::{Contradiction, Drift, FingerprintPage},
    listing::{HeldPage, Span},
    look::{Displaced, Look, Looked},
    picked::{Pick, PickedPage},
    restore::Counterpart,
    save::Decision,
    seen::{Seen, SeenPage},
    stored::{Stored, Vacancy},
    strays::{Cleared, Grounds, Suspects},
    sums::{Sum, Summed},
    unlike::Unlike,
};

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use futures::future::try_join_all;

use super::{
    RepositoryError, SettingsRepository,
    codec::{self, Owners, UndecodableField},
    journal::Plan,
    mirror::{self, Mirror, MirrorStatus},
    trail::{Ground, Trail},
};
use crate::{
    domain::{AccountId, Clock, E164, Number, gregorian_seconds, number_database},
    store::{Body, DbName, Document, Lookup, Rev, SharedStore, dry_run::DryRunStore},
};

/// Reads and saves numbers.
#[derive(Clone, Debug)]
pub struct NumberRepository {
    pub(super) store: SharedStore,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: SettingsRepository,
    /// The database of charges that is known to be there.
    pub(super) month: Arc<Mutex<Option<DbName>>>,
    /// What commits numbers, and notes who writes them.
    pub(super) trail: Trail,
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
        let trail = Trail::silent(store.clone());
        Self { store, clock, settings, month: Arc::default(), trail }
    }

    /// The same, which notes who writes a number before it is written.
    #[must_use]
    pub fn with_trail(self) -> Self {
        Self { trail: Trail::keeping(self.store.clone()), ..self }
    }

    /// The time now, in Gregorian seconds.
    #[must_use]
    pub fn now(&self) -> i64 {
        gregorian_seconds(self.clock.now())
    }

    /// The time now (RFC 3339).
    #[must_use]
    pub fn time(&self) -> String {
        self.clock.now().to_string()
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
        let mut opened = self.opened(id, found?, copies?.into_iter().collect())?;
        if let Opened::Found(stored) = &mut opened
            && let Some(owner) = &stored.number.owner
            && !stored.mirrors.contains_key(owner)
        {
            let (owner, mirror) = self.mirror(id, owner).await?;
            stored.mirrors.insert(owner, mirror);
        }
        Ok(opened)
    }

    /// What was found under a number's id, with the copies that were read beside it.
    fn opened(
        &self,
        id: &E164,
        found: Lookup,
        mirrors: BTreeMap<AccountId, Mirror>,
    ) -> Result<Opened, RepositoryError> {
        let ground = Ground::of(&found);
        let owners = match found {
            Lookup::Live(document) => {
                let number = self.decode(id, &document.body)?;
                return Ok(Opened::Found(Box::new(Stored::read(number, document, mirrors))));
            }
            Lookup::Deleted(tombstone) => codec::tombstone_owners(&tombstone.body),
            Lookup::Missing => Owners::default(),
        };
        Ok(Opened::Vacant(Vacancy { owners, mirrors, ground }))
    }

    /// The same repository over a store that keeps its writes to itself.
    #[must_use]
    pub fn rehearsal(&self) -> Self {
        let store: SharedStore = Arc::new(DryRunStore::new(self.store.clone()));
        self.over(store)
    }

    /// As [`NumberRepository::rehearsal`], with what would have been written. For a page of documents:
    /// all that is read through it is kept.
    #[must_use]
    pub fn planning(&self) -> (Self, Plan) {
        let (plan, store) = Plan::over(self.store.clone());
        (self.over(store), plan)
    }

    /// The same over a store where nothing happens, of which nothing is noted.
    fn over(&self, store: SharedStore) -> Self {
        let trail = Trail::silent(store.clone());
        Self { store, month: Arc::default(), trail, ..self.clone() }
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

    pub(super) fn decode_document(
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

    async fn mirror(
        &self,
        id: &E164,
        account: &AccountId,
    ) -> Result<(AccountId, Mirror), RepositoryError> {
        let found = self.store.get(&mirror::database(account), id.as_str()).await?;
        Ok((account.clone(), Mirror::new(found)))
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
