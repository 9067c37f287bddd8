//! Holds every answer that a test gets against the document of the API.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use axum::http::Method;
use jsonschema::Validator;
use matchit::Router;
use number_manager::{api, maintenance::OPERATIONS};
use serde_json::{Value, json};

/// The document with its paths, and the schemas that were asked for, by where they stand.
struct Document {
    whole: Value,
    paths: Router<String>,
    schemas: Mutex<HashMap<String, Arc<Validator>>>,
}

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let whole: Value = serde_json::from_str(&api::printed_document(OPERATIONS)).unwrap();
    let mut paths = Router::new();
    for path in whole["paths"].as_object().unwrap().keys() {
        paths.insert(path.clone(), path.clone()).unwrap();
    }
    Document { whole, paths, schemas: Mutex::default() }
});

/// Checks that the document knows such an answer. What it does not describe at all is not looked at.
pub(crate) fn check(method: &Method, path: &str, status: u16, kind: Option<&str>, text: &str) {
    let Ok(found) = DOCUMENT.paths.at(path) else { return };
    let (template, verb) = (found.value, method.as_str().to_lowercase());
    let operation = &DOCUMENT.whole["paths"][template][&verb];
    if operation.is_null() {
        return;
    }
    let named = format!("{method} {template}: {status}");
    let response = resolved(&operation["responses"][status.to_string()]);
    assert!(response.is_object(), "{named} is not in the document: {text}");
    let Some(contents) = response["content"].as_object() else {
        assert_eq!(text, "", "{named} has a body that is not in the document");
        return;
    };
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default();
    let content = contents.get(kind);
    let content = content.unwrap_or_else(|| panic!("{named} is no {kind} by the document"));
    if kind != "application/json" {
        return;
    }
    let data: Value = serde_json::from_str(text).unwrap();
    let errors: Vec<String> = schema(&content["schema"])
        .iter_errors(&data)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{named} is not as the document says: {errors:#?}\n{text}");
}

/// What a reference means, or the value itself.
fn resolved(value: &'static Value) -> &'static Value {
    value["$ref"]
        .as_str()
        .map_or(value, |place| DOCUMENT.whole.pointer(place.trim_start_matches('#')).unwrap())
}

fn schema(schema: &Value) -> Arc<Validator> {
    let mut schemas = DOCUMENT.schemas.lock().unwrap();
    let made = || {
        let whole = json!({ "allOf": [schema], "components": DOCUMENT.whole["components"] });
        Arc::new(jsonschema::validator_for(&whole).unwrap())
    };
    schemas.entry(schema.to_string()).or_insert_with(made).clone()
}
