//! Listing the numbers that an account holds, from the copies in its own database.

use super::{Error, Filter, NumberService, NumberView};
use crate::{
    domain::{AccountId, Actor, E164},
    repository::{MirrorStatus, Saved, Span},
};

/// How many documents are read at once.
const READ_AT_ONCE: usize = 500;

/// Which of an account's numbers are listed.
#[derive(Clone, Debug, Default)]
pub struct ListQuery {
    /// The first number of the page.
    pub start: Option<String>,
    /// The last number of the list.
    pub end: Option<String>,
    /// Whether the list begins with the highest number.
    pub descending: bool,
    /// The most numbers in the page; `None` for all.
    pub page_size: Option<usize>,
    /// What the stored document must satisfy.
    pub filters: Vec<Filter>,
}

/// A page of an account's numbers.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The numbers, in the order of the page.
    pub numbers: Vec<NumberView>,
    /// The first number of the page.
    pub start: Option<E164>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<E164>,
}

impl NumberService {
    /// Lists the numbers that an account holds, one page of them. A page is full unless the list
    /// ends in it.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`], [`Error::Forbidden`], and those of every read.
    pub async fn list(
        &self,
        actor: &Actor,
        account: &AccountId,
        query: ListQuery,
    ) -> Result<Listing, Error> {
        if !actor.rules(&self.lineage(account).await?) {
            return Err(Error::forbidden());
        }
        let settings = self.settings.get().await?;
        let span = Span { from: query.start, to: query.end, descending: query.descending };
        // One more than the page, to know where the next one begins.
        let wanted = query.page_size.map(|size| size.saturating_add(1));
        let at_once = wanted.map_or(READ_AT_ONCE, |wanted| wanted.min(READ_AT_ONCE));
        let mut numbers = Vec::new();
        let mut after = None;
        loop {
            let page = self.numbers.held_by(account, &span, after, at_once).await?;
            for (number, document) in page.numbers {
                if query.filters.iter().all(|filter| filter.keeps(&document)) {
                    let mirror = MirrorStatus::Synced;
                    let read = Saved { number, rev: None, mirror, written: false };
                    numbers.push(self.view(read, &settings, actor).await?);
                }
            }
            after = page.next;
            if after.is_none() || wanted.is_some_and(|wanted| numbers.len() >= wanted) {
                break;
            }
        }
        let next = query.page_size.filter(|size| numbers.len() > *size).map(|size| {
            let next = numbers[size].number.id.clone();
            numbers.truncate(size);
            next
        });
        let start = numbers.first().map(|first| first.number.id.clone());
        Ok(Listing { numbers, start, next })
    }
}
