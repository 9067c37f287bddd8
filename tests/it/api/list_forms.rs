//! Lists in other forms: without pages, as a table, and not at all when nothing has changed.

use std::sync::Arc;

use axum::{
    body::to_bytes,
    http::{Method, Request},
};
use futures::StreamExt;
use number_manager::store::{Body, DbName, Expect, Write};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::world::{HOLDER, NUMBER, Who, World, account_db, numbers, over_both_stores, path_of};
use crate::support::{
    app::{ACCOUNT, Answer, PARENT, STRANGER, TestApp},
    failing::FailingStore,
};

over_both_stores! {
    a_list_without_pages_is_what_its_pages_are,
    a_list_for_people_is_the_same,
    a_table_has_a_row_for_each_number,
    a_table_is_named_as_the_client_says,
    an_unchanged_list_is_not_sent_again,
    whatever_changes_a_list_changes_its_tag,
    a_list_that_cannot_begin_is_an_error,
}

fn held(state: &str) -> Value {
    json!({"pvt_state": state, "pvt_assigned_to": ACCOUNT})
}

fn number(last: usize) -> String {
    format!("+1415555{last:04}")
}

async fn keep_many(world: &World, count: usize) {
    world.keep(&number(0), held("in_service")).await;
    let document = world.document(&number(0)).await.unwrap().body;
    let put = |number: String| {
        let dbs = [super::world::number_db(&number), account_db(ACCOUNT)];
        dbs.map(|db| Write::put(db, &*number, Expect::Absent, document.clone())).to_vec()
    };
    let sets = (1..count).map(|last| put(number(last))).collect();
    for stored in world.store.commit_many(sets).await {
        stored.unwrap();
    }
}

async fn list(world: &World, query: &str) -> Answer {
    world.ask(HOLDER, Method::GET, &numbers(query), None).await
}

async fn a_list_without_pages_is_what_its_pages_are(world: &World) {
    // More than are read at once.
    keep_many(world, 620).await;
    for direction in ["descending=true", "ascending=true"] {
        let whole = list(world, &format!("?paginate=false&{direction}")).await;
        let data = whole.data(200);
        let page = list(world, &format!("?page_size=1000&{direction}")).await.data(200);
        assert_eq!(data, page);
        let order =
            |data: &Value| data["numbers"].as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(order(&data), order(&page));
        assert_eq!(order(&data).len(), 620);
        assert!(whole.text.starts_with(r#"{"data":{"numbers":{"+1"#), "data comes first");
        let envelope = whole.json();
        for member in ["status", "request_id", "node", "timestamp", "version", "auth_token"] {
            assert!(envelope[member].is_string(), "{member}");
        }
        for key in ["page_size", "start_key", "next_start_key", "revision"] {
            assert_eq!(envelope.get(key), None, "{key}");
        }
    }
    let none = list(world, "?paginate=false&filter_state=aging").await.data(200);
    assert_eq!(none, json!({"numbers": {}, "cascade_quantity": 0}));
}

async fn a_list_for_people_is_the_same(world: &World) {
    world.keep(NUMBER, held("in_service")).await;
    let plain = list(world, "?paginate=false").await;
    let pretty = list(world, "?paginate=false&pretty_print=true").await;
    assert_eq!(plain.data(200), pretty.data(200));
    assert!(pretty.text.lines().count() > 10, "{}", pretty.text);
    assert!(
        pretty.text.contains("\n      \"+14155550100\": {\n        \"state\""),
        "{}",
        pretty.text
    );
}

async fn a_table_has_a_row_for_each_number(world: &World) {
    keep_many(world, 60).await;
    let mut odd = held("reserved");
    odd["pvt_used_by"] = json!("=HYPERLINK(\"x\")");
    odd["pvt_features_allowed"] = json!(["cnam", "e911"]);
    world.keep(&number(99), odd).await;
    let check = |answer: &Answer, rows: usize| {
        answer.check_status(200);
        assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
        let mut table = csv::Reader::from_reader(answer.text.as_bytes());
        assert_eq!(&table.headers().unwrap()[0], "number");
        let records: Vec<_> = table.records().map(Result::unwrap).collect();
        assert_eq!(records.len(), rows);
        records
    };
    let records = check(&list(world, "?accept=csv").await, 61);
    assert_eq!(&records[0][0], number(99));
    assert_eq!((&records[0][1], &records[0][3]), ("reserved", "cnam,e911"));
    assert_eq!((&records[0][6], &records[0][7]), (ACCOUNT, "'=HYPERLINK(\"x\")"));
    assert_eq!((&records[60][0], &records[60][7]), (&*number(0), ""));
    check(&list(world, "?accept=csv&page_size=7").await, 7);
    check(&list(world, "?accept=csv&filter_state=reserved").await, 1);
    let app = &world.app;
    let ask = |accept: &str| {
        let path = numbers("");
        app.get(&path).token(&app.account(ACCOUNT)).header("accept", accept).send()
    };
    check(&ask("text/csv").await, 61);
    for other in ["text/csv, */*", "application/json", "*/*"] {
        ask(other).await.data(200);
    }
    let refused = list(world, "?accept=csv&page_size=0").await;
    let data = json!({"message": "page size must be at least 1"});
    refused.check_error(404, "faulty_request", &data);
}

async fn a_table_is_named_as_the_client_says(world: &World) {
    let app = &world.app;
    let path = numbers("?accept=csv&file_name=from%20query.csv");
    let named = app.get(&path).token(&app.account(ACCOUNT)).send().await;
    let disposition = |answer: &Answer| answer.header("content-disposition").unwrap().to_owned();
    assert_eq!(disposition(&named), "attachment; filename=\"from query.csv\"");
    let ask = app.get(&path).token(&app.account(ACCOUNT));
    let named = ask.header("x-file-name", "../a\"b.csv").send().await;
    assert_eq!(disposition(&named), "attachment; filename=\"ab.csv\"");
    let unnamed = list(world, "?accept=csv").await;
    assert_eq!(disposition(&unnamed), "attachment; filename=\"phone_numbers.csv\"");
}

async fn tag(world: &World, who: Who, query: &str) -> String {
    let answer = world.ask(who, Method::GET, &numbers(query), None).await;
    answer.check_status(200);
    let tag = answer.header("etag").unwrap().to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag} is not a strong tag");
    tag
}

async fn an_unchanged_list_is_not_sent_again(world: &World) {
    world.keep(NUMBER, held("in_service")).await;
    for query in ["", "?paginate=false", "?accept=csv", "?page_size=1&filter_state=in_service"] {
        let tag = tag(world, HOLDER, query).await;
        let app = &world.app;
        let path = numbers(query);
        let ask = |known: &str| {
            app.get(&path).token(&app.account(ACCOUNT)).header("if-none-match", known).send()
        };
        for known in [&tag, &format!("\"x\", {tag}"), &format!("W/{tag}")] {
            let same = ask(known).await;
            same.check_status(304);
            assert_eq!((&*same.text, same.header("etag")), ("", Some(&*tag)));
        }
        ask("\"x\"").await.check_status(200);
    }
    let queries = ["", "?paginate=false", "?accept=csv", "?page_size=1", "?include_ports=false"];
    let mut tags = Vec::new();
    for query in queries {
        tags.push(tag(world, HOLDER, query).await);
    }
    tags.push(tag(world, Who::Admin, "").await);
    let distinct: std::collections::BTreeSet<_> = tags.iter().collect();
    assert_eq!(distinct.len(), tags.len(), "each list has a tag of its own");
    assert_eq!(tag(world, Who::Account(PARENT), "").await, tags[0], "who sees the same");
}

async fn whatever_changes_a_list_changes_its_tag(world: &World) {
    world.keep(NUMBER, held("in_service")).await;
    let mut tags = vec![tag(world, HOLDER, "").await];
    let merged = world.about(HOLDER, Method::PATCH, "", Some(&json!({"a": 1}))).await;
    merged.check_status(200);
    tags.push(tag(world, HOLDER, "").await);
    world.about(HOLDER, Method::DELETE, "", None).await.check_status(200);
    tags.push(tag(world, HOLDER, "").await);
    world.keep("+14165550100", held("in_service")).await;
    tags.push(tag(world, HOLDER, "").await);
    assert_eq!(tag(world, HOLDER, "").await, tags[3]);
    world.request_port(ACCOUNT, "+14155550177", "submitted").await;
    let app = world.beside().await;
    let listed = app.get(&numbers("")).token(&app.account(ACCOUNT)).send().await;
    tags.push(listed.header("etag").unwrap().to_owned());
    let app = world.configured(json!({"features": {"deny": ["failover"]}})).await;
    let listed = app.get(&numbers("")).token(&app.account(ACCOUNT)).send().await;
    tags.push(listed.header("etag").unwrap().to_owned());
    let says = |members: Value| serde_json::from_value::<Body>(members).unwrap();
    let denies = says(json!({"features": {"deny": ["prepend"]}}));
    world.put(account_db(PARENT), "configs_number_manager", denies).await;
    let messages = json!({"default": {"features": {"sms": {"enabled": true}}}});
    let carriers = [None, Some(says(messages))];
    for carrier in carriers {
        if let Some(carrier) = carrier {
            let db = DbName::new("system_config");
            world.put(db, "number_manager.inventory", carrier).await;
        }
        let app = world.beside().await;
        let listed = app.get(&numbers("")).token(&app.account(ACCOUNT)).send().await;
        tags.push(listed.header("etag").unwrap().to_owned());
    }
    let distinct: std::collections::BTreeSet<_> = tags.iter().collect();
    assert_eq!(distinct.len(), tags.len(), "{tags:?}");
    // What is somebody else's changes nothing.
    let before = tags.last().unwrap();
    world
        .keep("+14175550100", json!({"pvt_state": "in_service", "pvt_assigned_to": STRANGER}))
        .await;
    let app = world.beside().await;
    let listed = app.get(&numbers("")).token(&app.account(ACCOUNT)).send().await;
    assert_eq!(listed.header("etag").unwrap(), before);
}

async fn a_list_that_cannot_begin_is_an_error(world: &World) {
    for query in ["?paginate=false&created_from=x", "?accept=csv&created_from=x"] {
        list(world, query).await.check_status(400);
    }
    let path = path_of("x", "?paginate=false");
    world.ask(HOLDER, Method::GET, &path, None).await.check_status(404);
    let path = path_of(STRANGER, "?accept=csv");
    world.ask(HOLDER, Method::GET, &path, None).await.check_status(403);
}

/// A store with an account of some pages of numbers, and the HTTP face over it.
async fn failing_after(pages: usize) -> (Arc<FailingStore>, TestApp, World) {
    let world = World::embedded().await;
    keep_many(&world, 2_200).await;
    // The first page is one of accounts, to know whether it has descendants.
    let store = Arc::new(FailingStore::pages(world.store.clone(), pages.saturating_add(1)));
    let app = TestApp::over(store.clone(), super::world::UNLIMITED).await;
    (store, app, world)
}

async fn response(app: &TestApp, query: &str) -> axum::response::Response {
    let request = Request::builder().uri(numbers(query));
    let request = request.header("x-auth-token", app.account(ACCOUNT));
    app.router().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_fails_does_not_look_whole() {
    for query in ["?paginate=false", "?accept=csv"] {
        let (_, app, _world) = failing_after(0).await;
        let answer = app.get(&numbers(query)).token(&app.account(ACCOUNT)).send().await;
        let data = json!({"message": "datastore unreachable"});
        answer.check_error(503, "datastore_unreachable", &data);
        for pages in 1..4 {
            let (_, app, _world) = failing_after(pages).await;
            let response = response(&app, query).await;
            assert_eq!(response.status().as_u16(), 200);
            to_bytes(response.into_body(), usize::MAX).await.unwrap_err();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_read_for_a_client_who_has_hung_up() {
    let (store, app, _world) = failing_after(usize::MAX).await;
    let response = response(&app, "?paginate=false").await;
    let mut body = response.into_body().into_data_stream();
    for _ in 0..3 {
        body.next().await.unwrap().unwrap();
    }
    drop(body);
    assert!(store.asked() <= 3, "{} pages were read", store.asked());
}
