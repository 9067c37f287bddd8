//! What a document comes to: a number that is the same for every document with the same members,
//! whatever their order, and that others can compute. Documents are summed up by adding theirs.
//!
//! The members but those whose names begin with `_`, and the id as `_id`, are written as JSON without
//! spaces, members in the order of their names' bytes; of the SHA-256 of that the first eight bytes
//! count, the highest first. Numbers: whole ones as digits, others as the shortest digits that read
//! back the same, one of them before the point, then `e` and the exponent (`1.5e-3`).

use serde_json::{Number, Value};
use sha2::{Digest, Sha256};

use crate::store::Body;

/// Beyond this a fraction no longer holds whole numbers exactly.
const WHOLE: f64 = 9_007_199_254_740_992.0;

/// What a document comes to.
pub(super) fn fingerprint(id: &str, body: &Body) -> u64 {
    let mut text = String::with_capacity(1024);
    let id = Value::from(id);
    let own = body.iter().filter(|(name, _)| !name.starts_with('_'));
    let named = own.map(|(name, value)| (name.as_str(), value));
    write_members(&mut text, named.chain([("_id", &id)]).collect());
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

/// The same as text: 16 hexadecimal digits.
pub(super) fn shown(sum: u64) -> String {
    format!("{sum:016x}")
}

fn write_members(text: &mut String, mut members: Vec<(&str, &Value)>) {
    members.sort_unstable_by_key(|(name, _)| *name);
    text.push('{');
    for (at, (name, value)) in members.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_text(text, name);
        text.push(':');
        write(text, value);
    }
    text.push('}');
}

fn write(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => write_number(text, number),
        Value::String(value) => write_text(text, value),
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write(text, item);
            }
            text.push(']');
        }
        Value::Object(members) => {
            write_members(text, members.iter().map(|(name, value)| (&**name, value)).collect());
        }
    }
}

/// As short as JSON allows: only what must be escaped is.
fn write_text(text: &mut String, value: &str) {
    text.push_str(&Value::from(value).to_string());
}

fn write_number(text: &mut String, number: &Number) {
    let written = match number.as_f64() {
        Some(value) if number.is_f64() && value.fract() == 0.0 && value.abs() < WHOLE => {
            // Adding nothing takes the sign off nought.
            format!("{:.0}", value + 0.0)
        }
        Some(value) if number.is_f64() => format!("{value:e}"),
        _ => number.to_string(),
    };
    text.push_str(&written);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canonical(value: &Value) -> String {
        let mut text = String::new();
        write(&mut text, value);
        text
    }

    fn sum(body: Value) -> u64 {
        let Value::Object(body) = body else { unreachable!() };
        fingerprint("+14155550100", &body)
    }

    #[test]
    fn everybody_writes_a_document_in_the_same_way() {
        let given = r#"{"é": "é\n\u0001\"", "b": [1, 1.0, -2.50, 0.00015, 1e300, -0.0], "a": {"z": null, "B": true}}"#;
        let value: Value = serde_json::from_str(given).unwrap();
        let text = r#"{"a":{"B":true,"z":null},"b":[1,1,-2.5e0,1.5e-4,1e300,0],"é":"é\n\u0001\""}"#;
        assert_eq!(canonical(&value), text);
    }

    #[test]
    fn the_sum_is_the_beginning_of_a_hash() {
        // printf '{"_id":"+14155550100","a":1}' | sha256sum
        assert_eq!(shown(sum(json!({"a": 1}))), "985581171e27db81");
    }

    #[test]
    fn equal_documents_come_to_the_same_and_others_do_not() {
        let one = sum(json!({"a": 1, "b": {"c": [1, 2], "d": null}}));
        assert_eq!(one, sum(json!({"b": {"d": null, "c": [1, 2]}, "a": 1})));
        assert_eq!(one, sum(json!({"a": 1, "b": {"c": [1, 2], "d": null}, "_attachments": {}})));
        for other in [
            json!({"a": 2, "b": {"c": [1, 2], "d": null}}),
            json!({"a": 1, "b": {"c": [2, 1], "d": null}}),
            json!({"a": 1, "b": {"c": [1, 2]}}),
        ] {
            assert_ne!(one, sum(other));
        }
    }
}
