//! What resellers and carriers say about features: the document `configs_number_manager` in a
//! reseller's own database, and `number_manager.{carrier}` beside the platform's settings.

use std::{sync::Arc, time::Duration};

use moka::future::Cache;
use serde_json::{Map, Value};

use super::{
    RepositoryError, SETTINGS_DATABASE,
    settings::{flag, text, texts, wrong},
};
use crate::{
    domain::{
        AccountId, Activation, CarrierFeatures, CarrierName, ConfigurationError, Messaging,
        ResellerFeatures, account_database,
    },
    store::{Body, DbName, Kind, SharedStore, StoreError},
};

/// For how long what was read counts as known, at most.
const REMEMBERED: Duration = Duration::from_secs(5);
/// How many resellers, and how many carriers, are remembered at most.
const REMEMBERED_DOCUMENTS: u64 = 10_000;
/// The document of an account's own settings.
const ACCOUNT_DOCUMENT: &str = "configs_number_manager";
/// What a carrier's document is called, before its name.
const CARRIER_DOCUMENT: &str = "number_manager";

/// Reads what resellers and carriers say about features.
#[derive(Clone, Debug)]
pub struct FeatureSettingsRepository {
    store: SharedStore,
    resellers: Cache<AccountId, Arc<ResellerFeatures>>,
    carriers: Cache<CarrierName, Arc<CarrierFeatures>>,
}

impl FeatureSettingsRepository {
    /// The settings of this store.
    #[must_use]
    pub fn new(store: SharedStore) -> Self {
        let (resellers, carriers) = (
            Cache::builder().max_capacity(REMEMBERED_DOCUMENTS).time_to_live(REMEMBERED).build(),
            Cache::builder().max_capacity(REMEMBERED_DOCUMENTS).time_to_live(REMEMBERED).build(),
        );
        Self { store, resellers, carriers }
    }

    /// What a reseller says. What was read in the last five seconds is not read again.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Configuration`] when it cannot be used, [`RepositoryError::Store`].
    pub async fn of_reseller(
        &self,
        reseller: &AccountId,
    ) -> Result<Arc<ResellerFeatures>, RepositoryError> {
        let read = async {
            let db = DbName::new(account_database(reseller));
            let members = self.members(&db, ACCOUNT_DOCUMENT).await?;
            let read = read_reseller(&members);
            read.map(Arc::new).map_err(|err| unusable(&db, ACCOUNT_DOCUMENT, err))
        };
        let read = self.resellers.try_get_with_by_ref(reseller, read).await;
        read.map_err(|unread: Arc<Unread>| unread.again())
    }

    /// How a carrier does messages. What was read in the last five seconds is not read again.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Configuration`] when it cannot be used, [`RepositoryError::Store`].
    pub async fn of_carrier(
        &self,
        carrier: &CarrierName,
    ) -> Result<Arc<CarrierFeatures>, RepositoryError> {
        let read = async {
            let db = DbName::new(SETTINGS_DATABASE);
            let name = carrier.short().unwrap_or(carrier.as_str());
            let document = format!("{CARRIER_DOCUMENT}.{name}");
            let members = match self.members(&db, &document).await?.shift_remove("default") {
                Some(Value::Object(members)) => members,
                _ => Map::new(),
            };
            read_carrier(&members).map(Arc::new).map_err(|err| unusable(&db, &document, err))
        };
        let read = self.carriers.try_get_with_by_ref(carrier, read).await;
        read.map_err(|unread: Arc<Unread>| unread.again())
    }

    /// The members of a document; none when there is none.
    async fn members(&self, db: &DbName, id: &str) -> Result<Body, Unread> {
        match self.store.get(db, id).await {
            Ok(found) => Ok(found.live().map(|found| found.body).unwrap_or_default()),
            Err(err) if err.kind == Kind::NoDatabase => Ok(Body::new()),
            Err(err) => Err(err.into()),
        }
    }
}

/// Why a document says nothing, told to everybody who waited for it.
enum Unread {
    Store(StoreError),
    Unusable { document: String, source: ConfigurationError },
}

impl From<StoreError> for Unread {
    fn from(err: StoreError) -> Self {
        Self::Store(err)
    }
}

impl Unread {
    fn again(&self) -> RepositoryError {
        match self {
            Self::Store(err) => err.again().into(),
            Self::Unusable { document, source } => {
                let (document, source) = (document.clone(), source.clone());
                RepositoryError::Configuration { document, source }
            }
        }
    }
}

fn unusable(db: &DbName, id: &str, source: ConfigurationError) -> Unread {
    Unread::Unusable { document: format!("{}/{id}", db.as_str()), source }
}

fn read_reseller(members: &Map<String, Value>) -> Result<ResellerFeatures, ConfigurationError> {
    let lists = object(members, "features")?;
    Ok(ResellerFeatures {
        allow: texts(&lists, "allow")?,
        deny: texts(&lists, "deny")?,
        cnam_provider: text(members, "cnam_provider")?.map(str::to_owned),
        e911_provider: text(members, "e911_provider")?.map(str::to_owned),
    })
}

fn read_carrier(members: &Map<String, Value>) -> Result<CarrierFeatures, ConfigurationError> {
    let features = object(members, "features")?;
    Ok(CarrierFeatures {
        sms: read_messaging(&object(&features, "sms")?)?,
        mms: read_messaging(&object(&features, "mms")?)?,
    })
}

fn read_messaging(members: &Map<String, Value>) -> Result<Messaging, ConfigurationError> {
    let activation = match text(members, "activation")? {
        None | Some("auto") => Activation::Auto,
        Some("manual") => Activation::Manual,
        Some(other) => {
            let reason = format!("`{other}` is neither auto nor manual");
            return Err(wrong("activation", reason));
        }
    };
    Ok(Messaging {
        enabled: flag(members, "enabled")?.unwrap_or(false),
        activation,
        notify: texts(members, "activation_notify_to")?.unwrap_or_default(),
    })
}

/// The object under `key`; an empty one when it is absent.
fn object(
    members: &Map<String, Value>,
    key: &'static str,
) -> Result<Map<String, Value>, ConfigurationError> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(_) => Err(wrong(key, "is not an object".to_owned())),
    }
}
