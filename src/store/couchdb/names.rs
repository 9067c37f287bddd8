//! How names travel in a URL, and which of them are ours to use.
//!
//! Everything is percent-encoded here, exactly once: CouchDB takes `numbers/+1415` for a path and
//! a space, and `numbers%252F…` for another database.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::{DbName, rules::DESIGN_PREFIX};

/// The path of a database on the server.
pub(super) fn db_path(prefix: &str, db: &DbName) -> String {
    format!("/{}{}", encoded(prefix), encoded(db.as_str()))
}

/// The path of a document. The slash of `_design/` and `_local/` stays one: CouchDB answers the
/// other spelling of a design document with a redirect.
pub(super) fn doc_path(db_path: &str, id: &str) -> String {
    for kind in [DESIGN_PREFIX, "_local/"] {
        if let Some(name) = id.strip_prefix(kind) {
            return format!("{db_path}/{kind}{}", encoded(name));
        }
    }
    format!("{db_path}/{}", encoded(id))
}

/// Whether this database holds numbers, and so needs their indexes.
pub(super) fn holds_numbers(db: &DbName) -> bool {
    db.as_str().starts_with("numbers/")
}

/// Whether this is an account's own database, and not one of a month.
pub(super) fn is_account(db: &DbName) -> bool {
    db.as_str().strip_prefix("account/").is_some_and(|id| !id.contains('-'))
}

fn encoded(part: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(part, NON_ALPHANUMERIC)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_encoded_once() {
        let db = db_path("nm_", &DbName::new("numbers/+1415"));
        assert_eq!(db, "/nm%5Fnumbers%2F%2B1415");
        assert_eq!(doc_path("/d", "+1415"), "/d/%2B1415");
        assert_eq!(doc_path("/d", "a b%é"), "/d/a%20b%25%C3%A9");
        assert_eq!(doc_path("/d", "_design/a/b"), "/d/_design/a%2Fb");
        assert_eq!(doc_path("/d", "_local/x"), "/d/_local/x");
    }
}
