//! How a number is printed for people: a format walks along the digits.
//!
//! | in the format | does |
//! |---|---|
//! | `#` | prints the next character of the number |
//! | `S` | skips it |
//! | `*` | prints all that is left |
//! | `\#`, `\S`, `\*` | prints `#`, `S`, `*` |
//! | anything else | prints itself |
//!
//! When the number is used up, `#`, `S` and `*` do nothing; what the format does not reach is not
//! printed.

/// The format of a number that begins with `+1` and whose class has none.
pub(super) const NANP: &str = "SS(###) ### - ####";

/// Prints `number`, which should have been converted, by `format`.
#[must_use]
pub fn pretty_print(format: &str, number: &str) -> String {
    let mut printed = String::with_capacity(format.len() + number.len());
    let mut pieces = format.chars().peekable();
    let mut rest = number.chars();
    while let Some(piece) = pieces.next() {
        match piece {
            '\\' if matches!(pieces.peek(), Some('S' | '#' | '*')) => printed.extend(pieces.next()),
            'S' => drop(rest.next()),
            '#' => printed.extend(rest.next()),
            '*' => printed.extend(rest.by_ref()),
            literal => printed.push(literal),
        }
    }
    printed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(format: &str, number: &str, printed: &str) {
        assert_eq!(pretty_print(format, number), printed, "{format:?} {number:?}");
    }

    #[test]
    fn digits_are_printed_skipped_and_left_over() {
        check("SS(###) ### - *", "+14158867900", "(415) 886 - 7900");
        check("SS(###) ### - ####", "+14158867900", "(415) 886 - 7900");
        check("SS(###)", "+14158867900", "(415)");
        check("SSS011*", "+441234567", "0111234567");
        check("*", "+14158867900", "+14158867900");
        check("US #", "+14158867900", "U 1");
        check("", "+14158867900", "");
    }

    #[test]
    fn a_number_that_is_used_up_prints_nothing() {
        check("SS(###) ### - ####", "+1415", "(415)  - ");
        check("*-*", "+1415", "+1415-");
        check("##S##", "911", "91");
    }

    #[test]
    fn a_backslash_prints_what_has_a_meaning() {
        check(r"S\SS(###\#) ### - *\*", "+14158867900", "S(415#) 886 - 7900*");
        check(r"\##", "+14158867900", "#+");
        check(r"\\#", "+14158867900", r"\#");
        check(r"a\b#", "+14158867900", r"a\b+");
        check(r"#\", "+1", r"+\");
    }
}
