//! The key of a number: E.164 form, as it is stored and shown.
//!
//! This file knows nothing of dialled forms; [`crate::domain::numbering`] turns them into this one.

use std::fmt;

/// Fewest digits after the `+`: what fills a number database's name, and one more.
const MIN_DIGITS: usize = 5;
/// Most digits after the `+` (ITU-T E.164 §6).
const MAX_DIGITS: usize = 15;

/// A number in E.164 form: `+` and 5 to 15 ASCII digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164(String);

/// The text is not a number in E.164 form.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an E.164 number")]
pub struct ParseE164Error(String);

impl E164 {
    /// Parses `text`, which must already be in E.164 form: nothing is removed or added.
    ///
    /// # Errors
    ///
    /// [`ParseE164Error`], with the text, unless `text` is `+` and 5 to 15 ASCII digits.
    pub fn parse(text: &str) -> Result<Self, ParseE164Error> {
        Self::try_from(text.to_owned())
    }

    /// The number as text, `+` included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for E164 {
    type Error = ParseE164Error;

    fn try_from(text: String) -> Result<Self, ParseE164Error> {
        let digits = text.strip_prefix('+').unwrap_or_default();
        let fits = (MIN_DIGITS..=MAX_DIGITS).contains(&digits.len());
        if fits && digits.bytes().all(|byte| byte.is_ascii_digit()) {
            Ok(Self(text))
        } else {
            Err(ParseE164Error(text))
        }
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl AsRef<str> for E164 {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, is_number: bool) {
        assert_eq!(E164::parse(text).is_ok(), is_number, "{text:?}");
    }

    #[test]
    fn a_number_is_a_plus_and_five_to_fifteen_digits() {
        check("+12345", true);
        check("+14155550100", true);
        check("+123456789012345", true);
        check("+1234", false);
        check("+1234567890123456", false);
        check("14155550100", false);
        check("+1 4155550100", false);
        check("++14155550100", false);
        check("+1415555010x", false);
        check("+14155550100\n", false);
        check("+\u{661}\u{662}\u{663}\u{664}\u{665}", false);
        check("+", false);
        check("", false);
    }

    #[test]
    fn the_error_names_the_text() {
        let error = E164::parse("911").unwrap_err();
        assert_eq!(error.to_string(), "`911` is not an E.164 number");
    }
}
