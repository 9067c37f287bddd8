//! Which digits a country's numbers begin with.

use rlibphonenumber::{PHONE_NUMBER_UTIL, Region};

/// The beginning of every number of a country, named by two letters in either case: `+1` for `US`.
/// `None` for what is no country with numbers of its own.
#[must_use]
pub fn calling_code(country: &str) -> Option<String> {
    let region = Region::from_code(country).ok()?;
    let code = PHONE_NUMBER_UTIL.get_country_code_for_region(region)?;
    Some(format!("+{code}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(country: &str, code: Option<&str>) {
        assert_eq!(calling_code(country).as_deref(), code, "{country}");
    }

    #[test]
    fn a_country_has_a_calling_code() {
        check("US", Some("+1"));
        check("us", Some("+1"));
        check("CA", Some("+1"));
        check("TT", Some("+1"));
        check("GB", Some("+44"));
        check("DE", Some("+49"));
        check("RU", Some("+7"));
        check("FI", Some("+358"));
    }

    #[test]
    fn what_is_no_country_has_none() {
        for text in ["", "U", "USA", "XX", "ZZ", "001", "1", "+1", "é", "ÜS"] {
            check(text, None);
        }
    }
}
