//! Simwood: how prefixes are asked for, and what counts as bought.

use axum::http::Method;
use number_manager::{carriers::Ownership, domain::E164};
use serde_json::json;

use super::{Fake, NUMBER, OTHER, opened, order, wanted};
use crate::support::vendor::Trouble;

fn simwood() -> Fake {
    Fake::of("knm_simwood")
}

#[tokio::test]
async fn every_length_of_prefix_is_a_pattern() {
    let (server, carrier) = opened(&simwood(), json!({})).await;
    for (prefix, pattern, country) in [
        ("+1415", "415*", "1"),
        ("+14155", "4155*", "1"),
        ("+141555", "41555*", "1"),
        ("+1415555", "415555*", "1"),
        ("+14155550", "4155550*", "1"),
        ("+141555501", "41555501*", "1"),
        (NUMBER, "4155550100*", "1"),
        ("+1800", "800*", "1"),
        ("+4420", "20*", "44"),
        ("+44121", "121*", "44"),
    ] {
        assert_eq!(carrier.search(&wanted(prefix)).await.unwrap(), [], "{prefix}");
        let seen = server.seen();
        let last = seen.last().unwrap();
        assert_eq!(last.path, "/930123/available/standard/10");
        let asked = (last.asked("pattern"), last.asked("country_code"));
        assert_eq!(asked, (Some(pattern), Some(country)), "{prefix}");
    }
    server.taken();
    // It has no others.
    assert_eq!(carrier.search(&wanted("+4930")).await.unwrap(), []);
    for (quantity, length) in [(1, "1"), (2, "10"), (10, "10"), (11, "100"), (500, "100")] {
        let mut wanted = wanted("+1415");
        wanted.quantity = quantity;
        carrier.search(&wanted).await.unwrap();
        assert_eq!(server.taken(), [format!("GET /930123/available/standard/{length}")]);
    }
}

#[tokio::test]
async fn what_is_found_is_a_whole_number() {
    let (server, carrier) = opened(&simwood(), json!({})).await;
    server.vendor(|it| ["+442079460100", NUMBER, "+18005550100"].map(|number| it.offer(number)));
    let found = carrier.search(&wanted("+4420")).await.unwrap().remove(0);
    assert_eq!(found.number.as_str(), "+442079460100");
    let data = found.data.unwrap();
    assert_eq!((&data["country_code"], &data["number"]), (&json!("44"), &json!("2079460100")));
    assert_eq!(carrier.describe(&data)["features"], json!(["sms"]));
    assert_eq!(carrier.search(&wanted("+1800")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn only_what_is_allocated_counts_as_bought() {
    let (server, carrier) = opened(&simwood(), json!({})).await;
    server.vendor(|it| it.offer(NUMBER));
    let it = order(NUMBER);
    // It says that all is well, and nothing was done.
    server.next(Some(Method::PUT), Trouble::Say(200, String::new()));
    assert!(carrier.acquire(&it).await.unwrap_err().is_doubtful());
    assert_eq!(carrier.owned(&it).await.unwrap(), Ownership::NotOurs);
    for status in [401, 403, 404, 409] {
        server.next(Some(Method::PUT), Trouble::Say(status, "{\"errors\": \"no\"}".to_owned()));
        let err = carrier.acquire(&it).await.unwrap_err();
        assert_eq!((err.status(), err.reason()), (Some(status), "no"));
        assert!(!err.is_doubtful());
    }
    server.taken();
    assert_eq!(carrier.acquire(&it).await.unwrap(), Some(json!({"a": 1})));
    let path = "/930123/allocated/14155550100";
    assert_eq!(server.taken(), ["GET", "PUT", "GET"].map(|method| format!("{method} {path}")));
}

#[tokio::test]
async fn a_number_is_bought_once_whatever_becomes_of_the_answer() {
    for (trouble, was_sold) in [
        (Trouble::Swallowed, true),
        (Trouble::Truncated, true),
        (Trouble::Hangup, false),
        (Trouble::Say(502, String::new()), false),
    ] {
        let (server, carrier) = opened(&simwood(), json!({"provisioning_timeout_ms": 400})).await;
        server.vendor(|it| it.offer(NUMBER));
        server.next(Some(Method::PUT), trouble.clone());
        match carrier.acquire(&order(NUMBER)).await {
            Ok(_) => assert!(was_sold, "{trouble:?}"),
            Err(err) => assert!(err.is_doubtful() && !was_sold, "{trouble:?} {err}"),
        }
        let taken = server.taken();
        assert_eq!(taken.iter().filter(|line| line.starts_with("PUT")).count(), 1, "{trouble:?}");
    }
}

#[tokio::test]
async fn an_answer_about_another_number_says_nothing() {
    let (server, carrier) = opened(&simwood(), json!({})).await;
    let row = json!({"success": true, "data": {"country_code": "1", "number": "4155550101"}});
    server.always(Some(Trouble::Say(200, row.to_string())));
    assert_eq!(carrier.owned(&order(NUMBER)).await.unwrap(), Ownership::Unknown);
    assert!(matches!(carrier.owned(&order(OTHER)).await.unwrap(), Ownership::Ours(_)));
    server.always(None);
    server.vendor(|it| it.offer(NUMBER));
    carrier.acquire(&order(NUMBER)).await.unwrap();
    let both = [NUMBER, OTHER].map(|number| E164::parse(number).unwrap());
    let words = carrier.check(&both).await.unwrap();
    assert_eq!(words.get(&both[0]).map(String::as_str), Some("owned"));
    assert_eq!(words.len(), 1);
}
