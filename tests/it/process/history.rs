//! Who writes numbers is kept unless the operator does not want that.

use serde_json::{Value, json};

use crate::support::process::{A, Home, of};

#[tokio::test(flavor = "multi_thread")]
async fn it_is_kept_unless_it_is_switched_off() {
    for (mut home, enabled) in [
        (Home::sqlite(), true),
        (Home::sqlite(), false),
        (Home::couchdb(), true),
        (Home::couchdb(), false),
    ] {
        home.set("history__enabled", &enabled.to_string());
        let service = home.start().await;
        let number = of(A, "+14155550100");
        service.put(&number, json!({})).await.expect(201);
        let history = service.get(&format!("{number}/history")).await.expect(200);
        let rows = history.json["data"].as_array().map(Vec::len);
        assert_eq!(rows, Some(usize::from(enabled)), "{:?}", history.json);
        service.ask(reqwest::Method::DELETE, &number, Value::Null).await.expect(200);
        service.stop().await;
    }
}
