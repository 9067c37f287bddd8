//! Looking at many numbers with their copies, and making the copies what the numbers say.
//!
//! First everything is compared, with one request per database. Of what differs the number is read once
//! more, now that its copies were, and they are written expecting what was read; so a newer number is
//! never overwritten by an older one. What cannot be read is left as it is.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::{
    Contradiction, NumberRepository, RepositoryError,
    bulk::{Found, PARALLEL_LOOKUPS},
    codec::{self, Owners},
    condition::Condition,
    database, mirror,
    said::{Said, Wrong},
    strays::is_of_number,
};
use crate::{
    domain::{AccountId, CarrierName, E164, NumberDatabase},
    repository::{
        charges::ChargeCopy,
        stock::{StockItem, Tenure},
    },
    store::{Body, DbName, Lookup, StoreError},
};

/// What became of a number that was looked at.
#[derive(Debug)]
pub enum Look {
    /// Its copies are what it says.
    Right,
    /// They were made so.
    Healed,
    /// Stock is claimed under it by somebody who may be about to write it.
    Claimed,
    /// It has versions that name different owners: nothing was touched, a person must decide.
    Contested,
    /// It could not be read, or its copies could not be written.
    Failed(RepositoryError),
}

/// A number that was looked at.
#[derive(Debug)]
pub struct Looked {
    /// The accounts that were looked into: those asked for, the owner, and the last one.
    pub accounts: BTreeSet<AccountId>,
    /// What became of it.
    pub outcome: Look,
    /// How the number itself stands; none when it could not be read, or never was.
    pub condition: Option<Condition>,
}

/// Copies of a database's numbers that are not what the numbers say.
#[derive(Debug, Default)]
pub struct Displaced {
    /// The numbers.
    pub numbers: Vec<E164>,
    /// How many more there are of which the database knows nothing, not even that they were deleted.
    pub unknown: usize,
}

/// Numbers, each with the accounts whose copies are looked at.
type Wanted = BTreeMap<E164, BTreeSet<AccountId>>;

/// What was seen of many numbers.
#[derive(Default)]
struct Sight {
    looked: BTreeMap<E164, Looked>,
    /// Those whose copies have to be written.
    wrong: Wanted,
    /// Those with several versions.
    several: Wanted,
    /// Charges that have no copy.
    charges: Vec<(E164, Body)>,
    /// Those that stock does not agree with, or of which it could not be read.
    stock: BTreeMap<E164, Result<(), StoreError>>,
    /// The copies that were read.
    copies: Found,
    /// How the numbers stand.
    conditions: BTreeMap<E164, Condition>,
}

impl NumberRepository {
    /// Looks at numbers, at their copies in the accounts named, and in those that the number itself
    /// names; puts right what is wrong. Each number is answered.
    pub async fn look_at(&self, wanted: Wanted) -> BTreeMap<E164, Looked> {
        let Sight { mut looked, mut wrong, several, charges, stock, mut copies, mut conditions } =
            self.see(wanted).await;
        let mut settled_now = Wanted::new();
        let several = stream::iter(several).map(|(id, accounts)| async move {
            let settled = self.settle_versions(&id).await;
            (id, accounts, settled)
        });
        let mut several = several.buffer_unordered(PARALLEL_LOOKUPS);
        while let Some((id, accounts, settled)) = several.next().await {
            match settled {
                Ok(true) => drop(settled_now.insert(id, accounts)),
                Ok(false) => {
                    looked.insert(id, Looked::new(accounts, Look::Contested));
                }
                Err(err) => drop(looked.insert(id, Looked::failed(accounts, err))),
            }
        }
        // Their copies were written with that.
        copies.extend(
            self.look_up(copies_of(settled_now.iter().map(|(id, it)| (id, it, None)))).await,
        );
        wrong.append(&mut settled_now);
        if !wrong.is_empty() {
            looked.extend(self.heal(wrong, copies).await);
        }
        for (id, number) in charges {
            if let (Err(err), Some(looked)) =
                (self.settle_charge(&number).await, looked.get_mut(&id))
            {
                looked.outcome = Look::Failed(err);
            }
        }
        let stock = stream::iter(stock).map(|(id, unlike)| async move {
            let settled = match unlike {
                Ok(()) => self.settle_stock(&id).await,
                Err(err) => Err(err.into()),
            };
            (id, settled.unwrap_or_else(Look::Failed))
        });
        let mut stock = stock.buffer_unordered(PARALLEL_LOOKUPS);
        while let Some((id, settled)) = stock.next().await {
            if let Some(looked) = looked.get_mut(&id) {
                looked.add(settled);
            }
        }
        for (id, looked) in &mut looked {
            looked.condition = conditions.remove(id);
        }
        looked
    }

    /// The copies that an account holds of the numbers of a database, as far as they are not what
    /// those say.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn displaced_copies(
        &self,
        account: &AccountId,
        database: &NumberDatabase,
    ) -> Result<Displaced, RepositoryError> {
        let numbers = self.unlike_numbers_of(account, database).await?;
        let ids: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let found = self.store.get_many(&DbName::new(database.as_str()), &ids).await?;
        let all = numbers.len();
        let known = numbers.into_iter().zip(found);
        let known = known.filter(|(_, found)| *found != Lookup::Missing).map(|(id, _)| id);
        let numbers: Vec<E164> = known.collect();
        Ok(Displaced { unknown: all - numbers.len(), numbers })
    }

    /// Compares, and writes nothing.
    async fn see(&self, wanted: Wanted) -> Sight {
        let mut sight = Sight::default();
        let mut numbers = self.look_up(numbers_of(&wanted)).await;
        for id in wanted.keys() {
            let found = numbers.get(&(database(id), id.to_string()));
            if let Some(condition) = found.and_then(|it| Condition::of(id, it.as_ref().ok()?)) {
                sight.conditions.insert(id.clone(), condition);
            }
        }
        let said = wanted.into_iter().map(|(id, accounts)| {
            let said = self.said(&id, &mut numbers);
            async move {
                let said = match said {
                    Ok(Said::Deleted(owners)) => self.deleted(&id, owners).await,
                    said => said,
                };
                (id, accounts, said)
            }
        });
        let said: Vec<_> = said.collect();
        let mut said = stream::iter(said).buffered(PARALLEL_LOOKUPS);
        let mut readable = Vec::new();
        while let Some((id, mut accounts, said)) = said.next().await {
            match said {
                Ok(said) => {
                    accounts.extend(said.accounts());
                    if let Said::Deleted(owners) = &said
                        && let Some(condition) = sight.conditions.get_mut(&id)
                    {
                        condition.owned(owners);
                    }
                    readable.push((id, accounts, said));
                }
                Err(err) => drop(sight.looked.insert(id, Looked::failed(accounts, err))),
            }
        }
        let tenures = readable.iter().filter_map(|(id, _, said)| Some((id, said.tenure()?)));
        sight.stock = self.unlike_stock(tenures.collect()).await;
        let places = readable.iter().map(|(id, accounts, it)| (id, accounts, it.charge()));
        let copies = self.look_up(copies_of(places)).await;
        for (id, mut accounts, said) in readable {
            let owner = said.owner().cloned();
            accounts.retain(|account| {
                owner.as_ref() == Some(account) || !is_something_else(&copies, account, &id)
            });
            sight.note(id, accounts, said, &copies);
        }
        sight.copies = copies;
        sight
    }

    /// Takes what was found of a number out of `found`.
    fn said(&self, id: &E164, found: &mut Found) -> Result<Said, RepositoryError> {
        let found = found.remove(&(database(id), id.to_string())).transpose()?;
        Ok(match found.unwrap_or(Lookup::Missing) {
            Lookup::Live(document) => {
                let number = self.decode(id, &document.body)?;
                let tenure = Tenure::of(&number);
                let owners = Owners { owner: number.owner, previous_owner: number.previous_owner };
                if document.conflicts.is_empty() {
                    Said::Number(document.body, owners, tenure)
                } else {
                    Said::Several(owners)
                }
            }
            Lookup::Deleted(tombstone) => Said::Deleted(codec::tombstone_owners(&tombstone.body)),
            Lookup::Missing => Said::Nothing,
        })
    }

    /// Those of these numbers that stock does not agree with, or of which it could not be read.
    async fn unlike_stock(
        &self,
        tenures: BTreeMap<&E164, Tenure>,
    ) -> BTreeMap<E164, Result<(), StoreError>> {
        let mut places = BTreeMap::<DbName, Vec<String>>::new();
        for db in CarrierName::stocked().iter().filter_map(CarrierName::stock) {
            let concerned = tenures.iter().filter(|(_, tenure)| tenure.concerns(db));
            let ids: Vec<String> = concerned.map(|(id, _)| id.to_string()).collect();
            if !ids.is_empty() {
                places.insert(DbName::new(db), ids);
            }
        }
        let mut unlike = BTreeMap::new();
        for ((db, id), found) in self.look_up(places).await {
            let Some((id, tenure)) = E164::parse(&id).ok().and_then(|id| {
                let tenure = tenures.get(&id)?;
                Some((id, tenure))
            }) else {
                continue;
            };
            match found.map(|found| found.live().and_then(|it| StockItem::read(&db, it))) {
                Ok(None) => (),
                Ok(Some(item)) if item.agrees(tenure) => (),
                Ok(Some(_)) => drop(unlike.insert(id, Ok(()))),
                Err(err) => drop(unlike.insert(id, Err(err))),
            }
        }
        unlike
    }

    /// A tombstone that another program left names nobody; the version before it may.
    async fn deleted(&self, id: &E164, mut owners: Owners) -> Result<Said, RepositoryError> {
        if owners.owner.is_none() && owners.previous_owner.is_none() {
            let before = self.store.before_deletion(&database(id), id.as_str()).await?;
            owners = before.map(|it| codec::tombstone_owners(&it.body)).unwrap_or_default();
        }
        Ok(Said::Deleted(owners))
    }

    /// Makes one version of several that name the same owner; returns whether they do.
    async fn settle_versions(&self, id: &E164) -> Result<bool, RepositoryError> {
        match self.contradiction(id).await? {
            Some(Contradiction::OtherOwners) => Ok(false),
            Some(Contradiction::SameOwner) => self.remove_losers(id).await,
            None => Ok(true),
        }
    }

    /// Reads these numbers again, now that their copies were read, and writes what differs.
    async fn heal(&self, wanted: Wanted, mut copies: Found) -> BTreeMap<E164, Looked> {
        let mut numbers = self.look_up(numbers_of(&wanted)).await;
        let mut looked = BTreeMap::new();
        let (mut sets, mut ids) = (Vec::new(), Vec::new());
        for (id, accounts) in wanted {
            let said = match self.said(&id, &mut numbers) {
                // It became so just now.
                Ok(Said::Several(_)) => Err(RepositoryError::Conflict { id: id.to_string() }),
                said => said,
            };
            let (writes, outcome) = match said {
                Ok(said) => said.writes(&id, &accounts, &mut copies),
                Err(err) => (Vec::new(), Look::Failed(err)),
            };
            ids.extend(writes.iter().map(|_| id.clone()));
            sets.extend(writes);
            looked.insert(id, Looked::new(accounts, outcome));
        }
        for (id, outcome) in ids.into_iter().zip(self.store.commit_many(sets).await) {
            if let (Err(err), Some(looked)) = (outcome, looked.get_mut(&id)) {
                looked.outcome = Look::Failed(err.error.into());
            }
        }
        looked
    }
}

impl Sight {
    /// Notes what there is to do about a number.
    fn note(&mut self, id: E164, accounts: BTreeSet<AccountId>, said: Said, copies: &Found) {
        match said.wrong(&id, &accounts, copies) {
            Ok(Some(Wrong::Versions)) => drop(self.several.insert(id.clone(), accounts)),
            Ok(Some(Wrong::Copies)) => drop(self.wrong.insert(id.clone(), accounts)),
            Ok(None) => {
                drop(self.looked.insert(id.clone(), Looked::new(accounts, Look::Right)));
            }
            Err(err) => {
                self.looked.insert(id, Looked::failed(accounts, err));
                return;
            }
        }
        if let (Some(charge), Said::Number(number, ..)) = (said.charge(), said)
            && matches!(copies.get(&charge.place()), Some(Ok(Lookup::Missing)))
        {
            self.charges.push((id, number));
        }
    }
}

impl Looked {
    fn new(accounts: BTreeSet<AccountId>, outcome: Look) -> Self {
        Self { accounts, outcome, condition: None }
    }

    fn failed(accounts: BTreeSet<AccountId>, err: impl Into<RepositoryError>) -> Self {
        Self::new(accounts, Look::Failed(err.into()))
    }

    /// Adds what became of the stock under it: the worse of both counts.
    fn add(&mut self, stock: Look) {
        let is_worse = match (&self.outcome, &stock) {
            (Look::Right, _) | (Look::Healed, Look::Claimed | Look::Failed(_)) => true,
            (Look::Healed | Look::Claimed | Look::Contested | Look::Failed(_), _) => false,
        };
        if is_worse {
            self.outcome = stock;
        }
    }
}

/// Whether an account holds a document under a number's id that is no copy of it.
fn is_something_else(found: &Found, account: &AccountId, id: &E164) -> bool {
    let found = found.get(&(mirror::database(account), id.to_string()));
    matches!(found, Some(Ok(Lookup::Live(document))) if !is_of_number(document))
}

fn numbers_of(wanted: &Wanted) -> BTreeMap<DbName, Vec<String>> {
    let mut places = BTreeMap::<DbName, Vec<String>>::new();
    for id in wanted.keys() {
        places.entry(database(id)).or_default().push(id.to_string());
    }
    places
}

fn copies_of<'a>(
    wanted: impl Iterator<Item = (&'a E164, &'a BTreeSet<AccountId>, Option<ChargeCopy>)>,
) -> BTreeMap<DbName, Vec<String>> {
    let mut places = BTreeMap::<DbName, Vec<String>>::new();
    for (id, accounts, charge) in wanted {
        for account in accounts {
            places.entry(mirror::database(account)).or_default().push(id.to_string());
        }
        if let Some((db, id)) = charge.map(|charge| charge.place()) {
            places.entry(db).or_default().push(id);
        }
    }
    places
}
