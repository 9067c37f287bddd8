//! What the doctor says of a deployment in which something is wrong.

use serde_json::{Value, json};

use crate::support::{
    couch::CouchServer,
    process::{A, Home, Outcome, of},
    proxy::{Fault, Proxy},
};

const NOT_ALLOWED: &str = r#"{"error":"unauthorized","reason":"You are not a server admin."}"#;

/// What it says of one thing.
#[track_caller]
fn line<'a>(said: &'a Outcome, what: &str) -> &'a str {
    let line = said.stdout.lines().find(|line| line[6..].starts_with(what));
    line.unwrap_or_else(|| panic!("{what}: {said:?}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sees_who_follows_and_which_indexes_are_missing() {
    let mut home = Home::couchdb();
    home.set("follower__enabled", "true");
    let service = home.start().await;
    service.put(&of(A, "+14155550100"), json!({})).await.expect(201);
    let said = home.run(&["doctor"]).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(line(&said, "copies are kept true").starts_with("ok    "), "{said:?}");
    assert!(line(&said, "copies are kept true").contains(" follows, "), "{said:?}");
    assert!(line(&said, "clocks agree").starts_with("ok    "), "{said:?}");
    // Who follows would put back what goes now.
    service.stop().await;

    let design = home.database_url("numbers%2F%2B1415/_design/number_manager");
    let client = reqwest::Client::new();
    let found = client.get(&design).send().await.unwrap().text().await.unwrap();
    let found: Value = serde_json::from_str(&found).unwrap();
    let gone = format!("{design}?rev={}", found["_rev"].as_str().unwrap());
    assert!(client.delete(gone).send().await.unwrap().status().is_success());
    let said = home.run(&["doctor"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let wrong = line(&said, "every database has its indexes");
    assert!(wrong.starts_with("FAIL  ") && wrong.contains("numbers/+1415"), "{wrong}");
    assert!(wrong.contains("number-manager migrate"), "{wrong}");
    assert_eq!(home.run(&["migrate"]).await.code, Some(0));
    assert_eq!(home.run(&["doctor"]).await.code, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_sees_that_a_right_is_missing() {
    let mut home = Home::couchdb();
    home.start().await.stop().await;
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    home.through(proxy.host());
    proxy.rule(|line| {
        let is_trial = line.contains("20000101");
        is_trial.then_some(Fault::Answer(403, NOT_ALLOWED))
    });
    let said = home.run(&["doctor"]).await;
    assert_eq!(said.code, Some(1), "{said:?}");
    let wrong = line(&said, "databases can be made");
    assert!(wrong.starts_with("FAIL  ") && wrong.contains("server admin"), "{wrong}");
    for secret in ["secret", "password"] {
        assert!(!said.stdout.contains(secret), "{said:?}");
    }
}
