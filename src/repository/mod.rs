//! Numbers, accounts and settings as documents.
//!
//! Read in this order: `codec` (the only file that knows stored field names of numbers), `numbers`
//! (reading and saving them), `mirror` (the copies in account databases), `ports` (the numbers in
//! port requests), `accounts`, `settings`, `keys`, `requests` (what was answered to requests that
//! carried a key).

mod accounts;
mod codec;
mod inspect;
mod keys;
mod mirror;
mod numbers;
mod ports;
mod requests;
mod settings;
mod settings_documents;

pub use accounts::{Account, AccountRepository};
pub use codec::{UndecodableField, decode, encode};
pub use inspect::{AppDocument, FoundCopy, Inspection, Version};
pub use keys::{KeyRepository, KeysError, StoredKey, StoredKeys};
pub use mirror::MirrorStatus;
pub use numbers::{
    CarrierPage, Decision, HeldPage, NumberRepository, Opened, Saved, Span, Stored, Unlike, Vacancy,
};
pub use ports::{Port, PortRepository};
pub use requests::{Claim, Claimed, RequestRepository};
pub use settings::{Settings, SettingsError, SettingsRepository};
pub use settings_documents::{SettingsDocument, SettingsName};

use crate::store::{DbName, Kind, StoreError};

/// The database of this service's own documents: keys, leases, the last good configuration.
pub const OWN_DATABASE: &str = "number_manager";
/// The database of the platform's settings.
pub const SETTINGS_DATABASE: &str = "system_config";
/// The database with a copy of every account's document.
pub const ACCOUNTS_DATABASE: &str = "accounts";

/// The databases that must exist before anything else.
#[must_use]
pub fn system_databases() -> Vec<DbName> {
    [OWN_DATABASE, SETTINGS_DATABASE, ACCOUNTS_DATABASE].map(DbName::new).to_vec()
}

/// Why documents could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// Somebody else wrote the document first; nothing was written.
    #[error("document {id} was changed by someone else")]
    Conflict {
        /// The document.
        id: String,
    },
    /// A stored document that is not what its id says.
    #[error("document {id} cannot be read")]
    Undecodable {
        /// The document.
        id: String,
        /// Where it fails.
        #[source]
        source: UndecodableField,
    },
    /// The settings cannot be used, and no earlier ones are known.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What a caller can do about a [`RepositoryError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorKind {
    /// Read, decide and write again.
    Conflict,
    /// Repair the settings.
    Configuration,
    /// Try later.
    Unavailable,
    /// Look at the store.
    Faulty,
}

impl RepositoryError {
    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::Undecodable { .. } => ErrorKind::Faulty,
            Self::Settings(SettingsError::Unusable(_)) => ErrorKind::Configuration,
            Self::Settings(SettingsError::Unreadable(err)) | Self::Store(err) => match err.kind {
                Kind::Conflict | Kind::Unavailable => ErrorKind::Unavailable,
                Kind::NoDatabase | Kind::Denied | Kind::Refused | Kind::Unexpected => {
                    ErrorKind::Faulty
                }
            },
        }
    }
}

/// A name for one write, unlike every other.
#[must_use]
pub(crate) fn write_id() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
