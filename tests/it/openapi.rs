//! The document of the API: committed as it is, and true of every operation.

use axum::http::Method;
use number_manager::{api, maintenance::OPERATIONS};
use serde_json::Value;

use crate::support::app::{ACCOUNT, TestApp};

/// Operations that need no token: health, the document, and what the wire opens. The list may only
/// shrink.
const OPEN: &[&str] =
    &["livez", "readyz", "metrics", "openapi_document", "get_open_prefixes", "list_actions"];

#[test]
fn the_committed_document_is_what_the_code_says() {
    let file = expect_test::expect_file!["../../openapi/openapi.json"];
    file.assert_eq(&api::printed_document(OPERATIONS));
}

fn operations() -> Vec<(Method, String, Value)> {
    let document: Value = serde_json::from_str(&api::printed_document(OPERATIONS)).unwrap();
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase().parse().unwrap();
            operations.push((method, path.clone(), operation.clone()));
        }
    }
    operations
}

#[test]
fn every_operation_is_described() {
    let mut ids = Vec::new();
    for (method, path, operation) in operations() {
        let what = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap_or_else(|| panic!("{what} has no id"));
        assert!(!ids.contains(&id.to_owned()), "{id} names two operations");
        ids.push(id.to_owned());
        assert!(operation["summary"].is_string(), "{what} has no sentence");
        assert!(operation["tags"][0].is_string(), "{what} has no tag");
        if !OPEN.contains(&id) {
            assert!(operation["responses"]["401"].is_object(), "{what} does not describe 401");
        }
    }
}

#[test]
fn every_operation_over_many_numbers_is_named() {
    let is_it = |(_, path, _): &(Method, String, Value)| path == "/v2/maintenance/{operation}";
    let (_, _, operation) = operations().into_iter().find(is_it).unwrap();
    let parameters = operation["parameters"].as_array().unwrap();
    let name = parameters.iter().find(|parameter| parameter["name"] == "operation").unwrap();
    let names: Vec<&str> = OPERATIONS.iter().map(|operation| operation.name()).collect();
    assert_eq!(name["schema"]["enum"], serde_json::json!(names));
}

#[test]
fn every_reference_leads_somewhere() {
    let document: Value = serde_json::from_str(&api::printed_document(OPERATIONS)).unwrap();
    let mut waiting = vec![&document];
    let mut seen = 0;
    while let Some(value) = waiting.pop() {
        if let Some(Value::String(reference)) = value.get("$ref") {
            let pointer = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(pointer).is_some(), "{reference}");
            seen += 1;
        }
        match value {
            Value::Object(members) => waiting.extend(members.values()),
            Value::Array(items) => waiting.extend(items),
            _ => {}
        }
    }
    assert!(seen > 0);
}

#[tokio::test]
async fn every_operation_asks_for_a_token() {
    let app = TestApp::new().await;
    for (method, path, operation) in operations() {
        let id = operation["operationId"].as_str().unwrap();
        if OPEN.contains(&id) {
            continue;
        }
        let path = path.replace("{account_id}", ACCOUNT).replace("{number}", "+14155550100");
        let answer = app.ask(method, &path).send().await;
        assert_eq!(answer.status.as_u16(), 401, "{id}: {}", answer.text);
    }
}
