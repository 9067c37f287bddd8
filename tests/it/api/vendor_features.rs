//! Features that a vendor provides, with the settings that an operator writes: from the quote to what
//! is told later.

use axum::http::Method;
use serde_json::{Value, json};

use super::{
    features::{about, held},
    operation::run,
    world::{HOLDER, NUMBER, Who, World, over_both_stores},
};
use crate::support::{
    app::TestApp,
    dash::{Dash, PASSWORD, USER},
    vendor::{Trouble, VendorServer},
};

over_both_stores! {
    settings_of_providers_are_checked_by_name,
    an_address_is_provided_when_it_changes_and_not_before,
    what_may_be_several_addresses_is_asked_back,
    what_is_not_paid_for_reaches_no_vendor,
    a_vendor_that_is_down_holds_up_no_release,
}

const SETTINGS: &str = "/v2/system_configs/number_manager.dash_e911";

fn address(street: &str) -> Value {
    json!({
        "street_address": street, "locality": "San Francisco", "region": "CA",
        "postal_code": "94105",
    })
}

fn e911(street: &str) -> Value {
    json!({ "e911": address(street) })
}

/// A service whose addresses are at DASH, and a number.
async fn dashing(world: &World, settings: Value) -> (TestApp, Dash, VendorServer) {
    let dash = Dash::default();
    let server = VendorServer::start(Box::new(dash.clone())).await;
    let written = json!({"default": {
        "auth_username": USER, "auth_password": PASSWORD, "requests_per_second": 0,
        "emergency_provisioning_url": server.url(), "provisioning_timeout_ms": 2000,
    }});
    let answer = world.ask(Who::Admin, Method::POST, SETTINGS, Some(&written)).await;
    answer.check_status(200);
    assert!(!answer.text.contains(PASSWORD), "{}", answer.text);
    world.keep(NUMBER, held(&json!({}))).await;
    (world.configured(settings).await, dash, server)
}

fn street(dash: &Dash) -> Option<String> {
    dash.in_force(NUMBER).map(|(street, _)| street)
}

async fn settings_of_providers_are_checked_by_name(world: &World) {
    for (vendor, data, field) in [
        (
            "dash_e911",
            json!({"default": {"provisioning_timeout_ms": 0}}),
            "provisioning_timeout_ms",
        ),
        ("dash_e911", json!({"default": {"auth_password": [PASSWORD]}}), "auth_password"),
        (
            "dash_e911",
            json!({"zone": {"emergency_provisioning_url": "http://dash.example.com"}}),
            "zone.emergency_provisioning_url",
        ),
    ] {
        let path = format!("/v2/system_configs/number_manager.{vendor}");
        let answer = world.ask(Who::Admin, Method::POST, &path, Some(&data)).await;
        answer.check_status(400);
        assert!(answer.json()["data"][field].is_object(), "{}", answer.text);
        assert!(!answer.text.contains(PASSWORD), "{}", answer.text);
    }
}

async fn an_address_is_provided_when_it_changes_and_not_before(world: &World) {
    let (app, dash, server) = dashing(world, json!({})).await;
    let mut given = address("100 Main St");
    given["notification_contact_emails"] = json!(["ops@example.com"]);
    let answer = about(&app, HOLDER, Method::PATCH, "", &json!({ "e911": given })).await;
    let data = answer.data(200);
    let kept = &data["e911"];
    assert_eq!(
        (&kept["status"], &kept["street_address"], &kept["notification_contact_emails"]),
        (&json!("PROVISIONED"), &json!("100 MAIN ST"), &json!(["ops@example.com"]))
    );
    assert_eq!(street(&dash).as_deref(), Some("100 MAIN ST"));
    let stored = world.document(NUMBER).await.unwrap().body;
    assert_eq!((&stored["pvt_features"]["e911"], &stored["e911"]), (kept, kept));
    let asked = ["/validatelocation", "/addlocation", "/provisionlocation"];
    assert_eq!(server.taken(), asked.map(|path| format!("POST {path}")));
    let denied = json!({"e911": address("2 Main St"), "failover": {"e164": "+14155550101"}});
    for (data, status) in [
        (json!({"a": 1}), 200),
        (json!({ "e911": kept }), 200),
        (json!({"cnam": {"display_name": "ACME"}}), 200),
        (denied, 403),
    ] {
        about(&app, HOLDER, Method::PATCH, "", &data).await.check_status(status);
        assert_eq!(server.taken(), Vec::<String>::new(), "{data}");
    }
    about(&app, HOLDER, Method::PATCH, "", &e911("2 Main St")).await.check_status(200);
    assert_eq!(street(&dash).as_deref(), Some("2 MAIN ST"));
    // A plan of what the holder could have done by a table asks nobody either.
    server.taken();
    let plan = json!({"scope": {"numbers": [NUMBER]}});
    run(&app, "delete_numbers", &plan).await;
    assert_eq!(server.taken(), Vec::<String>::new());
}

async fn what_may_be_several_addresses_is_asked_back(world: &World) {
    let (app, dash, _server) = dashing(world, json!({})).await;
    let before = world.everything().await;
    let answer = about(&app, HOLDER, Method::PATCH, "", &e911("Twice 1")).await;
    answer.check_status(400);
    let choice = &answer.json()["data"]["multiple_choice"]["e911"];
    assert_eq!(choice["cause"], address("Twice 1"));
    let codes: Vec<_> = choice["details"].as_array().unwrap().iter().collect();
    assert_eq!((codes.len(), &codes[1]["postal_code"]), (2, &json!("2")));
    let answer = about(&app, HOLDER, Method::PATCH, "", &e911("Nowhere 1")).await;
    answer.check_status(400);
    assert_eq!(answer.json()["data"]["cause"], "Location is invalid");
    assert_eq!((world.everything().await, street(&dash)), (before, None));
}

async fn what_is_not_paid_for_reaches_no_vendor(world: &World) {
    let prices = json!({"currency": "USD", "features": {"e911": {"one_time": 1, "monthly": 2}}});
    let (app, dash, server) = dashing(world, json!({"billing": {"prices": prices}})).await;
    about(&app, HOLDER, Method::PATCH, "", &e911("1 Main St")).await.check_status(402);
    assert_eq!(server.taken(), Vec::<String>::new());
    let accepted = "?accept_charges=true";
    about(&app, HOLDER, Method::PATCH, accepted, &e911("1 Main St")).await.check_status(200);
    assert_eq!(street(&dash).as_deref(), Some("1 MAIN ST"));
}

async fn a_vendor_that_is_down_holds_up_no_release(world: &World) {
    let (app, dash, server) = dashing(world, json!({})).await;
    about(&app, HOLDER, Method::PATCH, "", &e911("1 Main St")).await.check_status(200);
    server.always(Some(Trouble::Say(500, format!("bad key {PASSWORD}"))));
    about(&app, HOLDER, Method::DELETE, "", &json!({})).await.check_status(200);
    let left = async || {
        let shown = app.get("/v2/consistency").token(&app.admin()).send().await;
        assert!(!shown.text.contains(PASSWORD), "{}", shown.text);
        shown.data(200)["providers"].clone()
    };
    for _ in 0..500 {
        if left().await[0]["tries"] == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(left().await[0]["reason"], "knm_dash_e911: bad key ******** (status 500)");
    assert_eq!(street(&dash).as_deref(), Some("1 MAIN ST"));
    server.always(None);
    app.clock().advance(jiff::SignedDuration::from_mins(1));
    let job = run(&app, "settle", &json!({"scope": {"all": true}})).await;
    assert_eq!(job["findings"]["providers_told"]["ids"], json!([NUMBER]));
    assert_eq!((street(&dash), left().await), (None, json!([])));
}
