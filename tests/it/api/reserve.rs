//! `PUT …/phone_numbers/{N}/reserve`: holding a stored number for an account.

use axum::http::Method;
use serde_json::json;

use super::world::{HOLDER, NUMBER, Who, World, numbers, over_both_stores, path_of};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    reservations_are_remembered_and_unwound,
    a_body_is_not_written,
    what_is_not_stored_is_not_found,
}

async fn reservations_are_remembered_and_unwound(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "available"})).await;
    let path = path_of(PARENT, &format!("/{NUMBER}/reserve"));
    let data = world.ask(Who::Account(PARENT), Method::PUT, &path, None).await.data(201);
    assert_eq!(data["state"], "reserved");
    let data = world.about(HOLDER, Method::PUT, "/activate", None).await.data(201);
    assert_eq!(data["state"], "in_service");
    world.about(HOLDER, Method::PUT, "/reserve", None).await.check_status(201);
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(document["pvt_reserve_history"], json!([ACCOUNT, PARENT]));
    assert_eq!(world.copy(PARENT, NUMBER).await, None);
    let data = world.about(HOLDER, Method::DELETE, "", None).await.data(200);
    assert_eq!(data["state"], "reserved");
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(PARENT));
    // Whoever never reserved it has nothing in the history that a release could use up.
    world.about(HOLDER, Method::PUT, "/activate", None).await.check_status(201);
    let data = world.about(HOLDER, Method::DELETE, "", None).await.data(200);
    assert_eq!(data["state"], "reserved");
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(PARENT));
    let answer = world.about(Who::Account(STRANGER), Method::GET, "", None).await;
    answer.check_status(403);
}

async fn a_body_is_not_written(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "available", "my": 1})).await;
    let sent = json!({"my": 2, "create_with_state": "aging"});
    let data = world.about(HOLDER, Method::PUT, "/reserve", Some(&sent)).await.data(201);
    assert_eq!((&data["state"], &data["my"]), (&json!("reserved"), &json!(1)));
}

async fn what_is_not_stored_is_not_found(world: &World) {
    let wanted = json!({
        "message": "bad identifier", "not_found": "The number could not be found", "cause": NUMBER,
    });
    let path = numbers(&format!("/{NUMBER}/reserve"));
    for who in [HOLDER, Who::Admin] {
        let asked = (who, Method::PUT, path.as_str(), None);
        world.check_refused(asked, 404, "bad_identifier", &wanted).await;
    }
}
