//! The key that signs tokens is changed while the service runs.

use std::time::{Duration, Instant};

use reqwest::Method;
use rstest::rstest;
use serde_json::Value;
use tokio::time::sleep;

use crate::support::process::{A, Home, OFTEN, Service};

/// How long a key that was retired may be believed: five seconds, and some for a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

async fn status(service: &Service, token: &str) -> u16 {
    let path = format!("accounts/{A}/phone_numbers");
    service.try_ask(Method::GET, &path, Value::Null, token).await.unwrap().status
}

/// The lines that the program prints.
async fn print(home: &Home, arguments: &[&str]) -> Vec<String> {
    let outcome = home.run(arguments).await;
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.lines().map(str::to_owned).collect()
}

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn a_running_service_believes_the_new_key_and_then_only_that(#[case] home: Home) {
    let service = home.start().await;
    let old = service.token().to_owned();
    let keys = print(&home, &["token", "rotate-key"]).await;
    assert_eq!(keys.len(), 2, "{keys:?}");
    let first = keys[1].strip_suffix(" is believed").unwrap();
    assert!(keys[0].ends_with(" signs"), "{keys:?}");
    let new = print(&home, &["token", "--admin"]).await.remove(0);
    assert_eq!((status(&service, &old).await, status(&service, &new).await), (200, 200));

    let keys = print(&home, &["token", "rotate-key", "--retire", first]).await;
    assert_eq!(keys.len(), 2, "{keys:?}");
    assert!(!keys.iter().any(|line| line.starts_with(first)), "{keys:?}");
    let begun = Instant::now();
    while status(&service, &old).await != 401 {
        assert!(begun.elapsed() < PATIENCE, "a retired key is believed");
        sleep(OFTEN).await;
    }
    assert_eq!(status(&service, &new).await, 200);
    let refused = home.run(&["token", "rotate-key", "--retire", first]).await;
    assert_eq!(refused.check_refused(1), format!("there is no key {first}"));
}
