//! The North American numbering plan as carriers want it written.
//!
//! *NPAN*: the ten digits of a number of the plan; *1NPAN*: the same with the trunk digit `1`.
//! These are fixed rules: no setting changes them, and they look at the text as it was given.

use std::borrow::Cow;

/// The NPAN in `number`, which may begin with `1` or `+1`; any other text comes back unchanged.
#[must_use]
pub fn to_npan(number: &str) -> &str {
    npan(number).unwrap_or(number)
}

/// The 1NPAN of `number`, which may begin with `1` or `+1`; any other text comes back unchanged.
#[must_use]
pub fn to_1npan(number: &str) -> Cow<'_, str> {
    match npan(number) {
        Some(npan) => Cow::Owned(format!("1{npan}")),
        None => Cow::Borrowed(number),
    }
}

/// `^(\+?1)?([2-9][0-9]{2}[2-9][0-9]{6})$`, second group.
fn npan(number: &str) -> Option<&str> {
    let rest = number.strip_prefix("+1").or_else(|| number.strip_prefix('1')).unwrap_or(number);
    let bytes = rest.as_bytes();
    let digits = bytes.len() == 10 && bytes.iter().all(u8::is_ascii_digit);
    (digits && bytes[0] >= b'2' && bytes[3] >= b'2').then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(number: &str, npan: &str, one_npan: &str) {
        assert_eq!((to_npan(number), &*to_1npan(number)), (npan, one_npan), "{number:?}");
    }

    #[test]
    fn every_form_of_a_number_of_the_plan_is_cut_to_its_digits() {
        check("4155550100", "4155550100", "14155550100");
        check("14155550100", "4155550100", "14155550100");
        check("+14155550100", "4155550100", "14155550100");
    }

    #[test]
    fn other_text_is_unchanged() {
        for text in
            ["", "+", "+1", "911", "1155550100", "4151550100", "+4155550100", "415-555-0100"]
        {
            check(text, text, text);
        }
    }
}
