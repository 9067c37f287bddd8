//! The lists of allowed and denied features, by their routes and by the old commands.

use axum::http::Method;
use number_manager::store::DbName;
use serde_json::{Value, json};

use super::world::{HOLDER, NUMBER, Who, World, account_db, over_both_stores};
use crate::support::app::{ACCOUNT, Answer, PARENT};

over_both_stores! {
    there_are_twelve_features,
    a_number_inherits_until_it_has_a_list,
    a_list_that_says_what_is_inherited_is_given_up,
    a_denied_feature_keeps_what_was_denied_by_rule,
    a_reseller_inherits_the_systems_lists,
    the_systems_list_begins_with_the_defaults,
    the_systems_list_can_be_reset,
    unknown_features_and_lists_are_refused,
    the_lists_are_for_administrators,
    an_application_is_found_by_its_documents,
    old_commands_print_the_same,
}

const ON_NUMBER: &str = "/v2/phone_numbers/%2B14155550100/feature-permissions";
const ON_SYSTEM: &str = "/v2/config/feature-permissions";

fn on_reseller() -> String {
    format!("/v2/accounts/{ACCOUNT}/reseller/feature-permissions")
}

async fn admin(world: &World, method: Method, path: &str) -> Answer {
    world.ask(Who::Admin, method, path, None).await
}

async fn keep(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
}

fn names(value: &Value) -> Vec<&str> {
    value.as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect()
}

const DEFAULTS: [&str; 10] = [
    "carrier_name",
    "cnam",
    "e911",
    "failover",
    "force_outbound",
    "inbound_cnam",
    "outbound_cnam",
    "port",
    "prepend",
    "ringback",
];

async fn there_are_twelve_features(world: &World) {
    let data = admin(world, Method::GET, "/v2/features").await.data(200);
    assert_eq!(names(&data["features"]).len(), 12);
}

async fn a_number_inherits_until_it_has_a_list(world: &World) {
    keep(world).await;
    let before = world.everything().await;
    let data = admin(world, Method::GET, ON_NUMBER).await.data(200);
    assert_eq!((&data["allowed"], &data["denied"]), (&json!([]), &json!([])));
    assert_eq!(names(&data["effective"]["allowed"]), DEFAULTS);
    assert_eq!(names(&data["effective"]["denied"]), ["failover"]);
    // What is allowed already needs no list.
    let same = admin(world, Method::PUT, &format!("{ON_NUMBER}/allowed/cnam")).await;
    assert_eq!(same.data(200), data);
    assert_eq!(world.everything().await, before);
    let data = admin(world, Method::PUT, &format!("{ON_NUMBER}/allowed/sms")).await.data(200);
    let mut with_sms = DEFAULTS.to_vec();
    with_sms.push("sms");
    assert_eq!(names(&data["allowed"]), with_sms);
    assert!(names(&data["effective"]["available"]).contains(&"cnam"));
    let stored = world.document(NUMBER).await.unwrap().body;
    assert_eq!(names(&stored["pvt_features_allowed"]), with_sms);
}

async fn a_list_that_says_what_is_inherited_is_given_up(world: &World) {
    keep(world).await;
    for list in ["allowed/sms", "denied/cnam"] {
        let path = format!("{ON_NUMBER}/{list}");
        admin(world, Method::PUT, &path).await.check_status(200);
        let data = admin(world, Method::DELETE, &path).await.data(200);
        assert_eq!((&data["allowed"], &data["denied"]), (&json!([]), &json!([])), "{list}");
        // Taken off again, nothing happens.
        let before = world.everything().await;
        admin(world, Method::DELETE, &path).await.check_status(200);
        assert_eq!(world.everything().await, before);
    }
    // An empty list would mean the opposite.
    for feature in &DEFAULTS[1..] {
        let path = format!("{ON_NUMBER}/allowed/{feature}");
        admin(world, Method::DELETE, &path).await.check_status(200);
    }
    let last = admin(world, Method::DELETE, &format!("{ON_NUMBER}/allowed/{}", DEFAULTS[0])).await;
    assert_eq!((last.status.as_u16(), &last.json()["message"]), (400, &json!("invalid")));
}

async fn a_denied_feature_keeps_what_was_denied_by_rule(world: &World) {
    world
        .keep(
            NUMBER,
            json!({
                "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_module_name": "knm_local",
            }),
        )
        .await;
    let before = admin(world, Method::GET, ON_NUMBER).await.data(200);
    let available = names(&before["effective"]["available"]);
    assert!(available.contains(&"prepend") && !available.contains(&"cnam"));
    let data = admin(world, Method::PUT, &format!("{ON_NUMBER}/denied/prepend")).await.data(200);
    let left: Vec<&str> = available.into_iter().filter(|it| *it != "prepend").collect();
    assert_eq!(names(&data["effective"]["available"]), left);
}

async fn a_reseller_inherits_the_systems_lists(world: &World) {
    let path = on_reseller();
    let data = admin(world, Method::GET, &path).await.data(200);
    assert_eq!((&data["reseller_id"], &data["allowed"]), (&json!(PARENT), &json!([])));
    assert_eq!(names(&data["effective"]["allowed"]), DEFAULTS);
    let data = admin(world, Method::PUT, &format!("{path}/allowed/mms")).await.data(200);
    assert_eq!(names(&data["allowed"]).len(), 11);
    admin(world, Method::PUT, &format!("{path}/denied/port")).await.check_status(200);
    let data = admin(world, Method::DELETE, &format!("{path}/allowed/cnam")).await.data(200);
    assert!(!names(&data["effective"]["available"]).contains(&"cnam"));
    assert_eq!(data["denied"], json!(["port"]));
    let db = account_db(PARENT);
    let stored = world.store.get(&db, "configs_number_manager").await.unwrap().live().unwrap();
    assert_eq!(stored.body["features"]["deny"], json!(["port"]));
    assert_eq!(names(&stored.body["features"]["allow"]).len(), 10);
}

async fn system_list(world: &World) -> Option<Value> {
    let db = DbName::new("system_config");
    let found = world.store.get(&db, "number_manager").await.unwrap().live()?;
    found.body["default"]["features"].get("allow").cloned()
}

async fn the_systems_list_begins_with_the_defaults(world: &World) {
    let data = admin(world, Method::GET, ON_SYSTEM).await.data(200);
    assert_eq!(names(&data["effective"]["allowed"]), DEFAULTS);
    admin(world, Method::PUT, &format!("{ON_SYSTEM}/allowed/cnam")).await.check_status(200);
    assert_eq!(system_list(world).await, None);
    let data = admin(world, Method::DELETE, &format!("{ON_SYSTEM}/allowed/cnam")).await.data(200);
    assert_eq!(names(&data["allowed"]).len(), 9);
    assert_eq!(names(&system_list(world).await.unwrap()).len(), 9);
    let data = admin(world, Method::PUT, &format!("{ON_SYSTEM}/denied/port")).await.data(200);
    assert_eq!(data["denied"], json!(["port"]));
    assert!(!names(&data["effective"]["available"]).contains(&"port"));
}

async fn the_systems_list_can_be_reset(world: &World) {
    let data =
        json!({"default": {"providers": ["cnam_notifier"], "features": {"allow": ["cnam"]}}});
    let path = "/v2/system_configs/number_manager";
    world.ask(Who::Admin, Method::POST, path, Some(&data)).await.check_status(200);
    let path = format!("{ON_SYSTEM}/ensure-admin-only");
    let ensured = admin(world, Method::POST, &path).await.data(200);
    assert_eq!(ensured["allowed"], json!(["carrier_name", "cnam"]));
    let reset = admin(world, Method::POST, &format!("{ON_SYSTEM}/reset")).await.data(200);
    assert_eq!(names(&reset["allowed"]), DEFAULTS);
    let db = DbName::new("system_config");
    let before = world.store.get(&db, "number_manager").await.unwrap();
    admin(world, Method::POST, &format!("{ON_SYSTEM}/reset")).await.check_status(200);
    admin(world, Method::POST, &path).await.check_status(200);
    assert_eq!(world.store.get(&db, "number_manager").await.unwrap(), before);
}

async fn unknown_features_and_lists_are_refused(world: &World) {
    keep(world).await;
    let before = world.everything().await;
    for lists in [ON_NUMBER, ON_SYSTEM, &on_reseller()] {
        for method in [Method::PUT, Method::DELETE] {
            for bad in ["nothing", "local", "CNAM", "_design", "..%2F", "cnam%00"] {
                let path = format!("{lists}/allowed/{bad}");
                let answer = admin(world, method.clone(), &path).await;
                assert_eq!(answer.status.as_u16(), 404, "{path}: {}", answer.text);
                let data = &answer.json()["data"];
                assert_eq!((&data["error"], names(&data["known"]).len()), (&json!("invalid"), 12));
            }
            let path = format!("{lists}/other/cnam");
            admin(world, method, &path).await.check_status(404);
        }
    }
    let path = "/v2/phone_numbers/%2B14155550177/feature-permissions";
    admin(world, Method::GET, path).await.check_status(404);
    admin(world, Method::PUT, &format!("{path}/allowed/sms")).await.check_status(404);
    assert_eq!(world.everything().await, before);
}

async fn the_lists_are_for_administrators(world: &World) {
    keep(world).await;
    let before = world.everything().await;
    for lists in [ON_NUMBER, ON_SYSTEM, &on_reseller()] {
        world.ask(HOLDER, Method::GET, lists, None).await.check_status(403);
        for method in [Method::PUT, Method::DELETE] {
            let path = format!("{lists}/allowed/sms");
            world.ask(HOLDER, method.clone(), &path, None).await.check_status(403);
            world.ask(Who::Nobody, method, &path, None).await.check_status(401);
        }
    }
    assert_eq!(world.everything().await, before);
}

async fn an_application_is_found_by_its_documents(world: &World) {
    let path = format!("/v2/accounts/{ACCOUNT}/numbers/{NUMBER}/app");
    let ask = async || world.ask(HOLDER, Method::GET, &path, None).await.data(200)["app"].clone();
    assert_eq!(ask().await, Value::Null);
    let Value::Object(trunk) = json!({"pvt_type": "sys_info", "servers": [{"DIDs": {NUMBER: {}}}]})
    else {
        unreachable!()
    };
    world.put(account_db(ACCOUNT), "trunk", trunk).await;
    assert_eq!(ask().await, "trunkstore");
    let Value::Object(flow) = json!({"pvt_type": "callflow", "numbers": [NUMBER]}) else {
        unreachable!()
    };
    world.put(account_db(ACCOUNT), "flow", flow).await;
    assert_eq!(ask().await, "callflow");
}

async fn old_commands_print_the_same(world: &World) {
    keep(world).await;
    let run = async |command: &str, args: Value| {
        let ask = world.app.ask(Method::POST, "/v2/maintenance/sup").token(&world.app.admin());
        let data = json!({"command": command, "args": args});
        ask.header("Accept", "text/plain").data(&data).send().await.text
    };
    let known = "Known features:\n\tfailover force_outbound prepend ringback cnam inbound_cnam \
                 outbound_cnam e911 port sms mms carrier_name\n";
    let on_number = |allowed: &str, denied: &str| {
        format!(
            "Feature permissions on {NUMBER}:\n\tFeatures allowed: {allowed}\n\tFeatures denied: {denied}\n"
        )
    };
    let all = "carrier_name cnam e911 failover force_outbound inbound_cnam outbound_cnam port \
               prepend ringback";
    let on_reseller = |allowed: &str| {
        format!(
            "Feature permissions on reseller of {ACCOUNT} ({PARENT}):\n\tFeatures allowed: \
             {allowed}\n\tFeatures denied: \n"
        )
    };
    let on_system =
        |names: &str| format!("Features allowed on system config document:\n\t{names}\n");
    let unknown = format!("Feature 'x' is not a known feature.\n{known}");
    for (command, args, printed) in [
        ("all_features", json!([]), known.to_owned()),
        ("feature_permissions_on_number", json!(["4155550100"]), on_number("", "")),
        (
            "add_allowed_feature_on_number",
            json!(["sms", NUMBER]),
            on_number(&format!("{all} sms"), ""),
        ),
        ("remove_allowed_feature_on_number", json!(["sms", NUMBER]), on_number("", "")),
        ("add_denied_feature_on_number", json!(["cnam", NUMBER]), on_number("", "cnam failover")),
        ("remove_denied_feature_on_number", json!(["cnam", NUMBER]), on_number("", "")),
        ("add_allowed_feature_on_number", json!(["x", NUMBER]), unknown),
        (
            "feature_permissions_on_number",
            json!(["+14155550177"]),
            "Error with number +14155550177: not_found\n".to_owned(),
        ),
        ("feature_permissions_on_reseller_of", json!([ACCOUNT]), on_reseller("")),
        (
            "add_allowed_feature_on_reseller_of",
            json!(["sms", ACCOUNT]),
            on_reseller(&format!("{all} sms")),
        ),
        ("feature_permissions_on_system_config", json!([]), on_system(all)),
        (
            "remove_allowed_feature_on_system_config",
            json!(["carrier_name"]),
            on_system(&all["carrier_name ".len()..]),
        ),
        (
            "ensure_adminonly_features_are_reachable",
            json!([]),
            format!(
                "Adding the following admin-only number features to system_config: carrier_name\n{}",
                on_system(all)
            ),
        ),
        ("ensure_adminonly_features_are_reachable", json!([]), String::new()),
        ("reset_allowed_features_to_defaults_on_system_config", json!([]), on_system(all)),
        ("app_using", json!([NUMBER, ACCOUNT]), String::new()),
    ] {
        assert_eq!(run(command, args).await, printed, "{command}");
    }
}
