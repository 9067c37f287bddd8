//! The settings that all vendors over HTTP have in common, and how those of their own are read. A
//! setting that cannot be used is named.

use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;
use serde_json::{Map, Value};

use super::{VendorError, http::LineLimits};
use crate::domain::{
    ConfigurationError,
    members::{flag, text, whole, wrong},
};

/// The longest that anything may be waited for, in milliseconds.
const LONGEST_WAIT: i64 = 600_000;
/// The most bytes that an answer may be allowed to have.
const LARGEST_ANSWER: i64 = 100_000_000;
/// The most requests at once, or a second.
const MOST_REQUESTS: i64 = 1000;

/// The settings that all vendors over HTTP have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Common {
    /// What asking it may take (`connect_timeout_ms`, `search_timeout_ms`,
    /// `provisioning_timeout_ms`, `answer_bytes`, `concurrency`, `requests_per_second`).
    pub(crate) line: LineLimits,
    /// The pause before an order is looked at for the first time (`order_poll_ms`).
    pub(crate) first_look: Duration,
    /// For how long an order is looked at before it is left to be settled later
    /// (`order_poll_timeout_s`).
    pub(crate) patience: Duration,
    enable_provisioning: bool,
    sandbox_provisioning: bool,
    release_on_disconnect: bool,
}

/// What is done instead of spending money.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Provisioning {
    /// Nothing: the vendor is asked.
    Real,
    /// As if it had been asked and had agreed.
    Pretended,
}

impl Common {
    /// Reads them; `sandbox`: whether buying is pretended where it is switched off and nothing else is
    /// said.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] names the setting.
    pub(crate) fn read(
        members: &Map<String, Value>,
        sandbox: bool,
    ) -> Result<Self, ConfigurationError> {
        let wait = |key, default| {
            let ms = whole(members, key, default, 1..=LONGEST_WAIT)?;
            Ok::<_, ConfigurationError>(Duration::from_millis(ms.unsigned_abs()))
        };
        let requests = |key, default, least| {
            let count = whole(members, key, default, least..=MOST_REQUESTS)?;
            Ok::<_, ConfigurationError>(u32::try_from(count).unwrap_or(u32::MAX))
        };
        let bytes = whole(members, "answer_bytes", 8_000_000, 1..=LARGEST_ANSWER)?;
        let patience = whole(members, "order_poll_timeout_s", 60, 0..=LONGEST_WAIT / 1000)?;
        Ok(Self {
            line: LineLimits {
                connect: wait("connect_timeout_ms", 2000)?,
                search: wait("search_timeout_ms", 4500)?,
                provisioning: wait("provisioning_timeout_ms", 30_000)?,
                answer_bytes: usize::try_from(bytes).unwrap_or(usize::MAX),
                concurrency: requests("concurrency", 4, 1)? as usize,
                per_second: requests("requests_per_second", 10, 0)?,
            },
            first_look: wait("order_poll_ms", 2000)?,
            patience: Duration::from_secs(patience.unsigned_abs()),
            enable_provisioning: flag(members, "enable_provisioning")?.unwrap_or(true),
            sandbox_provisioning: flag(members, "sandbox_provisioning")?.unwrap_or(sandbox),
            release_on_disconnect: flag(members, "release_on_disconnect")?.unwrap_or(true),
        })
    }

    /// The same, with this many requests a second where nothing is set.
    #[must_use]
    pub(crate) fn paced(mut self, members: &Map<String, Value>, per_second: u32) -> Self {
        if members.get("requests_per_second").is_none_or(Value::is_null) {
            self.line.per_second = per_second;
        }
        self
    }

    /// The same, with this many seconds for which an order is looked at.
    #[must_use]
    pub(crate) fn patient(mut self, seconds: i64) -> Self {
        self.patience = Duration::from_secs(seconds.unsigned_abs());
        self
    }

    /// Whether nothing is done there, and everything is as if it had been (`sandbox_provisioning`).
    #[must_use]
    pub(crate) fn is_sandbox(&self) -> bool {
        self.sandbox_provisioning
    }

    /// Whether numbers are given back at all (`release_on_disconnect`).
    #[must_use]
    pub(crate) fn gives_back(&self) -> bool {
        self.release_on_disconnect
    }

    /// Whether what is bought and given back really is (`enable_provisioning`,
    /// `sandbox_provisioning`).
    ///
    /// # Errors
    ///
    /// [`VendorError`] when it is switched off.
    pub(crate) fn provisioning(&self) -> Result<Provisioning, VendorError> {
        match (self.enable_provisioning, self.sandbox_provisioning) {
            (true, _) => Ok(Provisioning::Real),
            (false, true) => Ok(Provisioning::Pretended),
            (false, false) => Err(VendorError::refused("provisioning_disabled")),
        }
    }
}

/// A secret.
///
/// # Errors
///
/// [`ConfigurationError`] for what is no text, or cannot be in a header.
pub(crate) fn secret(
    members: &Map<String, Value>,
    key: &'static str,
) -> Result<Option<SecretString>, ConfigurationError> {
    match text(members, key)?.map(str::trim).filter(|text| !text.is_empty()) {
        None => Ok(None),
        Some(text) if text.chars().any(char::is_control) => {
            Err(wrong(key, "holds a control character".to_owned()))
        }
        Some(text) => Ok(Some(text.to_owned().into())),
    }
}

/// A text; none when it is empty.
///
/// # Errors
///
/// [`ConfigurationError`] for what is no text.
pub(crate) fn said(
    members: &Map<String, Value>,
    key: &'static str,
) -> Result<Option<String>, ConfigurationError> {
    Ok(text(members, key)?.filter(|text| !text.is_empty()).map(str::to_owned))
}

/// An address that paths are put behind: `https`, or `http` to this machine itself, or to any where
/// that is said to be in order.
///
/// # Errors
///
/// [`ConfigurationError`] for anything else, and for one that holds a password or a query.
pub(crate) fn address(
    members: &Map<String, Value>,
    key: &'static str,
    may_be_plain: bool,
) -> Result<Option<Url>, ConfigurationError> {
    let Some(text) = said(members, key)? else {
        return Ok(None);
    };
    // Not shown: what is wrong with it may be that it holds a password.
    let bad = |reason: &str| Err(wrong(key, reason.to_owned()));
    let Ok(url) = Url::parse(&text) else {
        return bad("is no address");
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let is_here =
        host == "localhost" || host.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
    match url.scheme() {
        "https" => (),
        "http" if may_be_plain || is_here => (),
        "http" => return bad("is not encrypted (https)"),
        _ => return bad("is none of http or https"),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("holds a name or a password, which have settings of their own");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return bad("holds more than a path");
    }
    Ok(Some(url))
}

/// What is said of a vendor that lacks a setting.
#[must_use]
pub(crate) fn missing(key: &str) -> VendorError {
    VendorError::refused(format!("setting `{key}` is missing"))
}

/// Names and values as a form sends them.
#[must_use]
pub(crate) fn form(pairs: &[(&str, &str)]) -> String {
    let url = Url::parse("form://").expect("an address");
    asking(url, pairs).query().unwrap_or_default().to_owned()
}

/// The address of something below another, each part of the path encoded.
#[must_use]
pub(crate) fn below(base: &Url, parts: &[&str]) -> Url {
    let mut url = base.clone();
    if let Ok(mut path) = url.path_segments_mut() {
        path.pop_if_empty().extend(parts);
    }
    url
}

/// The same address with a query, encoded.
#[must_use]
pub(crate) fn asking(mut url: Url, query: &[(&str, &str)]) -> Url {
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    url
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Map<String, Value> {
        let Value::Object(members) = value else { panic!("the table holds objects") };
        members
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (key, value) in [
            ("search_timeout_ms", json!(0)),
            ("provisioning_timeout_ms", json!(600_001)),
            ("answer_bytes", json!("many")),
            ("concurrency", json!(0)),
            ("requests_per_second", json!(-1)),
            ("enable_provisioning", json!(7)),
            ("release_on_disconnect", json!("perhaps")),
            ("order_poll_timeout_s", json!(1.5)),
        ] {
            let read = Common::read(&members(json!({ key: value })), false);
            assert_eq!(read.unwrap_err().key, key);
        }
        let common = Common::read(&Map::new(), false).unwrap();
        assert_eq!(common.line.search, Duration::from_millis(4500));
        assert_eq!(common.line.provisioning, Duration::from_secs(30));
    }

    #[test]
    fn buying_can_be_switched_off_or_pretended() {
        let check = |given: Value, sandbox, wanted: Result<Provisioning, &str>| {
            let common = Common::read(&members(given), sandbox).unwrap();
            let found = common.provisioning();
            assert_eq!(
                found.as_ref().map_err(VendorError::reason),
                wanted.as_ref().map_err(|it| *it)
            );
        };
        check(json!({}), false, Ok(Provisioning::Real));
        check(json!({"sandbox_provisioning": true}), false, Ok(Provisioning::Real));
        check(json!({"enable_provisioning": false}), false, Err("provisioning_disabled"));
        check(json!({"enable_provisioning": false}), true, Ok(Provisioning::Pretended));
        let both = json!({"enable_provisioning": "false", "sandbox_provisioning": "true"});
        check(both, false, Ok(Provisioning::Pretended));
    }

    #[test]
    fn an_address_is_safe_to_send_secrets_to() {
        let read = |text: &str, plain| {
            let found = address(&members(json!({ "base_url": text })), "base_url", plain);
            found.map(|url| url.map(String::from)).map_err(|err| (err.key, err.reason))
        };
        for text in ["https://api.example.com/v2", "http://127.0.0.1:8080", "http://localhost/x"] {
            assert!(read(text, false).unwrap().is_some(), "{text}");
        }
        assert_eq!(read("", false).unwrap(), None);
        assert!(read("http://phonebook.example.com", true).is_ok());
        for text in [
            "http://api.example.com",
            "ftp://127.0.0.1",
            "api.example.com",
            "https://me:s3cret@api.example.com",
            "https://api.example.com?key=s3cret",
        ] {
            let (key, reason) = read(text, false).unwrap_err();
            assert_eq!(key, "base_url");
            assert!(!reason.contains("s3cret") && !reason.contains("example"), "{reason}");
        }
    }

    #[test]
    fn parts_of_a_path_are_encoded() {
        let base = Url::parse("https://h/v2/").unwrap();
        let url = below(&base, &["a/../b", "+1"]);
        assert_eq!(url.as_str(), "https://h/v2/a%2F..%2Fb/+1");
        let url = asking(url, &[("filter[a]", "+1 & more")]);
        assert_eq!(url.query(), Some("filter%5Ba%5D=%2B1+%26+more"));
        assert_eq!(asking(base, &[]).as_str(), "https://h/v2/");
        assert_eq!(form(&[("a b", "1&2=+é"), ("c", "")]), "a+b=1%262%3D%2B%C3%A9&c=");
        assert_eq!(form(&[]), "");
    }
}
