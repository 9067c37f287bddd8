//! DASH: what is said to it, and what is kept of what it says.

use std::sync::Arc;

use number_manager::{
    domain::E164,
    providers::{FeatureProvider, ProviderError, Step},
};
use serde_json::{Value, json};

use super::{Fake, HOLDER, NUMBER, TERMS, address, number, reason};
use crate::support::{
    dash::Dash,
    vendor::{Trouble, VendorServer},
};

async fn opened() -> (Dash, VendorServer, Arc<dyn FeatureProvider>) {
    let dash = Dash::default();
    let server = VendorServer::start(Box::new(dash.clone())).await;
    let provider = Fake::of("knm_dash_e911").open(&server, json!({}));
    (dash, server, provider)
}

/// The address in force is this one.
fn check_force(dash: &Dash, street: Option<&str>) {
    let found = dash.in_force(NUMBER).map(|(street, _)| street);
    assert_eq!(found.as_deref(), street);
}

#[tokio::test]
async fn an_address_is_put_in_force_and_kept_as_it_is_known_there() {
    let (dash, server, provider) = opened().await;
    let mut given = address("100 Main St");
    given["extended_address"] = json!("Suite 4");
    given["notification_contact_emails"] = json!(["ops@example.com"]);
    // Of another address, and not true any more.
    given["latitude"] = json!("1");
    given["location_id"] = json!("7");
    given["order_id"] = json!("8");
    let mut after = number(&*provider, json!({ "e911": given }));
    provider.provide(None, &mut after, HOLDER).await.unwrap();
    let wanted = json!({
        "street_address": "100 MAIN ST", "locality": "SAN FRANCISCO", "region": "CA",
        "postal_code": "94105", "extended_address": "Suite 4",
        "notification_contact_emails": ["ops@example.com"], "caller_name": HOLDER.unwrap(),
        "latitude": "37.791", "longitude": "-122.394", "location_id": "10000001",
        "plus_four": "1801", "legacy_data": {"house_number": "100", "streetname": "MAIN ST"},
        "status": "PROVISIONED",
    });
    assert_eq!((&after.features["e911"], &after.public["e911"]), (&wanted, &wanted));
    let (street, caller) = ("100 MAIN ST".to_owned(), HOLDER.unwrap().to_owned());
    assert_eq!(dash.in_force(NUMBER), Some((street, caller)));
    let paths: Vec<String> = server.seen().into_iter().map(|it| it.path).collect();
    assert_eq!(paths, ["/validatelocation", "/addlocation", "/provisionlocation"]);
    let sent = &server.seen()[1].body;
    assert!(sent.contains("<uri><uri>tel:14155550100</uri><callername>Acme &amp; Sons"), "{sent}");
    assert!(sent.contains("<address2>Suite 4</address2>"), "{sent}");
    assert_eq!(provider.notices(Step { before: None, after: Some(&after) }, &TERMS), []);
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said_before_anything_is_done() {
    let (dash, server, provider) = opened().await;
    for street in ["Twice 1", "Nowhere 1", "Broken 1"] {
        let mut after = number(&*provider, json!({ "e911": address(street) }));
        let err = provider.provide(None, &mut after, HOLDER).await.unwrap_err();
        match (street, err) {
            ("Twice 1", ProviderError::Choices { feature, given, candidates }) => {
                assert_eq!((feature, given), ("e911", address(street)));
                let codes: Vec<&Value> = candidates.iter().map(|it| &it["postal_code"]).collect();
                assert_eq!(codes, ["1", "2"]);
                assert_eq!(candidates[0]["street_address"], "TWICE 1");
            }
            ("Nowhere 1", ProviderError::Invalid { cause }) => {
                assert_eq!(cause, "Location is invalid");
            }
            ("Broken 1", err) => {
                let reason = reason(err);
                assert_eq!((reason.reason(), reason.is_doubtful()), ("ERROR", false));
            }
            (_, other) => panic!("{street}: {other:?}"),
        }
        assert_eq!(server.taken(), ["POST /validatelocation"], "{street}");
    }
    let mut abroad = number(&*provider, json!({ "e911": address("1 High St") }));
    abroad.id = E164::parse("+442079460100").unwrap();
    let err = provider.provide(None, &mut abroad, HOLDER).await.unwrap_err();
    assert!(matches!(err, ProviderError::Invalid { .. }), "{err:?}");
    assert_eq!(server.taken(), Vec::<String>::new());
    check_force(&dash, None);
}

#[tokio::test]
async fn an_address_that_is_not_in_force_shows_it() {
    let (dash, server, provider) = opened().await;
    for (street, trouble) in [
        ("Unreachable 1", None),
        ("1 Main St", Some(Trouble::Say(500, "<fault>Provision</fault>".to_owned()))),
        ("1 Main St", Some(Trouble::Hangup)),
    ] {
        if let Some(trouble) = trouble {
            server.next_at("/provisionlocation", trouble);
        }
        let mut after = number(&*provider, json!({ "e911": address(street) }));
        provider.provide(None, &mut after, HOLDER).await.unwrap();
        assert_eq!(after.public["e911"]["status"], "GEOCODED", "{street}");
        check_force(&dash, None);
        let step = Step { before: None, after: Some(&after) };
        let [notice] = provider.notices(step, &TERMS).try_into().unwrap();
        assert_eq!(notice.name(), "e911_request", "a human hears of it");
    }
}

#[tokio::test]
async fn what_was_put_is_taken_back() {
    let (dash, _server, provider) = opened().await;
    let mut first = number(&*provider, json!({ "e911": address("1 Main St") }));
    provider.provide(None, &mut first, HOLDER).await.unwrap();
    let mut second = number(&*provider, json!({ "e911": address("2 Main St") }));
    provider.provide(Some(&first), &mut second, HOLDER).await.unwrap();
    check_force(&dash, Some("2 MAIN ST"));
    provider.undo(Step { before: Some(&first), after: Some(&second) }).await.unwrap();
    check_force(&dash, Some("1 MAIN ST"));
    provider.undo(Step { before: None, after: Some(&first) }).await.unwrap();
    check_force(&dash, None);
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_doubt_which_is_settled() {
    for trouble in [Trouble::Swallowed, Trouble::Truncated, Trouble::Say(503, String::new())] {
        let dash = Dash::default();
        let server = VendorServer::start(Box::new(dash.clone())).await;
        let settings = json!({"provisioning_timeout_ms": 300});
        let provider = Fake::of("knm_dash_e911").open(&server, settings);
        let mut before = number(&*provider, json!({ "e911": address("1 Main St") }));
        provider.provide(None, &mut before, HOLDER).await.unwrap();
        server.next_at("/addlocation", trouble.clone());
        let mut after = number(&*provider, json!({ "e911": address("2 Main St") }));
        let step = Step { before: Some(&before), after: Some(&after.clone()) };
        let left = provider.in_doubt(step);
        let err = provider.provide(Some(&before), &mut after, HOLDER).await.unwrap_err();
        assert!(err.is_doubtful(), "{trouble:?} {err:?}");
        provider.settle(&before.id, Some(&before), &left).await.unwrap();
        check_force(&dash, Some("1 MAIN ST"));
    }
}

#[tokio::test]
async fn only_what_is_not_there_counts_as_taken_away() {
    let (dash, server, provider) = opened().await;
    let mut held = number(&*provider, json!({ "e911": address("1 Main St") }));
    provider.provide(None, &mut held, HOLDER).await.unwrap();
    let left = provider.leftover(Some(&held), None).unwrap();
    let status = |code: &str| {
        let inner = format!("<URIStatus><code>{code}</code></URIStatus>");
        Trouble::Say(200, format!("<removeURIResponse>{inner}</removeURIResponse>"))
    };
    for trouble in [
        Trouble::Say(500, String::new()),
        Trouble::Say(200, "<removeURIResponse/>".to_owned()),
        Trouble::Say(200, "<other/>".to_owned()),
        status("ERROR"),
    ] {
        server.next_at("/removeuri", trouble.clone());
        let err = provider.settle(&held.id, None, &left).await.unwrap_err();
        reason(err);
        check_force(&dash, Some("1 MAIN ST"));
    }
    for trouble in [Trouble::Say(404, String::new()), status("REMOVED")] {
        server.next_at("/removeuri", trouble);
        provider.settle(&held.id, None, &left).await.unwrap();
    }
    provider.settle(&held.id, None, &left).await.unwrap();
    check_force(&dash, None);
}
