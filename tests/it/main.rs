//! The integration tests: one binary, a line per module.

mod catalogue;
mod documents;
mod lifecycle;
mod numbering;
mod support;
mod vectors;
