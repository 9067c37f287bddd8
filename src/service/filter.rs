//! Conditions on a stored document, as the listing takes them.

use serde_json::{Map, Value};

/// A condition on the stored document. Paths are dotted; the wire's names of private members
/// (`state`, `assigned_to`, `locality`, `created`, `modified`) mean the stored ones.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// The member equals one of these, as text.
    Is(String, Vec<String>),
    /// The member equals none of these, as text.
    IsNot(String, Vec<String>),
    /// The member is present.
    HasKey(String),
    /// The member is absent.
    KeyMissing(String),
    /// The member is present and not empty.
    HasValue(String),
    /// The member is absent or empty.
    ValueMissing(String),
    /// The member is a number of at least this.
    From(String, i64),
    /// The member is a number of at most this.
    To(String, i64),
}

impl Filter {
    /// Whether a document satisfies the condition.
    #[must_use]
    pub fn keeps(&self, document: &Map<String, Value>) -> bool {
        let value = |path: &str| find(document, path);
        match self {
            Self::Is(path, texts) => value(path).is_some_and(|it| is_one_of(it, texts)),
            Self::IsNot(path, texts) => !value(path).is_some_and(|it| is_one_of(it, texts)),
            Self::HasKey(path) => value(path).is_some(),
            Self::KeyMissing(path) => value(path).is_none(),
            Self::HasValue(path) => value(path).is_some_and(|it| !is_empty(it)),
            Self::ValueMissing(path) => value(path).is_none_or(is_empty),
            Self::From(path, least) => number(value(path)).is_some_and(|it| it >= *least),
            Self::To(path, most) => number(value(path)).is_some_and(|it| it <= *most),
        }
    }
}

fn find<'a>(document: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let stored = match path {
        "state" => "pvt_state",
        "assigned_to" => "pvt_assigned_to",
        "locality" => "pvt_locality",
        "created" => "pvt_created",
        "modified" => "pvt_modified",
        path => path,
    };
    let mut steps = stored.split('.');
    let first = document.get(steps.next()?)?;
    steps.try_fold(first, |value, step| value.get(step))
}

fn is_one_of(value: &Value, texts: &[String]) -> bool {
    match value {
        Value::String(text) => texts.contains(text),
        value => texts.contains(&value.to_string()),
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn number(value: Option<&Value>) -> Option<i64> {
    value?.as_i64()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[track_caller]
    fn check(filter: &Filter, keeps: bool) {
        let document = json!({
            "pvt_state": "in_service", "pvt_created": 10, "my": {"tag": "x", "n": 3, "on": true},
            "empty": "",
        });
        let document = document.as_object().expect("written as an object above");
        assert_eq!(filter.keeps(document), keeps, "{filter:?}");
    }

    #[test]
    fn a_filter_looks_at_the_stored_document() {
        let texts = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        check(&Filter::Is("state".into(), texts(&["port_in", "in_service"])), true);
        check(&Filter::Is("state".into(), texts(&["port_in"])), false);
        check(&Filter::IsNot("state".into(), texts(&["port_in"])), true);
        check(&Filter::IsNot("state".into(), texts(&["in_service"])), false);
        check(&Filter::IsNot("other".into(), texts(&["in_service"])), true);
        check(&Filter::Is("my.tag".into(), texts(&["x"])), true);
        check(&Filter::Is("my.n".into(), texts(&["3"])), true);
        check(&Filter::Is("my.on".into(), texts(&["true"])), true);
        check(&Filter::HasKey("my.tag".into()), true);
        check(&Filter::KeyMissing("my.other".into()), true);
        check(&Filter::HasValue("empty".into()), false);
        check(&Filter::ValueMissing("empty".into()), true);
        check(&Filter::From("created".into(), 10), true);
        check(&Filter::From("created".into(), 11), false);
        check(&Filter::To("created".into(), 10), true);
        check(&Filter::To("modified".into(), 10), false);
    }
}
