//! Who wrote numbers, and how: kept with every write, and shown to whom it concerns.

use std::sync::Arc;

use axum::http::Method;
use jiff::SignedDuration;
use number_manager::{
    auth::Claims,
    domain::E164,
    repository::{NumberRepository, Opened, RepositoryError, SettingsRepository},
    service::NumberService,
    store::{DbName, IdRange, Lookup, Order, Query, Question, SharedStore},
};
use serde_json::{Value, json};

use super::world::{NUMBER, UNLIMITED, World, number_db, numbers, over_both_stores, path_of};
use crate::support::{
    app::{ACCOUNT, Answer, PARENT, STRANGER, TestApp},
    failing::FailingStore,
};

over_both_stores! {
    every_write_is_told_with_who_made_it,
    whatever_is_stored_has_an_entry,
    what_is_deleted_and_made_again_is_one_story,
    documents_that_are_brought_in_are_told,
    what_lost_leaves_no_entry,
    many_numbers_and_jobs_are_told_as_well,
    an_account_sees_its_own_time,
    what_was_not_stored_is_not_confirmed,
    months_are_one_story,
    what_is_old_is_dropped,
}

/// A process that notes who writes.
async fn noting(world: &World) -> TestApp {
    TestApp::serving(world.store.clone(), UNLIMITED, NumberService::with_trail).await
}

async fn send(app: &TestApp, token: &str, method: Method, path: &str, data: Value) -> Answer {
    // So that writes have an order.
    app.clock().advance(SignedDuration::from_secs(1));
    app.ask(method, path).token(token).header("x-request-id", "a-request").data(&data).send().await
}

async fn write(app: &TestApp, token: &str, method: Method, path: &str, data: Value) {
    let answer = send(app, token, method, path, data).await;
    assert!(answer.status.is_success(), "{}", answer.text);
}

async fn history(app: &TestApp, token: &str, path: &str) -> Vec<Value> {
    let (mut writes, mut key) = (Vec::new(), String::new());
    for _ in 0..100 {
        let page = app.get(&format!("{path}/history?page_size=2{key}")).token(token).send().await;
        let Value::Array(rows) = page.data(200) else { panic!("{}", page.text) };
        writes.extend(rows);
        match page.json()["next_start_key"].as_str() {
            None => return writes,
            Some(next) => key = format!("&start_key={next}"),
        }
    }
    panic!("{path} does not end: {writes:?}");
}

fn any(number: &str) -> String {
    format!("/v2/phone_numbers/{number}")
}

async fn every_write_is_told_with_who_made_it(world: &World) {
    let app = noting(world).await;
    let claims = |jti: &str, account: Option<&str>| Claims {
        admin: account.is_none(),
        account_id: account.map(str::to_owned),
        jti: Some(jti.to_owned()),
        ..Claims::default()
    };
    let (admin, holder) = (app.token(claims("op", None)), app.token(claims("ours", Some(ACCOUNT))));
    let one = numbers(&format!("/{NUMBER}"));
    write(&app, &admin, Method::PUT, &one, json!({"note": 1})).await;
    write(&app, &holder, Method::PATCH, &one, json!({"note": 2})).await;
    // Nothing is written, and a refusal writes nothing either.
    send(&app, &holder, Method::PATCH, &one, json!({"note": 2})).await.check_status(200);
    send(&app, &admin, Method::PUT, &one, json!({})).await.check_status(409);
    let moved = path_of(PARENT, &format!("/{NUMBER}/activate"));
    write(&app, &admin, Method::PUT, &moved, json!({})).await;
    write(&app, &admin, Method::DELETE, &path_of(PARENT, &format!("/{NUMBER}")), json!({})).await;

    let side = |state: &str, owner: &str, revision: Value| json!({"state": state, "assigned_to": owner, "revision": revision});
    let told = history(&app, &admin, &any(NUMBER)).await;
    let what: Vec<Value> = told
        .iter()
        .map(|it| json!([it["operation"], it["account_id"], it["jti"], it["confirmed"]]))
        .collect();
    let of = |method: &str, rest: &str| {
        format!("{method} /v2/accounts/{{account_id}}/phone_numbers/{{number}}{rest}")
    };
    assert_eq!(
        what,
        [
            json!([of("DELETE", ""), null, "op", true]),
            json!([of("PUT", "/activate"), null, "op", true]),
            json!([of("PATCH", ""), ACCOUNT, "ours", true]),
            json!([of("PUT", ""), null, "op", true]),
        ]
    );
    assert_eq!(told[3]["before"], json!(null));
    assert_eq!(told[3]["after"], side("in_service", ACCOUNT, json!(null)));
    assert_eq!(told[1]["after"]["assigned_to"], PARENT);
    assert_eq!(told[1]["before"]["assigned_to"], ACCOUNT);
    assert!(told[1]["before"]["revision"].as_str().unwrap().starts_with("2-"), "{}", told[1]);
    assert_eq!((&told[0]["request_id"], &told[0]["job_id"]), (&json!("a-request"), &json!(null)));
    assert_eq!(told[3]["time"], "2024-05-01T12:00:01Z");
}

/// The store fails from each write on: before the entry, before the number, before its copies.
async fn whatever_is_stored_has_an_entry(world: &World) {
    let app = noting(world).await;
    // So that there are databases.
    write(&app, &app.admin(), Method::PUT, &numbers(&format!("/{NUMBER}")), json!({})).await;
    let one = json!({"note": "new"});
    let operations = [
        (Method::PUT, ACCOUNT, "/N", false),
        (Method::PATCH, ACCOUNT, "/N", true),
        (Method::PUT, PARENT, "/N/activate", true),
        (Method::DELETE, ACCOUNT, "/N", true),
        (Method::DELETE, ACCOUNT, "/N?hard=true", true),
        (Method::PUT, ACCOUNT, "/collection", false),
        (Method::PATCH, ACCOUNT, "/collection", true),
    ];
    for (case, (method, account, rest, is_there)) in operations.into_iter().enumerate() {
        let mut stored = 0;
        for writes in 0..4 {
            let what = format!("{method} {rest} after {writes} writes");
            let number = format!("+141555502{case}{writes}");
            if is_there {
                write(&app, &app.admin(), Method::PUT, &numbers(&format!("/{number}")), json!({}))
                    .await;
            }
            let before = write_id(world, &number).await;
            let failing: SharedStore = Arc::new(FailingStore::new(world.store.clone(), writes));
            let failing = TestApp::serving(failing, UNLIMITED, NumberService::with_trail).await;
            failing.clock().advance(SignedDuration::from_secs(100));
            let mut data = one.clone();
            if rest == "/collection" {
                data["numbers"] = json!([number]);
            }
            let path = path_of(account, &rest.replace('N', &number));
            let answer = send(&failing, &failing.admin(), method.clone(), &path, data).await;
            let after = write_id(world, &number).await;
            let told = entries(world, &number).await;
            assert!(after.is_none() || told.contains(after.as_ref().unwrap()), "{what}: {told:?}");
            let is_refused = answer.json()["data"]["error"].is_object();
            let is_done = answer.status.is_success() && !is_refused;
            assert!(after != before || !is_done, "{what}: {}", answer.text);
            stored += usize::from(after != before);
        }
        assert_eq!(stored, 2, "{method} {rest}: an entry comes before its number");
    }
    // Copies are missing, which others look at.
    world.clear().await;
}

/// The name of the write that is stored as a number, or as what it left.
async fn write_id(world: &World, number: &str) -> Option<String> {
    match world.store.get(&number_db(number), number).await.unwrap() {
        Lookup::Live(found) | Lookup::Deleted(found) => {
            found.body["pvt_write_id"].as_str().map(str::to_owned)
        }
        Lookup::Missing => None,
    }
}

/// The names of the writes that are noted of a number.
async fn entries(world: &World, number: &str) -> Vec<String> {
    let mut names = Vec::new();
    for db in world.store.databases("number_manager_history-").await.unwrap() {
        let range = IdRange::starting_with(&format!("{number}@"));
        let query = Query {
            question: Question::All,
            range,
            order: Order::Ascending,
            after: None,
            limit: 10,
        };
        let found = world.store.query(&db, &query).await.unwrap().documents;
        names.extend(found.iter().map(|it| it.body["pvt_write_id"].as_str().unwrap().to_owned()));
    }
    names
}

async fn what_is_deleted_and_made_again_is_one_story(world: &World) {
    let app = noting(world).await;
    let admin = app.admin();
    let one = numbers(&format!("/{NUMBER}"));
    let many = json!({"numbers": [NUMBER]});
    for _ in 0..2 {
        write(&app, &admin, Method::PUT, &one, json!({})).await;
        write(&app, &admin, Method::DELETE, &format!("{one}?hard=true"), json!({})).await;
        write(&app, &admin, Method::PUT, &numbers("/collection"), many.clone()).await;
        write(&app, &admin, Method::DELETE, &numbers("/collection?hard=true"), many.clone()).await;
    }
    let told = history(&app, &admin, &any(NUMBER)).await;
    let states: Vec<_> = told.iter().map(|it| (&it["after"]["state"], &it["confirmed"])).collect();
    let round = [(&json!(null), &json!(true)), (&json!("in_service"), &json!(true))];
    assert_eq!(states, round.repeat(4), "{told:?}");
}

async fn documents_that_are_brought_in_are_told(world: &World) {
    let app = noting(world).await;
    let line = json!({
        "_id": NUMBER, "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT,
        "pvt_modified": 63_000_000_000_u64, "pvt_write_id": "theirs",
    });
    let path = "/v2/phone_numbers/documents";
    for made in [1, 0] {
        let ask = app.ask(Method::PUT, path).header("content-type", "application/x-ndjson");
        let answer = ask.token(&app.admin()).body(line.to_string()).send().await;
        assert_eq!(answer.data(200)["made"], made);
    }
    let told = history(&app, &app.admin(), &any(NUMBER)).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["operation"], format!("PUT {path}"));
    assert_eq!(told[0]["time"], "2024-05-01T12:00:00Z", "when it came, not when it was changed");
    assert_eq!(told[0]["confirmed"], true);
}

async fn what_lost_leaves_no_entry(world: &World) {
    let settings = SettingsRepository::new(world.store.clone());
    let clock = world.app.shared_clock();
    let numbers = NumberRepository::new(world.store.clone(), clock, settings).with_trail();
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let id = E164::parse(NUMBER).unwrap();
    let open = async || match numbers.open(&id, &[]).await.unwrap() {
        Opened::Found(mut stored) => {
            stored.rewrite();
            *stored
        }
        Opened::Vacant(_) => panic!("it is there"),
    };
    let (first, second, third) = (open().await, open().await, open().await);
    numbers.save(first).await.unwrap();
    let lost = numbers.save(second).await;
    assert!(matches!(lost, Err(RepositoryError::Conflict { .. })), "{lost:?}");
    let lost = numbers.save_many(vec![third]).await.remove(0);
    assert!(matches!(lost, Err(RepositoryError::Conflict { .. })), "{lost:?}");
    assert_eq!(entries(world, NUMBER).await, [write_id(world, NUMBER).await.unwrap()]);
}

/// Revisions contradict each other on a cluster only.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_kept_is_told() {
    let world = World::couchdb().await;
    let app = noting(&world).await;
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let mut other = world.document(NUMBER).await.unwrap().body;
    other.insert("pvt_assigned_to".to_owned(), json!(STRANGER));
    other.insert("pvt_write_id".to_owned(), json!("theirs"));
    other.insert("_id".to_owned(), json!(NUMBER));
    other.insert("_rev".to_owned(), json!("1-00000000000000000000000000000000"));
    let url = world.database_url("numbers%2F%2B1415/_bulk_docs");
    let body = json!({"new_edits": false, "docs": [other]}).to_string();
    let request = reqwest::Client::new().post(url).body(body);
    request.header("content-type", "application/json").send().await.unwrap();
    let data = json!({"keep_revision": "1-00000000000000000000000000000000"});
    write(&app, &app.admin(), Method::POST, &(any(NUMBER) + "/repair"), data).await;
    let told = history(&app, &app.admin(), &any(NUMBER)).await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["operation"], "POST /v2/phone_numbers/{number}/repair");
    assert_eq!(told[0]["before"]["assigned_to"], ACCOUNT);
    assert_eq!(told[0]["after"]["assigned_to"], STRANGER);
    assert_eq!(told[0]["confirmed"], true);
}

async fn many_numbers_and_jobs_are_told_as_well(world: &World) {
    let app = noting(world).await;
    let jti = Some("op".to_owned());
    let admin = app.token(Claims { admin: true, jti, ..Claims::default() });
    let ids: Vec<String> = (0..5).map(|at| format!("+1415555{at:04}")).collect();
    write(&app, &admin, Method::PUT, &numbers("/collection"), json!({"numbers": ids})).await;
    let data = json!({"target": "knm_bandwidth2", "scope": {"numbers": ids}, "force": true});
    let path = "/v2/maintenance/convert_carrier?wait=20";
    let job = send(&app, &admin, Method::POST, path, data).await;
    let job = job.data(200);
    assert_eq!(
        (&job["state"], &job["counts"]["changed"]),
        (&json!("succeeded"), &json!(5)),
        "{job}"
    );
    for id in &ids {
        let told = history(&app, &admin, &any(id)).await;
        let jobs: Vec<&Value> = told.iter().map(|it| &it["job_id"]).collect();
        assert_eq!(jobs, [&job["id"], &json!(null)], "{told:?}");
        assert_eq!(told[0]["operation"], "convert_carrier");
        assert_eq!(told[0]["jti"], "op", "a job keeps with which token it was asked for");
        assert!(told.iter().all(|it| it["confirmed"] == true), "{told:?}");
    }
    // A plan writes nothing.
    let plan = json!({"scope": {"all": true}, "source": "knm_bandwidth2", "target": "knm_telnyx", "dry_run": true});
    send(&app, &admin, Method::POST, path, plan).await.check_status(200);
    assert_eq!(history(&app, &admin, &any(&ids[0])).await.len(), 2);
}

async fn an_account_sees_its_own_time(world: &World) {
    let app = noting(world).await;
    let admin = app.admin();
    for account in [STRANGER, ACCOUNT, STRANGER] {
        let path = path_of(account, &format!("/{NUMBER}/activate"));
        let path = if account == STRANGER && world.document(NUMBER).await.is_none() {
            path_of(account, &format!("/{NUMBER}"))
        } else {
            path
        };
        write(&app, &admin, Method::PUT, &path, json!({})).await;
        let note = path_of(account, &format!("/{NUMBER}"));
        write(&app, &app.account(account), Method::PATCH, &note, json!({"note": account})).await;
    }
    assert_eq!(history(&app, &admin, &any(NUMBER)).await.len(), 6);
    let own = history(&app, &app.account(ACCOUNT), &numbers(&format!("/{NUMBER}"))).await;
    assert_eq!(own.len(), 3);
    let owners =
        |it: &Value| (it["before"]["assigned_to"].clone(), it["after"]["assigned_to"].clone());
    assert_eq!(owners(&own[0]), (json!(ACCOUNT), json!(null)), "how it was lost");
    assert_eq!(own[0]["after"]["state"], json!(null));
    assert_eq!(owners(&own[1]), (json!(ACCOUNT), json!(ACCOUNT)));
    assert_eq!(own[1]["account_id"], ACCOUNT);
    assert_eq!(owners(&own[2]), (json!(null), json!(ACCOUNT)), "how it was got");
    assert!(!serde_json::to_string(&own).unwrap().contains(STRANGER));
    // Nobody else learns that there is one, nor the account that there is more than it sees.
    for size in [1, 3, 50] {
        let path = path_of(PARENT, &format!("/{NUMBER}/history?page_size={size}"));
        app.get(&path).token(&app.account(PARENT)).send().await.check_status(404);
    }
    let path = numbers(&format!("/{NUMBER}/history?page_size=3"));
    let page = app.get(&path).token(&app.account(ACCOUNT)).send().await;
    let rest = page.json()["next_start_key"].as_str().map(|key| format!("&start_key={key}"));
    let rest = rest.expect("the first three are one of a stranger and two of its own");
    let page = app.get(&(path + &rest)).token(&app.account(ACCOUNT)).send().await;
    assert_eq!(page.data(200).as_array().map(Vec::len), Some(1));
    assert_eq!(page.json()["next_start_key"], json!(null), "what is left is a stranger's");
    let path = path_of(PARENT, &format!("/{NUMBER}/history"));
    app.get(&path).token(&app.account(STRANGER)).send().await.check_status(403);
    app.get(&(any(NUMBER) + "/history"))
        .token(&app.account(ACCOUNT))
        .send()
        .await
        .check_status(403);
    app.get(&(any("+14155550199") + "/history")).token(&admin).send().await.check_status(404);
    let garbled = any(NUMBER) + "/history?start_key=x";
    app.get(&garbled).token(&admin).send().await.check_status(400);
}

async fn what_was_not_stored_is_not_confirmed(world: &World) {
    let app = noting(world).await;
    let admin = app.admin();
    let one = numbers(&format!("/{NUMBER}"));
    write(&app, &admin, Method::PUT, &one, json!({"note": 1})).await;
    // Of a process that died between the entry and the number.
    let db = DbName::new("number_manager_history-202405");
    let range = IdRange::starting_with(&format!("{NUMBER}@"));
    let query =
        Query { question: Question::All, range, order: Order::Ascending, after: None, limit: 10 };
    let mut entry = world.store.query(&db, &query).await.unwrap().documents.remove(0);
    entry.body.insert("pvt_write_id".to_owned(), json!("never"));
    entry.body.insert("time".to_owned(), json!("2024-05-01T12:00:01Z"));
    world.put(db, &format!("{NUMBER}@20240501120001@never"), entry.body).await;
    write(&app, &admin, Method::PATCH, &one, json!({"note": 2})).await;
    let told = history(&app, &admin, &any(NUMBER)).await;
    let confirmed: Vec<&Value> = told.iter().map(|it| &it["confirmed"]).collect();
    assert_eq!(confirmed, [true, false, true], "{told:?}");
}

async fn months_are_one_story(world: &World) {
    let app = noting(world).await;
    let one = numbers(&format!("/{NUMBER}"));
    write(&app, &app.admin(), Method::PUT, &one, json!({"note": 0})).await;
    for (month, notes) in [(5, 1..4), (6, 4..7), (8, 7..9)] {
        app.clock().set(format!("2024-{month:02}-20T00:00:00Z").parse().unwrap());
        for note in notes {
            write(&app, &app.admin(), Method::PATCH, &one, json!({"note": note})).await;
        }
    }
    let told = history(&app, &app.admin(), &any(NUMBER)).await;
    let months: Vec<&str> = told.iter().map(|it| &it["time"].as_str().unwrap()[..7]).collect();
    let of = |month: &'static str, count| std::iter::repeat_n(month, count);
    let wanted: Vec<&str> =
        of("2024-08", 2).chain(of("2024-06", 3)).chain(of("2024-05", 4)).collect();
    assert_eq!(months, wanted, "{told:?}");
    assert!(
        told.is_sorted_by(|one, next| one["time"].as_str() > next["time"].as_str()),
        "{told:?}"
    );
    assert!(told.iter().all(|it| it["confirmed"] == true), "{told:?}");
}

async fn what_is_old_is_dropped(world: &World) {
    let app = noting(world).await;
    let one = numbers(&format!("/{NUMBER}"));
    write(&app, &app.admin(), Method::PUT, &one, json!({"note": 1})).await;
    app.clock().set("2025-05-31T00:00:00Z".parse().unwrap());
    write(&app, &app.admin(), Method::PATCH, &one, json!({"note": 2})).await;
    let expire = async || {
        let data = json!({"scope": {"all": true}, "confirm": "expire"});
        let path = "/v2/maintenance/expire?wait=20";
        let job = send(&app, &app.admin(), Method::POST, path, data).await.data(200);
        job["findings"]["database_expired"]["ids"].clone()
    };
    assert_eq!(expire().await, json!(null));
    assert_eq!(history(&app, &app.admin(), &any(NUMBER)).await.len(), 2);
    app.clock().set("2025-06-01T00:00:00Z".parse().unwrap());
    assert_eq!(expire().await, json!(["number_manager_history-202405"]));
    let told = history(&app, &app.admin(), &any(NUMBER)).await;
    assert_eq!(told.len(), 1, "{told:?}");
}
