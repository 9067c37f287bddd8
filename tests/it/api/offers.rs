//! Taking numbers that were offered: the stock of managed and inum, and outside carriers.

use std::sync::Arc;

use axum::http::Method;
use futures::future::{join, join_all};
use number_manager::store::{Body, DbName, SharedStore};
use serde_json::{Value, json};

use super::world::{
    HOLDER, NOW, NUMBER, UNLIMITED, Who, World, number_error, numbers, over_both_stores, path_of,
};
use crate::support::{
    app::{ACCOUNT, Answer, PARENT, STRANGER, TestApp},
    carriers::{Mood, ScriptedCarrier, registry},
    failing::FailingStore,
    invariants::violations,
};

over_both_stores! {
    what_was_offered_is_taken_at_any_replica,
    many_offers_are_taken_at_once,
    an_offer_is_for_whom_it_was_made,
    an_offer_ends,
    offers_of_days_gone_by_are_dropped,
    a_reserved_offer_is_bought_too,
    stock_that_was_released_is_for_nobody_else,
    what_was_never_in_stock_does_not_come_into_it,
    creating_a_number_buys_nothing,
    of_two_accounts_exactly_one_gets_it,
    a_claim_that_stops_in_its_middle_is_finished_or_lapses,
    an_outside_number_is_bought_once,
    a_number_that_is_not_sold_is_not_stored,
    a_number_that_was_bought_and_not_stored_is_bought_once,
}

/// Another account below the same parent.
const SIBLING: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";
const SETTINGS: &str = "carrier_modules";

/// Searches in managed stock, of which there is some for an account from `NUMBER` on.
async fn stocked(world: &World, kind: &str, account: &str) -> TestApp {
    let app = world.configured(json!({SETTINGS: ["knm_managed", "knm_inum"]})).await;
    generate(world, kind, account).await;
    app
}

async fn generate(world: &World, kind: &str, account: &str) {
    for number in [NUMBER, "+14155550101", "+14155550102"] {
        put_in_stock(world, kind, account, number).await;
    }
}

/// Puts a number into stock as generation does, which knows how numbers of iNum begin.
pub(super) async fn put_in_stock(world: &World, kind: &str, account: &str, number: &str) {
    let db = DbName::new(format!("numbers/{kind}"));
    let mut body = stock_of(account, kind, "available", None);
    for stamp in ["pvt_created", "pvt_modified"] {
        body.insert(stamp.to_owned(), NOW.into());
    }
    body.insert("pvt_write_id".to_owned(), "0".repeat(32).into());
    world.put(db, number, body).await;
}

/// Makes managed stock of the account that most cases are about, and finds it.
pub(super) async fn make_and_find(world: &World, app: &TestApp) {
    generate(world, "managed", ACCOUNT).await;
    assert_eq!(look(app, ACCOUNT).await, 3);
}

async fn look(app: &TestApp, account: &str) -> usize {
    let path = path_of(account, "?prefix=415&quantity=10");
    let answer = app.get(&path).token(&app.account(account)).send().await;
    answer.data(200).as_array().unwrap().len()
}

async fn take(app: &TestApp, account: &str, number: &str, how: &str) -> Answer {
    let path = path_of(account, &format!("/{number}/{how}"));
    app.ask(Method::PUT, &path).token(&app.account(account)).send().await
}

async fn activate(app: &TestApp, account: &str) -> Answer {
    take(app, account, NUMBER, "activate").await
}

async fn stock(world: &World, kind: &str) -> Body {
    let db = DbName::new(format!("numbers/{kind}"));
    let mut body = world.store.get(&db, NUMBER).await.unwrap().live().unwrap().body;
    for key in ["pvt_write_id", "pvt_created", "pvt_modified"] {
        body.shift_remove(key).unwrap();
    }
    body
}

fn stock_of(account: &str, kind: &str, state: &str, holder: Option<&str>) -> Body {
    let mut body = json!({
        "pvt_type": "number", "pvt_module_name": format!("knm_{kind}"), "pvt_state": state,
        "pvt_account_id": account,
    });
    if let Some(holder) = holder {
        body["pvt_assigned_to"] = holder.into();
    }
    serde_json::from_value(body).unwrap()
}

fn not_found() -> Value {
    json!({
        "message": "bad identifier", "not_found": "The number could not be found", "cause": NUMBER,
    })
}

async fn what_was_offered_is_taken_at_any_replica(world: &World) {
    let app = stocked(world, "managed", ACCOUNT).await;
    activate(&app, ACCOUNT).await.check_error(404, "bad_identifier", &not_found());
    assert_eq!(look(&app, ACCOUNT).await, 3);
    let other = TestApp::over(world.store.clone(), UNLIMITED).await;
    let data = activate(&other, ACCOUNT).await.data(201);
    assert_eq!(data["state"], "in_service");
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(document["pvt_module_name"], "knm_managed");
    assert_eq!(document["pvt_assigned_to"], ACCOUNT);
    assert_eq!(document["pvt_authorizing_account"], ACCOUNT);
    assert_eq!(
        stock(world, "managed").await,
        stock_of(ACCOUNT, "managed", "in_service", Some(ACCOUNT))
    );
    assert_eq!(look(&other, ACCOUNT).await, 2, "it is offered no more");
    activate(&app, ACCOUNT).await.check_status(201);
}

async fn many_offers_are_taken_at_once(world: &World) {
    let app = stocked(world, "managed", ACCOUNT).await;
    assert_eq!(look(&app, ACCOUNT).await, 3);
    let ids = ["+14155550100", "+14155550101", "+14155550102", "+14155550103"];
    let put = async |account: &str, rest: &str, data: &Value| {
        let path = path_of(account, rest);
        app.ask(Method::PUT, &path).token(&app.account(account)).data(data).send().await
    };
    let data = json!({ "numbers": ids });
    let refused = put(STRANGER, "/collection/activate", &data).await.data(201);
    assert_eq!(refused["error"].as_object().unwrap().len(), 4);
    let done = put(ACCOUNT, "/collection/activate", &data).await.data(201);
    assert!(done["success"].as_object().unwrap().keys().eq(&ids[..3]));
    assert_eq!(done["error"][ids[3]]["error"], "not_found");
    assert_eq!(stock(world, "managed").await["pvt_assigned_to"], ACCOUNT);
    let path = numbers("/collection");
    let ask = app.ask(Method::DELETE, &path).token(&app.account(ACCOUNT));
    ask.data(&data).send().await.check_status(200);
    assert_eq!(stock(world, "managed").await, stock_of(ACCOUNT, "managed", "available", None));
}

async fn an_offer_is_for_whom_it_was_made(world: &World) {
    let app = stocked(world, "managed", ACCOUNT).await;
    assert_eq!(look(&app, STRANGER).await, 0);
    assert_eq!(look(&app, ACCOUNT).await, 3);
    activate(&app, STRANGER).await.check_error(404, "bad_identifier", &not_found());
    // The reseller's carriers were asked, so it was offered to it too; but it was not made for it.
    let wanted =
        number_error(403, "forbidden", None, "requestor is unauthorized to perform operation");
    activate(&app, PARENT).await.check_error(403, "forbidden", &wanted);
    assert_eq!(world.document(NUMBER).await, None);
    assert_eq!(stock(world, "managed").await, stock_of(ACCOUNT, "managed", "available", None));
    // For its customer it may.
    let path = numbers(&format!("/{NUMBER}/activate"));
    app.ask(Method::PUT, &path).token(&app.account(PARENT)).send().await.check_status(201);
    // An administrator may for anybody.
    let path = path_of(STRANGER, "/+14155550101/activate");
    app.ask(Method::PUT, &path).token(&app.admin()).send().await.check_status(201);
    assert_eq!(world.owner("+14155550101").await.as_deref(), Some(STRANGER));
}

async fn an_offer_ends(world: &World) {
    let app = stocked(world, "managed", ACCOUNT).await;
    let later = |seconds: i64| {
        let time = "2024-05-01T12:00:00Z".parse::<jiff::Timestamp>().unwrap();
        app.clock().set(time + jiff::SignedDuration::from_secs(seconds));
    };
    assert_eq!(look(&app, ACCOUNT).await, 3);
    later(3600);
    activate(&app, ACCOUNT).await.check_error(404, "bad_identifier", &not_found());
    assert_eq!(look(&app, ACCOUNT).await, 3);
    later(3600 + 3599);
    activate(&app, ACCOUNT).await.check_status(201);
    // Past midnight, what was offered the day before may still be taken.
    later(43_199);
    assert_eq!(look(&app, ACCOUNT).await, 2);
    later(43_201);
    take(&app, ACCOUNT, "+14155550101", "activate").await.check_status(201);
}

async fn offers_of_days_gone_by_are_dropped(world: &World) {
    let app = stocked(world, "managed", ACCOUNT).await;
    let names = async || {
        let names = world.store.databases("number_manager_offers-").await.unwrap();
        names
            .iter()
            .map(|name| name.as_str()["number_manager_offers-".len()..].to_owned())
            .collect::<Vec<_>>()
    };
    for (day, left) in [
        ("2024-05-01", vec!["20240501"]),
        ("2024-05-02", vec!["20240501", "20240502"]),
        ("2024-05-03", vec!["20240502", "20240503"]),
        ("2024-05-09", vec!["20240509"]),
    ] {
        app.clock().set(format!("{day}T12:00:00Z").parse().unwrap());
        look(&app, ACCOUNT).await;
        assert_eq!(names().await, left);
    }
}

async fn a_reserved_offer_is_bought_too(world: &World) {
    let app = stocked(world, "inum", PARENT).await;
    assert_eq!(look(&app, ACCOUNT).await, 3);
    let data = take(&app, ACCOUNT, NUMBER, "reserve").await.data(201);
    assert_eq!(data["state"], "reserved");
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(document["pvt_reserve_history"], json!([ACCOUNT]));
    assert_eq!(stock(world, "inum").await, stock_of(PARENT, "inum", "reserved", Some(ACCOUNT)));
}

async fn stock_that_was_released_is_for_nobody_else(world: &World) {
    let app = stocked(world, "managed", PARENT).await;
    assert_eq!(look(&app, ACCOUNT).await, 3);
    activate(&app, ACCOUNT).await.check_status(201);
    world.about(HOLDER, Method::DELETE, "", None).await.check_status(200);
    assert_eq!(stock(world, "managed").await, stock_of(PARENT, "managed", "available", None));
    assert_eq!(world.document(NUMBER).await.unwrap().body["pvt_state"], "aging");
    assert_eq!(look(&app, ACCOUNT).await, 2, "what is ageing is offered to nobody");
    activate(&app, STRANGER).await.check_status(403);
    activate(&app, ACCOUNT).await.check_status(201);
    assert_eq!(stock(world, "managed").await["pvt_assigned_to"], ACCOUNT);
    // The same once it is available again.
    world.about(Who::Admin, Method::DELETE, "?hard=true", None).await.check_status(200);
    assert_eq!(stock(world, "managed").await, stock_of(PARENT, "managed", "available", None));
    let free = json!({"create_with_state": "available", "carrier_name": "managed"});
    world.about(Who::Admin, Method::PUT, "", Some(&free)).await.check_status(201);
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(
        (&document["pvt_state"], document.get("pvt_assigned_to")),
        (&json!("available"), None)
    );
    world.allow_additions(STRANGER).await;
    for how in ["activate", "reserve"] {
        take(&app, STRANGER, NUMBER, how).await.check_status(403);
    }
    let path = path_of(STRANGER, &format!("/{NUMBER}"));
    app.ask(Method::PUT, &path).token(&app.account(STRANGER)).send().await.check_status(403);
    assert_eq!(look(&app, STRANGER).await, 0);
    assert_eq!(look(&app, ACCOUNT).await, 3);
    activate(&app, ACCOUNT).await.check_status(201);
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(ACCOUNT));
}

async fn what_was_never_in_stock_does_not_come_into_it(world: &World) {
    let mut members = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_module_name": "knm_managed",
    });
    world.keep(NUMBER, members.clone()).await;
    world.about(HOLDER, Method::DELETE, "", None).await.check_status(200);
    world.about(Who::Admin, Method::PUT, "/activate", None).await.check_status(201);
    members["pvt_module_name"] = json!("knm_inum");
    world.keep("+14155550101", members).await;
    let path = numbers("/collection?hard=true");
    let data = json!({"numbers": [NUMBER, "+14155550101"]});
    world.ask(Who::Admin, Method::DELETE, &path, Some(&data)).await.check_status(200);
    for kind in ["managed", "inum"] {
        let name = format!("numbers/{kind}");
        assert_eq!(world.store.databases(&name).await.unwrap(), [], "nothing was made up");
    }
}

async fn creating_a_number_buys_nothing(world: &World) {
    let carrier = ScriptedCarrier::new(Mood::Willing, &[NUMBER]);
    let app = selling(world, &carrier).await;
    let create = async |number: &str, data: Value| {
        let ask = app.ask(Method::PUT, &numbers(&format!("/{number}"))).token(&app.admin());
        ask.data(&data).send().await.data(201)
    };
    create(NUMBER, json!({"create_with_state": "reserved", "carrier_name": "telnyx"})).await;
    world
        .keep("+14155550101", json!({"pvt_state": "available", "pvt_module_name": "knm_telnyx"}))
        .await;
    let shown = create("+14155550101", json!({"create_with_state": "reserved"})).await;
    assert_eq!(shown["_read_only"]["carrier_module"], "telnyx", "what is not named stays");
    assert_eq!((carrier.sold(), purchase(world).await), (0, None));
}

async fn of_two_accounts_exactly_one_gets_it(world: &World) {
    let data = json!({"name": "Sibling", "parent_id": PARENT});
    let path = format!("/v2/accounts/{SIBLING}");
    world.ask(Who::Admin, Method::PUT, &path, Some(&data)).await.check_status(201);
    let one = stocked(world, "managed", PARENT).await;
    let two = TestApp::over(world.store.clone(), UNLIMITED).await;
    assert_eq!((look(&one, ACCOUNT).await, look(&two, SIBLING).await), (3, 3));
    for number in ["+14155550100", "+14155550101", "+14155550102"] {
        for how in ["activate", "reserve"] {
            let (first, second) =
                join(take(&one, ACCOUNT, number, how), take(&two, SIBLING, number, how)).await;
            let told = [first.status.as_u16(), second.status.as_u16()];
            let winner = if told[0] == 201 { ACCOUNT } else { SIBLING };
            assert!(told.contains(&201), "{told:?}");
            assert!(told.iter().any(|status| matches!(status, 403 | 409)), "{told:?}");
            assert_eq!(world.owner(number).await.as_deref(), Some(winner));
            world
                .ask(Who::Admin, Method::DELETE, &numbers(&format!("/{number}?hard=true")), None)
                .await
                .check_status(200);
        }
    }
}

async fn a_claim_that_stops_in_its_middle_is_finished_or_lapses(world: &World) {
    let app = stocked(world, "managed", PARENT).await;
    look(&app, ACCOUNT).await;
    look(&app, PARENT).await;
    for (after, number) in ["+14155550100", "+14155550101", "+14155550102"].iter().enumerate() {
        let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), after));
        let broken = TestApp::over(failing, UNLIMITED).await;
        let answer = take(&broken, ACCOUNT, number, "activate").await;
        let is_stored = world.document(number).await.is_some();
        // The claim is the first write, the number the second, its copy the third.
        assert_eq!(
            (answer.status.as_u16(), is_stored),
            [(503, false), (503, false), (202, true)][after]
        );
        if !is_stored {
            if after == 1 {
                let held = take(&app, PARENT, number, "activate").await;
                held.check_error(
                    409,
                    "datastore_conflict",
                    &json!({"message": "datastore conflict"}),
                );
                app.clock().set("2024-05-01T12:02:00Z".parse().unwrap());
            }
            assert_eq!(look(&app, PARENT).await, 3 - after, "the claim has lapsed");
            take(&app, PARENT, number, "activate").await.check_status(201);
            assert_eq!(world.owner(number).await.as_deref(), Some(PARENT));
        }
        take(&app, ACCOUNT, number, "activate").await;
        assert_eq!(violations(&*world.store).await, []);
    }
}

/// Searches at one outside carrier.
async fn selling(world: &World, carrier: &Arc<ScriptedCarrier>) -> TestApp {
    let carriers = registry(&[("knm_telnyx", carrier)]);
    TestApp::selling(world.store.clone(), UNLIMITED, carriers).await
}

async fn purchase(world: &World) -> Option<Body> {
    let id = format!("purchase:{NUMBER}");
    let found = world.store.get(&DbName::new("number_manager"), &id).await.unwrap().live();
    found.map(|found| found.body)
}

async fn an_outside_number_is_bought_once(world: &World) {
    world.configured(json!({SETTINGS: ["knm_telnyx"]})).await;
    let carrier = ScriptedCarrier::new(Mood::Willing, &[NUMBER]);
    let app = selling(world, &carrier).await;
    assert_eq!(look(&app, ACCOUNT).await, 1);
    let answers = join_all((0..4).map(|_| activate(&app, ACCOUNT))).await;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    assert!(
        statuses.contains(&201) && statuses.iter().all(|it| matches!(it, 201 | 409)),
        "{statuses:?}"
    );
    activate(&app, ACCOUNT).await.check_status(201);
    assert_eq!(carrier.sold(), 1);
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!(document["pvt_carrier_data"], json!({"ref": "r1", "order": "o1"}));
    assert_eq!(document["pvt_module_name"], "knm_telnyx");
    assert_eq!(purchase(world).await, None);
    // Without its module the carrier's number is found no more, and sold no more.
    let other = TestApp::over(world.store.clone(), UNLIMITED).await;
    assert_eq!(look(&other, ACCOUNT).await, 0);
}

async fn a_number_that_is_not_sold_is_not_stored(world: &World) {
    let settings = json!({SETTINGS: ["knm_telnyx"], "number_purchase_timeout_ms": 50});
    world.configured(settings).await;
    let fault = number_error(500, "unspecified_fault", Some(NUMBER), "fault by carrier");
    let stingy = ScriptedCarrier::new(Mood::Stingy, &[NUMBER]);
    let app = selling(world, &stingy).await;
    assert_eq!(look(&app, ACCOUNT).await, 1);
    activate(&app, ACCOUNT).await.check_error(500, "unspecified_fault", &fault);
    assert_eq!((world.document(NUMBER).await, purchase(world).await), (None, None));
    // One that can no longer be asked.
    let gone = TestApp::over(world.store.clone(), UNLIMITED).await;
    activate(&gone, ACCOUNT).await.check_error(500, "unspecified_fault", &fault);
    assert_eq!((world.document(NUMBER).await, purchase(world).await), (None, None));
    // Of one that does not answer nobody knows whether it has sold: that is written down.
    let stalling = ScriptedCarrier::new(Mood::Stalling, &[NUMBER]);
    activate(&selling(world, &stalling).await, ACCOUNT).await.check_error(
        500,
        "unspecified_fault",
        &fault,
    );
    assert_eq!(world.document(NUMBER).await, None);
    assert_eq!(purchase(world).await.unwrap()["is_bought"], false);
    let willing = ScriptedCarrier::new(Mood::Willing, &[NUMBER]);
    let app = selling(world, &willing).await;
    activate(&app, ACCOUNT).await.check_status(409);
    app.clock().set("2024-05-01T12:02:00Z".parse().unwrap());
    activate(&app, ACCOUNT).await.check_status(201);
    assert_eq!((willing.sold(), purchase(world).await), (1, None));
}

async fn a_number_that_was_bought_and_not_stored_is_bought_once(world: &World) {
    world.configured(json!({SETTINGS: ["knm_telnyx"]})).await;
    let carrier = ScriptedCarrier::new(Mood::Willing, &[NUMBER]);
    let app = selling(world, &carrier).await;
    look(&app, ACCOUNT).await;
    look(&app, STRANGER).await;
    // The purchase and its end are the first two writes.
    let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), 2));
    let carriers = registry(&[("knm_telnyx", &carrier)]);
    let broken = TestApp::selling(failing, UNLIMITED, carriers).await;
    activate(&broken, ACCOUNT).await.check_status(503);
    assert_eq!((carrier.sold(), world.document(NUMBER).await), (1, None));
    assert_eq!(purchase(world).await.unwrap()["is_bought"], true);
    activate(&app, STRANGER).await.check_status(409);
    activate(&app, ACCOUNT).await.check_status(201);
    assert_eq!((carrier.sold(), purchase(world).await), (1, None));
    let data = json!({"ref": "r1", "order": "o1"});
    assert_eq!(world.document(NUMBER).await.unwrap().body["pvt_carrier_data"], data);
}
