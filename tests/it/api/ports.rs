//! Numbers that are on their way in port requests: in lists, by themselves, and in nobody's way.

use std::sync::Arc;

use axum::http::Method;
use number_manager::store::{DbName, Write};
use serde_json::{Value, json};

use super::world::{HOLDER, MADE, NUMBER, UNLIMITED, Who, World, numbers, over_both_stores};
use crate::support::{
    app::{ACCOUNT, PARENT, STRANGER, TestApp},
    failing::FailingStore,
};

over_both_stores! {
    a_number_in_a_request_is_listed_on_the_first_page_only,
    a_row_of_the_account_wins,
    closed_requests_and_those_of_others_are_not_listed,
    filters_look_at_the_row_as_it_is_shown,
    a_number_in_a_request_is_shown_by_itself,
    nobody_creates_what_is_on_its_way,
    a_request_that_changes_is_noticed,
    a_store_without_port_requests_is_fine,
    requests_that_cannot_be_read_are_not_taken_for_none,
    a_number_is_announced,
    a_completed_port_brings_its_number_in_service,
    a_completed_port_takes_what_is_free_and_nothing_else,
    only_administrators_complete_a_port,
}

const PORTED: &str = "+14155550177";

async fn get(app: &TestApp, who: &str, rest: &str) -> Value {
    app.get(&numbers(rest)).token(&app.account(who)).send().await.data(200)
}

fn listed(data: &Value) -> Vec<&str> {
    data["numbers"].as_object().unwrap().keys().map(String::as_str).collect()
}

async fn a_number_in_a_request_is_listed_on_the_first_page_only(world: &World) {
    world.request_port(ACCOUNT, PORTED, "submitted").await;
    for number in ["+14155550100", "+14155550101", "+14155550102"] {
        world.keep(number, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    }
    let app = world.beside().await;
    let answer = app.get(&numbers("?page_size=2")).token(&app.account(ACCOUNT)).send().await;
    let data = answer.data(200);
    assert_eq!(listed(&data), ["+14155550102", "+14155550101", PORTED]);
    assert_eq!(answer.json()["page_size"], 2);
    let row = json!({
        "state": "port_in", "features": [], "features_allowed": [], "features_denied": [],
        "features_available": [], "assigned_to": ACCOUNT, "used_by": "callflow", "created": MADE,
        "updated": MADE + 1, "port_id": format!("{PORTED}-submitted"), "port_state": "submitted",
    });
    assert_eq!(data["numbers"][PORTED], row);
    let next = answer.json()["next_start_key"].as_str().unwrap().to_owned();
    let second = get(&app, ACCOUNT, &format!("?page_size=2&start_key={next}")).await;
    assert_eq!(listed(&second), ["+14155550100"]);
    let all = get(&app, ACCOUNT, "?paginate=false").await;
    assert_eq!(all["numbers"][PORTED], row);
    assert_eq!(listed(&all).len(), 4);
    let none = get(&app, ACCOUNT, "?include_ports=false&paginate=false").await;
    assert_eq!(listed(&none).len(), 3);
    let path = numbers("?accept=csv");
    let csv = app.get(&path).token(&app.account(ACCOUNT)).send().await.text;
    assert!(csv.contains(&format!("\n{PORTED},port_in,")), "{csv}");
}

async fn a_row_of_the_account_wins(world: &World) {
    world.request_port(ACCOUNT, NUMBER, "submitted").await;
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let app = world.beside().await;
    for query in ["", "?paginate=false"] {
        let data = get(&app, ACCOUNT, query).await;
        assert_eq!(data["numbers"][NUMBER]["state"], "in_service");
    }
    // Not even when a filter leaves that row out.
    let data = get(&app, ACCOUNT, "?filter_state=port_in").await;
    assert_eq!(listed(&data), [""; 0]);
}

async fn closed_requests_and_those_of_others_are_not_listed(world: &World) {
    for (last, state) in ["unconfirmed", "canceled", "completed"].iter().enumerate() {
        world.request_port(ACCOUNT, &format!("+1415555010{last}"), state).await;
    }
    world.request_port(PARENT, "+14155550110", "submitted").await;
    world.request_port(ACCOUNT, "+14155550111", "rejected").await;
    world.request_port(ACCOUNT, "+14155550112", "scheduled").await;
    let data = get(&world.beside().await, ACCOUNT, "").await;
    assert_eq!(listed(&data), ["+14155550111", "+14155550112"]);
}

async fn filters_look_at_the_row_as_it_is_shown(world: &World) {
    world.request_port(ACCOUNT, PORTED, "submitted").await;
    let app = world.beside().await;
    for (query, kept) in [
        ("filter_state=%5B%22port_in%22%5D", true),
        ("filter_port_state=submitted", true),
        ("filter_pvt_state=port_in", false),
        ("filter_state=in_service", false),
        ("filter_not_port_state=submitted", false),
        ("has_key=port_id", true),
        ("has_key=my.tag", false),
        (&*format!("created_to={MADE}"), true),
        (&*format!("created_to={}", MADE - 1), false),
        (&*format!("modified_from={}", MADE + 1), true),
    ] {
        let data = get(&app, ACCOUNT, &format!("?{query}")).await;
        assert_eq!(listed(&data) == [PORTED], kept, "{query}");
    }
}

async fn a_number_in_a_request_is_shown_by_itself(world: &World) {
    world.request_port(ACCOUNT, PORTED, "pending").await;
    let app = world.beside().await;
    let path = numbers(&format!("/{PORTED}"));
    let answer = app.get(&path).token(&app.account(ACCOUNT)).send().await;
    let data = answer.data(200);
    assert_eq!((&data["state"], &data["id"]), (&json!("port_in"), &json!(PORTED)));
    assert_eq!((&data["features"], &data["used_by"]), (&json!([]), &json!("callflow")));
    for shown in [&data["_read_only"], &answer.json()["metadata"]] {
        assert_eq!(shown["port_state"], "pending");
        assert_eq!(shown["port_id"], format!("{PORTED}-pending"));
    }
    let path_without = format!("{path}?include_ports=false");
    app.get(&path_without).token(&app.account(ACCOUNT)).send().await.check_status(404);
    let path = super::world::path_of(STRANGER, &format!("/{PORTED}"));
    app.get(&path).token(&app.admin()).send().await.check_status(404);
}

async fn nobody_creates_what_is_on_its_way(world: &World) {
    for (number, state) in [
        ("+14155550100", "submitted"),
        ("+14155550101", "pending"),
        ("+14155550102", "scheduled"),
        ("+14155550103", "rejected"),
        ("+14155550104", "unconfirmed"),
        ("+14155550105", "completed"),
    ] {
        world.request_port(STRANGER, number, state).await;
    }
    let app = world.beside().await;
    let create = async |number: &str, rest: &str| {
        let path = numbers(&format!("/{number}{rest}"));
        app.ask(Method::PUT, &path).token(&app.admin()).data(&json!({})).send().await
    };
    for number in ["+14155550100", "+14155550101", "+14155550102"] {
        let before = world.everything().await;
        let data = json!({
            "code": 400, "error": "number_is_porting", "cause": number,
            "message": format!("number {number} is porting"),
        });
        for rest in ["", "/port"] {
            create(number, rest).await.check_error(400, "number_is_porting", &data);
        }
        assert_eq!(world.everything().await, before);
    }
    for number in ["+14155550103", "+14155550104", "+14155550105"] {
        create(number, "").await.check_status(201);
    }
}

async fn a_request_that_changes_is_noticed(world: &World) {
    world.request_port(ACCOUNT, PORTED, "submitted").await;
    let app = world.beside().await;
    let before = app.get(&numbers("")).token(&app.account(ACCOUNT)).send().await;
    assert_eq!(listed(&before.data(200)), [PORTED]);
    let db = DbName::new("port_requests");
    let id = format!("{PORTED}-submitted");
    let stored = world.store.get(&db, &id).await.unwrap().live().unwrap();
    let mut body = stored.body;
    body["pvt_port_state"] = json!("completed");
    let write = Write::put(db, id, number_manager::store::Expect::At(stored.rev), body);
    world.store.commit(vec![write]).await.unwrap();
    // Whoever has just looked may show what was there for a while, under the tag of that.
    let same = app.get(&numbers("")).token(&app.account(ACCOUNT)).send().await;
    assert_eq!(listed(&same.data(200)), [PORTED]);
    assert_eq!(same.header("etag"), before.header("etag"));
    let fresh = world.beside().await;
    let after = fresh.get(&numbers("")).token(&fresh.account(ACCOUNT)).send().await;
    assert_eq!(listed(&after.data(200)), [""; 0]);
    assert_ne!(after.header("etag"), before.header("etag"));
}

async fn a_store_without_port_requests_is_fine(world: &World) {
    assert_eq!(world.store.databases("port_requests").await.unwrap(), []);
    let data = world.ask(HOLDER, Method::GET, &numbers(""), None).await.data(200);
    assert_eq!(listed(&data), [""; 0]);
    world.about(HOLDER, Method::GET, "", None).await.check_status(404);
    let created = world.about(Who::Admin, Method::PUT, "", Some(&json!({}))).await;
    created.check_status(201);
    assert_eq!(world.store.databases("port_requests").await.unwrap(), []);
}

async fn requests_that_cannot_be_read_are_not_taken_for_none(world: &World) {
    let store = Arc::new(FailingStore::without_feeds(world.store.clone()));
    let app = TestApp::over(store, UNLIMITED).await;
    let before = world.everything().await;
    let data = json!({"message": "datastore unreachable"});
    for (method, rest) in [
        (Method::PUT, "/+14155550100"),
        (Method::PUT, "/+14155550100/port"),
        (Method::GET, "/+14155550100"),
        (Method::GET, "/+14155550100/identify"),
        (Method::GET, ""),
        (Method::GET, "?paginate=false"),
    ] {
        let answer = app.ask(method, &numbers(rest)).token(&app.admin()).send().await;
        answer.check_error(503, "datastore_unreachable", &data);
    }
    assert_eq!(world.everything().await, before);
    get(&app, ACCOUNT, "?include_ports=false").await;
    let path = numbers("/+14155550100?include_ports=false");
    app.get(&path).token(&app.admin()).send().await.check_status(404);
}

async fn a_number_is_announced(world: &World) {
    // Whoever may not add numbers may still port one in.
    let data = json!({"my": 1, "carrier_name": "inventory", "create_with_state": "in_service"});
    let shown = world.about(HOLDER, Method::PUT, "/port", Some(&data)).await.data(201);
    assert_eq!((&shown["state"], &shown["my"]), (&json!("port_in"), &json!(1)));
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(document["pvt_state"], "port_in");
    assert_eq!(document["pvt_module_name"], "knm_local");
    assert_eq!(document["pvt_assigned_to"], ACCOUNT);
    world.about(HOLDER, Method::PUT, "/port", Some(&json!({}))).await.check_status(201);
    world.about(Who::Nobody, Method::PUT, "/port", None).await.check_status(401);
    let stranger = world.about(Who::Account(STRANGER), Method::PUT, "/port", None).await;
    stranger.check_status(403);
}

async fn complete(world: &World, data: &Value) -> Value {
    world.about(Who::Admin, Method::PUT, "/ported", Some(data)).await.data(201)
}

async fn a_completed_port_brings_its_number_in_service(world: &World) {
    // An open request is no obstacle, and neither is what the account may not do itself.
    world.request_port(ACCOUNT, NUMBER, "completed").await;
    world.request_port(ACCOUNT, NUMBER, "scheduled").await;
    let data = json!({"port_id": "p1", "create_with_state": "reserved"});
    let shown = complete(world, &data).await;
    assert_eq!((&shown["state"], &shown["port_id"]), (&json!("in_service"), &json!("p1")));
    let stored = world.document(NUMBER).await.unwrap().body;
    assert_eq!(stored["pvt_ported_in"], true);
    assert_eq!(
        (&stored["pvt_assigned_to"], &stored["pvt_state"]),
        (&json!(ACCOUNT), &json!("in_service"))
    );
    assert_eq!(stored["pvt_module_name"], "knm_local");
    assert!(world.copy(ACCOUNT, NUMBER).await.is_some());

    // Once more: it is in service here, so nothing happens.
    complete(world, &json!({"port_id": "p2"})).await;
    assert_eq!(world.document(NUMBER).await.unwrap().body, stored);

    let settings = json!({"port_in_module_name": "knm_bandwidth2"});
    let app = world.configured(settings).await;
    let other = "+14155550178";
    let ask = app.ask(Method::PUT, &numbers(&format!("/{other}/ported"))).token(&app.admin());
    ask.data(&json!({})).send().await.check_status(201);
    assert_eq!(world.document(other).await.unwrap().body["pvt_module_name"], "knm_bandwidth2");
}

async fn a_completed_port_takes_what_is_free_and_nothing_else(world: &World) {
    let free = ["port_in", "available", "aging"];
    let states =
        ["in_service", "reserved", "port_out", "released", "port_in", "available", "aging"];
    for state in states {
        world.clear().await;
        let mut members = json!({
            "pvt_state": state, "pvt_module_name": "knm_bandwidth2", "old": 1,
            "pvt_reserve_history": [PARENT],
        });
        if state != "available" && state != "aging" {
            members["pvt_assigned_to"] = json!(PARENT);
        }
        world.keep(NUMBER, members).await;
        let before = world.document(NUMBER).await.unwrap().body;
        let answer =
            world.about(Who::Admin, Method::PUT, "/ported", Some(&json!({"port_id": "p"}))).await;
        let after = world.document(NUMBER).await.unwrap().body;
        if !free.contains(&state) {
            answer.check_status(409);
            assert_eq!(after, before, "{state}");
            continue;
        }
        answer.check_status(201);
        assert_eq!(after["pvt_ported_in"], true, "{state}");
        assert_eq!(after["pvt_module_name"], "knm_local", "{state}");
        assert_eq!((&after["port_id"], after.get("old")), (&json!("p"), None), "{state}");
        assert_eq!(after["pvt_assigned_to"], ACCOUNT, "{state}");
        assert_eq!(after["pvt_reserve_history"], json!([PARENT]), "{state}");
    }
}

async fn only_administrators_complete_a_port(world: &World) {
    world.allow_additions(ACCOUNT).await;
    for who in [HOLDER, Who::Account(PARENT), Who::Account(STRANGER)] {
        world.about(who, Method::PUT, "/ported", Some(&json!({}))).await.check_status(403);
    }
    world.about(Who::Nobody, Method::PUT, "/ported", Some(&json!({}))).await.check_status(401);
    assert_eq!(world.document(NUMBER).await, None);
}
