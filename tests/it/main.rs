//! The integration tests: one binary, a line per module.

mod api;
mod architecture;
mod openapi;
mod support;
