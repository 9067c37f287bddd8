//! Making numbers for the stock of a carrier that keeps one with us.

use super::{Error, NumberService, PageOutcome};
use crate::{
    carriers,
    domain::{AccountId, CarrierName, E164},
    repository::Generated,
};

/// The kind of finding of a number that is in stock already.
pub const EXISTING: &str = "number_exists";

/// Numbers to be made, checked.
#[derive(Clone, Debug)]
pub struct Generation {
    database: String,
    carrier: CarrierName,
    account: AccountId,
    numbers: Vec<E164>,
}

impl Generation {
    /// The database of the stock, not encoded.
    #[must_use]
    pub fn database(&self) -> &str {
        &self.database
    }
}

impl NumberService {
    /// Consecutive numbers for an account: of a carrier that keeps stock, with `knm_` or without, from
    /// a first one in any form that can be dialled.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCarrier`], [`Error::NotReconcilable`] for a first number that is none,
    /// [`Error::NoAccount`], and [`Error::Invalid`] for a carrier that keeps no stock and for what
    /// cannot be counted.
    pub async fn generation(
        &self,
        kind: &str,
        account: &str,
        start: &str,
        quantity: i64,
    ) -> Result<Generation, Error> {
        let invalid = |cause: String| Error::Invalid { cause };
        let unknown = || Error::UnknownCarrier(kind.to_owned());
        let carrier = carriers::named(kind).ok_or_else(unknown)?;
        let descriptor = carriers::find(&carrier).ok_or_else(unknown)?;
        let no_stock = || invalid(format!("'{kind}' numbers cannot be generated"));
        let database = carrier.stock().ok_or_else(no_stock)?.to_owned();
        let id = AccountId::parse_any(account)
            .map_err(|_| invalid(format!("'{account}' is no account id")))?;
        let settings = self.settings.get().await?;
        let most = settings.search.generated;
        let count = usize::try_from(quantity).ok().filter(|it| *it <= most);
        let count = count.ok_or_else(|| invalid(format!("quantity must be from 0 to {most}")))?;
        let start = self.parse(start).await?;
        let account = self.account(&id).await?.id;
        let numbers = consecutive(&start, count)
            .ok_or_else(|| invalid(format!("there are no {count} numbers from {start} on")))?;
        // They follow each other: where the first and the last one begin alike, all do.
        let ends = [numbers.first(), numbers.last()];
        if let Some(other) = ends.into_iter().flatten().find(|it| !descriptor.can_have(it)) {
            return Err(invalid(format!("{other} is no number of {carrier}")));
        }
        Ok(Generation { database, carrier, account, numbers })
    }

    /// Makes a page of these numbers. Those that are in stock already stay as they are.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn generate_page(
        &self,
        wanted: &Generation,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let done = wanted.numbers.iter().take_while(|it| after.is_some_and(|id| it.as_str() <= id));
        let left = &wanted.numbers[done.count()..];
        let numbers = &left[..left.len().min(limit)];
        let mut outcome = PageOutcome { read: numbers.len() as u64, ..PageOutcome::default() };
        if numbers.is_empty() {
            return Ok(outcome);
        }
        let made = self.numbers.generate(&wanted.carrier, &wanted.account, numbers).await?;
        for (number, generated) in numbers.iter().zip(made) {
            match generated {
                // What is written is counted by the job.
                Generated::Made => (),
                Generated::Existed => {
                    outcome.skipped += 1;
                    outcome.found.push((EXISTING, number.to_string()));
                }
                Generated::Failed(err) => outcome.fail(number.as_str(), &err.into()),
            }
        }
        if numbers.len() < left.len() {
            outcome.next = numbers.last().map(ToString::to_string);
        }
        Ok(outcome)
    }
}

/// So many numbers from this one on, as long as it is; `None` when there are not that many.
fn consecutive(start: &E164, quantity: usize) -> Option<Vec<E164>> {
    let digits = start.as_str().trim_start_matches('+');
    let width = digits.len();
    let first: u64 = digits.parse().ok()?;
    let numbers = (first..).take(quantity).map(|number| {
        let text = format!("+{number:0width$}");
        E164::parse(&text).ok().filter(|number| number.as_str().len() == width + 1)
    });
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(start: &str, quantity: usize, expected: Option<&[&str]>) {
        let numbers = consecutive(&E164::parse(start).unwrap(), quantity);
        let numbers = numbers.as_ref().map(|it| it.iter().map(E164::as_str).collect::<Vec<_>>());
        assert_eq!(numbers.as_deref(), expected, "{start}");
    }

    #[test]
    fn numbers_follow_each_other_and_stay_as_long() {
        check("+12223334000", 0, Some(&[]));
        check("+12223334009", 2, Some(&["+12223334009", "+12223334010"]));
        check("+883510001231234", 1, Some(&["+883510001231234"]));
        check("+999999999999999", 1, Some(&["+999999999999999"]));
        check("+999999999999999", 2, None);
        check("+99999", 2, None);
        check("+00009", 2, Some(&["+00009", "+00010"]));
    }
}
