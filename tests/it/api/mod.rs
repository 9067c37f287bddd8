//! The HTTP face over both stores, from the outside: requests in, answers and stored documents out.
//!
//! Each module holds the cases of one route; [`world::over_both_stores`] makes a test of each for
//! SQLite and one for CouchDB, and looks for broken invariants at the end.

mod accounts;
mod activate;
mod audit;
mod charges;
mod classifiers;
mod clients;
pub(crate) mod collection;
mod copies;
mod create;
mod directory;
mod envelope;
mod explain;
mod feature_permissions;
pub(crate) mod features;
mod fix;
mod fix_account;
mod fix_apps;
mod generate;
mod hostile;
mod idempotency;
mod identify;
mod job_pages;
mod job_requests;
mod jobs;
mod list;
mod list_all;
mod list_forms;
mod matrix;
mod migrations;
mod names;
mod offers;
mod operation;
mod orphans;
mod paging;
mod ports;
mod preconditions;
mod providers;
mod read;
mod reconcile;
mod release;
mod removals;
mod repairs;
mod reserve;
mod search;
mod seed;
mod system_config;
mod tokens;
mod transitions;
mod update;
mod vectors;
mod wire;
mod world;
