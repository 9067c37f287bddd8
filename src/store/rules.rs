//! What is the same for every backend, whatever it is built on.

use serde_json::Value;

use super::{Body, DbName, WRITE_ID};

/// JSON nested deeper than this is refused: `serde_json` reads 127 levels and no more.
const DEEPEST: usize = 120;

/// Where the ids of design documents begin.
pub(super) const DESIGN_PREFIX: &str = "_design/";

/// Members of a document that belong to the store and not to its body.
const MANAGED: [&str; 4] = ["_id", "_rev", "_conflicts", "_deleted"];

/// The carrier's name as it is stored, by its newer or its older member. What is not a string is
/// no name.
pub(super) fn carrier_name(body: &Body) -> Option<&str> {
    ["pvt_module_name", "pvt_carrier_module"].into_iter().find_map(|key| body.get(key)?.as_str())
}

/// The body without the members that belong to the store; the order of the others stays.
pub(super) fn without_managed(mut body: Body) -> Body {
    body.retain(|key, _| !MANAGED.contains(&key.as_str()));
    body
}

/// Why a document cannot be stored, if it cannot.
pub(super) fn refusal(id: &str, body: &Body) -> Option<&'static str> {
    if id.is_empty() {
        return Some("a document needs an id");
    }
    let shallow = body.values().all(|value| is_shallow(value, DEEPEST));
    (!shallow).then_some("the document is nested too deeply")
}

/// Whether what is stored is this very write, done before: a caller that heard no answer may ask
/// for it again. The stamp alone is not enough, since a careless caller may write back the stamp
/// that it read.
pub(super) fn is_own_write(stored: &Body, written: &Body) -> bool {
    written.get(WRITE_ID).is_some_and(|stamp| !stamp.is_null()) && stored == written
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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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
    fn without_a_stamp_nothing_is_ones_own_write() {
        let stamped = body(json!({"a": 1, WRITE_ID: "w"}));
        assert!(is_own_write(&stamped, &stamped.clone()));
        assert!(!is_own_write(&stamped, &body(json!({"a": 2, WRITE_ID: "w"}))));
        assert!(!is_own_write(&body(json!({"a": 1})), &body(json!({"a": 1}))));
    }
}
