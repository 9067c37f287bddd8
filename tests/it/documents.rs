//! KAZOO's answers about number documents: what is read from old and new ones, what is stored.
//!
//! KAZOO notes while reading that a document has to be written again (`dirty`). Here a number is
//! written only when somebody changes it; what the vectors call dirty is answered as *respelt*:
//! storing it would change a member that says something.

use number_manager::{
    domain::{AccountId, CarrierName, E164, Number, ReleaseRules, State},
    repository::{decode, encode},
    store::Body,
};
use serde_json::{Value, json};

use crate::support::{
    people::{MADE, number},
    vectors::{Deviation, Vector, vector_tests},
};

const KEPT: &str = "members that nobody here understands survive, and who created a number stays";
const AS_IT_STANDS: &str = "what is not ours stays as it stands, be it empty";
const DROPPED: &str = "the public `used_by` goes when the number is stored, which respells it";

const DEVIATIONS: &[Deviation] = &[
    Deviation {
        area: "doc/read",
        given: r#"{"doc":{"_id":"+12156774700","failover":{"sip":"sip:blipblop@158.85.21.24"},"prepend":{"enabled":true,"number":"56100"},"pvt_features":{"failover":{"sip":"sip:blipblop@158.85.21.24"},"local":{},"prepend":{"enabled":true,"number":"56100"}},"pvt_module_name":"knm_local","pvt_state":"in_service","pvt_used_by":"trunkstore","used_by":"trunkstore","pvt_created":63640935218,"pvt_modified":63640935218,"pvt_assigned_to":"account0000000000000000000000002"}}"#,
        reason: DROPPED,
    },
    Deviation {
        area: "doc/store_drops",
        given: r#"{"extra_key":{"pvt_authorizing_account":"account0000000000000000000000002"}}"#,
        reason: KEPT,
    },
    Deviation {
        area: "doc/store_drops",
        given: r#"{"extra_key":{"pvt_resource_db":"account%2F.."}}"#,
        reason: KEPT,
    },
    Deviation {
        area: "doc/store_drops",
        given: r#"{"extra_key":{"pvt_is_billable":true}}"#,
        reason: KEPT,
    },
    Deviation {
        area: "doc/store_drops",
        given: r#"{"extra_key":{"pvt_features_available":["cnam"]}}"#,
        reason: KEPT,
    },
    Deviation { area: "doc/store_drops", given: r#"{"extra_key":{"pvt_custom":1}}"#, reason: KEPT },
    Deviation {
        area: "doc/omit_empty",
        given: r#"{"key":"pvt_region","value":"empty"}"#,
        reason: AS_IT_STANDS,
    },
];

vector_tests! {
    reading: "doc/read" => read;
    reading_up_to_date_documents: "doc/read_clean" => read_clean;
    reading_carriers: "doc/module_name" => carrier_name;
    features_in_a_list: "doc/feature_list_migration" => features_from_list;
    features_with_old_names: "doc/feature_rename" => features_renamed;
    what_is_kept: "doc/store_keeps" => is_stored;
    what_is_dropped: "doc/store_drops" => is_stored;
    what_is_empty: "doc/omit_empty" => is_stored_empty;
    what_is_always_there: "doc/always_present" => is_always_stored;
    there_and_back: "doc/roundtrip" => roundtrip;
    another_carrier: "doc/module_change" => change_carrier;
    features_after_a_release: "doc/reset_features" => reset_features;
}

/// A document with its `_id`, which bodies do not have and the codec would keep like any other.
fn body(value: &Value) -> Body {
    value.as_object().unwrap().clone()
}

fn read_number(body: &Body) -> Number {
    let id = body.get("_id").map_or("+14158867900", |id| id.as_str().unwrap());
    decode(&E164::parse(id).unwrap(), body, &CarrierName::local(), MADE).unwrap()
}

fn stored(body: &Body) -> Body {
    let mut stored = encode(&read_number(body), body, "w");
    assert_eq!(stored.shift_remove("pvt_write_id"), Some(json!("w")));
    stored
}

/// A small document with `members` put over it.
fn document_with(members: &Value) -> Body {
    let mut body = body(&json!({"pvt_state": "in_service", "pvt_module_name": "knm_telnyx"}));
    body.extend(members.as_object().unwrap().clone());
    body
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

fn is_respelt(body: &Body) -> bool {
    let stored = stored(body);
    body.iter().any(|(key, value)| !is_empty(value) && stored.get(key) != Some(value))
}

/// What a document is read as; of that, what the vector tells.
fn read(vector: &Vector) -> Value {
    let body = body(&vector.given["doc"]);
    let (number, stored) = (read_number(&body), stored(&body));
    let history: Vec<&str> =
        number.reserve_history.accounts().iter().map(AccountId::as_str).collect();
    let told = |key: &String, told: &Value| match key.as_str() {
        "dirty" => json!(is_respelt(&body)),
        // What was only read was not modified.
        "modified_is_now" => told.clone(),
        "state" => json!(number.state.as_str()),
        "module_name" => json!(number.carrier.as_str()),
        "features" => json!(number.features),
        "reserve_history" => json!(history),
        "public" => json!(number.public),
        "public_used_by" => json!(number.public.get("used_by")),
        "used_by" => json!(number.used_by),
        "ported_in" => json!(number.ported_in),
        "created" => json!(number.created),
        "modified" => json!(number.modified),
        "stored" => {
            let members = told.as_object().unwrap().keys();
            members.map(|key| (key.clone(), json!(stored.get(key)))).collect()
        }
        other => panic!("{other} is not read here"),
    };
    let expect = vector.expect.as_object().unwrap();
    expect.iter().map(|(key, value)| (key.clone(), told(key, value))).collect()
}

fn read_clean(vector: &Vector) -> Value {
    let body = body(&vector.given["doc"]);
    let number = read_number(&body);
    json!({
        "dirty": is_respelt(&body),
        "number": number.id.as_str(),
        "state": number.state.as_str(),
        "module_name": number.carrier.as_str(),
    })
}

fn carrier_name(vector: &Vector) -> Value {
    let body = document_with(&vector.given);
    let number = read_number(&body);
    json!({
        "module_name": number.carrier.as_str(),
        "local_feature": number.features.contains_key("local"),
        "dirty": is_respelt(&body),
    })
}

fn features_from_list(vector: &Vector) -> Value {
    let mut body = document_with(&vector.given["public"]);
    let features = vector.given["pvt_features"].clone();
    if features.as_array().unwrap().contains(&json!("local")) {
        body.insert("pvt_module_name".to_owned(), json!("knm_local"));
    }
    body.insert("pvt_features".to_owned(), features);
    json!({"pvt_features": read_number(&body).features, "dirty": is_respelt(&body)})
}

fn features_renamed(vector: &Vector) -> Value {
    let body = document_with(&vector.given);
    json!({"pvt_features": read_number(&body).features, "dirty": is_respelt(&body)})
}

fn is_stored(vector: &Vector) -> Value {
    let extra = vector.given["extra_key"].as_object().unwrap();
    let stored = stored(&document_with(&vector.given["extra_key"]));
    json!({"stored_has_key": extra.keys().any(|key| stored.contains_key(key))})
}

/// Each kind of emptiness that a member can have.
fn is_stored_empty(vector: &Vector) -> Value {
    let key = vector.given["key"].as_str().unwrap();
    let empty = match key {
        "pvt_features" => [json!({}), json!([]), Value::Null],
        "pvt_reserve_history" => [json!([]), json!([]), Value::Null],
        _ => [json!(""), json!(""), Value::Null],
    };
    let is_stored = |value| {
        let mut members = json!({});
        members[key] = value;
        stored(&document_with(&members)).contains_key(key)
    };
    json!({"stored_has_key": empty.into_iter().any(is_stored)})
}

fn is_always_stored(vector: &Vector) -> Value {
    let key = vector.given["key"].as_str().unwrap();
    json!({"stored_has_key": stored(&document_with(&json!({}))).contains_key(key)})
}

/// Equal to the letter, so in the same order too.
fn roundtrip(vector: &Vector) -> Value {
    let body = body(&vector.given["doc"]);
    let letters = |body: &Body| serde_json::to_string(body).unwrap();
    let equal = letters(&stored(&body)) == letters(&body);
    json!({"dirty": is_respelt(&body), "stored_equals_input": equal})
}

fn change_carrier(vector: &Vector) -> Value {
    let mut number = number(State::InService, vector.given["module_name"].as_str().unwrap());
    number.features.clone_from(vector.given["features"].as_object().unwrap());
    let before = number.clone();
    number.set_carrier(CarrierName::read(vector.given["set"].as_str().unwrap()).unwrap());
    json!({"features": number.features, "dirty": number != before})
}

fn reset_features(vector: &Vector) -> Value {
    let mut number = number(State::InService, vector.given["module_name"].as_str().unwrap());
    number.features.extend(vector.given["features"].as_object().unwrap().clone());
    let rules = ReleaseRules {
        released_state: State::Aging,
        should_age: false,
        should_permanently_delete: false,
    };
    number.release(&rules, |_| true, MADE).unwrap();
    Value::Object(number.features)
}
