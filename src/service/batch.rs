//! The numbers that one request names, and what became of each.

use std::collections::{BTreeMap, BTreeSet};

use super::{Error, NumberService, NumberView};
use crate::domain::{E164, Numbering};

/// The numbers of one request, each of them once, in the order in which they were given.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Each text as a number, or as it was given when it is none.
    given: Vec<Result<E164, String>>,
    numbers: Vec<E164>,
}

/// What became of each number, under its E.164 form, or under the text that is none; in the order in
/// which they were given.
pub type Outcomes = Vec<(String, Result<NumberView, Error>)>;

/// Two of the texts mean the same number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("some numbers appear twice")]
pub struct NumbersRepeat;

impl NumberService {
    /// The numbers that texts mean, in any dialled form. A text that is no number is not refused
    /// here: it fails by itself, among the others.
    ///
    /// # Errors
    ///
    /// [`Error::Repeated`] when two of them mean the same, and those of reading the settings.
    pub async fn batch(&self, texts: &[String]) -> Result<Batch, Error> {
        let settings = self.settings.get().await?;
        Ok(Batch::read(&settings.numbering, texts)?)
    }
}

impl Batch {
    /// Reads the numbers by these rules.
    ///
    /// # Errors
    ///
    /// [`NumbersRepeat`].
    pub fn read(numbering: &Numbering, texts: &[String]) -> Result<Self, NumbersRepeat> {
        let mut seen = BTreeSet::new();
        let mut given = Vec::with_capacity(texts.len());
        for text in texts {
            let number = numbering.parse(text).map_err(|err| err.0);
            if !seen.insert(key(&number).to_owned()) {
                return Err(NumbersRepeat);
            }
            given.push(number);
        }
        let numbers = given.iter().flatten().cloned().collect();
        Ok(Self { given, numbers })
    }

    /// Those that are numbers.
    pub(super) fn numbers(&self) -> &[E164] {
        &self.numbers
    }

    /// Puts what became of the numbers in the order in which they were given, among what is none.
    pub(super) fn outcomes(
        &self,
        changed: impl IntoIterator<Item = (E164, Result<NumberView, Error>)>,
    ) -> Outcomes {
        let mut changed: BTreeMap<E164, _> = changed.into_iter().collect();
        let outcome = |given: &Result<E164, String>| {
            let outcome = match given {
                Ok(number) => changed.remove(number)?,
                Err(text) => Err(Error::NotReconcilable(text.clone())),
            };
            Some((key(given).to_owned(), outcome))
        };
        self.given.iter().filter_map(outcome).collect()
    }

    /// The same refusal for each of them.
    pub(super) fn refused(&self, why: &Error) -> Outcomes {
        self.outcomes(self.numbers.iter().map(|number| (number.clone(), Err(why.clone()))))
    }
}

fn key(given: &Result<E164, String>) -> &str {
    match given {
        Ok(number) => number.as_str(),
        Err(text) => text,
    }
}
