//! Reading arguments whose types were checked.

use serde_json::Value;

use crate::jobs::Preparation;

/// A text; none when it was not given.
pub(super) fn text<'a>(job: &'a Preparation<'_>, name: &str) -> Option<&'a str> {
    job.arguments.get(name).and_then(Value::as_str)
}

/// A flag; off when it was not given.
pub(super) fn flag(job: &Preparation<'_>, name: &str) -> bool {
    job.arguments.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// A whole number.
pub(super) fn integer(job: &Preparation<'_>, name: &str) -> Option<i64> {
    job.arguments.get(name).and_then(Value::as_i64)
}
