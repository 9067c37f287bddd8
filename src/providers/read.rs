//! How public members are read: KAZOO's ideas of true and of empty.

use serde_json::{Map, Value};

/// A flag, written as such or as text.
pub(super) fn flag(value: Option<&Value>) -> Option<bool> {
    match value? {
        Value::Bool(flag) => Some(*flag),
        Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
        Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

/// An object that has members.
pub(super) fn object<'a>(
    public: &'a Map<String, Value>,
    member: &str,
) -> Option<&'a Map<String, Value>> {
    public.get(member)?.as_object().filter(|members| !members.is_empty())
}

/// A text that is not empty.
pub(super) fn text<'a>(members: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    members.get(member)?.as_str().filter(|text| !text.is_empty())
}

/// The object under `member` when it is switched on.
pub(super) fn enabled(public: &Map<String, Value>, member: &str) -> Option<Value> {
    let members = object(public, member)?;
    (flag(members.get("enabled")) == Some(true)).then(|| Value::Object(members.clone()))
}
