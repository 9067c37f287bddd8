//! One rule of conversion.
//!
//! *Converter*: a pattern, and what is put before and after the *root* of a number that matches it.
//! The root is what the highest-numbered group that took part has captured, or the whole match when
//! no group did.

use std::borrow::Cow;

use regex::bytes::Regex;
use serde_json::Value;

use super::settings::{self, ConfigurationError};

/// One rule of conversion.
#[derive(Clone, Debug)]
pub struct Converter {
    pattern: Regex,
    prefix: String,
    suffix: String,
}

impl Converter {
    pub(super) fn new(
        key: &str,
        pattern: &str,
        prefix: String,
        suffix: String,
    ) -> Result<Self, ConfigurationError> {
        Ok(Self { pattern: settings::compile(key, pattern)?, prefix, suffix })
    }

    /// Reads the `rule` of `pattern` under the setting `key`.
    pub(super) fn read(key: &str, pattern: &str, rule: &Value) -> Result<Self, ConfigurationError> {
        let part = |name| {
            let text = settings::text(&format!("{key}.{pattern}.{name}"), rule.get(name))?;
            Ok(text.unwrap_or_default().to_owned())
        };
        settings::object(&format!("{key}.{pattern}"), Some(rule))?;
        Self::new(key, pattern, part("prefix")?, part("suffix")?)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn pattern(&self) -> &str {
        self.pattern.as_str()
    }

    /// What is put before the root.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What is put after the root.
    #[must_use]
    pub fn suffix(&self) -> &str {
        &self.suffix
    }

    /// How many groups the pattern has.
    pub(super) fn groups(&self) -> usize {
        self.pattern.captures_len() - 1
    }

    pub(super) fn matches(&self, number: &str) -> bool {
        self.pattern.is_match(number.as_bytes())
    }

    /// Converts `number`, which matches. A root that would cut a character in two is no text, and
    /// leaves the number as it is.
    pub(super) fn apply<'a>(&self, number: &'a str) -> Cow<'a, str> {
        let Some(root) = self.root(number) else { return Cow::Borrowed(number) };
        if self.prefix.is_empty() && self.suffix.is_empty() {
            return Cow::Borrowed(root);
        }
        Cow::Owned([&self.prefix, root, &self.suffix].concat())
    }

    fn root<'a>(&self, number: &'a str) -> Option<&'a str> {
        let groups = self.groups();
        let root = if groups == 0 {
            self.pattern.find(number.as_bytes())?
        } else {
            let captures = self.pattern.captures(number.as_bytes())?;
            (0..=groups).rev().find_map(|group| captures.get(group))?
        };
        number.get(root.range())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converter(pattern: &str, prefix: &str, suffix: &str) -> Converter {
        Converter::new("k", pattern, prefix.to_owned(), suffix.to_owned()).unwrap()
    }

    fn check_root(pattern: &str, number: &str, root: &str) {
        let converted = converter(pattern, "<", ">").apply(number).into_owned();
        assert_eq!(converted, format!("<{root}>"), "{pattern:?} {number:?}");
    }

    #[test]
    fn the_root_is_the_last_group_that_took_part() {
        check_root(r"^(\d{10})(x\d+)?$", "4155550100x12", "x12");
        check_root(r"^(\d{10})(x\d+)?$", "4155550100", "4155550100");
        check_root(r"^(\d{3})(\d{3})(\d{4})$", "4155550100", "0100");
        check_root(r"^((\d{3})\d{7})$", "4155550100", "415");
        check_root(r"^(\d{10})()$", "4155550100", "");
        check_root(r"\d{10}", "xx4155550100yy", "4155550100");
    }

    #[test]
    fn a_root_that_cuts_a_character_changes_nothing() {
        let converter = converter("^.", "+", "");
        assert_eq!(converter.apply("é"), "é");
    }

    #[test]
    fn a_rule_that_adds_nothing_leaves_the_root() {
        assert_eq!(converter(r"^9(\d+)$", "", "").apply("9911"), "911");
    }
}
