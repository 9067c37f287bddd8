//! Walking over numbers in the order of a listing, a page of documents at a time: whatever is kept
//! of them, no more than that page is in memory.

use std::{collections::VecDeque, sync::Arc};

use serde_json::{Map, Value};

use super::{Error, Filter, NumberService, NumberView};
use crate::{
    domain::{AccountId, CarrierName, Number, NumberDatabase},
    repository::{HeldPage, MirrorStatus, RepositoryError, Saved, Settings, Span},
};

/// How many documents are read at once.
const READ_AT_ONCE: usize = 500;
/// Of how many owners the index is asked; for more of them all documents are read.
const OWNERS_BY_INDEX: usize = 16;

/// Numbers in the order of a listing.
#[derive(Debug)]
pub struct Walk {
    service: NumberService,
    settings: Arc<Settings>,
    is_admin: bool,
    span: Span,
    keep: Keep,
    /// The databases that are still to be read, the first one under way.
    places: VecDeque<Place>,
    after: Option<String>,
    at_once: usize,
}

/// A database to walk over.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// The copies of an account's numbers.
    Account(AccountId),
    /// Number documents.
    Numbers(NumberDatabase),
}

/// What a number must satisfy to be listed.
#[derive(Clone, Debug, Default)]
pub(super) struct Keep {
    /// Its document.
    pub(super) filters: Vec<Filter>,
    /// Its carrier: one of these; any when none is named.
    pub(super) carriers: Vec<CarrierName>,
    /// Its owner, or that it has none: one of these; any when none is named.
    pub(super) owners: Vec<Option<AccountId>>,
}

impl Walk {
    /// A walk over these databases.
    pub(super) fn over(
        service: &NumberService,
        settings: &Arc<Settings>,
        is_admin: bool,
        span: Span,
        places: VecDeque<Place>,
        keep: Keep,
    ) -> Self {
        Self {
            service: service.clone(),
            settings: settings.clone(),
            is_admin,
            span,
            keep,
            places,
            after: None,
            at_once: READ_AT_ONCE,
        }
    }

    /// The numbers that are kept of the next page of documents, which may be none; `None` at the
    /// end.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn next(&mut self) -> Result<Option<Vec<NumberView>>, Error> {
        let Some(place) = self.places.front() else {
            return Ok(None);
        };
        let page = self.read(place).await?;
        self.after = page.next;
        if self.after.is_none() {
            self.places.pop_front();
        }
        let mut views = Vec::with_capacity(page.numbers.len());
        for (number, document) in page.numbers {
            if self.keep.keeps(&number, &document) {
                let mirror = MirrorStatus::Synced;
                let read = Saved { number, rev: None, mirror, written: false };
                views.push(self.service.view_for(read, &self.settings, self.is_admin).await?);
            }
        }
        Ok(Some(views))
    }

    async fn read(&self, place: &Place) -> Result<HeldPage, RepositoryError> {
        let after = self.after.clone();
        match place {
            Place::Account(account) => {
                self.service.numbers.held_by(account, &self.span, after, self.at_once).await
            }
            Place::Numbers(database) => {
                let (owners, numbers) = (self.keep.indexed_owners(), &self.service.numbers);
                numbers.stored_in(database, owners, &self.span, after, self.at_once).await
            }
        }
    }

    /// The numbers from here on until `size` are kept or the list ends, and the first one behind
    /// them.
    pub(super) async fn fill(
        &mut self,
        size: usize,
    ) -> Result<(Vec<NumberView>, Option<NumberView>), Error> {
        // One more than the page, to know where the next one begins.
        let wanted = size.saturating_add(1);
        self.at_once =
            if self.keep.is_all_that_is_read() { wanted.min(READ_AT_ONCE) } else { READ_AT_ONCE };
        let mut numbers = Vec::new();
        while numbers.len() < wanted {
            match self.next().await? {
                Some(more) => numbers.extend(more),
                None => break,
            }
        }
        numbers.truncate(wanted);
        let next = if numbers.len() > size { numbers.pop() } else { None };
        Ok((numbers, next))
    }
}

impl Keep {
    fn keeps(&self, number: &Number, document: &Map<String, Value>) -> bool {
        self.filters.iter().all(|filter| filter.keeps(document))
            && (self.carriers.is_empty() || self.carriers.contains(&number.carrier))
            && (self.owners.is_empty() || self.owners.contains(&number.owner))
    }

    /// The owners of which the index is asked; none when there are too many of them.
    fn indexed_owners(&self) -> &[Option<AccountId>] {
        if self.owners.len() <= OWNERS_BY_INDEX { &self.owners } else { &[] }
    }

    /// Whether whatever is read is kept, but for an index that is behind.
    fn is_all_that_is_read(&self) -> bool {
        let is_indexed = self.indexed_owners().len() == self.owners.len();
        self.filters.is_empty() && self.carriers.is_empty() && is_indexed
    }
}
