//! Making numbers from the copies in account databases: where the numbers were lost, or where an
//! account's copies are what counts.

use super::{Error, Failure, NumberService, PageOutcome};
use crate::{
    domain::AccountId,
    repository::{Counterpart, Decision, RepositoryError, Source},
};

impl NumberService {
    /// Makes the numbers of a page of an account's copies. `overwrite`: also of those that were
    /// deleted, and of those that the account owns and that are otherwise. Nobody loses a number.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`], and those of every read. What goes wrong with one number is in the
    /// outcome.
    pub async fn restore_page(
        &self,
        account: &AccountId,
        overwrite: bool,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        self.account(account).await?;
        let page = self.numbers.copies_in(account, after.map(str::to_owned), limit).await?;
        let mut outcome = PageOutcome { next: page.next, ..PageOutcome::default() };
        self.restore(&mut outcome, account, overwrite, page.sources).await?;
        Ok(outcome)
    }

    /// The same for numbers as they were given.
    ///
    /// # Errors
    ///
    /// As [`NumberService::restore_page`].
    pub async fn restore_named(
        &self,
        account: &AccountId,
        overwrite: bool,
        given: &[String],
    ) -> Result<PageOutcome, Error> {
        self.account(account).await?;
        let mut outcome = PageOutcome::default();
        let numbers = self.read_numbers(&mut outcome, given).await?;
        let found = self.numbers.copies_named(account, &numbers).await?;
        let mut sources = Vec::with_capacity(found.len());
        for (id, copy) in numbers.into_iter().zip(found) {
            if let Some(copy) = copy {
                sources.push(copy.map_err(|err| (id.to_string(), err)));
            } else {
                outcome.read += 1;
                outcome.fail(id.to_string(), &Error::NotFound(id));
            }
        }
        self.restore(&mut outcome, account, overwrite, sources).await?;
        Ok(outcome)
    }

    async fn restore(
        &self,
        outcome: &mut PageOutcome,
        account: &AccountId,
        overwrite: bool,
        sources: Vec<Result<Source, (String, RepositoryError)>>,
    ) -> Result<(), Error> {
        let mut copies = Vec::with_capacity(sources.len());
        for source in sources {
            outcome.read += 1;
            match source {
                Err((id, err)) => outcome.fail_to_read(id, err)?,
                Ok(copy) if copy.is_owned_by(account) => copies.push(copy),
                Ok(copy) => {
                    let cause = Some("the copy names another owner".to_owned());
                    outcome.fail(copy.number.id.as_str(), &Error::Forbidden { cause });
                }
            }
        }
        let mut decisions = Vec::new();
        for (id, found) in self.numbers.counterparts(copies).await {
            match found {
                Err(err) => outcome.fail_to_read(id, err)?,
                Ok(found) if found.is_equal() => outcome.unchanged += 1,
                Ok(found) => match refusal(account, overwrite, &found) {
                    Some(failure) => outcome.failed.push((id, failure)),
                    None => match self.numbers.restored(account, found) {
                        Ok(stored) => decisions.push(Decision::save(stored)),
                        Err(err) => outcome.fail_to_read(id, err)?,
                    },
                },
            }
        }
        let ids: Vec<String> =
            decisions.iter().map(|it| it.stored().number.id.to_string()).collect();
        for (id, saved) in ids.into_iter().zip(self.numbers.carry_out_many(decisions).await) {
            if let Err(err) = saved {
                outcome.fail_to_read(id, err)?;
            }
        }
        Ok(())
    }
}

/// Why a number is not made from a copy.
fn refusal(account: &AccountId, overwrite: bool, found: &Counterpart) -> Option<Failure> {
    let message = match overwrite {
        false if found.is_deleted() => "the number was deleted",
        false if found.exists() => "the number is otherwise",
        true if found.exists() && !found.is_owned_by(account) => "the number has another owner",
        _ => return None,
    };
    Some(Failure { error: Error::Conflict.id().to_owned(), message: message.to_owned() })
}
