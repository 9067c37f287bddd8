//! The series of repairs of one account: what its numbers are used by, its copies of them, and the
//! copies that do not belong to it. Quantities are counted when somebody asks, so there is nothing of
//! them to repair.

use super::{
    Error, NumberService, PageOutcome,
    used_by::{ClaimedTwice, Group, NOT_OWNED},
};
use crate::{
    domain::{AccountId, E164},
    repository::{Grounds, Opened, RepositoryError, Stored},
};

/// The numbers of a page, sorted by what is to be done about them.
#[derive(Default)]
struct Sorted {
    owned: Vec<Stored>,
    /// Those that are somebody else's, or that there are not, of which the account has a copy.
    strays: Vec<E164>,
    /// The same without a copy, and whether there is such a number.
    elsewhere: Vec<(E164, bool)>,
}

impl NumberService {
    /// Repairs a page of the numbers that an account owns or holds copies of.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`] when it has no database, and those of every read.
    pub async fn fix_account_page(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let page = self.numbers.seen_of_account(account, after, limit).await?;
        let page = page.ok_or_else(|| Error::NoAccount(account.clone()))?;
        let mut outcome =
            PageOutcome { next: page.next, read: page.strange, ..PageOutcome::default() };
        outcome.skipped = page.strange;
        let sorted = sort(account, page.numbers, &mut outcome);
        // What is only in the index of owners, which may lag, is nobody's business here.
        self.fix_sorted(account, sorted.owned, sorted.strays, &mut outcome).await?;
        Ok(outcome)
    }

    /// Repairs numbers of an account, as they were given.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn fix_account_numbers(
        &self,
        account: &AccountId,
        numbers: &[String],
    ) -> Result<PageOutcome, Error> {
        let mut outcome = PageOutcome::default();
        let ids = self.named(numbers, &mut outcome).await;
        let seen = self.numbers.seen(account, &ids).await;
        let sorted = sort(account, seen, &mut outcome);
        for (id, exists) in sorted.elsewhere {
            if exists {
                outcome.leave(NOT_OWNED, &id);
            } else {
                outcome.fail_one(&id, &Error::NotFound(id.clone()));
            }
        }
        self.fix_sorted(account, sorted.owned, sorted.strays, &mut outcome).await?;
        Ok(outcome)
    }

    async fn fix_sorted(
        &self,
        account: &AccountId,
        numbers: Vec<Stored>,
        strays: Vec<E164>,
        outcome: &mut PageOutcome,
    ) -> Result<(), Error> {
        let group = Group { owner: Some(account.clone()), numbers, has_copies: true };
        self.put_use_right(vec![group], ClaimedTwice::Mirror, outcome).await;
        self.clear_copies(account, strays, Grounds::NotOwned, outcome).await
    }
}

fn sort(
    account: &AccountId,
    seen: Vec<(E164, Result<Opened, RepositoryError>)>,
    outcome: &mut PageOutcome,
) -> Sorted {
    let mut sorted = Sorted::default();
    for (id, opened) in seen {
        match opened {
            Ok(Opened::Found(stored)) if stored.number.owner.as_ref() == Some(account) => {
                sorted.owned.push(*stored);
            }
            Ok(opened) if opened.has_copy(account) => sorted.strays.push(id),
            Ok(opened) => sorted.elsewhere.push((id, matches!(opened, Opened::Found(_)))),
            Err(err) => outcome.fail_one(&id, &err.into()),
        }
    }
    sorted
}
