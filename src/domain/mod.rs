//! What a number is: its name, its life, and who may do what with it. No I/O, no async, nothing of
//! ours below it.
//!
//! Reading order: [`e164`] and [`account`] are the two keys; [`database`] says where their
//! documents lie; [`convert`], [`classify`] and [`pretty`] are the three sets of rules that an
//! operator writes, [`settings`] how they are read; [`numbering`] puts them together and is the
//! door for every number that anyone gives us; [`nanp`] is the North American plan. [`number`] is
//! what is known of a number, with its [`state`], [`carrier`], [`history`] and [`feature`]s;
//! [`cell`] is how texts stand in tables; `aging` says how it becomes free again; [`actor`] is who asks,
//! [`creation`] who may bring numbers in; [`billing`] what is counted; [`clock`] tells the time, [`country`]
//! how a country's numbers begin; [`id`] is what our own ids look like.

pub mod account;
pub mod actor;
mod aging;
pub mod billing;
pub mod carrier;
pub mod cell;
pub mod classify;
pub mod clock;
pub mod convert;
mod converter;
pub mod country;
pub mod creation;
pub mod database;
mod dialled;
pub mod e164;
pub mod feature;
pub mod feature_list;
pub mod history;
pub mod id;
pub mod members;
pub mod nanp;
pub mod number;
pub mod numbering;
pub mod pretty;
pub mod settings;
pub mod state;

pub use account::{AccountId, ParseAccountError};
pub use actor::{Actor, Lineage};
pub use billing::{Category, Charge, Item, Money, Price, Prices, Quantities};
pub use carrier::CarrierName;
pub use cell::{shielded, unshielded};
pub use classify::{Classifier, Classifiers};
pub use clock::{Clock, FixedClock, SystemClock, from_gregorian_seconds, gregorian_seconds};
pub use convert::Converters;
pub use converter::Converter;
pub use country::calling_code;
pub use creation::{CreationDenied, creation_carrier, creation_state, creation_states, may_create};
pub use database::{
    NumberDatabase, ParseDatabaseError, Prefix, account_database, encoded, number_database,
};
pub use e164::{E164, ParseE164Error};
pub use feature::{
    Activation, CarrierFeatures, DEFAULT_FEATURES, Denial, FeatureRules, FeatureTerms,
    KNOWN_FEATURES, Layer, Messaging, ResellerFeatures, strip,
};
pub use feature_list::{changed_list, is_same_list};
pub use history::ReserveHistory;
pub use id::{ID_DIGITS, is_id};
pub use number::{LOCAL_FEATURE, Number, Refused, ReleaseRules, Released, Taking};
pub use numbering::{NotReconcilable, Numbering};
pub use pretty::pretty_print;
pub use settings::ConfigurationError;
pub use state::{InvalidTransition, ParseStateError, Right, State, Step};
