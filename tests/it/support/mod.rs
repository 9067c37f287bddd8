//! What the tests stand on: servers, and faults between us and them.

pub(crate) mod couch;
pub(crate) mod proxy;
