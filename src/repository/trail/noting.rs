//! Noting writes of numbers before they are made.

use super::{Entry, Noted};
use crate::{
    repository::{NumberRepository, numbers::Stored},
    store::{StoreError, Write},
};

impl NumberRepository {
    /// The entry of a write of a number that was read.
    pub(in crate::repository) fn entry(&self, stored: &Stored, write: &Write) -> Option<Entry> {
        self.trail.as_ref()?;
        Entry::of(stored.base(), write, self.now())
    }

    /// Stores the entries of writes that are about to be made; nothing where there is none, or where
    /// nobody keeps them. One result per write, in order: what could not be noted must not be written.
    pub(in crate::repository) async fn note_many(
        &self,
        entries: Vec<Option<Entry>>,
    ) -> Vec<Result<Option<Noted>, StoreError>> {
        let mut results: Vec<Result<Option<Noted>, StoreError>> =
            entries.iter().map(|_| Ok(None)).collect();
        let Some(trail) = &self.trail else { return results };
        let (mut places, mut noting) = (Vec::new(), Vec::new());
        for (place, entry) in entries.into_iter().enumerate() {
            if let Some(entry) = entry {
                places.push(place);
                noting.push(entry);
            }
        }
        for (place, noted) in places.into_iter().zip(trail.note_many(&noting).await) {
            results[place] = noted.map(Some);
        }
        results
    }

    /// The same of one write.
    pub(in crate::repository) async fn note(
        &self,
        entry: Option<Entry>,
    ) -> Result<Option<Noted>, StoreError> {
        self.note_many(vec![entry]).await.pop().unwrap_or(Ok(None))
    }

    /// Strikes out what certainly was not written. If that fails the entry stays, and reading tells.
    pub(in crate::repository) async fn strike(&self, noted: Vec<Noted>) {
        if let Some(trail) = self.trail.as_ref().filter(|_| !noted.is_empty()) {
            trail.strike(noted).await;
        }
    }
}
