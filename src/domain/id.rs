//! The ids that this service makes up for what it keeps: digits to the base of 16.

/// How many digits the id of a job, and that of a receiver of calls, has.
pub const ID_DIGITS: usize = 32;

/// Whether a text can be an id of so many digits: no other is looked for, since it may be anything, and
/// too long for a store.
#[must_use]
pub fn is_id(text: &str, digits: usize) -> bool {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == digits && text.bytes().all(is_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_all_digits_and_neither_longer_nor_shorter() {
        assert!(is_id("09af", 4));
        for text in ["", "09a", "09aff", "09aF", "09ag", "0 af", "09é"] {
            assert!(!is_id(text, 4), "{text}");
        }
    }
}
