//! Telnyx: how prefixes are asked for, and what becomes of orders.

use axum::http::Method;
use number_manager::{carriers::Ownership, domain::E164};
use serde_json::{Value, json};

use super::{Fake, NUMBER, OTHER, fakes, opened, order, wanted};
use crate::support::{
    telnyx::Telnyx,
    vendor::{Trouble, VendorServer},
};

fn telnyx() -> Fake {
    fakes().into_iter().find(|fake| fake.name == "knm_telnyx").unwrap()
}

/// What a search of a prefix asks for: area code, what follows it, and the kind.
async fn asked(prefix: &str) -> (Option<String>, Option<String>, Option<String>) {
    let (server, carrier) = opened(&telnyx(), json!({})).await;
    assert_eq!(carrier.search(&wanted(prefix)).await.unwrap(), []);
    let seen = server.seen();
    let asked = |name: &str| seen[0].asked(name).map(str::to_owned);
    assert_eq!(asked("filter[country_code]").as_deref(), Some("US"));
    assert_eq!(asked("filter[best_effort]").as_deref(), Some("false"));
    assert_eq!(asked("filter[limit]").as_deref(), Some("10"));
    let area = asked("filter[national_destination_code]");
    (area, asked("filter[phone_number][starts_with]"), asked("filter[phone_number_type]"))
}

#[tokio::test]
async fn every_length_of_prefix_is_asked_for() {
    let text = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    for (prefix, area, rest, kind) in [
        ("+1415", "415", "", "local"),
        ("+14155", "415", "5", "local"),
        ("+141555", "415", "55", "local"),
        ("+1415555", "415", "555", "local"),
        ("+14155550", "415", "5550", "local"),
        ("+141555501", "415", "55501", "local"),
        ("+1415555010", "415", "555010", "local"),
        ("+14155550100", "415", "5550100", "local"),
        ("+1800", "800", "", "toll_free"),
        ("+1888555", "888", "555", "toll_free"),
        ("+18225", "822", "5", "toll_free"),
        ("+181", "81", "", "local"),
    ] {
        let wanted = (text(area), text(rest), text(kind));
        assert_eq!(asked(prefix).await, wanted, "{prefix}");
    }
}

#[tokio::test]
async fn other_countries_are_asked_by_their_area_codes() {
    let (server, carrier) = opened(&telnyx(), json!({})).await;
    server.vendor(|it| it.offer("+442079460100"));
    let mut british = wanted("+4420");
    british.country = "GB".to_owned();
    let found = carrier.search(&british).await.unwrap();
    assert_eq!(found[0].number.as_str(), "+442079460100");
    let seen = server.seen();
    assert_eq!(seen[0].asked("filter[country_code]"), Some("GB"));
    assert_eq!(seen[0].asked("filter[national_destination_code]"), Some("20"));
    assert_eq!(seen[0].asked("filter[phone_number_type]"), None);
    // A prefix of another country than the one named finds nothing, and nobody is asked.
    british.prefix = "+1415".to_owned();
    assert_eq!(carrier.search(&british).await.unwrap(), []);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn toll_free_numbers_are_found() {
    let (server, carrier) = opened(&telnyx(), json!({})).await;
    server.vendor(|it| it.offer("+18005550100"));
    assert_eq!(carrier.search(&wanted("+1800")).await.unwrap().len(), 1);
}

/// An answer to a search.
fn rows(rows: &Value) -> Trouble {
    Trouble::Say(200, json!({ "data": rows }).to_string())
}

#[tokio::test]
async fn what_is_no_exact_hit_or_costs_something_else_is_dropped() {
    let row = |number: &str, best: bool, upfront: &str, monthly: &str| {
        json!({
            "phone_number": number, "best_effort": best,
            "cost_information": {"upfront_cost": upfront, "monthly_cost": monthly},
        })
    };
    let all = json!([
        row(NUMBER, false, "1.00", "1.00000"),
        row(OTHER, true, "1.00", "1.00"),
        row("+14155550102", false, "1.50", "1.00"),
        row("none", false, "1.00", "1.00"),
        {"phone_number": 7},
        null,
    ]);
    for (settings, count) in [
        (json!({}), 2),
        (json!({"should_keep_best_effort": true}), 3),
        (json!({"should_filter_rates": true}), 1),
        (json!({"should_filter_rates": true, "upfront_cost": 1.5}), 1),
        (json!({"should_filter_rates": true, "upfront_cost": "9"}), 0),
    ] {
        let (server, carrier) = opened(&telnyx(), settings.clone()).await;
        server.always(Some(rows(&all)));
        let found = carrier.search(&wanted("+1415")).await.unwrap();
        assert_eq!(found.len(), count, "{settings}");
        if count > 0 {
            // What is kept is the row as it came.
            assert!(all.as_array().unwrap().contains(found[0].data.as_ref().unwrap()));
        }
    }
}

#[tokio::test]
async fn an_order_says_what_is_set_and_what_is_kept_says_the_order() {
    let settings = json!({"connection_id": "7", "billing_group_id": "b"});
    let (server, carrier) = opened(&telnyx(), settings).await;
    server.vendor(|it| it.offer(NUMBER));
    let it = order(NUMBER);
    let kept = carrier.acquire(&it).await.unwrap().unwrap();
    let reference = format!("kz-{}", it.reference);
    assert_eq!((&kept["a"], &kept["customer_reference"]), (&json!(1), &json!(reference)));
    assert_eq!(kept["phone_number_id"], "1293020790400000");
    assert_eq!(kept["order_id"], "11111111-2222-4333-8444-000000000000");
    let seen = server.seen();
    let placed = seen.iter().find(|it| it.path == "/number_orders").unwrap();
    let body: Value = serde_json::from_str(&placed.body).unwrap();
    let wanted = json!({
        "connection_id": "7", "billing_group_id": "b", "customer_reference": reference,
        "phone_numbers": [{"phone_number": NUMBER}],
    });
    assert_eq!(body, wanted);
}

#[tokio::test]
async fn an_order_is_made_once_whatever_becomes_of_its_answer() {
    for trouble in [
        Trouble::Swallowed,
        Trouble::Truncated,
        Trouble::Hangup,
        Trouble::Say(500, String::new()),
        Trouble::Say(504, "<html>".to_owned()),
    ] {
        let was_made = matches!(trouble, Trouble::Swallowed | Trouble::Truncated);
        let settings = json!({"provisioning_timeout_ms": 400});
        let (server, carrier) = opened(&telnyx(), settings).await;
        server.vendor(|it| it.offer(NUMBER));
        server.next_at("/number_orders", trouble.clone());
        let it = order(NUMBER);
        let bought = carrier.acquire(&it).await;
        assert_eq!(server.vendor(|it| it.owns(NUMBER)), was_made, "{trouble:?}");
        match bought {
            Ok(kept) => {
                assert!(was_made, "{trouble:?}");
                assert_eq!(kept.unwrap()["customer_reference"], format!("kz-{}", it.reference));
            }
            Err(err) => assert!(err.is_doubtful() && !was_made, "{trouble:?} {err}"),
        }
        let is_order = |line: &String| *line == "POST /number_orders";
        assert_eq!(server.taken().iter().filter(|line| is_order(line)).count(), 1, "{trouble:?}");
    }
}

#[tokio::test]
async fn an_order_that_waits_for_documents_is_in_doubt() {
    let server = VendorServer::start(Box::new(Telnyx::wanting_papers())).await;
    let carrier = telnyx().open(&server, json!({}));
    server.vendor(|it| it.offer(NUMBER));
    let it = order(NUMBER);
    let err = carrier.acquire(&it).await.unwrap_err();
    assert!(err.is_doubtful() && err.reason().contains("documents"), "{err}");
    assert_eq!(carrier.owned(&it).await.unwrap(), Ownership::Unknown);
}

#[tokio::test]
async fn errors_say_what_the_vendor_says() {
    let (server, carrier) = opened(&telnyx(), json!({})).await;
    let err = carrier.acquire(&order(NUMBER)).await.unwrap_err();
    assert_eq!((err.status(), err.code()), (Some(400), Some("10015")));
    assert_eq!(err.reason(), "phone_number is not available");
    let stranger = telnyx().open(&server, json!({"token": "KEY-of-nobody"}));
    let err = stranger.search(&wanted("+1415")).await.unwrap_err();
    assert_eq!((err.status(), err.code()), (Some(401), Some("10009")));
    assert_eq!(err.reason(), "no such key: Some(\"Bearer ********\")");
}

#[tokio::test]
async fn a_number_is_found_again_before_it_is_given_back() {
    let (server, carrier) = opened(&telnyx(), json!({})).await;
    server.vendor(|it| it.offer(NUMBER));
    carrier.acquire(&order(NUMBER)).await.unwrap();
    server.taken();
    // Data of the API before this one names no id of today's.
    let number = E164::parse(NUMBER).unwrap();
    let old = json!({"order_id": "123456789012345678", "address_id": null});
    server.next(Some(Method::DELETE), Trouble::Say(422, "{}".to_owned()));
    assert_eq!(carrier.disconnect(&number, Some(&old)).await.unwrap_err().status(), Some(422));
    assert!(server.vendor(|it| it.owns(NUMBER)));
    carrier.disconnect(&number, Some(&old)).await.unwrap();
    assert!(!server.vendor(|it| it.owns(NUMBER)));
}
