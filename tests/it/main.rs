//! The integration tests: one binary, a line per module.

mod catalogue;
mod codec;
mod documents;
mod lifecycle;
mod numbering;
mod ownership;
mod release;
mod repository;
mod repository_failures;
mod support;
mod vectors;
