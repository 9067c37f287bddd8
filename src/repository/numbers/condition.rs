//! How a number stands, for those who are told of it: taken from its document as it is, so that
//! numbers are told of which nobody can read any more, too.

use super::codec::{self, Owners};
use crate::{
    domain::{AccountId, E164},
    repository::digest,
    store::Lookup,
};

/// What became of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It is new: nothing was changed since it was made, as far as its times say.
    Created,
    /// It was changed.
    Updated,
    /// It is gone.
    Deleted,
}

/// How a number stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    /// What became of it.
    pub happening: Happening,
    /// Its state as it is stored; none when it is gone.
    pub state: Option<String>,
    /// Its owner.
    pub owner: Option<AccountId>,
    /// The last different owner; the last one of a number that is gone.
    pub previous_owner: Option<AccountId>,
    /// Its revision.
    pub revision: String,
    /// What its document comes to; none when it is gone.
    pub digest: Option<String>,
    /// When it was changed, in Gregorian seconds, as far as it says so.
    pub changed: Option<i64>,
}

impl Condition {
    /// What was found of a number; none when there never was one.
    pub(super) fn of(id: &E164, found: &Lookup) -> Option<Self> {
        match found {
            Lookup::Live(document) => {
                let body = &document.body;
                let (created, changed) = (codec::created(body), codec::modified(body));
                let is_new = created.is_some() && created == changed;
                let Owners { owner, previous_owner } = codec::tombstone_owners(body);
                Some(Self {
                    happening: if is_new { Happening::Created } else { Happening::Updated },
                    state: codec::stored_state(body).map(str::to_owned),
                    owner,
                    previous_owner,
                    revision: document.rev.as_str().to_owned(),
                    digest: Some(digest::shown(digest::fingerprint(id.as_str(), body))),
                    changed,
                })
            }
            Lookup::Deleted(tombstone) => Some(Self {
                happening: Happening::Deleted,
                state: None,
                owner: None,
                previous_owner: None,
                revision: tombstone.rev.as_str().to_owned(),
                digest: None,
                changed: codec::modified(&tombstone.body),
            }),
            Lookup::Missing => None,
        }
    }

    /// Notes who owned a number that is gone.
    pub(super) fn owned(&mut self, owners: &Owners) {
        self.previous_owner = owners.owner.as_ref().or(owners.previous_owner.as_ref()).cloned();
    }

    /// Whether the account owns it, or did last.
    #[must_use]
    pub fn names(&self, account: &AccountId) -> bool {
        [&self.owner, &self.previous_owner].into_iter().flatten().any(|it| it == account)
    }
}
