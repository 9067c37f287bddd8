//! Giving numbers another carrier. The carriers themselves are not told.

use futures::{StreamExt, stream};

use super::{
    Error, NumberService, Terms,
    carrier_usage::scopes,
    change::{Operation, Target, must_exist},
};
use crate::{
    carriers,
    domain::{Actor, CarrierName, E164, Number, NumberDatabase},
    repository::{Decision, Opened, Saved, Settings, Stored},
};

/// How many numbers are read and written at once.
const PAGE: usize = 1000;
/// How many databases are worked on at once.
const PARALLEL_DATABASES: usize = 4;
/// How many named numbers are worked on at once.
const PARALLEL_NUMBERS: usize = 16;

/// Which numbers a conversion is about.
#[derive(Clone, Debug)]
pub enum ConversionScope {
    /// Every number of the carrier.
    All,
    /// Those in these databases or under these prefixes, as given (`+1415`, `numbers/+1415`, …).
    Prefixes(Vec<String>),
    /// These numbers, as given, whatever their carrier.
    Numbers(Vec<String>),
}

/// What a conversion did in one database, or to the numbers that were named.
#[derive(Clone, Debug, Default)]
pub struct Converted {
    /// The database, not encoded; `None` when numbers were named.
    pub database: Option<String>,
    /// Numbers read.
    pub read: u64,
    /// Numbers that have the carrier now, sorted; those that had it before among them.
    pub converted: Vec<String>,
    /// How many of these had it before.
    pub unchanged: u64,
    /// Numbers that were not converted, with the reason, sorted. A database that could not be read
    /// stands here under its own name.
    pub failed: Vec<(String, Failure)>,
}

/// Why one number of many was not changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The error's id (`not_found`, `datastore_conflict`).
    pub error: String,
    /// The same in words.
    pub message: String,
}

/// A conversion whose words were checked.
struct Conversion<'a> {
    actor: &'a Actor,
    target: &'a CarrierName,
    /// Only numbers that are stored under exactly this name.
    source: Option<&'a str>,
    settings: &'a Settings,
}

/// What became of one number.
enum Outcome {
    Converted,
    Unchanged,
    /// It was no longer stored under the name that was asked for.
    Skipped,
}

impl NumberService {
    /// Gives numbers another carrier, and says what it did database by database, in order; one
    /// result when numbers were named. `source`: only those stored under exactly this name; not
    /// looked at when numbers are named. A dry run writes nothing and says what it would do.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for all but administrators, [`Error::UnknownCarrier`] for the target,
    /// [`Error::Invalid`] for a database or prefix that is none or a missing source. What goes wrong
    /// with one number or one database is in the result.
    pub async fn convert_carrier(
        &self,
        actor: &Actor,
        source: Option<&str>,
        target: &str,
        scope: ConversionScope,
        dry_run: bool,
    ) -> Result<Vec<Converted>, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let name = carriers::named(target);
        let name = name.ok_or_else(|| Error::UnknownCarrier(target.to_owned()))?;
        let settings = self.settings.get().await?;
        let service = if dry_run { self.rehearsal() } else { self.clone() };
        let conversion = |source| Conversion { actor, target: &name, source, settings: &settings };
        let scopes = match scope {
            ConversionScope::Numbers(numbers) => {
                return Ok(vec![service.convert_named(&conversion(None), numbers).await]);
            }
            ConversionScope::All => {
                let all = service.numbers.databases(false).await?;
                all.into_iter().map(|database| (database, None)).collect()
            }
            ConversionScope::Prefixes(given) => scopes(&given)?,
        };
        let missing = || Error::Invalid { cause: "source is missing".to_owned() };
        let conversion = conversion(Some(source.ok_or_else(missing)?));
        let databases = stream::iter(scopes)
            .map(|(database, prefix)| service.convert_database(&conversion, database, prefix));
        Ok(databases.buffered(PARALLEL_DATABASES).collect().await)
    }

    /// The same service over a store that keeps its writes to itself.
    fn rehearsal(&self) -> Self {
        Self { numbers: self.numbers.rehearsal(), ..self.clone() }
    }

    async fn convert_named(&self, conversion: &Conversion<'_>, numbers: Vec<String>) -> Converted {
        let mut result = Converted::default();
        let outcomes = stream::iter(numbers).map(|given| async move {
            match self.convert_one(conversion, &given).await {
                Ok((number, outcome)) => (number, Ok(outcome)),
                Err((number, err)) => (number, Err(err)),
            }
        });
        let mut outcomes = outcomes.buffer_unordered(PARALLEL_NUMBERS);
        while let Some((number, outcome)) = outcomes.next().await {
            result.count(number, outcome);
        }
        drop(outcomes);
        result.sort();
        result
    }

    async fn convert_database(
        &self,
        conversion: &Conversion<'_>,
        database: NumberDatabase,
        prefix: Option<String>,
    ) -> Converted {
        let mut result =
            Converted { database: Some(database.as_str().to_owned()), ..Converted::default() };
        let source = conversion.source.unwrap_or_default();
        let prefix = prefix.as_deref();
        let read = |after| self.numbers.with_carrier(&database, source, prefix, after, PAGE);
        let mut next = read(None).await;
        loop {
            let page = match next {
                Ok(page) => page,
                Err(err) => {
                    result.count(database.as_str().to_owned(), Err(err.into()));
                    break;
                }
            };
            let Some(after) = page.next else {
                self.convert_page(conversion, page.numbers, &mut result).await;
                break;
            };
            // The next page is read while this one is written: they have no number in common.
            let written = self.convert_page(conversion, page.numbers, &mut result);
            (next, ()) = tokio::join!(read(Some(after)), written);
        }
        result.sort();
        result
    }

    async fn convert_page(
        &self,
        conversion: &Conversion<'_>,
        page: Vec<Result<Stored, (String, crate::repository::RepositoryError)>>,
        result: &mut Converted,
    ) {
        let mut changed = Vec::with_capacity(page.len());
        for stored in page {
            match stored {
                Err((id, err)) => result.count(id, Err(err.into())),
                Ok(mut stored) => match conversion.apply(&mut stored) {
                    Ok(Outcome::Converted) => changed.push(stored),
                    Ok(outcome) => result.count(stored.number.id.to_string(), Ok(outcome)),
                    Err(err) => result.count(stored.number.id.to_string(), Err(err)),
                },
            }
        }
        let ids: Vec<String> = changed.iter().map(|stored| stored.number.id.to_string()).collect();
        let saved = self.numbers.save_many(changed).await;
        for (id, saved) in ids.into_iter().zip(saved) {
            let outcome = match saved.map_err(Error::from) {
                Ok(Saved { .. }) => Ok(Outcome::Converted),
                // Somebody else was faster: read it again and decide by itself.
                Err(Error::Conflict) => match self.convert_one(conversion, &id).await {
                    Ok((_, outcome)) => Ok(outcome),
                    Err((_, err)) => Err(err),
                },
                Err(err) => Err(err),
            };
            result.count(id, outcome);
        }
    }

    /// Converts one number, named in any form, and says under which name to report it.
    async fn convert_one(
        &self,
        conversion: &Conversion<'_>,
        given: &str,
    ) -> Result<(String, Outcome), (String, Error)> {
        let number = self.parse(given).await.map_err(|err| (given.to_owned(), err))?;
        let target = Target {
            actor: conversion.actor,
            account: None,
            settings: conversion.settings,
            terms: Terms::default(),
        };
        let saved = self.change(&target, &number, conversion).await;
        let outcome = |saved: Saved| match saved.written {
            true => Outcome::Converted,
            false if saved.number.carrier == *conversion.target => Outcome::Unchanged,
            false => Outcome::Skipped,
        };
        match saved {
            Ok(saved) => Ok((number.to_string(), outcome(saved))),
            Err(err) => Err((number.to_string(), err)),
        }
    }
}

impl Operation for Conversion<'_> {
    async fn decide(
        &self,
        _service: &NumberService,
        _target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let mut stored = must_exist(number, opened)?;
        self.apply(&mut stored)?;
        Ok(Decision::save(stored))
    }
}

impl Conversion<'_> {
    /// Gives a number that was read the carrier, unless it would lose a feature by that.
    fn apply(&self, stored: &mut Stored) -> Result<Outcome, Error> {
        let spelt = stored.stored_carrier();
        if self.source.is_some() && spelt != self.source {
            return Ok(Outcome::Skipped);
        }
        if spelt == Some(self.target.as_str()) {
            return Ok(Outcome::Unchanged);
        }
        let mut converted = stored.number.clone();
        converted.set_carrier(self.target.clone());
        self.check_features(&stored.number, &converted)?;
        stored.number = converted;
        stored.rewrite();
        Ok(Outcome::Converted)
    }

    /// Refuses when a feature in force would be denied by the change of carrier.
    fn check_features(&self, before: &Number, after: &Number) -> Result<(), Error> {
        let allowed = self.settings.features.available(before, true);
        let still = self.settings.features.available(after, true);
        let in_force = |feature: &&String| before.features.contains_key(feature.as_str());
        let lost: Vec<&str> = allowed
            .iter()
            .filter(in_force)
            .filter(|feature| !still.contains(feature))
            .map(String::as_str)
            .collect();
        if lost.is_empty() {
            return Ok(());
        }
        let cause = format!("feature {} is not available with {}", lost.join(", "), self.target);
        Err(Error::Forbidden { cause: Some(cause) })
    }
}

impl Converted {
    fn count(&mut self, number: String, outcome: Result<Outcome, Error>) {
        match outcome {
            Ok(Outcome::Skipped) => return,
            Ok(Outcome::Converted) => self.converted.push(number),
            Ok(Outcome::Unchanged) => {
                self.unchanged += 1;
                self.converted.push(number);
            }
            Err(err) => self.failed.push((number, Failure::from(&err))),
        }
        self.read += 1;
    }

    fn sort(&mut self) {
        self.converted.sort_unstable();
        self.failed.sort_unstable();
    }
}

impl From<&Error> for Failure {
    fn from(err: &Error) -> Self {
        let message = match err {
            Error::Forbidden { cause: Some(cause) } => format!("{err}: {cause}"),
            err => err.to_string(),
        };
        Self { error: err.id().to_owned(), message }
    }
}
