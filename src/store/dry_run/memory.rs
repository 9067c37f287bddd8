//! What was read through a rehearsal that is to be carried out afterwards.

use std::collections::HashMap;

use super::{Before, DbName, Document, Lookup, Rev};

/// What is known of a document of the store below.
#[derive(Clone, Debug)]
pub(super) enum Known {
    /// It was read.
    Read(Lookup),
    /// Only its revision was looked up; `None` when there was none.
    Revision(Option<Rev>),
}

/// What was read, document by document.
#[derive(Debug, Default)]
pub(super) struct Memory(HashMap<DbName, HashMap<String, Known>>);

impl Known {
    /// Whether it proves that its database exists.
    pub(super) fn exists(&self) -> bool {
        !matches!(self, Self::Read(Lookup::Missing) | Self::Revision(None))
    }

    /// The revision of the live document.
    pub(super) fn rev(&self) -> Option<&Rev> {
        match self {
            Self::Read(Lookup::Live(document)) => Some(&document.rev),
            Self::Read(Lookup::Deleted(_) | Lookup::Missing) => None,
            Self::Revision(rev) => rev.as_ref(),
        }
    }

    /// What a write that replaces it says of it.
    pub(super) fn before(&self) -> Before {
        match self {
            Self::Read(Lookup::Live(document)) => Before::Members(document.body.clone()),
            Self::Revision(Some(_)) => Before::Unread,
            Self::Read(Lookup::Deleted(left)) => Before::Tombstone(left.body.clone()),
            Self::Read(Lookup::Missing) | Self::Revision(None) => Before::Nothing,
        }
    }
}

impl Memory {
    pub(super) fn get(&self, db: &DbName, id: &str) -> Option<&Known> {
        self.0.get(db)?.get(id)
    }

    pub(super) fn read(&mut self, db: &DbName, id: &str, found: &Lookup) {
        self.keep(db, id, Known::Read(found.clone()));
    }

    pub(super) fn document(&mut self, db: &DbName, document: &Document) {
        self.keep(db, &document.id, Known::Read(Lookup::Live(document.clone())));
    }

    /// A revision replaces only what is older than itself: members that were read stay known.
    pub(super) fn revision(&mut self, db: &DbName, id: &str, rev: Option<&Rev>) {
        if self.get(db, id).is_none_or(|known| known.rev() != rev) {
            self.keep(db, id, Known::Revision(rev.cloned()));
        }
    }

    fn keep(&mut self, db: &DbName, id: &str, known: Known) {
        match self.0.get_mut(db) {
            Some(documents) => documents.insert(id.to_owned(), known),
            None => self.0.entry(db.clone()).or_default().insert(id.to_owned(), known),
        };
    }
}
