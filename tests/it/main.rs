//! The integration tests: one binary, a line per module.

mod numbering;
mod support;
mod vectors;
