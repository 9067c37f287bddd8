//! The settings of jobs.

use jiff::civil::Time;
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
    /// For how long a job may be asked for without being stored, in milliseconds.
    pub unstored_ms: u64,
    /// For how long a job steps back after somebody asked for something else, in milliseconds; 0 for
    /// never.
    pub courtesy_ms: u64,
    /// The most documents of a page meanwhile.
    pub courtesy_page_size: usize,
    /// How long the pause behind a page is meanwhile, as a multiple of what the page took.
    pub courtesy_pause: u32,
    /// For how long a database that does not answer is tried again, in milliseconds.
    pub patience_ms: u64,
    /// For how many days a job that has ended is kept, with its journal.
    pub keep_days: u32,
    /// When everything is audited every day, as `HH:MM` in UTC; empty for never.
    pub audit_at: String,
    /// How many hours lie between two runs of `age`; 0 for never.
    pub age_every_h: u32,
    /// How many hours lie between two runs of `expire`; 0 for never.
    pub expire_every_h: u32,
    /// How many minutes lie between two runs of `settle`, when there is something to do; 0 for never.
    pub settle_every_min: u32,
    /// The longest that a client may wait for the end of a job, in seconds.
    pub wait_max_s: u64,
}

impl JobsConfig {
    /// What is wrong with the settings, in words that begin with the setting's name.
    ///
    /// # Errors
    ///
    /// The first one that is wrong.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("parallel", self.parallel as u64),
            ("concurrency", self.concurrency as u64),
            ("page_size", self.page_size as u64),
            ("renewal_ms", self.renewal_ms),
            ("poll_ms", self.poll_ms),
            ("courtesy_page_size", self.courtesy_page_size as u64),
        ] {
            if value == 0 {
                return Err(format!("jobs.{name} must be at least 1"));
            }
        }
        for (name, value, max) in [
            ("concurrency", self.concurrency, self.concurrency_max),
            ("page_size", self.page_size, self.page_size_max),
        ] {
            if value > max {
                return Err(format!("jobs.{name} must be at most jobs.{name}_max"));
            }
        }
        // A lease must outlive a sign of life that comes late.
        if self.lease_ms < 3 * self.renewal_ms {
            return Err("jobs.lease_ms must be at least three times jobs.renewal_ms".to_owned());
        }
        if !self.audit_at.is_empty() && Time::strptime("%H:%M", &self.audit_at).is_err() {
            return Err("jobs.audit_at is no time of day (HH:MM)".to_owned());
        }
        Ok(())
    }
}

impl Default for JobsConfig {
    /// As in `default.toml`, but nothing starts by itself.
    fn default() -> Self {
        Self {
            parallel: 4,
            concurrency: 4,
            concurrency_max: 64,
            page_size: 250,
            page_size_max: 5000,
            lease_ms: 15_000,
            renewal_ms: 2_000,
            poll_ms: 5_000,
            unstored_ms: 60_000,
            courtesy_ms: 1_000,
            courtesy_page_size: 20,
            courtesy_pause: 3,
            patience_ms: 600_000,
            keep_days: 30,
            audit_at: String::new(),
            age_every_h: 0,
            expire_every_h: 0,
            settle_every_min: 0,
            wait_max_s: 25,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let check = |change: fn(&mut JobsConfig), wrong: Result<(), &str>| {
            let mut config = JobsConfig::default();
            change(&mut config);
            assert_eq!(config.check(), wrong.map_err(str::to_owned));
        };
        check(|_| (), Ok(()));
        check(|it| it.parallel = 0, Err("jobs.parallel must be at least 1"));
        check(|it| it.page_size = 9999, Err("jobs.page_size must be at most jobs.page_size_max"));
        let lease = "jobs.lease_ms must be at least three times jobs.renewal_ms";
        check(|it| it.lease_ms = 5999, Err(lease));
        check(|it| it.audit_at = "3".to_owned(), Err("jobs.audit_at is no time of day (HH:MM)"));
        check(|it| it.audit_at = "03:00".to_owned(), Ok(()));
    }
}
