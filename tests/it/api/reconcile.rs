//! Making it so: the number exists, is in service, and the account holds it.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{HOLDER, NUMBER, Who, World, numbers, over_both_stores, path_of};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    whatever_it_was_it_is_so_afterwards,
    repeated_it_changes_nothing,
    members_are_merged_and_the_carrier_is_optional,
    it_is_for_administrators,
    what_cannot_be_is_refused,
    many_at_once_each_have_their_outcome,
    bad_lists_are_refused,
}

async fn reconcile(world: &World, data: &Value) -> Value {
    world.about(Who::Admin, Method::PUT, "/reconcile", Some(data)).await.data(201)
}

async fn whatever_it_was_it_is_so_afterwards(world: &World) {
    let of = |state: &str, owner: &str| json!({"pvt_state": state, "pvt_assigned_to": owner});
    for before in [
        None,
        Some(json!({"pvt_state": "available"})),
        Some(json!({"pvt_state": "aging"})),
        Some(json!({"pvt_state": "released"})),
        Some(json!({"pvt_state": "discovery"})),
        Some(of("reserved", ACCOUNT)),
        Some(of("in_service", STRANGER)),
        Some(of("port_in", PARENT)),
    ] {
        world.clear().await;
        if let Some(members) = &before {
            world.keep(NUMBER, members.clone()).await;
        }
        let data = reconcile(world, &json!({"a": 1})).await;
        assert_eq!((&data["state"], &data["a"]), (&json!("in_service"), &json!(1)), "{before:?}");
        assert_eq!(world.owner(NUMBER).await.as_deref(), Some(ACCOUNT));
        world.check_invariants().await;
    }
}

async fn repeated_it_changes_nothing(world: &World) {
    let wanted = json!({"a": 1, "carrier_name": "inventory"});
    reconcile(world, &wanted).await;
    let before = world.everything().await;
    reconcile(world, &wanted).await;
    reconcile(world, &json!({})).await;
    assert_eq!(world.everything().await, before);
}

async fn members_are_merged_and_the_carrier_is_optional(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "available", "a": {"x": 1, "y": 2}, "b": 1})).await;
    let data = reconcile(world, &json!({"a": {"y": null, "z": 3}})).await;
    assert_eq!((&data["a"], &data["b"]), (&json!({"x": 1, "z": 3}), &json!(1)));
    assert_eq!(data["_read_only"]["carrier_module"], "inventory");
    let data = reconcile(world, &json!({"carrier_name": "local"})).await;
    assert_eq!(data["_read_only"]["carrier_module"], "local");
}

async fn it_is_for_administrators(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let before = world.everything().await;
    for who in [HOLDER, Who::Account(PARENT)] {
        world.about(who, Method::PUT, "/reconcile", None).await.check_status(403);
        let data = json!({"numbers": [NUMBER]});
        let path = numbers("/collection/reconcile");
        world.ask(who, Method::PUT, &path, Some(&data)).await.check_status(403);
    }
    world.about(Who::Nobody, Method::PUT, "/reconcile", None).await.check_status(401);
    assert_eq!(world.everything().await, before);
}

async fn what_cannot_be_is_refused(world: &World) {
    let unknown = path_of("99999999999999999999999999999999", &format!("/{NUMBER}/reconcile"));
    world.ask(Who::Admin, Method::PUT, &unknown, None).await.check_status(404);
    let data = json!({"carrier_name": "nobody"});
    world.about(Who::Admin, Method::PUT, "/reconcile", Some(&data)).await.check_status(400);
    let path = numbers("/abc/reconcile");
    world.ask(Who::Admin, Method::PUT, &path, None).await.check_status(400);
    let ask = world.app.ask(Method::PUT, &numbers(&format!("/{NUMBER}/reconcile")));
    let ask = ask.token(&world.app.admin()).header("If-Match", "\"1-x\"");
    ask.send().await.check_status(412);
    assert_eq!(world.everything().await, Vec::<String>::new());
}

async fn many_at_once_each_have_their_outcome(world: &World) {
    world.keep("+14155550101", json!({"pvt_state": "released"})).await;
    let data = json!({"numbers": ["4155550100", "+14155550101", "911"], "a": 1});
    let path = numbers("/collection/reconcile");
    let answer = world.ask(Who::Admin, Method::PUT, &path, Some(&data)).await.data(201);
    for number in [NUMBER, "+14155550101"] {
        assert_eq!(answer["success"][number]["state"], "in_service", "{answer}");
        assert_eq!(answer["success"][number]["a"], 1);
        assert_eq!(world.owner(number).await.as_deref(), Some(ACCOUNT));
    }
    assert_eq!(answer["success"].as_object().unwrap().len(), 2);
    assert_eq!(answer["error"]["911"]["error"], "not_reconcilable");
    let data = json!({"numbers": [NUMBER]});
    let answer = world.ask(Who::Admin, Method::PUT, &path, Some(&data)).await.data(201);
    assert_eq!(answer.get("error"), None);
}

async fn bad_lists_are_refused(world: &World) {
    let path = numbers("/collection/reconcile");
    for (data, rule) in [
        (json!({}), "required"),
        (json!({"numbers": []}), "minimum"),
        (json!({"numbers": "x"}), "type"),
        (json!({"numbers": [NUMBER, "4155550100"]}), "uniqueItems"),
    ] {
        let answer = world.ask(Who::Admin, Method::PUT, &path, Some(&data)).await;
        assert_eq!(answer.status.as_u16(), 400, "{data}: {}", answer.text);
        assert!(answer.json()["data"]["numbers"][rule].is_object(), "{}", answer.text);
    }
    assert_eq!(world.everything().await, Vec::<String>::new());
}
