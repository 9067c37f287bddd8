//! The settings of telling others.

use serde::Deserialize;

/// How others are told.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhooksConfig {
    /// The hosts that may be called: names, or `*.` and a name for everything below it.
    pub allowed_hosts: Vec<String>,
    /// Whether they may be called without TLS.
    pub allow_http: bool,
    /// Whether they may have addresses that are not on the internet.
    pub allow_private: bool,
    /// How many receivers there may be.
    pub receivers: usize,
    /// How many changes one call tells, at most.
    pub batch: usize,
    /// For how long a call may take, in milliseconds.
    pub timeout_ms: u64,
    /// How often news are looked for, in milliseconds.
    pub poll_ms: u64,
    /// The pause before a call is tried again, in milliseconds; it doubles each time.
    pub retry_ms: u64,
    /// The longest such pause, in milliseconds.
    pub retry_max_ms: u64,
    /// For how many hours a receiver may fail before it is given up.
    pub give_up_h: u32,
}

impl WebhooksConfig {
    /// What is wrong with the settings, in words that begin with the setting's name.
    ///
    /// # Errors
    ///
    /// The first one that is wrong.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("batch", self.batch as u64),
            ("timeout_ms", self.timeout_ms),
            ("poll_ms", self.poll_ms),
            ("retry_ms", self.retry_ms),
        ] {
            if value == 0 {
                return Err(format!("webhooks.{name} must be at least 1"));
            }
        }
        if self.retry_max_ms < self.retry_ms {
            return Err("webhooks.retry_max_ms must be at least webhooks.retry_ms".to_owned());
        }
        Ok(())
    }
}

impl Default for WebhooksConfig {
    /// As in `default.toml`.
    fn default() -> Self {
        Self {
            allowed_hosts: Vec::new(),
            allow_http: false,
            allow_private: false,
            receivers: 20,
            batch: 100,
            timeout_ms: 10_000,
            poll_ms: 1_000,
            retry_ms: 1_000,
            retry_max_ms: 300_000,
            give_up_h: 72,
        }
    }
}
