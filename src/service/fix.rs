//! Bringing an account's copies in line with the numbers. Nothing is changed but copies.

use std::collections::BTreeSet;

use futures::{StreamExt, future::ready, stream};

use super::{Error, Mirror, NumberService};
use crate::{
    domain::{AccountId, Actor, E164, NumberDatabase},
    repository::MirrorStatus,
};

/// How many databases of numbers are asked at once.
const DATABASES_AT_ONCE: usize = 16;
/// How many numbers are put right at once.
const NUMBERS_AT_ONCE: usize = 16;

impl NumberService {
    /// Brings the account's copies in line with the numbers: those that it holds, and those that it
    /// should. These every database of numbers is asked for by its index of owners, which may be
    /// behind: so a copy is compared with its number itself before anything is done to it.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`], [`Error::Forbidden`], and those of every read. Copies that were put
    /// right by then stay so.
    pub async fn fix(&self, actor: &Actor, account: &AccountId) -> Result<Mirror, Error> {
        if !actor.rules(&self.lineage(account).await?) {
            return Err(Error::forbidden());
        }
        let mut wrong = BTreeSet::new();
        let mut after = None;
        loop {
            let page = self.numbers.unlike_numbers(account, after).await?;
            wrong.extend(page.numbers);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let databases = self.numbers.databases(false).await?.into_iter();
        let work: Vec<_> = databases.map(|database| self.missing(database, account)).collect();
        let mut missing = stream::iter(work).buffer_unordered(DATABASES_AT_ONCE);
        while let Some(more) = missing.next().await {
            wrong.extend(more?);
        }
        self.put_right(account, wrong).await
    }

    /// As [`NumberService::fix`], for one number, which must not be somebody else's unless an
    /// administrator asks.
    ///
    /// # Errors
    ///
    /// As [`NumberService::fix`].
    pub async fn fix_number(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
    ) -> Result<Mirror, Error> {
        if !actor.rules(&self.lineage(account).await?) {
            return Err(Error::forbidden());
        }
        let owner = self.numbers.get(number).await?.and_then(|(found, _)| found.owner);
        if owner.is_some_and(|owner| owner != *account) && !actor.is_admin {
            return Err(Error::forbidden());
        }
        self.put_right(account, BTreeSet::from([number.clone()])).await
    }

    async fn missing(
        &self,
        database: NumberDatabase,
        account: &AccountId,
    ) -> Result<Vec<E164>, Error> {
        Ok(self.numbers.unlike_copies(&database, account).await?)
    }

    async fn put_right(
        &self,
        account: &AccountId,
        numbers: BTreeSet<E164>,
    ) -> Result<Mirror, Error> {
        let accounts = BTreeSet::from([account.clone()]);
        let work: Vec<_> = numbers.iter().map(|it| self.numbers.sync(it, &accounts)).collect();
        let done = stream::iter(work).buffer_unordered(NUMBERS_AT_ONCE);
        let waiting = done.any(|status| ready(status == MirrorStatus::Pending));
        Ok(if waiting.await { Mirror::Pending } else { Mirror::Synced })
    }
}
