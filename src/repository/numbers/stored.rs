//! Numbers as they were read, with everything that saving them needs.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::{
    domain::{AccountId, Number},
    repository::{
        codec::{self, Owners},
        mirror::Mirror,
    },
    store::{Body, Change, Document, Expect, Rev, WRITE_ID, Write, WriteSet},
};

/// A number as it was read, with everything that saving it needs.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The number; change it and save.
    pub number: Number,
    pub(super) before: Option<Number>,
    pub(super) expect: Expect,
    pub(super) base: Body,
    pub(super) mirrors: BTreeMap<AccountId, Mirror>,
    /// Who owned it by the document or the tombstone that was read.
    pub(super) owners: Owners,
    pub(super) conflicts: usize,
}

/// The place of a number that is not stored.
#[derive(Clone, Debug)]
pub struct Vacancy {
    pub(super) owners: Owners,
    pub(super) mirrors: BTreeMap<AccountId, Mirror>,
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
            number,
            owners: Owners { owner, previous_owner },
            expect: Expect::At(document.rev),
            base: document.body,
            mirrors,
            conflicts: document.conflicts.len(),
        }
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
    pub(super) fn accounts(&self) -> BTreeSet<AccountId> {
        let owner = self.number.owner.iter();
        self.mirrors.keys().chain(owner).chain(&self.number.previous_owner).cloned().collect()
    }

    /// The number's write, the owner's copy, and the removal of every other copy that was seen.
    pub(super) fn write_set(&self, number: Write) -> WriteSet {
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
