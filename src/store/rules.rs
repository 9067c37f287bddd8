//! What is the same for every backend, whatever it is built on.

use serde_json::Value;

use super::{Body, Change, DbName, Expect, WRITE_ID};

/// JSON nested deeper than this is refused: `serde_json` reads 127 levels and no more.
const DEEPEST: usize = 120;

/// Where the ids of design documents begin.
pub(super) const DESIGN_PREFIX: &str = "_design/";

/// The member that says which files hang on a document: the server's, but written back by us.
const ATTACHMENTS: &str = "_attachments";

/// What is compared of a write and of a stored version.
#[derive(Clone, Copy, Debug)]
pub(super) struct Content<'a> {
    pub(super) deleted: bool,
    pub(super) body: &'a Body,
}

/// The carrier's name as it is stored, by its newer or its older member. What is not a string is
/// no name.
pub(super) fn carrier_name(body: &Body) -> Option<&str> {
    ["pvt_module_name", "pvt_carrier_module"].into_iter().find_map(|key| body.get(key)?.as_str())
}

/// The owner as it is stored. What is not a text, or an empty one, is no owner.
pub(super) fn owner(body: &Body) -> Option<&str> {
    body.get("pvt_assigned_to")?.as_str().filter(|owner| !owner.is_empty())
}

/// The body without the members that belong to the store; the order of the others stays.
pub(super) fn without_managed(mut body: Body) -> Body {
    body.retain(|key, _| !is_managed(key));
    body
}

/// Whether a member of a document belongs to the store and not to its body.
pub(super) fn is_managed(key: &str) -> bool {
    matches!(key, "_id" | "_rev" | "_conflicts" | "_deleted")
}

/// Whether a document can be stored under this id. In CouchDB's URLs the others are a database, its
/// parent, or an endpoint; what is illegal there is illegal everywhere.
pub(super) fn is_legal_id(id: &str) -> bool {
    let name = id.strip_prefix(DESIGN_PREFIX).unwrap_or(id);
    !matches!(name, "" | "." | "..") && (name != id || !id.starts_with('_'))
}

/// Why a document cannot be stored, if it cannot.
pub(super) fn refusal(id: &str, body: &Body) -> Option<&'static str> {
    if !is_legal_id(id) {
        return Some("no document can be stored under this id");
    }
    if body.keys().any(|key| key.starts_with('_') && is_own(key)) {
        return Some("a name with an underscore in front is the store's");
    }
    let shallow = body.values().all(|value| is_shallow(value, DEEPEST));
    (!shallow).then_some("the document is nested too deeply")
}

/// Whether a write has a stamp, by which it can be recognised.
pub(super) fn is_stamped(body: &Body) -> bool {
    body.get(WRITE_ID).is_some_and(|stamp| !stamp.is_null())
}

/// Whether this is the revision that a write expects to find.
pub(super) fn is_expected(expect: &Expect, rev: &str) -> bool {
    matches!(expect, Expect::At(at) if at.as_str() == rev)
}

/// Whether the version stored at `rev` is this very write, done before: a caller that heard no
/// answer may ask for it again.
///
/// The stamp alone is not enough, since a careless caller may write back the stamp that it read:
/// so what the write expects to find is not it, and the members must be the same. That holds at
/// any distance from the expected revision, which the revision's number would not.
pub(super) fn is_own_write(
    expect: &Expect,
    written: Content<'_>,
    rev: &str,
    stored: Content<'_>,
) -> bool {
    is_stamped(written.body)
        && written.body.get(WRITE_ID) == stored.body.get(WRITE_ID)
        && written.deleted == stored.deleted
        && !is_expected(expect, rev)
        && is_same_body(written.body, stored.body)
}

/// Whether it is one of our own databases that expire: `number_manager_…-YYYYMM` or `-YYYYMMDD`.
pub(super) fn is_dated(db: &DbName) -> bool {
    let Some((kind, date)) =
        db.as_str().strip_prefix("number_manager_").and_then(|rest| rest.rsplit_once('-'))
    else {
        return false;
    };
    !kind.is_empty()
        && matches!(date.len(), 6 | 8)
        && date.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether two bodies say the same. Of files, a server stores another description than it was
/// sent, so they are not compared.
fn is_same_body(a: &Body, b: &Body) -> bool {
    let own = |body: &Body| body.keys().filter(|key| is_own(key)).count();
    let same = |(key, value): (&String, &Value)| b.get(key).is_some_and(|b| is_same(value, b));
    own(a) == own(b) && a.iter().filter(|(key, _)| is_own(key)).all(same)
}

fn is_own(key: &str) -> bool {
    !is_managed(key) && key != ATTACHMENTS
}

/// Whether two values are the same. Servers spell numbers in their own way (1.0 comes back as 1, an
/// integer above 2^53 rounded), so numbers are compared as the fractions that all of them have.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| is_same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            let same =
                |(key, value): (&String, &Value)| b.get(key).is_some_and(|b| is_same(value, b));
            a.len() == b.len() && a.iter().all(same)
        }
        (a, b) => a == b,
    }
}

fn is_shallow(value: &Value, levels: usize) -> bool {
    match value {
        Value::Array(items) => levels > 0 && items.iter().all(|item| is_shallow(item, levels - 1)),
        Value::Object(members) => {
            levels > 0 && members.values().all(|member| is_shallow(member, levels - 1))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
    }
}

/// What `migrate` says of a database that it made.
pub(super) fn created_line(db: &DbName) -> String {
    format!("created database {db}")
}

impl<'a> From<&'a Change> for Content<'a> {
    fn from(change: &'a Change) -> Self {
        match change {
            Change::Put(body) => Self { deleted: false, body },
            Change::Delete(body) => Self { deleted: true, body },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Rev;

    fn body(value: serde_json::Value) -> Body {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn the_newer_member_names_the_carrier_and_only_by_a_string() {
        let name = |value| carrier_name(&body(value)).map(str::to_owned);
        assert_eq!(name(json!({})), None);
        assert_eq!(name(json!({"pvt_module_name": "a", "pvt_carrier_module": "b"})).unwrap(), "a");
        assert_eq!(name(json!({"pvt_carrier_module": "b"})).unwrap(), "b");
        assert_eq!(name(json!({"pvt_module_name": 7, "pvt_carrier_module": "b"})).unwrap(), "b");
        assert_eq!(name(json!({"pvt_module_name": {"x": "y"}})), None);
        assert_eq!(name(json!({"pvt_module_name": ""})).unwrap(), "");
    }

    #[test]
    fn an_owner_is_a_text_that_is_not_empty() {
        let of = |value| owner(&body(value)).map(str::to_owned);
        for none in [json!({}), json!({"pvt_assigned_to": null}), json!({"pvt_assigned_to": ""})] {
            assert_eq!(of(none), None);
        }
        assert_eq!(of(json!({"pvt_assigned_to": 7})), None);
        assert_eq!(of(json!({"pvt_assigned_to": " a"})).unwrap(), " a");
    }

    #[test]
    fn only_our_own_dated_databases_are_dated() {
        for yes in ["number_manager_feed-202603", "number_manager_offers-20260301"] {
            assert!(is_dated(&DbName::new(yes)), "{yes}");
        }
        for no in [
            "number_manager",
            "number_manager_feed",
            "number_manager_feed-2026",
            "number_manager_feed-20260x",
            "number_manager_-202603",
            "numbers/+1415",
            "number_manager_jobs-2026030",
            "account/00/11/22-202603",
        ] {
            assert!(!is_dated(&DbName::new(no)), "{no}");
        }
    }

    #[test]
    fn members_of_the_store_leave_the_order_of_the_others() {
        let kept = without_managed(body(json!({"_id": 1, "b": 2, "_rev": 3, "a": 4, "c": 5})));
        assert_eq!(kept.keys().collect::<Vec<_>>(), ["b", "a", "c"]);
    }

    #[test]
    fn what_could_not_be_read_back_is_refused() {
        let nested = |levels| {
            let value = (0..levels).fold(json!(1), |inner, _| json!([inner]));
            body(json!({ "deep": value }))
        };
        assert_eq!(refusal("id", &nested(DEEPEST)), None);
        let text = serde_json::to_string(&nested(DEEPEST)).unwrap();
        assert_eq!(serde_json::from_str::<Body>(&text).unwrap(), nested(DEEPEST));
        assert!(refusal("id", &nested(DEEPEST + 1)).is_some());
        assert!(refusal("", &nested(0)).is_some());
    }

    #[test]
    fn an_id_that_addresses_something_else_is_illegal() {
        for id in ["", ".", "..", "_all_docs", "_", "_design/", "_design/..", "_local/x"] {
            assert!(refusal(id, &Body::new()).is_some(), "{id}");
        }
        for id in ["+1", "a/b", "_design/x", "_design/_x", ".a", "é"] {
            assert_eq!(refusal(id, &Body::new()), None, "{id}");
        }
    }

    #[test]
    fn a_member_of_the_servers_own_is_refused_unless_it_is_taken_out() {
        assert!(refusal("id", &body(json!({"_illegal": 1}))).is_some());
        assert_eq!(refusal("id", &body(json!({"_rev": "1-a", "_attachments": {}}))), None);
    }

    #[test]
    fn ones_own_write_has_the_stamp_and_the_members_and_is_not_what_was_expected() {
        let own = |written: Value, rev: &str, deleted, stored: Value| {
            let (written, stored) = (body(written), body(stored));
            let written = Content { deleted: false, body: &written };
            let expect = Expect::At(Rev::new("1-a"));
            is_own_write(&expect, written, rev, Content { deleted, body: &stored })
        };
        let stamped = json!({"a": [1.0, {"b": 2}], "_rev": "1-a", WRITE_ID: "w"});
        let stored = json!({WRITE_ID: "w", "a": [1, {"b": 2.0}], "_attachments": {}});
        assert!(own(stamped.clone(), "2-b", false, stored.clone()));
        assert!(!own(stamped.clone(), "1-a", false, stored.clone()), "it is what was expected");
        assert!(!own(stamped.clone(), "2-b", true, stored.clone()), "it is deleted");
        for other in [
            json!({"a": [1, {"b": 2}], WRITE_ID: "other"}),
            json!({"a": [1, {"b": 3}], WRITE_ID: "w"}),
            json!({"a": [1, {"b": 2}], "more": 1, WRITE_ID: "w"}),
            json!({WRITE_ID: "w"}),
        ] {
            assert!(!own(stamped.clone(), "2-b", false, other.clone()), "{other}");
        }
        assert!(!own(json!({"a": 1}), "2-b", false, json!({"a": 1})), "there is no stamp");
        let null = json!({"a": 1, WRITE_ID: null});
        assert!(!own(null.clone(), "2-b", false, null), "that is no stamp");
    }
}
