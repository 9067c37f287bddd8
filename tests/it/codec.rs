//! What holds of every number document, whoever wrote it: it is read and stored again without a
//! loss.

use number_manager::{
    domain::{Actor, CarrierName, E164, Number, State},
    repository::{decode, encode},
    store::Body,
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

const NOW: i64 = 63_900_000_000;

/// Spellings that are replaced by others when a document is stored.
const OUTDATED: [&str; 5] =
    ["pvt_number_state", "pvt_module_data", "pvt_carrier_module", "used_by", "id"];

/// Members that are ours to write.
const OURS: [&str; 18] = [
    "pvt_type",
    "pvt_db_name",
    "pvt_module_name",
    "pvt_state",
    "pvt_state_since",
    "pvt_ported_in",
    "pvt_assigned_to",
    "pvt_previously_assigned_to",
    "pvt_used_by",
    "pvt_features",
    "pvt_features_allowed",
    "pvt_features_denied",
    "pvt_reserve_history",
    "pvt_carrier_data",
    "pvt_authorizing_account",
    "pvt_created",
    "pvt_modified",
    "pvt_write_id",
];

fn id() -> E164 {
    E164::parse("+14158867900").unwrap()
}

fn read(body: &Body) -> Number {
    decode(&id(), body, &CarrierName::local(), NOW).unwrap()
}

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z ]{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec(("[a-z]{1,4}", inner), 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn account() -> impl Strategy<Value = Value> {
    select(vec!["a", "b", "c"]).prop_map(|letter| json!(letter.repeat(32)))
}

fn state() -> impl Strategy<Value = Value> {
    select(State::ALL.to_vec()).prop_map(|state| json!(state.as_str()))
}

fn carrier() -> impl Strategy<Value = Value> {
    select(vec!["knm_local", "knm_telnyx", "wnm_local", "wnm_bandwidth", "undefined", "custom"])
        .prop_map(Value::from)
}

fn features() -> impl Strategy<Value = Value> {
    let names = ["local", "dash_e911", "failover", "inbound_lookup", "prepend", "force_outbound"];
    let list = vec(select(names.to_vec()), 0..4).prop_map(Value::from);
    let settings = vec((select(names.to_vec()), json_value()), 0..4).prop_map(|members| {
        let members = members.into_iter().map(|(name, value)| (name.to_owned(), value));
        Value::Object(members.collect())
    });
    prop_oneof![list, settings]
}

fn carrier_data() -> impl Strategy<Value = Value> {
    vec(("[a-d]", 0..9), 0..3).prop_map(|members| {
        Value::Object(members.into_iter().map(|(key, value)| (key, json!(value))).collect())
    })
}

fn member(
    key: &'static str,
    value: impl Strategy<Value = Value> + 'static,
) -> BoxedStrategy<(String, Value)> {
    value.prop_map(move |value| (key.to_owned(), value)).boxed()
}

/// A member of a number document: ours, an outdated one, or one that nobody here knows.
fn any_member() -> impl Strategy<Value = (String, Value)> {
    prop_oneof![
        ("pvt_x_[a-z]{1,3}", json_value()),
        ("(cnam|dash_e911|vitelity_e911|prepend|ui_[a-z]{1,3})", json_value()),
        member("_attachments", Just(json!({"lease.pdf": {"stub": true, "length": 9}}))),
        member("pvt_type", Just(json!("number"))),
        member("pvt_module_name", carrier()),
        member("pvt_carrier_module", carrier()),
        member("pvt_number_state", state()),
        member("pvt_state_since", (0..NOW).prop_map(Value::from)),
        member("pvt_ported_in", any::<bool>().prop_map(Value::from)),
        member("pvt_assigned_to", account()),
        member("pvt_previously_assigned_to", account()),
        member("pvt_used_by", Just(json!("callflow"))),
        member("used_by", Just(json!("trunkstore"))),
        member("id", json_value()),
        member("pvt_features", features()),
        member("pvt_features_denied", vec("[a-z]{3}", 0..3).prop_map(Value::from)),
        member("pvt_reserve_history", vec(account(), 0..4).prop_map(Value::from)),
        member("pvt_carrier_data", carrier_data()),
        member("pvt_module_data", carrier_data()),
        member("pvt_authorizing_account", account()),
        member("pvt_created", (0..NOW).prop_map(Value::from)),
        member("pvt_write_id", Just(json!("before"))),
    ]
}

prop_compose! {
    /// A number document as somebody may have stored it, in any order.
    fn document()(
        before in vec(any_member(), 0..12),
        state in state(),
        modified in option::of(0..NOW),
        after in vec(any_member(), 0..12),
    ) -> Body {
        let mut body = Body::from_iter(before);
        body.insert("pvt_state".to_owned(), state);
        body.extend(modified.map(|time| ("pvt_modified".to_owned(), json!(time))));
        body.extend(after);
        body
    }
}

/// The keys of `body` that are neither ours nor outdated, in order.
fn foreign(body: &Body) -> Vec<&String> {
    let is_foreign =
        |key: &&String| !OURS.contains(&key.as_str()) && !OUTDATED.contains(&key.as_str());
    body.keys().filter(is_foreign).collect()
}

proptest! {
    #[test]
    fn what_nobody_understands_survives_in_its_order(body in document()) {
        let stored = encode(&read(&body), &body, "w");
        for key in foreign(&body) {
            prop_assert_eq!(stored.get(key), body.get(key), "{}", key);
        }
        let kept: Vec<&String> = foreign(&stored).into_iter().filter(|key| body.contains_key(*key)).collect();
        prop_assert_eq!(kept, foreign(&body));
        // An address under its old name is copied under today's; nothing else is new.
        let new: Vec<&String> = foreign(&stored).into_iter().filter(|key| !body.contains_key(*key)).collect();
        prop_assert!(new.iter().all(|key| *key == "e911"), "{:?}", new);
    }

    #[test]
    fn only_outdated_spellings_go(body in document()) {
        let stored = encode(&read(&body), &body, "w");
        prop_assert!(OUTDATED.iter().all(|key| !stored.contains_key(*key)));
        let is_empty = |value: &Value| *value == json!({}) || *value == json!([]) || *value == json!("");
        for (key, value) in &body {
            // The feature `local` follows the carrier, and may have been the only one.
            let follows = key == "pvt_features" && value.to_string().contains(r#""local""#);
            let goes = OUTDATED.contains(&key.as_str()) || is_empty(value) || follows;
            prop_assert!(goes || stored.contains_key(key), "{} is gone", key);
        }
    }

    #[test]
    fn a_stored_number_reads_as_it_was(body in document()) {
        let number = read(&body);
        let stored = encode(&number, &body, "w");
        prop_assert_eq!(read(&stored), number);
    }

    #[test]
    fn storing_twice_changes_nothing(body in document()) {
        let once = encode(&read(&body), &body, "w");
        let twice = encode(&read(&once), &once, "w");
        prop_assert_eq!(json!(twice).to_string(), json!(once).to_string());
    }

    #[test]
    fn carrier_data_is_never_lost(body in document()) {
        let stored = encode(&read(&body), &body, "w");
        let nothing = Map::new();
        let members = |body: &Body, key: &str| {
            body.get(key).and_then(Value::as_object).unwrap_or(&nothing).clone()
        };
        let (today, old) = (members(&body, "pvt_carrier_data"), members(&body, "pvt_module_data"));
        let kept = members(&stored, "pvt_carrier_data");
        for (key, value) in old.iter().filter(|(key, _)| !today.contains_key(*key)).chain(&today) {
            prop_assert_eq!(kept.get(key), Some(value), "{}", key);
        }
    }

    #[test]
    fn a_client_writes_public_members_only(key in "(_|pvt_)[a-z_]{1,12}", body in document()) {
        let mut number = read(&body);
        let before = encode(&number, &body, "w");
        for key in OURS.into_iter().chain(OUTDATED).chain([key.as_str(), "_attachments"]) {
            number.public.insert(key.to_owned(), json!("forged"));
        }
        prop_assert_eq!(encode(&number, &body, "w"), before);
    }
}

#[test]
fn a_new_number_is_stored_in_its_shortest_form() {
    let owner = "a".repeat(32);
    let number = |owner: Option<&str>| {
        let creator = Actor::operator();
        let mut number =
            Number::new(id(), State::InService, CarrierName::local(), &creator, 63_900_000_000);
        number.set_owner(owner.map(|id| number_manager::domain::AccountId::parse(id).unwrap()));
        encode(&number, &Body::new(), "w")
    };
    let expected = json!({
        "pvt_type": "number",
        "pvt_db_name": "numbers%2F%2B1415",
        "pvt_module_name": "knm_local",
        "pvt_state": "in_service",
        "pvt_state_since": 63_900_000_000_i64,
        "pvt_ported_in": false,
        "pvt_assigned_to": owner,
        "pvt_features": {"local": {}},
        "pvt_authorizing_account": "system",
        "pvt_created": 63_900_000_000_i64,
        "pvt_modified": 63_900_000_000_i64,
        "pvt_write_id": "w",
    });
    assert_eq!(json!(number(Some(&owner))).to_string(), expected.to_string());
    let free = number(None);
    assert!(!free.contains_key("pvt_assigned_to"));
}

#[test]
fn who_created_a_number_and_since_when_it_stands_survive_changes() {
    let body = Body::from_iter([
        ("pvt_state".to_owned(), json!("reserved")),
        ("pvt_authorizing_account".to_owned(), json!("b".repeat(32))),
        ("pvt_state_since".to_owned(), json!(63_600_000_000_i64)),
    ]);
    let mut number = read(&body);
    number.enter(State::Reserved, NOW);
    number.public.insert("note".to_owned(), json!("new"));
    let stored = encode(&number, &body, "w");
    assert_eq!(stored["pvt_authorizing_account"], body["pvt_authorizing_account"]);
    assert_eq!(stored["pvt_state_since"], body["pvt_state_since"]);
}

#[test]
fn times_are_read_as_anybody_stored_them() {
    #[track_caller]
    fn check(stored: Value, seconds: i64) {
        let body = Body::from_iter([
            ("pvt_state".to_owned(), json!("reserved")),
            ("pvt_created".to_owned(), stored),
        ]);
        assert_eq!(read(&body).created, seconds);
    }
    check(json!(63_600_000_000_i64), 63_600_000_000);
    check(json!(63_600_000_000.75), 63_600_000_000);
    check(json!("63600000000"), 63_600_000_000);
    check(json!(1e300), NOW);
    check(json!("yesterday"), NOW);
    check(Value::Null, NOW);
}

#[test]
fn what_would_be_misunderstood_is_not_read() {
    #[track_caller]
    fn check(key: &str, value: Value) {
        let mut body = Body::from_iter([("pvt_state".to_owned(), json!("reserved"))]);
        body.insert(key.to_owned(), value);
        let err = decode(&id(), &body, &CarrierName::local(), NOW).unwrap_err();
        assert_eq!(err.field, key);
    }
    check("pvt_type", json!("account"));
    check("pvt_state", json!("disconnected"));
    check("pvt_state", json!(""));
    check("pvt_assigned_to", json!("short"));
    check("pvt_previously_assigned_to", json!(7));
    check("pvt_ported_in", json!("yes"));
    check("pvt_reserve_history", json!(["short"]));
    check("pvt_reserve_history", json!({}));
}
