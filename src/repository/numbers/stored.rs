//! Numbers as they were read, with everything that saving them needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Saved;
use crate::{
    domain::{AccountId, Charge, Number},
    repository::{
        charges::ChargeCopy,
        codec::{self, Owners},
        mirror::{Mirror, MirrorStatus},
        trail::Ground,
    },
    store::{Body, Change, Document, Expect, Rev, WRITE_ID, Write, WriteSet},
};

/// A number as it was read, with everything that saving it needs.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The number; change it and save.
    pub number: Number,
    pub(super) before: Option<Number>,
    pub(super) must_be_written: bool,
    pub(super) expect: Expect,
    pub(super) base: Body,
    /// What was read, as it is noted.
    pub(super) ground: Ground,
    pub(super) mirrors: BTreeMap<AccountId, Mirror>,
    /// Who owned it by the document or the tombstone that was read.
    pub(super) owners: Owners,
    pub(super) conflicts: usize,
    /// Whether the charge that the document holds is known to have its copy.
    pub(super) is_settled: bool,
    pub(super) charge: Option<Charge>,
}

/// The place of a number that is not stored.
#[derive(Clone, Debug)]
pub struct Vacancy {
    pub(super) owners: Owners,
    pub(super) mirrors: BTreeMap<AccountId, Mirror>,
    pub(super) ground: Ground,
}

/// Accounts whose copies were not read yet.
pub(super) struct Unread<'a> {
    /// The owner that it has and the one that it is to have.
    pub(super) owners: BTreeSet<&'a AccountId>,
    /// The last owner, where an interrupted write may have left a copy.
    pub(super) last: Option<&'a AccountId>,
}

impl Stored {
    pub(super) fn read(
        number: Number,
        document: Document,
        mirrors: BTreeMap<AccountId, Mirror>,
    ) -> Self {
        let (owner, previous_owner) = (number.owner.clone(), number.previous_owner.clone());
        Self {
            before: Some(number.clone()),
            must_be_written: false,
            ground: Ground::live(&document.body, Some(&document.rev)),
            number,
            owners: Owners { owner, previous_owner },
            expect: Expect::At(document.rev),
            base: document.body,
            mirrors,
            conflicts: document.conflicts.len(),
            is_settled: false,
            charge: None,
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
        self.must_be_written = true;
    }

    /// Stores this charge together with the number.
    pub fn set_charge(&mut self, charge: Option<Charge>) {
        self.charge = charge;
    }

    /// The carrier's name as the document spells it.
    #[must_use]
    pub fn stored_carrier(&self) -> Option<&str> {
        codec::stored_carrier(&self.base)
    }

    /// What saving it says when nothing of it has to be written.
    pub(super) fn unwritten(self, mirror: MirrorStatus) -> Saved {
        let rev = self.rev().cloned();
        Saved { number: self.number, rev, mirror, written: false }
    }

    /// What saving it says once it is written.
    pub(super) fn saved(self, rev: Option<Rev>, mirror: MirrorStatus) -> Saved {
        Saved { number: self.number, rev, mirror, written: true }
    }

    /// Whether nothing has to be written.
    pub(super) fn is_unchanged(&self) -> bool {
        !self.must_be_written && self.before.as_ref() == Some(&self.number)
    }

    /// The accounts whose copies matter to a write and were not read yet.
    pub(super) fn unread(&self) -> Unread<'_> {
        let is_wanted = |account: &&AccountId| !self.mirrors.contains_key(*account);
        let owners: BTreeSet<&AccountId> =
            self.number.owner.iter().chain(&self.owners.owner).filter(is_wanted).collect();
        let last = self.owners.previous_owner.as_ref().filter(is_wanted);
        Unread { last: last.filter(|last| !owners.contains(last)), owners }
    }

    /// The accounts whose copies this number is about.
    pub(super) fn accounts(&self) -> BTreeSet<AccountId> {
        let owner = self.number.owner.iter();
        self.mirrors.keys().chain(owner).chain(&self.number.previous_owner).cloned().collect()
    }

    /// The number's write, what it costs, the owner's copy, and the removal of every other copy that was seen.
    pub(super) fn write_set(&self, number: Write) -> WriteSet {
        let id = &self.number.id;
        let (stamped, owner) = match &number.change {
            Change::Put(body) => (body.clone(), self.number.owner.as_ref()),
            Change::Delete(tombstone) => (tombstone.clone(), None),
        };
        let stamp = stamped.get(WRITE_ID).and_then(Value::as_str).unwrap_or_default();
        let mut set = vec![number];
        if self.charge.is_some() {
            // Behind the number: what is not stored costs nothing.
            set.extend(ChargeCopy::of(&stamped).map(ChargeCopy::write));
        }
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
            must_be_written: true,
            expect: Expect::Absent,
            base: Body::new(),
            ground: self.ground,
            mirrors: self.mirrors,
            owners: self.owners,
            conflicts: 0,
            is_settled: true,
            charge: None,
        }
    }
}
