//! What the two directories of places say, and what they must not do to us.

use axum::http::Method;
use number_manager::store::DbName;
use serde_json::{Value, json};

use super::world::{HOLDER, Who, World, numbers, over_both_stores};
use crate::support::{
    app::{ACCOUNT, Answer},
    web::{Script, WebServer},
};

over_both_stores! {
    a_city_has_prefixes,
    a_number_is_somewhere,
    the_other_phonebook_knows_places_too,
    lists_of_numbers_are_checked,
    a_directory_that_is_no_help_is_said,
    a_directory_has_limits,
    only_the_web_is_asked_and_nobody_is_sent_on,
    without_carriers_nothing_can_be_bought,
}

async fn configure(world: &World, id: &str, members: Value) {
    let Value::Object(body) = json!({ "default": members }) else { unreachable!() };
    world.put(DbName::new("system_config"), id, body).await;
}

async fn city(world: &World, query: &str) -> Answer {
    world.ask(HOLDER, Method::GET, &numbers(&format!("/prefix{query}")), None).await
}

async fn locality(world: &World, data: &Value) -> Answer {
    world.ask(HOLDER, Method::POST, &numbers("/locality"), Some(data)).await
}

/// The path of the only locality that was asked for.
const PLACES: &str = "POST /locality/metadata";

async fn a_city_has_prefixes(world: &World) {
    let cities = json!({"Springfield": {"prefixes": ["217", "417"], "state": "IL"}});
    let script = Script::Say(200, json!({ "data": cities }).to_string());
    let server = WebServer::start(script).await;
    let url = format!("{}/v1/", server.url());
    configure(
        world,
        "crossbar.phone_numbers",
        json!({"phonebook_url": url, "default_country": "CA"}),
    )
    .await;
    assert_eq!(city(world, "?city=Spring%20field%26x").await.data(200), cities);
    let path = "/v2/phone_numbers/prefix?city=Spring";
    assert_eq!(world.ask(Who::Nobody, Method::GET, path, None).await.data(200), cities);
    assert_eq!(
        server.asked(),
        ["GET /v1/CA/city?pattern=Spring+field%26x", "GET /v1/CA/city?pattern=Spring"]
    );
    for query in ["", "?city=", "?city=%20"] {
        city(world, query).await.check_error(
            404,
            "bad_identifier",
            &json!({"message": "bad identifier", "cause": "city"}),
        );
    }
    assert_eq!(server.asked().len(), 2);
    let nobody = world.ask(Who::Nobody, Method::GET, &numbers("/prefix?city=x"), None).await;
    nobody.check_status(401);
}

async fn a_number_is_somewhere(world: &World) {
    let place = json!({"country": "US", "locality": "San Francisco", "province": "CA", "status": "success"});
    let places = json!({"+14155550100": place});
    let script = Script::Say(200, json!({"status": "success", "data": places}).to_string());
    let server = WebServer::start(script).await;
    configure(world, "number_manager.locality", json!({"url": server.url()})).await;
    let answer = locality(world, &json!({"numbers": ["4155550100"], "quality": true})).await;
    assert_eq!(answer.data(200), places);
    assert_eq!(server.asked(), [format!(r#"{PLACES} {{"data":["+14155550100"]}}"#)]);
    let answer = locality(world, &json!({"numbers": ["+14155550100", "x"]})).await;
    let wanted = json!({
        "+14155550100": place, "x": {"status": "error", "message": "not a number"},
    });
    assert_eq!(answer.data(200), wanted);
    locality(world, &json!({"numbers": ["x"]})).await.check_status(200);
    assert_eq!(server.asked().len(), 2, "nobody is asked about what is no number");
}

async fn the_other_phonebook_knows_places_too(world: &World) {
    let server =
        WebServer::start(Script::Say(200, r#"{"status":"success","data":{}}"#.into())).await;
    configure(world, "number_manager.other", json!({"phonebook_url": server.url()})).await;
    assert_eq!(locality(world, &json!({"numbers": ["+14155550100"]})).await.data(200), json!({}));
    assert_eq!(server.asked().len(), 1);
    // It knows no cities.
    let missing = json!("Unable to acquire numbers missing carrier url");
    city(world, "?city=x").await.check_error(500, "init failed", &missing);
}

async fn lists_of_numbers_are_checked(world: &World) {
    for (data, rule, message) in [
        (json!({}), "required", "list of numbers missing"),
        (json!({"numbers": []}), "minimum", "minimum 1 number required"),
        (json!({"numbers": "+14155550100"}), "type", "numbers must be a list"),
        (
            json!({"numbers": ["+14155550100", "4155550100"]}),
            "uniqueItems",
            "some numbers appear twice",
        ),
        (json!({"numbers": ["a", "a"]}), "uniqueItems", "some numbers appear twice"),
    ] {
        for path in ["/locality", "/check"] {
            let answer = world.ask(HOLDER, Method::POST, &numbers(path), Some(&data)).await;
            let wanted = json!({"numbers": {rule: {"message": message}}});
            answer.check_error(400, "validation error", &wanted);
        }
    }
    // Members are looked for around `data` too.
    let body = json!({"data": {}, "numbers": ["+14155550100"]}).to_string();
    let ask = world.app.ask(Method::POST, &numbers("/check")).token(&world.app.account(ACCOUNT));
    assert_eq!(ask.body(body).send().await.data(200), json!({"+14155550100": "error"}));
}

/// Asks both directories, which do as the script says.
async fn check_failure(world: &World, script: Script, said: &Value) -> WebServer {
    world.clear_configuration().await;
    let server = WebServer::start(script).await;
    configure(world, "crossbar.phone_numbers", json!({"phonebook_url": server.url()})).await;
    configure(world, "number_manager.locality", json!({"url": server.url()})).await;
    city(world, "?city=x").await.check_error(500, "init failed", said);
    let answer = locality(world, &json!({"numbers": ["+14155550100"]})).await;
    answer.check_error(500, "number locality lookup failed", &json!({}));
    server
}

async fn a_directory_that_is_no_help_is_said(world: &World) {
    let answer = locality(world, &json!({"numbers": ["+14155550100"]})).await;
    answer.check_error(500, "could not get locality url", &json!({}));
    for (status, text, said) in [
        (500, r#"{"error":"no"}"#, json!({"error": "no"})),
        (404, "<html>nothing</html>", json!("<html>nothing</html>")),
        (503, "", json!("")),
        (200, "<html>", json!("the answer of the directory is no JSON")),
        (200, "[]", json!("the answer of the directory has no data")),
        (200, r#"{"data":[1]}"#, json!("the answer of the directory has no data")),
        (
            200,
            r#"{"status":"success","data":"x"}"#,
            json!("the answer of the directory has no data"),
        ),
    ] {
        check_failure(world, Script::Say(status, text.to_owned()), &said).await;
    }
    let long =
        check_failure(world, Script::Say(500, "z".repeat(5000)), &json!("z".repeat(512))).await;
    assert_eq!(long.asked().len(), 2);
    // Nobody listens there.
    world.clear_configuration().await;
    configure(world, "crossbar.phone_numbers", json!({"phonebook_url": "http://127.0.0.1:1"}))
        .await;
    let said = json!("the directory cannot be reached");
    city(world, "?city=x").await.check_error(500, "init failed", &said);
}

async fn a_directory_has_limits(world: &World) {
    let settings = json!({"directory_timeout_ms": 100, "directory_answer_bytes": 1000});
    let app = world.configured(settings).await;
    for (script, said) in [
        (Script::Stall, "the directory cannot be reached"),
        (Script::Flood(2_000_000), "the answer of the directory is too long"),
    ] {
        let server = WebServer::start(script).await;
        world.clear_configuration().await;
        configure(world, "crossbar.phone_numbers", json!({"phonebook_url": server.url()})).await;
        let answer = app.get("/v2/phone_numbers/prefix?city=x").send().await;
        answer.check_error(500, "init failed", &said.into());
    }
}

async fn only_the_web_is_asked_and_nobody_is_sent_on(world: &World) {
    let inside =
        WebServer::start(Script::Say(200, r#"{"status":"success","data":{}}"#.into())).await;
    let script = Script::Redirect(format!("{}/secret", inside.url()));
    check_failure(world, script, &json!("")).await;
    assert_eq!(inside.asked(), [""; 0], "a redirection is not followed");
    for url in ["file:///etc/passwd", "ftp://127.0.0.1", "127.0.0.1", ""] {
        world.clear_configuration().await;
        configure(world, "crossbar.phone_numbers", json!({ "phonebook_url": url })).await;
        let said = json!("the address of the directory is none of http or https");
        city(world, "?city=x").await.check_error(500, "init failed", &said);
    }
}

async fn without_carriers_nothing_can_be_bought(world: &World) {
    let data = json!({"numbers": ["+14155550100", "4155550101"]});
    let answer = world.ask(HOLDER, Method::POST, &numbers("/check"), Some(&data)).await;
    assert_eq!(answer.data(200), json!({"+14155550100": "error", "+14155550101": "error"}));
}
