//! Any dialled form → E.164, by ordered rules.
//!
//! The first [`Converter`] that matches decides, and there is no second pass; what none matches stays
//! as it is. Whether the result is a number is for [`crate::domain::numbering`].

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::{ConfigurationError, Converter};

/// The setting that holds the system's converters.
pub const KEY: &str = "e164_converters";

/// Pattern and prefix of the converters that hold when none are set (KAZOO's).
const DEFAULT: [(&str, &str); 3] = [
    (r"^(\+?1)?([2-9][0-9]{2}[2-9][0-9]{6})$", "+1"),
    (r"^011(\d{5,})$|^00(\d{5,})$", "+"),
    (r"^[2-9]\d{7,}$", "+"),
];

/// Ordered rules of conversion: the system's, an account's, or an account's dial plan.
#[derive(Clone, Debug)]
pub struct Converters(Vec<Converter>);

impl Converters {
    /// Compiles `rules`, each a pattern, a prefix and a suffix, in the order in which they are tried.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] naming the first pattern that is empty or that cannot be held.
    pub fn new<P, T>(rules: impl IntoIterator<Item = (P, T, T)>) -> Result<Self, ConfigurationError>
    where
        P: AsRef<str>,
        T: Into<String>,
    {
        rules
            .into_iter()
            .map(|(pattern, prefix, suffix)| {
                Converter::new(KEY, pattern.as_ref(), prefix.into(), suffix.into())
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Reads the rules under the setting `key` (`e164_converters`, or an account's `dial_plan`): an
    /// object whose members are `pattern: {"prefix": …, "suffix": …}`, both optional, in order.
    /// Other members of a rule (`description`) say nothing about conversion.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] naming the key and the first pattern that is bad, or whose rule is.
    pub fn from_settings(
        key: &str,
        rules: &Map<String, Value>,
    ) -> Result<Self, ConfigurationError> {
        rules
            .iter()
            .map(|(pattern, rule)| Converter::read(key, pattern, rule))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// Converts `number` by the first rule that matches it. What begins with `+` is unchanged,
    /// whatever follows.
    #[must_use]
    pub fn convert<'a>(&self, number: &'a str) -> Cow<'a, str> {
        if number.starts_with('+') { Cow::Borrowed(number) } else { self.apply(number) }
    }

    /// Converts `number` as an account dials it: by `dial_plan` once, then by these rules, which
    /// see a leading `+` that the dial plan has put there. What begins with `+` to start with is
    /// unchanged.
    #[must_use]
    pub fn convert_for<'a>(&self, dial_plan: &Self, number: &'a str) -> Cow<'a, str> {
        if number.starts_with('+') {
            return Cow::Borrowed(number);
        }
        match dial_plan.apply(number) {
            Cow::Borrowed(dialled) => self.apply(dialled),
            Cow::Owned(dialled) => Cow::Owned(self.apply(&dialled).into_owned()),
        }
    }

    /// Converts `number` and drops one leading `+`, as some carriers want it.
    #[must_use]
    pub fn strip_plus<'a>(&self, number: &'a str) -> Cow<'a, str> {
        match self.convert(number) {
            Cow::Borrowed(text) => Cow::Borrowed(text.strip_prefix('+').unwrap_or(text)),
            Cow::Owned(text) => Cow::Owned(text.strip_prefix('+').unwrap_or(&text).to_owned()),
        }
    }

    /// The rule that decides about `number`, if any does.
    #[must_use]
    pub fn find(&self, number: &str) -> Option<&Converter> {
        self.0.iter().find(|converter| converter.matches(number))
    }

    /// The rules in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Converter> {
        self.0.iter()
    }

    /// The patterns with more than one group, by which an added pair of parentheses changes what
    /// is dialled. Worth a warning when they are read; the default ones are known to be right.
    pub fn ambiguous_patterns(&self) -> impl Iterator<Item = &str> {
        self.0
            .iter()
            .filter(|converter| converter.groups() > 1)
            .map(Converter::pattern)
            .filter(|pattern| DEFAULT.iter().all(|(known, _)| known != pattern))
    }

    fn apply<'a>(&self, number: &'a str) -> Cow<'a, str> {
        self.find(number).map_or(Cow::Borrowed(number), |converter| converter.apply(number))
    }
}

impl Default for Converters {
    fn default() -> Self {
        Self::new(DEFAULT.map(|(pattern, prefix)| (pattern, prefix, "")))
            .expect("the default patterns compile")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(number: &str, converted: &str) {
        assert_eq!(Converters::default().convert(number), converted, "{number:?}");
    }

    #[test]
    fn dialled_forms_become_e164() {
        check("4155550100", "+14155550100");
        check("14155550100", "+14155550100");
        check("442071234567", "+442071234567");
        check("011441234567", "+441234567");
        check("00441234567", "+441234567");
        check("01144123", "+44123");
        check("41234567", "+41234567");
        check("4150867900", "+4150867900");
    }

    #[test]
    fn what_no_rule_matches_is_unchanged() {
        for text in ["", "+", "911", "1000", "0114412", "1158867900", "9999999", "415-555-0100"] {
            check(text, text);
        }
    }

    #[test]
    fn a_leading_plus_is_unchanged_whatever_follows() {
        for text in ["+14155550100", "+1 415 555 0100", "+2223334000", "+junk"] {
            check(text, text);
        }
    }

    #[test]
    fn a_dial_plan_comes_before_the_rules() {
        let check = |pattern: &str, prefix: &str, number: &str, converted: &str| {
            let dial_plan = Converters::new([(pattern, prefix, "")]).unwrap();
            assert_eq!(Converters::default().convert_for(&dial_plan, number), converted);
        };
        check(r"^(1\d{3})$", "+1415555", "1000", "+14155551000");
        check(r"^(\d{7})$", "415", "5550100", "+14155550100");
        check(r"^(\d{7})$", "+415", "5550100", "+4155550100");
        check(r"^9(\d+)$", "", "94155550100", "+14155550100");
        check(r"^\+(\d{7})$", "415", "+5550100", "+5550100");
        check(r"^x$", "", "4155550100", "+14155550100");
    }

    #[test]
    fn a_bad_rule_is_refused_by_name() {
        let check = |rules: Value, message: &str| {
            let rules = rules.as_object().unwrap();
            let error = Converters::from_settings("dial_plan", rules).unwrap_err();
            assert_eq!(error.to_string(), message);
        };
        check(
            json!({"(": {}}),
            "setting `dial_plan` cannot be used: the pattern `(` cannot be read: unclosed group",
        );
        check(
            json!({"^1$": {"prefix": 1}}),
            "setting `dial_plan.^1$.prefix` cannot be used: it must be a string, not a number",
        );
        check(
            json!({"^1$": "+"}),
            "setting `dial_plan.^1$` cannot be used: it must be an object, not a string",
        );
        assert!(Converters::new([("", "+", "")]).is_err());
    }

    #[test]
    fn patterns_with_several_groups_are_told_but_not_the_default_ones() {
        let patterns = [r"^(\d)(\d)$", r"^(\d)$", DEFAULT[0].0];
        let converters = Converters::new(patterns.map(|pattern| (pattern, "", ""))).unwrap();
        assert_eq!(converters.ambiguous_patterns().collect::<Vec<_>>(), [r"^(\d)(\d)$"]);
    }
}
