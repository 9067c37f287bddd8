//! How the rules of numbering are read from settings: by hand, so that what is wrong is named.
//!
//! A rule's pattern is a regular expression of the `regex` crate over bytes: `\d`, `\w` and `\s`
//! are ASCII, `$` is the end of the text and never before a last newline, the search is not
//! anchored, and time is linear. Look-around and back-references do not exist; a pattern that
//! needs them is refused when it is read, not when a number is.

use regex::bytes::{Regex, RegexBuilder};
use serde_json::{Map, Value};

/// A setting that cannot be used, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("setting `{key}` cannot be used: {reason}")]
pub struct ConfigurationError {
    /// The setting's path, its parts divided by dots: `classifiers.did_us`.
    pub key: String,
    /// What is wrong, in one sentence that names the pattern if there is one.
    pub reason: String,
}

impl ConfigurationError {
    pub(super) fn new(key: &str, reason: String) -> Self {
        Self { key: key.to_owned(), reason }
    }
}

/// Compiles the `pattern` that was found under `key`.
pub(super) fn compile(key: &str, pattern: &str) -> Result<Regex, ConfigurationError> {
    if pattern.is_empty() {
        let reason = "the pattern `` is empty and would match everything".to_owned();
        return Err(ConfigurationError::new(key, reason));
    }
    RegexBuilder::new(pattern).unicode(false).build().map_err(|err| {
        let message = err.to_string();
        // A syntax error draws the pattern over several lines and says what is wrong in the last.
        let last = message.lines().last().unwrap_or_default();
        let what = last.strip_prefix("error: ").unwrap_or(last).trim_end_matches('.');
        ConfigurationError::new(key, format!("the pattern `{pattern}` cannot be read: {what}"))
    })
}

/// The object under `key`, or `None` when it is absent or null.
pub(super) fn object<'a>(
    key: &str,
    value: Option<&'a Value>,
) -> Result<Option<&'a Map<String, Value>>, ConfigurationError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(other) => Err(unexpected(key, "an object", other)),
    }
}

/// The text under `key`, or `None` when it is absent or null.
pub(super) fn text<'a>(
    key: &str,
    value: Option<&'a Value>,
) -> Result<Option<&'a str>, ConfigurationError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(unexpected(key, "a string", other)),
    }
}

/// The flag under `key`, written as such or as text; false when it is absent or null.
pub(super) fn flag(key: &str, value: Option<&Value>) -> Result<bool, ConfigurationError> {
    match value {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(Value::String(text)) if text == "true" => Ok(true),
        Some(Value::String(text)) if text == "false" => Ok(false),
        Some(other) => Err(unexpected(key, "true or false", other)),
    }
}

pub(super) fn unexpected(key: &str, wanted: &str, found: &Value) -> ConfigurationError {
    let found = match found {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    };
    ConfigurationError::new(key, format!("it must be {wanted}, not {found}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, reason: &str) {
        let error = compile("reconcile_regex", pattern).unwrap_err();
        assert_eq!(error.key, "reconcile_regex");
        assert_eq!(error.reason, reason);
    }

    #[test]
    fn a_pattern_that_cannot_be_held_is_refused_by_name() {
        check("", "the pattern `` is empty and would match everything");
        check(
            "^(?=1)",
            "the pattern `^(?=1)` cannot be read: \
             look-around, including look-ahead and look-behind, is not supported",
        );
        check(r"(1)\1", r"the pattern `(1)\1` cannot be read: backreferences are not supported");
        check("(", "the pattern `(` cannot be read: unclosed group");
    }

    #[test]
    fn a_pattern_that_takes_too_much_memory_is_refused() {
        let error = compile("reconcile_regex", r"(\d{999}){999}").unwrap_err();
        assert!(error.reason.contains("exceeds size limit"), "{error}");
    }

    #[test]
    fn classes_are_ascii() {
        let pattern = compile("k", r"^\d$").unwrap();
        assert!(pattern.is_match(b"1"));
        assert!(!pattern.is_match("\u{661}".as_bytes()));
    }

    #[test]
    fn the_end_is_not_before_a_last_newline() {
        assert!(!compile("k", "^1$").unwrap().is_match(b"1\n"));
    }
}
