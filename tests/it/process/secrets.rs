//! What is logged: one line for each thing, and none with a secret or with what people wrote on their
//! numbers.

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::process::{A, Home, of};

const NUMBER: &str = "+14155550100";
const SECRET: &str = "this-is-the-secret-of-the-operator";
const ADDRESS: &str = "1234 Quiet Street";

#[tokio::test(flavor = "multi_thread")]
async fn a_log_line_is_one_line_and_holds_no_secret() {
    let mut home = Home::sqlite();
    home.set("token__secret", SECRET);
    home.set("log__filter", "trace");
    let service = home.start().await;
    let data = json!({"note": ADDRESS, "e911": {"street_address": ADDRESS}});
    service.ask(Method::PUT, &of(A, NUMBER), data).await;
    let url = |path: &str| format!("http://{}{path}", service.address());
    let client = Client::new();
    for path in [
        "/v2/accounts/a%0a%7B%22level%22%3A%22ERROR%22%7D/phone_numbers",
        "/v2/phone_numbers/%0d%0a2026-01-01T00:00:00Z%20ERROR%20forged",
        "/v2/phone_numbers?filter_state=%0aforged",
    ] {
        let asked = client.get(url(path)).header("x-request-id", "a b\t{}");
        let asked = asked.header("x-auth-token", service.token());
        assert!(asked.send().await.unwrap().status().as_u16() < 500);
    }
    let bad = client.get(url("/v2/phone_numbers")).header("x-auth-token", "forged.token.here");
    assert_eq!(bad.send().await.unwrap().status(), 401);
    let token = service.token().to_owned();
    let metrics = client.get(url("/metrics")).send().await.unwrap().text().await.unwrap();
    let log = service.log();
    service.stop().await;
    assert!(log.lines().count() > 5, "{log}");
    for line in log.lines() {
        let entry: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
        assert!(entry["level"] != "ERROR", "{line}");
    }
    let signature = token.rsplit('.').next().unwrap();
    for (name, text) in [("the log", &log), ("the metrics", &metrics)] {
        for secret in [SECRET, &token, signature, "forged.token.here", ADDRESS] {
            assert!(!text.contains(secret), "{secret} is in {name}");
        }
    }
}
