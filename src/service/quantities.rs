//! How many numbers, by class, carrier and feature, an account and those below it are billed for.

use futures::{StreamExt, TryStreamExt, stream};

use super::{Error, NumberService};
use crate::{
    domain::{AccountId, Category, Quantities},
    repository::Settings,
};

/// How many accounts are counted at once.
const PARALLEL_ACCOUNTS: usize = 8;

/// How many accounts are read at once.
const ACCOUNTS_AT_ONCE: usize = 500;

/// What an account and its descendants have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountQuantities {
    /// The account itself.
    pub own: Quantities,
    /// All accounts below it.
    pub descendants: Quantities,
}

impl NumberService {
    /// Counts what an account and its descendants have, from the copies in their databases. What is
    /// counted may change meanwhile; memory does not grow with how much there is.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn quantities(&self, account: &AccountId) -> Result<AccountQuantities, Error> {
        let settings = self.settings.get().await?;
        let own = self.numbers.count_held(account, &settings.numbering).await?;
        Ok(AccountQuantities { own, descendants: self.below(account, &settings).await? })
    }

    /// How many numbers the descendants of an account are billed for. Remembered for a while, since
    /// every page of a listing says it.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn cascade_quantity(&self, account: &AccountId) -> Result<u64, Error> {
        if !self.accounts.is_parent(account).await? {
            return Ok(0);
        }
        let counted = self.cascades.try_get_with_by_ref(account, async {
            let settings = self.settings.get().await?;
            let below = self.below(account, &settings).await?;
            Ok(below.within(Category::PhoneNumbers).map(|(_, count)| count).sum())
        });
        counted.await.map_err(|err: std::sync::Arc<Error>| Error::clone(&err))
    }

    async fn below(&self, account: &AccountId, settings: &Settings) -> Result<Quantities, Error> {
        let mut all = Quantities::default();
        let mut after = None;
        loop {
            let page = self.accounts.below(account, after, ACCOUNTS_AT_ONCE).await?;
            let counts =
                stream::iter(page.accounts)
                    .map(|below| async move {
                        self.numbers.count_held(&below, &settings.numbering).await
                    })
                    .buffer_unordered(PARALLEL_ACCOUNTS);
            let mut counts = std::pin::pin!(counts);
            while let Some(counted) = counts.try_next().await? {
                all.extend(counted);
            }
            after = page.next;
            if after.is_none() {
                return Ok(all);
            }
        }
    }
}
