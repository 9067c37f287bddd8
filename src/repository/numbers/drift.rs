//! Where copies and numbers differ: found by what they add up to, believed when both were read.

use super::{
    CopyWrite, NumberRepository, RepositoryError, Source, Span, database,
    mirror::{self, Mirror},
    strays::is_of_number,
};
use crate::{
    domain::{AccountId, E164},
    repository::{Inspection, digest::fingerprint, write_id},
    store::{Lookup, Order, Query, Question},
};

/// How a copy differs from what it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Drift {
    /// The owner holds none.
    Missing,
    /// The owner's is not equal to the number.
    Stale,
    /// There is one though nobody owns the number, or there is no number.
    Extra,
    /// There is one in the database of another account than the owner.
    WrongOwner,
}

/// What the versions of a number that contradict each other say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// All of them name the same owner.
    SameOwner,
    /// They name different ones, or cannot be read.
    OtherOwners,
}

/// A page of an account's copies.
#[derive(Clone, Debug)]
pub struct FingerprintPage {
    /// The id of each, and what its members come to.
    pub copies: Vec<(String, u64)>,
    /// Those that have versions which lost.
    pub conflicting: Vec<E164>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl Source {
    /// What the members come to, whatever their order: the same for a copy that is equal.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        fingerprint(&self.document.id, &self.document.body)
    }
}

impl NumberRepository {
    /// A page of what an account's copies come to.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn fingerprints(
        &self,
        account: &AccountId,
        after: Option<String>,
        limit: usize,
    ) -> Result<FingerprintPage, RepositoryError> {
        let (question, order) = (Question::All, Order::Ascending);
        let query = Query { question, range: Span::default().ids(), order, after, limit };
        let page = self.documents_of(&mirror::database(account), &query).await?;
        let conflicting = page.documents.iter().filter(|it| !it.conflicts.is_empty());
        let conflicting = conflicting.filter_map(|it| E164::parse(&it.id).ok()).collect();
        let copies = page.documents.into_iter().map(|it| {
            let sum = fingerprint(&it.id, &it.body);
            (it.id, sum)
        });
        Ok(FingerprintPage { copies: copies.collect(), conflicting, next: page.next })
    }

    /// Reads the copy of a number in an account by itself, and the number after it; says how it
    /// differs, and what would put it right. A number that cannot be read says nothing of its copies.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn drift_of(
        &self,
        id: &E164,
        account: &AccountId,
    ) -> Result<Option<(Drift, CopyWrite)>, RepositoryError> {
        let copy = self.store.get(&mirror::database(account), id.as_str()).await?;
        // What is stored under the id of a number and is none is somebody else's.
        if matches!(&copy, Lookup::Live(document) if !is_of_number(document)) {
            return Ok(None);
        }
        let copy = Mirror::new(copy);
        let number = self.store.get(&database(id), id.as_str()).await?.live();
        let owner = match &number {
            None => None,
            Some(number) => match self.decode(id, &number.body) {
                Ok(number) => number.owner,
                Err(_) => return Ok(None),
            },
        };
        let rev = number.as_ref().map(|number| number.rev.as_str().to_owned());
        let (drift, write) = match (&number, &owner) {
            (Some(number), Some(owner)) if owner == account => {
                let drift = if copy.exists() { Drift::Stale } else { Drift::Missing };
                (drift, copy.put(account, id, &number.body))
            }
            (_, Some(_)) => (Drift::WrongOwner, copy.delete(account, id, &write_id())),
            (_, None) => (Drift::Extra, copy.delete(account, id, &write_id())),
        };
        let (number, account) = (id.clone(), account.clone());
        Ok(write.map(|write| (drift, CopyWrite { number, account, rev, write })))
    }

    /// What the live versions of a number say; `None` when there are not several.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn contradiction(&self, id: &E164) -> Result<Option<Contradiction>, RepositoryError> {
        Ok(contradiction_of(&self.inspect_document(id).await?))
    }

    /// Removes the versions of a number that lost, when all of them name the same owner: they stay
    /// readable in what they leave behind. Returns whether it did.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when a version was changed meanwhile, [`RepositoryError::Store`].
    pub async fn remove_losers(&self, id: &E164) -> Result<bool, RepositoryError> {
        let seen = self.inspect_document(id).await?;
        let (Some(Contradiction::SameOwner), Some(winner)) =
            (contradiction_of(&seen), seen.versions.first())
        else {
            return Ok(false);
        };
        self.remove_versions(id, &seen, &winner.rev, None).await?;
        Ok(true)
    }
}

fn contradiction_of(seen: &Inspection) -> Option<Contradiction> {
    let (first, others) = seen.versions.split_first()?;
    if others.is_empty() {
        return None;
    }
    let agrees = first.number.as_ref().is_ok_and(|first| {
        others.iter().all(|it| it.number.as_ref().is_ok_and(|it| it.owner == first.owner))
    });
    Some(if agrees { Contradiction::SameOwner } else { Contradiction::OtherOwners })
}
