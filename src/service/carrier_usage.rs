//! Counting numbers by carrier.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};

use super::{Error, NumberService};
use crate::domain::{Actor, NumberDatabase, Prefix};

/// How many databases are counted at once.
const PARALLEL_DATABASES: usize = 8;

/// How many numbers each carrier has, under the name that is stored; `null` for those that have
/// none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierUsage {
    /// By database (its name not encoded), then by carrier.
    pub databases: BTreeMap<String, BTreeMap<String, u64>>,
}

impl NumberService {
    /// Counts numbers by carrier: everywhere, or under a prefix of `+` and at least four digits.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for all but administrators, [`Error::Invalid`] for a prefix that is
    /// none, and those of every read.
    pub async fn carrier_usage(
        &self,
        actor: &Actor,
        prefix: Option<&str>,
    ) -> Result<CarrierUsage, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let scopes = match prefix {
            None => self.numbers.databases(true).await?.into_iter().map(|it| (it, None)).collect(),
            Some(text) => vec![scope(text)?],
        };
        let counts = stream::iter(scopes).map(|(database, prefix)| async move {
            let counts = self.numbers.carrier_counts(&database, prefix.as_deref()).await?;
            let named = |(name, count): (Option<String>, u64)| {
                (name.unwrap_or_else(|| "null".to_owned()), count)
            };
            let counts = counts.into_iter().map(named).collect();
            Ok::<_, Error>((database.as_str().to_owned(), counts))
        });
        let databases = counts.buffer_unordered(PARALLEL_DATABASES).try_collect().await?;
        Ok(CarrierUsage { databases })
    }
}

/// The database that a prefix means, and the prefix itself when it means only a part of it.
pub(super) fn scope(text: &str) -> Result<(NumberDatabase, Option<String>), Error> {
    let prefix = match NumberDatabase::parse_or_stock(text) {
        Ok(database) => return Ok((database, None)),
        Err(_) => Prefix::parse(text),
    };
    let prefix = prefix.map_err(|err| Error::Invalid { cause: err.to_string() })?;
    let part = (!prefix.is_whole_database()).then(|| prefix.as_str().to_owned());
    Ok((prefix.database(), part))
}
