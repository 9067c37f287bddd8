//! Owns the life of every phone number of a telephony platform.

pub mod carriers;
pub mod domain;
pub mod repository;
pub mod service;
pub mod store;
