//! How members of settings are read: what is absent or null is not there, and what cannot be used is
//! named.

use std::ops::RangeInclusive;

use serde_json::{Map, Value};

use super::ConfigurationError;

/// A text.
///
/// # Errors
///
/// [`ConfigurationError`] for anything else.
pub fn text<'a>(
    members: &'a Map<String, Value>,
    key: &'static str,
) -> Result<Option<&'a str>, ConfigurationError> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(wrong(key, "is not a text".to_owned())),
    }
}

/// A list of texts.
///
/// # Errors
///
/// [`ConfigurationError`] for anything else.
pub fn texts(
    members: &Map<String, Value>,
    key: &'static str,
) -> Result<Option<Vec<String>>, ConfigurationError> {
    let items = match members.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong(key, "is not a list".to_owned())),
    };
    let text = |item: &Value| item.as_str().map(str::to_owned);
    let texts: Option<Vec<_>> = items.iter().map(text).collect();
    texts.map(Some).ok_or_else(|| wrong(key, "holds something that is not a text".to_owned()))
}

/// A flag; texts count, as KAZOO's tools sometimes write them.
///
/// # Errors
///
/// [`ConfigurationError`] for anything else.
pub fn flag(
    members: &Map<String, Value>,
    key: &'static str,
) -> Result<Option<bool>, ConfigurationError> {
    match members.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) if text == "true" => Ok(Some(true)),
        Some(Value::String(text)) if text == "false" => Ok(Some(false)),
        Some(_) => Err(wrong(key, "is neither true nor false".to_owned())),
    }
}

/// A whole number within a range; texts count, as KAZOO's tools sometimes write them.
///
/// # Errors
///
/// [`ConfigurationError`] for anything else.
pub fn whole(
    members: &Map<String, Value>,
    key: &'static str,
    default: i64,
    range: RangeInclusive<i64>,
) -> Result<i64, ConfigurationError> {
    let given = match members.get(key) {
        None | Some(Value::Null) => return Ok(default),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_i64(),
    };
    let (low, high) = (range.start(), range.end());
    let reason = || format!("is not a whole number from {low} to {high}");
    given.filter(|given| range.contains(given)).ok_or_else(|| wrong(key, reason()))
}

/// What is wrong with the setting under `key`.
#[must_use]
pub fn wrong(key: &'static str, reason: String) -> ConfigurationError {
    ConfigurationError { key: key.to_owned(), reason }
}
