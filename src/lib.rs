//! Owns the life of every phone number of a telephony platform.

pub mod api;
pub mod auth;
pub mod carriers;
pub mod cli;
pub mod config;
pub mod domain;
pub mod follower;
pub mod jobs;
pub mod maintenance;
pub mod providers;
pub mod repository;
pub mod service;
pub mod store;
pub mod sup;
pub mod tasks;
pub mod telemetry;
mod upstream;
pub mod webhooks;
