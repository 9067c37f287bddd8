//! What the tests share.

pub(crate) mod failing;
pub(crate) mod invariants;
pub(crate) mod people;
pub(crate) mod vectors;
