//! Settings, put together from `default.toml`, a file, the environment and flags. The only module
//! that reads the environment. What a setting means is its section's business.

use std::{
    fmt::Display,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use figment::{
    Figment,
    error::Kind,
    providers::{Env, Format, Serialized, Toml},
};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::{
    api::{ChangesConfig, HttpConfig, LimitConfig},
    auth::TokenConfig,
    follower::FollowerConfig,
    jobs::JobsConfig,
    providers::{MailConfig, Mailer},
    store::{couchdb::CouchConfig, sqlite::SqliteConfig},
    tasks::TasksConfig,
    telemetry::LogConfig,
    webhooks::WebhooksConfig,
};

/// Every setting with its default and its meaning.
pub const DEFAULT: &str = include_str!("default.toml");
/// The shortest secret that may sign tokens, in bytes.
const SECRET_MIN: usize = 32;

/// Every setting.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The address to listen on.
    pub listen: SocketAddr,
    /// Where files are kept.
    pub data_dir: PathBuf,
    /// How many threads answer requests; 0 for half of the processors.
    pub worker_threads: usize,
    /// What is logged.
    pub log: LogConfig,
    /// What a request may take.
    pub http: HttpConfig,
    /// How changes are told.
    pub changes: ChangesConfig,
    /// How others are told of them.
    pub webhooks: WebhooksConfig,
    /// How humans are written to.
    pub mail: MailConfig,
    /// How often a client may ask.
    pub rate_limit: LimitConfig,
    /// Where metrics are shown.
    pub metrics: MetricsConfig,
    /// Whose tokens are believed.
    pub token: TokenConfig,
    /// What may be done with accounts.
    pub accounts: AccountsConfig,
    /// Whether it is kept who writes numbers.
    pub history: HistoryConfig,
    /// What jobs may take.
    pub jobs: JobsConfig,
    /// What tables may take.
    pub tasks: TasksConfig,
    /// How copies are kept true.
    pub follower: FollowerConfig,
    /// The CouchDB server.
    pub couchdb: CouchConfig,
    /// The embedded store.
    pub sqlite: SqliteConfig,
}

/// Where metrics are shown.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetricsConfig {
    /// An address of their own; empty for none.
    pub listen: String,
}

/// What may be done with accounts.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccountsConfig {
    /// Whether they can be created.
    pub manage: Manage,
}

/// Whether it is kept who writes numbers.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HistoryConfig {
    /// Whether it is; each write of a number is one more write then.
    pub enabled: bool,
}

/// Whether accounts can be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "ManageSetting")]
pub enum Manage {
    /// As fits the store.
    Auto,
    /// Yes.
    Yes,
    /// No.
    No,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ManageSetting {
    Flag(bool),
    Word(String),
}

impl TryFrom<ManageSetting> for Manage {
    type Error = &'static str;

    fn try_from(setting: ManageSetting) -> Result<Self, &'static str> {
        match setting {
            ManageSetting::Flag(true) => Ok(Self::Yes),
            ManageSetting::Flag(false) => Ok(Self::No),
            ManageSetting::Word(word) if word == "auto" => Ok(Self::Auto),
            ManageSetting::Word(_) => Err("expected `auto`, true or false"),
        }
    }
}

/// The settings that flags give.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Flags {
    /// The address to listen on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub listen: Option<String>,
    /// Where files are kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_dir: Option<String>,
}

/// A setting cannot be used: one sentence that names it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConfigError(String);

impl Config {
    /// Reads the settings.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the setting.
    pub fn load(file: Option<&Path>, flags: &Flags) -> Result<Self, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULT));
        if let Some(path) = file {
            let shown = path.display();
            let text = fs::read_to_string(path).map_err(|error| {
                ConfigError(format!("the file {shown} cannot be read: {error}"))
            })?;
            // Checked by itself first, since an error of syntax has no setting to name.
            let _: figment::value::Dict =
                Figment::from(Toml::string(&text)).extract().map_err(|error| {
                    ConfigError(format!("the file {shown} is no TOML: {}", place(&error)))
                })?;
            figment = figment.merge(Toml::string(&text));
        }
        let figment = figment
            .merge(named("NUMBER_MANAGER_LISTEN", "listen"))
            .merge(named("NUMBER_MANAGER_DATA_DIR", "data_dir"))
            .merge(named("NUMBER_MANAGER_LOG", "log.filter"))
            .merge(named("NUMBER_MANAGER_LOG_FORMAT", "log.format"))
            .merge(named("COUCHDB_URL", "couchdb.url"))
            .merge(Env::prefixed("NUMBER_MANAGER__").split("__"))
            .merge(Serialized::defaults(flags));
        let config: Self = figment.extract().map_err(|error| explain(&error))?;
        config.check()?;
        Ok(config)
    }

    /// The secret that signs tokens, when the settings give one.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is too short or its file cannot be read.
    pub fn token_secret(&self) -> Result<Option<SecretString>, ConfigError> {
        let (name, secret) = if !self.token.secret.expose_secret().is_empty() {
            ("token.secret", self.token.secret.clone())
        } else if !self.token.secret_file.is_empty() {
            let text = fs::read_to_string(&self.token.secret_file).map_err(|error| {
                invalid("token.secret_file", format!("cannot be read: {error}"))
            })?;
            ("token.secret_file", SecretString::from(text.trim()))
        } else {
            return Ok(None);
        };
        if secret.expose_secret().len() < SECRET_MIN {
            return Err(invalid(name, format!("must have at least {SECRET_MIN} characters")));
        }
        Ok(Some(secret))
    }

    /// Whether CouchDB is the store.
    #[must_use]
    pub fn uses_couchdb(&self) -> bool {
        !self.couchdb.url.expose_secret().is_empty()
    }

    /// Whether accounts can be created here.
    #[must_use]
    pub fn manages_accounts(&self) -> bool {
        match self.accounts.manage {
            Manage::Auto => !self.uses_couchdb(),
            Manage::Yes => true,
            Manage::No => false,
        }
    }

    /// The address of the metrics, when they have one of their own.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] when it is no address.
    pub fn metrics_listen(&self) -> Result<Option<SocketAddr>, ConfigError> {
        match self.metrics.listen.as_str() {
            "" => Ok(None),
            text => text
                .parse()
                .map(Some)
                .map_err(|_| invalid("metrics.listen", format!("`{text}` is no address"))),
        }
    }

    fn check(&self) -> Result<(), ConfigError> {
        self.token_secret()?;
        self.metrics_listen()?;
        self.jobs.check().map_err(|wrong| ConfigError(format!("setting {wrong}")))?;
        self.tasks.check().map_err(|wrong| ConfigError(format!("setting {wrong}")))?;
        self.follower.check().map_err(|wrong| ConfigError(format!("setting {wrong}")))?;
        Mailer::new(&self.mail).map_err(|wrong| ConfigError(format!("setting {wrong}")))?;
        self.webhooks.check().map_err(|wrong| ConfigError(format!("setting {wrong}")))?;
        let changes = self.changes.check(self.http.request_timeout_ms);
        changes.map_err(|wrong| ConfigError(format!("setting {wrong}")))?;
        if self.uses_couchdb() {
            self.couchdb.check().map_err(|wrong| ConfigError(format!("setting {wrong}")))?;
            if self.follower.deadline_ms < 3 * self.couchdb.call_timeout_ms {
                let problem = "must be at least three times couchdb.call_timeout_ms";
                return Err(invalid("follower.deadline_ms", problem));
            }
        }
        let admission = self.http.admission.check(self.http.body_bytes);
        admission.map_err(|wrong| ConfigError(format!("setting {wrong}")))?;
        for (name, value) in [
            ("http.body_bytes", self.http.body_bytes as u64),
            ("http.connections", self.http.connections as u64),
            ("http.body_values", self.http.body_values as u64),
            ("http.header_timeout_ms", self.http.header_timeout_ms),
            ("http.body_timeout_ms", self.http.body_timeout_ms),
            ("http.request_timeout_ms", self.http.request_timeout_ms),
            ("http.stream_timeout_ms", self.http.stream_timeout_ms),
            ("http.page_size", self.http.page_size as u64),
            ("http.page_size_max", self.http.page_size_max as u64),
            ("http.idempotency.key_length", self.http.idempotency.key_length as u64),
            ("http.batch_size", self.http.batch_size as u64),
            ("http.batch_bytes", self.http.batch_bytes as u64),
        ] {
            if value == 0 {
                return Err(invalid(name, "must be at least 1"));
            }
        }
        Ok(())
    }
}

/// One setting under a name of its own in the environment. The text is taken as it is.
fn named(variable: &'static str, setting: &'static str) -> Figment {
    match Env::var(variable) {
        Some(text) => Figment::from((setting, text)),
        None => Figment::new(),
    }
}

fn invalid(setting: &str, problem: impl Display) -> ConfigError {
    ConfigError(format!("setting {setting} {problem}"))
}

/// Where a text is no TOML, and why, in one line and without the text itself: it may be a secret.
fn place(error: &figment::Error) -> String {
    let message = error.kind.to_string();
    let is_margin = |c: char| c == ' ' || c.is_ascii_digit();
    let is_text = |line: &&str| line.trim_start_matches(is_margin).starts_with('|');
    let lines: Vec<&str> = message.lines().filter(|line| !is_text(line)).collect();
    let line = lines.join(": ");
    line.trim_start_matches("TOML parse error at ").to_owned()
}

fn explain(error: &figment::Error) -> ConfigError {
    let mut path = error.path.clone();
    let problem = match &error.kind {
        Kind::UnknownField(name, _) => {
            if path.last() != Some(name) {
                path.push(name.clone());
            }
            "is not known".to_owned()
        }
        Kind::MissingField(name) => {
            path.push(name.to_string());
            "is missing".to_owned()
        }
        // Never the value itself: it may be a secret.
        Kind::InvalidType(_, expected) | Kind::InvalidValue(_, expected) => {
            format!("must be {expected}")
        }
        other => format!("cannot be used: {other}"),
    };
    invalid(&path.join("."), problem)
}

#[cfg(test)]
mod tests {
    use figment::Jail;

    use super::*;

    /// What a file alone gives, whatever the environment of the tests says.
    #[expect(clippy::result_large_err, reason = "the jail's own error")]
    fn with_file(text: &str) -> Result<Config, ConfigError> {
        let mut loaded = None;
        Jail::expect_with(|jail| {
            jail.clear_env();
            jail.create_file("settings.toml", text)?;
            loaded = Some(Config::load(Some(Path::new("settings.toml")), &Flags::default()));
            Ok(())
        });
        loaded.unwrap()
    }

    fn check_refused(text: &str, message: &str) {
        assert_eq!(with_file(text).unwrap_err().to_string(), message);
    }

    #[test]
    fn defaults_are_usable() {
        let config = with_file("").unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8000");
        assert_eq!(config.http.body_bytes, 8_000_000);
        assert!(config.manages_accounts() && !config.uses_couchdb());
    }

    #[test]
    fn every_setting_has_a_comment() {
        let lines: Vec<&str> = DEFAULT.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            if line.contains('=') && !line.starts_with('#') {
                assert!(lines[at - 1].starts_with('#'), "`{line}` has no comment");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        check_refused("colour = 1", "setting colour is not known");
        check_refused("[http]\ncolour = 1", "setting http.colour is not known");
        check_refused("[http]\nbody_bytes = \"x\"", "setting http.body_bytes must be usize");
        check_refused("[http]\npage_size = 0", "setting http.page_size must be at least 1");
        check_refused(
            "[token]\nsecret = \"short\"",
            "setting token.secret must have at least 32 characters",
        );
        check_refused(
            "[follower]\ndeadline_ms = 4799\n[couchdb]\nurl = \"http://u:p@localhost:5984\"",
            "setting follower.deadline_ms must be at least three times couchdb.call_timeout_ms",
        );
        check_refused("[follower]\nparallel = 0", "setting follower.parallel must be at least 1");
        check_refused(
            "[changes]\nwait_max_s = 30",
            "setting changes.wait_max_s must be less than http.request_timeout_ms",
        );
        check_refused("[changes]\npoll_ms = 0", "setting changes.poll_ms must be at least 1");
        check_refused("[metrics]\nlisten = \"x\"", "setting metrics.listen `x` is no address");
        assert!(with_file("listen = \"x\"").unwrap_err().to_string().starts_with("setting listen"));
        assert!(with_file("listen = ").unwrap_err().to_string().contains("is no TOML"));
        let missing = Config::load(Some(Path::new("/nowhere.toml")), &Flags::default());
        assert!(
            missing.unwrap_err().to_string().starts_with("the file /nowhere.toml cannot be read")
        );
    }

    #[test]
    #[expect(clippy::result_large_err, reason = "the jail's own error")]
    fn later_sources_count() {
        Jail::expect_with(|jail| {
            jail.clear_env();
            jail.create_file("a.toml", "listen = \"127.0.0.1:1\"\n[http]\npage_size = 7")?;
            jail.set_env("NUMBER_MANAGER_DATA_DIR", "7");
            jail.set_env("NUMBER_MANAGER_LOG", "debug");
            jail.set_env("NUMBER_MANAGER__RATE_LIMIT__BURST", "9");
            jail.set_env("COUCHDB_URL", "http://u:p@localhost:5984");
            let flags = Flags { listen: Some("127.0.0.1:2".to_owned()), data_dir: None };
            let config = Config::load(Some(Path::new("a.toml")), &flags).unwrap();
            assert_eq!(config.listen.port(), 2);
            assert_eq!(config.http.page_size, 7);
            assert_eq!(config.data_dir, Path::new("7"));
            assert_eq!(config.log.filter, "debug");
            assert_eq!(config.rate_limit.burst, 9);
            assert!(config.uses_couchdb() && !config.manages_accounts());
            assert!(!format!("{config:?}").contains("u:p@"));
            Ok(())
        });
    }
}
