//! What the numbers come to, database by database and range by range, so that somebody who keeps a copy
//! finds what differs without reading everything.

use std::collections::BTreeMap;

use super::{Error, NumberService};
use crate::{
    domain::{AccountId, E164, Prefix},
    repository::{Sum, Summed},
};

/// By how many digits a range is divided.
const DIGITS: usize = 2;
/// By how many what an account holds is, at first: those of a database.
const FIRST_DIGITS: usize = 4;

/// What the numbers of a range come to.
#[derive(Clone, Debug, Default)]
pub struct RangeSums {
    /// All of them.
    pub whole: Sum,
    /// By longer prefixes; none when there are few numbers.
    pub ranges: BTreeMap<String, Sum>,
    /// Each by itself, when there are few; else those that are no longer than the prefixes.
    pub numbers: BTreeMap<E164, Sum>,
}

impl NumberService {
    /// What is summed up by itself: each database of numbers, or each account's.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn summed(&self, accounts: bool) -> Result<Vec<Summed>, Error> {
        if accounts {
            let accounts = self.numbers.account_databases().await?;
            return Ok(accounts.into_iter().map(Summed::Copies).collect());
        }
        let databases = self.numbers.databases(false).await?;
        Ok(databases.into_iter().map(Summed::Numbers).collect())
    }

    /// What the numbers of a database come to; none when it is gone.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn sum_of(&self, of: &Summed) -> Result<Option<Sum>, Error> {
        let mut whole = Sum::default();
        match self.numbers.sum_up(of, None, |_, sum| whole.add(sum)).await {
            Ok(()) => Ok(Some(whole)),
            Err(err) if err.is_of_no_database() => Ok(None),
            Err(err) => Err(err.into()),
        }
    }

    /// What the numbers with a prefix come to, and the ranges that they fall into; up to `few` numbers
    /// are shown by themselves.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn sums_within(&self, prefix: &Prefix, few: usize) -> Result<RangeSums, Error> {
        self.ranges(&Summed::Numbers(prefix.database()), prefix.as_str(), DIGITS, few).await
    }

    /// The same of the numbers of which an account holds copies, with a prefix or all.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn sums_of_account(
        &self,
        account: AccountId,
        prefix: Option<&Prefix>,
        few: usize,
    ) -> Result<RangeSums, Error> {
        let (prefix, digits) = prefix.map_or(("+", FIRST_DIGITS), |it| (it.as_str(), DIGITS));
        self.ranges(&Summed::Copies(account), prefix, digits, few).await
    }

    async fn ranges(
        &self,
        of: &Summed,
        prefix: &str,
        digits: usize,
        few: usize,
    ) -> Result<RangeSums, Error> {
        let (mut sums, length) = (RangeSums::default(), prefix.len() + digits);
        let take = |number, sum| sums.take(length, few, number, sum);
        match self.numbers.sum_up(of, Some(prefix), take).await {
            Err(err) if err.is_of_no_database() => (),
            done => done?,
        }
        if sums.numbers.len() as u64 == sums.whole.count {
            sums.ranges.clear();
        }
        Ok(sums)
    }
}

impl RangeSums {
    /// Takes a number over; `length` is that of the prefixes.
    fn take(&mut self, length: usize, few: usize, number: E164, sum: u64) {
        self.whole.add(sum);
        let range = number.as_str().get(..length).map(str::to_owned);
        let is_short = range.is_none();
        if let Some(range) = range {
            self.ranges.entry(range).or_default().add(sum);
        }
        let few = few as u64;
        if is_short || self.whole.count <= few {
            self.numbers.entry(number).or_default().add(sum);
        } else if self.whole.count == few + 1 {
            // There are too many: those that are in a range are in it only.
            self.numbers.retain(|number, _| number.as_str().len() < length);
        }
    }
}
