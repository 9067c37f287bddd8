//! Copies that may not belong where they are: found together, and each looked at by itself before it
//! is removed.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use serde_json::Value;

use super::{
    NumberRepository, RepositoryError,
    bulk::PARALLEL_LOOKUPS,
    codec, database,
    mirror::{self, Mirror},
    seen::by_database,
};
use crate::{
    domain::{AccountId, E164, NumberDatabase},
    repository::write_id,
    store::{Document, Kind, Lookup, StoreError, Write},
};

/// Why a copy would be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grounds {
    /// Its number is not the account's, or there is none.
    NotOwned,
    /// There is no such number.
    NoNumber,
}

/// What became of a copy that was looked at by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cleared {
    /// It was removed.
    Removed,
    /// The account owns the number: it was made equal to it.
    PutRight,
    /// There is nothing to do.
    Kept,
    /// Its number has versions that contradict each other: nobody but a person can decide.
    Contested,
}

/// A page of copies, those that may have to go set apart.
#[derive(Debug, Default)]
pub struct Suspects {
    /// Those that may have to go.
    pub suspects: Vec<E164>,
    /// How many are beyond doubt.
    pub sound: u64,
    /// How many documents are no copies of numbers, though their ids begin like theirs.
    pub strange: u64,
    /// Those of which nothing is known, and why.
    pub failed: Vec<(String, RepositoryError)>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl NumberRepository {
    /// A page of an account's copies; those are suspect that do not name the account as their owner.
    /// None when the account has no database.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn wrongly_assigned(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Suspects>, RepositoryError> {
        let Some((mut page, copies)) = self.sorted_copies(account, after, limit).await? else {
            return Ok(None);
        };
        for (id, copy) in copies {
            if codec::owner(&copy.body).as_ref() == Some(account) {
                page.sound += 1;
            } else {
                page.suspects.push(id);
            }
        }
        Ok(Some(page))
    }

    /// A page of an account's copies; those are suspect whose numbers a look-up does not find. None
    /// when the account has no database.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`]. What goes wrong with one database of numbers is said of its
    /// numbers.
    pub async fn without_numbers(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Suspects>, RepositoryError> {
        let Some((mut page, copies)) = self.sorted_copies(account, after, limit).await? else {
            return Ok(None);
        };
        let ids: Vec<E164> = copies.into_keys().collect();
        let lookups = stream::iter(by_database(&ids)).map(|(db, ids)| async move {
            let revisions = self.store.revisions(&db, &ids).await;
            (ids, revisions)
        });
        let mut lookups = lookups.buffered(PARALLEL_LOOKUPS);
        let mut absent = BTreeSet::new();
        while let Some((ids, revisions)) = lookups.next().await {
            match revisions {
                Err(err) => {
                    page.failed.extend(ids.into_iter().map(|id| (id, err.again().into())));
                }
                Ok(revisions) => {
                    for (id, revision) in ids.into_iter().zip(revisions) {
                        match revision {
                            Some(_) => page.sound += 1,
                            None => drop(absent.insert(id)),
                        }
                    }
                }
            }
        }
        page.suspects = ids.into_iter().filter(|id| absent.contains(id.as_str())).collect();
        Ok(Some(page))
    }

    /// Reads a copy by itself, and its number after it, and removes the copy if there are grounds. If
    /// the account owns the number, the copy is made equal to it. `databases`: those of numbers that
    /// there are.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`], also when the number's database is not there, and
    /// [`RepositoryError::Undecodable`]: of a number that cannot be read nobody knows whose it is, so
    /// its copy stays.
    pub async fn clear_copy(
        &self,
        account: &AccountId,
        id: &E164,
        grounds: Grounds,
        databases: &BTreeSet<NumberDatabase>,
    ) -> Result<Cleared, RepositoryError> {
        let db = database(id);
        if !databases.contains(&NumberDatabase::from(id)) {
            return Err(StoreError::new(Kind::NoDatabase, "get", &db, id.as_str()).into());
        }
        let copy = Mirror::new(self.store.get(&mirror::database(account), id.as_str()).await?);
        if !copy.exists() {
            return Ok(Cleared::Kept);
        }
        let delete = || copy.delete(account, id, &write_id());
        let (write, cleared) = match self.store.get(&db, id.as_str()).await? {
            Lookup::Live(number) if !number.conflicts.is_empty() => return Ok(Cleared::Contested),
            Lookup::Live(number) => {
                let owner = self.decode(id, &number.body)?.owner;
                if owner.as_ref() == Some(account) {
                    (copy.put(account, id, &number.body), Cleared::PutRight)
                } else if grounds == Grounds::NotOwned {
                    (delete(), Cleared::Removed)
                } else {
                    (None, Cleared::Kept)
                }
            }
            Lookup::Deleted(_) | Lookup::Missing => (delete(), Cleared::Removed),
        };
        match write {
            None => Ok(Cleared::Kept),
            Some(write) => self.clear(write).await.map(|()| cleared),
        }
    }

    async fn clear(&self, write: Write) -> Result<(), RepositoryError> {
        match self.store.commit(vec![write]).await {
            Ok(_) => Ok(()),
            Err(err) => Err(err.error.into()),
        }
    }

    /// A page of an account's copies, without what is none.
    async fn sorted_copies(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<(Suspects, BTreeMap<E164, Document>)>, RepositoryError> {
        let Some(page) = self.copies(account, after, limit).await? else {
            return Ok(None);
        };
        let mut suspects = Suspects { next: page.next, ..Suspects::default() };
        let mut copies = BTreeMap::new();
        for document in page.documents {
            match E164::parse(&document.id) {
                Ok(id) if is_of_number(&document) => drop(copies.insert(id, document)),
                _ => suspects.strange += 1,
            }
        }
        Ok(Some((suspects, copies)))
    }
}

/// Whether a document does not say that it is something else than a number's.
pub(super) fn is_of_number(document: &Document) -> bool {
    document.body.get("pvt_type").and_then(Value::as_str).is_none_or(|kind| kind == "number")
}
