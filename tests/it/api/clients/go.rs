//! kazoo-go: `phone_numbers.go`.

use super::*;

over_both_stores! {
    a_number_is_created_without_a_body_and_deleted,
    what_cannot_be_released_is_said_so,
    rows_have_the_members_that_are_decoded,
}

async fn a_number_is_created_without_a_body_and_deleted(world: &World) {
    let create = || world.about(Who::Admin, Method::PUT, "", None);
    create().await.check_status(201);
    create().await.check_status(409);
    world.about(Who::Admin, Method::DELETE, "", None).await.check_status(200);
    world.about(Who::Admin, Method::DELETE, "", None).await.check_status(404);
    create().await.check_status(201);
    world.about(Who::Admin, Method::DELETE, "?hard=true", None).await.check_status(200);
    assert!(world.document(NUMBER).await.is_none());
}

async fn what_cannot_be_released_is_said_so(world: &World) {
    stock(world, NUMBER).await;
    let refused = world.about(Who::Admin, Method::DELETE, "", None).await;
    let message = refused.json()["message"].clone();
    assert_eq!((refused.status.as_u16(), message), (400, json!("invalid_state_transition")));
}

async fn rows_have_the_members_that_are_decoded(world: &World) {
    hold(world, NUMBER, "in_service").await;
    let path = numbers("?paginate=false");
    let listed = world.ask(Who::Account(ACCOUNT), Method::GET, &path, None).await.data(200);
    let row = &listed["numbers"][NUMBER];
    assert!(row["features"].is_array() && row["created"].is_i64() && row["updated"].is_i64());
    assert_eq!((&row["assigned_to"], &row["state"]), (&json!(ACCOUNT), &json!("in_service")));
}
