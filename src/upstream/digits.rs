//! Numbers as vendors write them.

use super::VendorError;
use crate::domain::E164;

/// A number that is written whole, or as the ten digits of the North American plan, with a `1` in
/// front or without.
#[must_use]
pub(crate) fn number_in(text: &str) -> Option<E164> {
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let whole = match text.len() {
        10 if is_digits => format!("+1{text}"),
        11 if is_digits && text.starts_with('1') => format!("+{text}"),
        _ if text.starts_with('+') => text.to_owned(),
        _ => return None,
    };
    E164::parse(&whole).ok()
}

/// The ten digits of a number of the North American plan.
///
/// # Errors
///
/// [`VendorError`] for any other number.
pub(crate) fn ten_digits(number: &E164) -> Result<&str, VendorError> {
    let digits = number.as_str().strip_prefix("+1").filter(|digits| digits.len() == 10);
    let elsewhere = || VendorError::refused("it has numbers of the North American plan only");
    digits.ok_or_else(elsewhere)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_in_each_of_their_forms() {
        for text in ["+14155550100", "14155550100", "4155550100"] {
            assert_eq!(number_in(text).unwrap().as_str(), "+14155550100");
        }
        assert_eq!(number_in("+442079460100").unwrap().as_str(), "+442079460100");
        for text in ["", "+", "415555010", "442079460100", "415555010x", "+1415x", "none"] {
            assert_eq!(number_in(text), None, "{text}");
        }
    }

    #[test]
    fn only_numbers_of_the_plan_have_ten_digits() {
        let digits = |text| ten_digits(&E164::parse(text).unwrap()).ok().map(str::to_owned);
        assert_eq!(digits("+14155550100").as_deref(), Some("4155550100"));
        assert_eq!(digits("+442079460100"), None);
        assert_eq!(digits("+1415555"), None);
    }
}
