//! The settings of jobs.

use serde::Deserialize;

/// What jobs may take.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JobsConfig {
    /// How many jobs one process runs at once.
    pub parallel: usize,
    /// How many databases a job works on at once, when the request does not say.
    pub concurrency: usize,
    /// The most databases that a request may ask for.
    pub concurrency_max: usize,
    /// How many documents a page has, when the request does not say.
    pub page_size: usize,
    /// The most documents that a request may ask for.
    pub page_size_max: usize,
    /// For how long a process holds a job without a sign of life, in milliseconds.
    pub lease_ms: u64,
    /// How often a process gives that sign, in milliseconds.
    pub renewal_ms: u64,
    /// How often a process looks for jobs that nobody runs, in milliseconds.
    pub poll_ms: u64,
    /// For how long a database that does not answer is tried again, in milliseconds.
    pub patience_ms: u64,
    /// The longest that a client may wait for the end of a job, in seconds.
    pub wait_max_s: u64,
}

impl Default for JobsConfig {
    /// As in `default.toml`.
    fn default() -> Self {
        Self {
            parallel: 4,
            concurrency: 4,
            concurrency_max: 64,
            page_size: 1000,
            page_size_max: 5000,
            lease_ms: 15_000,
            renewal_ms: 2_000,
            poll_ms: 5_000,
            patience_ms: 600_000,
            wait_max_s: 25,
        }
    }
}
