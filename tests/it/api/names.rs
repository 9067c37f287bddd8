//! Names that nobody should send, in every place of every route where a name can stand: refused or
//! harmless, and nothing is written.

use axum::http::Method;
use number_manager::{
    api,
    maintenance::OPERATIONS,
    store::{IdRange, Order, Query, Question},
};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::world::{NUMBER, Who, World, over_both_stores};
use crate::support::app::ACCOUNT;

over_both_stores! {
    bad_names_in_paths_write_nothing,
    bad_values_in_queries_write_nothing,
}

/// Names as they stand in a path, encoded where it must be.
fn bad_names() -> Vec<String> {
    let mut names = vec![
        "%2F".to_owned(),
        "..%2F..%2Fsystem_config".to_owned(),
        "%2E%2E".to_owned(),
        "..".to_owned(),
        ".".to_owned(),
        "_design".to_owned(),
        "_design%2Fnumber_manager".to_owned(),
        "_all_docs".to_owned(),
        "%00".to_owned(),
        "%2B1415555%000100".to_owned(),
        "%FF%FE".to_owned(),
        "%0A".to_owned(),
        "%0D%0AX-Header%3A%201".to_owned(),
        "%25".to_owned(),
        "{number}".to_owned(),
        "%7B%7D".to_owned(),
        "'%22%3B%20--".to_owned(),
        "+".to_owned(),
        "+0".to_owned(),
        "4".repeat(10_000),
        "a".repeat(10_000),
        "%2F".repeat(3_000),
    ];
    // Right to left, digits of other scripts, a letter that is two characters, beyond the plane.
    for text in ["\u{202e}0010555514+", "\u{661}\u{664}\u{661}\u{665}", "e\u{301}", "\u{1f4de}"] {
        names.push(utf8_percent_encode(text, NON_ALPHANUMERIC).to_string());
    }
    names
}

/// Every document of every database.
async fn all_documents(world: &World) -> Vec<String> {
    let mut all = Vec::new();
    for db in world.store.databases("").await.unwrap() {
        let query = Query {
            question: Question::All,
            range: IdRange { from: String::new(), before: "\u{10ffff}".to_owned() },
            order: Order::Ascending,
            after: None,
            limit: 1000,
        };
        let page = world.store.query(&db, &query).await.unwrap();
        // The settings that were read are kept for a start without them.
        let mut documents = page.documents;
        documents.retain(|document| document.id != "last_good_configuration");
        all.push(format!("{db} {documents:?}"));
    }
    all
}

/// Every operation: its method, its path, and the parameters of its query.
fn operations() -> Vec<(Method, String, Vec<String>)> {
    let document: Value = serde_json::from_str(&api::printed_document(OPERATIONS)).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let of_query = parameters.iter().filter(|it| it["in"] == "query");
            let names = of_query.map(|it| it["name"].as_str().unwrap().to_owned()).collect();
            operations.push((method.to_uppercase().parse().unwrap(), path.clone(), names));
        }
    }
    operations
}

/// The path with good names for all of its parameters.
fn filled(path: &str) -> String {
    path.replace("{account_id}", ACCOUNT)
        .replace("{number}", "%2B14155550100")
        .replace("{config_id}", "number_manager.telnyx")
        .replace("{list}", "allowed")
        .replace("{feature}", "cnam")
}

/// The path, once for each of its parameters, with a bad name there and good ones elsewhere.
fn paths_with(path: &str, bad: &str) -> Vec<String> {
    let mut paths = Vec::new();
    for (at, _) in path.match_indices('{') {
        let end = at + path[at..].find('}').unwrap() + 1;
        paths.push(format!("{}{bad}{}", filled(&path[..at]), filled(&path[end..])));
    }
    paths
}

/// Not by a fault of ours. A directory that nobody has configured says so with 500, as clients know
/// it.
fn check_answered(status: u16, what: &str) {
    let is_directory = ["/prefix", "/locality"].iter().any(|path| what.contains(path));
    assert!(status < 500 || status == 500 && is_directory, "{what}: {status}");
}

async fn prepare(world: &World) -> Vec<String> {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    all_documents(world).await
}

async fn bad_names_in_paths_write_nothing(world: &World) {
    let before = prepare(world).await;
    let mut asked = 0;
    for (method, path, _) in operations() {
        for bad in bad_names() {
            for path in paths_with(&path, &bad) {
                if path.parse::<axum::http::Uri>().is_err() {
                    continue;
                }
                let answer = world.ask(Who::Admin, method.clone(), &path, Some(&json!({}))).await;
                let shown: String = path.chars().take(120).collect();
                check_answered(answer.status.as_u16(), &format!("{method} {shown}"));
                asked += 1;
            }
        }
    }
    assert!(asked > 500, "{asked}");
    assert_eq!(all_documents(world).await, before);
}

async fn bad_values_in_queries_write_nothing(world: &World) {
    let before = prepare(world).await;
    for (method, path, parameters) in operations() {
        if method != Method::GET {
            continue;
        }
        let filters = ["filter_id", "filter_not_a.b", "filter_%00", "has_key", "prefix"];
        let names = parameters.iter().map(String::as_str).chain(filters);
        for name in names {
            for bad in bad_names() {
                let bad = bad.replace(['{', '}', '"'], "");
                // A page of ten thousand characters is one in all places.
                let path = format!("{}?{name}={bad}", filled(&path));
                let answer = world.ask(Who::Admin, method.clone(), &path, None).await;
                let shown: String = path.chars().take(120).collect();
                check_answered(answer.status.as_u16(), &format!("{method} {shown}"));
            }
        }
    }
    assert_eq!(all_documents(world).await, before);
}
