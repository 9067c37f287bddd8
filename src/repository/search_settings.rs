//! The settings of looking for numbers: the platform's, those of one account, and the addresses of
//! the two directories.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{
    RepositoryError, SETTINGS_DATABASE, SettingsError, SettingsRepository,
    settings::{carriers, flag, text, whole, wrong},
};
use crate::{
    domain::{AccountId, CarrierName, ConfigurationError, account_database},
    store::{Body, DbName},
};

/// The document of an account's own settings, in its database.
const OF_ACCOUNT: &str = "configs_number_manager";
/// The document of tables' settings.
const OF_TASKS: &str = "tasks.numbers";
/// Most milliseconds that anything may be waited for.
const LONGEST_WAIT: i64 = 600_000;
/// Seconds of the two days whose offers are kept, less the one that may just have begun.
const LONGEST_OFFER: i64 = 86_400;

/// How numbers are looked for, bought and given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SearchSettings {
    /// The most numbers that one source is asked for (`maximum_search_quantity`).
    pub quantity: usize,
    /// How long a source may take (`number_search_timeout_ms`).
    pub timeout: Duration,
    /// Whether resellers' customers may look without a token (`unauthorized_numbers_lookup`).
    pub is_open: bool,
    /// For how many seconds what was offered may be taken (`number_offer_ttl_s`).
    pub offer_ttl: i64,
    /// After how many seconds a claim that led to nothing is void (`number_claim_ttl_s`).
    pub claim_ttl: i64,
    /// How long a carrier may take to sell (`number_purchase_timeout_ms`).
    pub purchase_timeout: Duration,
    /// How long a carrier may take to take a number back (`number_disconnect_timeout_ms`).
    pub disconnect_timeout: Duration,
    /// How long who provides a feature may take to put it in place, or to take it off
    /// (`number_provider_timeout_ms`).
    pub provider_timeout: Duration,
    /// The pause in seconds before a carrier is asked again to take a number back, or whether it
    /// sold one (`number_settle_retry_s`); it doubles each time.
    pub settle_retry: i64,
    /// The longest such pause (`number_settle_retry_max_s`).
    pub settle_retry_max: i64,
    /// The most numbers that a carrier may list as ours (`maximum_carrier_list`).
    pub listed: usize,
    /// The most numbers that are generated at once (`maximum_generate_quantity`).
    pub generated: usize,
    /// How long a directory may take (`directory_timeout_ms`).
    pub directory_timeout: Duration,
    /// The most bytes of a directory's answer (`directory_answer_bytes`).
    pub directory_bytes: usize,
}

/// What an account's own settings say of searches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountSearch {
    /// The carriers that are searched for it and its customers.
    pub carriers: Option<Vec<CarrierName>>,
    /// Whether its customers may look without a token.
    pub is_open: Option<bool>,
}

/// Where the directories are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DirectorySettings {
    /// The one that knows the prefixes of cities.
    pub cities: Option<String>,
    /// The country whose cities are meant.
    pub country: String,
    /// The one that knows where a number is.
    pub localities: Option<String>,
}

impl SearchSettings {
    /// Reads them from the members of the settings document.
    pub(super) fn read(members: &Map<String, Value>) -> Result<Self, ConfigurationError> {
        let whole = |key, default, range| whole(members, key, default, range);
        let size = |key, default| size(members, key, default);
        let wait = |key, default| {
            let ms = whole(key, default, 1..=LONGEST_WAIT)?;
            Ok(Duration::from_millis(ms.unsigned_abs()))
        };
        Ok(Self {
            quantity: size("maximum_search_quantity", 500)?,
            timeout: wait("number_search_timeout_ms", 5000)?,
            is_open: flag(members, "unauthorized_numbers_lookup")?.unwrap_or(false),
            offer_ttl: whole("number_offer_ttl_s", 3600, 1..=LONGEST_OFFER)?,
            claim_ttl: whole("number_claim_ttl_s", 60, 1..=LONGEST_OFFER)?,
            purchase_timeout: wait("number_purchase_timeout_ms", 20_000)?,
            disconnect_timeout: wait("number_disconnect_timeout_ms", 30_000)?,
            provider_timeout: wait("number_provider_timeout_ms", 30_000)?,
            settle_retry: whole("number_settle_retry_s", 60, 1..=LONGEST_OFFER)?,
            settle_retry_max: whole("number_settle_retry_max_s", 21_600, 1..=LONGEST_OFFER)?,
            listed: size("maximum_carrier_list", 1_000_000)?,
            generated: size("maximum_generate_quantity", 10_000)?,
            directory_timeout: wait("directory_timeout_ms", 5000)?,
            directory_bytes: size("directory_answer_bytes", 1_000_000)?,
        })
    }
}

impl SettingsRepository {
    /// What an account's own settings say of searches.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`] when they cannot be read, or not be used.
    pub async fn search_of(&self, account: &AccountId) -> Result<AccountSearch, RepositoryError> {
        let db = DbName::new(account_database(account));
        let found = self.store.get(&db, OF_ACCOUNT).await?.live();
        let members = found.map(|found| found.body).unwrap_or_default();
        let read = || {
            let is_open = flag(&members, "unauthorized_numbers_lookup")?;
            Ok(AccountSearch { carriers: carriers(&members)?, is_open })
        };
        read().map_err(unusable)
    }

    /// The carrier of numbers that tables bring in and name no other for.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`] when that cannot be read, or not be used.
    pub async fn carrier_of_imports(&self) -> Result<CarrierName, RepositoryError> {
        const KEY: &str = "import_defaults_to_carrier";
        let found = self.store.get(&DbName::new(SETTINGS_DATABASE), OF_TASKS).await?.live();
        let members = scope(found.map(|found| found.body));
        let read = || match text(&members, KEY)? {
            None => Ok(CarrierName::local()),
            Some(name) => {
                let carrier = CarrierName::given(name);
                carrier.ok_or_else(|| wrong(KEY, "is no name of a carrier".to_owned()))
            }
        };
        read().map_err(unusable)
    }

    /// Where the directories are.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`] when that cannot be read.
    pub async fn directories(&self) -> Result<DirectorySettings, RepositoryError> {
        let ids = ["crossbar.phone_numbers", "number_manager.locality", "number_manager.other"];
        let ids = ids.map(str::to_owned);
        let found = self.store.get_many(&DbName::new(SETTINGS_DATABASE), &ids).await?;
        let mut scopes = found.into_iter().map(|found| scope(found.live().map(|it| it.body)));
        let mut next = || scopes.next().unwrap_or_default();
        let (cities, localities, other) = (next(), next(), next());
        let say = |scope: &Body, key| Ok(text(scope, key)?.map(str::to_owned));
        let read = || {
            Ok(DirectorySettings {
                cities: say(&cities, "phonebook_url")?,
                country: say(&cities, "default_country")?.unwrap_or_else(|| "US".to_owned()),
                localities: match say(&localities, "url")? {
                    Some(url) => Some(url),
                    None => say(&other, "phonebook_url")?,
                },
            })
        };
        read().map_err(unusable)
    }
}

fn unusable(error: ConfigurationError) -> RepositoryError {
    SettingsError::Unusable(error).into()
}

/// The members under `default`.
fn scope(body: Option<Body>) -> Body {
    match body.and_then(|mut body| body.shift_remove("default")) {
        Some(Value::Object(members)) => members,
        _ => Body::new(),
    }
}

fn size(
    members: &Map<String, Value>,
    key: &'static str,
    default: i64,
) -> Result<usize, ConfigurationError> {
    let size = whole(members, key, default, 1..=i64::from(i32::MAX))?;
    Ok(usize::try_from(size).unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn read(members: Value) -> Result<SearchSettings, String> {
        SearchSettings::read(members.as_object().unwrap()).map_err(|err| err.to_string())
    }

    #[test]
    fn what_is_not_said_is_as_kazoo_has_it() {
        let settings = read(json!({})).unwrap();
        assert_eq!((settings.quantity, settings.timeout.as_millis()), (500, 5000));
        assert!(!settings.is_open);
        let members = json!({"maximum_search_quantity": "7", "number_search_timeout_ms": 10});
        let settings = read(members).unwrap();
        assert_eq!((settings.quantity, settings.timeout.as_millis()), (7, 10));
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (members, words) in [
            (json!({"maximum_search_quantity": 0}), "is not a whole number from 1 to 2147483647"),
            (json!({"number_search_timeout_ms": -1}), "is not a whole number from 1 to 600000"),
            (json!({"number_offer_ttl_s": 86_401}), "is not a whole number from 1 to 86400"),
            (json!({"directory_answer_bytes": "x"}), "is not a whole number from 1 to 2147483647"),
        ] {
            let key = members.as_object().unwrap().keys().next().unwrap().clone();
            let wanted = format!("setting `{key}` cannot be used: {words}");
            assert_eq!(read(members).unwrap_err(), wanted);
        }
    }
}
