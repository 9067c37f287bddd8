//! What a number's document says, and what follows for the copies that were found.

use std::collections::BTreeSet;

use super::{
    Look, RepositoryError,
    bulk::Found,
    codec::Owners,
    mirror::{self, Mirror},
};
use crate::{
    domain::{AccountId, E164},
    repository::{charges::ChargeCopy, stock::Tenure, write_id},
    store::{Body, Write, WriteSet},
};

/// What a number's document says.
pub(super) enum Said {
    /// The number, its owner and the last one, and who has it from which carrier.
    Number(Body, Owners, Tenure),
    /// The same, in several versions.
    Several(Owners),
    /// It was deleted; these owned it.
    Deleted(Owners),
    /// There never was one.
    Nothing,
}

/// What is wrong with a number.
pub(super) enum Wrong {
    /// Its copies.
    Copies,
    /// It has several versions.
    Versions,
}

impl Said {
    pub(super) fn owner(&self) -> Option<&AccountId> {
        match self {
            Self::Number(_, owners, _) | Self::Several(owners) => owners.owner.as_ref(),
            Self::Deleted(_) | Self::Nothing => None,
        }
    }

    /// The accounts that may hold a copy.
    pub(super) fn accounts(&self) -> Vec<AccountId> {
        match self {
            Self::Number(_, owners, _) | Self::Several(owners) | Self::Deleted(owners) => {
                owners.owner.iter().chain(&owners.previous_owner).cloned().collect()
            }
            Self::Nothing => Vec::new(),
        }
    }

    /// What it costs, if anything.
    pub(super) fn charge(&self) -> Option<ChargeCopy> {
        match self {
            Self::Number(body, ..) => ChargeCopy::of(body),
            Self::Several(_) | Self::Deleted(_) | Self::Nothing => None,
        }
    }

    /// Who has it, as far as stock has to say so; none when nobody can tell.
    pub(super) fn tenure(&self) -> Option<Tenure> {
        match self {
            Self::Number(_, _, tenure) => Some(tenure.clone()),
            Self::Several(_) => None,
            Self::Deleted(owners) => Some(Tenure::Free(None, owners.clone())),
            Self::Nothing => Some(Tenure::Unknown),
        }
    }

    /// What is wrong with the copies that were found.
    pub(super) fn wrong(
        &self,
        id: &E164,
        accounts: &BTreeSet<AccountId>,
        found: &Found,
    ) -> Result<Option<Wrong>, RepositoryError> {
        if matches!(self, Self::Several(_)) {
            return Ok(Some(Wrong::Versions));
        }
        let mut wrong = None;
        for account in accounts {
            let copy = copy_in(found, account, id)?;
            let is_right = match self {
                // It may be all that is left of the number.
                Self::Nothing => true,
                Self::Number(number, ..) if self.owner() == Some(account) => {
                    copy.equals(number) && !copy.has_losers()
                }
                _ => !copy.exists(),
            };
            if !is_right {
                wrong = Some(Wrong::Copies);
            }
        }
        Ok(wrong)
    }

    /// The writes that put the copies right, a set for each, and what becomes of the number once they
    /// are made.
    pub(super) fn writes(
        &self,
        id: &E164,
        accounts: &BTreeSet<AccountId>,
        found: &mut Found,
    ) -> (Vec<WriteSet>, Look) {
        let (mut sets, mut outcome) = (Vec::new(), Look::Healed);
        for account in accounts {
            let mirror = match found.remove(&(mirror::database(account), id.to_string())) {
                None => Mirror::default(),
                Some(Ok(copy)) => Mirror::new(copy),
                Some(Err(err)) => {
                    outcome = Look::Failed(err.into());
                    continue;
                }
            };
            let write: Option<Write> = match self {
                Self::Number(number, ..) if self.owner() == Some(account) => {
                    mirror.put(account, id, number)
                }
                Self::Nothing => continue,
                _ => mirror.delete(account, id, &write_id()),
            };
            let mut set = mirror.remove_losers(account, id);
            set.splice(0..0, write);
            if !set.is_empty() {
                sets.push(set);
            }
        }
        if self.owner().is_some_and(|owner| !accounts.contains(owner)) {
            // It was given to somebody else just now.
            outcome = Look::Failed(RepositoryError::Conflict { id: id.to_string() });
        }
        if sets.is_empty() && matches!(outcome, Look::Healed) {
            // Somebody else did it.
            outcome = Look::Right;
        }
        (sets, outcome)
    }
}

fn copy_in(found: &Found, account: &AccountId, id: &E164) -> Result<Mirror, RepositoryError> {
    match found.get(&(mirror::database(account), id.to_string())) {
        None => Ok(Mirror::default()),
        Some(Ok(copy)) => Ok(Mirror::new(copy.clone())),
        Some(Err(err)) => Err(err.again().into()),
    }
}
