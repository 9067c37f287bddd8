//! `GET …/phone_numbers`: pages, directions and filters.

use axum::http::Method;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use super::world::{HOLDER, MADE, NUMBER, Who, World, numbers, over_both_stores, path_of};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    a_row_shows_what_interfaces_read,
    an_account_lists_its_own_numbers_only,
    pages_run_down_and_up_and_lose_nothing,
    filters_narrow_a_list,
    filtered_pages_are_full,
    a_list_without_pages_has_no_keys,
    odd_sizes_of_pages_are_refused_or_cut,
    odd_filters_keep_nothing_and_break_nothing,
    a_search_is_not_a_list,
}

/// The key of the page that begins with a number.
pub(super) fn key_of(number: &str) -> String {
    URL_SAFE_NO_PAD.encode(format!("number:{number}"))
}

fn number(last: u32) -> String {
    format!("+1415555{last:04}")
}

fn held(state: &str) -> Value {
    json!({"pvt_state": state, "pvt_assigned_to": ACCOUNT})
}

async fn keep_some(world: &World, lasts: impl IntoIterator<Item = u32>) {
    for last in lasts {
        world.keep(&number(last), held("in_service")).await;
    }
}

/// The numbers of a page, and its envelope.
async fn list(world: &World, query: &str) -> (Vec<String>, Value) {
    let answer = world.ask(HOLDER, Method::GET, &numbers(query), None).await;
    let data = answer.data(200);
    let listed = data["numbers"].as_object().unwrap().keys().cloned().collect();
    (listed, answer.json())
}

async fn check_list(world: &World, query: &str, lasts: &[u32]) {
    let wanted: Vec<String> = lasts.iter().map(|&last| number(last)).collect();
    assert_eq!(list(world, query).await.0, wanted, "{query}");
}

async fn a_row_shows_what_interfaces_read(world: &World) {
    let members = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_module_name": "knm_local",
        "pvt_used_by": "callflow", "pvt_features_allowed": ["cnam"], "my": 1,
    });
    world.keep(NUMBER, members).await;
    let data = world.ask(HOLDER, Method::GET, &numbers(""), None).await.data(200);
    let mut row = data["numbers"][NUMBER].clone();
    assert!(row["features_available"].take().is_array());
    let wanted = json!({
        "state": "in_service", "features": ["local"], "features_allowed": ["cnam"],
        "features_denied": [], "features_available": null, "assigned_to": ACCOUNT,
        "used_by": "callflow", "created": MADE, "updated": MADE,
    });
    assert_eq!(row, wanted);
    assert_eq!(data["cascade_quantity"], 0);
}

async fn an_account_lists_its_own_numbers_only(world: &World) {
    world.keep(NUMBER, held("in_service")).await;
    world.keep("+14155550101", json!({"pvt_state": "available"})).await;
    for (account, below) in [(PARENT, 1), (STRANGER, 0)] {
        let empty = json!({"numbers": {}, "cascade_quantity": below});
        let answer = world.ask(Who::Admin, Method::GET, &path_of(account, ""), None).await;
        assert_eq!(answer.data(200), empty);
        assert_eq!(answer.json()["page_size"], 0);
    }
    let answer = world.ask(Who::Account(PARENT), Method::GET, &numbers(""), None).await;
    assert!(answer.data(200)["numbers"][NUMBER].is_object());
}

async fn pages_run_down_and_up_and_lose_nothing(world: &World) {
    keep_some(world, 1..=5).await;
    check_list(world, "", &[5, 4, 3, 2, 1]).await;
    check_list(world, "?ascending=true", &[1, 2, 3, 4, 5]).await;
    for (direction, pages) in [("", [[5, 4], [3, 2]]), ("&ascending=true", [[1, 2], [3, 4]])] {
        let mut query = format!("?page_size=2{direction}");
        for lasts in pages {
            let (listed, envelope) = list(world, &query).await;
            assert_eq!(listed, lasts.map(number));
            assert_eq!(envelope["page_size"], 2);
            assert_eq!(envelope["start_key"], key_of(&listed[0]));
            let next = envelope["next_start_key"].as_str().unwrap();
            query = format!("?page_size=2{direction}&start_key={next}");
        }
        let (listed, envelope) = list(world, &query).await;
        assert_eq!(listed.len(), 1);
        assert_eq!(envelope["page_size"], 1);
        assert_eq!(envelope.get("next_start_key"), None);
    }
    check_list(world, "?page_size=2&start_key=%2B14155550003", &[3, 2]).await;
    check_list(world, "?end_key=%2B14155550003", &[5, 4, 3]).await;
    check_list(world, "?ascending=true&end_key=%2B14155550002", &[1, 2]).await;
    check_list(world, "?start_key=%2B14155550000", &[]).await;
}

async fn filters_narrow_a_list(world: &World) {
    world.keep(&number(1), held("in_service")).await;
    world.keep(&number(2), held("reserved")).await;
    let mut members = held("port_in");
    members["my"] = json!({"tag": "x", "n": 3, "none": ""});
    members["pvt_created"] = json!(MADE + 10);
    world.keep(&number(3), members).await;
    check_list(world, "?filter_state=reserved", &[2]).await;
    check_list(world, "?filter_state=%5B%22in_service%22%2C%22port_in%22%5D", &[3, 1]).await;
    check_list(world, "?filter_not_state=reserved", &[3, 1]).await;
    check_list(world, &format!("?filter_assigned_to={ACCOUNT}"), &[3, 2, 1]).await;
    check_list(world, "?filter_my.tag=x", &[3]).await;
    check_list(world, "?filter_my.n=3&filter_my.tag=y", &[]).await;
    check_list(world, "?has_key=my.tag", &[3]).await;
    check_list(world, "?key_missing=my", &[2, 1]).await;
    check_list(world, "?has_value=my.none", &[]).await;
    check_list(world, "?value_missing=my.none", &[3, 2, 1]).await;
    check_list(world, &format!("?created_from={MADE}&created_to={MADE}"), &[2, 1]).await;
    check_list(world, &format!("?created_from={}", MADE + 1), &[3]).await;
    check_list(world, &format!("?modified_to={}", MADE - 1), &[]).await;
}

async fn filtered_pages_are_full(world: &World) {
    for last in 1..=9 {
        world
            .keep(&number(last), held(if last % 3 == 0 { "reserved" } else { "in_service" }))
            .await;
    }
    let (listed, envelope) = list(world, "?page_size=2&filter_state=reserved").await;
    assert_eq!(listed, [number(9), number(6)]);
    let next = envelope["next_start_key"].as_str().unwrap();
    let query = format!("?page_size=2&filter_state=reserved&start_key={next}");
    let (listed, envelope) = list(world, &query).await;
    assert_eq!((listed, envelope.get("next_start_key")), (vec![number(3)], None));
}

async fn a_list_without_pages_has_no_keys(world: &World) {
    keep_some(world, 1..=60).await;
    let (listed, envelope) = list(world, "?paginate=false&_=1690000000000").await;
    assert_eq!(listed.len(), 60);
    for key in ["page_size", "start_key", "next_start_key"] {
        assert_eq!(envelope.get(key), None, "{key}");
    }
    assert_eq!(list(world, "").await.0.len(), 50);
}

async fn odd_sizes_of_pages_are_refused_or_cut(world: &World) {
    keep_some(world, 1..=3).await;
    let refused = [
        ("0", "page size must be at least 1"),
        ("-1", "page size must be at least 1"),
        ("-9223372036854775808", "page size must be at least 1"),
        ("two", "invalid page size"),
        ("1.5", "invalid page size"),
        ("99999999999999999999999", "invalid page size"),
        ("", "invalid page size"),
    ];
    for (size, message) in refused {
        let path = numbers(&format!("?page_size={size}"));
        let data = json!({ "message": message });
        world.check_refused((HOLDER, Method::GET, &path, None), 404, "faulty_request", &data).await;
    }
    check_list(world, "?page_size=9223372036854775807", &[3, 2, 1]).await;
}

async fn odd_filters_keep_nothing_and_break_nothing(world: &World) {
    keep_some(world, [1]).await;
    for query in [
        "filter_=x",
        "filter_not_=x",
        "page_size=1&page_size=0",
        "start_key=",
        "unknown=%00",
        "filter_not_a.b.c.d.e=%5B",
        "%FF=%FE",
    ] {
        let answer = world.ask(HOLDER, Method::GET, &numbers(&format!("?{query}")), None).await;
        assert!(answer.status.as_u16() < 500, "{query}: {}", answer.text);
    }
    check_list(world, "?filter_...=x", &[]).await;
    check_list(world, "?filter_state=%00", &[]).await;
    check_list(world, &format!("?filter_state={}", "x".repeat(5_000)), &[]).await;
    check_list(world, "?filter_state=%5B%5D", &[]).await;
    let deep = format!("?filter_{}=x", "a.".repeat(2_000));
    check_list(world, &deep, &[]).await;
    let nested = format!("?filter_state={}", "%5B".repeat(1_000));
    check_list(world, &nested, &[]).await;
    let data = json!({"created_from": {"type": {
        "message": "Value did not match type(s): integer", "target": "integer", "value": "1e5",
    }}});
    let path = numbers("?created_from=1e5");
    world.check_refused((HOLDER, Method::GET, &path, None), 400, "validation error", &data).await;
}
async fn a_search_is_not_a_list(world: &World) {
    world.keep("+14155550100", held("in_service")).await;
    let found = world.ask(HOLDER, Method::GET, &numbers("?prefix=415"), None).await;
    assert_eq!(found.data(200), json!([]), "what is held is for nobody to buy");
    let listed = world.ask(HOLDER, Method::GET, &numbers("?prefix=%20"), None).await.data(200);
    assert!(listed["numbers"].get("+14155550100").is_some());
}
