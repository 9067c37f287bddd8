//! Where CouchDB is and how hard we may press it.
//!
//! The URL carries the password, so it is a secret until it is taken apart here: what leaves this
//! file is an address without credentials, a user name, and a password that does not print.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer};

/// The longest limit of one try, in milliseconds: three of them end within the 5 s after which
/// nobody waits for an older write any more.
const LONGEST_CALL_MS: u64 = 1_666;

/// The settings of the CouchDB backend.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CouchConfig {
    /// `http://user:password@host:5984` of a server admin, without a path; user and password
    /// percent-encoded. `https` works too.
    #[serde(deserialize_with = "secret")]
    pub url: SecretString,
    /// Put in front of every database name on the server, so that several installations can share
    /// one CouchDB. Begins with a lower-case letter; empty for none.
    pub database_prefix: String,
    /// The most requests that are under way at once.
    pub connections: usize,
    /// The limit of one try at reading or writing a single document, in milliseconds. A write
    /// begins no try later than twice this after its first one, so the last one has ended within
    /// three times this: with the default within the 5 s after which the follower believes that no
    /// older write can still arrive. At most 1,666. Whoever made the write is told after one more
    /// such time, which reading back what it left may take.
    pub call_timeout_ms: u64,
    /// The limit of a call that asks for many documents, with its repetitions, and of one request
    /// that writes many, in milliseconds.
    pub bulk_timeout_ms: u64,
    /// The most documents in one request.
    pub bulk_size: usize,
    /// How many databases are worked on at once in a bulk write or a migration.
    pub parallel_databases: usize,
    /// How often a read is repeated that failed for a passing reason.
    pub read_retries: u32,
    /// The pause before the first repetition, in milliseconds; it doubles each time.
    pub retry_base_ms: u64,
}

/// A setting of the CouchDB backend that cannot be used. Never holds the setting's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("couchdb.{field} {problem}")]
pub struct InvalidConfig {
    /// The setting.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// The URL, taken apart.
pub(super) struct Address {
    /// `http://host:5984/`, without credentials.
    pub(super) base: String,
    /// `host:5984`, for messages.
    pub(super) host: String,
    /// The user, decoded; `None` to ask without credentials.
    pub(super) user: Option<String>,
    /// The user's password, decoded.
    pub(super) password: SecretString,
}

impl Default for CouchConfig {
    fn default() -> Self {
        Self {
            url: SecretString::from(""),
            database_prefix: String::new(),
            connections: 64,
            call_timeout_ms: 1_600,
            bulk_timeout_ms: 30_000,
            bulk_size: 500,
            parallel_databases: 8,
            read_retries: 3,
            retry_base_ms: 50,
        }
    }
}

impl CouchConfig {
    /// Checks every setting, without asking the server.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] for the first setting that cannot be used.
    pub fn check(&self) -> Result<(), InvalidConfig> {
        self.address()?;
        check_prefix(&self.database_prefix)?;
        at_least_one("connections", self.connections as u64)?;
        at_least_one("call_timeout_ms", self.call_timeout_ms)?;
        if self.call_timeout_ms > LONGEST_CALL_MS {
            let problem = "must be at most 1666, so that a write has ended within 5 s";
            return Err(InvalidConfig { field: "call_timeout_ms", problem });
        }
        at_least_one("bulk_timeout_ms", self.bulk_timeout_ms)?;
        at_least_one("bulk_size", self.bulk_size as u64)?;
        at_least_one("parallel_databases", self.parallel_databases as u64)
    }

    pub(super) fn call_timeout(&self) -> Duration {
        Duration::from_millis(self.call_timeout_ms)
    }

    pub(super) fn bulk_timeout(&self) -> Duration {
        Duration::from_millis(self.bulk_timeout_ms)
    }

    /// Takes the URL apart. `couch_rs` panics on a URL without a scheme, drops a path, and sends
    /// credentials that it finds in the URL to the server's logs.
    pub(super) fn address(&self) -> Result<Address, InvalidConfig> {
        let bad = |problem| InvalidConfig { field: "url", problem };
        let mut url = Url::parse(self.url.expose_secret().trim())
            .map_err(|_| bad("must look like http://user:password@host:5984"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(bad("must begin with http:// or https://"));
        }
        if !matches!(url.path(), "" | "/") {
            return Err(bad("must not have a path"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(bad("must end behind the port"));
        }
        let user = decoded(url.username()).ok_or(bad("has a user that is not UTF-8"))?;
        if user.contains(':') {
            return Err(bad("has a user with a colon in it"));
        }
        let password = decoded(url.password().unwrap_or_default())
            .ok_or(bad("has a password that is not UTF-8"))?;
        url.set_username("").map_err(|()| bad("must have a host"))?;
        url.set_password(None).map_err(|()| bad("must have a host"))?;
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host_str().ok_or(bad("must have a host"))?;
        Ok(Address {
            host: format!("{host}:{port}"),
            base: url.to_string(),
            user: Some(user).filter(|user| !user.is_empty()),
            password: SecretString::from(password),
        })
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    String::deserialize(deserializer).map(SecretString::from)
}

fn decoded(part: &str) -> Option<String> {
    percent_decode_str(part).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

fn check_prefix(prefix: &str) -> Result<(), InvalidConfig> {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_$()+-/".contains(c);
    if !prefix.chars().all(allowed) || prefix.starts_with(|c: char| !c.is_ascii_lowercase()) {
        let problem = "must begin with a-z and hold only a-z, 0-9 and _$()+-/, as CouchDB's database names do";
        return Err(InvalidConfig { field: "database_prefix", problem });
    }
    Ok(())
}

fn at_least_one(field: &'static str, value: u64) -> Result<(), InvalidConfig> {
    if value == 0 {
        return Err(InvalidConfig { field, problem: "must be at least 1" });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(url: &str) -> Result<Address, InvalidConfig> {
        CouchConfig { url: SecretString::from(url), ..CouchConfig::default() }.address()
    }

    #[test]
    fn credentials_are_taken_out_of_the_url_and_decoded() {
        let address = address("http://nm%40x:p%2Fw%3A1@db.example:5984").unwrap();
        assert_eq!(address.base, "http://db.example:5984/");
        assert_eq!(address.host, "db.example:5984");
        assert_eq!(address.user.as_deref(), Some("nm@x"));
        assert_eq!(address.password.expose_secret(), "p/w:1");
    }

    #[test]
    fn an_unusable_url_is_refused_in_a_sentence_without_it() {
        for (url, problem) in [
            ("", "must look like http://user:password@host:5984"),
            ("127.0.0.1:5984", "must look like http://user:password@host:5984"),
            ("localhost:5984", "must begin with http:// or https://"),
            ("admin:secret@db:5984", "must begin with http:// or https://"),
            ("http://admin:secret@db:5984/couch", "must not have a path"),
            ("http://admin:secret@db:5984?x=1", "must end behind the port"),
        ] {
            let error = address(url).err().unwrap_or_else(|| panic!("{url} was accepted"));
            assert_eq!(error, InvalidConfig { field: "url", problem }, "{url}");
            assert!(!error.to_string().contains("secret@"));
        }
    }

    #[test]
    fn debug_shows_no_password() {
        let url = SecretString::from("http://admin:hunter2@db:5984");
        let shown = format!("{:?}", CouchConfig { url, ..CouchConfig::default() });
        assert!(!shown.contains("hunter2"), "{shown}");
    }

    #[test]
    fn an_unknown_setting_is_refused() {
        let error = serde_json::from_str::<CouchConfig>(r#"{"conections": 1}"#).unwrap_err();
        assert!(error.to_string().contains("conections"));
    }

    #[test]
    fn a_write_has_ended_before_nobody_waits_for_it_any_more() {
        for (call_timeout_ms, good) in [(0, false), (1, true), (1_666, true), (1_667, false)] {
            let url = SecretString::from("http://db:5984");
            let config = CouchConfig { url, call_timeout_ms, ..CouchConfig::default() };
            assert_eq!(config.check().is_ok(), good, "{call_timeout_ms}");
        }
    }

    #[test]
    fn a_prefix_that_couchdb_would_not_take_is_refused() {
        for (prefix, good) in [("", true), ("nm1_", true), ("1nm", false), ("Nm", false)] {
            assert_eq!(check_prefix(prefix).is_ok(), good, "{prefix}");
        }
    }
}
