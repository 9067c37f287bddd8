//! How names travel in a URL, and which of them are ours to use.
//!
//! Everything is percent-encoded here, exactly once: CouchDB takes `numbers/+1415` for a path and
//! a space, and `numbers%252F…` for another database.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::DbName;

/// The path of a database on the server.
pub(super) fn db_path(prefix: &str, db: &DbName) -> String {
    format!("/{}{}", encoded(prefix), encoded(db.as_str()))
}

/// The path of a document. The slash of `_design/` and `_local/` stays one: CouchDB answers the
/// other spelling of a design document with a redirect.
pub(super) fn doc_path(db_path: &str, id: &str) -> String {
    for kind in ["_design/", "_local/"] {
        if let Some(name) = id.strip_prefix(kind) {
            return format!("{db_path}/{kind}{}", encoded(name));
        }
    }
    format!("{db_path}/{}", encoded(id))
}

/// Whether a document can be stored under this id. Other ids address the database, its parent or
/// one of its endpoints.
pub(super) fn is_legal_id(id: &str) -> bool {
    match id.strip_prefix("_design/").or_else(|| id.strip_prefix("_local/")) {
        Some(name) => !matches!(name, "" | "." | ".."),
        None => !matches!(id, "" | "." | "..") && !id.starts_with('_'),
    }
}

/// Whether this is one of our dated databases, which expire by being dropped.
pub(super) fn is_dated(db: &DbName) -> bool {
    let Some(rest) = db.as_str().strip_prefix("number_manager_") else { return false };
    match rest.rsplit_once('-') {
        Some((kind, date)) => !kind.is_empty() && is_date(date),
        None => false,
    }
}

/// Whether this database holds numbers, and so needs their indexes.
pub(super) fn holds_numbers(db: &DbName) -> bool {
    db.as_str().starts_with("numbers/")
}

fn encoded(part: &str) -> impl std::fmt::Display + '_ {
    utf8_percent_encode(part, NON_ALPHANUMERIC)
}

/// Whether this is `YYYYMM` or `YYYYMMDD`.
fn is_date(text: &str) -> bool {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let within = |part: Option<&str>, range: std::ops::RangeInclusive<u8>| {
        part.and_then(|part| part.parse().ok()).is_some_and(|number| range.contains(&number))
    };
    match text.len() {
        6 => digits && within(text.get(4..6), 1..=12),
        8 => digits && within(text.get(4..6), 1..=12) && within(text.get(6..8), 1..=31),
        _ => false,
    }
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

    #[test]
    fn an_id_that_addresses_something_else_is_illegal() {
        for id in ["", ".", "..", "_all_docs", "_", "_design/", "_local/.."] {
            assert!(!is_legal_id(id), "{id}");
        }
        for id in ["+1", "a/b", "_design/x", "_local/x", ".a", "é"] {
            assert!(is_legal_id(id), "{id}");
        }
    }

    #[test]
    fn only_our_dated_databases_may_be_dropped() {
        for name in ["number_manager_feed-202601", "number_manager_requests-20260131"] {
            assert!(is_dated(&DbName::new(name)), "{name}");
        }
        for name in [
            "number_manager",
            "number_manager_jobs",
            "number_manager_feed-2026",
            "number_manager_feed-202613",
            "number_manager_-202601",
            "number_manager_feed-20260199",
            "number_manager_feed-2026+1",
            "numbers/+1415-202601",
        ] {
            assert!(!is_dated(&DbName::new(name)), "{name}");
        }
    }
}
