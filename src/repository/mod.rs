//! What documents mean: everything above speaks of numbers and accounts, everything below of bodies
//! and revisions.

mod keys;

pub use keys::{KeyRepository, KeysError, StoredKey, StoredKeys};
