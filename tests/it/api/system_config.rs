//! The platform's settings over HTTP: order, secrets, revisions, and rules that would make numbers
//! no longer themselves.

use axum::http::Method;
use number_manager::store::DbName;
use serde_json::{Value, json};

use super::world::{HOLDER, NUMBER, Who, World, over_both_stores};
use crate::support::app::{ACCOUNT, Answer};

over_both_stores! {
    what_is_written_is_read_and_in_force,
    the_order_of_members_stays,
    secrets_are_written_and_never_read,
    what_cannot_be_used_is_named_and_not_written,
    a_writer_is_refused_when_something_changed,
    a_rule_that_moves_numbers_needs_force,
    other_documents_are_not_found,
    settings_are_for_administrators,
}

const PATH: &str = "/v2/system_configs/number_manager";

async fn ask(world: &World, method: Method, path: &str, data: &Value) -> Answer {
    world.ask(Who::Admin, method, path, Some(data)).await
}

async fn stored(world: &World, id: &str) -> Option<Value> {
    let found = world.store.get(&DbName::new("system_config"), id).await.unwrap().live();
    found.map(|found| Value::Object(found.body))
}

async fn what_is_written_is_read_and_in_force(world: &World) {
    let empty = world.ask(Who::Admin, Method::GET, PATH, None).await;
    assert_eq!(empty.header("etag"), None);
    assert_eq!(empty.data(200), json!({"id": "number_manager"}));
    let data = json!({"default": {"released_state": "available"}, "other": {"a": 1}});
    let written = ask(world, Method::POST, PATH, &data).await;
    written.check_status(200);
    let read = world.ask(Who::Admin, Method::GET, PATH, None).await;
    assert_eq!(read.header("etag"), written.header("etag"));
    let mut wanted = data.clone();
    wanted["id"] = json!("number_manager");
    assert_eq!(read.data(200), wanted);
    // In force at once, in this process.
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let released = world.about(Who::Admin, Method::DELETE, "", None).await.data(200);
    assert_eq!(released["state"], "available");
    let data = json!({"default": {"released_state": null, "open_purchase": false}});
    let merged = ask(world, Method::PATCH, PATH, &data).await.data(200);
    assert_eq!(merged["default"], json!({"open_purchase": false}));
    assert_eq!(merged["other"], json!({"a": 1}));
}

async fn the_order_of_members_stays(world: &World) {
    let rules = |first: &str, second: &str| json!({"default": {"classifiers": {first: {"regex": "^1"}, second: {"regex": "^2"}}}});
    for (first, second) in [("z", "a"), ("a", "z")] {
        let answer = ask(world, Method::POST, PATH, &rules(first, second)).await;
        let shown = answer.data(200)["default"].to_string();
        assert_eq!(shown, rules(first, second)["default"].to_string());
        let stored = stored(world, "number_manager").await.unwrap();
        assert_eq!(stored["default"].to_string(), shown);
    }
    let data = json!({"default": {"classifiers": {"m": {"regex": "^3"}}, "open_purchase": true}});
    let merged = ask(world, Method::PATCH, PATH, &data).await.data(200);
    let names: Vec<&String> =
        merged["default"]["classifiers"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["a", "z", "m"]);
}

async fn secrets_are_written_and_never_read(world: &World) {
    let path = format!("{PATH}.telnyx");
    let secret = "s3cr3t-value";
    let data = json!({
        "default": {"auth_token": secret, "nested": [{"api_key": secret, "password": secret}], "url": "u"},
    });
    let masked = json!({
        "auth_token": "********", "nested": [{"api_key": "********", "password": "********"}],
        "url": "u",
    });
    let written = ask(world, Method::POST, &path, &data).await;
    assert!(!written.text.contains(secret));
    assert_eq!(written.data(200)["default"], masked);
    let read = world.ask(Who::Admin, Method::GET, &path, None).await;
    assert!(!read.text.contains(secret));
    // Sent back as it was shown, it stays; sent anew, it changes.
    let mut again = read.data(200);
    again["default"]["url"] = json!("v");
    ask(world, Method::POST, &path, &again).await.check_status(200);
    let kept = stored(world, "number_manager.telnyx").await.unwrap();
    assert_eq!(kept["default"]["auth_token"], secret);
    assert_eq!(kept["default"]["nested"][0]["api_key"], secret);
    assert_eq!(kept["default"]["url"], "v");
    let data = json!({"default": {"auth_token": "other"}});
    ask(world, Method::PATCH, &path, &data).await.check_status(200);
    let kept = stored(world, "number_manager.telnyx").await.unwrap();
    assert_eq!(kept["default"]["auth_token"], "other");
    let hidden = json!({"default": {"new_secret": "********"}});
    let answer = ask(world, Method::PATCH, &path, &hidden).await;
    answer.check_status(400);
    assert!(answer.json()["data"]["default.new_secret"].is_object(), "{}", answer.text);
}

async fn what_cannot_be_used_is_named_and_not_written(world: &World) {
    ask(world, Method::POST, PATH, &json!({"default": {"a": 1}})).await.check_status(200);
    let before = stored(world, "number_manager").await;
    for (data, field) in [
        (json!({"default": {"released_state": "gone"}}), "released_state"),
        (json!({"default": {"classifiers": {"x": {"regex": "("}}}}), "classifiers.x"),
        (json!({"default": {"reconcile_regex": ""}}), "reconcile_regex"),
        (json!({"default": {"e164_converters": {"(": {}}}}), "e164_converters"),
        (json!({"default": {"features": 1}}), "features"),
        (json!({"zone": {"open_purchase": 7}}), "zone.open_purchase"),
        (json!({"default": 1}), "default"),
    ] {
        for method in [Method::POST, Method::PATCH] {
            let answer = ask(world, method, &format!("{PATH}?force=true"), &data).await;
            assert_eq!(answer.status.as_u16(), 400, "{data}: {}", answer.text);
            let json = answer.json();
            assert_eq!(json["message"], "validation error");
            assert!(json["data"][field]["invalid"]["message"].is_string(), "{field}: {json}");
        }
    }
    assert_eq!(stored(world, "number_manager").await, before);
}

async fn a_writer_is_refused_when_something_changed(world: &World) {
    let first = ask(world, Method::POST, PATH, &json!({"default": {"a": 1}})).await;
    let old = first.header("etag").unwrap().to_owned();
    ask(world, Method::PATCH, PATH, &json!({"default": {"b": 1}})).await.check_status(200);
    let before = stored(world, "number_manager").await;
    for method in [Method::POST, Method::PATCH] {
        let ask = world.app.ask(method, PATH).token(&world.app.admin()).header("If-Match", &old);
        ask.data(&json!({"default": {"c": 1}})).send().await.check_status(412);
    }
    assert_eq!(stored(world, "number_manager").await, before);
    let get = world.app.get(PATH).token(&world.app.admin()).header("If-None-Match", "*");
    assert_eq!(get.send().await.status.as_u16(), 304);
}

async fn a_rule_that_moves_numbers_needs_force(world: &World) {
    for index in 0..3 {
        world.keep(&format!("+1415555010{index}"), json!({"pvt_state": "available"})).await;
    }
    world.keep("+442071234567", json!({"pvt_state": "available"})).await;
    let rule = json!({"default": {"reconcile_regex": r"^\+44\d+$"}});
    for method in [Method::POST, Method::PATCH] {
        let answer = ask(world, method, PATH, &rule).await;
        let numbers = ["+14155550100", "+14155550101", "+14155550102"];
        let said = json!({
            "message": "3 numbers would no longer be themselves", "count": 3, "numbers": numbers,
        });
        answer.check_error(409, "numbers_would_move", &said);
        assert_eq!(stored(world, "number_manager").await, None);
    }
    // A rule that moves nothing needs none.
    let harmless = json!({"default": {"e164_converters": {r"^(\d{10})$": {"prefix": "+1"}}}});
    ask(world, Method::PATCH, PATH, &harmless).await.check_status(200);
    ask(world, Method::PATCH, &format!("{PATH}?force=true"), &rule).await.check_status(200);
    let stored = stored(world, "number_manager").await.unwrap();
    assert_eq!(stored["default"]["reconcile_regex"], rule["default"]["reconcile_regex"]);
    let path = "/v2/phone_numbers/4155550100";
    world.ask(Who::Admin, Method::GET, path, None).await.check_status(404);
}

async fn other_documents_are_not_found(world: &World) {
    for id in
        ["accounts", "number_manager.", "number_manager.A", "number_manager.a%2Fb", "crossbar"]
    {
        for method in [Method::GET, Method::POST, Method::PATCH] {
            let path = format!("/v2/system_configs/{id}");
            let answer = ask(world, method, &path, &json!({"default": {}})).await;
            assert_eq!(answer.status.as_u16(), 404, "{id}: {}", answer.text);
        }
    }
}

async fn settings_are_for_administrators(world: &World) {
    for method in [Method::GET, Method::POST, Method::PATCH] {
        let data = json!({"default": {}});
        world.ask(HOLDER, method.clone(), PATH, Some(&data)).await.check_status(403);
        world.ask(Who::Nobody, method, PATH, Some(&data)).await.check_status(401);
    }
    assert_eq!(stored(world, "number_manager").await, None);
}
