//! The settings of the follower.

use serde::Deserialize;

/// How the follower works.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FollowerConfig {
    /// Whether this process may follow.
    pub enabled: bool,
    /// For how long a process follows without a sign of life, in milliseconds.
    pub lease_ms: u64,
    /// How often it gives that sign, in milliseconds.
    pub renewal_ms: u64,
    /// How often what this process wrote is looked at, in milliseconds.
    pub pace_ms: u64,
    /// How often all databases are asked whether they changed where the store does not tell, in
    /// milliseconds.
    pub poll_ms: u64,
    /// How often they are asked where it does, in milliseconds.
    pub sweep_ms: u64,
    /// When a change is looked at for the second time, in milliseconds.
    pub deadline_ms: u64,
    /// How many changes are read at once.
    pub page_size: usize,
    /// The most changes that are read before they are looked at.
    pub turn_size: usize,
    /// How many databases are read at once.
    pub parallel: usize,
    /// The first pause before a number that cannot be settled is tried again, in milliseconds.
    pub retry_ms: u64,
    /// The longest such pause, in milliseconds.
    pub retry_max_ms: u64,
    /// From which lag on the process says that it is degraded, in milliseconds.
    pub degraded_after_ms: u64,
}

impl FollowerConfig {
    /// What is wrong with the settings, in words that begin with the setting's name.
    ///
    /// # Errors
    ///
    /// The first one that is wrong.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("renewal_ms", self.renewal_ms),
            ("pace_ms", self.pace_ms),
            ("poll_ms", self.poll_ms),
            ("sweep_ms", self.sweep_ms),
            ("page_size", self.page_size as u64),
            ("turn_size", self.turn_size as u64),
            ("parallel", self.parallel as u64),
            ("retry_ms", self.retry_ms),
        ] {
            if value == 0 {
                return Err(format!("follower.{name} must be at least 1"));
            }
        }
        // A lease must outlive a sign of life that comes late.
        if self.lease_ms < 3 * self.renewal_ms {
            let wrong = "follower.lease_ms must be at least three times follower.renewal_ms";
            return Err(wrong.to_owned());
        }
        if self.retry_max_ms < self.retry_ms {
            return Err("follower.retry_max_ms must be at least follower.retry_ms".to_owned());
        }
        // Every change is as old as that before it is settled.
        if self.degraded_after_ms <= self.deadline_ms {
            let wrong = "follower.degraded_after_ms must be more than follower.deadline_ms";
            return Err(wrong.to_owned());
        }
        Ok(())
    }
}

impl Default for FollowerConfig {
    /// As in `default.toml`.
    fn default() -> Self {
        Self {
            enabled: true,
            lease_ms: 15_000,
            renewal_ms: 2_000,
            pace_ms: 250,
            poll_ms: 1_000,
            sweep_ms: 30_000,
            deadline_ms: 5_000,
            page_size: 1000,
            turn_size: 20_000,
            parallel: 8,
            retry_ms: 1_000,
            retry_max_ms: 300_000,
            degraded_after_ms: 30_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_cannot_work_are_refused_by_name() {
        let check = |change: fn(&mut FollowerConfig), wrong: Result<(), &str>| {
            let mut config = FollowerConfig::default();
            change(&mut config);
            assert_eq!(config.check(), wrong.map_err(str::to_owned));
        };
        check(|_| (), Ok(()));
        check(|it| it.parallel = 0, Err("follower.parallel must be at least 1"));
        let lease = "follower.lease_ms must be at least three times follower.renewal_ms";
        check(|it| it.lease_ms = 5999, Err(lease));
        let retry = "follower.retry_max_ms must be at least follower.retry_ms";
        check(|it| it.retry_max_ms = 999, Err(retry));
        let lag = "follower.degraded_after_ms must be more than follower.deadline_ms";
        check(|it| it.degraded_after_ms = 5000, Err(lag));
    }
}
