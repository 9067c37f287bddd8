//! KAZOO's answers about what happens to features, asked of the providers and rules themselves.

use number_manager::{
    domain::{AccountId, CarrierName, FeatureRules, KNOWN_FEATURES, Number, State, strip},
    providers::{Registry, clean, plan},
};
use serde_json::{Map, Value, json};

use crate::{
    catalogue::terms,
    support::{
        people::number,
        vectors::{Deviation, Vector, vector_tests, vectors},
    },
};

const DEVIATIONS: &[Deviation] = &[
    Deviation {
        area: "rename_carrier/prefix",
        given: "knm_wnm_telnyx",
        reason: "one prefix is taken off; a carrier of two is unknown",
    },
    Deviation {
        area: "rename_carrier/prefix",
        given: "bandwidth",
        reason: "what KAZOO stores in the end (`knm_bandwidth2`) is said at once",
    },
];

vector_tests! {
    names_of_new_carriers: "rename_carrier/prefix" => |vector| {
        json!(CarrierName::given(vector.text()).unwrap().as_str())
    };
    caller_names: "features/cnam" => caller_name;
    failover: "features/failover" => |vector| of_member(vector, "failover");
    prepend: "features/prepend" => |vector| of_member(vector, "prepend");
    what_is_denied_is_taken_off: "features/strip_denied" => strip_denied;
}

/// Areas of whose vectors only a part is ours to answer.
pub(crate) const IN_PART: &[&str] =
    &["force_outbound/feature", "features/provider_module", "features/e911"];

fn in_state(vector: &Vector) -> Number {
    let state = State::parse(vector.given["state"].as_str().unwrap()).unwrap();
    let carrier = vector.given["module_name"].as_str().unwrap_or("knm_telnyx");
    let mut number = number(state, carrier);
    number.owner = Some(AccountId::parse("account0000000000000000000000002").unwrap());
    number.used_by = Some("trunkstore".to_owned());
    number
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap_or_default()
}

/// What an administrator's save makes of a number; the human who sees to addresses provides them.
fn save(mut number: Number) -> Number {
    let e911_provider = "knm_e911_notifier".to_owned();
    let rules = FeatureRules { e911_provider, ..FeatureRules::default() };
    let terms = terms(&rules);
    let denial = |number: &Number, feature: &str| terms.denial(number, feature, true);
    clean(&mut number);
    for provider in Registry::default().chosen(&terms, &[]) {
        plan(&*provider, None, &mut number, denial).unwrap();
    }
    number
}

/// What a save makes of one feature that is asked for under its own name.
fn of_member(vector: &Vector, member: &str) -> Value {
    let mut number = in_state(vector);
    number.public.insert(member.to_owned(), vector.given["public"].clone());
    if !vector.given["private_before"].is_null() {
        number.features.insert(member.to_owned(), vector.given["private_before"].clone());
    }
    json!({ "private": save(number).features.get(member) })
}

fn caller_name(vector: &Vector) -> Value {
    let given = &vector.given;
    let mut before = in_state(vector);
    before.features = object(&given["private_before"]);
    if let Some(cnam) = given.get("public_cnam") {
        before.public.insert("cnam".to_owned(), cnam.clone());
    }
    let after = save(before.clone());
    let told = |key: &str| match key {
        "private" => Value::Object(after.features.clone()),
        "features" => after.features.keys().cloned().collect(),
        "dirty" => json!(after != before),
        other => panic!("{other} is not told here"),
    };
    vector.expect.as_object().unwrap().keys().map(|key| (key.clone(), told(key))).collect()
}

/// Features that are named, or those that the number may not have.
fn strip_denied(vector: &Vector) -> Value {
    let given = &vector.given;
    let mut of = number(State::InService, "knm_telnyx");
    let Some(denied) = given["denied"].as_array() else {
        return strip_what_a_local_number_may_not_have(given);
    };
    of.features = object(&given["pvt_features"]);
    of.public = object(&given["public"]);
    for feature in denied {
        strip(&mut of, feature.as_str().unwrap());
    }
    json!({"pvt_features": of.features, "public": of.public})
}

fn strip_what_a_local_number_may_not_have(given: &Value) -> Value {
    let doc = &given["doc"];
    let mut of = number(State::InService, doc["pvt_module_name"].as_str().unwrap());
    of.owner = Some(AccountId::parse(doc["pvt_assigned_to"].as_str().unwrap()).unwrap());
    of.features = object(&doc["pvt_features"]);
    of.used_by = given["app_using"].as_str().map(str::to_owned);
    let before = of.clone();
    let rules = FeatureRules::default();
    let denied = |feature: &&str| terms(&rules).denial(&before, feature, true).is_some();
    for feature in KNOWN_FEATURES.into_iter().filter(denied) {
        strip(&mut of, feature);
    }
    json!({
        "dirty": of != before, "features": of.features.keys().collect::<Vec<_>>(),
        "used_by": of.used_by, "state": of.state.as_str(), "module_name": of.carrier.as_str(),
    })
}

/// The vectors also say what a call to the number does, which is not the provider's.
#[test]
fn force_outbound_is_kept_as_it_is_said() {
    for vector in vectors(IN_PART[0]) {
        let mut number = in_state(&vector);
        number.public = object(&vector.given["public"]);
        if !vector.given["private_before"].is_null() {
            let before = vector.given["private_before"].clone();
            number.features.insert("force_outbound".to_owned(), before);
        }
        let public = number.public.clone();
        let saved = save(number);
        let private = saved.features.get("force_outbound");
        assert_eq!(json!(private), vector.expect["private"], "{vector:?}");
        assert_eq!(json!(private.is_some()), vector.expect["feature_listed"], "{vector:?}");
        assert_eq!(saved.public, public);
    }
}

/// A new carrier is no provider's, and a number that nobody owns is denied what others provide
/// before it comes to who.
#[test]
fn each_feature_has_the_provider_of_its_name() {
    let rules = FeatureRules::default();
    let chosen = Registry::default().chosen(&terms(&rules), &[]);
    let owned = |vector: &Vector| !vector.given["assigned_to"].is_null();
    let ours = |vector: &Vector| owned(vector) && vector.given["feature"] != "carrier_name";
    for vector in vectors(IN_PART[1]).into_iter().filter(ours) {
        let feature = vector.given["feature"].as_str().unwrap();
        let is_its =
            |provider: &&std::sync::Arc<dyn number_manager::providers::FeatureProvider>| {
                provider.member() == feature || provider.features().contains(&feature)
            };
        let provider = chosen.iter().find(is_its).unwrap();
        assert_eq!(vector.expect, provider.name(), "{feature}");
    }
}

/// The vector's provider is a vendor; what it does to the number is what any does.
#[test]
fn an_emergency_address_is_kept_as_it_is_given() {
    for vector in vectors(IN_PART[2]) {
        let mut number = in_state(&vector);
        number.public.insert("e911".to_owned(), vector.given["public"].clone());
        let saved = save(number);
        assert_eq!(saved.features["e911"], vector.expect["private"]);
        assert_eq!(save(saved.clone()), saved, "a second time changes nothing");
    }
}
