//! Where the following of a database begins, and what is looked at then although no change shows it.

use std::{collections::BTreeSet, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    place::{Place, Start},
    term::Term,
};
use crate::{
    domain::{AccountId, NumberDatabase},
    repository::{Feed, RepositoryError},
};

impl Term<'_> {
    /// Finds out whether a database whose state seems to be older than what was read of it is another
    /// one, or whether one of its copies was behind.
    pub(super) async fn doubt(
        &self,
        feed: &Feed,
        place: &mut Place,
    ) -> Result<(), RepositoryError> {
        let feeds = &self.contender.feeds;
        if feeds.checkpoint(feed).await? != place.saved {
            place.lose(false);
            return Ok(());
        }
        if let Some(Some(state)) = feeds.states(BTreeSet::from([feed.clone()])).await?.remove(feed)
        {
            place.notice(state);
        }
        let patience = Duration::from_millis(self.contender.limits.deadline_ms);
        if place.doubted_since.is_some_and(|since| since.elapsed() >= patience) {
            place.lose(true);
        }
        Ok(())
    }

    /// Finds out where to begin. The feed of an account's database that is new, or was put back, does
    /// not show which copies it lacks; that of numbers that were put back does not show who else holds
    /// copies of them.
    pub(super) async fn begin(
        &self,
        feed: &Feed,
        place: &mut Place,
    ) -> Result<(), RepositoryError> {
        let saved = self.contender.feeds.checkpoint(feed).await?;
        let start = place.begin(saved, self.noted.get(feed));
        if start == Start::Reset {
            tracing::warn!(database = feed.name(), "made anew or put back: all of it is looked at");
        }
        match feed {
            Feed::Copies(account)
                if start == Start::Reset || (start == Start::New && !place.is_first) =>
            {
                self.look_at_account(account, place).await?;
            }
            Feed::Numbers(database) if start == Start::Reset => {
                self.look_for_copies(database, place).await?;
            }
            // All of a stock is read then, and a number shows what is in stock under it.
            Feed::Copies(_) | Feed::Numbers(_) | Feed::Stock(_) => {}
        }
        place.is_reset = false;
        place.begun = true;
        Ok(())
    }

    /// All numbers that an account holds copies of, or owns.
    async fn look_at_account(
        &self,
        account: &AccountId,
        place: &mut Place,
    ) -> Result<(), RepositoryError> {
        let (mut after, size) = (None::<String>, self.contender.limits.page_size);
        while let Some(page) = self.numbers.seen_of_account(account, after.as_deref(), size).await?
        {
            place.add_copies(account, page.numbers.into_iter().map(|(id, _)| id).collect());
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// The copies of a database's numbers that are not what the numbers say, whoever holds them. Those
    /// of which the database knows nothing may be all that is left of numbers: they stay.
    async fn look_for_copies(
        &self,
        database: &NumberDatabase,
        place: &mut Place,
    ) -> Result<(), RepositoryError> {
        let accounts = self.numbers.account_databases().await?;
        let found = stream::iter(accounts).map(|account| async move {
            let displaced = self.numbers.displaced_copies(&account, database).await?;
            Ok::<_, RepositoryError>((account, displaced))
        });
        let mut found = found.buffer_unordered(self.contender.limits.parallel);
        let mut unknown = 0;
        while let Some((account, displaced)) = found.try_next().await? {
            unknown += displaced.unknown;
            if !displaced.numbers.is_empty() {
                place.add_copies(&account, displaced.numbers);
            }
        }
        if unknown > 0 {
            let database = database.as_str();
            tracing::warn!(database, copies = unknown, "copies of unknown numbers: see the audit");
        }
        Ok(())
    }
}
