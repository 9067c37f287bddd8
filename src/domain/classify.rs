//! Which class a number is in (`did_us`, `tollfree_us`, `emergency`, …), by ordered rules.
//!
//! *Classifier*: a name, a pattern, and what a UI shows about the class. The first one whose pattern
//! is found in the converted number decides; groups mean nothing here.

use regex::bytes::Regex;
use serde_json::{Map, Value, json};

use super::settings::{self, ConfigurationError};

/// The setting that holds the classifiers.
pub const KEY: &str = "classifiers";

/// The pattern of a classifier that gives none: it is in no class.
const NOTHING: &str = "^$";

/// One class of numbers.
#[derive(Clone, Debug)]
pub struct Classifier {
    name: String,
    pattern: Regex,
    friendly_name: String,
    pretty_print: Option<String>,
    is_emergency: bool,
    properties: Map<String, Value>,
}

/// Ordered classes of numbers.
#[derive(Clone, Debug)]
pub struct Classifiers(Vec<Classifier>);

impl Classifier {
    /// The key of the class in the settings, such as `did_us`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The pattern as it was written, or the one that stands for none.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.pattern.as_str()
    }

    /// What people call the class; its name when nothing else was given.
    #[must_use]
    pub fn friendly_name(&self) -> &str {
        &self.friendly_name
    }

    /// How its numbers are printed, in the language of [`pretty_print`](super::pretty_print).
    #[must_use]
    pub fn pretty_print(&self) -> Option<&str> {
        self.pretty_print.as_deref()
    }

    /// Whether its numbers call for help, so that no restriction may stop them.
    #[must_use]
    pub fn is_emergency(&self) -> bool {
        self.is_emergency
    }

    /// Every member of the rule as it was written, in its order, and `friendly_name` in any case.
    #[must_use]
    pub fn properties(&self) -> &Map<String, Value> {
        &self.properties
    }

    /// Reads one rule: an object, or (as older systems have it) only the pattern.
    fn read(name: &str, rule: &Value) -> Result<Self, ConfigurationError> {
        let key = format!("{KEY}.{name}");
        let mut properties = match rule {
            Value::String(pattern) => Map::from_iter([("regex".to_owned(), json!(pattern))]),
            Value::Object(members) => members.clone(),
            other => return Err(settings::unexpected(&key, "an object or a string", other)),
        };
        let text = |member| settings::text(&format!("{key}.{member}"), properties.get(member));
        let pattern = settings::compile(&key, text("regex")?.unwrap_or(NOTHING))?;
        let friendly_name = text("friendly_name")?.unwrap_or(name).to_owned();
        let pretty_print = text("pretty_print")?.map(str::to_owned);
        let is_emergency =
            settings::flag(&format!("{key}.emergency"), properties.get("emergency"))?;
        properties.insert("friendly_name".to_owned(), json!(friendly_name));
        let name = name.to_owned();
        Ok(Self { name, pattern, friendly_name, pretty_print, is_emergency, properties })
    }
}

impl Classifiers {
    /// Reads the rules: an object whose members are `name: {"regex": …, "friendly_name": …,
    /// "pretty_print": …, "emergency": …}`, or `name: pattern`, in the order in which they are tried.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] naming the first classifier that is bad, and its pattern.
    pub fn from_settings(rules: &Map<String, Value>) -> Result<Self, ConfigurationError> {
        rules
            .iter()
            .map(|(name, rule)| Classifier::read(name, rule))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The class of a number that has been converted, if it is in any.
    #[must_use]
    pub fn classify(&self, converted: &str) -> Option<&Classifier> {
        self.0.iter().find(|classifier| classifier.pattern.is_match(converted.as_bytes()))
    }

    /// The classes in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Classifier> {
        self.0.iter()
    }

    /// The object that the API shows: each class by its name with its properties, in order.
    #[must_use]
    pub fn available(&self) -> Map<String, Value> {
        let member = |classifier: &Classifier| {
            (classifier.name.clone(), Value::Object(classifier.properties.clone()))
        };
        self.0.iter().map(member).collect()
    }
}

impl Default for Classifiers {
    /// KAZOO's seven. Their order is part of them: sorted by name, `did_us` would hide
    /// `tollfree_us`.
    fn default() -> Self {
        let nanp = "SS(###) ### - ####";
        let rules = json!({
            "tollfree_us": {
                "regex": r"^\+1((?:800|88\d|877|866|855|844|833|822)\d{7})$",
                "friendly_name": "US TollFree",
                "pretty_print": nanp
            },
            "toll_us": {
                "regex": r"^\+1(900\d{7})$",
                "friendly_name": "US Toll",
                "pretty_print": nanp
            },
            "emergency": {
                "regex": "^(911|922|933|833|811|711|999)$",
                "friendly_name": "Emergency Dispatcher",
                "emergency": true
            },
            "caribbean": {
                "regex": concat!(
                    r"^\+?1((?:684|264|268|242|246|441|284|345|767|809|829|849|473|671|876|664|670",
                    r"|787|939|869|758|784|721|868|649|340)\d{7})$"
                ),
                "friendly_name": "Caribbean",
                "pretty_print": nanp
            },
            "did_us": {
                "regex": r"^(\+?1)?([2-9][0-9]{2}[2-9][0-9]{6})$",
                "friendly_name": "US DID",
                "pretty_print": nanp
            },
            "international": {
                "regex": r"^\+([2-9]\d{7,})$",
                "friendly_name": "International"
            },
            "unknown": {"regex": "^(.*)$", "friendly_name": "Unknown"}
        });
        let rules = rules.as_object().expect("they were written as an object");
        Self::from_settings(rules).expect("the default classifiers can be read")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(converted: &str, name: &str) {
        let class = Classifiers::default().classify(converted).map(|class| class.name().to_owned());
        assert_eq!(class.as_deref(), Some(name), "{converted:?}");
    }

    fn read(rules: &Value) -> Result<Classifiers, ConfigurationError> {
        Classifiers::from_settings(rules.as_object().unwrap())
    }

    #[test]
    fn the_first_class_that_matches_decides() {
        check("+18005550100", "tollfree_us");
        check("+18335550100", "tollfree_us");
        check("+19005550100", "toll_us");
        check("911", "emergency");
        check("+12425550100", "caribbean");
        check("+14155550100", "did_us");
        check("+442071234567", "international");
        check("+15551234567", "unknown");
        check("1000", "unknown");
        check("", "unknown");
    }

    #[test]
    fn a_newline_is_in_no_class() {
        assert!(Classifiers::default().classify("1\n2").is_none());
    }

    #[test]
    fn a_rule_may_be_a_pattern_or_lack_one() {
        let classifiers = read(&json!({"a": "^1", "b": {"friendly_name": "Bee"}})).unwrap();
        let found = |number| classifiers.classify(number).map(Classifier::friendly_name);
        assert_eq!((found("1"), found(""), found("2")), (Some("a"), Some("Bee"), None));
    }

    #[test]
    fn available_keeps_order_and_unknown_members() {
        let rules = json!({"z": {"x-color": 7, "regex": "^1"}, "a": "^2"});
        let expected = r#"{"z":{"x-color":7,"regex":"^1","friendly_name":"z"},"a":{"regex":"^2","friendly_name":"a"}}"#;
        assert_eq!(Value::Object(read(&rules).unwrap().available()).to_string(), expected);
    }

    #[test]
    fn only_the_emergency_class_is_an_emergency() {
        let classifiers = Classifiers::default();
        let names: Vec<_> =
            classifiers.iter().filter(|class| class.is_emergency()).map(Classifier::name).collect();
        assert_eq!(names, ["emergency"]);
    }

    #[test]
    fn a_bad_rule_is_refused_by_name() {
        let check = |rules: Value, message: &str| {
            assert_eq!(read(&rules).unwrap_err().to_string(), message);
        };
        check(
            json!({"a": {"regex": "("}}),
            "setting `classifiers.a` cannot be used: the pattern `(` cannot be read: unclosed group",
        );
        check(
            json!({"a": 5}),
            "setting `classifiers.a` cannot be used: it must be an object or a string, not a number",
        );
        check(
            json!({"a": {"pretty_print": []}}),
            "setting `classifiers.a.pretty_print` cannot be used: \
             it must be a string, not an array",
        );
        check(
            json!({"a": {"emergency": "maybe"}}),
            "setting `classifiers.a.emergency` cannot be used: \
             it must be true or false, not a string",
        );
    }
}
