//! What people write around the digits of a number.
//!
//! *Separator*: one of ` -.()`, which stands between digits and means nothing.

use std::borrow::Cow;

/// The digits of `input` and its leading `+`, or `None` when there is more than separators besides.
pub(super) fn without_separators(input: &str) -> Option<Cow<'_, str>> {
    if is_dialled(input) {
        return Some(Cow::Borrowed(input));
    }
    let mut dialled = String::with_capacity(input.len());
    dialled.extend(input.chars().filter(|char| !matches!(char, ' ' | '-' | '.' | '(' | ')')));
    is_dialled(&dialled).then_some(Cow::Owned(dialled))
}

fn is_dialled(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(input: &str, dialled: Option<&str>) {
        assert_eq!(without_separators(input).as_deref(), dialled, "{input:?}");
    }

    #[test]
    fn separators_are_removed_wherever_they_stand() {
        check("4155550100", Some("4155550100"));
        check("+14155550100", Some("+14155550100"));
        check("(415) 555-0100", Some("4155550100"));
        check(" (+1) 415.555.0100 ", Some("+14155550100"));
        check("9-1-1", Some("911"));
    }

    #[test]
    fn anything_but_digits_and_a_leading_plus_is_refused() {
        for input in ["", "+", " ", "()", "sip:foo", "415\t5550100", "1+415", "++1415", "415/555"] {
            check(input, None);
        }
        check("4155550100\n", None);
        check("４１５５５５０１００", None);
        check("+1٤155550100", None);
        check("415\u{a0}5550100", None);
    }
}
