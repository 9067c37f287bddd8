//! Owns the life of every phone number of a telephony platform.

pub mod domain;
pub mod service;
pub mod store;
