//! Carriers of this build, with the settings that an operator writes: from the search to giving back.

use std::time::Duration;

use axum::http::Method;
use number_manager::carriers::OutsideCarriers;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::world::{
    HOLDER, NUMBER, UNLIMITED, Who, World, number_error, numbers, over_both_stores,
};
use crate::support::{
    app::{ACCOUNT, Answer, TestApp},
    telnyx::{KEY, Telnyx},
    vendor::VendorServer,
};

over_both_stores! {
    settings_of_carriers_are_checked_by_name,
    a_number_is_bought_and_given_back_at_a_vendor,
    why_a_purchase_is_refused_is_for_administrators,
    a_carrier_that_is_not_set_up_says_so,
}

const SETTINGS: &str = "/v2/system_configs/number_manager.telnyx";

/// A service whose carriers are those of this build, all of which are searched at Telnyx alone.
async fn dealing(world: &World) -> TestApp {
    world.configured(json!({"carrier_modules": ["knm_telnyx"]})).await;
    TestApp::selling(world.store.clone(), UNLIMITED, OutsideCarriers::standard()).await
}

/// The same, with a vendor that has the number.
async fn selling(world: &World) -> (TestApp, VendorServer) {
    let server = VendorServer::start(Box::new(Telnyx::default())).await;
    server.vendor(|it| it.offer(NUMBER));
    let settings = json!({
        "default": {"token": KEY, "base_url": server.url(), "order_poll_ms": 10},
    });
    let written = world.ask(Who::Admin, Method::POST, SETTINGS, Some(&settings)).await;
    written.check_status(200);
    assert!(!written.text.contains(KEY), "{}", written.text);
    (dealing(world).await, server)
}

async fn look(app: &TestApp) -> usize {
    let path = numbers("?prefix=415&quantity=3");
    let found = app.get(&path).token(&app.account(ACCOUNT)).send().await;
    found.data(200).as_array().unwrap().len()
}

async fn activate(app: &TestApp, token: &str) -> Answer {
    let path = numbers(&format!("/{NUMBER}/activate"));
    app.ask(Method::PUT, &path).token(token).data(&json!({})).send().await
}

async fn settings_of_carriers_are_checked_by_name(world: &World) {
    for (vendor, data, field) in [
        ("telnyx", json!({"default": {"search_timeout_ms": 0}}), "search_timeout_ms"),
        ("telnyx", json!({"default": {"base_url": "http://api.example.com"}}), "base_url"),
        ("telnyx", json!({"default": {"token": [KEY]}}), "token"),
        ("telnyx", json!({"zone": {"concurrency": "few"}}), "zone.concurrency"),
        ("other", json!({"default": {"phonebook_url": "gopher://h"}}), "phonebook_url"),
        ("other", json!({"default": {"auth_header": "no header"}}), "auth_header"),
    ] {
        let path = format!("/v2/system_configs/number_manager.{vendor}");
        let answer = world.ask(Who::Admin, Method::POST, &path, Some(&data)).await;
        answer.check_status(400);
        assert!(answer.json()["data"][field].is_object(), "{}", answer.text);
        assert!(!answer.text.contains(KEY), "{}", answer.text);
        let kept = world.ask(Who::Admin, Method::GET, &path, None).await.data(200);
        assert_eq!(kept.get("default"), None, "{vendor}");
    }
    // Of vendors that are no carriers of this build nothing is known.
    let data = json!({"default": {"search_timeout_ms": 0}});
    for vendor in ["bandwidth_es", "didww"] {
        let path = format!("/v2/system_configs/number_manager.{vendor}");
        world.ask(Who::Admin, Method::POST, &path, Some(&data)).await.check_status(200);
    }
}

async fn a_number_is_bought_and_given_back_at_a_vendor(world: &World) {
    let (app, server) = selling(world).await;
    let mut row = json!({
        "number": NUMBER, "state": "discovery",
        "details": {
            "locality": {"country_code": "US", "rate_center": "SNFC CNTRL"},
            "features": ["voice", "sms"],
        },
    });
    let found =
        async |token: &str| app.get(&numbers("?prefix=415")).token(token).send().await.data(200);
    assert_eq!(found(&app.account(ACCOUNT)).await, json!([row]));
    // What it costs the operator is not for customers.
    row["details"]["cost"] = json!({"upfront": "1.00", "monthly": "1.00", "currency": "USD"});
    assert_eq!(found(&app.admin()).await, json!([row]));
    activate(&app, &app.account(ACCOUNT)).await.check_status(201);
    assert!(server.vendor(|it| it.owns(NUMBER)));
    let document = world.document(NUMBER).await.unwrap().body;
    let kept = &document["pvt_carrier_data"];
    assert_eq!(kept["order_id"], "11111111-2222-4333-8444-000000000000");
    assert_eq!(kept["phone_number"], NUMBER);
    assert_eq!(look(&app).await, 0, "what is sold is offered no more");
    let path = numbers(&format!("/{NUMBER}?hard=true"));
    app.ask(Method::DELETE, &path).token(&app.admin()).send().await.check_status(200);
    for _ in 0..500 {
        if !server.vendor(|it| it.owns(NUMBER)) {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert!(!server.vendor(|it| it.owns(NUMBER)), "it was not given back");
}

async fn why_a_purchase_is_refused_is_for_administrators(world: &World) {
    let (app, server) = selling(world).await;
    server.vendor(|it| it.failing());
    assert_eq!(look(&app).await, 1);
    let fault = number_error(500, "unspecified_fault", Some(NUMBER), "fault by carrier");
    activate(&app, &app.account(ACCOUNT)).await.check_error(500, "unspecified_fault", &fault);
    let mut told = fault;
    told["carrier"] = json!({
        "name": "knm_telnyx", "status": 400, "code": "10015",
        "reason": "phone_number is not available",
    });
    activate(&app, &app.admin()).await.check_error(500, "unspecified_fault", &told);
    assert_eq!(world.document(NUMBER).await, None);
}

async fn a_carrier_that_is_not_set_up_says_so(world: &World) {
    let app = dealing(world).await;
    assert_eq!(look(&app).await, 0);
    // What was bought in another way is not forgotten: it waits until the carrier can be asked.
    let number = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_module_name": "knm_telnyx",
    });
    world.keep(NUMBER, number).await;
    let path = numbers(&format!("/{NUMBER}?hard=true"));
    app.ask(Method::DELETE, &path).token(&app.admin()).send().await.check_status(200);
    let open = async || {
        let shown = app.get("/v2/consistency").token(&app.admin()).send().await.data(200);
        shown["carriers"]["disconnects"].clone()
    };
    let mut waiting = Value::Null;
    for _ in 0..500 {
        waiting = open().await;
        if waiting[0]["tries"] == 1 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(waiting[0]["reason"], "it refused: setting `token` is missing");
    world.ask(HOLDER, Method::GET, "/v2/consistency", None).await.check_status(403);
}
