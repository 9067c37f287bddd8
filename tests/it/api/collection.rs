//! `PUT|POST|PATCH|DELETE …/phone_numbers/collection` and `PUT …/collection/activate`: many numbers,
//! each as if it had been asked for alone.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use axum::http::Method;
use futures::future::join_all;
use number_manager::store::{Expect, SharedStore, Write, WriteSet, couchdb::CouchStore};
use serde_json::{Map, Value, json};

use super::world::{
    HOLDER, NUMBER, UNLIMITED, Who, World, account_db, number_db, number_error, numbers,
    over_both_stores,
};
use crate::support::{
    app::{ACCOUNT, PARENT, STRANGER, TestApp},
    couch::CouchServer,
    failing::FailingStore,
    invariants::violations,
    meddling::{Doing, MeddlingStore},
    proxy::Proxy,
    vectors::{Deviation, Vector, vector_tests},
};

over_both_stores! {
    every_input_is_in_the_answer_once,
    what_is_not_there_is_in_the_answer,
    a_batch_answers_and_stores_what_single_requests_do,
    numbers_of_new_databases_are_made,
    what_all_of_them_may_not_is_refused_for_each,
    deleting_outright_is_for_administrators,
    the_list_itself_is_not_written_on_the_numbers,
    a_batch_has_an_end,
    more_numbers_than_are_read_at_once,
    two_that_take_the_same_numbers_share_them,
    two_that_write_on_the_same_numbers_both_do,
    a_lost_race_is_decided_again_and_not_merged,
    who_loses_every_race_is_told_so,
    monster_ui_creates_activates_and_deletes_blocks,
}

const PATH: &str = "/collection";
const ACTIVATE: &str = "/collection/activate";

/// The number at a place in a row of numbers.
fn nth(place: usize) -> String {
    format!("+1415555{:04}", 200 + place)
}

fn row(count: usize) -> Vec<String> {
    (0..count).map(nth).collect()
}

fn held(account: &str, state: &str) -> Value {
    json!({"pvt_state": state, "pvt_assigned_to": account})
}

async fn ask(world: &World, who: Who, method: Method, path: &str, data: &Value) -> Value {
    let status = if method == Method::PUT { 201 } else { 200 };
    world.ask(who, method, &numbers(path), Some(data)).await.data(status)
}

/// The keys of a member of an answer.
fn keys<'a>(data: &'a Value, member: &str) -> BTreeSet<&'a str> {
    data[member].as_object().into_iter().flat_map(Map::keys).map(String::as_str).collect()
}

async fn every_input_is_in_the_answer_once(world: &World) {
    world.keep("+14155550100", held(ACCOUNT, "in_service")).await;
    world.keep("+14155550101", held(STRANGER, "in_service")).await;
    world.keep("+14165550102", json!({"pvt_state": "available"})).await;
    let given = json!(["4155550100", "+1 (415) 555-0101", "4165550102", "4175550199", "abc", "1"]);
    let named = ["+14155550100", "+14155550101", "+14165550102", "+14175550199", "abc", "1"];
    for (method, path, succeed) in [
        (Method::PUT, PATH, 2),
        (Method::POST, PATH, 3),
        (Method::PATCH, PATH, 3),
        (Method::PUT, ACTIVATE, 3),
        (Method::DELETE, PATH, 3),
    ] {
        world.allow_additions(ACCOUNT).await;
        let data = ask(world, HOLDER, method.clone(), path, &json!({"numbers": given})).await;
        let (success, error) = (keys(&data, "success"), keys(&data, "error"));
        assert_eq!(success.len(), succeed, "{method} {path}: {data}");
        assert!(success.is_disjoint(&error), "{data}");
        assert_eq!(success.union(&error).copied().collect::<BTreeSet<_>>(), named.into(), "{data}");
        for (number, fault) in data["error"].as_object().unwrap() {
            assert!(fault["code"].is_u64() && fault["error"].is_string(), "{number}: {fault}");
            assert!(fault["message"].is_string(), "{number}: {fault}");
        }
        let message = "number abc is not reconcilable";
        assert_eq!(
            data["error"]["abc"],
            number_error(400, "not_reconcilable", Some("abc"), message)
        );
    }
}

/// Of one database there is only some of what is asked for, of another one nothing, and one is not
/// there at all.
async fn what_is_not_there_is_in_the_answer(world: &World) {
    let given = ["+14155550100", "+14155550101", "+14165550100", "+14195550100"];
    for (method, path) in [
        (Method::POST, PATH.to_owned()),
        (Method::PATCH, PATH.to_owned()),
        (Method::DELETE, PATH.to_owned()),
        (Method::DELETE, format!("{PATH}?hard=true")),
    ] {
        world.clear().await;
        world.keep(given[0], held(ACCOUNT, "in_service")).await;
        world.keep(given[2], held(ACCOUNT, "in_service")).await;
        let gone = json!({"numbers": [given[2]]});
        let hard = format!("{PATH}?hard=true");
        ask(world, Who::Admin, Method::DELETE, &hard, &gone).await;
        let data = ask(world, Who::Admin, method.clone(), &path, &json!({"numbers": given})).await;
        assert_eq!(keys(&data, "success"), [given[0]].into(), "{method} {path}: {data}");
        assert_eq!(keys(&data, "error"), given[1..].iter().copied().collect(), "{data}");
        for number in &given[1..] {
            let fault = &data["error"][number];
            assert_eq!((&fault["code"], &fault["error"]), (&json!(404), &json!("not_found")));
        }
    }
}

/// What a number can be before somebody asks for something.
fn givens() -> Vec<Option<Value>> {
    let local = |account: &str| json!({"pvt_state": "in_service", "pvt_assigned_to": account, "pvt_module_name": "knm_local"});
    let moved = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "my": {"old": 1},
        "pvt_previously_assigned_to": PARENT, "pvt_reserve_history": [ACCOUNT, PARENT],
    });
    vec![
        None,
        Some(held(ACCOUNT, "in_service")),
        Some(held(ACCOUNT, "reserved")),
        Some(held(PARENT, "reserved")),
        Some(held(STRANGER, "in_service")),
        Some(json!({"pvt_state": "available"})),
        Some(json!({"pvt_state": "available", "pvt_module_name": "knm_telnyx"})),
        Some(json!({"pvt_state": "aging", "pvt_previously_assigned_to": ACCOUNT})),
        Some(json!({"pvt_state": "released"})),
        Some(local(ACCOUNT)),
        Some(moved),
    ]
}

/// What is told of a number, without what tells one number or one write from another.
fn told(value: &Value, number: &str) -> Value {
    let mut value: Value =
        serde_json::from_str(&value.to_string().replace(number, "N")).expect("was JSON");
    for key in ["pvt_write_id", "pvt_db_name"] {
        value.as_object_mut().map(|members| members.shift_remove(key));
    }
    value
}

async fn a_batch_answers_and_stores_what_single_requests_do(world: &World) {
    let data = json!({"my": {"new": true}});
    for who in [HOLDER, Who::Account(PARENT), Who::Admin] {
        for (method, alone, together) in [
            (Method::PUT, "", PATH),
            (Method::POST, "", PATH),
            (Method::PATCH, "", PATH),
            (Method::DELETE, "", PATH),
            (Method::PUT, "/activate", ACTIVATE),
        ] {
            world.clear().await;
            let count = givens().len();
            for (place, given) in givens().into_iter().enumerate() {
                for number in [nth(place), nth(count + place)] {
                    if let Some(members) = given.clone() {
                        world.keep(&number, members).await;
                    }
                }
            }
            let mut body = data.clone();
            body["numbers"] = json!(&row(2 * count)[count..]);
            let answer = ask(world, who, method.clone(), together, &body).await;
            for place in 0..count {
                let (one, other) = (nth(place), nth(count + place));
                let path = numbers(&format!("/{one}{alone}"));
                let single = world.ask(who, method.clone(), &path, Some(&data)).await;
                let case = format!("{who:?} {method} {alone} {:?}", givens()[place]);
                compare(&single.json(), single.status.as_u16(), &answer, (&one, &other), &case);
                let stored = world.document(&one).await.map(|it| Value::Object(it.body));
                let stored_too = world.document(&other).await.map(|it| Value::Object(it.body));
                assert_eq!(
                    stored.map(|it| told(&it, &one)),
                    stored_too.map(|it| told(&it, &other)),
                    "{case}"
                );
            }
            world.check_invariants().await;
        }
    }
}

/// Checks that an answer about one number says the same as its part of an answer about many.
#[track_caller]
fn compare(single: &Value, status: u16, many: &Value, names: (&str, &str), case: &str) {
    let (one, other) = names;
    let data = told(&single["data"], one);
    if status < 300 {
        assert_eq!(told(&many["success"][other], other), data, "{case}");
        return;
    }
    let fault = told(&many["error"][other], other);
    if data.get("code").is_some() {
        assert_eq!(fault, data, "{case}");
    } else {
        // The one answer that differs: alone it is the wire's own for a missing number.
        assert_eq!((&fault["code"], &data["message"]), (&json!(status), &json!("bad identifier")));
        assert_eq!(fault["error"], "not_found", "{case}");
    }
}

async fn numbers_of_new_databases_are_made(world: &World) {
    let given = json!(["+14155550100", "+14155550101", "+442079460000", "+442079460001"]);
    let data = ask(world, Who::Admin, Method::PUT, PATH, &json!({"numbers": given})).await;
    assert_eq!((keys(&data, "success").len(), data.get("error")), (4, None), "{data}");
    for number in given.as_array().unwrap() {
        let number = number.as_str().unwrap();
        assert_eq!(world.owner(number).await.as_deref(), Some(ACCOUNT));
    }
}

async fn what_all_of_them_may_not_is_refused_for_each(world: &World) {
    let before = world.everything().await;
    let forbidden = |data: &Value| {
        assert_eq!(data["success"], json!({}));
        assert_eq!(keys(data, "error").len(), 2);
        assert_eq!(data["error"][NUMBER]["code"], 403, "{data}");
    };
    let given = json!({"numbers": [NUMBER, "+14155550101"]});
    forbidden(&ask(world, HOLDER, Method::PUT, PATH, &given).await);
    let mut carrier = given.clone();
    carrier["carrier_name"] = json!("local");
    forbidden(&ask(world, HOLDER, Method::PATCH, PATH, &carrier).await);
    carrier["carrier_name"] = json!("nobody");
    let data = ask(world, Who::Admin, Method::PUT, PATH, &carrier).await;
    let cause = "'nobody' is not known by the system";
    assert_eq!(data["error"][NUMBER], number_error(400, "invalid", Some(cause), "invalid"));
    assert_eq!(world.everything().await, before);
}

async fn deleting_outright_is_for_administrators(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, "in_service")).await;
    let (path, data) = (numbers("/collection?hard=true"), json!({"numbers": [NUMBER]}));
    let message = "requestor is unauthorized to perform operation";
    let fault = number_error(403, "forbidden", None, message);
    let asked = (HOLDER, Method::DELETE, path.as_str(), Some(&data));
    world.check_refused(asked, 403, "forbidden", &fault).await;
    // Only the query says so.
    let soft = json!({"numbers": [NUMBER], "hard": true});
    let data = ask(world, Who::Admin, Method::DELETE, PATH, &soft).await;
    assert_eq!(data["success"][NUMBER]["state"], "aging");
    let data = ask(world, Who::Admin, Method::DELETE, "/collection?hard=true", &soft).await;
    assert_eq!(data["success"][NUMBER]["state"], "deleted");
    assert_eq!(data["success"][NUMBER]["_read_only"]["is_deleted"], true);
    assert_eq!(world.document(NUMBER).await, None);
}

async fn the_list_itself_is_not_written_on_the_numbers(world: &World) {
    let data = json!({"numbers": [NUMBER], "my": "x", "accept_charges": true});
    for (method, path) in
        [(Method::PUT, PATH), (Method::PUT, ACTIVATE), (Method::POST, PATH), (Method::PATCH, PATH)]
    {
        let answer = ask(world, Who::Admin, method, path, &data).await;
        let number = &answer["success"][NUMBER];
        assert_eq!((&number["my"], number.get("numbers")), (&json!("x"), None), "{answer}");
        let stored = world.document(NUMBER).await.unwrap().body;
        assert!(!stored.contains_key("numbers") && !stored.contains_key("accept_charges"));
    }
}

async fn a_batch_has_an_end(world: &World) {
    let path = numbers(PATH);
    let rule = |rule: &str, message: &str, target: usize| json!({ rule: {"message": message, "target": target} });
    let data = json!({"numbers": row(1501)});
    let message = "List must not have more than 1500 items (setting http.batch_size)";
    let wanted = json!({"numbers": rule("maxItems", message, 1500)});
    let asked = (Who::Admin, Method::PUT, path.as_str(), Some(&data));
    world.check_refused(asked, 400, "validation error", &wanted).await;
    let data = json!({"numbers": row(1000), "my": "x".repeat(8001)});
    let message = "What is written on all of the numbers must not be more than 8000000 bytes in \
        total (setting http.batch_bytes)";
    let wanted = json!({"data": rule("maxSize", message, 8_000_000)});
    let asked = (Who::Admin, Method::PUT, path.as_str(), Some(&data));
    world.check_refused(asked, 400, "validation error", &wanted).await;
}

async fn more_numbers_than_are_read_at_once(world: &World) {
    let numbers = row(1203);
    let given = json!({"numbers": numbers});
    let data = ask(world, Who::Admin, Method::PUT, PATH, &given).await;
    assert_eq!(keys(&data, "success").len(), numbers.len());
    // In the order in which they were given.
    assert!(data["success"].as_object().unwrap().keys().eq(&numbers));
    let data = ask(world, HOLDER, Method::DELETE, PATH, &given).await;
    assert_eq!((keys(&data, "success").len(), data.get("error")), (numbers.len(), None));
    assert_eq!(world.copy(ACCOUNT, &numbers[0]).await, None);
}

async fn two_that_take_the_same_numbers_share_them(world: &World) {
    let count = 30;
    for number in row(count) {
        world.keep(&number, json!({"pvt_state": "available"})).await;
    }
    let replicas = [
        TestApp::over(world.store.clone(), UNLIMITED).await,
        TestApp::over(world.store.clone(), UNLIMITED).await,
    ];
    let data = json!({"numbers": row(count)});
    let take = |app: usize, account: &'static str| {
        let (app, data) = (&replicas[app], &data);
        let path = super::world::path_of(account, ACTIVATE);
        async move { app.ask(Method::PUT, &path).token(&app.account(account)).data(data).send().await }
    };
    let (one, other) = tokio::join!(take(0, ACCOUNT), take(1, STRANGER));
    let (one, other) = (one.data(201), other.data(201));
    let (mine, theirs) = (keys(&one, "success"), keys(&other, "success"));
    assert!(mine.is_disjoint(&theirs), "a number was given to both");
    assert_eq!(mine.len() + theirs.len(), count);
    for number in row(count) {
        let owner = world.owner(&number).await.unwrap();
        let wanted = if mine.contains(number.as_str()) { ACCOUNT } else { STRANGER };
        assert_eq!(owner, wanted, "{number}");
    }
}

async fn two_that_write_on_the_same_numbers_both_do(world: &World) {
    let count = 30;
    for number in row(count) {
        world.keep(&number, held(ACCOUNT, "in_service")).await;
    }
    let write = |member: &'static str| {
        let data = json!({"numbers": row(count), member: true});
        async move { ask(world, HOLDER, Method::PATCH, PATH, &data).await }
    };
    for answer in join_all(["a", "b"].map(write)).await {
        assert_eq!(
            (keys(&answer, "success").len(), answer.get("error")),
            (count, None),
            "{answer}"
        );
    }
    for number in row(count) {
        let stored = world.document(&number).await.unwrap().body;
        assert_eq!((&stored["a"], &stored["b"]), (&json!(true), &json!(true)), "{number}");
    }
}

/// Somebody else writes on the first number of the row before each of these writes, or before one.
fn meddled(world: &World, always: bool) -> SharedStore {
    let (inner, turn) = (world.store.clone(), AtomicUsize::new(0));
    let moment = move |sets: &[WriteSet]| {
        let hit = sets.iter().flatten().any(|it| it.id == nth(0) && it.db == number_db(&nth(0)));
        let (inner, turn) = (inner.clone(), turn.fetch_add(1, Ordering::SeqCst));
        hit.then(|| Box::pin(write_on(inner, turn)) as Doing)
    };
    if always {
        Arc::new(MeddlingStore::always(world.store.clone(), moment))
    } else {
        Arc::new(MeddlingStore::new(world.store.clone(), moment))
    }
}

async fn write_on(store: SharedStore, turn: usize) {
    for db in [number_db(&nth(0)), account_db(ACCOUNT)] {
        let found = store.get(&db, &nth(0)).await.unwrap().live().unwrap();
        let mut body = found.body;
        body.extend([("pvt_theirs".to_owned(), turn.into()), ("theirs".to_owned(), turn.into())]);
        let write = Write::put(db, nth(0), Expect::At(found.rev), body);
        store.commit(vec![write]).await.unwrap();
    }
}

async fn a_lost_race_is_decided_again_and_not_merged(world: &World) {
    for number in row(2) {
        let mut members = held(ACCOUNT, "in_service");
        members["old"] = json!(1);
        members["list"] = json!([1, 2, 3]);
        world.keep(&number, members).await;
    }
    let app = TestApp::over(meddled(world, false), UNLIMITED).await;
    let data = json!({"numbers": row(2), "list": [4]});
    let asked = app.ask(Method::POST, &numbers(PATH)).token(&app.account(ACCOUNT)).data(&data);
    let data = asked.send().await.data(200);
    assert_eq!((keys(&data, "success").len(), data.get("error")), (2, None), "{data}");
    for number in row(2) {
        let body = world.document(&number).await.unwrap().body;
        let seen = (body.get("old"), body.get("theirs"), &body["list"]);
        assert_eq!(seen, (None, None, &json!([4])), "{number}");
    }
    assert!(world.document(&nth(0)).await.unwrap().body.contains_key("pvt_theirs"));
}

async fn who_loses_every_race_is_told_so(world: &World) {
    for number in row(2) {
        world.keep(&number, held(ACCOUNT, "in_service")).await;
    }
    let app = TestApp::over(meddled(world, true), UNLIMITED).await;
    let data = json!({"numbers": row(2), "my": 1});
    let asked = app.ask(Method::PATCH, &numbers(PATH)).token(&app.account(ACCOUNT)).data(&data);
    let data = asked.send().await.data(200);
    assert_eq!(keys(&data, "success"), BTreeSet::from([&*nth(1)]), "{data}");
    assert_eq!((keys(&data, "error").len(), &data["error"][nth(0)]["code"]), (1, &json!(409)));
    let body = world.document(&nth(0)).await.unwrap().body;
    assert_eq!((body.get("my"), body.contains_key("theirs")), (None, true));
}

async fn monster_ui_creates_activates_and_deletes_blocks(world: &World) {
    let ui = json!({"version": "4.3.0", "ui": "monster-ui", "origin": "common"});
    let block = ["+14155550177", "+14155550178"];
    let data = json!({"numbers": block, "carrier_name": "local", "ui_metadata": ui});
    let data = ask(world, Who::Admin, Method::PUT, PATH, &data).await;
    assert_eq!(data.get("error"), None, "the interface takes the key for a failure");
    for number in block {
        let shown = &data["success"][number];
        assert_eq!((&shown["id"], &shown["state"]), (&json!(number), &json!("in_service")));
        assert!(shown["features"].is_array() && shown["features_available"].is_array());
        assert_eq!(shown["_read_only"]["carrier_module"], "local");
    }
    world.keep("+14155550150", json!({"pvt_state": "available"})).await;
    let data = json!({"numbers": ["+14155550150"], "ui_metadata": ui});
    let data = ask(world, HOLDER, Method::PUT, ACTIVATE, &data).await;
    assert_eq!(data["success"]["+14155550150"]["state"], "in_service");
    assert_eq!(data.get("error"), None);
    let data = json!({"numbers": [block[0], "+14155550199"], "ui_metadata": ui});
    let data = ask(world, HOLDER, Method::DELETE, PATH, &data).await;
    assert_eq!(data["success"][block[0]]["state"], "deleted");
    let message = "number +14155550199 not found";
    let fault = number_error(404, "not_found", Some("+14155550199"), message);
    assert_eq!(data["error"]["+14155550199"], fault);
}

/// How a batch over three numbers ends when the store fails after some writes, and what the same
/// request makes of it later.
async fn interrupt(method: Method, path: &'static str, given: Option<Value>, after: usize) {
    let case = format!("{method} {path} {given:?} after {after} writes");
    let world = World::embedded().await;
    let all = row(3);
    for number in &all {
        if let Some(members) = given.clone() {
            world.keep(number, members).await;
        }
    }
    let before = world.documents(&all).await;
    let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), after));
    let app = TestApp::over(failing, UNLIMITED).await;
    let data = json!({"numbers": all, "my": "new"});
    let ask = app.ask(method.clone(), &numbers(path)).token(&app.admin());
    let answer = ask.data(&data).send().await.json()["data"].take();
    let left = world.documents(&all).await;
    let wrong = violations(&*world.store).await;
    for (place, number) in all.iter().enumerate() {
        let (success, error) = (&answer["success"][number], &answer["error"][number]);
        assert_ne!(success.is_null(), error.is_null(), "{case}: {number} {answer}");
        if success.is_null() {
            assert_eq!(left[place], before[place], "{case}: it was not acknowledged");
            assert_eq!(error["code"], 503, "{case}: {error}");
        } else {
            assert_ne!(left[place], before[place], "{case}: it was acknowledged");
            let pending = success["_read_only"]["mirror"] == "pending";
            let harmed = format!("{wrong:?}").contains(number.as_str());
            assert!(pending || !harmed, "{case}: {number} was called right: {wrong:?}");
        }
    }
    let again = world.app.ask(method, &numbers(path)).token(&world.app.admin());
    again.data(&data).send().await;
    for number in &all {
        // What was stored and refused the second time is healed by a single request.
        let about = numbers(&format!("/{number}"));
        world.ask(Who::Admin, Method::PATCH, &about, Some(&json!({}))).await;
    }
    assert_eq!(violations(&*world.store).await, [], "{case}: afterwards");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_stops_anywhere_says_what_it_did() {
    let available = json!({"pvt_state": "available", "pvt_previously_assigned_to": PARENT});
    let cases = [
        (Method::PUT, PATH, None),
        (Method::PUT, ACTIVATE, Some(available)),
        (Method::PUT, ACTIVATE, Some(held(PARENT, "reserved"))),
        (Method::PATCH, PATH, Some(held(ACCOUNT, "in_service"))),
        (Method::DELETE, PATH, Some(held(ACCOUNT, "in_service"))),
    ];
    // All at once, since each waits for two seconds for the store to come back.
    let cases = cases.into_iter().flat_map(|(method, path, given)| {
        (0..=9).map(move |after| interrupt(method.clone(), path, given.clone(), after))
    });
    join_all(cases).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_asks_once_per_database() {
    let namespace = CouchServer::namespace();
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let store = CouchStore::connect(namespace.config_through(proxy.host())).await.unwrap();
    let store: SharedStore = Arc::new(store);
    let app = TestApp::over(store, UNLIMITED).await;
    let given: Vec<String> = ["+1415", "+1416", "+1417"]
        .iter()
        .flat_map(|prefix| (0..40).map(move |place| format!("{prefix}555{place:04}")))
        .collect();
    // Databases are made beside the proxy, whose store has short limits.
    let direct = TestApp::over(Arc::new(namespace.store().await), UNLIMITED).await;
    for given in given.chunks(40) {
        let data = json!({"numbers": given});
        let ask = direct.ask(Method::PUT, &numbers(PATH)).token(&direct.admin());
        ask.data(&data).send().await.check_status(201);
    }
    let new: Vec<String> = given.iter().map(|number| number.replace("555", "556")).collect();
    for (method, path, given) in [
        (Method::PUT, PATH, &new),
        (Method::PATCH, PATH, &given),
        (Method::PUT, ACTIVATE, &given),
        (Method::DELETE, PATH, &given),
    ] {
        proxy.seen();
        let body = json!({"numbers": given, "my": path});
        let ask = app.ask(method.clone(), &numbers(path)).token(&app.admin());
        let answer =
            ask.data(&body).send().await.data(if method == Method::PUT { 201 } else { 200 });
        assert_eq!(keys(&answer, "success").len(), given.len());
        let seen = proxy.seen();
        let count = |what: &str| seen.iter().filter(|line| line.contains(what)).count();
        // Three databases of numbers and one of the account: each is read once and written once.
        assert_eq!((count("/_bulk_get"), count("/_bulk_docs")), (4, 4), "{seen:#?}");
        let about_one =
            seen.iter().filter(|line| line.contains("%2B141555") || line.contains("/+14155"));
        assert_eq!(about_one.count(), 0, "{seen:#?}");
        // The rest is what it is decided by, read once.
        assert!(seen.len() <= 14, "{seen:#?}");
    }
}

/// Nothing here is answered in another way.
const DEVIATIONS: &[Deviation] = &[];

vector_tests! {
    lists_of_numbers: "collection/validate" => validate;
}

/// What the list of a vector is told.
fn validate(vector: &Vector) -> Value {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let answer = runtime.block_on(async {
        let app = TestApp::new().await;
        app.ask(Method::PATCH, &numbers(PATH)).token(&app.admin()).data(&vector.given).send().await
    });
    let json = answer.json();
    if answer.status.is_success() {
        return json!({"ok": true});
    }
    let rules = json["data"]["numbers"].as_object().unwrap();
    json!({"status": answer.status.as_u16(), "message": rules.values().next().unwrap()["message"]})
}
