//! Walking over numbers in the order of a listing, a page of documents at a time: whatever is kept
//! of them, no more than that page is in memory.

use std::{collections::VecDeque, sync::Arc};

use super::{Error, Filter, Mirror, NumberView};
use crate::{
    domain::{AccountId, CarrierName, NumberDatabase},
    repository::{HeldPage, NumberRepository, RepositoryError, Settings, Span},
};

/// How many documents are read at once.
const READ_AT_ONCE: usize = 500;

/// Numbers in the order of a listing.
#[derive(Debug)]
pub struct Walk {
    numbers: NumberRepository,
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
        numbers: &NumberRepository,
        settings: &Arc<Settings>,
        is_admin: bool,
        span: Span,
        places: VecDeque<Place>,
        keep: Keep,
    ) -> Self {
        Self {
            numbers: numbers.clone(),
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
        let kept = page.numbers.into_iter().filter(|(number, document)| {
            self.keep.filters.iter().all(|filter| filter.keeps(document))
                && (self.keep.carriers.is_empty() || self.keep.carriers.contains(&number.carrier))
                && (self.keep.owners.is_empty() || self.keep.owners.contains(&number.owner))
        });
        let view = |(number, _)| NumberView {
            features_available: self.settings.features.available(&number, self.is_admin),
            number,
            revision: None,
            mirror: Mirror::Synced,
        };
        Ok(Some(kept.map(view).collect()))
    }

    async fn read(&self, place: &Place) -> Result<HeldPage, RepositoryError> {
        let after = self.after.clone();
        match place {
            Place::Account(account) => {
                self.numbers.held_by(account, &self.span, after, self.at_once).await
            }
            Place::Numbers(database) => {
                self.numbers.stored_in(database, &self.span, after, self.at_once).await
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
            if self.keep.is_everything() { wanted.min(READ_AT_ONCE) } else { READ_AT_ONCE };
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
    fn is_everything(&self) -> bool {
        self.filters.is_empty() && self.carriers.is_empty() && self.owners.is_empty()
    }
}
