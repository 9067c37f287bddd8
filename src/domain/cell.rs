//! How texts stand in the cells of tables: never so that a spreadsheet takes them for formulas.

/// What a spreadsheet takes for the beginning of a formula.
const FORMULA: [char; 4] = ['=', '+', '-', '@'];
/// What is put in front of such a text.
const SHIELD: char = '\'';

/// The text as it stands in a cell.
#[must_use]
pub fn shielded(text: &str) -> String {
    if is_like_formula(text) { format!("{SHIELD}{text}") } else { text.to_owned() }
}

/// The text of a cell.
#[must_use]
pub fn unshielded(cell: &str) -> &str {
    cell.strip_prefix(SHIELD).filter(|text| is_like_formula(text)).unwrap_or(cell)
}

/// Whether a text is a formula, or a shielded one: that is shielded once more, so that it comes back as
/// it is.
fn is_like_formula(text: &str) -> bool {
    text.trim_start_matches(SHIELD).starts_with(FORMULA)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_shielded_and_come_back() {
        for (text, cell) in [
            ("", ""),
            ("ACME", "ACME"),
            ("a=b", "a=b"),
            ("=1+1", "'=1+1"),
            ("+1", "'+1"),
            ("-1", "'-1"),
            ("@x", "'@x"),
            ("'=1", "''=1"),
            ("'n", "'n"),
            ("'", "'"),
        ] {
            assert_eq!((&*shielded(text), unshielded(cell)), (cell, text));
        }
    }
}
