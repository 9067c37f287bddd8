//! Tests of the service from outside, in one binary.

mod couchdb;
mod support;
