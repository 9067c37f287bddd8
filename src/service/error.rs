//! Why an operation did not happen.

use std::sync::Arc;

use super::{DirectoryFault, Moved, batch::NumbersRepeat, billing::Invoice};
use crate::{
    carriers::CarrierError,
    domain::{
        AccountId, CarrierName, ConfigurationError, CreationDenied, E164, InvalidTransition,
        Refused,
    },
    providers::{DeniedFeature, ProviderError},
    repository::{ErrorKind, RepositoryError},
};

/// Why an operation did not happen. Nothing was changed, unless a variant says otherwise.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is no such number, or it is not the caller's to know.
    #[error("number {0} not found")]
    NotFound(E164),
    /// The text, as given, is no number.
    #[error("number {0} is not reconcilable")]
    NotReconcilable(String),
    /// The number is held already.
    #[error("number {0} already exists")]
    Exists(E164),
    /// The number is in an open port request.
    #[error("number {0} is porting")]
    Porting(E164),
    /// The caller may not do that.
    #[error("requestor is unauthorized to perform operation")]
    Forbidden {
        /// What is not allowed, when there is more to say.
        cause: Option<String>,
    },
    /// The lifecycle has no such step.
    #[error("invalid state transition")]
    InvalidTransition {
        /// The step, as `from A to B`.
        cause: Option<String>,
    },
    /// The account has the number already.
    #[error("no change required")]
    NoChange,
    /// The number cannot be given to that account.
    #[error("invalid account to assign to")]
    AssignFailure {
        /// Why.
        cause: String,
    },
    /// A value is wrong.
    #[error("invalid")]
    Invalid {
        /// Which, and why.
        cause: String,
    },
    /// There is no such account.
    #[error("account {0} not found")]
    NoAccount(AccountId),
    /// Another account of that id exists already.
    #[error("account {0} already exists")]
    AccountExists(AccountId),
    /// No such carrier: the text as given.
    #[error("Bad carrier module: {0}")]
    UnknownCarrier(String),
    /// There is no such document of settings.
    #[error("there are no settings {0}")]
    NoConfig(String),
    /// A setting cannot be used.
    #[error(transparent)]
    Setting(ConfigurationError),
    /// Numbers would no longer be themselves.
    #[error("{} numbers would no longer be themselves", .0.count)]
    WouldMove(Moved),
    /// There is no such feature.
    #[error("feature {0} is not known")]
    UnknownFeature(String),
    /// The document is no longer at the revision that the caller named.
    #[error("the document was changed")]
    PreconditionFailed,
    /// Two of the numbers that a request names are the same.
    #[error("some numbers appear twice")]
    Repeated,
    /// What was asked for costs something, and the caller did not accept that.
    #[error("charges are not accepted")]
    ChargesNotAccepted(Vec<Invoice>),
    /// Somebody else kept changing the same document.
    #[error("datastore conflict")]
    Conflict,
    /// The carrier that the number must be bought from cannot be asked.
    #[error("fault by carrier")]
    Carrier {
        /// The number.
        number: E164,
        /// The carrier.
        carrier: CarrierName,
        /// Why, for administrators only.
        reason: Option<CarrierError>,
    },
    /// A carrier does not say which of its numbers are ours.
    #[error("carrier {carrier} gives no list of our numbers: {reason}")]
    NoList {
        /// The carrier.
        carrier: CarrierName,
        /// Why.
        reason: CarrierError,
    },
    /// Nobody may look for numbers there without a token.
    #[error("number search restricted")]
    SearchRestricted,
    /// There is no such reseller.
    #[error("nonexistent reseller_id")]
    NoReseller,
    /// A directory of places is not known, or of no help.
    #[error(transparent)]
    Directory(#[from] DirectoryFault),
    /// Who provides a feature did not.
    #[error(transparent)]
    Provider(#[from] ProviderError),
    /// The stored configuration cannot be used, and no earlier one is known.
    #[error("the configuration cannot be used")]
    Configuration(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The store cannot be reached or is overloaded. A write may have happened or not.
    #[error("datastore unreachable")]
    Unavailable(#[source] Arc<dyn std::error::Error + Send + Sync>),
    /// The store answered something that we do not understand, or holds a document that cannot be
    /// read.
    #[error("datastore fault")]
    Store(#[source] Arc<dyn std::error::Error + Send + Sync>),
}

impl From<RepositoryError> for Error {
    fn from(err: RepositoryError) -> Self {
        match err.kind() {
            ErrorKind::Conflict => Self::Conflict,
            ErrorKind::Configuration => Self::Configuration(Arc::new(err)),
            ErrorKind::Unavailable => Self::Unavailable(Arc::new(err)),
            ErrorKind::Faulty => Self::Store(Arc::new(err)),
        }
    }
}

impl From<crate::repository::SettingsError> for Error {
    fn from(err: crate::repository::SettingsError) -> Self {
        RepositoryError::from(err).into()
    }
}

impl From<Refused> for Error {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Forbidden => Self::forbidden(),
            Refused::Transition(err) => err.into(),
            Refused::NoChange => Self::NoChange,
        }
    }
}

impl From<DeniedFeature> for Error {
    fn from(denied: DeniedFeature) -> Self {
        Self::Forbidden { cause: Some(denied.to_string()) }
    }
}

impl From<NumbersRepeat> for Error {
    fn from(_: NumbersRepeat) -> Self {
        Self::Repeated
    }
}

impl From<InvalidTransition> for Error {
    fn from(err: InvalidTransition) -> Self {
        Self::InvalidTransition { cause: err.cause }
    }
}

impl From<CreationDenied> for Error {
    fn from(err: CreationDenied) -> Self {
        Self::Forbidden { cause: Some(err.cause) }
    }
}

impl Error {
    /// The caller may not do that, and there is no more to say.
    pub(super) fn forbidden() -> Self {
        Self::Forbidden { cause: None }
    }

    /// Whether the request itself is refused, and not for what happened to us.
    pub(super) fn is_of_caller(&self) -> bool {
        !matches!(
            self,
            Self::Conflict | Self::Configuration(_) | Self::Unavailable(_) | Self::Store(_)
        )
    }

    /// The id of the error, as answers and reports name it.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::NotFound(_)
            | Self::NoAccount(_)
            | Self::NoConfig(_)
            | Self::SearchRestricted
            | Self::NoReseller => "not_found",
            Self::NotReconcilable(_) => "not_reconcilable",
            Self::Exists(_) => "number_exists",
            Self::Porting(_) => "number_is_porting",
            Self::Forbidden { .. } => "forbidden",
            Self::InvalidTransition { .. } => "invalid_state_transition",
            Self::NoChange => "no_change_required",
            Self::AssignFailure { .. } => "assign_failure",
            Self::Invalid { .. }
            | Self::UnknownCarrier(_)
            | Self::UnknownFeature(_)
            | Self::Setting(_)
            | Self::Repeated
            | Self::Provider(ProviderError::Invalid { .. }) => "invalid",
            Self::WouldMove(_) => "numbers_would_move",
            Self::AccountExists(_) => "account_exists",
            Self::ChargesNotAccepted(_) => "accept_charges",
            Self::PreconditionFailed => "precondition_failed",
            Self::Conflict => "datastore_conflict",
            Self::Provider(ProviderError::Absent { .. }) => "not_implemented",
            Self::Provider(ProviderError::Choices { .. }) => "multiple_choice",
            Self::Carrier { .. }
            | Self::NoList { .. }
            | Self::Directory(_)
            | Self::Provider(ProviderError::Failed { .. }) => "unspecified_fault",
            Self::Configuration(_) | Self::Store(_) => "datastore_fault",
            Self::Unavailable(_) => "datastore_unreachable",
        }
    }
}
