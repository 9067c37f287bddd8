//! `PUT …/phone_numbers/{N}`: what is stored, and what is refused.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{
    HOLDER, NOW, NUMBER, Who, World, number_db, number_error, numbers, over_both_stores, path_of,
};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    a_new_number_is_stored_with_an_equal_copy,
    what_is_not_the_clients_to_write_is_not_written,
    a_number_is_the_paths_accounts,
    states_that_are_never_created,
    states_by_right,
    bad_bodies,
    what_is_no_number,
    a_foreign_number,
    carriers_are_for_administrators,
    a_number_is_created_in_any_form,
    a_number_is_created_again_after_its_deletion,
    a_tunnelled_creation_answers_200,
    accounts_that_are_not_there,
}

const UNAUTHORIZED: &str = "requestor is unauthorized to perform operation";

async fn create(world: &World, who: Who, data: &Value) -> Value {
    world.about(who, Method::PUT, "", Some(data)).await.data(201)
}

async fn check_refused(
    world: &World,
    who: Who,
    data: &Value,
    (status, message): (u16, &str),
    wanted: &Value,
) {
    let path = numbers(&format!("/{NUMBER}"));
    let asked = (who, Method::PUT, path.as_str(), Some(data));
    world.check_refused(asked, status, message, wanted).await;
}

fn validation(field: &str, rule: &str, what: &Value) -> Value {
    json!({ field: { rule: what } })
}

async fn a_new_number_is_stored_with_an_equal_copy(world: &World) {
    let data = create(world, Who::Admin, &json!({"my": {"tag": "x"}})).await;
    let read_only = data["_read_only"].clone();
    assert_eq!(read_only["created"], NOW);
    assert_eq!(read_only["modified"], NOW);
    assert_eq!(read_only["carrier_module"], "local");
    assert_eq!((&data["id"], &data["state"]), (&json!(NUMBER), &json!("in_service")));
    assert_eq!(data["features"], json!(["local"]));
    let document = world.document(NUMBER).await.unwrap();
    let mut stored = document.body.clone();
    let write_id = stored.shift_remove("pvt_write_id").unwrap();
    assert!(write_id.as_str().is_some_and(|id| !id.is_empty()));
    let wanted = json!({
        "my": {"tag": "x"},
        "pvt_type": "number",
        "pvt_db_name": "numbers%2F%2B1415",
        "pvt_module_name": "knm_local",
        "pvt_state": "in_service",
        "pvt_state_since": NOW,
        "pvt_ported_in": false,
        "pvt_assigned_to": ACCOUNT,
        "pvt_features": {"local": {}},
        "pvt_authorizing_account": "system",
        "pvt_created": NOW,
        "pvt_modified": NOW,
    });
    assert_eq!(Value::Object(stored), wanted);
    assert_eq!(world.copy(ACCOUNT, NUMBER).await.unwrap().body, document.body);
    for other in [PARENT, STRANGER] {
        assert_eq!(world.copy(other, NUMBER).await, None);
    }
}

async fn what_is_not_the_clients_to_write_is_not_written(world: &World) {
    let data = json!({
        "my": 1, "pvt_state": "aging", "pvt_assigned_to": STRANGER, "pvt_write_id": "w",
        "_foo": 1, "_id": "x", "_rev": "9-x", "_deleted": true, "_attachments": {}, "id": "zzz",
        "state": "aging", "used_by": "x", "features": ["port"], "features_available": [],
        "_read_only": {"created": 1}, "metadata": {}, "create_with_state": "reserved",
        "verb": "DELETE", "auth_token": "t",
    });
    let answer = create(world, Who::Admin, &data).await;
    assert_eq!((&answer["id"], &answer["state"]), (&json!(NUMBER), &json!("reserved")));
    let stored = world.document(NUMBER).await.unwrap().body;
    let public: Vec<&String> = stored.keys().filter(|key| !key.starts_with("pvt_")).collect();
    assert!(public.iter().all(|key| matches!(key.as_str(), "my" | "verb")), "{public:?}");
    assert_eq!(stored["pvt_assigned_to"], ACCOUNT);
    assert_eq!(stored["pvt_state"], "reserved");
    assert_eq!(stored["pvt_reserve_history"], json!([ACCOUNT]));
}

async fn a_number_is_the_paths_accounts(world: &World) {
    world.allow_additions(PARENT).await;
    create(world, Who::Account(PARENT), &json!({})).await;
    let stored = world.document(NUMBER).await.unwrap().body;
    assert_eq!(stored["pvt_assigned_to"], ACCOUNT);
    assert_eq!(stored["pvt_authorizing_account"], PARENT);
}

async fn states_that_are_never_created(world: &World) {
    for state in ["deleted", "discovery", "port_out", "released"] {
        let cause = format!("creating number in state '{state}' is not allowed");
        let wanted = number_error(403, "forbidden", Some(&cause), UNAUTHORIZED);
        let data = json!({ "create_with_state": state });
        check_refused(world, Who::Admin, &data, (403, "forbidden"), &wanted).await;
    }
}

async fn states_by_right(world: &World) {
    let forbidden = |state: &str| {
        let cause = format!("creating number in state '{state}' is not allowed");
        number_error(403, "forbidden", Some(&cause), UNAUTHORIZED)
    };
    for state in ["in_service", "reserved", "aging", "available"] {
        let data = json!({ "create_with_state": state });
        check_refused(world, HOLDER, &data, (403, "forbidden"), &forbidden(state)).await;
    }
    world.allow_additions(ACCOUNT).await;
    for state in ["aging", "available"] {
        let data = json!({ "create_with_state": state });
        check_refused(world, HOLDER, &data, (403, "forbidden"), &forbidden(state)).await;
    }
    for (state, number) in [("in_service", "1"), ("reserved", "2"), ("port_in", "3")] {
        let path = numbers(&format!("/+1415555000{number}"));
        let data = json!({ "create_with_state": state });
        let answer = world.ask(HOLDER, Method::PUT, &path, Some(&data)).await;
        assert_eq!(answer.data(201)["state"], state);
    }
    // What is available or ageing has nobody, whoever made it.
    for (state, number) in [("available", "4"), ("aging", "5")] {
        let number = format!("+1415555000{number}");
        let data = json!({ "create_with_state": state });
        let path = numbers(&format!("/{number}"));
        world.ask(Who::Admin, Method::PUT, &path, Some(&data)).await.check_status(201);
        assert_eq!(world.owner(&number).await, None, "{state}");
    }
}

async fn bad_bodies(world: &World) {
    let wrong = (400, "validation error");
    let states = [
        "aging",
        "available",
        "deleted",
        "discovery",
        "in_service",
        "port_in",
        "port_out",
        "released",
        "reserved",
    ];
    let what = json!({
        "message": "Value not found in enumerated list of values", "target": states, "value": "nope",
    });
    let wanted = validation("create_with_state", "enum", &what);
    check_refused(world, Who::Admin, &json!({"create_with_state": "nope"}), wrong, &wanted).await;
    let what = json!({"message": "String must not be more than 30 characters", "target": 30,
        "value": "x".repeat(31)});
    let data = json!({"carrier_name": "x".repeat(31)});
    let wanted = validation("carrier_name", "maxLength", &what);
    check_refused(world, Who::Admin, &data, wrong, &wanted).await;
    let what = json!({"message": "Value did not match type(s): string", "target": "string",
        "value": 7});
    let wanted = validation("carrier_name", "type", &what);
    check_refused(world, Who::Admin, &json!({"carrier_name": 7}), wrong, &wanted).await;
    let what = json!({"message": "Value did not match type(s): object", "target": "object",
        "value": [1]});
    let wanted = validation("data", "type", &what);
    check_refused(world, Who::Admin, &json!([1]), wrong, &wanted).await;
}

async fn what_is_no_number(world: &World) {
    for (segment, text) in [
        ("abc", "abc"),
        ("911", "911"),
        ("5551212", "5551212"),
        ("123_%26", "123_&"),
        ("sip%3Ax", "sip:x"),
        ("%2B12", "+12"),
        ("%2B1415555010012345", "+1415555010012345"),
        ("%2B14155550100%2F1", "+14155550100/1"),
        ("%2B1415555%000100", "+1415555\u{0}0100"),
        ("%2B1415555010%D9%A0", "+1415555010\u{660}"),
        ("..%2F..%2F_users", "../../_users"),
        ("_design%2Fx", "_design/x"),
    ] {
        let path = numbers(&format!("/{segment}"));
        let message = format!("number {text} is not reconcilable");
        let wanted = number_error(400, "not_reconcilable", Some(text), &message);
        let asked = (Who::Admin, Method::PUT, path.as_str(), None);
        world.check_refused(asked, 400, "not_reconcilable", &wanted).await;
    }
}

async fn a_foreign_number(world: &World) {
    world.allow_additions(ACCOUNT).await;
    let wanted = number_error(403, "forbidden", None, UNAUTHORIZED);
    for state in ["in_service", "reserved", "port_in", "port_out"] {
        world.clear().await;
        world.allow_additions(ACCOUNT).await;
        world.keep(NUMBER, json!({"pvt_state": state, "pvt_assigned_to": STRANGER})).await;
        check_refused(world, HOLDER, &json!({}), (403, "forbidden"), &wanted).await;
    }
}

async fn carriers_are_for_administrators(world: &World) {
    world.allow_additions(ACCOUNT).await;
    let wanted = number_error(403, "forbidden", None, UNAUTHORIZED);
    let data = json!({"carrier_name": "local"});
    check_refused(world, HOLDER, &data, (403, "forbidden"), &wanted).await;
    let wanted = number_error(400, "invalid", Some("'nope' is not known by the system"), "invalid");
    let data = json!({"carrier_name": "nope"});
    check_refused(world, Who::Admin, &data, (400, "invalid"), &wanted).await;
    let data = create(world, Who::Admin, &json!({"carrier_name": "inventory"})).await;
    assert_eq!(data["_read_only"]["carrier_module"], "inventory");
    assert_eq!(data.get("carrier_name"), None);
    assert_eq!(world.document(NUMBER).await.unwrap().body["pvt_module_name"], "knm_inventory");
}

async fn a_number_is_created_in_any_form(world: &World) {
    for (given, number) in [
        ("4155550101", "+14155550101"),
        ("14155550102", "+14155550102"),
        ("+14155550103", "+14155550103"),
        ("011442079460100", "+442079460100"),
        ("00442079460101", "+442079460101"),
        ("(415)%20555-0104", "+14155550104"),
    ] {
        let answer = world.ask(Who::Admin, Method::PUT, &numbers(&format!("/{given}")), None).await;
        assert_eq!(answer.data(201)["id"], number);
        let document = world.document(number).await.unwrap();
        let db = number_db(number).to_string();
        let encoded = document.body["pvt_db_name"].as_str().unwrap();
        assert_eq!(encoded.replace("%2F", "/").replace("%2B", "+"), db);
    }
}

async fn a_number_is_created_again_after_its_deletion(world: &World) {
    create(world, Who::Admin, &json!({"a": 1})).await;
    let answer = world.about(HOLDER, Method::DELETE, "", None).await;
    assert_eq!(answer.data(200)["state"], "deleted");
    let path = path_of(STRANGER, &format!("/{NUMBER}"));
    let data = world.ask(Who::Admin, Method::PUT, &path, None).await.data(201);
    assert_eq!(data.get("a"), None);
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(STRANGER));
    assert_eq!(world.copy(ACCOUNT, NUMBER).await, None);
}

async fn a_tunnelled_creation_answers_200(world: &World) {
    let body = json!({"data": {"my": 1}, "verb": "PUT"}).to_string();
    let ask = world.app.ask(Method::POST, &numbers(&format!("/{NUMBER}")));
    let answer = ask.token(&world.app.admin()).body(body).send().await;
    assert_eq!(answer.data(200)["my"], 1);
}

async fn accounts_that_are_not_there(world: &World) {
    let unknown = "9".repeat(32);
    let path = path_of(&unknown, &format!("/{NUMBER}"));
    let wanted = json!({"message": "bad identifier", "cause": unknown});
    for method in [Method::GET, Method::PUT, Method::POST, Method::PATCH, Method::DELETE] {
        let asked = (Who::Admin, method, path.as_str(), None);
        world.check_refused(asked, 404, "bad_identifier", &wanted).await;
    }
    for rest in ["/activate", "/reserve"] {
        let path = format!("{path}{rest}");
        let asked = (Who::Admin, Method::PUT, path.as_str(), None);
        world.check_refused(asked, 404, "bad_identifier", &wanted).await;
    }
}
