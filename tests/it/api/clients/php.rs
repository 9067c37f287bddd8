//! kazoo-php-sdk: `Entity/PhoneNumber` and `Collection/PhoneNumbers`.

use super::*;

over_both_stores! {
    a_number_is_saved,
    a_number_is_taken_with_empty_bodies,
    a_number_is_ported,
    numbers_are_found_and_classified,
    directories_are_asked,
}

const USER: Who = Who::Account(ACCOUNT);

/// Any error of `fetch` means a new number, which is PUT; what is known gets a POST.
async fn a_number_is_saved(world: &World) {
    world.allow_additions(ACCOUNT).await;
    assert_eq!(world.about(USER, Method::GET, "", None).await.status, 404);
    let document = json!({"my_field": "x"});
    world.about(USER, Method::PUT, "", Some(&document)).await.data(201);
    let mut fetched = world.about(USER, Method::GET, "", None).await.data(200);
    assert_eq!((&fetched["id"], &fetched["my_field"]), (&json!(NUMBER), &json!("x")));
    fetched["my_field"] = json!("y");
    let saved = world.about(USER, Method::POST, "", Some(&fetched)).await.data(200);
    assert_eq!(saved["my_field"], "y");
    world.about(USER, Method::DELETE, "", None).await.data(200);
}

async fn a_number_is_taken_with_empty_bodies(world: &World) {
    stock(world, NUMBER).await;
    let reserved = world.about(USER, Method::PUT, "/reserve", None).await.data(201);
    assert_eq!(reserved["state"], "reserved");
    let active = world.about(USER, Method::PUT, "/activate", None).await.data(201);
    assert_eq!(active["state"], "in_service");
    let identity = world.about(USER, Method::GET, "/identify", None).await.data(200);
    assert_eq!(identity["account_id"], ACCOUNT);
}

async fn a_number_is_ported(world: &World) {
    let document = json!({"porting": {"service_provider": "Old Carrier"}});
    let ported = world.about(USER, Method::PUT, "/port", Some(&document)).await.data(201);
    assert_eq!(ported["state"], "port_in");
}

async fn numbers_are_found_and_classified(world: &World) {
    stock(world, NUMBER).await;
    world.configured(json!({"carrier_modules": ["knm_inventory"]})).await;
    let path = "/v2/phone_numbers?prefix=415&quantity=1";
    let found = world.ask(USER, Method::GET, path, None).await.data(200);
    assert!(found.is_array());
    let classes = world.ask(USER, Method::GET, &numbers("/classifiers"), None).await.data(200);
    assert!(classes.is_object());
}

/// Without the directories' addresses both answer an error in the envelope.
async fn directories_are_asked(world: &World) {
    let data = json!({"numbers": [NUMBER], "quality": true});
    let locality = world.ask(USER, Method::POST, &numbers("/locality"), Some(&data)).await;
    assert_eq!((locality.status.as_u16(), &locality.json()["status"]), (500, &json!("error")));
    let data = json!({"numbers": [NUMBER]});
    let checked = world.ask(USER, Method::POST, &numbers("/check"), Some(&data)).await.data(200);
    assert!(checked[NUMBER].is_string());
}
