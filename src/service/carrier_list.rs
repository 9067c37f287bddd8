//! Comparing what we hold of a carrier with its own list of what we have there.

use std::sync::Arc;

use tokio::sync::OnceCell;

use super::{Error, NumberService, PageOutcome, Stretch, outside::ask};
use crate::{
    carriers::{self, Ability, CarrierError},
    domain::{CarrierName, E164, Number, NumberDatabase, State},
    repository::Opened,
};

/// The kind of finding of a number that we hold and that is not in the carrier's list.
pub const MISSING_THERE: &str = "missing_there";
/// The kind of finding of a number that is in the carrier's list and that we do not hold.
pub const MISSING_HERE: &str = "missing_here";
/// The kind of finding of a number that is in the carrier's list and that we hold as another carrier's.
pub const FOREIGN: &str = "foreign";

/// The states of numbers that we have from somebody.
const HELD: [State; 7] = [
    State::Aging,
    State::Available,
    State::InService,
    State::PortIn,
    State::PortOut,
    State::Released,
    State::Reserved,
];

/// A carrier's own list of our numbers: as it says itself, or as it was given.
#[derive(Clone, Debug)]
pub struct CarrierList {
    carrier: CarrierName,
    given: Option<Vec<String>>,
    /// What there is of it; a carrier is asked once, also when it gives none.
    listed: Arc<OnceCell<Result<Listed, Error>>>,
}

/// A list that was read.
#[derive(Debug)]
struct Listed {
    /// Sorted, each number once.
    numbers: Vec<E164>,
    /// What is no number.
    unread: Vec<String>,
}

impl NumberService {
    /// The list of a carrier, with `knm_` or without. `given`: its text, a number at the beginning of each
    /// line, where the carrier itself is not asked; what has no digits in its first line is a header.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownCarrier`], and [`Error::Invalid`] for one that lists nothing when nothing is given.
    pub fn carrier_list(&self, carrier: &str, given: Option<&str>) -> Result<CarrierList, Error> {
        let name = carriers::named(carrier);
        let name = name.ok_or_else(|| Error::UnknownCarrier(carrier.to_owned()))?;
        let lists = self.outside.given(&name).is_some()
            || self.outside.module(&name).is_some_and(|it| it.abilities.contains(&Ability::List));
        if given.is_none() && !lists {
            let cause = format!("{name} lists no numbers; send its list as `list`");
            return Err(Error::Invalid { cause });
        }
        let given = given.map(cells);
        Ok(CarrierList { carrier: name, given, listed: Arc::default() })
    }

    /// Says which numbers of a part of a database are that carrier's and not in its list.
    ///
    /// # Errors
    ///
    /// [`Error::Carrier`] when it gives no list, and those of every read.
    pub async fn compare_held(
        &self,
        list: &CarrierList,
        database: &NumberDatabase,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let listed = &self.listed(list).await?.numbers;
        let stretch = Stretch { database, prefix: None, after, limit };
        let is_theirs = |number: &Number| number.carrier == list.carrier;
        let (numbers, mut outcome) = self.numbers_in(stretch, &HELD, is_theirs).await?;
        for number in numbers {
            if listed.binary_search(&number).is_ok() {
                outcome.unchanged += 1;
            } else {
                outcome.skipped += 1;
                outcome.found.push((MISSING_THERE, number.to_string()));
            }
        }
        Ok(outcome)
    }

    /// Says which numbers of a part of the list are not held here, or as another carrier's.
    ///
    /// # Errors
    ///
    /// As [`NumberService::compare_held`].
    pub async fn compare_listed(
        &self,
        list: &CarrierList,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let Listed { numbers: listed, unread } = self.listed(list).await?;
        let first = after.map_or(0, |after| listed.partition_point(|it| it.as_str() <= after));
        let page = &listed[first..listed.len().min(first + limit)];
        let mut outcome = PageOutcome { read: page.len() as u64, ..PageOutcome::default() };
        if after.is_none() {
            for text in unread {
                outcome.read += 1;
                outcome.fail(text, &Error::NotReconcilable(text.clone()));
            }
        }
        for (number, opened) in page.iter().zip(self.numbers.open_many(page, None).await) {
            let kind = match opened {
                Ok(Opened::Found(it)) if !HELD.contains(&it.number.state) => MISSING_HERE,
                Ok(Opened::Found(it)) if it.number.carrier == list.carrier => {
                    outcome.unchanged += 1;
                    continue;
                }
                Ok(Opened::Found(_)) => FOREIGN,
                Ok(Opened::Vacant(_)) => MISSING_HERE,
                Err(err) => {
                    outcome.fail_to_read(number.to_string(), err)?;
                    continue;
                }
            };
            outcome.skipped += 1;
            outcome.found.push((kind, number.to_string()));
        }
        outcome.next =
            page.last().filter(|_| first + page.len() < listed.len()).map(E164::to_string);
        Ok(outcome)
    }

    async fn listed<'l>(&self, list: &'l CarrierList) -> Result<&'l Listed, Error> {
        let read = async || {
            let read = match &list.given {
                Some(given) => self.given_list(given).await,
                None => self.asked_list(&list.carrier).await,
            };
            match read {
                // What may pass is tried again.
                Err(err) if !matches!(err, Error::NoList { .. }) => Err(err),
                read => Ok(read),
            }
        };
        let listed: &Result<Listed, Error> = list.listed.get_or_try_init(read).await?;
        listed.as_ref().map_err(Error::clone)
    }

    async fn given_list(&self, given: &[String]) -> Result<Listed, Error> {
        let (mut numbers, mut unread) = (Vec::with_capacity(given.len()), Vec::new());
        for text in given {
            match self.parse(text).await {
                Ok(number) => numbers.push(number),
                Err(Error::NotReconcilable(text)) => unread.push(text),
                Err(err) => return Err(err),
            }
        }
        Ok(Listed::new(numbers, unread))
    }

    /// What the carrier says. A list that is not whole is none: what it lacks would be called missing.
    async fn asked_list(&self, name: &CarrierName) -> Result<Listed, Error> {
        let settings = self.settings.get().await?;
        let (limit, most) = (settings.search.purchase_timeout, settings.search.listed);
        let failed = |reason: CarrierError| Error::NoList { carrier: name.clone(), reason };
        let unasked = || failed(CarrierError::refused("it cannot be asked"));
        let carrier = self.carrier(name).await.ok_or_else(unasked)?;
        let (mut listed, mut after): (Vec<E164>, Option<String>) = (Vec::new(), None);
        loop {
            let (asked, from) = (Arc::clone(&carrier), after.clone());
            let question = async move { asked.list(from.as_deref()).await };
            let page = ask(name, limit, question).await.map_err(|err| failed(err.told()))?;
            listed.extend(page.numbers);
            if listed.len() > most {
                let reason = format!("it lists more than {most} numbers (`maximum_carrier_list`)");
                return Err(failed(CarrierError::refused(reason)));
            }
            if page.next.is_none() {
                return Ok(Listed::new(listed, Vec::new()));
            }
            if page.next == after {
                return Err(failed(CarrierError::refused("its list does not end")));
            }
            after = page.next;
        }
    }
}

impl Listed {
    fn new(mut numbers: Vec<E164>, unread: Vec<String>) -> Self {
        numbers.sort_unstable();
        numbers.dedup();
        Self { numbers, unread }
    }
}

/// What stands at the beginning of each line, without a header.
fn cells(text: &str) -> Vec<String> {
    let cell = |line: &str| {
        let first = line.split([',', ';', '\t']).next().unwrap_or_default();
        first.trim().trim_matches('"').trim_start_matches('\'').trim().to_owned()
    };
    let mut cells: Vec<String> =
        text.trim_start_matches('\u{feff}').lines().map(cell).filter(|it| !it.is_empty()).collect();
    let is_number =
        |cell: &String| cell.starts_with(|it: char| it.is_ascii_digit() || "+(".contains(it));
    if cells.first().is_some_and(|first| !is_number(first)) {
        cells.remove(0);
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_as_spreadsheets_write_it() {
        let wanted = ["+14155550100", "4155550101", "nothing1"];
        for text in [
            "+14155550100\n4155550101\nnothing1",
            "\u{feff}e164,state\r\n\"+14155550100\",x\r\n4155550101\r\n\r\nnothing1\r\n",
            "Number;City\n'+14155550100;SF\n4155550101\nnothing1\tx\n",
        ] {
            assert_eq!(cells(text), wanted, "{text}");
        }
        assert_eq!(cells(""), [""; 0]);
        assert_eq!(cells("number\n"), [""; 0]);
    }
}
