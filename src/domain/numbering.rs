//! The rules of numbering put together, and the door for every number that anyone gives us.
//!
//! *Reconcilable*: what may become a number at all, as against an extension or a mistake.

use std::borrow::Cow;

use regex::bytes::Regex;
use serde_json::{Map, Value};

use super::{
    Classifier, Classifiers, Converter, Converters, E164, classify, convert,
    dialled::without_separators,
    pretty::{self, pretty_print},
    settings::{self, ConfigurationError},
};

/// The setting that says what may become a number.
pub const RECONCILE_KEY: &str = "reconcile_regex";

/// What may become a number when nothing is set (KAZOO's).
const RECONCILE: &str = r"^(\+?1)?\d{10}$|^\+[2-9]\d{7,}$|^011\d*$|^00\d*$";

/// The rules by which text becomes a number, and a number is classified and printed.
#[derive(Clone, Debug)]
pub struct Numbering {
    converters: Converters,
    reconcile: Regex,
    classifiers: Classifiers,
}

/// The text cannot become a number. Holds it as it was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` cannot be a phone number")]
pub struct NotReconcilable(pub String);

impl Numbering {
    /// Puts rules together; `reconcile` is the pattern of what may become a number.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] naming `reconcile` when it is empty or cannot be held.
    pub fn new(
        converters: Converters,
        reconcile: &str,
        classifiers: Classifiers,
    ) -> Result<Self, ConfigurationError> {
        let reconcile = settings::compile(RECONCILE_KEY, reconcile)?;
        Ok(Self { converters, reconcile, classifiers })
    }

    /// Reads the members `e164_converters`, `reconcile_regex` and `classifiers`; each that is absent
    /// or null has its default, others are ignored.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] naming the first member that is bad, and its pattern. There is no
    /// falling back: a bad rule must not be taken for an absent one.
    pub fn from_settings(settings: &Map<String, Value>) -> Result<Self, ConfigurationError> {
        let converters = match settings::object(convert::KEY, settings.get(convert::KEY))? {
            Some(rules) => Converters::from_settings(convert::KEY, rules)?,
            None => Converters::default(),
        };
        let classifiers = match settings::object(classify::KEY, settings.get(classify::KEY))? {
            Some(rules) => Classifiers::from_settings(rules)?,
            None => Classifiers::default(),
        };
        let reconcile = settings::text(RECONCILE_KEY, settings.get(RECONCILE_KEY))?;
        Self::new(converters, reconcile.unwrap_or(RECONCILE), classifiers)
    }

    /// Reads a number in any form in which it may be dialled or written. What it returns reads as
    /// itself.
    ///
    /// # Errors
    ///
    /// [`NotReconcilable`], with `input` as given, when there is anything in it but digits,
    /// separators and a leading `+`, when it is not reconcilable, or when what it is converted to
    /// is not in E.164 form.
    pub fn parse(&self, input: &str) -> Result<E164, NotReconcilable> {
        self.admit(input, |dialled| self.converters.convert(dialled))
    }

    /// Reads a number as [`parse`](Self::parse) does, in a form in which an account with this
    /// `dial_plan` may dial it.
    ///
    /// # Errors
    ///
    /// As [`parse`](Self::parse).
    pub fn parse_for(&self, dial_plan: &Converters, input: &str) -> Result<E164, NotReconcilable> {
        self.admit(input, |dialled| self.converters.convert_for(dial_plan, dialled))
    }

    /// The class of `input`, which need not be a number: extensions and 911 have classes too.
    #[must_use]
    pub fn classify(&self, input: &str) -> Option<&Classifier> {
        self.classifiers.classify(&self.convert(input))
    }

    /// Prints `input` as its class wants it, or as any number that begins with `+1`; what has no
    /// format comes back as given.
    #[must_use]
    pub fn pretty(&self, input: &str) -> String {
        let number = self.convert(input);
        let format = self.classifiers.classify(&number).and_then(Classifier::pretty_print);
        match format.or_else(|| number.starts_with("+1").then_some(pretty::NANP)) {
            Some(format) => pretty_print(format, &number),
            None => input.to_owned(),
        }
    }

    /// Removes separators where only digits and a leading `+` are left, and converts. The result
    /// need not be a number; this is for showing what would be stored and why it is not.
    #[must_use]
    pub fn convert<'a>(&self, input: &'a str) -> Cow<'a, str> {
        match without_separators(input) {
            Some(Cow::Owned(dialled)) => Cow::Owned(self.converters.convert(&dialled).into_owned()),
            Some(Cow::Borrowed(_)) | None => self.converters.convert(input),
        }
    }

    /// Whether KAZOO would take `input`: separators are not removed, and what passes may still not
    /// be a number (`00123`). Only to compare with it; [`parse`](Self::parse) decides.
    #[must_use]
    pub fn is_reconcilable(&self, input: &str) -> bool {
        self.reconcile.is_match(self.converters.convert(input).as_bytes())
    }

    /// The rule by which `input` is converted; none when it is left as it is.
    #[must_use]
    pub fn converter_of(&self, input: &str) -> Option<&Converter> {
        let dialled = without_separators(input)?;
        if dialled.starts_with('+') { None } else { self.converters.find(&dialled) }
    }

    /// The rules of conversion.
    #[must_use]
    pub fn converters(&self) -> &Converters {
        &self.converters
    }

    /// The pattern of what may become a number.
    #[must_use]
    pub fn reconcile_pattern(&self) -> &str {
        self.reconcile.as_str()
    }

    /// The classes.
    #[must_use]
    pub fn classifiers(&self) -> &Classifiers {
        &self.classifiers
    }

    fn admit(
        &self,
        input: &str,
        convert: impl Fn(&str) -> Cow<'_, str>,
    ) -> Result<E164, NotReconcilable> {
        let refused = || NotReconcilable(input.to_owned());
        let dialled = without_separators(input).ok_or_else(refused)?;
        let converted = convert(&dialled);
        if !self.reconcile.is_match(converted.as_bytes()) {
            return Err(refused());
        }
        E164::try_from(converted.into_owned()).map_err(|_| refused())
    }
}

impl Default for Numbering {
    fn default() -> Self {
        Self::new(Converters::default(), RECONCILE, Classifiers::default())
            .expect("the default pattern compiles")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(input: &str, number: &str) {
        assert_eq!(Numbering::default().parse(input).unwrap().as_str(), number, "{input:?}");
    }

    fn check_refused(input: &str) {
        let error = Numbering::default().parse(input).unwrap_err();
        assert_eq!(error, NotReconcilable(input.to_owned()));
    }

    #[test]
    fn any_dialled_form_is_read() {
        check("4155550100", "+14155550100");
        check("14155550100", "+14155550100");
        check("+14155550100", "+14155550100");
        check("(415) 555-0100", "+14155550100");
        check("+1 415.555.0100", "+14155550100");
        check(" (+1) 415 555 0100 ", "+14155550100");
        check("011 44 20 7123 4567", "+442071234567");
    }

    #[test]
    fn what_is_not_only_digits_is_refused() {
        for input in ["", "+", " ", "sip:foo", "4155550100x12", "4155550100\n"] {
            check_refused(input);
        }
    }

    #[test]
    fn what_is_not_reconcilable_is_refused() {
        for input in ["911", "1000", "0", "9999999", "+1415555010", "+3312345", "01144123"] {
            check_refused(input);
        }
    }

    #[test]
    fn what_is_reconcilable_and_not_e164_is_refused() {
        for input in ["011", "00", "00123", "0114412", "1158867900", "+2234567890123456"] {
            check_refused(input);
        }
    }

    #[test]
    fn a_dial_plan_completes_what_an_account_dials() {
        let dial_plan = Converters::new([(r"^(\d{7})$", "+1415", "")]).unwrap();
        let number = Numbering::default().parse_for(&dial_plan, "555-0100").unwrap();
        assert_eq!(number.as_str(), "+14155550100");
        assert!(Numbering::default().parse_for(&dial_plan, "911").is_err());
    }

    #[test]
    fn classes_and_formats_see_through_separators() {
        let numbering = Numbering::default();
        assert_eq!(numbering.classify("(415) 555-0100").unwrap().name(), "did_us");
        assert_eq!(numbering.pretty("415-555-0100"), "(415) 555 - 0100");
        assert_eq!(numbering.pretty("+442071234567"), "+442071234567");
        assert_eq!(numbering.pretty("+15551234567"), "(555) 123 - 4567");
        assert_eq!(numbering.pretty("ext. 12"), "ext. 12");
    }

    #[test]
    fn absent_settings_have_their_defaults() {
        let settings = json!({"e164_converters": null, "released_state": "available"});
        let numbering = Numbering::from_settings(settings.as_object().unwrap()).unwrap();
        assert_eq!(numbering.reconcile_pattern(), RECONCILE);
        assert_eq!(numbering.converters().iter().count(), 3);
        assert_eq!(numbering.classifiers().iter().count(), 7);
    }

    #[test]
    fn a_bad_setting_is_refused_by_name() {
        let check = |settings: Value, message: &str| {
            let error = Numbering::from_settings(settings.as_object().unwrap()).unwrap_err();
            assert_eq!(error.to_string(), message);
        };
        check(
            json!({"reconcile_regex": "^(?!0)"}),
            "setting `reconcile_regex` cannot be used: the pattern `^(?!0)` cannot be read: \
             look-around, including look-ahead and look-behind, is not supported",
        );
        check(
            json!({"e164_converters": []}),
            "setting `e164_converters` cannot be used: it must be an object, not an array",
        );
        check(
            json!({"classifiers": {"a": {"regex": 1}}}),
            "setting `classifiers.a.regex` cannot be used: it must be a string, not a number",
        );
    }
}
