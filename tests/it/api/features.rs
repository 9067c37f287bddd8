//! Features of numbers: who may have which, how they are put on and taken off.

use axum::http::Method;
use number_manager::store::DbName;
use serde_json::{Value, json};

use super::world::{
    HOLDER, NUMBER, UNLIMITED, Who, World, account_db, number_error, numbers, over_both_stores,
    path_of,
};
use crate::support::{
    app::{ACCOUNT, Answer, PARENT, TestApp},
    vectors::vectors,
};

over_both_stores! {
    features_are_held_in_service_and_come_back,
    empty_absent_and_null_clear,
    a_denied_feature_is_named,
    what_is_carried_already_is_nobodys_business,
    the_nearest_list_counts_in_list_and_detail,
    a_resellers_own_numbers_are_on_the_systems_terms,
    settings_of_a_reseller_that_cannot_be_used_are_no_settings,
    a_new_carrier_takes_off_what_it_denies,
    carriers_are_renamed_as_vectors_say,
    a_rename_needs_the_lists_to_allow_it,
    features_of_older_versions_go,
    messages_are_as_the_carrier_does_them,
    bodies_of_every_write_are_checked,
}

const UNAUTHORIZED: &str = "requestor is unauthorized to perform operation";

pub(super) fn held(more: &Value) -> Value {
    let mut members = json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT});
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members
}

/// Asks another process about the number that most cases are about.
pub(super) async fn about(
    app: &TestApp,
    who: Who,
    method: Method,
    rest: &str,
    data: &Value,
) -> Answer {
    let ask = app.ask(method, &numbers(&format!("/{NUMBER}{rest}")));
    let ask = match who {
        Who::Nobody => ask,
        Who::Admin => ask.token(&app.admin()),
        Who::Account(account) => ask.token(&app.account(account)),
    };
    ask.data(data).send().await
}

/// Another process, which knows nothing yet.
pub(super) async fn afresh(world: &World) -> TestApp {
    TestApp::over(world.store.clone(), UNLIMITED).await
}

/// Stores what the parent says for the accounts below it.
pub(super) async fn of_reseller(world: &World, settings: Value) {
    let body = serde_json::from_value(settings).unwrap();
    world.put(account_db(PARENT), "configs_number_manager", body).await;
}

/// Stores how a carrier does messages.
pub(super) async fn of_carrier(world: &World, carrier: &str, features: Value) {
    let body = json!({"default": {"features": features}});
    let body = serde_json::from_value(body).unwrap();
    world.put(DbName::new("system_config"), &format!("number_manager.{carrier}"), body).await;
}

fn forbidden(cause: &str) -> Value {
    number_error(403, "forbidden", Some(cause), UNAUTHORIZED)
}

async fn features_are_held_in_service_and_come_back(world: &World) {
    world.keep(NUMBER, held(&json!({"pvt_used_by": "trunkstore"}))).await;
    let asked = json!({
        "failover": {"e164": "+14155550101"}, "force_outbound": false,
        "prepend": {"enabled": true, "name": "Sales "},
        "ringback": {"early": "m1", "transfer": "m2", "other": 1},
    });
    let data = world.about(HOLDER, Method::PATCH, "", Some(&asked)).await.data(200);
    let all = json!(["failover", "force_outbound", "prepend", "ringback"]);
    assert_eq!(data["features"], all);
    let stored = json!({
        "failover": {"e164": "+14155550101"}, "force_outbound": false,
        "prepend": {"enabled": true, "name": "Sales "},
        "ringback": {"early": "m1", "transfer": "m2"},
    });
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(document["pvt_features"], stored);
    assert_eq!(world.copy(ACCOUNT, NUMBER).await.unwrap().body, document);
    let data = world.about(HOLDER, Method::PUT, "/reserve", None).await.data(201);
    assert_eq!((&data["features"], &data["prepend"]), (&json!([]), &asked["prepend"]));
    let data = world.about(HOLDER, Method::PUT, "/activate", None).await.data(201);
    assert_eq!(data["features"], all);
}

async fn empty_absent_and_null_clear(world: &World) {
    let prepend = json!({"enabled": true, "name": "x"});
    let on = json!({"prepend": prepend, "cnam": {"display_name": "ACME"}, "a": 1});
    let cases = [
        (Method::POST, json!({"a": 1}), json!([])),
        (Method::POST, json!({"prepend": {}, "cnam": {}}), json!([])),
        (Method::PATCH, json!({"prepend": null}), json!(["outbound_cnam"])),
        (Method::PATCH, json!({"prepend": {"enabled": false}}), json!(["outbound_cnam"])),
        (Method::PATCH, json!({"prepend": {"enabled": "false"}}), json!(["outbound_cnam"])),
        (Method::PATCH, json!({"a": 2}), json!(["outbound_cnam", "prepend"])),
    ];
    for (method, data, features) in cases {
        world.clear().await;
        world.keep(NUMBER, held(&json!({}))).await;
        let before = world.about(HOLDER, Method::POST, "", Some(&on)).await.data(200);
        assert_eq!(before["features"], json!(["outbound_cnam", "prepend"]));
        let after = world.about(HOLDER, method, "", Some(&data)).await.data(200);
        assert_eq!(after["features"], features, "{data}");
    }
}

async fn a_denied_feature_is_named(world: &World) {
    let address = json!({
        "street_address": "1 Main St", "locality": "X", "region": "CA", "postal_code": "94105",
    });
    let prepend = json!({"prepend": {"enabled": true}});
    let failover = json!({"failover": {"sip": "sip:a@example.com"}});
    let nothing = json!({});
    let cases = [
        (
            held(&json!({"pvt_features_denied": ["prepend"]})),
            &nothing,
            &prepend,
            "feature 'prepend' is denied by the number's own lists, which deny it",
        ),
        (
            held(&json!({"pvt_features_allowed": ["cnam"]})),
            &nothing,
            &prepend,
            "feature 'prepend' is denied by the number's own lists, which leave it out of what is \
             allowed",
        ),
        (
            held(&json!({})),
            &json!({"features": {"deny": ["knm_prepend"]}}),
            &prepend,
            "feature 'prepend' is denied by the reseller's settings, which deny it",
        ),
        (
            held(&json!({})),
            &json!({"features": {"allow": ["cnam"]}}),
            &prepend,
            "feature 'prepend' is denied by the reseller's settings, which leave it out of what is \
             allowed",
        ),
        (
            held(&json!({"pvt_module_name": "knm_local"})),
            &nothing,
            &json!({"e911": address}),
            "feature 'e911' is denied by rule: the number is local",
        ),
        (
            held(&json!({"pvt_module_name": "knm_local"})),
            &nothing,
            &json!({"cnam": {"inbound_lookup": true}}),
            "feature 'inbound_cnam' is denied by rule: the number is local",
        ),
        (
            held(&json!({"pvt_used_by": "callflow"})),
            &nothing,
            &failover,
            "feature 'failover' is denied by rule: the number is not used by trunkstore",
        ),
    ];
    for (number, reseller, data, cause) in cases {
        world.clear().await;
        remove_settings(world).await;
        world.keep(NUMBER, number).await;
        of_reseller(world, reseller.clone()).await;
        let app = afresh(world).await;
        let before = world.everything().await;
        for method in [Method::POST, Method::PATCH] {
            let answer = about(&app, HOLDER, method, "", data).await;
            answer.check_error(403, "forbidden", &forbidden(cause));
        }
        assert_eq!(world.everything().await, before, "{cause}");
    }
    world.clear().await;
    world.keep(NUMBER, json!({"pvt_state": "available"})).await;
    let data = json!({"cnam": {"display_name": "ACME"}});
    let answer = world.about(Who::Admin, Method::POST, "", Some(&data)).await;
    let cause = "feature 'outbound_cnam' is denied by rule: nobody owns the number";
    answer.check_error(403, "forbidden", &forbidden(cause));
}

/// Removes what resellers say.
async fn remove_settings(world: &World) {
    use number_manager::store::{Body, Write};
    let (db, id) = (account_db(PARENT), "configs_number_manager");
    if let Some(found) = world.store.get(&db, id).await.unwrap().live() {
        let delete = Write::delete(db, id, found.rev, Body::new());
        world.store.commit(vec![delete]).await.unwrap();
    }
}

async fn what_is_carried_already_is_nobodys_business(world: &World) {
    let prepend = json!({"enabled": true, "name": "x"});
    let members = json!({
        "prepend": prepend, "pvt_features": {"prepend": prepend},
        "pvt_features_denied": ["prepend"],
    });
    world.keep(NUMBER, held(&members)).await;
    let data = json!({"my": 1});
    let data = world.about(HOLDER, Method::PATCH, "", Some(&data)).await.data(200);
    assert_eq!((&data["features"], &data["prepend"]), (&json!(["prepend"]), &prepend));
    let changed = json!({"prepend": {"name": "y"}});
    world.about(HOLDER, Method::PATCH, "", Some(&changed)).await.check_status(403);
    // It goes with the state, and does not come back where it is denied.
    world.about(HOLDER, Method::PUT, "/reserve", None).await.check_status(201);
    let data = world.about(HOLDER, Method::PUT, "/activate", None).await.data(201);
    assert_eq!((&data["features"], &data["prepend"]), (&json!([]), &prepend));
    let data = world.about(HOLDER, Method::POST, "", Some(&json!({"my": 1}))).await.data(200);
    assert_eq!(data.get("prepend"), None);
}

async fn listed(app: &TestApp, account: &str) -> Value {
    let path = path_of(account, "");
    let answer = app.get(&path).token(&app.account(account)).send().await;
    answer.data(200)["numbers"][NUMBER]["features_available"].clone()
}

async fn the_nearest_list_counts_in_list_and_detail(world: &World) {
    let of_number = json!({"pvt_features_allowed": ["prepend", "cnam"]});
    let allow = json!({"features": {"allow": ["ringback", "prepend"], "deny": ["ringback"]}});
    let cases = [
        (json!({}), json!({}), json!(["force_outbound"])),
        (json!({}), allow.clone(), json!(["prepend"])),
        (of_number.clone(), allow, json!(["cnam", "prepend"])),
        (json!({"pvt_features_denied": ["force_outbound"]}), json!({}), json!([])),
        (of_number, json!({"features": {"deny": ["cnam"]}}), json!(["prepend"])),
    ];
    for (number, reseller, available) in cases {
        world.clear().await;
        remove_settings(world).await;
        world.keep(NUMBER, held(&number)).await;
        of_reseller(world, reseller.clone()).await;
        let app = world.configured(json!({"features": {"allow": ["force_outbound"]}})).await;
        let data = about(&app, HOLDER, Method::GET, "", &json!({})).await.data(200);
        assert_eq!(data["features_available"], available, "{number} {reseller}");
        assert_eq!(data["_read_only"]["features"]["available"], available);
        assert_eq!(listed(&app, ACCOUNT).await, available);
    }
}

async fn a_resellers_own_numbers_are_on_the_systems_terms(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": PARENT})).await;
    of_reseller(world, json!({"features": {"allow": ["ringback"]}})).await;
    let app = afresh(world).await;
    assert!(listed(&app, PARENT).await.as_array().unwrap().contains(&json!("prepend")));
}

async fn settings_of_a_reseller_that_cannot_be_used_are_no_settings(world: &World) {
    world.keep(NUMBER, held(&json!({}))).await;
    of_reseller(world, json!({"features": {"allow": "everything"}})).await;
    let app = afresh(world).await;
    let before = world.everything().await;
    let data = json!({"prepend": {"enabled": true}});
    let answer = about(&app, HOLDER, Method::PATCH, "", &data).await;
    answer.check_error(503, "datastore_fault", &json!({"message": "datastore fault"}));
    assert_eq!(world.everything().await, before);
}

async fn a_new_carrier_takes_off_what_it_denies(world: &World) {
    let prepend = json!({"enabled": true, "name": "Citizen"});
    let members = json!({
        "pvt_module_name": "knm_vitelity", "prepend": prepend, "pvt_used_by": "callflow",
        "cnam": {"display_name": "Rose Bud", "inbound_lookup": true, "x": 1},
        "failover": {"sip": "sip:a@example.com"},
        "pvt_features": {
            "prepend": prepend, "inbound_cnam": {"inbound_lookup": true},
            "outbound_cnam": {"display_name": "Rose Bud"},
        },
    });
    world.keep(NUMBER, held(&members)).await;
    let data = json!({"carrier_name": "local"});
    let data = world.about(Who::Admin, Method::PATCH, "", Some(&data)).await.data(200);
    assert_eq!(
        (&data["features"], &data["cnam"]),
        (&json!(["local", "prepend"]), &json!({"x": 1}))
    );
    assert_eq!(
        (data.get("carrier_name"), &data["failover"]["sip"]),
        (None, &json!("sip:a@example.com"))
    );
    assert_eq!(world.document(NUMBER).await.unwrap().body["pvt_module_name"], "knm_local");
    let unknown = json!({"carrier_name": "nobody"});
    let answer = world.about(Who::Admin, Method::PATCH, "", Some(&unknown)).await;
    let cause = "'nobody' is not known by the system";
    answer.check_error(400, "invalid", &number_error(400, "invalid", Some(cause), "invalid"));
}

/// The areas of KAZOO's answers that are asked over HTTP here.
pub(crate) const AREAS: &[&str] = &["rename_carrier"];
/// Any module that can be loaded is a carrier to KAZOO.
const NO_CARRIER: &str = "gen_carrier";

async fn carriers_are_renamed_as_vectors_say(world: &World) {
    for vector in vectors("rename_carrier") {
        world.clear().await;
        let (given, expect) = (&vector.given, &vector.expect);
        let who = match given["auth_by"].as_str().unwrap() {
            "system" | "account0000000000000000000000001" => Who::Admin,
            _ => HOLDER,
        };
        let (method, body) = if given["op"] == "create" {
            world.allow_additions(ACCOUNT).await;
            (Method::PUT, &given["public_fields"])
        } else {
            let mut number = given["docs"][0].clone();
            if number.is_null() {
                number = json!({
                    "pvt_state": "in_service", "pvt_module_name": given["module_before"],
                    "pvt_features": {"local": {}},
                });
            }
            number["pvt_assigned_to"] = json!(ACCOUNT);
            number["pvt_reserve_history"] = json!([ACCOUNT]);
            number.as_object_mut().unwrap().shift_remove("_id");
            world.keep(NUMBER, number).await;
            match &given["merge_public"] {
                Value::Null => (Method::POST, &given["replace_public"]),
                merged => (Method::PATCH, merged),
            }
        };
        let before = world.everything().await;
        let answer = world.about(who, method, "", Some(body)).await;
        if body["carrier_name"] == NO_CARRIER {
            answer.check_status(400);
            continue;
        }
        let name = if expect["ok"].is_null() { expect } else { &expect["ok"] };
        if expect["error"].is_object() {
            assert_eq!(answer.json()["message"], expect["error"]["error"], "{vector:?}");
            assert_eq!(world.everything().await, before);
            continue;
        }
        assert!(answer.status.is_success(), "{vector:?} {}", answer.text);
        let document = world.document(NUMBER).await.unwrap().body;
        assert_eq!(document["pvt_module_name"], name["module_name"], "{vector:?}");
        assert_eq!(json!(world.everything().await != before), name["dirty"], "{vector:?}");
        let features = answer.json()["data"]["features"].clone();
        let texts = |key: &str| expect[key].as_array().cloned().unwrap_or_default();
        for feature in texts("features_contains") {
            assert!(features.as_array().unwrap().contains(&feature), "{vector:?}");
        }
        for feature in texts("features_lacks") {
            assert!(!features.as_array().unwrap().contains(&feature), "{vector:?}");
        }
        if expect["features"].is_array() {
            assert_eq!(features, expect["features"], "{vector:?}");
        }
        for key in texts("public_lacks").iter().chain([&json!("carrier_name")]) {
            assert_eq!(document.get(key.as_str().unwrap()), None, "{vector:?}");
        }
    }
}

async fn a_rename_needs_the_lists_to_allow_it(world: &World) {
    world.keep(NUMBER, held(&json!({"pvt_features_denied": ["carrier_name"]}))).await;
    let data = json!({"carrier_name": "telnyx"});
    let answer = world.about(Who::Admin, Method::PATCH, "", Some(&data)).await;
    let cause = "feature 'carrier_name' is denied by the number's own lists, which deny it";
    answer.check_error(403, "forbidden", &forbidden(cause));
}

async fn features_of_older_versions_go(world: &World) {
    let members = json!({
        "pvt_features": {"im": {}, "cnam": {"display_name": "A"}, "inbound_lookup": true, "x": {}},
    });
    world.keep(NUMBER, held(&members)).await;
    world.about(HOLDER, Method::PATCH, "", Some(&json!({"a": 1}))).await.check_status(200);
    assert_eq!(world.document(NUMBER).await.unwrap().body["pvt_features"], json!({"x": {}}));
}

async fn messages_are_as_the_carrier_does_them(world: &World) {
    let allow = json!(["sms", "mms", "prepend"]);
    let asked = json!({"sms": {"enabled": true}, "mms": {"enabled": true}});
    let sms = json!({"sms": {"enabled": true, "activation": "auto"}});
    let cases = [
        ("inventory", json!({}), json!([]), json!({})),
        ("other", json!({"sms": {"enabled": true}}), json!([]), json!({})),
        (
            "inventory",
            json!({"sms": {"enabled": true}, "mms": {"enabled": false}}),
            json!(["sms"]),
            sms,
        ),
    ];
    for (carrier, features, wanted, settings) in cases {
        world.clear().await;
        world.keep(NUMBER, held(&json!({}))).await;
        of_carrier(world, carrier, features).await;
        let app = world.configured(json!({"features": {"allow": allow}})).await;
        let answer = about(&app, HOLDER, Method::PATCH, "", &asked).await;
        let data = answer.data(200);
        assert_eq!((&data["features"], &data["sms"]), (&wanted, &asked["sms"]));
        assert_eq!(data["_read_only"]["features"]["settings"], settings);
        assert_eq!(answer.json()["metadata"]["features"]["settings"], settings);
        let data = about(&app, HOLDER, Method::PUT, "/reserve", &json!({})).await.data(201);
        assert_eq!(data["features"], json!([]));
        let carrier_db = DbName::new("system_config");
        let id = format!("number_manager.{carrier}");
        let found = world.store.get(&carrier_db, &id).await.unwrap().live().unwrap();
        let body = number_manager::store::Body::new();
        let delete = number_manager::store::Write::delete(carrier_db, id, found.rev, body);
        world.store.commit(vec![delete]).await.unwrap();
    }
}

async fn bodies_of_every_write_are_checked(world: &World) {
    let data = json!({"cnam": {"display_name": 1}, "e911": {"region": "CAL"}});
    world.keep(NUMBER, held(&json!({"e911": {"region": "CA"}}))).await;
    let before = world.everything().await;
    for (method, rest) in [
        (Method::PUT, ""),
        (Method::POST, ""),
        (Method::PATCH, ""),
        (Method::PUT, "/activate"),
        (Method::PUT, "/reserve"),
    ] {
        let answer = world.about(HOLDER, method, rest, Some(&data)).await;
        answer.check_status(400);
        let failures = answer.json()["data"].as_object().unwrap().clone();
        let mut fields: Vec<&str> = failures.keys().map(String::as_str).collect();
        fields.sort_unstable();
        let wanted = [
            "cnam.display_name",
            "e911.locality",
            "e911.postal_code",
            "e911.region",
            "e911.street_address",
        ];
        assert_eq!(fields, wanted, "{rest}");
    }
    assert_eq!(world.everything().await, before);
}
