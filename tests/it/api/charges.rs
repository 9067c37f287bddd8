//! What costs something: asked for before anything is done, recorded once when it is done; and how
//! much of everything an account has.

use std::sync::Arc;

use axum::http::Method;
use futures::future::join_all;
use number_manager::store::{
    Body, DbName, Document, IdRange, Order, Query, Question, SharedStore, Write,
};
use serde_json::{Value, json};

use super::world::{
    HOLDER, MADE, NOW, NUMBER, UNLIMITED, World, numbers, over_both_stores, path_of,
};
use crate::support::{
    app::{ACCOUNT, Answer, PARENT, STRANGER, TestApp},
    failing::FailingStore,
    invariants::violations,
};

over_both_stores! {
    without_prices_nobody_is_asked,
    charges_are_asked_for_and_nothing_is_done,
    an_accepted_charge_is_recorded_once,
    acceptance_can_be_said_in_four_places,
    who_is_to_hold_the_number_pays,
    only_what_is_new_costs,
    a_batch_is_asked_about_as_a_whole,
    a_collected_charge_does_not_come_back,
    two_that_take_one_number_are_charged_once,
    quantities_are_counted_below_too,
    what_is_released_is_counted_no_more,
}

const OTHER: &str = "+14155550101";

/// Settings with prices, in which new numbers are not local ones.
fn priced() -> Value {
    json!({
        "available_module_name": "knm_inventory",
        "billing": {"prices": {
            "currency": "USD",
            "classifications": {"did_us": {"one_time": 1, "monthly": 2}},
            "carriers": {"telnyx": {"name": "Telnyx", "one_time": 0.5}},
        }},
    })
}

/// A request of somebody, with members beside `data`.
async fn ask(app: &TestApp, token: &str, method: Method, path: &str, body: &Value) -> Answer {
    app.ask(method, path).token(token).body(body.to_string()).send().await
}

fn alone(rest: &str) -> String {
    numbers(&format!("/{NUMBER}{rest}"))
}

/// Every charge that waits to be collected.
async fn charges(store: &SharedStore) -> Vec<Document> {
    let db = DbName::new("number_manager_charges-202405");
    let range = IdRange { from: String::new(), before: "\u{10ffff}".to_owned() };
    let (question, order) = (Question::All, Order::Ascending);
    let query = Query { question, range, order, after: None, limit: 100 };
    match store.query(&db, &query).await {
        Ok(page) => page.documents,
        Err(_) => Vec::new(),
    }
}

/// What is charged, as account, item and number, sorted.
async fn charged(store: &SharedStore) -> Vec<(String, String, String)> {
    let mut all = Vec::new();
    for charge in charges(store).await {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        for item in charge.body["items"].as_array().unwrap() {
            let (account, number) = (&charge.body["account_id"], &charge.body["number"]);
            all.push((text(account), text(&item["item"]), text(number)));
        }
    }
    all.sort();
    all
}

fn did(account: &str, number: &str) -> (String, String, String) {
    (account.to_owned(), "did_us".to_owned(), number.to_owned())
}

async fn without_prices_nobody_is_asked(world: &World) {
    let app = world.configured(json!({"available_module_name": "knm_inventory"})).await;
    let body = json!({"data": {}});
    ask(&app, &app.admin(), Method::PUT, &alone(""), &body).await.check_status(201);
    assert_eq!(charges(&world.store).await, []);
    assert!(!world.document(NUMBER).await.unwrap().body.contains_key("pvt_charge"));
}

async fn charges_are_asked_for_and_nothing_is_done(world: &World) {
    world.keep(OTHER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let app = world.configured(priced()).await;
    let before = world.everything().await;
    let body = json!({"data": {"carrier_name": "telnyx"}});
    let answer = ask(&app, &app.admin(), Method::PUT, &alone(""), &body).await;
    let invoice = json!([{
        "activation_charges": [
            {
                "category": "number_activation", "item": "did_us", "name": "US DID",
                "quantity": 1, "amount": 1.0,
            },
            {
                "category": "number_carriers", "item": "knm_telnyx", "name": "Telnyx",
                "quantity": 1, "amount": 0.5,
            },
        ],
        "items": [
            {
                "category": "phone_numbers", "item": "did_us", "name": "US DID", "quantity": 2,
                "billable": 2, "rate": 2.0, "total": 4.0,
                "changes": {"type": "modified", "difference": {"quantity": 1}},
            },
            {
                "category": "number_carriers", "item": "knm_telnyx", "name": "Telnyx",
                "quantity": 1, "billable": 1, "rate": 0.0, "total": 0.0,
                "changes": {"type": "created", "difference": {"quantity": 1}},
            },
        ],
        "taxes": [],
        "plan": {"id": "number_manager"},
        "bookkeeper": {"id": "number_manager", "type": "number_manager"},
        "summary": {"today": 1.5, "recurring": 4.0},
        "account_id": ACCOUNT,
        "currency": "USD",
    }]);
    answer.check_error(402, "accept charges", &invoice);
    assert_eq!(world.everything().await, before);
    assert_eq!(charges(&world.store).await, []);
    // What is refused anyway is refused at once.
    let taken = numbers(&format!("/{OTHER}"));
    ask(&app, &app.admin(), Method::PUT, &taken, &body).await.check_status(409);
}

async fn an_accepted_charge_is_recorded_once(world: &World) {
    let app = world.configured(priced()).await;
    let body = json!({"data": {}, "accept_charges": true});
    ask(&app, &app.admin(), Method::PUT, &alone(""), &body).await.check_status(201);
    let recorded = charges(&world.store).await;
    assert_eq!(recorded.len(), 1);
    let mut charge = recorded[0].body.clone();
    charge.shift_remove("pvt_write_id").unwrap();
    let wanted: Body = serde_json::from_value(json!({
        "pvt_type": "number_charge", "number": NUMBER, "account_id": ACCOUNT, "currency": "USD",
        "items": [{
            "category": "phone_numbers", "item": "did_us", "name": "US DID", "quantity": 1,
            "one_time": 1.0, "monthly": 2.0,
        }],
        "created": NOW,
    }))
    .unwrap();
    // Servers spell 1.0 as 1.
    let spelt = |body: &Body| Value::Object(body.clone()).to_string().replace(".0", "");
    assert_eq!(spelt(&charge), spelt(&wanted));
    let held = world.document(NUMBER).await.unwrap().body;
    assert_eq!(held["pvt_charge"]["id"], recorded[0].id.as_str());
    // Asked again, nothing is charged again; and the next write forgets what is recorded.
    ask(&app, &app.admin(), Method::PUT, &alone(""), &body).await.check_status(409);
    let note = json!({"data": {"note": 1}});
    ask(&app, &app.admin(), Method::PATCH, &alone(""), &note).await.check_status(200);
    assert!(!world.document(NUMBER).await.unwrap().body.contains_key("pvt_charge"));
    ask(&app, &app.admin(), Method::DELETE, &alone(""), &note).await.check_status(200);
    assert_eq!(charges(&world.store).await, recorded);
}

async fn acceptance_can_be_said_in_four_places(world: &World) {
    let app = world.configured(priced()).await;
    for (place, (query, body)) in [
        ("", json!({"data": {}, "accept_charges": true})),
        ("", json!({"data": {}, "Accept_Charges": "true"})),
        ("", json!({"data": {"accept_charges": true}})),
        ("?accept_charges=true", json!({"data": {}})),
    ]
    .into_iter()
    .enumerate()
    {
        let path = numbers(&format!("/+1415555030{place}{query}"));
        ask(&app, &app.admin(), Method::PUT, &path, &body).await.check_status(201);
        let stored = world.document(&format!("+1415555030{place}")).await.unwrap().body;
        assert!(!stored.contains_key("accept_charges"), "{body}");
    }
    for body in [json!({"data": {}, "accept_charges": false}), json!({"data": {"x": "true"}})] {
        ask(&app, &app.admin(), Method::PUT, &alone(""), &body).await.check_status(402);
    }
}

async fn who_is_to_hold_the_number_pays(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "available"})).await;
    let app = world.configured(priced()).await;
    // The parent asks, its child is to have the number.
    let token = app.account(PARENT);
    let body = json!({"data": {}});
    let asked = ask(&app, &token, Method::PUT, &alone("/activate"), &body).await;
    asked.check_status(402);
    assert_eq!(asked.json()["data"][0]["account_id"], ACCOUNT);
    let body = json!({"data": {}, "accept_charges": true});
    ask(&app, &token, Method::PUT, &alone("/activate"), &body).await.check_status(201);
    assert_eq!(charged(&world.store).await, [did(ACCOUNT, NUMBER)]);
    // Another holder pays anew.
    let path = path_of(PARENT, &format!("/{NUMBER}/activate"));
    ask(&app, &token, Method::PUT, &path, &json!({"data": {}})).await.check_status(402);
    ask(&app, &token, Method::PUT, &path, &body).await.check_status(201);
    assert_eq!(charged(&world.store).await, [did(ACCOUNT, NUMBER), did(PARENT, NUMBER)]);
}

async fn only_what_is_new_costs(world: &World) {
    let history = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT,
        "pvt_reserve_history": [ACCOUNT, PARENT],
    });
    world.keep(NUMBER, history).await;
    let app = world.configured(priced()).await;
    let (holder, body) = (app.account(ACCOUNT), json!({"data": {"note": 1}}));
    for (method, rest) in [
        (Method::POST, ""),
        (Method::PATCH, ""),
        (Method::PUT, "/activate"),
        (Method::PUT, "/reserve"),
    ] {
        let answer = ask(&app, &holder, method.clone(), &alone(rest), &body).await;
        assert!(answer.status.is_success(), "{method} {rest}: {}", answer.text);
    }
    // Who gives a number up is not asked what it costs the one that has it again.
    ask(&app, &holder, Method::DELETE, &alone(""), &body).await.check_status(200);
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(PARENT));
    let local = json!({"data": {"carrier_name": "local"}});
    let path = numbers(&format!("/{OTHER}"));
    ask(&app, &app.admin(), Method::PUT, &path, &local).await.check_status(201);
    assert_eq!(charges(&world.store).await, [], "a local number is in no class");
    let carrier = json!({"data": {"carrier_name": "telnyx"}});
    ask(&app, &app.admin(), Method::PATCH, &alone(""), &carrier).await.check_status(402);
}

async fn a_batch_is_asked_about_as_a_whole(world: &World) {
    world.keep(OTHER, json!({"pvt_state": "in_service", "pvt_assigned_to": STRANGER})).await;
    let app = world.configured(priced()).await;
    let before = world.everything().await;
    let path = numbers("/collection");
    let given = json!([NUMBER, OTHER, "abc", "+14165550100", "+442079460000"]);
    let body = json!({"data": {"numbers": given}});
    let asked = ask(&app, &app.admin(), Method::PUT, &path, &body).await;
    asked.check_status(402);
    let invoices = asked.json()["data"].take();
    assert_eq!(invoices.as_array().unwrap().len(), 1);
    let item = &invoices[0]["items"][0];
    assert_eq!((&item["quantity"], &item["changes"]["type"]), (&json!(2), &json!("created")));
    assert_eq!(invoices[0]["summary"], json!({"today": 2.0, "recurring": 4.0}));
    assert_eq!(world.everything().await, before);
    let body = json!({"data": {"numbers": given}, "accept_charges": true});
    let data = ask(&app, &app.admin(), Method::PUT, &path, &body).await.data(201);
    assert_eq!(data["success"].as_object().unwrap().len(), 3, "{data}");
    assert_eq!(data["error"].as_object().unwrap().len(), 2, "{data}");
    let wanted = [did(ACCOUNT, NUMBER), did(ACCOUNT, "+14165550100")];
    assert_eq!(charged(&world.store).await, wanted);
    // What was charged is not charged by the next write either.
    let body = json!({"data": {"numbers": [NUMBER, "+14165550100"], "note": 1}});
    ask(&app, &app.admin(), Method::PATCH, &path, &body).await.check_status(200);
    assert!(!world.document(NUMBER).await.unwrap().body.contains_key("pvt_charge"));
    assert_eq!(charged(&world.store).await, wanted);
}

async fn a_collected_charge_does_not_come_back(world: &World) {
    let app = world.configured(priced()).await;
    let body = json!({"data": {}, "accept_charges": true});
    ask(&app, &app.admin(), Method::PUT, &alone(""), &body).await.check_status(201);
    let Document { id, rev, .. } = charges(&world.store).await.remove(0);
    let db = DbName::new("number_manager_charges-202405");
    let collect = Write::delete(db, id, rev, Body::new());
    world.store.commit(vec![collect]).await.unwrap();
    // Both look at the charge again: a refused request, and the next write.
    ask(&app, &app.admin(), Method::PUT, &alone(""), &body).await.check_status(409);
    let note = json!({"data": {"note": 1}});
    ask(&app, &app.admin(), Method::PATCH, &alone(""), &note).await.check_status(200);
    assert_eq!(charges(&world.store).await, []);
}

async fn two_that_take_one_number_are_charged_once(world: &World) {
    let given: Vec<String> = (0..10).map(|place| format!("+1415555040{place}")).collect();
    for number in &given {
        world.keep(number, json!({"pvt_state": "available"})).await;
    }
    let first = world.configured(priced()).await;
    let second = TestApp::over(world.store.clone(), UNLIMITED).await;
    let body = json!({"data": {"numbers": given}, "accept_charges": true});
    let take = async |app: &TestApp, account: &str| {
        let path = path_of(account, "/collection/activate");
        ask(app, &app.account(account), Method::PUT, &path, &body).await
    };
    let (one, other) = tokio::join!(take(&first, ACCOUNT), take(&second, STRANGER));
    one.check_status(201);
    other.check_status(201);
    let mut wanted = Vec::new();
    for number in &given {
        wanted.push(did(&world.owner(number).await.unwrap(), number));
    }
    wanted.sort();
    assert_eq!(charged(&world.store).await, wanted);
}

async fn quantities_are_counted_below_too(world: &World) {
    let held = |account: &str, carrier: &str, features: Value| {
        json!({
            "pvt_state": "in_service", "pvt_assigned_to": account, "pvt_module_name": carrier,
            "pvt_features": features,
        })
    };
    let cnam = json!({"outbound_cnam": {}});
    world.keep(NUMBER, held(PARENT, "knm_inventory", json!({}))).await;
    world.keep(OTHER, held(ACCOUNT, "knm_inventory", cnam)).await;
    world.keep("+18005550100", held(ACCOUNT, "knm_telnyx", json!({}))).await;
    world.keep("+14155550103", held(ACCOUNT, "knm_local", json!({"local": {}}))).await;
    world.keep("+14155550104", held(STRANGER, "knm_inventory", json!({}))).await;
    world.keep("+14155550105", json!({"pvt_state": "available", "pvt_created": MADE})).await;
    let counts = |numbers: Value, carriers: Value, services: Value| json!({"phone_numbers": numbers, "number_carriers": carriers, "number_services": services});
    let own = counts(json!({"did_us": 1}), json!({"knm_inventory": 1}), json!({}));
    let below = counts(
        json!({"did_us": 1, "tollfree_us": 1}),
        json!({"knm_inventory": 1, "knm_local": 1, "knm_telnyx": 1}),
        json!({"local": 1, "outbound_cnam": 1}),
    );
    let total = counts(
        json!({"did_us": 2, "tollfree_us": 1}),
        json!({"knm_inventory": 2, "knm_local": 1, "knm_telnyx": 1}),
        json!({"local": 1, "outbound_cnam": 1}),
    );
    let none = counts(json!({}), json!({}), json!({}));
    let app = &world.app;
    let path = path_of(PARENT, "/quantities");
    let counted = app.get(&path).token(&app.account(PARENT)).send().await.data(200);
    assert_eq!(counted, json!({"own": own, "descendants": below, "total": total}));
    let counted = world.ask(HOLDER, Method::GET, &numbers("/quantities"), None).await.data(200);
    assert_eq!(counted, json!({"own": below, "descendants": none, "total": below}));
    world.ask(HOLDER, Method::GET, &path, None).await.check_status(403);
    for (account, cascade) in [(PARENT, 2), (ACCOUNT, 0), (STRANGER, 0)] {
        let list = app.get(&path_of(account, "")).token(&app.account(account)).send().await;
        assert_eq!(list.data(200)["cascade_quantity"], cascade, "{account}");
    }
}

async fn what_is_released_is_counted_no_more(world: &World) {
    for number in [NUMBER, OTHER] {
        let members = json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT});
        world.keep(number, members).await;
    }
    let counted = async || {
        let counted = world.ask(HOLDER, Method::GET, &numbers("/quantities"), None).await.data(200);
        counted["total"]["phone_numbers"].clone()
    };
    assert_eq!(counted().await, json!({"did_us": 2}));
    world.ask(HOLDER, Method::DELETE, &alone(""), None).await.check_status(200);
    assert_eq!(counted().await, json!({"did_us": 1}));
    let data = json!({"numbers": [OTHER]});
    world.ask(HOLDER, Method::DELETE, &numbers("/collection"), Some(&data)).await.check_status(200);
    assert_eq!(counted().await, json!({}));
}

/// How a charged request ends when the store fails after some writes. However far it came, the
/// number that is stored is charged once when somebody looks at it again; one that is not, is not.
async fn interrupt(path: &'static str, given: Option<Value>, after: usize) {
    let world = World::embedded().await;
    if let Some(members) = given.clone() {
        world.keep(NUMBER, members).await;
    }
    let healthy = world.configured(priced()).await;
    let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), after));
    let app = TestApp::over(failing, UNLIMITED).await;
    let body = json!({"data": {"numbers": [NUMBER]}, "accept_charges": true});
    let path = numbers(path);
    ask(&app, &app.admin(), Method::PUT, &path, &body).await;
    let case = format!("{path} {given:?} after {after} writes");
    let owner = match world.document(NUMBER).await {
        Some(document) => document.body.get("pvt_assigned_to").cloned(),
        None => None,
    };
    let recorded = charged(&world.store).await;
    match owner {
        Some(_) => assert!(recorded.len() <= 1, "{case}: {recorded:?}"),
        None => assert_eq!(recorded, [], "{case}: what is not stored costs nothing"),
    }
    // Another account takes it over; the first charge is still there, and once.
    ask(&healthy, &healthy.admin(), Method::PUT, &path, &body).await;
    let take = path_of(STRANGER, &format!("/{NUMBER}/activate"));
    let taken = ask(&healthy, &healthy.admin(), Method::PUT, &take, &body).await;
    taken.check_status(201);
    let wanted = [did(ACCOUNT, NUMBER), did(STRANGER, NUMBER)];
    assert_eq!(charged(&world.store).await, wanted, "{case}");
    assert_eq!(violations(&*world.store).await, [], "{case}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_charge_survives_a_write_that_stops_anywhere() {
    let available = json!({"pvt_state": "available"});
    let alone: &'static str = "/+14155550100";
    let activate: &'static str = "/+14155550100/activate";
    let cases = [
        (alone, None),
        (activate, Some(available.clone())),
        ("/collection", None),
        ("/collection/activate", Some(available)),
    ];
    // All at once, since each waits for two seconds for the store to come back.
    let cases = cases.into_iter();
    join_all(
        cases.flat_map(|(path, given)| {
            (0..=6).map(move |after| interrupt(path, given.clone(), after))
        }),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_again_records_what_was_interrupted() {
    let world = World::embedded().await;
    let healthy = world.configured(priced()).await;
    let body = json!({"data": {}, "accept_charges": true});
    for after in 0..=3 {
        let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), after));
        let app = TestApp::over(failing, UNLIMITED).await;
        let path = numbers(&format!("/+1415555050{after}"));
        ask(&app, &app.admin(), Method::PUT, &path, &body).await;
        ask(&healthy, &healthy.admin(), Method::PUT, &path, &body).await;
        assert_eq!(charged(&world.store).await.len(), after + 1);
    }
}
