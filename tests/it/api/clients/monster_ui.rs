//! Monster UI's SDK and its number screens (jQuery: cross-origin, JSON bodies, `_=` on every GET).

use super::*;

const ORIGIN: &str = "https://ui.example.com";

over_both_stores! {
    the_list_that_opens_the_screen,
    one_number_read_and_written_back,
    features_are_edited,
    the_carrier_is_renamed,
    own_numbers_are_added,
    numbers_are_searched_and_bought,
    numbers_are_deleted,
    a_number_is_identified,
    classifiers_and_carriers_are_shown,
    a_screen_is_synchronised,
    every_call_is_preflighted,
    an_error_is_read_as_json,
}

/// One call as the SDK makes it, as the operator or as the account's own user.
async fn call(world: &World, who: Who, method: Method, rest: &str, data: Option<Value>) -> Answer {
    let is_get = method == Method::GET;
    let mut path = numbers(rest);
    if is_get {
        path.push_str(if path.contains('?') { "&_=1690000000000" } else { "?_=1690000000000" });
    }
    let token = match who {
        Who::Admin => world.app.admin(),
        _ => world.app.account(ACCOUNT),
    };
    let mut ask = world.app.ask(method, &path).header("Origin", ORIGIN).token(&token);
    if !is_get {
        let mut data = data.unwrap_or_else(|| json!({}));
        data["ui_metadata"] = json!({"version": "4.3.0", "ui": "monster-ui", "origin": "common"});
        ask = ask.header("Content-Type", "application/json").data(&data);
    }
    let answer = ask.send().await;
    // jQuery reads an error's body only when the type is exactly this, and the browser shows the
    // page nothing at all without the second.
    assert_eq!(answer.header("content-type"), Some("application/json"), "{}", answer.text);
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    answer
}

const USER: Who = Who::Account(ACCOUNT);

async fn the_list_that_opens_the_screen(world: &World) {
    hold(world, NUMBER, "in_service").await;
    hold(world, "+14155550101", "reserved").await;
    let all = call(world, USER, Method::GET, "?paginate=false", None).await;
    let listed = all.data(200);
    assert_eq!(names(&listed["numbers"]), ["+14155550101", NUMBER]);
    for row in listed["numbers"].as_object().unwrap().values() {
        // `.indexOf` is called on them.
        assert!(row["features"].is_array() && row["features_available"].is_array());
    }
    assert_eq!(all.json().get("next_start_key"), None);
    let filter = "?filter_state=%5B%22in_service%22%2C%22port_in%22%5D&paginate=false";
    let listed = call(world, USER, Method::GET, filter, None).await.data(200);
    assert_eq!(names(&listed["numbers"]), [NUMBER]);
    // An application of theirs spells it so, and gets a page.
    let page = call(world, USER, Method::GET, "?pagiante=false", None).await;
    assert_eq!(page.json()["page_size"], 2);
}

async fn one_number_read_and_written_back(world: &World) {
    hold(world, NUMBER, "in_service").await;
    let path = "/%2B14155550100";
    let read = call(world, USER, Method::GET, path, None).await.json();
    assert!(read["metadata"]["features"]["available"].is_array());
    assert!(read["data"]["features_available"].is_array());
    assert_eq!(read["data"]["_read_only"]["carrier_module"], "inventory");
    // The screen sends the document back without `features`, with the rest as it came.
    let mut document = read["data"].clone();
    document.as_object_mut().unwrap().shift_remove("features");
    document["cnam"] = json!({"display_name": "ACME", "inbound_lookup": false});
    let written = call(world, USER, Method::POST, path, Some(document)).await.data(200);
    assert_eq!(written["cnam"]["display_name"], "ACME");
    assert_eq!(written["features"], json!(["outbound_cnam"]));
    assert_eq!(written["state"], "in_service");
}

async fn features_are_edited(world: &World) {
    hold(world, NUMBER, "in_service").await;
    let path = "/%2B14155550100";
    let prepend = json!({"prepend": {"enabled": true, "name": "Sales "}});
    let written = call(world, USER, Method::POST, path, Some(prepend)).await.data(200);
    assert_eq!(written["features"], json!(["prepend"]));
    let messages = json!({"sms": {"enabled": true}, "mms": {"enabled": false}});
    let patched = call(world, USER, Method::PATCH, path, Some(messages)).await;
    assert_eq!(patched.data(200)["prepend"]["name"], "Sales ");
    assert!(patched.json()["metadata"]["features"]["settings"].is_object());
    // An address that is not whole is refused in the words that the form shows.
    let address = json!({"e911": {"street_address": "100 Main St"}});
    let refused = call(world, USER, Method::POST, path, Some(address)).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["message"]),
        (400, &json!("validation error"))
    );
    assert!(refused.json()["data"]["e911.postal_code"]["required"]["message"].is_string());
}

async fn the_carrier_is_renamed(world: &World) {
    hold(world, NUMBER, "in_service").await;
    let path = "/%2B14155550100";
    let mut document = call(world, Who::Admin, Method::GET, path, None).await.data(200);
    document["carrier_name"] = json!("local");
    let renamed = call(world, Who::Admin, Method::POST, path, Some(document)).await.data(200);
    assert_eq!(renamed["_read_only"]["carrier_module"], "local");
    assert_eq!(renamed.get("carrier_name"), None);
}

async fn own_numbers_are_added(world: &World) {
    let info = call(world, Who::Admin, Method::GET, "/carriers_info", None).await.data(200);
    assert!(info["maximal_prefix_length"].is_u64());
    assert!(info["usable_carriers"].as_array().unwrap().contains(&json!("local")));
    assert!(info["usable_creation_states"].as_array().unwrap().contains(&json!("reserved")));
    let added = json!({"numbers": [NUMBER, "4155550101"], "carrier_name": "local"});
    let added = call(world, Who::Admin, Method::PUT, "/collection", Some(added)).await.data(201);
    assert_eq!(added["success"]["+14155550101"]["state"], "in_service");
    // Any `error`, even an empty one, opens the recap of what could not be added.
    assert_eq!(added.get("error"), None);
    let again = json!({
        "numbers": [NUMBER, "+14155550102"], "carrier_name": "local", "create_with_state": "reserved",
    });
    let again = call(world, Who::Admin, Method::PUT, "/collection", Some(again)).await.data(201);
    assert_eq!(names(&again["success"]), ["+14155550102"]);
    let error = &again["error"][NUMBER];
    assert_eq!((&error["code"], &error["error"]), (&json!(409), &json!("number_exists")));
    assert!(error["message"].is_string());
}

async fn numbers_are_searched_and_bought(world: &World) {
    for number in ["+14155550100", "+14155550101", "+14165550100"] {
        world.keep(number, json!({"pvt_state": "available", "pvt_module_name": "knm_local"})).await;
    }
    let search = "?prefix=415&quantity=15&offset=0";
    let found = call(world, USER, Method::GET, search, None).await.data(200);
    let offered: Vec<&str> =
        found.as_array().unwrap().iter().map(|row| row["number"].as_str().unwrap()).collect();
    assert_eq!(offered, ["+14155550100", "+14155550101"]);
    let more = call(world, USER, Method::GET, "?prefix=415&quantity=15&offset=15&blocks=2", None);
    assert_eq!(more.await.data(200), json!([]));
    let bought = json!({ "numbers": offered });
    let bought = call(world, USER, Method::PUT, "/collection/activate", Some(bought)).await;
    let bought = bought.data(201);
    assert_eq!(names(&bought["success"]), offered);
    assert_eq!(bought.get("error"), None);
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(ACCOUNT));
}

async fn numbers_are_deleted(world: &World) {
    hold(world, NUMBER, "in_service").await;
    let gone = json!({"numbers": [NUMBER, "+14155550199"]});
    let gone = call(world, USER, Method::DELETE, "/collection", Some(gone)).await.data(200);
    assert_eq!(names(&gone["success"]), [NUMBER]);
    let error = &gone["error"]["+14155550199"];
    assert_eq!((&error["code"], &error["error"]), (&json!(404), &json!("not_found")));
    assert!(error["message"].is_string());
}

async fn a_number_is_identified(world: &World) {
    hold(world, NUMBER, "in_service").await;
    let found = call(world, USER, Method::GET, "/%2B14155550100/identify", None).await.data(200);
    assert_eq!(found, json!({"account_id": ACCOUNT, "number": NUMBER}));
}

async fn classifiers_and_carriers_are_shown(world: &World) {
    let all = call(world, USER, Method::GET, "/classifiers", None).await.data(200);
    assert_eq!(all.as_object().unwrap().len(), 7);
    assert!(all.as_object().unwrap().values().all(|one| one["friendly_name"].is_string()));
    let one = call(world, USER, Method::GET, "/classifiers/4155550100", None).await.data(200);
    assert_eq!(one["name"], "did_us");
}

async fn a_screen_is_synchronised(world: &World) {
    hold(world, NUMBER, "in_service").await;
    let synced = call(world, USER, Method::POST, "/fix", None).await.data(200);
    assert_eq!(names(&synced["numbers"]), [NUMBER]);
    call(world, USER, Method::POST, "/fix/%2B14155550100", None).await.data(200);
}

async fn every_call_is_preflighted(world: &World) {
    for (method, rest) in [
        ("GET", "?prefix=415"),
        ("DELETE", "/collection"),
        ("PUT", "/collection/activate"),
        ("POST", "/fix"),
        ("PATCH", "/%2B14155550100"),
        ("PUT", "/%2B14155550100/activate"),
        ("GET", "/%2B14155550100/identify"),
        ("GET", "/carriers_info"),
    ] {
        let ask = world.app.ask(Method::OPTIONS, &numbers(rest)).header("Origin", ORIGIN);
        let ask = ask.header("Access-Control-Request-Method", method);
        let answer = ask.header("Access-Control-Request-Headers", "x-auth-token,content-type");
        let answer = answer.send().await;
        assert_eq!(answer.status, 200, "{method} {rest}");
        let methods = answer.header("access-control-allow-methods").unwrap();
        assert!(methods.split(", ").any(|allowed| allowed == method), "{method} {rest}: {methods}");
        let headers = answer.header("access-control-allow-headers").unwrap().to_lowercase();
        assert!(headers.contains("x-auth-token") && headers.contains("content-type"));
    }
}

async fn an_error_is_read_as_json(world: &World) {
    let missing = call(world, USER, Method::GET, "/%2B14155550100", None).await;
    assert_eq!((missing.status.as_u16(), &missing.json()["error"]), (404, &json!("404")));
    // The token must look like one: three parts, the second of them JSON.
    let token = missing.json()["auth_token"].as_str().unwrap().to_owned();
    assert_eq!(token.split('.').count(), 3);
    let path = numbers("?paginate=false");
    let ended = world.app.get(&path).header("Origin", ORIGIN).token("not.a.token").send().await;
    assert_eq!(
        (ended.status.as_u16(), ended.header("content-type")),
        (401, Some("application/json"))
    );
    assert_eq!(ended.header("access-control-allow-origin"), Some("*"));
}
