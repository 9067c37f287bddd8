//! Which area codes of the North American plan cost the caller nothing.

/// Whether an area code is one of the plan's toll-free ones, in use or set aside for it.
#[must_use]
pub(super) fn is_tollfree(area: &str) -> bool {
    matches!(area, "800" | "822" | "833" | "844" | "855" | "866" | "877")
        || area.len() == 3 && area.starts_with("88") && area.as_bytes()[2].is_ascii_digit()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn toll_free_codes_are_known() {
        for area in ["800", "822", "833", "844", "855", "866", "877", "880", "888", "889"] {
            assert!(is_tollfree(area), "{area}");
        }
        for area in ["415", "80", "8000", "811", "", "88", "88x"] {
            assert!(!is_tollfree(area), "{area}");
        }
    }
}
