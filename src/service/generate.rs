//! Making numbers for the stock of a carrier that keeps one with us.

use super::{Error, Failure, NumberService};
use crate::{
    carriers,
    domain::{AccountId, Actor, E164},
    repository::{Generated, RepositoryError},
};

/// Which numbers are made, and for whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Generation {
    /// The carrier, with `knm_` or without: one that keeps stock.
    pub kind: String,
    /// The account that may take them.
    pub account: String,
    /// The first number, in any form that can be dialled.
    pub start: String,
    /// How many.
    pub quantity: i64,
    /// Whether nothing is written.
    pub dry_run: bool,
}

/// What became of numbers that were to be made.
#[derive(Clone, Debug, Default)]
pub struct NewStock {
    /// The database of the stock, not encoded.
    pub database: String,
    /// Those that are in stock now.
    pub made: Vec<E164>,
    /// Those that were there before, and stay as they are.
    pub existing: Vec<E164>,
    /// Those that could not be stored, and why.
    pub failed: Vec<(E164, Failure)>,
}

impl NumberService {
    /// Makes consecutive numbers for an account; administrators only.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::UnknownCarrier`], [`Error::NotReconcilable`] for a first
    /// number that is none, [`Error::NoAccount`], [`Error::Invalid`] for a carrier that keeps no
    /// stock and for what cannot be counted, and those of every write.
    pub async fn generate_numbers(
        &self,
        actor: &Actor,
        wanted: &Generation,
    ) -> Result<NewStock, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let invalid = |cause: String| Error::Invalid { cause };
        let unknown = || Error::UnknownCarrier(wanted.kind.clone());
        let carrier = carriers::named(&wanted.kind).ok_or_else(unknown)?;
        let no_stock = || invalid(format!("'{}' numbers cannot be generated", wanted.kind));
        let database = carrier.stock().ok_or_else(no_stock)?;
        let id = AccountId::parse_any(&wanted.account)
            .map_err(|_| invalid(format!("'{}' is no account id", wanted.account)))?;
        let settings = self.settings.get().await?;
        let most = settings.search.generated;
        let quantity = usize::try_from(wanted.quantity).ok().filter(|it| *it <= most);
        let quantity =
            quantity.ok_or_else(|| invalid(format!("quantity must be from 0 to {most}")))?;
        let start = self.parse(&wanted.start).await?;
        let account = self.account(&id).await?;
        let numbers = consecutive(&start, quantity)
            .ok_or_else(|| invalid(format!("there are no {quantity} numbers from {start} on")))?;
        let mut stock = NewStock { database: database.to_owned(), ..NewStock::default() };
        if numbers.is_empty() {
            return Ok(stock);
        }
        let repository =
            if wanted.dry_run { self.numbers.rehearsal() } else { self.numbers.clone() };
        let generated = repository.generate(&carrier, &account.id, &numbers).await?;
        for (number, generated) in numbers.into_iter().zip(generated) {
            match generated {
                Generated::Made => stock.made.push(number),
                Generated::Existed => stock.existing.push(number),
                Generated::Failed(err) => stock.failed.push((number, failure(err))),
            }
        }
        Ok(stock)
    }
}

fn failure(error: RepositoryError) -> Failure {
    let error = Error::from(error);
    Failure { error: error.id().to_owned(), message: error.to_string() }
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
