//! What the HTTP face does by itself, whatever the service says: paths, methods, bodies, tokens.

use axum::http::Method;
use number_manager::{api::LimitConfig, auth::Claims};
use serde_json::{Value, json};

use crate::support::app::{ACCOUNT, STRANGER, TestApp};

fn numbers(rest: &str) -> String {
    format!("/v2/accounts/{ACCOUNT}/phone_numbers{rest}")
}

async fn check_get(path: &str, status: u16, message: &str, data: Value) {
    TestApp::new().await.get(path).send().await.check_error(status, message, &data);
}

#[tokio::test]
async fn unknown_paths_are_not_found_in_the_envelope() {
    let data = || json!({"message": "not found"});
    check_get("/", 404, "not_found", data()).await;
    check_get("/v2/nothing", 404, "not_found", data()).await;
    check_get("/v3/accounts", 404, "not_found", data()).await;
    check_get(&numbers("/%2B14155550100/a/b"), 404, "not_found", data()).await;
    check_get(&numbers("/classifiers/a/b"), 404, "not_found", data()).await;
}

#[tokio::test]
async fn reserved_words_are_never_numbers() {
    let app = TestApp::new().await;
    for word in ["prefix", "locality", "check", "%63heck"] {
        for rest in ["/activate", "/reserve"] {
            let path = numbers(&format!("/{word}{rest}"));
            let answer = app.ask(Method::PUT, &path).token(&app.admin()).send().await;
            answer.check_error(404, "not_found", &json!({"message": "not found"}));
        }
    }
    for path in ["/collection", "/c%6Fllection", "/collection/activate"] {
        let answer = app.ask(Method::PUT, &numbers(path)).token(&app.admin()).send().await;
        let missing = json!({"required": {"message": "list of numbers missing"}});
        answer.check_error(400, "validation error", &json!({"numbers": missing}));
    }
    let others = ["/prefix", "/locality", "/check", "/%63heck"];
    for path in ["/fix", "/fix/activate", "/f%69x"].into_iter().chain(others) {
        let answer = app.ask(Method::PUT, &numbers(path)).token(&app.admin()).send().await;
        answer.check_error(405, "invalid_method", &json!({"message": "method not allowed"}));
    }
    let answer = app.ask(Method::PUT, &numbers("/carriers_info/activate")).send().await;
    assert_eq!(answer.status.as_u16(), 404);
}

#[tokio::test]
async fn the_first_version_is_gone() {
    let path = format!("/v1/accounts/{ACCOUNT}/phone_numbers");
    check_get(&path, 410, "gone", json!({"message": "gone"})).await;
}

#[tokio::test]
async fn accounts_that_cannot_be_are_not_found() {
    let missing = json!({"message": "missing account_id"});
    check_get("/v2/accounts//phone_numbers", 404, "bad identifier", missing).await;
    let invalid = json!({"message": "invalid account_id 'zz'"});
    check_get("/v2/accounts/zz/phone_numbers", 404, "bad identifier", invalid).await;
}

#[tokio::test]
async fn a_wrong_method_comes_before_a_missing_token() {
    let app = TestApp::new().await;
    let data = json!({"message": "method not allowed"});
    let answer = app.ask(Method::POST, &numbers("/classifiers")).send().await;
    answer.check_error(405, "invalid_method", &data);
    assert_eq!(answer.header("allow"), Some("GET"));
    let answer = app.get(&numbers("/%2B14155550100/activate")).send().await;
    answer.check_error(405, "invalid_method", &data);
    let answer = app.ask(Method::HEAD, &numbers("")).send().await;
    assert_eq!(answer.status.as_u16(), 405);
}

#[tokio::test]
async fn the_body_is_read_before_the_path() {
    let app = TestApp::new().await;
    let answer = app.ask(Method::POST, "/v2/nothing").body("{\"data\":").send().await;
    assert_eq!(answer.status.as_u16(), 400);
    let json = answer.json();
    assert_eq!(json["message"], "validation error");
    assert_eq!(json["data"]["json"]["invalid"]["target"], "body");
}

#[tokio::test]
async fn a_large_body_is_refused() {
    let app = TestApp::new().await;
    let answer = app.ask(Method::PUT, &numbers("/1")).body(" ".repeat(8_000_001)).send().await;
    assert_eq!(answer.status.as_u16(), 413);
    assert_eq!(answer.json()["data"]["file"]["maxSize"]["target"], 8_000_000);
}

#[tokio::test]
async fn options_needs_no_token_and_lists_methods() {
    let app = TestApp::new().await;
    let ask = app.ask(Method::OPTIONS, &numbers("/%2B14155550100"));
    let answer = ask.header("Origin", "https://ui.example").send().await;
    assert_eq!(answer.status.as_u16(), 200);
    assert_eq!(answer.json()["status"], "success");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let methods = "OPTIONS, GET, PUT, POST, PATCH, DELETE";
    assert_eq!(answer.header("access-control-allow-methods"), Some(methods));
    assert_eq!(answer.header("access-control-max-age"), Some("86400"));
}

#[tokio::test]
async fn errors_can_be_read_by_pages_of_other_origins() {
    let app = TestApp::new().await;
    let answer = app.get("/v2/nothing").header("Origin", "https://ui.example").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    let answer = app.get("/v2/nothing").send().await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_request_id_is_echoed_or_made() {
    let app = TestApp::new().await;
    let answer = app.get("/v2/nothing").header("X-Request-ID", "abc123").send().await;
    assert_eq!(answer.header("x-request-id"), Some("abc123"));
    assert_eq!(answer.json()["request_id"], "abc123");
    let answer = app.get("/v2/nothing").send().await;
    assert_eq!(answer.header("x-request-id").unwrap().len(), 32);
}

#[tokio::test]
async fn tokens_are_asked_for() {
    let app = TestApp::new().await;
    let missing = json!({"message": "invalid credentials"});
    let path = "/v2/maintenance";
    app.get(path).send().await.check_error(401, "invalid_credentials", &missing);
    app.get(path).token("junk").send().await.check_error(401, "invalid_credentials", &missing);
    let query = format!("{path}?auth_token={}", app.admin());
    app.get(&query).send().await.check_error(401, "invalid_credentials", &missing);
    let token = app.admin();
    app.clock().advance(jiff::SignedDuration::from_hours(2));
    app.get(path).token(&token).send().await.check_error(401, "invalid credentials", &json!({}));
}

#[tokio::test]
async fn an_empty_bucket_refuses() {
    let app = TestApp::with(LimitConfig { burst: 1, per_second: 1 }).await;
    assert_eq!(app.get("/v2/maintenance").send().await.status.as_u16(), 401);
    let answer = app.get("/v2/maintenance").send().await;
    answer.check_error(429, "too_many_requests", &json!({"message": "too many requests"}));
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn health_and_documents_are_open() {
    let app = TestApp::new().await;
    let answer = app.get("/livez").send().await;
    assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (200, &json!("alive")));
    let answer = app.get("/openapi.json").send().await;
    assert_eq!(answer.header("content-type"), Some("application/json"));
    assert_eq!(answer.json()["openapi"].as_str().unwrap().get(..2), Some("3."));
    assert_eq!(app.get("/docs").send().await.status.as_u16(), 303);
    let page = app.get("/docs/").send().await;
    assert!(page.status.is_success() && page.text.contains("swagger-ui"));
    assert!(!page.text.contains("https://"), "nothing is fetched from elsewhere");
    let script = app.get("/docs/swagger-initializer.js").send().await;
    assert!(script.text.contains("../openapi.json"));
    assert!(app.get("/metrics").send().await.status.is_success());
}

#[tokio::test]
async fn odd_paths_are_answered() {
    let app = TestApp::new().await;
    let answer = app.get("/v2/nothing%00").header("X-Request-ID", "x1").send().await;
    assert!(answer.status.is_client_error());
    assert_eq!(answer.json()["request_id"], "x1");
}

#[tokio::test]
async fn maintenance_is_for_the_operators_maintenance_tokens() {
    let app = TestApp::new().await;
    let answer = app.get("/v2/maintenance").token(&app.admin()).send().await;
    assert_eq!(answer.status.as_u16(), 200, "{}", answer.text);
    assert_eq!(answer.json()["data"][0]["operation"], "carrier_usage");
    let scope = Some(json!("read,write"));
    let token = app.token(Claims { admin: true, scope, ..Claims::default() });
    let answer = app.get("/v2/maintenance").token(&token).send().await;
    answer.check_error(403, "forbidden", &json!({"message": "forbidden"}));
}

#[tokio::test]
async fn a_body_of_another_kind_is_refused_after_the_token() {
    let app = TestApp::new().await;
    let ask = || {
        let ask = app.ask(Method::POST, "/v2/maintenance/sup");
        ask.header("Content-Type", "text/csv").body("a,b")
    };
    assert_eq!(ask().send().await.status.as_u16(), 401);
    assert_eq!(ask().token(&app.admin()).send().await.status.as_u16(), 415);
}

#[tokio::test]
async fn what_is_no_number_is_not_found_or_refused() {
    let app = TestApp::new().await;
    let token = app.account(ACCOUNT);
    let answer = app.get(&numbers("/abc")).token(&token).send().await;
    let data = json!({
        "message": "bad identifier",
        "not_found": "The number could not be found",
        "cause": "abc",
    });
    answer.check_error(404, "bad_identifier", &data);
    let ask = app.ask(Method::POST, &numbers("/abc")).token(&token).data(&json!({}));
    let data = json!({
        "code": 400,
        "error": "not_reconcilable",
        "cause": "abc",
        "message": "number abc is not reconcilable",
    });
    ask.send().await.check_error(400, "not_reconcilable", &data);
}

#[tokio::test]
async fn a_token_of_another_account_is_refused() {
    let app = TestApp::new().await;
    let token = app.account(STRANGER);
    let answer = app.get(&numbers("")).token(&token).send().await;
    answer.check_error(403, "forbidden", &json!({"message": "forbidden"}));
}
