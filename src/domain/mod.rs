//! What a number is. No I/O, no async, nothing of ours below it.

pub mod account;
pub mod database;
pub mod e164;

pub use account::{AccountId, ParseAccountError};
pub use database::{NumberDatabase, ParseDatabaseError, Prefix};
pub use e164::{E164, ParseE164Error};
