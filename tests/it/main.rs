//! The integration tests: one binary, a line per module.

mod api;
mod architecture;
mod carriers;
mod catalogue;
mod codec;
mod couchdb;
mod documents;
mod features;
mod follower;
mod lifecycle;
mod numbering;
mod old_commands;
mod openapi;
mod operations;
mod ownership;
mod pitfalls;
mod process;
mod providers;
mod readme;
mod release;
mod repository;
mod repository_failures;
mod searching;
mod store;
mod support;
mod vectors;
