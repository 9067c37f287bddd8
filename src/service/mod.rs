//! What can be done with a number: one file per operation, each an `impl` block of
//! [`NumberService`].

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::domain::{AccountId, Actor, CarrierName, E164, Lineage, Number, State};

/// Everything that can be done with numbers.
#[derive(Clone, Debug)]
pub struct NumberService {}

/// A number as it was read or saved, and what an answer says about it.
#[derive(Clone, Debug)]
pub struct NumberView {
    /// The number.
    pub number: Number,
    /// The revision of its document: the strong `ETag`. `None` when the document is gone.
    pub revision: Option<String>,
    /// The features that it may have, sorted.
    pub features_available: Vec<String>,
    /// Whether the copies in account databases are known to be right.
    pub mirror: Mirror,
}

/// How the copy in the account's database stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mirror {
    /// Equal to the number document.
    Synced,
    /// The number is stored; its copy follows.
    Pending,
}

/// What an administrator is shown of a number wherever it is.
#[derive(Clone, Debug)]
pub struct NumberRecord {
    /// The number.
    pub view: NumberView,
    /// The database of the number document, not encoded.
    pub database: String,
    /// What is wrong with the copies: `missing`, `stale`, `extra`, `conflicting`; empty when right.
    pub drift: Vec<&'static str>,
}

/// What a request wants to be written when a number is created.
#[derive(Clone, Debug, Default)]
pub struct Creation {
    /// The public members.
    pub public: Map<String, Value>,
    /// The state asked for (`create_with_state`).
    pub state: Option<State>,
    /// The carrier asked for (`carrier_name`), as given.
    pub carrier: Option<String>,
}

/// How the public members of a number change.
#[derive(Clone, Debug)]
pub enum Update {
    /// These and no others.
    Replace(Map<String, Value>),
    /// Merged deep; `null` deletes.
    Merge(Map<String, Value>),
}

/// A page of an account's numbers.
#[derive(Clone, Debug)]
pub struct Listing {
    /// The numbers, in the order of the page.
    pub numbers: Vec<NumberView>,
    /// The first number of the page, as the request or the data says.
    pub start: Option<E164>,
    /// Where the next page begins; `None` on the last.
    pub next: Option<E164>,
    /// How many numbers the account's descendants hold that are billed to it.
    pub cascade_quantity: u64,
}

/// Which of an account's numbers are listed.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// The first number of the page.
    pub start: Option<String>,
    /// The last number of the list.
    pub end: Option<String>,
    /// Whether the list begins with the highest number.
    pub descending: bool,
    /// The most numbers in the page; `None` for all.
    pub page_size: Option<usize>,
    /// What the stored document must satisfy.
    pub filters: Vec<Filter>,
}

/// A condition on the stored document. Paths are dotted; the wire's names for private members
/// (`state`, `assigned_to`, `locality`, `created`, `modified`) are translated by the service.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// The member equals one of these, as text.
    Is(String, Vec<String>),
    /// The member equals none of these, as text.
    IsNot(String, Vec<String>),
    /// The member is present.
    HasKey(String),
    /// The member is absent.
    KeyMissing(String),
    /// The member is present and not empty.
    HasValue(String),
    /// The member is absent or empty.
    ValueMissing(String),
    /// The member is a number of at least this.
    From(String, i64),
    /// The member is a number of at most this.
    To(String, i64),
}

/// The carriers as a user interface needs them.
#[derive(Clone, Debug)]
pub struct CarriersInfo {
    /// The longest prefix that every searched carrier understands, in digits.
    pub maximal_prefix_length: u8,
    /// The carriers that a number can be given, without `knm_`.
    pub usable_carriers: Vec<String>,
    /// The states in which the caller may create numbers.
    pub usable_creation_states: &'static [State],
}

/// An account as the wire shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// Its name.
    pub name: String,
    /// Its ancestors, root first.
    pub ancestors: Vec<AccountId>,
    /// The account that bills it.
    pub reseller: Option<AccountId>,
    /// Whether it bills its descendants.
    pub is_reseller: bool,
    /// Whether it may add numbers.
    pub may_add_numbers: bool,
    /// Whether it is in use.
    pub enabled: bool,
    /// Whether it runs the platform.
    pub is_admin: bool,
}

/// An account to be created.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its name.
    pub name: String,
    /// The account above it; `None` for a root.
    pub parent: Option<AccountId>,
    /// Whether it bills its descendants.
    pub is_reseller: bool,
    /// Whether it may add numbers.
    pub may_add_numbers: bool,
    /// Whether it is in use.
    pub enabled: bool,
}

/// How many numbers each carrier has, under the name that is stored; `null` for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierUsage {
    /// By database (its name not encoded), then by carrier.
    pub databases: BTreeMap<String, BTreeMap<String, u64>>,
}

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
    /// Numbers converted, sorted.
    pub converted: Vec<String>,
    /// Numbers that had the target's name already.
    pub unchanged: u64,
    /// Numbers that were not converted, with the reason, sorted.
    pub failed: Vec<(String, Failure)>,
}

/// Why one number of many was not changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The error's id (`not_found`, `datastore_conflict`).
    pub error: String,
    /// The same in words.
    pub message: String,
}

/// Why an operation did not happen. Nothing was changed, unless a variant says otherwise.
#[derive(Debug, thiserror::Error)]
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
    /// The document is no longer at the revision that the caller named.
    #[error("the document was changed")]
    PreconditionFailed,
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
    },
    /// The stored configuration cannot be used, and no earlier one is known.
    #[error("the configuration cannot be used")]
    Configuration(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store cannot be reached or is overloaded. A write may have happened or not.
    #[error("datastore unreachable")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The store answered something that we do not understand, or holds a document that cannot be
    /// read.
    #[error("datastore fault")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

#[expect(clippy::unused_async, clippy::unused_self, unused_variables, reason = "written next")]
impl NumberService {
    /// The number that `input` means, in any dialled form.
    ///
    /// # Errors
    ///
    /// [`Error::NotReconcilable`].
    pub async fn parse(&self, input: &str) -> Result<E164, Error> {
        todo!()
    }
    /// Reads a number. What the caller may not see is [`Error::NotFound`].
    pub async fn get(&self, actor: &Actor, number: &E164) -> Result<NumberView, Error> {
        todo!()
    }
    /// Reads any number with what is known of its copies; administrators only.
    pub async fn record(&self, actor: &Actor, number: &E164) -> Result<NumberRecord, Error> {
        todo!()
    }
    /// Creates a number for an account. `if_match`: the revision that the document must be at.
    pub async fn create(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
        creation: Creation,
        if_match: Option<&str>,
    ) -> Result<NumberView, Error> {
        todo!()
    }
    /// Changes what is written on a number. `carrier`: the new carrier, for administrators.
    pub async fn update(
        &self,
        actor: &Actor,
        number: &E164,
        update: Update,
        carrier: Option<String>,
        if_match: Option<&str>,
    ) -> Result<NumberView, Error> {
        todo!()
    }
    /// Puts a number in service for an account. `public` replaces what is written on it, unless empty.
    pub async fn activate(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
        public: Map<String, Value>,
        if_match: Option<&str>,
    ) -> Result<NumberView, Error> {
        todo!()
    }
    /// Reserves a number for an account.
    pub async fn reserve(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
        if_match: Option<&str>,
    ) -> Result<NumberView, Error> {
        todo!()
    }
    /// Releases a number.
    pub async fn release(
        &self,
        actor: &Actor,
        number: &E164,
        if_match: Option<&str>,
    ) -> Result<NumberView, Error> {
        todo!()
    }
    /// Deletes a number outright; administrators only.
    pub async fn delete(
        &self,
        actor: &Actor,
        number: &E164,
        if_match: Option<&str>,
    ) -> Result<NumberView, Error> {
        todo!()
    }
    /// Lists the numbers that an account holds.
    pub async fn list(
        &self,
        actor: &Actor,
        account: &AccountId,
        query: ListQuery,
    ) -> Result<Listing, Error> {
        todo!()
    }
    /// The classifiers, as the wire shows them, in order.
    pub async fn classifiers(&self) -> Result<Map<String, Value>, Error> {
        todo!()
    }
    /// What is known of a text: `number`, `e164`, the members of its classifier, `formatted`,
    /// `reconcilable`.
    pub async fn classify(&self, input: &str) -> Result<Map<String, Value>, Error> {
        todo!()
    }
    /// The carriers as a user interface needs them.
    pub async fn carriers_info(&self, actor: &Actor) -> Result<CarriersInfo, Error> {
        todo!()
    }
    /// An account.
    pub async fn account(&self, id: &AccountId) -> Result<Account, Error> {
        todo!()
    }
    /// Creates an account; administrators only. Safe to repeat.
    pub async fn create_account(
        &self,
        actor: &Actor,
        id: &AccountId,
        new: NewAccount,
    ) -> Result<Account, Error> {
        todo!()
    }
    /// Changes whether an account may add numbers; administrators only.
    pub async fn allow_additions(
        &self,
        actor: &Actor,
        id: &AccountId,
        allowed: bool,
    ) -> Result<Account, Error> {
        todo!()
    }
    /// Counts numbers by carrier: everywhere, or under a prefix of `+` and at least four digits.
    pub async fn carrier_usage(
        &self,
        actor: &Actor,
        prefix: Option<&str>,
    ) -> Result<CarrierUsage, Error> {
        todo!()
    }
    /// Gives numbers another carrier. `source`: only those stored under exactly this name (not
    /// needed when numbers are named). One result per database, or one for the named numbers.
    pub async fn convert_carrier(
        &self,
        actor: &Actor,
        source: Option<&str>,
        target: &str,
        scope: ConversionScope,
        dry_run: bool,
    ) -> Result<Vec<Converted>, Error> {
        todo!()
    }
    /// The actor that a token speaks for: none for the operator's own.
    pub async fn actor(&self, account: Option<&AccountId>, admin: bool) -> Result<Actor, Error> {
        todo!()
    }
    /// An account with its ancestors; [`Error::NoAccount`] when there is none.
    pub async fn lineage(&self, account: &AccountId) -> Result<Lineage, Error> {
        todo!()
    }
    /// Succeeds when the store answers.
    pub async fn ping(&self) -> Result<(), Error> {
        todo!()
    }
}
