//! Making number documents from copies.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::{
    NumberRepository, RepositoryError, Source, Stored, Vacancy, bulk::PARALLEL_LOOKUPS, codec,
    database, mirror::Mirror,
};
use crate::{
    domain::AccountId,
    repository::{charges, codec::Owners, trail::Ground},
    store::{DbName, Lookup},
};

/// The member that holds what a copy cannot carry.
const ATTACHMENTS: &str = "_attachments";

/// A copy, and what is stored as the number.
#[derive(Debug)]
pub struct Counterpart {
    /// The copy.
    pub copy: Source,
    found: Lookup,
}

impl Counterpart {
    /// Whether the number was deleted.
    #[must_use]
    pub fn is_deleted(&self) -> bool {
        matches!(self.found, Lookup::Deleted(_))
    }

    /// Whether there is a number.
    #[must_use]
    pub fn exists(&self) -> bool {
        matches!(self.found, Lookup::Live(_))
    }

    /// Whether the number is what the copy says.
    #[must_use]
    pub fn is_equal(&self) -> bool {
        let copy = Mirror::new(Lookup::Live(self.copy.document.clone()));
        matches!(&self.found, Lookup::Live(number) if copy.equals(&number.body))
    }

    /// Whether the number says that this account is its owner.
    #[must_use]
    pub fn is_owned_by(&self, account: &AccountId) -> bool {
        matches!(&self.found, Lookup::Live(it) if codec::owner(&it.body).as_ref() == Some(account))
    }
}

impl NumberRepository {
    /// Reads the numbers beside copies of them, with one request per database. In order.
    pub async fn counterparts(
        &self,
        copies: Vec<Source>,
    ) -> Vec<(String, Result<Counterpart, RepositoryError>)> {
        let mut wanted = BTreeMap::<DbName, Vec<String>>::new();
        for copy in &copies {
            wanted.entry(database(&copy.number.id)).or_default().push(copy.number.id.to_string());
        }
        let mut found = self.look_up(wanted).await;
        let reads = copies.into_iter().map(|copy| {
            let id = copy.number.id.clone();
            let found = found.remove(&(database(&id), id.to_string()));
            async move {
                let read = match found {
                    Some(read) => read,
                    // Asked for twice.
                    None => self.store.get(&database(&id), id.as_str()).await,
                };
                let read = read.map(|found| Counterpart { copy, found });
                (id.to_string(), read.map_err(RepositoryError::from))
            }
        });
        let reads: Vec<_> = reads.collect();
        stream::iter(reads).buffered(PARALLEL_LOOKUPS).collect().await
    }

    /// The number as it is once it is made from the copy of this account, ready to be saved. The copy
    /// is written with it, so that both are equal.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Undecodable`] for a number that cannot be read.
    pub fn restored(
        &self,
        account: &AccountId,
        counterpart: Counterpart,
    ) -> Result<Stored, RepositoryError> {
        let Counterpart { copy: Source { number, document: copy }, found } = counterpart;
        let mut base = copy.body.clone();
        let mirrors = BTreeMap::from([(account.clone(), Mirror::new(Lookup::Live(copy)))]);
        let ground = Ground::of(&found);
        let owners = match found {
            Lookup::Live(document) => {
                let current = self.decode(&number.id, &document.body)?;
                // What only the number document has stays with it.
                for member in [ATTACHMENTS, charges::MEMBER] {
                    base.shift_remove(member);
                    if let Some(value) = document.body.get(member) {
                        base.insert(member.to_owned(), value.clone());
                    }
                }
                let mut stored = Stored::read(current, document, mirrors);
                stored.number = number;
                stored.base = base;
                stored.rewrite();
                return Ok(stored);
            }
            Lookup::Deleted(tombstone) => codec::tombstone_owners(&tombstone.body),
            Lookup::Missing => Owners::default(),
        };
        let mut stored = Vacancy { owners, mirrors, ground }.fill(number);
        stored.base = base;
        // What the copy says of a charge may never have been noted.
        stored.is_settled = false;
        Ok(stored)
    }
}
