//! Removing copies that do not belong to the account that holds them. Each is read by itself right
//! before, and its number after it; what could not be read stays.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};

use super::{Error, NumberService, PageOutcome};
use crate::{
    domain::{AccountId, E164},
    repository::{Cleared, Grounds, Suspects},
};

/// What is found of a number whose versions contradict each other.
pub const CONTRADICTING: &str = "conflicting";

/// How many copies are looked at at once.
const PARALLEL_COPIES: usize = 16;

impl NumberService {
    /// Removes those of a page of an account's copies that name another owner or none, unless the
    /// number says that it is the account's: then the copy is put right.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`] when it has no database, and those of every read.
    pub async fn remove_wrong_assignments(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let page = self.numbers.wrongly_assigned(account, after, limit).await?;
        self.remove_suspects(account, page, Grounds::NotOwned).await
    }

    /// Removes those of a page of an account's copies that are copies of nothing.
    ///
    /// # Errors
    ///
    /// As [`NumberService::remove_wrong_assignments`].
    pub async fn remove_orphan_mirrors(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let page = self.numbers.without_numbers(account, after, limit).await?;
        self.remove_suspects(account, page, Grounds::NoNumber).await
    }

    async fn remove_suspects(
        &self,
        account: &AccountId,
        page: Option<Suspects>,
        grounds: Grounds,
    ) -> Result<PageOutcome, Error> {
        let page = page.ok_or_else(|| Error::NoAccount(account.clone()))?;
        let mut outcome = PageOutcome {
            read: page.sound + page.strange + page.failed.len() as u64,
            unchanged: page.sound,
            skipped: page.strange,
            next: page.next,
            ..PageOutcome::default()
        };
        for (id, err) in page.failed {
            outcome.fail(id, &err.into());
        }
        self.clear_copies(account, page.suspects, grounds, &mut outcome).await?;
        Ok(outcome)
    }

    /// Looks at copies one by one and removes those that there are grounds to remove.
    pub(super) async fn clear_copies(
        &self,
        account: &AccountId,
        copies: Vec<E164>,
        grounds: Grounds,
        outcome: &mut PageOutcome,
    ) -> Result<(), Error> {
        if copies.is_empty() {
            return Ok(());
        }
        let databases: BTreeSet<_> = self.numbers.databases(false).await?.into_iter().collect();
        let databases = &databases;
        let cleared = copies.into_iter().map(|id| async move {
            let cleared = self.numbers.clear_copy(account, &id, grounds, databases).await;
            (id, cleared)
        });
        let cleared: Vec<_> = cleared.collect();
        let mut cleared = stream::iter(cleared).buffered(PARALLEL_COPIES);
        while let Some((id, cleared)) = cleared.next().await {
            match cleared {
                // What is written is counted by the job.
                Ok(Cleared::Removed | Cleared::PutRight) => outcome.read += 1,
                Ok(Cleared::Kept) => {
                    outcome.read += 1;
                    outcome.unchanged += 1;
                }
                Ok(Cleared::Contested) => outcome.leave(CONTRADICTING, &id),
                Err(err) => outcome.fail_one(&id, &err.into()),
            }
        }
        Ok(())
    }
}
