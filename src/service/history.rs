//! What was written to a number, and who wrote it.

use super::{Error, NumberService};
use crate::{
    domain::{AccountId, Actor, E164},
    repository::{Entry, History, HistoryKey, Side},
};

impl NumberService {
    /// A page of what was written to a number, the latest first.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is neither a number nor anything known of one, and those of every
    /// read.
    pub async fn history(
        &self,
        number: &E164,
        from: Option<HistoryKey>,
        limit: usize,
    ) -> Result<History, Error> {
        let is_first = from.is_none();
        let history = self.numbers.history(number, from, limit).await?;
        if is_first && history.entries.is_empty() && self.numbers.get(number).await?.is_none() {
            return Err(Error::NotFound(number.clone()));
        }
        Ok(history)
    }

    /// The same as far as an account may know it: what was written while it held the number, how it got
    /// it and how it lost it. Of others it learns nothing, not even that there is more.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when the account does not hold the number, and nothing is known of it having
    /// done so; those of every read.
    pub async fn history_of_account(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
        from: Option<HistoryKey>,
        limit: usize,
    ) -> Result<History, Error> {
        let is_first = from.is_none();
        let History { entries, next } = self.next_of(account, number, from, limit).await?;
        if is_first && entries.is_empty() {
            let found = self.numbers.get(number).await?;
            if found.is_none_or(|(found, _)| found.owner.as_ref() != Some(account)) {
                return Err(Error::NotFound(number.clone()));
            }
        }
        let next = match next {
            Some(next) => self.next_of(account, number, Some(next), limit).await?.start(),
            None => None,
        };
        let mut seen = Vec::with_capacity(entries.len());
        for (entry, is_known) in entries {
            seen.push((self.entry_for(actor, account, entry).await?, is_known));
        }
        Ok(History { entries: seen, next })
    }

    /// What concerns an account, of the first page in which anything does.
    async fn next_of(
        &self,
        account: &AccountId,
        number: &E164,
        mut from: Option<HistoryKey>,
        limit: usize,
    ) -> Result<History, Error> {
        loop {
            let mut page = self.numbers.history(number, from, limit).await?;
            page.entries.retain(|(entry, _)| {
                [&entry.before, &entry.after].into_iter().any(|side| is_of(side.as_ref(), account))
            });
            match page.next {
                Some(next) if page.entries.is_empty() => from = Some(next),
                _ => return Ok(page),
            }
        }
    }

    /// An entry without what is others'.
    async fn entry_for(
        &self,
        actor: &Actor,
        account: &AccountId,
        mut entry: Entry,
    ) -> Result<Entry, Error> {
        for side in [&mut entry.before, &mut entry.after].into_iter().flatten() {
            if side.assigned_to.as_deref().is_some_and(|owner| owner != account.as_str()) {
                *side = Side { state: None, assigned_to: None, revision: None };
            }
        }
        if !actor.is_admin && !self.is_ruled(actor, entry.account_id.as_deref()).await? {
            (entry.account_id, entry.jti) = (None, None);
            (entry.request_id, entry.job_id) = (None, None);
        }
        Ok(entry)
    }
}

fn is_of(side: Option<&Side>, account: &AccountId) -> bool {
    side.and_then(|side| side.assigned_to.as_deref()) == Some(account.as_str())
}
