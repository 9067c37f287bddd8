//! What others know of numbers: where they are, which prefixes a city has, and whether a carrier can
//! sell them.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{Batch, Error, NumberService, batch::key};
use crate::{
    carriers::{DirectoryError, Limits},
    domain::{AccountId, E164},
    repository::Settings,
};

/// What is said of a number that nobody has.
const NOT_TO_BE_HAD: &str = "error";

/// Why a directory of places is of no help.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DirectoryFault {
    /// Nobody said where the directory of cities is.
    #[error("Unable to acquire numbers missing carrier url")]
    NoCities,
    /// The directory of cities failed.
    #[error("the directory of cities failed")]
    Cities {
        /// What it said.
        said: Value,
        /// What happened.
        #[source]
        source: Arc<DirectoryError>,
    },
    /// Nobody said where the directory of localities is.
    #[error("could not get locality url")]
    NoLocalities,
    /// The directory of localities failed.
    #[error("number locality lookup failed")]
    Localities(#[source] Arc<DirectoryError>),
}

impl NumberService {
    /// Which prefixes the cities have whose names begin so.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`], and those of every read.
    pub async fn city_prefixes(&self, city: &str) -> Result<Value, Error> {
        let settings = self.settings.get().await?;
        let directories = self.settings.directories().await?;
        let url = directories.cities.ok_or(DirectoryFault::NoCities)?;
        let limits = limits(&settings);
        let answer = self.directory.prefixes(&url, &directories.country, city, limits).await;
        answer.map_err(|source| {
            let said = match &source {
                DirectoryError::Refused { said, .. } => said.clone(),
                other => other.to_string().into(),
            };
            DirectoryFault::Cities { said, source: Arc::new(source) }.into()
        })
    }

    /// Where numbers are, as the directory says. What is no number is not asked about.
    ///
    /// # Errors
    ///
    /// [`Error::Directory`], and those of every read.
    pub async fn localities(&self, batch: &Batch) -> Result<Value, Error> {
        let settings = self.settings.get().await?;
        let directories = self.settings.directories().await?;
        let url = directories.localities.ok_or(DirectoryFault::NoLocalities)?;
        let numbers = batch.numbers();
        let mut places = if numbers.is_empty() {
            json!({})
        } else {
            let answer = self.directory.localities(&url, numbers, limits(&settings)).await;
            answer.map_err(|err| DirectoryFault::Localities(Arc::new(err)))?
        };
        for text in batch.given().iter().filter_map(|given| given.as_ref().err()) {
            places[text] = json!({ "status": "error", "message": "not a number" });
        }
        Ok(places)
    }

    /// What the carriers of an account say of numbers that it may want to buy. Ours say that there
    /// is nothing to buy.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`], and those of every read.
    pub async fn check(
        &self,
        account: &AccountId,
        batch: &Batch,
    ) -> Result<Map<String, Value>, Error> {
        let settings = self.settings.get().await?;
        let searcher = self.searcher(None, Some(account), None).await?;
        let carriers = self.searched_carriers(&settings, &searcher).await?;
        let numbers = batch.numbers().to_vec();
        let asked = self.each_outside(&carriers, settings.search.timeout, move |carrier| {
            let numbers = numbers.clone();
            async move { carrier.check(&numbers).await }
        });
        let answers = asked.await;
        let said = |number: &E164| {
            let mut words = answers.iter().filter_map(|(_, said)| said.get(number));
            let best = words.clone().find(|word| *word == "success");
            best.or_else(|| words.next()).map_or(NOT_TO_BE_HAD, String::as_str)
        };
        let word = |given: &Result<E164, String>| given.as_ref().map_or(NOT_TO_BE_HAD, said);
        let row = |given| (key(given).to_owned(), word(given).into());
        Ok(batch.given().iter().map(row).collect())
    }
}

fn limits(settings: &Settings) -> Limits {
    Limits { timeout: settings.search.directory_timeout, bytes: settings.search.directory_bytes }
}
