//! The integration tests: one binary, a line per module.

mod api;
mod architecture;
mod couchdb;
mod numbering;
mod openapi;
mod store;
mod support;
mod vectors;
