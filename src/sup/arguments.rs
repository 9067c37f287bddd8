//! The arguments of old commands, as their rows declare them.

use serde_json::Value;

use super::{SupError, wrong};

/// A parameter of a command.
#[derive(Clone, Copy, Debug)]
pub(super) struct Parameter {
    /// Its name in the line that says how the command is used.
    pub(super) name: &'static str,
    /// Whether a list may stand for it, and not only a text.
    pub(super) takes_many: bool,
    /// Whether it may be left out, with all that follow.
    pub(super) is_optional: bool,
}

/// A parameter that is a text.
pub(super) const fn one(name: &'static str) -> Parameter {
    Parameter { name, takes_many: false, is_optional: false }
}

/// A parameter that is a text or a list of texts.
pub(super) const fn many(name: &'static str) -> Parameter {
    Parameter { name, takes_many: true, is_optional: false }
}

impl Parameter {
    /// The same, which may be left out.
    pub(super) const fn or_none(self) -> Self {
        Self { is_optional: true, ..self }
    }
}

/// The arguments of a command, each of the kind that its row declares.
#[derive(Debug)]
pub(super) struct Arguments(Vec<Vec<String>>);

impl Arguments {
    /// Reads as many arguments as the parameters allow.
    pub(super) fn read(parameters: &[Parameter], given: &[Value]) -> Result<Self, SupError> {
        let read = |(parameter, value): (&Parameter, &Value)| {
            let (texts, problem) = if parameter.takes_many {
                (texts(value), "must be a text or a list of texts")
            } else {
                (text(value).map(|text| vec![text]), "must be a text")
            };
            texts.ok_or_else(|| wrong("args", parameter.name, problem, value))
        };
        Ok(Self(parameters.iter().zip(given).map(read).collect::<Result<_, _>>()?))
    }

    /// The argument of a parameter that takes one text.
    pub(super) fn text(&self, at: usize) -> &str {
        self.list(at).and_then(|texts| texts.first()).map_or("", String::as_str)
    }

    /// The argument of a parameter, as a list; none when it was left out.
    pub(super) fn list(&self, at: usize) -> Option<&[String]> {
        self.0.get(at).map(Vec::as_slice)
    }
}

fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::Array(list) if list.is_empty() => None,
        Value::Array(list) => list.iter().map(text).collect(),
        other => text(other).map(|text| vec![text]),
    }
}

/// A number without quotes is meant as the text that it is.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
