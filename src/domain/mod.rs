//! What a number is. No I/O, no async, nothing of ours below it.

pub mod account;
pub mod clock;
pub mod database;
pub mod e164;
pub mod nanp;

pub use account::{AccountId, ParseAccountError};
pub use clock::{Clock, FixedClock, SystemClock, from_gregorian_seconds, gregorian_seconds};
pub use database::{NumberDatabase, ParseDatabaseError, Prefix};
pub use e164::{E164, ParseE164Error};
