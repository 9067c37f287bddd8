//! What a number is. No I/O, no async, nothing of ours below it.
//!
//! Reading order: [`e164`] and [`account`] are the two keys; [`database`] says where their
//! documents lie; [`convert`], [`classify`] and [`pretty`] are the three sets of rules that an
//! operator writes, [`settings`] how they are read; [`numbering`] puts them together and is the
//! door for every number that anyone gives us; [`nanp`] is the North American plan; [`clock`]
//! tells the time.

pub mod account;
pub mod classify;
pub mod clock;
pub mod convert;
mod converter;
pub mod database;
mod dialled;
pub mod e164;
pub mod nanp;
pub mod numbering;
pub mod pretty;
pub mod settings;

pub use account::{AccountId, ParseAccountError};
pub use classify::{Classifier, Classifiers};
pub use clock::{Clock, FixedClock, SystemClock, from_gregorian_seconds, gregorian_seconds};
pub use convert::Converters;
pub use converter::Converter;
pub use database::{NumberDatabase, ParseDatabaseError, Prefix};
pub use e164::{E164, ParseE164Error};
pub use numbering::{NotReconcilable, Numbering};
pub use pretty::pretty_print;
pub use settings::ConfigurationError;
