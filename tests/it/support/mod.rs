//! What the tests stand on: servers, faults between us and them, and the table of KAZOO's answers.

pub(crate) mod app;
pub(crate) mod bandwidth;
pub(crate) mod blind;
pub(crate) mod carriers;
pub(crate) mod couch;
pub(crate) mod dash;
pub(crate) mod document;
pub(crate) mod failing;
pub(crate) mod invariants;
pub(crate) mod meddling;
pub(crate) mod other;
pub(crate) mod people;
pub(crate) mod process;
pub(crate) mod providers;
pub(crate) mod proxy;
pub(crate) mod simwood;
pub(crate) mod smtp;
pub(crate) mod telnyx;
pub(crate) mod telnyx_features;
pub(crate) mod vectors;
pub(crate) mod vendor;
pub(crate) mod vitelity;
pub(crate) mod vitelity_features;
pub(crate) mod voip_innovations;
pub(crate) mod web;
