//! The platform's settings: what an operator tunes while it runs.
//!
//! They lie in `system_config`, document `number_manager`, under `default`, where another program
//! may change them. Reading never writes there. A document that cannot be used is refused whole:
//! the last good one stays in force, over restarts too, since it is kept in our own database.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::{Map, Value};

use super::{
    OWN_DATABASE, SETTINGS_DATABASE, expiry_settings::ExpirySettings,
    search_settings::SearchSettings, write_id,
};
pub(super) use crate::domain::members::{flag, text, texts, whole, wrong};
use crate::{
    domain::{
        CarrierName, ConfigurationError, FeatureRules, Numbering, Prices, ReleaseRules, State,
    },
    store::{Body, DbName, Expect, Lookup, SharedStore, StoreError, WRITE_ID, Write},
};

/// For how long settings that were read count as known, at most.
const REMEMBERED: Duration = Duration::from_secs(5);
/// The document of the settings, in both databases' terms.
const DOCUMENT: &str = "number_manager";
/// The document in which the last good settings are kept.
const LAST_GOOD: &str = "last_good_configuration";
/// The member of that document which holds them.
const KEPT: &str = "settings";

/// What an operator tunes.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How texts become numbers, and what kinds of numbers there are.
    pub numbering: Numbering,
    /// The carrier of new numbers, and of documents that name none.
    pub available_carrier: CarrierName,
    /// The carrier of numbers that a completed port brings in.
    pub port_in_carrier: CarrierName,
    /// The carriers that are searched for numbers.
    pub search_carriers: Vec<CarrierName>,
    /// What becomes of released numbers.
    pub release: ReleaseRules,
    /// Which features numbers may have.
    pub features: FeatureRules,
    /// Whether accounts may take `available` numbers by themselves.
    pub open_purchase: bool,
    /// Whether an open port request says whose a number is that is not stored.
    pub account_from_ports: bool,
    /// How numbers are looked for and bought.
    pub search: SearchSettings,
    /// How long what nobody needs is kept.
    pub expiry: ExpirySettings,
    /// What numbers cost; none when nothing does.
    pub prices: Option<Prices>,
}

/// Why there are no settings to work with.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The document cannot be used, and there is no earlier one.
    #[error("system_config/number_manager cannot be used")]
    Unusable(#[source] ConfigurationError),
    /// The document cannot be read, and nothing was read before.
    #[error("system_config/number_manager cannot be read")]
    Unreadable(#[source] StoreError),
}

/// Reads the settings.
#[derive(Clone, Debug)]
pub struct SettingsRepository {
    pub(super) store: SharedStore,
    known: Arc<Mutex<Option<Known>>>,
    reading: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Clone, Debug)]
struct Known {
    settings: Arc<Settings>,
    /// The members that the settings were read from.
    source: Map<String, Value>,
    /// Why a newer document was refused, if one was.
    refused: Option<String>,
    read_at: Instant,
}

impl SettingsRepository {
    /// Settings of this store.
    #[must_use]
    pub fn new(store: SharedStore) -> Self {
        Self { store, known: Arc::default(), reading: Arc::default() }
    }

    /// The settings in force. What was read in the last five seconds is not read again; when they
    /// cannot be read, or cannot be used, those before stay in force.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] when there are none before.
    pub async fn get(&self) -> Result<Arc<Settings>, SettingsError> {
        if let Some(known) = self.fresh() {
            return Ok(known.settings);
        }
        let _one_at_a_time = self.reading.lock().await;
        if let Some(known) = self.fresh() {
            return Ok(known.settings);
        }
        let known = self.read().await?;
        let settings = known.settings.clone();
        self.remember(known);
        Ok(settings)
    }

    /// The carrier of new numbers as of the last reading; the local one before any.
    #[must_use]
    pub fn carrier_of_new_numbers(&self) -> CarrierName {
        let of = |known: Known| known.settings.available_carrier.clone();
        self.last().map_or_else(CarrierName::local, of)
    }

    /// Why the stored settings are not the ones in force, if they are not.
    #[must_use]
    pub fn refused(&self) -> Option<String> {
        self.last().and_then(|known| known.refused)
    }

    /// Reads the settings now, whatever is known. When they cannot be read they are soon again.
    pub(super) async fn read_again(&self) {
        let _one_at_a_time = self.reading.lock().await;
        if let Ok(known) = self.read().await {
            self.remember(known);
        }
    }

    async fn read(&self) -> Result<Known, SettingsError> {
        let source = match self.stored().await {
            Ok(source) => source,
            Err(err) => {
                let last = self.last().ok_or(SettingsError::Unreadable(err))?;
                return Ok(Known { read_at: Instant::now(), ..last });
            }
        };
        if let Some(last) = self.last().filter(|last| last.source == source) {
            return Ok(Known { refused: None, read_at: Instant::now(), ..last });
        }
        match Settings::read(&source) {
            Ok(settings) => {
                self.keep(&source).await;
                Ok(known(settings, source, None))
            }
            Err(err) => self.fall_back(err).await,
        }
    }

    /// The last good settings: those in force, else those that were kept.
    async fn fall_back(&self, err: ConfigurationError) -> Result<Known, SettingsError> {
        let refused = Some(err.to_string());
        if let Some(last) = self.last() {
            if last.refused != refused {
                tracing::error!(error = %err, "the stored settings are refused; the last good ones stay");
            }
            return Ok(Known { refused, read_at: Instant::now(), ..last });
        }
        tracing::error!(error = %err, "the stored settings are refused; the kept ones are used");
        let kept = match self.store.get(&DbName::new(OWN_DATABASE), LAST_GOOD).await {
            Ok(kept) => kept.live(),
            Err(err) => return Err(SettingsError::Unreadable(err)),
        };
        let source = kept.and_then(|kept| kept.body.get(KEPT).and_then(Value::as_object).cloned());
        let Some(source) = source else {
            return Err(SettingsError::Unusable(err));
        };
        let settings = Settings::read(&source).map_err(SettingsError::Unusable)?;
        Ok(known(settings, source, refused))
    }

    /// The members under `default`; none when there is no document.
    async fn stored(&self) -> Result<Map<String, Value>, StoreError> {
        let found = self.store.get(&DbName::new(SETTINGS_DATABASE), DOCUMENT).await?.live();
        let scope = found.and_then(|found| found.body.get("default").cloned());
        Ok(match scope {
            Some(Value::Object(members)) => members,
            _ => Map::new(),
        })
    }

    /// Keeps good settings for a start at which the document has become bad. That they could not be
    /// kept is no reason not to work with them.
    async fn keep(&self, source: &Map<String, Value>) {
        let db = DbName::new(OWN_DATABASE);
        let expect = match self.store.get(&db, LAST_GOOD).await {
            Ok(Lookup::Live(kept))
                if kept.body.get(KEPT).and_then(Value::as_object) == Some(source) =>
            {
                return;
            }
            Ok(Lookup::Live(kept)) => Expect::At(kept.rev),
            Ok(Lookup::Deleted(_) | Lookup::Missing) => Expect::Absent,
            Err(err) => return tracing::warn!(error = %err, "the settings could not be kept"),
        };
        let body = Body::from_iter([
            (KEPT.to_owned(), Value::Object(source.clone())),
            (WRITE_ID.to_owned(), write_id().into()),
        ]);
        if let Err(err) = self.store.commit(vec![Write::put(db, LAST_GOOD, expect, body)]).await {
            tracing::warn!(error = %err.error, "the settings could not be kept");
        }
    }

    fn fresh(&self) -> Option<Known> {
        self.last().filter(|known| known.read_at.elapsed() < REMEMBERED)
    }

    fn last(&self) -> Option<Known> {
        self.known.lock().expect("no panic while holding this lock").clone()
    }

    fn remember(&self, known: Known) {
        *self.known.lock().expect("no panic while holding this lock") = Some(known);
    }
}

fn known(settings: Settings, source: Map<String, Value>, refused: Option<String>) -> Known {
    Known { settings: Arc::new(settings), source, refused, read_at: Instant::now() }
}

impl Settings {
    /// Reads the members of the settings document; what is absent has its default.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] names the first member that cannot be used.
    pub fn read(members: &Map<String, Value>) -> Result<Self, ConfigurationError> {
        let available =
            carrier(members, &["available_module_name"])?.unwrap_or_else(CarrierName::local);
        let ports = carrier(members, &["port_in_module_name", "porting_module_name"])?;
        let numbering = Numbering::from_settings(members)?;
        Ok(Self {
            prices: Prices::from_settings(members, &numbering)?,
            numbering,
            search_carriers: carriers(members)?.unwrap_or_else(|| vec![available.clone()]),
            available_carrier: available,
            port_in_carrier: ports.unwrap_or_else(CarrierName::local),
            release: read_release(members)?,
            features: read_features(members)?,
            open_purchase: flag(members, "open_purchase")?.unwrap_or(true),
            account_from_ports: flag(members, "fetch_account_from_ports")?.unwrap_or(true),
            search: SearchSettings::read(members)?,
            expiry: ExpirySettings::read(members)?,
        })
    }
}

/// What may become of a released number.
const RELEASED: [State; 4] = [State::Aging, State::Available, State::Released, State::Deleted];

fn read_release(members: &Map<String, Value>) -> Result<ReleaseRules, ConfigurationError> {
    let released_state = match text(members, "released_state")? {
        None => State::Aging,
        Some(text) => {
            State::parse(text).ok().filter(|it| RELEASED.contains(it)).ok_or_else(|| {
                let reason = format!("`{text}` is not one of aging, available, released, deleted");
                wrong("released_state", reason)
            })?
        }
    };
    Ok(ReleaseRules {
        released_state,
        should_age: flag(members, "should_age")?.unwrap_or(false),
        should_permanently_delete: flag(members, "should_permanently_delete")?.unwrap_or(false),
    })
}

/// The features; the list `providers` of older configurations stands in for a missing list.
fn read_features(members: &Map<String, Value>) -> Result<FeatureRules, ConfigurationError> {
    let lists = match members.get("features") {
        None | Some(Value::Null) => Map::new(),
        Some(Value::Object(lists)) => lists.clone(),
        Some(_) => return Err(wrong("features", "is not an object".to_owned())),
    };
    let default = FeatureRules::default();
    let allow = match texts(&lists, "allow")? {
        Some(allow) => Some(allow),
        None => texts(members, "providers")?,
    };
    let provider = |key| text(members, key).map(|name| name.map(str::to_owned));
    Ok(FeatureRules {
        allow: allow.unwrap_or(default.allow),
        deny: texts(&lists, "deny")?,
        local_override: flag(members, "local_feature_override")?.unwrap_or(false),
        cnam_provider: provider("cnam_provider")?.unwrap_or(default.cnam_provider),
        e911_provider: provider("e911_provider")?.unwrap_or(default.e911_provider),
    })
}

pub(super) fn carriers(
    members: &Map<String, Value>,
) -> Result<Option<Vec<CarrierName>>, ConfigurationError> {
    let names = texts(members, "carrier_modules")?;
    Ok(names.map(|names| names.iter().filter_map(|name| CarrierName::read(name)).collect()))
}

/// The carrier under the first of these keys that is there.
fn carrier(
    members: &Map<String, Value>,
    keys: &[&'static str],
) -> Result<Option<CarrierName>, ConfigurationError> {
    for key in keys {
        if let Some(name) = text(members, key)? {
            return Ok(CarrierName::read(name));
        }
    }
    Ok(None)
}
