//! Numbers, accounts and settings as documents.
//!
//! Read in this order: `codec` (the only file that knows stored field names of numbers), `numbers`
//! (reading and saving them), `mirror` (the copies in account databases), `charges` (what they
//! cost), `ports` (the numbers in port requests), `accounts`, `settings`, `feature_settings` (what
//! resellers and carriers say), `transfer` (documents that move between stores), `keys`, `revoked` (tokens that are denied), `requests` (what was answered to requests that carried a
//! key). `available`, `stock` and `offers` are about numbers that nobody holds yet, `purchases`
//! about those that are being bought, `disconnects` about those that are given back, `leftovers` about what providers of features are
//! still to be told and humans to be written, `dated` about the databases that are dropped whole. `jobs` and
//! `journal` hold long work and what it writes, `carry_out` does it. `feeds` is what changed in
//! databases, for who keeps the copies true; `events` is what became of numbers, for who wants to be
//! told; `digest` is what documents come to, for who compares them; `trail` is who wrote numbers, and how;
//! `webhooks` is who is told of changes by calls.

mod accounts;
mod audits;
mod available;
mod carry_out;
mod charges;
mod codec;
mod dated;
mod digest;
mod disconnects;
mod events;
mod expiry_settings;
mod feature_settings;
mod feeds;
mod inspect;
mod jobs;
mod journal;
mod keys;
mod leftovers;
mod mirror;
mod numbers;
mod offers;
mod open_matters;
mod port_requests;
mod ports;
mod purchases;
mod requests;
mod revoked;
mod search_settings;
mod settings;
mod settings_documents;
mod stock;
mod trail;
mod transfer;
mod views;
mod webhooks;

pub use crate::store::{Application, LocalWrites, Seq};
pub use accounts::{Account, AccountRepository, BelowPage};
pub use audits::LastAudit;
pub use available::Standing;
pub use carry_out::{Applied, Way};
pub use codec::{UndecodableField, decode, encode};
pub use disconnects::{Disconnect, DisconnectLookup};
pub use events::{Cursor, Event, EventPage, EventRepository, EventsError, NoCursor};
pub use expiry_settings::ExpirySettings;
pub use feature_settings::FeatureSettingsRepository;
pub use feeds::{
    Feed, FeedPage, FeedRepository, FeedUpdates, FollowerLease, Following, StoredLease, Unsettled,
};
pub use inspect::{FoundCopy, Inspection, Version};
pub use jobs::{
    ActiveJob, ClaimedTurn, DoneUnits, Findings, Job, JobFailure, JobRepository, JobState,
    JournalPart, Lease, RecordedPage, Report, ResultPage, ResultReading, RowResult, RowTally,
    StoredJob, Tally, Task, TaskChunk, Wanted,
};
pub use journal::{Plan, PlannedSet, RecordedSet};
pub use keys::{KeyRepository, KeysError, StoredKey, StoredKeys, rotated};
pub use leftovers::{Left, Leftover, Matter};
pub use mirror::MirrorStatus;
pub use numbers::{
    CarrierPage, Cleared, Condition, Contradiction, CopyWrite, Counterpart, Decision, Displaced,
    Drift, FingerprintPage, Grounds, Happening, HeldPage, Look, Looked, NumberRepository, Opened,
    OwnersPage, Pick, PickedPage, Saved, Seen, SeenPage, Source, SourcePage, Span, Stored, Sum,
    Summed, Suspects, Unequal, Unlike, Vacancy,
};
pub use offers::Offer;
pub use open_matters::OpenPage;
pub use port_requests::{PortRequest, PortRequestPage};
pub use ports::{Port, PortRepository};
pub use purchases::Purchase;
pub use requests::{Claim, Claimed, RequestRepository};
pub use revoked::RevokedRepository;
pub use search_settings::{AccountSearch, DirectorySettings, SearchSettings};
pub use settings::{Settings, SettingsError, SettingsRepository};
pub use settings_documents::{SettingsDocument, SettingsName};
pub use stock::{Generated, StockItem};
pub use trail::{Caller, Entry, History, HistoryKey, Origin, Side};
pub use transfer::{Arrival, Moved, TransferRepository};
pub use webhooks::{Progress, Receiver, StoredProgress, WebhookRepository};

use crate::{
    domain::ConfigurationError,
    store::{DbName, Kind, StoreError},
};

/// The database of this service's own documents: keys, leases, the last good configuration.
pub const OWN_DATABASE: &str = "number_manager";
/// The database of the platform's settings.
pub const SETTINGS_DATABASE: &str = "system_config";
/// The database with a copy of every account's document.
pub const ACCOUNTS_DATABASE: &str = "accounts";

/// The databases that must exist before anything else.
#[must_use]
pub fn system_databases() -> Vec<DbName> {
    [OWN_DATABASE, SETTINGS_DATABASE, ACCOUNTS_DATABASE, jobs::DATABASE].map(DbName::new).to_vec()
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
    /// A reseller's or a carrier's settings cannot be used.
    #[error("{document} cannot be used")]
    Configuration {
        /// The database and the document.
        document: String,
        /// What is wrong.
        #[source]
        source: ConfigurationError,
    },
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
    /// Whether the database is not there.
    #[must_use]
    pub fn is_of_no_database(&self) -> bool {
        matches!(self, Self::Store(err) if err.kind == Kind::NoDatabase)
    }

    /// Whether a write that failed with this may have happened all the same.
    #[must_use]
    pub fn leaves_doubt(&self) -> bool {
        self.kind() == ErrorKind::Unavailable
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Conflict { .. } => ErrorKind::Conflict,
            Self::Undecodable { .. } => ErrorKind::Faulty,
            Self::Settings(SettingsError::Unusable(_)) | Self::Configuration { .. } => {
                ErrorKind::Configuration
            }
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
