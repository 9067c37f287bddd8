//! `GET /v2/phone_numbers` with filters: every number that there is, for administrators.

use std::sync::Arc;

use axum::http::Method;
use number_manager::store::{Body, DbName, Write};
use serde_json::{Value, json};

use super::world::{HOLDER, UNLIMITED, Who, World, over_both_stores};
use crate::support::{
    app::{ACCOUNT, PARENT, TestApp},
    failing::FailingStore,
};

over_both_stores! {
    pages_run_over_databases_and_lose_nothing,
    numbers_are_found_by_state_carrier_and_owner,
    the_list_of_an_owner_reads_no_other_numbers,
    stock_is_no_number,
    all_numbers_are_for_administrators,
    odd_questions_are_refused,
}

/// Of every database one with an owner and one without.
const NUMBERS: [&str; 8] = [
    "+12025550100",
    "+14155550100",
    "+14155550101",
    "+14165550100",
    "+14165550101",
    "+442071838750",
    "+442071838751",
    "+99899123456",
];

async fn keep_all(world: &World) {
    for (index, number) in NUMBERS.iter().enumerate() {
        let carrier = if index % 3 == 0 { "knm_local" } else { "knm_bandwidth2" };
        let mut members = json!({"pvt_state": "available", "pvt_module_name": carrier});
        if index % 2 == 0 {
            members["pvt_state"] = json!("in_service");
            members["pvt_assigned_to"] = json!(if index % 4 == 0 { ACCOUNT } else { PARENT });
        }
        world.keep(number, members).await;
    }
}

async fn list(world: &World, query: &str) -> (Vec<String>, Value) {
    let answer =
        world.ask(Who::Admin, Method::GET, &format!("/v2/phone_numbers{query}"), None).await;
    let data = answer.data(200);
    (data["numbers"].as_object().unwrap().keys().cloned().collect(), answer.json())
}

async fn pages_run_over_databases_and_lose_nothing(world: &World) {
    keep_all(world).await;
    for direction in ["ascending", "descending"] {
        let mut wanted = NUMBERS.map(str::to_owned).to_vec();
        if direction == "descending" {
            wanted.reverse();
        }
        for size in 1..=9 {
            let (mut seen, mut next) = (Vec::new(), String::new());
            loop {
                let query = format!("?page_size={size}&{direction}=true{next}");
                let (page, envelope) = list(world, &query).await;
                seen.extend(page);
                match envelope["next_start_key"].as_str() {
                    Some(key) => next = format!("&start_key={key}"),
                    None => break,
                }
                assert_eq!(envelope["page_size"], size);
            }
            assert_eq!(seen, wanted, "{direction} by {size}");
        }
    }
    let range = "?ascending=true&start_key=%2B14155550101&end_key=%2B1416555010";
    assert_eq!(list(world, range).await.0, ["+14155550101"]);
}

async fn numbers_are_found_by_state_carrier_and_owner(world: &World) {
    keep_all(world).await;
    let check = async |query: &str, wanted: &[usize]| {
        let wanted: Vec<_> = wanted.iter().map(|&index| NUMBERS[index]).collect();
        assert_eq!(list(world, &format!("?ascending=true&{query}")).await.0, wanted, "{query}");
    };
    check("filter_state=available", &[1, 3, 5, 7]).await;
    check("filter_carrier=knm_local", &[0, 3, 6]).await;
    check("filter_carrier=local&filter_state=available", &[3]).await;
    check("filter_carrier=%5B%22local%22%2C%22bandwidth2%22%5D&page_size=2", &[0, 1]).await;
    check(&format!("filter_owner={ACCOUNT}"), &[0, 4]).await;
    check(&format!("filter_assigned_to={PARENT}"), &[2, 6]).await;
    check(&format!("filter_pvt_assigned_to={ACCOUNT}"), &[0, 4]).await;
    check(&format!("filter_pvt_assigned_to={ACCOUNT}&filter_owner={PARENT}"), &[]).await;
    check("filter_pvt_assigned_to=nobody", &[]).await;
    check("filter_owner=none", &[1, 3, 5, 7]).await;
    check(&format!("filter_owner=%5B%22none%22%2C%22{PARENT}%22%5D"), &[1, 2, 3, 5, 6, 7]).await;
    check("prefix=415&filter_state=in_service", &[0, 2, 4, 6]).await;
    let row = list(world, "?filter_state=in_service").await.1["data"]["numbers"][NUMBERS[0]].take();
    assert_eq!((&row["carrier"], &row["assigned_to"]), (&json!("knm_local"), &json!(ACCOUNT)));
}

async fn the_list_of_an_owner_reads_no_other_numbers(world: &World) {
    keep_all(world).await;
    let store = Arc::new(FailingStore::pages(world.store.clone(), usize::MAX));
    let app = TestApp::over(store.clone(), UNLIMITED).await;
    let both = format!("filter_owner=%5B%22{ACCOUNT}%22%2C%22{PARENT}%22%5D");
    let owned = [0, 2, 4, 6];
    for (query, wanted) in [
        (format!("filter_owner={ACCOUNT}"), &[0, 4][..]),
        (format!("filter_pvt_assigned_to={PARENT}"), &[2, 6]),
        ("filter_owner=none".to_owned(), &[1, 3, 5, 7]),
        (both, &owned),
    ] {
        for direction in ["ascending", "descending"] {
            let mut wanted: Vec<_> = wanted.iter().map(|&index| NUMBERS[index]).collect();
            if direction == "descending" {
                wanted.reverse();
            }
            for size in 1..=5 {
                let (mut seen, mut next) = (Vec::new(), String::new());
                loop {
                    let path = format!(
                        "/v2/phone_numbers?{query}&{direction}=true&page_size={size}{next}"
                    );
                    let before = store.read();
                    let answer = app.get(&path).token(&app.admin()).send().await;
                    let page = answer.data(200);
                    let page = page["numbers"].as_object().unwrap();
                    seen.extend(page.keys().cloned());
                    // One more than the page, and of each owner at most.
                    assert!(store.read() - before <= 2 * (size + 1), "{path}");
                    match answer.json()["next_start_key"].as_str() {
                        Some(key) => next = format!("&start_key={key}"),
                        None => break,
                    }
                }
                assert_eq!(seen, wanted, "{query} {direction} by {size}");
            }
        }
    }
}

async fn stock_is_no_number(world: &World) {
    let stock = json!({"pvt_type": "number", "pvt_state": "available"});
    let stock = serde_json::from_value(stock).unwrap();
    let db = DbName::new("numbers/managed");
    world.put(db.clone(), "+14155559999", stock).await;
    assert_eq!(list(world, "?page_size=50").await.0, [""; 0]);
    let stored = world.store.get(&db, "+14155559999").await.unwrap().live().unwrap();
    let delete = Write::delete(db, stored.id, stored.rev, Body::new());
    world.store.commit(vec![delete]).await.unwrap();
}

async fn all_numbers_are_for_administrators(world: &World) {
    let data = json!({"message": "forbidden"});
    let asked = (HOLDER, Method::GET, "/v2/phone_numbers?filter_state=available", None);
    world.check_refused(asked, 403, "forbidden", &data).await;
    let nobody = world.ask(Who::Nobody, Method::GET, "/v2/phone_numbers?has_key=x", None).await;
    nobody.check_status(401);
}

async fn odd_questions_are_refused(world: &World) {
    for (query, status) in [
        ("filter_owner=x", 400),
        ("filter_owner=", 400),
        ("filter_carrier=", 400),
        ("page_size=0", 404),
        ("paginate=false&page_size=9999", 200),
        ("start_key=%00&end_key=%FF", 200),
    ] {
        let path = format!("/v2/phone_numbers?{query}");
        let answer = world.ask(Who::Admin, Method::GET, &path, None).await;
        assert_eq!(answer.status.as_u16(), status, "{query}: {}", answer.text);
    }
}
