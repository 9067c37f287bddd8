//! Conditions on a stored document, as the listing takes them.

use serde_json::{Map, Value, json};

use crate::{
    domain::{AccountId, State},
    repository::Port,
};

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
        self.holds(|path| find(document, stored_name(path)))
    }

    /// Whether the number of a port request satisfies the condition, as a list shows it: there is
    /// no document of it.
    #[must_use]
    pub fn keeps_port(&self, port: &Port) -> bool {
        let row = json!({
            "id": port.number.as_str(),
            "state": State::PortIn.as_str(),
            "assigned_to": port.account.as_str(),
            "used_by": port.used_by,
            "created": port.created,
            "modified": port.modified,
            "updated": port.modified,
            "port_id": port.request,
            "port_state": port.state,
        });
        self.holds(|path| find(row.as_object()?, path).filter(|value| !value.is_null()))
    }

    /// The owners of which a document must name one, when the condition is about the stored owner
    /// and names accounts only.
    pub(super) fn owners(&self) -> Option<Vec<Option<AccountId>>> {
        match self {
            Self::Is(path, texts) if stored_name(path) == "pvt_assigned_to" => {
                texts.iter().map(|text| AccountId::parse(text).map(Some).ok()).collect()
            }
            _ => None,
        }
    }

    fn holds<'a>(&self, value: impl Fn(&str) -> Option<&'a Value>) -> bool {
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

/// The path in a document of what the wire calls so.
fn stored_name(path: &str) -> &str {
    match path {
        "state" => "pvt_state",
        "assigned_to" => "pvt_assigned_to",
        "locality" => "pvt_locality",
        "created" => "pvt_created",
        "modified" => "pvt_modified",
        path => path,
    }
}

fn find<'a>(document: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    let mut steps = path.split('.');
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

/// A time as some writers store it: whole, with a fraction, or as text.
fn number(value: Option<&Value>) -> Option<i64> {
    let value = value?;
    let text = || value.as_str()?.parse().ok();
    value
        .as_i64()
        .or_else(|| value.as_number()?.to_string().split('.').next()?.parse().ok())
        .or_else(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AccountId, E164};

    #[track_caller]
    fn check(filter: &Filter, keeps: bool) {
        let document = json!({
            "pvt_state": "in_service", "pvt_created": 10, "my": {"tag": "x", "n": 3, "on": true, "text": "11", "fraction": 11.5},
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
        check(&Filter::From("my.text".into(), 11), true);
        check(&Filter::From("my.fraction".into(), 11), true);
        check(&Filter::From("my.fraction".into(), 12), false);
        check(&Filter::From("my.tag".into(), 0), false);
    }

    #[test]
    fn the_number_of_a_port_request_is_looked_at_as_it_is_shown() {
        let port = Port {
            number: E164::parse("+14155550177").unwrap(),
            account: AccountId::parse("0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f").unwrap(),
            request: "p".to_owned(),
            state: "submitted".to_owned(),
            used_by: None,
            created: 10,
            modified: 20,
        };
        let keeps = |filter: &Filter| filter.keeps_port(&port);
        assert!(keeps(&Filter::Is("state".into(), vec!["port_in".into()])));
        assert!(keeps(&Filter::Is("port_state".into(), vec!["submitted".into()])));
        assert!(!keeps(&Filter::Is("pvt_state".into(), vec!["port_in".into()])));
        assert!(!keeps(&Filter::Is("my.tag".into(), vec!["x".into()])));
        assert!(keeps(&Filter::KeyMissing("used_by".into())));
        assert!(keeps(&Filter::To("created".into(), 10)));
        assert!(!keeps(&Filter::To("created".into(), 9)));
        assert!(!keeps(&Filter::From("modified".into(), 21)));
    }
}
