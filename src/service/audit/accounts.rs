//! The side of the copies.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};

use super::{Audit, kind};
use crate::{
    domain::{AccountId, E164, NumberDatabase},
    service::{
        Error, NumberService, PageOutcome,
        audit_sums::{Place, Sums, name_of, place_of},
        copies::AT_ONCE,
    },
};

/// Where a page of copies goes on: how far the sum of the last database came, and behind which id.
#[derive(Debug, Default, PartialEq, Eq)]
struct Cursor {
    open: Option<(Place, u64)>,
    after: Option<String>,
}

/// Where a page of a whole account goes on: behind a copy, or with a database of numbers.
const DATABASES: &str = "numbers/";

impl Cursor {
    fn parse(text: Option<&str>) -> Self {
        let mut parts = text.unwrap_or_default().splitn(3, ' ');
        let (place, sum, after) = (parts.next(), parts.next(), parts.next());
        let open = place.and_then(|it| it.parse().ok()).zip(sum.and_then(|it| it.parse().ok()));
        Self { open, after: after.map(str::to_owned) }
    }

    fn text(&self) -> Option<String> {
        let after = self.after.as_ref()?;
        let (place, sum) = match self.open {
            Some((place, sum)) => (place.to_string(), sum.to_string()),
            None => <_>::default(),
        };
        Some(format!("{place} {sum} {after}"))
    }
}

impl NumberService {
    /// Compares a page of an account's copies with what the numbers came to, and looks again where
    /// that differs. To be called once all numbers were summed up.
    ///
    /// # Errors
    ///
    /// Those of every read. What goes wrong with one number is in the outcome.
    pub async fn audit_copies(
        &self,
        audit: &Audit,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let mut cursor = Cursor::parse(after);
        let page = self.numbers.fingerprints(account, cursor.after.take(), limit).await?;
        let mut outcome = PageOutcome { read: page.copies.len() as u64, ..PageOutcome::default() };
        Self::conflicting_copies(audit, &mut outcome, account, page.conflicting);
        let mut sums = audit.sums.lock().await;
        self.complete(&mut sums).await?;
        let mut suspicious = Suspicious { sums: &sums, account, places: BTreeSet::new() };
        for (id, sum) in page.copies {
            let Some(place) = E164::parse(&id).ok().and_then(|id| place_of(id.as_str())) else {
                outcome.found.push((kind::UNDECODABLE, id));
                continue;
            };
            cursor.open = Some(match cursor.open {
                Some((open, so_far)) if open == place => (place, so_far.wrapping_add(sum)),
                closed => {
                    suspicious.close(closed, Some(place));
                    (place, sum)
                }
            });
        }
        cursor.after = page.next;
        if cursor.after.is_none() {
            suspicious.close(cursor.open, None);
        }
        let (places, unreadable): (Vec<Place>, Vec<Place>) =
            suspicious.places.into_iter().partition(|place| !sums.is_unreadable(*place));
        drop(sums);
        for place in unreadable {
            let err = Error::Store(std::sync::Arc::from(Box::from("it could not be read")));
            outcome.fail(name_of(place), &err);
        }
        let mut suspects = BTreeSet::new();
        for place in places {
            suspects.extend(self.unlike(account, place).await?);
        }
        let suspects = suspects.into_iter().map(|id| (id, account.clone())).collect();
        let wrong = self.judge_copies(audit, &mut outcome, suspects).await?;
        outcome.unchanged = outcome.read.saturating_sub(wrong);
        outcome.next = cursor.text();
        Ok(outcome)
    }

    /// Compares a page of an account's copies with their numbers one by one, and then the numbers that
    /// it owns in each database with its copies.
    ///
    /// # Errors
    ///
    /// As [`NumberService::audit_copies`].
    pub async fn audit_account(
        &self,
        audit: &Audit,
        account: &AccountId,
        after: Option<&str>,
    ) -> Result<PageOutcome, Error> {
        let mut outcome = PageOutcome::default();
        let mut suspects = BTreeSet::new();
        if let Some(begin) = after.filter(|after| after.starts_with(DATABASES)) {
            let mut databases = self.numbers.databases(false).await?;
            databases.retain(|database| database.as_str() >= begin);
            let rest = databases.get(AT_ONCE).map(|it| it.as_str().to_owned());
            databases.truncate(AT_ONCE);
            let reads = databases.iter().map(|it| self.numbers.unlike_copies(it, account));
            let reads: Vec<_> = reads.collect();
            let mut reads = stream::iter(reads).buffered(AT_ONCE);
            while let Some(unlike) = reads.next().await {
                let unlike = unlike?;
                // What has a copy was looked at with the copies.
                let held = self.numbers.are_held(account, unlike.iter()).await?;
                let missing = unlike.into_iter().zip(held).filter(|(_, is_held)| !is_held);
                suspects.extend(missing.map(|(id, _)| id));
            }
            outcome.next = rest;
        } else {
            let page = self.numbers.unlike_numbers(account, after.map(str::to_owned)).await?;
            outcome.read = page.read;
            Self::conflicting_copies(audit, &mut outcome, account, page.conflicting);
            // Then the databases, from the first one on.
            outcome.next = page.next.or_else(|| Some(DATABASES.to_owned()));
            suspects.extend(page.numbers);
        }
        let suspects = suspects.into_iter().map(|id| (id, account.clone())).collect();
        let wrong = self.judge_copies(audit, &mut outcome, suspects).await?;
        outcome.unchanged = outcome.read.saturating_sub(wrong);
        Ok(outcome)
    }

    /// The numbers of one database of which an account's copies are not what they should be.
    async fn unlike(&self, account: &AccountId, place: Place) -> Result<Vec<E164>, Error> {
        let name = name_of(place);
        let database = NumberDatabase::parse(&name)
            .map_err(|err| Error::Invalid { cause: err.to_string() })?;
        let mut unlike = self.numbers.unlike_copies(&database, account).await?;
        unlike.extend(self.numbers.unlike_numbers_of(account, &database).await?);
        Ok(unlike)
    }
}

/// The databases of which an account's copies do not come to what its numbers do.
struct Suspicious<'a> {
    sums: &'a Sums,
    account: &'a AccountId,
    places: BTreeSet<Place>,
}

impl Suspicious<'_> {
    /// Ends a database, after which the account has no copies until `next`.
    fn close(&mut self, open: Option<(Place, u64)>, next: Option<Place>) {
        if let Some((place, sum)) = open
            && !self.sums.agree(self.account, place, sum)
        {
            self.places.insert(place);
        }
        self.places.extend(self.sums.between(self.account, open.map(|(place, _)| place), next));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for open in [None, Some((1415, u64::MAX))] {
            let cursor = Cursor { open, after: Some("+14155550100".to_owned()) };
            assert_eq!(Cursor::parse(cursor.text().as_deref()), cursor);
        }
        assert_eq!(Cursor::parse(None), Cursor::default());
        assert_eq!(Cursor::default().text(), None);
    }
}
