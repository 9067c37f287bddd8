//! Looking at many numbers with their copies, and making the copies what the numbers say.
//!
//! First everything is compared, with one request per database. What differs is read once more, the
//! copies first and the numbers after, and written expecting what was read; so a newer number is never
//! overwritten by an older one. What cannot be read is left as it is.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::{
    Contradiction, NumberRepository, RepositoryError,
    bulk::{Found, PARALLEL_LOOKUPS},
    codec::{self, Owners},
    database,
    mirror::{self, Mirror},
    strays::is_of_number,
};
use crate::{
    domain::{AccountId, E164, number_database},
    repository::{charges::ChargeCopy, write_id},
    store::{Body, DbName, Lookup, Write},
};

/// What became of a number that was looked at.
#[derive(Debug)]
pub enum Look {
    /// Its copies are what it says.
    Right,
    /// They were made so.
    Healed,
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
}

/// Numbers, each with the accounts whose copies are looked at.
type Wanted = BTreeMap<E164, BTreeSet<AccountId>>;

/// What a number's document says.
enum Said {
    /// The number, its owner and the last one.
    Number(Body, Owners),
    /// The same, in several versions.
    Several(Owners),
    /// There is none; these owned it.
    Nothing(Owners),
}

/// What has to be done about a number.
enum Wrong {
    /// Its copies are written.
    Copies,
    /// It is looked at by itself.
    Alone,
    /// One of its versions is kept, or none is touched.
    Versions,
}

impl NumberRepository {
    /// Looks at numbers, at their copies in the accounts named, and in those that the number itself
    /// names; puts right what is wrong. Each number is answered.
    pub async fn look_at(&self, wanted: Wanted) -> BTreeMap<E164, Looked> {
        let mut looked = BTreeMap::new();
        let mut numbers = self.look_up(numbers_of(&wanted)).await;
        let mut said = Vec::with_capacity(wanted.len());
        for (id, mut accounts) in wanted {
            match self.said(&id, &mut numbers) {
                Ok(it) => {
                    accounts.extend(it.accounts());
                    said.push((id, accounts, it));
                }
                Err(err) => drop(looked.insert(id, Looked::failed(accounts, err))),
            }
        }
        let copies = said.iter().map(|(id, accounts, it)| (id, accounts, it.charge()));
        let copies = self.look_up(copies_of(copies)).await;
        let (mut in_bulk, mut singly) = (Wanted::new(), Vec::new());
        for (id, mut accounts, it) in said {
            let owner = &it.owners().owner;
            accounts.retain(|account| {
                owner.as_ref() == Some(account) || !is_something_else(&copies, account, &id)
            });
            match it.wrong(&id, &accounts, &copies) {
                Ok(None) => drop(looked.insert(id, Looked { accounts, outcome: Look::Right })),
                Ok(Some(Wrong::Copies)) => drop(in_bulk.insert(id, accounts)),
                Ok(Some(wrong)) => singly.push((id, accounts, wrong)),
                Err(err) => drop(looked.insert(id, Looked::failed(accounts, err))),
            }
        }
        looked.extend(self.heal_many(in_bulk, &mut singly).await);
        let singly = stream::iter(singly).map(|(id, accounts, wrong)| async move {
            let outcome = self.heal_one(&id, &accounts, &wrong).await;
            (id, Looked { accounts, outcome: outcome.unwrap_or_else(Look::Failed) })
        });
        looked.extend(singly.buffer_unordered(PARALLEL_LOOKUPS).collect::<Vec<_>>().await);
        looked
    }

    /// Takes what was found of a number out of `found`.
    fn said(&self, id: &E164, found: &mut Found) -> Result<Said, RepositoryError> {
        let found = found.remove(&(database(id), id.to_string())).transpose()?;
        Ok(match found.unwrap_or(Lookup::Missing) {
            Lookup::Live(document) => {
                let number = self.decode(id, &document.body)?;
                let owners = Owners { owner: number.owner, previous_owner: number.previous_owner };
                if document.conflicts.is_empty() {
                    Said::Number(document.body, owners)
                } else {
                    Said::Several(owners)
                }
            }
            Lookup::Deleted(tombstone) => Said::Nothing(codec::tombstone_owners(&tombstone.body)),
            Lookup::Missing => Said::Nothing(Owners::default()),
        })
    }

    /// Reads the copies of these numbers again, the numbers after them, and writes what differs.
    /// Numbers that turn out to be gone or contested go to `singly`.
    async fn heal_many(
        &self,
        wanted: Wanted,
        singly: &mut Vec<(E164, BTreeSet<AccountId>, Wrong)>,
    ) -> BTreeMap<E164, Looked> {
        let mut copies =
            self.look_up(copies_of(wanted.iter().map(|(id, it)| (id, it, None)))).await;
        let mut numbers = self.look_up(numbers_of(&wanted)).await;
        let mut looked = BTreeMap::new();
        let (mut writes, mut writers) = (Vec::new(), Vec::new());
        for (id, accounts) in wanted {
            let (body, owner) = match self.said(&id, &mut numbers) {
                Ok(Said::Number(body, owners)) => (body, owners.owner),
                Ok(Said::Several(_)) => {
                    singly.push((id, accounts, Wrong::Versions));
                    continue;
                }
                Ok(Said::Nothing(_)) => {
                    singly.push((id, accounts, Wrong::Alone));
                    continue;
                }
                Err(err) => {
                    looked.insert(id, Looked::failed(accounts, err));
                    continue;
                }
            };
            let before = writes.len();
            let mut outcome = Look::Healed;
            for account in &accounts {
                let found = copies.remove(&(mirror::database(account), id.to_string()));
                let mirror = match found.transpose() {
                    Ok(found) => Mirror::new(found.unwrap_or(Lookup::Missing)),
                    Err(err) => {
                        outcome = Look::Failed(err.into());
                        continue;
                    }
                };
                let write: Option<Write> = if owner.as_ref() == Some(account) {
                    mirror.put(account, &id, &body)
                } else {
                    mirror.delete(account, &id, &write_id())
                };
                writes.extend(write.map(|write| vec![write]));
            }
            if owner.as_ref().is_some_and(|owner| !accounts.contains(owner)) {
                // It was given to somebody else just now.
                outcome = Look::Failed(RepositoryError::Conflict { id: id.to_string() });
            }
            writers.extend(std::iter::repeat_n(id.clone(), writes.len() - before));
            looked.insert(id, Looked { accounts, outcome });
        }
        if writes.is_empty() {
            return looked;
        }
        for (id, outcome) in writers.into_iter().zip(self.store.commit_many(writes).await) {
            if let (Err(err), Some(looked)) = (outcome, looked.get_mut(&id)) {
                looked.outcome = Look::Failed(err.error.into());
            }
        }
        looked
    }

    async fn heal_one(
        &self,
        id: &E164,
        accounts: &BTreeSet<AccountId>,
        wrong: &Wrong,
    ) -> Result<Look, RepositoryError> {
        if matches!(wrong, Wrong::Versions) {
            match self.contradiction(id).await? {
                Some(Contradiction::OtherOwners) => return Ok(Look::Contested),
                Some(Contradiction::SameOwner) => drop(self.remove_losers(id).await?),
                None => (),
            }
        }
        // A database that is not there says nothing of its numbers.
        self.store.version(&DbName::new(number_database(id))).await?;
        self.sync_once(id, accounts).await?;
        Ok(Look::Healed)
    }
}

impl Said {
    fn owners(&self) -> &Owners {
        let (Self::Number(_, owners) | Self::Several(owners) | Self::Nothing(owners)) = self;
        owners
    }

    fn accounts(&self) -> impl Iterator<Item = AccountId> {
        let Owners { owner, previous_owner } = self.owners();
        owner.iter().chain(previous_owner).cloned()
    }

    /// What it costs, if anything.
    fn charge(&self) -> Option<ChargeCopy> {
        match self {
            Self::Number(body, _) => ChargeCopy::of(body),
            Self::Several(_) | Self::Nothing(_) => None,
        }
    }

    /// What is wrong with the copies that were found.
    fn wrong(
        &self,
        id: &E164,
        accounts: &BTreeSet<AccountId>,
        found: &Found,
    ) -> Result<Option<Wrong>, RepositoryError> {
        let Some(number) = self.body() else {
            return match self {
                Self::Several(_) => Ok(Some(Wrong::Versions)),
                _ => stray(id, accounts, found),
            };
        };
        let mut wrong = None;
        for account in accounts {
            let copy = copy_in(found, account, id)?;
            let is_right = if self.owners().owner.as_ref() == Some(account) {
                copy.equals(number)
            } else {
                !copy.exists()
            };
            if !is_right {
                wrong = Some(Wrong::Copies);
            }
        }
        if let Some(charge) = self.charge()
            && matches!(found.get(&charge.place()), Some(Ok(Lookup::Missing)))
        {
            wrong = Some(Wrong::Alone);
        }
        Ok(wrong)
    }

    fn body(&self) -> Option<&Body> {
        match self {
            Self::Number(body, _) => Some(body),
            Self::Several(_) | Self::Nothing(_) => None,
        }
    }
}

impl Looked {
    fn failed(accounts: BTreeSet<AccountId>, err: impl Into<RepositoryError>) -> Self {
        Self { accounts, outcome: Look::Failed(err.into()) }
    }
}

/// Whether there is a copy of a number that is not there.
fn stray(
    id: &E164,
    accounts: &BTreeSet<AccountId>,
    found: &Found,
) -> Result<Option<Wrong>, RepositoryError> {
    let mut wrong = None;
    for account in accounts {
        if copy_in(found, account, id)?.exists() {
            wrong = Some(Wrong::Alone);
        }
    }
    Ok(wrong)
}

/// Whether an account holds a document under a number's id that is no copy of it.
fn is_something_else(found: &Found, account: &AccountId, id: &E164) -> bool {
    let found = found.get(&(mirror::database(account), id.to_string()));
    matches!(found, Some(Ok(Lookup::Live(document))) if !is_of_number(document))
}

fn copy_in(found: &Found, account: &AccountId, id: &E164) -> Result<Mirror, RepositoryError> {
    match found.get(&(mirror::database(account), id.to_string())) {
        None => Ok(Mirror::default()),
        Some(Ok(copy)) => Ok(Mirror::new(copy.clone())),
        Some(Err(err)) => Err(err.again().into()),
    }
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
