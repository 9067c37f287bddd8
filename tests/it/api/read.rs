//! `GET …/phone_numbers/{N}` and `GET /v2/phone_numbers/{N}`: who sees what.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{HOLDER, MADE, NUMBER, Who, World, numbers, over_both_stores};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    a_number_is_shown_to_old_and_new_interfaces,
    a_number_is_found_in_any_form,
    a_number_is_seen_by_those_above_it,
    what_is_not_seen_is_not_there,
    administrators_see_every_number_with_its_copies,
    the_tag_is_the_revision,
}

fn missing(cause: &str) -> Value {
    json!({
        "message": "bad identifier",
        "not_found": "The number could not be found",
        "cause": cause,
    })
}

fn held(account: &str, state: &str) -> Value {
    json!({"pvt_state": state, "pvt_assigned_to": account})
}

async fn a_number_is_shown_to_old_and_new_interfaces(world: &World) {
    let mut members = held(ACCOUNT, "in_service");
    members["pvt_module_name"] = json!("knm_local");
    members["pvt_used_by"] = json!("callflow");
    members["pvt_features"] = json!({"local": {}, "prepend": {"enabled": true, "name": "x"}});
    members["my"] = json!({"tag": "x"});
    world.keep(NUMBER, members).await;
    let answer = world.about(HOLDER, Method::GET, "", None).await;
    let mut data = answer.data(200);
    let available = data["features_available"].take();
    assert!(available.as_array().unwrap().contains(&json!("prepend")));
    let read_only = json!({
        "created": MADE, "modified": MADE, "carrier_module": "local", "state": "in_service",
        "used_by": "callflow",
        "features": {"available": available, "settings": {}},
    });
    let wanted = json!({
        "my": {"tag": "x"}, "id": NUMBER, "state": "in_service", "used_by": "callflow",
        "features": ["local", "prepend"], "features_available": null, "_read_only": read_only,
    });
    assert_eq!(data, wanted);
    let mut metadata = read_only;
    metadata["id"] = json!(NUMBER);
    assert_eq!(answer.json()["metadata"], metadata);
}

async fn a_number_is_found_in_any_form(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, "in_service")).await;
    for form in ["+14155550100", "%2B14155550100", "4155550100", "14155550100", "+1-415-555-0100"] {
        let path = numbers(&format!("/{form}"));
        let answer = world.ask(HOLDER, Method::GET, &path, None).await;
        assert_eq!(answer.data(200)["id"], NUMBER, "{form}");
    }
    let path = format!("/v2/account/phone_numbers/{NUMBER}/");
    assert_eq!(world.ask(HOLDER, Method::GET, &path, None).await.data(200)["id"], NUMBER);
}

async fn a_number_is_seen_by_those_above_it(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, "in_service")).await;
    for who in [HOLDER, Who::Account(PARENT), Who::Admin] {
        world.about(who, Method::GET, "", None).await.check_status(200);
    }
    world.keep("+14155550101", held(PARENT, "reserved")).await;
    let path = numbers("/+14155550101");
    world.ask(HOLDER, Method::GET, &path, None).await.check_status(200);
    world.keep("+14155550102", json!({"pvt_state": "available"})).await;
    let path = numbers("/+14155550102");
    world.ask(HOLDER, Method::GET, &path, None).await.check_status(200);
}

async fn what_is_not_seen_is_not_there(world: &World) {
    world.keep("+14155550101", held(STRANGER, "in_service")).await;
    world.keep("+14155550102", held(PARENT, "in_service")).await;
    world.keep("+14155550103", json!({"pvt_state": "aging"})).await;
    world.keep("+14155550104", json!({"pvt_state": "released"})).await;
    for last in 100..=104 {
        let number = format!("+14155550{last}");
        let path = numbers(&format!("/{number}"));
        let asked = (HOLDER, Method::GET, path.as_str(), None);
        world.check_refused(asked, 404, "bad_identifier", &missing(&number)).await;
    }
    for (segment, text) in [
        ("abc", "abc"),
        ("911", "911"),
        ("%2B14155550101%2F", "+14155550101/"),
        ("%00", "\u{0}"),
        ("%2B14155550101%00", "+14155550101\u{0}"),
    ] {
        let path = numbers(&format!("/{segment}"));
        let asked = (Who::Admin, Method::GET, path.as_str(), None);
        world.check_refused(asked, 404, "bad_identifier", &missing(text)).await;
    }
    let long = "4".repeat(10_000);
    let answer = world.ask(HOLDER, Method::GET, &numbers(&format!("/{long}")), None).await;
    answer.check_status(404);
}

async fn administrators_see_every_number_with_its_copies(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, "in_service")).await;
    let path = format!("/v2/phone_numbers/{NUMBER}");
    let data = world.ask(Who::Admin, Method::GET, &path, None).await.data(200);
    assert_eq!(data["assigned_to"], ACCOUNT);
    assert_eq!(data["carrier"], "knm_inventory");
    assert_eq!(data["database"], "numbers/+1415");
    assert_eq!(data["mirror"], json!({"synced": true, "drift": []}));
    let forbidden = json!({"message": "forbidden"});
    for who in [HOLDER, Who::Account(PARENT)] {
        let asked = (who, Method::GET, path.as_str(), None);
        world.check_refused(asked, 403, "forbidden", &forbidden).await;
    }
    let path = "/v2/phone_numbers/+14155550199";
    let asked = (Who::Admin, Method::GET, path, None);
    world.check_refused(asked, 404, "bad_identifier", &missing("+14155550199")).await;
}

async fn the_tag_is_the_revision(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, "in_service")).await;
    let answer = world.about(HOLDER, Method::GET, "", None).await;
    let rev = world.document(NUMBER).await.unwrap().rev;
    assert_eq!(answer.json()["revision"], rev.as_str());
    assert_eq!(answer.header("etag"), Some(format!("\"{}\"", rev.as_str()).as_str()));
}
