//! KAZOO's answers about numbering and about names, vector by vector.
//!
//! The other areas are claimed by the modules that test what they are about; add a module's `AREAS`
//! to `CLAIMED` and take them out of `NOT_ASKED`.

use std::collections::BTreeSet;

use number_manager::domain::{
    AccountId, Classifier, Classifiers, Converters, E164, NumberDatabase, Numbering, Prefix, State,
    database::{account_database, encoded, number_database},
    nanp::{to_1npan, to_npan},
    pretty_print,
};
use serde_json::{Map, Value, json};

use crate::{
    api, catalogue, documents, features, lifecycle,
    numbering::seed,
    operations, searching,
    support::vectors::{Deviation, Vector, areas, vector_tests},
};

/// The areas that each module claims.
const CLAIMED: &[&[&str]] = &[
    AREAS,
    api::features::AREAS,
    api::collection::AREAS,
    catalogue::AREAS,
    catalogue::IN_PART,
    documents::AREAS,
    features::AREAS,
    features::IN_PART,
    lifecycle::AREAS,
    operations::AREAS,
    searching::AREAS,
];
/// The areas that nobody answers here, and why.
const NOT_ASKED: &[(&str, &str)] = &[
    ("carriers/is_billable", PRICES),
    ("crawler", BY_THE_CLOCK),
    ("create/ported_in", "who completes port requests is another service"),
    ("errors", "the table of `api::fault` holds every error with its answer"),
    ("errors/http", "the vectors of the API hold it, and `api::collection`"),
    ("features/service_name", PRICES),
    ("is_empty", "the emptiness of a library that is not used here"),
    ("is_force_outbound", ROUTING),
    ("iso3166/a2_to_a3", "no country has three letters here"),
    ("iso3166/a3_to_a2", "no country has three letters here"),
    ("lookup_account", ROUTING),
    ("maintenance/app_using", "`api::feature_permissions` holds it; what fixes write is a job's"),
    ("maintenance/carrier_module_usage", OLDER_TEXT),
    ("maintenance/convert", OLDER_TEXT),
    ("maintenance/convert/seed", "`api::seed` holds it"),
    ("maintenance/feature_permissions", "`api::feature_permissions` holds it"),
    ("maintenance/fix_apps", JOBS),
    ("maintenance/refresh_db_argument", JOBS),
    (
        "maintenance/reset_allowed_features",
        "the ten of the older documentation, in `api::feature_permissions`",
    ),
    ("maintenance/unknown_feature", "`api::feature_permissions` holds it"),
    ("mdn_run", "no process of its own writes numbers of mobile devices"),
    ("options/setters", "the inside of another program"),
];
const PRICES: &str = "what is charged follows from the number and the operator's prices";
const BY_THE_CLOCK: &str = "nothing is done by the clock yet";
const ROUTING: &str = "routing calls is another service";
const OLDER_TEXT: &str = "the text is that of the older documentation, in `api::seed`";
const JOBS: &str = "jobs are not here yet";

const SEPARATORS: &str = "separators are removed first when what is left is `+` and digits";
const ACCOUNT_FORMS: &str = "every form of an account is read, everything else refused";

const DEVIATIONS: &[Deviation] = &[
    Deviation { area: "classify", given: "(415) 886-7900", reason: SEPARATORS },
    Deviation { area: "classify", given: "415-886-7900", reason: SEPARATORS },
    Deviation { area: "classify", given: "+1 415 886 7900", reason: SEPARATORS },
    Deviation { area: "pretty_print", given: "(415) 886-7900", reason: SEPARATORS },
    Deviation { area: "pretty_print", given: "415-886-7900", reason: SEPARATORS },
    Deviation { area: "pretty_print", given: "+1 415 886 7900", reason: SEPARATORS },
    Deviation {
        area: "pretty_print",
        given: "null",
        reason: "no number is no argument: it is for the caller to say what it shows",
    },
    Deviation {
        area: "to_db",
        given: "14158867900",
        reason: "a number database is named by a number in E.164 form",
    },
    Deviation { area: "to_db", given: "15559", reason: "a prefix is `+` and at least four digits" },
    Deviation {
        area: "available_classifiers",
        given: r#"{"classifiers":[["x",{"regex":"^\\d+$"}]]}"#,
        reason: "the regex is kept when the friendly name is added",
    },
    Deviation { area: "account/to_id", given: "tasks", reason: ACCOUNT_FORMS },
    Deviation {
        area: "account/to_id",
        given: "account%2f01%2f23%2f456789abcdef0123456789abcdef",
        reason: ACCOUNT_FORMS,
    },
    Deviation {
        area: "fixture/account",
        given: r#"{"alias":"unrelated"}"#,
        reason: "account ids are 32 of [a-z0-9]; this one has underscores",
    },
];

vector_tests! {
    npan: "to_npan" => |vector| json!(to_npan(vector.text()));
    one_npan: "to_1npan" => |vector| json!(to_1npan(vector.text()));
    npan_property: "property/to_npan" => npan_property_holds;
    one_npan_property: "property/to_1npan" => one_npan_property_holds;
    default_converters: "default_converters/order" => default_converter;
    conversion: "normalize" => |vector| json!(Converters::default().convert(vector.text()));
    conversion_by_other_rules: "normalize/custom" => convert_by_given;
    conversion_by_the_seed: "normalize/seed" => convert_by_given;
    conversion_for_an_account: "normalize/account" => convert_for_account;
    without_plus: "to_strip_plus" => strip_plus;
    reconcilable: "is_reconcilable" => |vector| {
        json!(Numbering::default().is_reconcilable(vector.text()))
    };
    classes: "classify" => |vector| class(&Numbering::default(), vector.text());
    classes_by_other_rules: "classify/custom" => classify_by_given;
    classes_by_the_seed: "classify/seed" => |vector| {
        class(seed(), vector.text())
    };
    classes_that_are_shown: "available_classifiers" => |vector| {
        Value::Object(given_classifiers(vector).available())
    };
    one_class_as_the_api_shows_it: "classifier_api" => classifier_api;
    printed: "pretty_print" => |vector| {
        vector.given.as_str().map_or(Value::Null, |text| json!(Numbering::default().pretty(text)))
    };
    printed_by_format: "pretty_print/format" => print_by_format;
    number_databases: "to_db" => to_database;
    account_ids: "account/to_id" => |vector| {
        account(vector.text()).map_or(Value::Null, |account| json!(account.as_str()))
    };
    account_databases: "account/to_unencoded" => |vector| {
        account(vector.text()).map_or(Value::Null, |account| json!(account_database(&account)))
    };
    encoded_account_databases: "account/to_db" => |vector| {
        let name = account(vector.text()).map(|account| encoded(&account_database(&account)));
        json!(name)
    };
    raw_account_ids: "account/is_id" => |vector| json!(AccountId::parse(vector.text()).is_ok());
    kinds_of_database: "db_classification" => kind_of_database;
    accounts_of_the_other_vectors: "fixture/account" => fixture_account;
    states_in_use: "lookup_account/state" => |vector| {
        let state = State::parse(vector.given["state"].as_str().unwrap()).unwrap();
        if state.is_in_use() {
            json!({"usable": true})
        } else {
            json!({"error": ["not_in_service", vector.given["assigned_to"]]})
        }
    };
}

#[test]
fn every_area_is_claimed_once_or_has_a_reason() {
    let claimed: Vec<&str> = CLAIMED.concat();
    let distinct: BTreeSet<&str> = claimed.iter().copied().collect();
    assert_eq!(distinct.len(), claimed.len(), "an area is claimed twice");
    let all = areas();
    let unknown: Vec<_> = distinct.difference(&all).collect();
    assert!(unknown.is_empty(), "not in the file: {unknown:?}");
    let waiting: BTreeSet<_> = all.difference(&distinct).copied().collect();
    let listed: BTreeSet<_> = NOT_ASKED.iter().map(|(area, _)| *area).collect();
    let reasons = NOT_ASKED.iter().all(|(_, reason)| !reason.is_empty());
    assert!(reasons && waiting == listed, "{waiting:?} wait, and {listed:?} are listed");
}

/// The rules in `[[key, rule], …]`, as the object that settings hold.
fn rules(pairs: &Value) -> Map<String, Value> {
    let pair = |pair: &Value| (pair[0].as_str().unwrap().to_owned(), pair[1].clone());
    pairs.as_array().unwrap().iter().map(pair).collect()
}

fn number(vector: &Vector) -> &str {
    vector.given["number"].as_str().unwrap()
}

/// Numbers of the range that a property is about, spread over it.
fn sample(vector: &Vector) -> impl Iterator<Item = (String, bool)> {
    let bound = |end: usize| usize::try_from(vector.given["range"][end].as_u64().unwrap()).unwrap();
    (bound(0)..=bound(1)).step_by(1_000_003).map(|number| {
        let digits = number.to_string();
        let ten = digits.strip_prefix('1').filter(|ten| ten.len() == 10).unwrap_or(&digits);
        let at = |place: usize| ten.as_bytes()[place];
        let is_nanp = ten.len() == 10 && at(0) >= b'2' && at(3) >= b'2';
        (digits, is_nanp)
    })
}

fn npan_property_holds(vector: &Vector) -> Value {
    for (digits, is_nanp) in sample(vector) {
        let cut = if is_nanp { &digits[digits.len() - 10..] } else { &digits };
        assert_eq!(to_npan(&digits), cut);
    }
    vector.expect.clone()
}

fn one_npan_property_holds(vector: &Vector) -> Value {
    for (digits, is_nanp) in sample(vector) {
        let grown =
            if is_nanp && digits.len() == 10 { format!("1{digits}") } else { digits.clone() };
        assert_eq!(to_1npan(&digits), grown);
    }
    vector.expect.clone()
}

fn default_converter(vector: &Vector) -> Value {
    let position = usize::try_from(vector.given["position"].as_u64().unwrap()).unwrap();
    let converters = Converters::default();
    let converter = converters.iter().nth(position - 1).unwrap();
    assert_eq!(converter.suffix(), "");
    json!({"regex": converter.pattern(), "prefix": converter.prefix()})
}

fn convert_by_given(vector: &Vector) -> Value {
    let rules = rules(&vector.given["converters"]);
    let converters = Converters::from_settings("e164_converters", &rules).unwrap();
    json!(converters.convert(number(vector)))
}

fn convert_for_account(vector: &Vector) -> Value {
    let rules = rules(&vector.given["dial_plan"]);
    let dial_plan = Converters::from_settings("dial_plan", &rules).unwrap();
    json!(Converters::default().convert_for(&dial_plan, number(vector)))
}

fn strip_plus(vector: &Vector) -> Value {
    json!(Converters::default().strip_plus(vector.text()))
}

fn class(numbering: &Numbering, input: &str) -> Value {
    json!(numbering.classify(input).map(Classifier::name))
}

fn given_classifiers(vector: &Vector) -> Classifiers {
    Classifiers::from_settings(&rules(&vector.given["classifiers"])).unwrap()
}

fn classify_by_given(vector: &Vector) -> Value {
    let classifiers = if vector.given["classifiers_sorted_by_name"] == json!(true) {
        let mut rules = Classifiers::default().available();
        rules.sort_keys();
        Classifiers::from_settings(&rules).unwrap()
    } else {
        given_classifiers(vector)
    };
    let converted = Converters::default().convert(number(vector)).into_owned();
    json!(classifiers.classify(&converted).map(Classifier::name))
}

fn classifier_api(vector: &Vector) -> Value {
    let numbering = Numbering::default();
    let input = number(vector);
    let class = numbering.classify(input).unwrap();
    let mut answer = class.properties().clone();
    answer.insert("number".to_owned(), json!(input));
    answer.insert("e164".to_owned(), json!(numbering.convert(input)));
    answer.insert("name".to_owned(), json!(class.name()));
    Value::Object(answer)
}

fn print_by_format(vector: &Vector) -> Value {
    let format = vector.given["format"].as_str().unwrap();
    json!(pretty_print(format, &Numbering::default().convert(number(vector))))
}

fn to_database(vector: &Vector) -> Value {
    let text = vector.text();
    let of_number = E164::parse(text).map(|number| number_database(&number)).ok();
    let of_prefix = || Prefix::parse(text).map(|prefix| prefix.database().to_string()).ok();
    json!(of_number.or_else(of_prefix).map(|name| encoded(&name)))
}

fn account(text: &str) -> Option<AccountId> {
    AccountId::parse_any(text).ok()
}

fn kind_of_database(vector: &Vector) -> Value {
    let text = vector.text();
    match (NumberDatabase::parse(text).is_ok(), account(text).is_some()) {
        (true, false) => json!("numbers"),
        (false, true) => json!("account"),
        neither_or_both => panic!("{text}: {neither_or_both:?}"),
    }
}

/// The account with its id as it is read.
fn fixture_account(vector: &Vector) -> Value {
    let mut read = vector.expect.clone();
    let id = AccountId::parse(read["id"].as_str().unwrap());
    read["id"] = json!(id.ok().as_ref().map(AccountId::as_str));
    read
}
