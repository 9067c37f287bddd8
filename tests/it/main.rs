//! The integration tests: one binary, a line per module.

mod couchdb;
mod numbering;
mod store;
mod support;
mod vectors;
