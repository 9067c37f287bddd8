//! KAZOO's answers about which carriers there are, and which features a number may have.

use std::sync::Arc;

use number_manager::{
    carriers::{CARRIERS, Descriptor},
    domain::{
        AccountId, FeatureRules, FeatureTerms, KNOWN_FEATURES, Number, ResellerFeatures, State,
    },
    repository::Settings,
};
use serde_json::{Map, Value, json};

use crate::support::{
    people::{actor, number},
    vectors::{Deviation, Vector, vector_tests, vectors},
};

const MESSAGES: &str = "`sms` and `mms` are known, and allowed only when configured";

const DEVIATIONS: &[Deviation] = &[
    Deviation {
        area: "features/available_list",
        given: r#"{"is_local":false,"is_admin":true,"assigned":true,"used_by":"callflow","number_allowed":[],"number_denied":[],"reseller_allow":null,"reseller_deny":null,"system_allow":null,"legacy_providers":null,"local_feature_override":false}"#,
        reason: MESSAGES,
    },
    Deviation {
        area: "features/available_list",
        given: r#"{"is_local":false,"is_admin":true,"assigned":true,"used_by":"trunkstore","number_allowed":[],"number_denied":[],"reseller_allow":null,"reseller_deny":null,"system_allow":null,"legacy_providers":null,"local_feature_override":false}"#,
        reason: MESSAGES,
    },
    Deviation {
        area: "features/available_list",
        given: r#"{"is_local":false,"is_admin":false,"assigned":true,"used_by":"trunkstore","number_allowed":[],"number_denied":[],"reseller_allow":null,"reseller_deny":null,"system_allow":null,"legacy_providers":null,"local_feature_override":false}"#,
        reason: MESSAGES,
    },
    Deviation {
        area: "features/available_list",
        given: r#"{"is_local":true,"is_admin":false,"assigned":true,"used_by":null,"number_allowed":[],"number_denied":[],"reseller_allow":null,"reseller_deny":null,"system_allow":null,"legacy_providers":null,"local_feature_override":true}"#,
        reason: MESSAGES,
    },
    Deviation {
        area: "features/available_list",
        given: r#"{"is_local":true,"is_admin":false,"assigned":true,"used_by":null,"number_allowed":[],"number_denied":[],"reseller_allow":null,"reseller_deny":["port"],"system_allow":null,"legacy_providers":null,"local_feature_override":false}"#,
        reason: MESSAGES,
    },
    Deviation {
        area: "features/available_list",
        given: r#"{"is_local":true,"is_admin":false,"assigned":true,"used_by":null,"number_allowed":[],"number_denied":["port"],"reseller_allow":null,"reseller_deny":null,"system_allow":null,"legacy_providers":null,"local_feature_override":false}"#,
        reason: MESSAGES,
    },
];

vector_tests! {
    carriers: "carriers/all_modules" => |_| json!(CARRIERS.map(|carrier| carrier.name));
    usable_carriers: "carriers/usable" => |_| {
        let usable = CARRIERS.iter().filter(|carrier| carrier.is_usable);
        json!(usable.map(|carrier| carrier.name.trim_start_matches("knm_")).collect::<Vec<_>>())
    };
    one_feature: "features/available" => is_available;
    features: "features/available_list" => available;
    older_names_of_features: "features/legacy_name" => older_name;
}

/// Areas of whose vectors only a part is ours to answer.
pub(crate) const IN_PART: &[&str] = &["carriers/properties"];

/// The vectors also say whether a carrier is local or billable. Nobody here asks a carrier that:
/// the number's feature tells the one, the operator's prices the other.
#[test]
fn a_carrier_knows_how_long_a_prefix_it_searches() {
    for vector in vectors(IN_PART[0]) {
        let name = vector.given["module_name"].as_str().unwrap();
        let of_that_name = |carrier: &&Descriptor| carrier.name == name;
        let carrier = CARRIERS.iter().find(of_that_name).unwrap();
        assert_eq!(vector.expect["max_prefix"], json!(carrier.longest_prefix), "{name}");
    }
}

fn held(carrier: &str) -> Number {
    let mut number = number(State::InService, carrier);
    number.owner = Some(AccountId::parse("account0000000000000000000000002").unwrap());
    number
}

fn is_available(vector: &Vector) -> Value {
    let given = &vector.given;
    let auth_by =
        if given["auth_by"].is_null() { json!("system") } else { given["auth_by"].clone() };
    let number = held(given["module_name"].as_str().unwrap());
    let rules = FeatureRules::default();
    let available = terms(&rules).available(&number, actor(&auth_by).is_admin);
    json!(available.iter().any(|feature| given["feature"] == feature.as_str()))
}

/// The terms of a number whose reseller and carrier say nothing.
pub(crate) fn terms(system: &FeatureRules) -> FeatureTerms<'_> {
    FeatureTerms { system, reseller: Arc::default(), carrier: Arc::default() }
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn available(vector: &Vector) -> Value {
    let given = &vector.given;
    let mut number = held(if given["is_local"] == true { "knm_local" } else { "knm_telnyx" });
    number.owner = number.owner.filter(|_| given["assigned"] == true);
    number.used_by = given["used_by"].as_str().map(str::to_owned);
    number.features_allowed = texts(&given["number_allowed"]);
    number.features_denied = texts(&given["number_denied"]);
    let settings = json!({
        "features": { "allow": given["system_allow"] },
        "providers": given["legacy_providers"],
        "local_feature_override": given["local_feature_override"],
    });
    let rules = Settings::read(settings.as_object().unwrap()).unwrap().features;
    let list = |key: &str| given[key].is_array().then(|| texts(&given[key]));
    let (allow, deny) = (list("reseller_allow"), list("reseller_deny"));
    let reseller = ResellerFeatures { allow, deny, ..ResellerFeatures::default() };
    let terms = FeatureTerms { reseller: Arc::new(reseller), ..terms(&rules) };
    json!(terms.available(&number, given["is_admin"] == true))
}

/// The name under which an allowed feature of an older name is available.
fn older_name(vector: &Vector) -> Value {
    let mut number = held("knm_telnyx");
    number.used_by = Some("trunkstore".to_owned());
    let allow = vec![vector.text().to_owned()];
    let rules = FeatureRules { allow, ..FeatureRules::default() };
    json!(terms(&rules).available(&number, true).first())
}

#[test]
fn messages_are_known_but_not_allowed_by_default() {
    let rules = Settings::read(&Map::new()).unwrap().features;
    let missing: Vec<_> =
        KNOWN_FEATURES.iter().filter(|name| !rules.allow.iter().any(|it| it == *name)).collect();
    assert_eq!(missing, [&"sms", &"mms"]);
}
