//! What every provider of the registry that a vendor runs does, whoever it is.

use std::time::Duration;

use number_manager::providers::{ProviderError, Step, VENDORS, VendorError};
use serde_json::{Map, Value, json};

use super::{Fake, HOLDER, NUMBER, fakes, number};
use crate::support::vendor::{Trouble, VendorServer};

/// Secrets in the tests hold this.
const SECRET: &str = "s3cr3t-of-a-vendor";

#[test]
fn every_provider_has_a_vendor_to_ask() {
    let named: Vec<&str> = fakes().iter().map(|fake| fake.name).collect();
    for vendor in VENDORS {
        assert!(named.contains(&vendor.name), "{} has no fake", vendor.name);
    }
}

#[test]
fn what_is_wrong_with_settings_is_named() {
    for vendor in VENDORS {
        assert!(vendor.open(&Map::new()).unwrap().is_none(), "{} needs no settings", vendor.name);
        let wrong = [
            (vendor.address, json!("ftp://h")),
            (vendor.address, json!("http://api.example.com")),
            (vendor.address, json!("https://me:hunter2@h")),
            (vendor.address, json!(7)),
            ("concurrency", json!(0)),
            ("provisioning_timeout_ms", json!("soon")),
        ];
        let secrets = vendor.secrets.iter().map(|key| (*key, json!({"a": SECRET})));
        for (key, value) in wrong.into_iter().chain(secrets) {
            let members = Map::from_iter([(key.to_owned(), value)]);
            let err = vendor.open(&members).err().unwrap_or_else(|| {
                panic!("{} takes {members:?}", vendor.name);
            });
            assert_eq!(err.key, key, "{}", vendor.name);
            assert!(!err.to_string().contains(SECRET) && !err.to_string().contains("hunter2"));
        }
    }
}

#[tokio::test]
async fn secrets_are_not_in_the_debug_form() {
    for fake in fakes() {
        let server = VendorServer::start((fake.vendor)()).await;
        let provider = fake.open(&server, json!({}));
        let text = format!("{provider:?} {provider:#?}");
        assert!(!text.contains(fake.secret), "{}: {text}", fake.name);
    }
}

/// Whatever a vendor says: an error comes in time, holds no secret, and leaves the number as it was
/// asked for.
#[tokio::test]
async fn whatever_a_vendor_says_is_an_error_and_tells_no_secret() {
    for fake in fakes() {
        let settings = json!({"provisioning_timeout_ms": 300, "answer_bytes": 1_000_000});
        let server = VendorServer::start((fake.vendor)()).await;
        let provider = fake.open(&server, settings);
        let wanted = number(&*provider, (fake.wish)());
        for trouble in troubles(&fake) {
            server.always(Some(trouble.clone()));
            let mut after = wanted.clone();
            let asked = provider.provide(None, &mut after, HOLDER);
            let err = tokio::time::timeout(Duration::from_secs(20), asked).await.unwrap();
            check_told(&fake, &trouble, &err.expect_err(&format!("{} {trouble:?}", fake.name)));
            assert_eq!(after.public, wanted.public, "{} {trouble:?}", fake.name);
            let left = provider.leftover(Some(&wanted), None).unwrap();
            let settled = provider.settle(&wanted.id, None, &left).await;
            let err = settled.expect_err(&format!("{} {trouble:?}", fake.name));
            check_told(&fake, &trouble, &err);
        }
    }
}

fn check_told(fake: &Fake, trouble: &Trouble, err: &ProviderError) {
    let text = format!("{err} {err:?}");
    assert!(!text.contains(fake.secret), "{}: {text}", fake.name);
    let ProviderError::Failed { reason: Some(reason), .. } = err else {
        panic!("{} {trouble:?}: {err:?}", fake.name)
    };
    assert!(VendorError::reason(reason).chars().count() <= 300, "{}", fake.name);
}

fn troubles(fake: &Fake) -> Vec<Trouble> {
    let echo = json!({"error": format!("bad key {}", fake.secret)}).to_string();
    let laughs = r#"<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;&b;">]><content>&c;</content>"#;
    let statuses = [401, 403, 409, 422, 429, 500, 502, 503];
    let said = statuses.map(|status| Trouble::Say(status, echo.clone()));
    let bodies = ["", "null", "[]", "{", "<html>", "\"x\"", "7", "[[[[", "{\"data\": 7}"];
    let odd = bodies.map(|body| Trouble::Say(200, body.to_owned()));
    let rest = [
        Trouble::Later(429, 3600),
        Trouble::Truncated,
        Trouble::Hangup,
        Trouble::Swallowed,
        Trouble::Flood(50_000_000),
        Trouble::Say(302, String::new()),
        Trouble::Say(200, "[".repeat(1_000_000)),
        Trouble::Say(200, laughs.to_owned()),
        Trouble::Say(200, "<a>".repeat(300_000)),
        Trouble::Say(200, format!("<content>{}</content>", "<a/>".repeat(20_000))),
    ];
    said.into_iter().chain(odd).chain(rest).collect()
}

/// What was put somewhere is taken away again, and that may be asked for again.
#[tokio::test]
async fn features_come_and_go() {
    for fake in fakes() {
        let server = VendorServer::start((fake.vendor)()).await;
        let provider = fake.open(&server, json!({}));
        let mut after = number(&*provider, (fake.wish)());
        provider.provide(None, &mut after, HOLDER).await.unwrap();
        assert!(!server.taken().is_empty(), "{}", fake.name);
        // Nothing is left of what stays.
        assert_eq!(provider.leftover(Some(&after), Some(&mut after.clone())), None);
        let left = provider.leftover(Some(&after), None).unwrap();
        // The number has it again by now, or still.
        provider.settle(&after.id, Some(&after), &left).await.unwrap();
        let changing = server.taken();
        assert_eq!(changing, Vec::<String>::new(), "{}", fake.name);
        for _ in 0..2 {
            provider.settle(&after.id, None, &left).await.unwrap();
        }
        assert!(!server.taken().is_empty(), "{} {NUMBER}", fake.name);
    }
}

/// Nobody knows whether it was put there: it is held against what the number says.
#[tokio::test]
async fn what_is_in_doubt_is_held_against_the_number() {
    for fake in fakes() {
        let server = VendorServer::start((fake.vendor)()).await;
        let provider = fake.open(&server, json!({}));
        let mut after = number(&*provider, (fake.wish)());
        provider.provide(None, &mut after, HOLDER).await.unwrap();
        server.taken();
        let left: Value = provider.in_doubt(Step { before: None, after: Some(&after) });
        provider.settle(&after.id, Some(&after), &left).await.unwrap();
        assert_eq!(server.taken(), Vec::<String>::new(), "{}: it was saved", fake.name);
        let bare = number(&*provider, json!({}));
        provider.settle(&after.id, Some(&bare), &left).await.unwrap();
        assert!(!server.taken().is_empty(), "{}: it was not", fake.name);
    }
}
