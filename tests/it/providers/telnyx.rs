//! Telnyx: addresses that are made and dropped, and names.

use std::sync::Arc;

use number_manager::{
    domain::Number,
    providers::{FeatureProvider, ProviderError, Step},
};
use serde_json::{Value, json};

use super::{Fake, HOLDER, NUMBER, TERMS, address, number, reason};
use crate::support::{
    telnyx_features::TelnyxFeatures,
    vendor::{Trouble, VendorServer},
};

async fn opened(
    name: &str,
    settings: Value,
) -> (TelnyxFeatures, VendorServer, Arc<dyn FeatureProvider>) {
    let telnyx = TelnyxFeatures::with(NUMBER);
    let server = VendorServer::start(Box::new(telnyx.clone())).await;
    let provider = Fake::of(name).open(&server, settings);
    (telnyx, server, provider)
}

/// What is kept of an address in the carrier data.
fn kept(number: &Number) -> Value {
    number.carrier_data.clone().unwrap_or_default()
}

#[tokio::test]
async fn an_address_is_made_and_the_one_before_dropped_once_it_is_stored() {
    let (telnyx, server, provider) = opened("knm_telnyx_e911", json!({})).await;
    telnyx.look(|it| it.looks = 2);
    let mut given = address("1 Main St");
    given["extended_address"] = json!("Suite 4");
    let mut first = number(&*provider, json!({ "e911": given }));
    provider.provide(None, &mut first, HOLDER).await.unwrap();
    assert_eq!(telnyx.street().as_deref(), Some("1 Main St"));
    assert_eq!(kept(&first), json!({"address_id": "1", "emergency_status": "active"}));
    assert_eq!(first.features["e911"], given, "it is kept as it was given");
    let made = telnyx.look(|it| it.addresses["1"].clone());
    let wanted = json!({
        "country_code": "US", "street_address": "1 Main St", "extended_address": "Suite 4",
        "locality": "San Francisco", "administrative_area": "CA", "postal_code": "94105",
        "business_name": "Acme & Sons", "first_name": "Acme", "last_name": "& Sons",
        "address_book": false,
    });
    assert_eq!(made, wanted);
    let step = Step { before: None, after: Some(&first) };
    assert_eq!(provider.notices(step, &TERMS), []);
    let mut second = first.clone();
    second.features.insert("e911".to_owned(), address("2 Main St"));
    provider.provide(Some(&first), &mut second, HOLDER).await.unwrap();
    let ids = || telnyx.look(|it| it.addresses.keys().cloned().collect::<Vec<_>>());
    assert_eq!((telnyx.street().as_deref(), ids().len()), (Some("2 Main St"), 2));
    let left = provider.leftover(Some(&first), Some(&mut second)).unwrap();
    server.taken();
    provider.settle(&second.id, Some(&second), &left).await.unwrap();
    assert_eq!(server.taken(), ["DELETE /addresses/1"]);
    assert_eq!(ids(), ["2"]);
    let mut bare = second.clone();
    bare.features.clear();
    let left = provider.leftover(Some(&second), Some(&mut bare)).unwrap();
    assert_eq!(kept(&bare), json!({}));
    provider.settle(&bare.id, Some(&bare), &left).await.unwrap();
    assert_eq!((telnyx.street(), ids().len()), (None, 0));
    assert_eq!(telnyx.look(|it| it.status), "disabled");
}

#[tokio::test]
async fn a_canadian_address_is_in_canada() {
    let (telnyx, _server, provider) = opened("knm_telnyx_e911", json!({})).await;
    let mut given = address("1 King St");
    given["region"] = json!("ON");
    let mut after = number(&*provider, json!({ "e911": given }));
    provider.provide(None, &mut after, HOLDER).await.unwrap();
    assert_eq!(telnyx.look(|it| it.addresses["1"]["country_code"].clone()), "CA");
}

#[tokio::test]
async fn what_is_wrong_with_an_address_is_said_before_anything_is_done() {
    let (telnyx, _server, provider) = opened("knm_telnyx_e911", json!({})).await;
    for street in ["Almost 1", "Nowhere 1"] {
        let mut after = number(&*provider, json!({ "e911": address(street) }));
        match provider.provide(None, &mut after, HOLDER).await.unwrap_err() {
            ProviderError::Choices { candidates, .. } => {
                let mut candidate = address("ALMOST ST");
                candidate["postal_code"] = json!("94106");
                assert_eq!((street, candidates), ("Almost 1", vec![candidate]));
            }
            ProviderError::Invalid { cause } => {
                assert_eq!((street, cause.as_str()), ("Nowhere 1", "no such street"));
            }
            other => panic!("{other:?}"),
        }
        assert!(telnyx.look(|it| it.addresses.is_empty()), "{street}");
    }
}

#[tokio::test]
async fn an_address_that_is_not_in_force_is_dropped_or_shows_it() {
    let (telnyx, server, provider) =
        opened("knm_telnyx_e911", json!({"emergency_poll_timeout_s": 0})).await;
    telnyx.look(|it| it.outcome = Some("provisioning-failed"));
    let mut after = number(&*provider, json!({ "e911": address("1 Main St") }));
    let err = provider.provide(None, &mut after, HOLDER).await.unwrap_err();
    assert!(!err.is_doubtful());
    assert_eq!(reason(err).code(), Some("provisioning-failed"));
    assert!(telnyx.look(|it| it.addresses.is_empty()));
    telnyx.look(|it| (it.outcome, it.looks) = (None, 1000));
    let mut after = number(&*provider, json!({ "e911": address("1 Main St") }));
    provider.provide(None, &mut after, HOLDER).await.unwrap();
    assert_eq!(kept(&after)["emergency_status"], "provisioning");
    let step = Step { before: None, after: Some(&after) };
    assert_eq!(provider.notices(step, &TERMS).len(), 1, "a human hears of it");
    // What is not switched off yet is looked at again.
    let left = provider.leftover(Some(&after), None).unwrap();
    let err = provider.settle(&after.id, None, &left).await.unwrap_err();
    assert_eq!(reason(err).code(), Some("deprovisioning"));
    telnyx.look(|it| it.looks = 0);
    provider.settle(&after.id, None, &left).await.unwrap();
    assert!(telnyx.look(|it| it.addresses.is_empty()));
    // A number that is not ours there any more has nothing.
    server.taken();
    let mut abroad = after.clone();
    abroad.id = number_manager::domain::E164::parse("+14155550199").unwrap();
    provider.settle(&abroad.id, None, &left).await.unwrap();
    assert_eq!(server.taken(), ["GET /phone_numbers", "DELETE /addresses/2"]);
    let err = provider.provide(None, &mut abroad, HOLDER).await.unwrap_err();
    assert_eq!(reason(err).reason(), "the number is not there");
}

#[tokio::test]
async fn what_was_put_is_taken_back() {
    let (telnyx, _server, provider) = opened("knm_telnyx_e911", json!({})).await;
    let mut first = number(&*provider, json!({ "e911": address("1 Main St") }));
    provider.provide(None, &mut first, HOLDER).await.unwrap();
    let mut second = first.clone();
    second.features.insert("e911".to_owned(), address("2 Main St"));
    provider.provide(Some(&first), &mut second, HOLDER).await.unwrap();
    provider.undo(Step { before: Some(&first), after: Some(&second) }).await.unwrap();
    let ids = || telnyx.look(|it| it.addresses.keys().cloned().collect::<Vec<_>>());
    assert_eq!((telnyx.street().as_deref(), ids()), (Some("1 Main St"), vec!["1".to_owned()]));
    provider.undo(Step { before: None, after: Some(&first) }).await.unwrap();
    assert_eq!((telnyx.street(), ids().len()), (None, 0));
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_doubt_which_is_settled() {
    for trouble in [Trouble::Swallowed, Trouble::Truncated, Trouble::Say(503, String::new())] {
        let settings = json!({"provisioning_timeout_ms": 300});
        let (telnyx, server, provider) = opened("knm_telnyx_e911", settings).await;
        let mut first = number(&*provider, json!({ "e911": address("1 Main St") }));
        provider.provide(None, &mut first, HOLDER).await.unwrap();
        server.next_at("/enable_emergency", trouble.clone());
        let mut second = first.clone();
        second.features.insert("e911".to_owned(), address("2 Main St"));
        let err = provider.provide(Some(&first), &mut second, HOLDER).await.unwrap_err();
        // A truncated answer of success is looked behind.
        assert!(err.is_doubtful(), "{trouble:?} {err:?}");
        let left = provider.in_doubt(Step { before: Some(&first), after: Some(&second) });
        provider.settle(&first.id, Some(&first), &left).await.unwrap();
        assert_eq!(telnyx.street().as_deref(), Some("1 Main St"), "{trouble:?}");
        let ids: Vec<String> = telnyx.look(|it| it.addresses.keys().cloned().collect());
        assert_eq!(ids, ["1"], "{trouble:?}");
    }
}

fn cnam(name: Option<&str>, looks_up: bool) -> Value {
    json!({"cnam": {"display_name": name, "inbound_lookup": looks_up}})
}

#[tokio::test]
async fn names_are_listed_and_looked_up_each_by_itself() {
    let (telnyx, server, provider) = opened("knm_telnyx_cnam", json!({})).await;
    let now = || telnyx.look(|it| (it.listing.clone(), it.looks_up));
    let mut named = number(&*provider, cnam(Some("ACME CORP"), false));
    provider.provide(None, &mut named, HOLDER).await.unwrap();
    assert_eq!(now(), (Some("ACME CORP".to_owned()), false), "a name switches no look-up on");
    let mut both = number(&*provider, cnam(Some("ACME CORP"), true));
    provider.provide(Some(&named), &mut both, HOLDER).await.unwrap();
    let sent: Value = serde_json::from_str(&server.seen().last().unwrap().body).unwrap();
    assert_eq!(sent, json!({"caller_id_name_enabled": true}), "what stays is not sent again");
    provider.undo(Step { before: Some(&named), after: Some(&both) }).await.unwrap();
    assert_eq!(now(), (Some("ACME CORP".to_owned()), false));
    provider.provide(Some(&named), &mut both, HOLDER).await.unwrap();
    let mut looking = number(&*provider, cnam(None, true));
    let left = provider.leftover(Some(&both), Some(&mut looking)).unwrap();
    provider.settle(&both.id, Some(&looking), &left).await.unwrap();
    assert_eq!(now(), (None, true));
    let left = provider.leftover(Some(&looking), None).unwrap();
    provider.settle(&both.id, None, &left).await.unwrap();
    assert_eq!(now(), (None, false));
}

#[tokio::test]
async fn a_name_that_cannot_be_listed_is_refused_first() {
    let (_telnyx, server, provider) = opened("knm_telnyx_cnam", json!({})).await;
    for (name, is_good) in [
        ("ACME 24", true),
        ("123456789012345", true),
        ("1234567890123456", false),
        ("ACME & SONS", false),
        ("Café", false),
    ] {
        let after = number(&*provider, cnam(Some(name), false));
        let checked = provider.check(Step { before: None, after: Some(&after) });
        assert_eq!(checked.is_ok(), is_good, "{name}");
        // What it has already is nobody's business.
        assert!(provider.check(Step { before: Some(&after), after: Some(&after) }).is_ok());
    }
    assert_eq!(server.taken(), Vec::<String>::new());
    // An answer that says another name is no success.
    let mut after = number(&*provider, cnam(Some("ACME"), false));
    let other = json!({"data": {"cnam_listing": {"cnam_listing_details": "OTHER"}}}).to_string();
    server.next_at("/voice", Trouble::Say(200, other));
    let err = provider.provide(None, &mut after, HOLDER).await.unwrap_err();
    assert!(err.is_doubtful(), "{err:?}");
}

#[tokio::test]
async fn in_a_sandbox_nobody_is_asked() {
    for (name, wish) in [
        ("knm_telnyx_e911", json!({ "e911": address("1 Main St") })),
        ("knm_telnyx_cnam", cnam(Some("ACME"), true)),
    ] {
        let (_telnyx, server, provider) = opened(name, json!({"sandbox_provisioning": true})).await;
        let mut after = number(&*provider, wish);
        provider.provide(None, &mut after, HOLDER).await.unwrap();
        let left = provider.leftover(Some(&after), None).unwrap();
        provider.settle(&after.id, None, &left).await.unwrap();
        assert_eq!(server.taken(), Vec::<String>::new(), "{name}");
    }
}
