//! `DELETE …/phone_numbers/{N}`: what a release leaves.

use axum::http::Method;
use number_manager::carriers::CARRIERS;
use serde_json::{Value, json};

use super::world::{HOLDER, NOW, NUMBER, Who, World, number_error, numbers, over_both_stores};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    a_local_number_is_gone,
    a_number_goes_back_to_who_reserved_it,
    a_released_number_has_nobody,
    numbers_of_every_carrier_can_be_given_up,
    settings_say_what_is_left,
    a_body_is_no_obstacle,
    refusals,
    deleting_outright_is_for_administrators,
    the_last_owner_may_take_an_aging_number_back,
}

fn held(more: &Value) -> Value {
    let mut members = json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT});
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members
}

fn missing() -> Value {
    json!({
        "message": "bad identifier", "not_found": "The number could not be found", "cause": NUMBER,
    })
}

async fn a_local_number_is_gone(world: &World) {
    world.keep(NUMBER, held(&json!({"pvt_module_name": "knm_local", "my": 1}))).await;
    let answer = world.about(HOLDER, Method::DELETE, "", None).await;
    let data = answer.data(200);
    assert_eq!((&data["id"], &data["state"]), (&json!(NUMBER), &json!("deleted")));
    assert_eq!(data["_read_only"]["is_deleted"], true);
    assert_eq!(data.get("my"), None);
    assert_eq!((world.document(NUMBER).await, world.copy(ACCOUNT, NUMBER).await), (None, None));
    let path = numbers(&format!("/{NUMBER}"));
    for method in [Method::GET, Method::POST, Method::PATCH, Method::DELETE] {
        let asked = (HOLDER, method, path.as_str(), None);
        world.check_refused(asked, 404, "bad_identifier", &missing()).await;
    }
    let list = world.ask(HOLDER, Method::GET, &numbers(""), None).await.data(200);
    assert_eq!(list["numbers"], json!({}));
}

async fn a_number_goes_back_to_who_reserved_it(world: &World) {
    let history = json!([ACCOUNT, "f".repeat(32), PARENT, STRANGER]);
    let members = held(&json!({
        "pvt_module_name": "knm_local", "pvt_reserve_history": history, "pvt_used_by": "callflow",
        "my": 1,
    }));
    world.keep(NUMBER, members).await;
    let data = world.about(HOLDER, Method::DELETE, "", None).await.data(200);
    assert_eq!(
        (&data["state"], data.get("my"), data.get("used_by")),
        (&json!("reserved"), None, None)
    );
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(document["pvt_assigned_to"], PARENT);
    assert_eq!(document["pvt_previously_assigned_to"], ACCOUNT);
    assert_eq!(world.copy(ACCOUNT, NUMBER).await, None);
    assert_eq!(world.copy(PARENT, NUMBER).await.unwrap().body, document);
    let data = world.about(Who::Account(PARENT), Method::DELETE, "", None).await.data(200);
    assert_eq!(data["state"], "reserved");
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(STRANGER));
}

/// Also of those that nobody here can talk to.
async fn numbers_of_every_carrier_can_be_given_up(world: &World) {
    let outside = CARRIERS.iter().filter(|carrier| !carrier.is_ours);
    for (place, carrier) in outside.enumerate() {
        for (area, who, query) in [(5, HOLDER, ""), (6, Who::Admin, "?hard=true")] {
            let number = format!("+1415{area}550{place:03}");
            world.keep(&number, held(&json!({"pvt_module_name": carrier.name}))).await;
            let path = numbers(&format!("/{number}{query}"));
            let answer = world.ask(who, Method::DELETE, &path, None).await;
            assert_eq!(answer.status, 200, "{} {}", carrier.name, answer.text);
            let left = world.document(&number).await;
            assert_eq!(left.is_some(), query.is_empty(), "{}", carrier.name);
            let owner = left.and_then(|left| left.body.get("pvt_assigned_to").cloned());
            assert_eq!((owner, world.copy(ACCOUNT, &number).await), (None, None));
        }
    }
}

async fn a_released_number_has_nobody(world: &World) {
    world.keep(NUMBER, held(&json!({"pvt_used_by": "callflow", "my": 1}))).await;
    let data = world.about(HOLDER, Method::DELETE, "", None).await.data(200);
    assert_eq!(
        (&data["state"], data.get("my"), data.get("used_by")),
        (&json!("aging"), None, None)
    );
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(document.get("pvt_assigned_to"), None);
    assert_eq!(document["pvt_previously_assigned_to"], ACCOUNT);
    assert_eq!(document["pvt_state_since"], NOW);
    assert_eq!(world.copy(ACCOUNT, NUMBER).await, None);
}

async fn settings_say_what_is_left(world: &World) {
    for (settings, state) in [
        (json!({"released_state": "available"}), "available"),
        (json!({"released_state": "released"}), "released"),
        (json!({"released_state": "available", "should_age": true}), "aging"),
        (json!({"released_state": "deleted"}), "deleted"),
        (json!({"should_permanently_delete": true}), "deleted"),
    ] {
        world.clear().await;
        let app = world.configured(settings).await;
        world.keep(NUMBER, held(&json!({}))).await;
        let ask = app.ask(Method::DELETE, &numbers(&format!("/{NUMBER}")));
        let data = ask.token(&app.account(ACCOUNT)).send().await.data(200);
        assert_eq!(data["state"], state);
        let stored =
            world.document(NUMBER).await.map(|document| document.body["pvt_state"].clone());
        assert_eq!(stored, (state != "deleted").then(|| state.into()));
    }
}

async fn a_body_is_no_obstacle(world: &World) {
    world.keep(NUMBER, held(&json!({}))).await;
    let data = json!({"state": "in_service", "my": 1});
    let data = world.about(HOLDER, Method::DELETE, "", Some(&data)).await.data(200);
    assert_eq!((&data["state"], data.get("my")), (&json!("aging"), None));
}

async fn refusals(world: &World) {
    let path = numbers(&format!("/{NUMBER}"));
    let asked = || (HOLDER, Method::DELETE, path.as_str(), None);
    world.check_refused(asked(), 404, "bad_identifier", &missing()).await;
    let members = json!({"pvt_state": "in_service", "pvt_assigned_to": STRANGER});
    world.keep(NUMBER, members).await;
    let message = "requestor is unauthorized to perform operation";
    let wanted = number_error(403, "forbidden", None, message);
    world.check_refused(asked(), 403, "forbidden", &wanted).await;
    let path = numbers("/abc");
    let wanted =
        number_error(400, "not_reconcilable", Some("abc"), "number abc is not reconcilable");
    let asked = (HOLDER, Method::DELETE, path.as_str(), None);
    world.check_refused(asked, 400, "not_reconcilable", &wanted).await;
}

async fn deleting_outright_is_for_administrators(world: &World) {
    let history = json!({"pvt_reserve_history": [ACCOUNT, PARENT]});
    world.keep(NUMBER, held(&history)).await;
    let path = numbers(&format!("/{NUMBER}?hard=true"));
    let message = "requestor is unauthorized to perform operation";
    let wanted = number_error(403, "forbidden", None, message);
    for who in [HOLDER, Who::Account(PARENT)] {
        let asked = (who, Method::DELETE, path.as_str(), None);
        world.check_refused(asked, 403, "forbidden", &wanted).await;
    }
    let answer = world.ask(Who::Admin, Method::DELETE, &path, None).await;
    assert_eq!(answer.data(200)["state"], "deleted");
    assert_eq!((world.document(NUMBER).await, world.copy(ACCOUNT, NUMBER).await), (None, None));
}

async fn the_last_owner_may_take_an_aging_number_back(world: &World) {
    world.keep(NUMBER, held(&json!({}))).await;
    assert_eq!(world.about(HOLDER, Method::DELETE, "", None).await.data(200)["state"], "aging");
    let path = super::world::path_of(STRANGER, &format!("/{NUMBER}/activate"));
    let answer = world.ask(Who::Account(STRANGER), Method::PUT, &path, None).await;
    answer.check_status(403);
    let data = world.about(HOLDER, Method::PUT, "/activate", None).await.data(201);
    assert_eq!(data["state"], "in_service");
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(ACCOUNT));
}
