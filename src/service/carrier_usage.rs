//! Counting numbers by carrier.

use std::{collections::BTreeMap, future::ready};

use futures::{StreamExt, TryStreamExt, stream};

use super::{Error, NumberService};
use crate::domain::{Actor, NumberDatabase, Prefix};

/// How many databases are counted at once.
const PARALLEL_DATABASES: usize = 16;

/// How many numbers each carrier has, under the name that is stored; `null` for those that have
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierUsage {
    /// By database (its name not encoded), then by carrier.
    pub databases: BTreeMap<String, BTreeMap<String, u64>>,
}

impl NumberService {
    /// Counts numbers by carrier: everywhere, or in these databases and under these prefixes of `+`
    /// and at least four digits, nothing twice.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for all but administrators, [`Error::Invalid`] for a prefix that is
    /// none, and those of every read.
    pub async fn carrier_usage(
        &self,
        actor: &Actor,
        prefixes: Option<&[String]>,
    ) -> Result<CarrierUsage, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let scopes = match prefixes {
            None => self.numbers.databases(true).await?.into_iter().map(|it| (it, None)).collect(),
            Some(given) => database_scopes(given)?,
        };
        let counts = stream::iter(scopes).map(|(database, prefix)| async move {
            let counts = self.numbers.carrier_counts(&database, prefix.as_deref()).await?;
            Ok::<_, Error>((database, counts))
        });
        let counts = counts.buffer_unordered(PARALLEL_DATABASES);
        counts
            .try_fold(CarrierUsage::default(), |mut usage, (database, counts)| {
                usage.add(&database, counts);
                ready(Ok(usage))
            })
            .await
    }
}

impl CarrierUsage {
    /// Adds what was counted in a database or in a part of it.
    fn add(&mut self, database: &NumberDatabase, counts: BTreeMap<Option<String>, u64>) {
        let known = self.databases.entry(database.as_str().to_owned()).or_default();
        for (carrier, count) in counts {
            *known.entry(carrier.unwrap_or_else(|| "null".to_owned())).or_insert(0) += count;
        }
    }
}

/// The databases that prefixes mean, in order, each with the prefix where it means only a part of
/// it. What lies within another is left out.
///
/// # Errors
///
/// [`Error::Invalid`] for a text that is neither a database nor a prefix of at least four digits.
pub fn database_scopes(given: &[String]) -> Result<Vec<(NumberDatabase, Option<String>)>, Error> {
    let mut scopes = given.iter().map(|text| scope(text)).collect::<Result<Vec<_>, _>>()?;
    // In this order a part follows the first thing that it is a part of.
    scopes.sort_unstable();
    scopes.dedup_by(|part, whole| {
        let is_within = |prefix: &str| part.1.as_deref().is_some_and(|it| it.starts_with(prefix));
        part.0 == whole.0 && whole.1.as_deref().is_none_or(is_within)
    });
    Ok(scopes)
}

fn scope(text: &str) -> Result<(NumberDatabase, Option<String>), Error> {
    let prefix = match NumberDatabase::parse_or_stock(text) {
        Ok(database) => return Ok((database, None)),
        Err(_) => Prefix::parse(text),
    };
    let prefix = prefix.map_err(|err| Error::Invalid { cause: err.to_string() })?;
    let part = (!prefix.is_whole_database()).then(|| prefix.as_str().to_owned());
    Ok((prefix.database(), part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(given: &[&str], wanted: &[(&str, Option<&str>)]) {
        let given: Vec<String> = given.iter().map(|&text| text.to_owned()).collect();
        let scopes = database_scopes(&given).unwrap();
        let scopes: Vec<_> = scopes
            .iter()
            .map(|(database, prefix)| (database.as_str(), prefix.as_deref()))
            .collect();
        assert_eq!(scopes, wanted);
    }

    #[test]
    fn what_lies_within_another_is_left_out() {
        const WHOLE: (&str, Option<&str>) = ("numbers/+1415", None);
        let part = |prefix| ("numbers/+1415", Some(prefix));
        check(&["+1415", "numbers%2F%2B1415", "+14155"], &[WHOLE]);
        check(&["+14155", "+1415", "+14154"], &[WHOLE]);
        check(&["+14155", "+141556", "+14154"], &[part("+14154"), part("+14155")]);
        check(
            &["+141550", "+141551", "+14155", "+1416"],
            &[part("+14155"), ("numbers/+1416", None)],
        );
        check(&["numbers/managed"], &[("numbers/managed", None)]);
    }
}
