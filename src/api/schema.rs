//! The schema of what is written on one number, and failures of it in the words of the wire.

use std::sync::LazyLock;

use jsonschema::{
    JsonType, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind},
};
use serde_json::{Map, Value, json};

use super::fault::Fault;

/// The schema, compiled once.
static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("phone_numbers.schema.json"));
    let schema: Value = schema.expect("the schema is JSON");
    let options = jsonschema::options().should_validate_formats(true);
    options.build(&schema).expect("the schema is one")
});

/// Checks the body of a write and returns it as it is to be stored: without private members, and
/// with texts that stand for flags and numbers as such where the schema wants these. All failures
/// are reported at once.
pub(super) fn check(data: &Map<String, Value>) -> Result<Map<String, Value>, Fault> {
    let is_open = |key: &str| !key.starts_with('_') && !key.starts_with("pvt_") && key != "id";
    let open = data.iter().filter(|(key, _)| is_open(key));
    let mut data = Value::Object(open.map(|(key, value)| (key.clone(), value.clone())).collect());
    if !SCHEMA.is_valid(&data) {
        cast(&mut data);
    }
    let mut failures = Map::new();
    for error in SCHEMA.iter_errors(&data) {
        report(&error, &mut failures);
    }
    match data {
        Value::Object(data) if failures.is_empty() => Ok(data),
        _ => Err(Fault::invalid_fields(failures)),
    }
}

/// Makes flags and numbers of texts where the schema wants these.
fn cast(data: &mut Value) {
    let meant = |error: ValidationError<'_>| {
        let ValidationErrorKind::Type { kind } = error.kind() else {
            return None;
        };
        let value = read(error.instance().as_str()?, kind)?;
        Some((error.instance_path().as_str().to_owned(), value))
    };
    let casts: Vec<(String, Value)> = SCHEMA.iter_errors(data).filter_map(meant).collect();
    for (path, value) in casts {
        if let Some(place) = data.pointer_mut(&path) {
            *place = value;
        }
    }
}

/// What a text stands for, if that is of a wanted type.
fn read(text: &str, kind: &TypeKind) -> Option<Value> {
    let value: Value = match text.trim() {
        "True" | "TRUE" => true.into(),
        "False" | "FALSE" => false.into(),
        text => serde_json::from_str(text).ok()?,
    };
    let kind_of_value = match &value {
        Value::Bool(_) => JsonType::Boolean,
        Value::Number(number) if number.is_f64() => JsonType::Number,
        Value::Number(_) => JsonType::Integer,
        _ => return None,
    };
    let is_wanted = types(kind).iter().any(|wanted| {
        *wanted == kind_of_value
            || *wanted == JsonType::Number && kind_of_value == JsonType::Integer
    });
    is_wanted.then_some(value)
}

fn types(kind: &TypeKind) -> Vec<JsonType> {
    match kind {
        TypeKind::Single(wanted) => vec![*wanted],
        TypeKind::Multiple(wanted) => wanted.iter().collect(),
    }
}

/// Adds a failure: the path of the field, the rule, and what there is to say.
fn report(error: &ValidationError<'_>, failures: &mut Map<String, Value>) {
    let mut path = dotted(error.instance_path().as_str());
    if let ValidationErrorKind::Required { property: Value::String(missing) } = error.kind() {
        path.push(escaped(missing));
    }
    let (rule, message, target) = describe(error.kind());
    let mut what = Map::new();
    what.insert("message".to_owned(), message.into());
    if let Some(target) = target {
        what.insert("target".to_owned(), target);
    }
    what.insert("value".to_owned(), error.instance().as_ref().clone());
    let field = failures.entry(path.join(".")).or_insert_with(|| Map::new().into());
    if let Value::Object(rules) = field {
        rules.insert(rule.to_owned(), Value::Object(what));
    }
}

/// The rule that was broken, a sentence about it, and its limit.
fn describe(kind: &ValidationErrorKind) -> (&str, String, Option<Value>) {
    use ValidationErrorKind as Kind;
    let limit = |limit: &u64| Some(json!(limit));
    match kind {
        Kind::Required { .. } => ("required", "Field is required but missing".to_owned(), None),
        Kind::Type { kind } => {
            let names: Vec<String> = types(kind).iter().map(ToString::to_string).collect();
            let message = format!("Value did not match type(s): {}", names.join(", "));
            let target = if names.len() == 1 { json!(names[0]) } else { json!(names) };
            ("type", message, Some(target))
        }
        Kind::Enum { options } => {
            let message = "Value not found in enumerated list of values".to_owned();
            ("enum", message, Some(options.as_ref().clone()))
        }
        Kind::MinLength { limit: least } => {
            ("minLength", format!("String must be at least {least} characters"), limit(least))
        }
        Kind::MaxLength { limit: most } => {
            ("maxLength", format!("String must not be more than {most} characters"), limit(most))
        }
        Kind::Format { format } => {
            ("wrong_format", format!("value does not match format {format}"), Some(json!(format)))
        }
        Kind::OneOfMultipleValid { .. } | Kind::OneOfNotValid { .. } => {
            ("oneOf", "Value must be of exactly one of the kinds that there are".to_owned(), None)
        }
        other => (other.keyword(), "Value does not fit the schema".to_owned(), None),
    }
}

/// The parts of a JSON pointer.
fn dotted(pointer: &str) -> Vec<String> {
    let parts = pointer.split('/').skip(1);
    parts.map(|part| escaped(&part.replace("~1", "/").replace("~0", "~"))).collect()
}

/// A key as a part of a dotted path.
fn escaped(key: &str) -> String {
    key.replace('.', "%2E")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn fails(data: Value) -> Value {
        let fault = check(data.as_object().unwrap()).unwrap_err();
        assert_eq!((fault.status.as_u16(), &*fault.message), (400, "validation error"));
        fault.data.clone()
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn check_failure(data: Value, field: &str, rule: &str, what: Value) {
        assert_eq!(fails(data), json!({ field: { rule: what } }));
    }

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn address(more: Value) -> Value {
        let mut address = json!({
            "street_address": "1 Main St", "locality": "San Francisco", "region": "CA",
            "postal_code": "94105",
        });
        address.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "e911": address })
    }

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn check_stored(data: Value, stored: Value) {
        assert_eq!(Value::Object(check(data.as_object().unwrap()).unwrap()), stored);
    }

    #[test]
    fn every_rule_has_its_words() {
        check_failure(
            json!({"cnam": {"display_name": "A NAME THAT IS TOO LONG"}}),
            "cnam.display_name",
            "maxLength",
            json!({
                "message": "String must not be more than 15 characters", "target": 15,
                "value": "A NAME THAT IS TOO LONG",
            }),
        );
        check_failure(
            address(json!({"caller_name": "Al"})),
            "e911.caller_name",
            "minLength",
            json!({"message": "String must be at least 3 characters", "target": 3, "value": "Al"}),
        );
        check_failure(
            json!({"cnam": null}),
            "cnam",
            "type",
            json!({
                "message": "Value did not match type(s): object", "target": "object",
                "value": null,
            }),
        );
        check_failure(
            address(json!({"status": "x"})),
            "e911.status",
            "enum",
            json!({
                "message": "Value not found in enumerated list of values",
                "target": ["INVALID", "GEOCODED", "PROVISIONED", "REMOVED", "ERROR"],
                "value": "x",
            }),
        );
        check_failure(
            address(json!({"notification_contact_emails": ["a@example.com", "nobody"]})),
            "e911.notification_contact_emails.1",
            "wrong_format",
            json!({
                "message": "value does not match format email", "target": "email",
                "value": "nobody",
            }),
        );
        let both = json!({"e164": "+14155550101", "sip": "sip:a@example.com"});
        check_failure(
            json!({ "failover": both }),
            "failover",
            "oneOf",
            json!({
                "message": "Value must be of exactly one of the kinds that there are",
                "value": both,
            }),
        );
    }

    #[test]
    fn a_missing_field_is_named_with_what_it_is_missing_in() {
        let e911 = json!({"street_address": "1 Main St", "locality": "X", "region": "CA"});
        check_failure(
            json!({ "e911": e911 }),
            "e911.postal_code",
            "required",
            json!({"message": "Field is required but missing", "value": e911}),
        );
    }

    #[test]
    fn all_failures_are_reported_at_once() {
        let failures = fails(json!({
            "carrier_name": "", "cnam": {"display_name": 1, "inbound_lookup": "x"},
            "e911": {"region": "California"}, "sms": {"enabled": []}, "prepend": {"name": 1},
            "force_outbound": "perhaps", "create_with_state": "nope", "ringback": "x",
            "porting": {"comments": ["a", 1]},
        }));
        let fields: Vec<&str> = failures.as_object().unwrap().keys().map(String::as_str).collect();
        let mut wanted = [
            "carrier_name",
            "cnam.display_name",
            "cnam.inbound_lookup",
            "create_with_state",
            "e911.locality",
            "e911.postal_code",
            "e911.region",
            "e911.street_address",
            "force_outbound",
            "porting.comments.1",
            "prepend.name",
            "ringback",
            "sms.enabled",
        ];
        let mut seen = fields.clone();
        seen.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(seen, wanted);
    }

    #[test]
    fn texts_that_stand_for_something_else_are_cast() {
        check_stored(
            json!({"cnam": {"inbound_lookup": "false"}, "force_outbound": "true"}),
            json!({"cnam": {"inbound_lookup": false}, "force_outbound": true}),
        );
        check_stored(
            address(json!({"location_identifier": "15"})),
            address(json!({"location_identifier": 15})),
        );
        check_stored(json!({"prepend": {"number": "15"}}), json!({"prepend": {"number": "15"}}));
        assert!(
            fails(json!({"prepend": {"enabled": "15"}}))["prepend.enabled"]["type"].is_object()
        );
    }

    #[test]
    fn what_is_private_is_dropped_and_what_is_unknown_is_kept() {
        check_stored(
            json!({"_id": 1, "pvt_state": 1, "id": 1, "my.own": [null], "cnam": {"x": null}}),
            json!({"my.own": [null], "cnam": {"x": null}}),
        );
    }

    #[test]
    fn features_of_our_own_schema_are_cleared_by_null_or_nothing() {
        for member in ["failover", "prepend", "ringback", "sms", "mms", "force_outbound"] {
            check_stored(json!({ member: null }), json!({ member: null }));
        }
        check_stored(json!({"failover": {}}), json!({"failover": {}}));
        check_stored(json!({"failover": {"e164": ""}}), json!({"failover": {"e164": ""}}));
    }

    #[test]
    fn a_dot_within_a_key_is_escaped() {
        assert_eq!(dotted("/a.b/0/c~1d~0e").join("."), "a%2Eb.0.c/d~e");
    }
}
