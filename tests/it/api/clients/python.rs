//! The Python SDKs (kazoo-sdk, kazoo-api, PyKazoo): 2xx and JSON with `data`.

use super::*;

over_both_stores! {
    every_method_answers_with_data,
    files_are_not_kept_here,
}

const USER: Who = Who::Account(ACCOUNT);

async fn every_method_answers_with_data(world: &World) {
    world.allow_additions(ACCOUNT).await;
    stock(world, "+14155550101").await;
    for (method, rest, data) in [
        (Method::GET, "", None),
        (Method::PUT, "/+14155550100", Some(json!({}))),
        (Method::GET, "/+14155550100", None),
        (Method::POST, "/+14155550100", Some(json!({"note": "x"}))),
        (Method::PUT, "/+14155550101/reserve", Some(json!({}))),
        (Method::PUT, "/+14155550101/activate", Some(json!({}))),
        (Method::PUT, "/+14155550102/port", Some(json!({}))),
        (Method::DELETE, "/+14155550100", None),
    ] {
        let answer = world.ask(USER, method.clone(), &numbers(rest), data.as_ref()).await;
        assert!(answer.status.is_success(), "{method} {rest}: {}", answer.text);
        assert!(answer.json()["data"].is_object(), "{method} {rest}");
    }
    let found = world.ask(USER, Method::GET, "/v2/phone_numbers?prefix=415&quantity=2", None).await;
    assert!(found.data(200).is_array());
}

async fn files_are_not_kept_here(world: &World) {
    hold(world, NUMBER, "in_service").await;
    for method in [Method::GET, Method::PUT, Method::POST, Method::DELETE] {
        let answer = world.about(USER, method.clone(), "/docs/loa.pdf", None).await;
        assert_eq!(answer.status, 404, "{method}");
    }
}
