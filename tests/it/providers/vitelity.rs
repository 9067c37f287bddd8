//! Vitelity: which commands are sent, and what a refusal means.

use std::sync::Arc;

use number_manager::providers::{FeatureProvider, ProviderError, Step};
use serde_json::{Value, json};

use super::{Fake, HOLDER, NUMBER, address, number, reason};
use crate::support::{
    vendor::{Trouble, VendorServer},
    vitelity::argument,
    vitelity_features::VitelityFeatures,
};

async fn opened(
    name: &str,
    settings: Value,
) -> (VitelityFeatures, VendorServer, Arc<dyn FeatureProvider>) {
    let vitelity = VitelityFeatures::with(NUMBER);
    let server = VendorServer::start(Box::new(vitelity.clone())).await;
    let provider = Fake::of(name).open(&server, settings);
    (vitelity, server, provider)
}

/// The commands that were sent.
fn commands(server: &VendorServer) -> Vec<String> {
    let seen = server.seen();
    server.taken();
    seen.iter().map(|it| argument(it, "cmd").unwrap()).collect()
}

#[tokio::test]
async fn an_address_is_checked_and_sent() {
    let (vitelity, server, provider) = opened("knm_vitelity_e911", json!({})).await;
    for (unit, kind, place) in [
        (Some("Suite 4"), Some("Suite"), Some("4")),
        (Some("12b"), None, Some("12b")),
        (Some(" "), None, None),
        (None, None, None),
    ] {
        let mut given = address("100 Main St");
        if let Some(unit) = unit {
            given["extended_address"] = json!(unit);
        }
        let mut after = number(&*provider, json!({ "e911": given }));
        provider.provide(None, &mut after, HOLDER).await.unwrap();
        assert_eq!(commands(&server), ["e911checkaddress", "e911send"]);
        for (name, wanted) in [
            ("did", Some("4155550100")),
            ("name", HOLDER),
            ("address", Some("100 Main St")),
            ("city", Some("San Francisco")),
            ("state", Some("CA")),
            ("zip", Some("94105")),
            ("unittype", kind),
            ("unitnumber", place),
        ] {
            assert_eq!(vitelity.sent(name).as_deref(), wanted, "{name} of {unit:?}");
        }
        assert_eq!((&after.features["e911"], &after.public["e911"]), (&given, &given));
        assert_eq!(after.carrier_data, Some(json!({"e911_info": {"msag": "YES"}})));
    }
    let (vitelity, _server, provider) =
        opened("knm_vitelity_e911", json!({"customer_name": "Us Ltd"})).await;
    let mut after = number(&*provider, json!({ "e911": address("1 Main St") }));
    provider.provide(None, &mut after, HOLDER).await.unwrap();
    assert_eq!(vitelity.sent("name").as_deref(), Some("Us Ltd"));
}

#[tokio::test]
async fn a_refused_address_is_invalid_and_a_refused_login_is_not() {
    let (_vitelity, server, provider) = opened("knm_vitelity_e911", json!({})).await;
    let mut after = number(&*provider, json!({ "e911": address("Nowhere 1") }));
    let err = provider.provide(None, &mut after, HOLDER).await.unwrap_err();
    match err {
        ProviderError::Invalid { cause } => assert_eq!(cause, "no such address"),
        other => panic!("{other:?}"),
    }
    assert_eq!(commands(&server), ["e911checkaddress", "listdids"]);
    let stranger = Fake::of("knm_vitelity_e911").open(&server, json!({"login": "me"}));
    let err = stranger.provide(None, &mut after, HOLDER).await.unwrap_err();
    assert_eq!(reason(err).reason(), "invalidauth");
    // Nor does a stranger's refusal say that there is no address any more.
    let mut held = number(&*provider, json!({ "e911": address("1 Main St") }));
    provider.provide(None, &mut held, HOLDER).await.unwrap();
    let left = provider.leftover(Some(&held), None).unwrap();
    let err = stranger.settle(&held.id, None, &left).await.unwrap_err();
    assert_eq!(reason(err).reason(), "invalidauth");
}

#[tokio::test]
async fn only_what_is_not_there_counts_as_taken_away() {
    let (vitelity, server, provider) = opened("knm_vitelity_e911", json!({})).await;
    let mut held = number(&*provider, json!({ "e911": address("1 Main St") }));
    provider.provide(None, &mut held, HOLDER).await.unwrap();
    let left = provider.leftover(Some(&held), None).unwrap();
    let refusal = "<content><status>fail</status><error>busy</error></content>";
    server.next_at("cmd=e911delete", Trouble::Say(200, refusal.to_owned()));
    let err = provider.settle(&held.id, None, &left).await.unwrap_err();
    assert_eq!(reason(err).reason(), "busy", "the address is still there");
    assert!(vitelity.sent("address").is_some());
    for _ in 0..2 {
        provider.settle(&held.id, None, &left).await.unwrap();
        assert_eq!(vitelity.sent("address"), None);
    }
    // Nor is there one on a number that is not ours any more.
    vitelity.look(|it| it.number = None);
    provider.settle(&held.id, None, &left).await.unwrap();
}

fn cnam(name: Option<&str>, looks_up: bool) -> Value {
    json!({"cnam": {"display_name": name, "inbound_lookup": looks_up}})
}

#[tokio::test]
async fn names_are_sent_when_they_change() {
    let (vitelity, server, provider) = opened("knm_vitelity_cnam", json!({})).await;
    let now = || vitelity.look(|it| (it.name.clone(), it.looks_up));
    let acme = || Some("ACME".to_owned());
    let mut named = number(&*provider, cnam(Some("ACME"), false));
    provider.provide(None, &mut named, HOLDER).await.unwrap();
    assert_eq!((commands(&server), now()), (vec!["lidb".to_owned()], (acme(), false)));
    let mut both = number(&*provider, cnam(Some("ACME"), true));
    provider.provide(Some(&named), &mut both, HOLDER).await.unwrap();
    assert_eq!((commands(&server), now()), (vec!["cnamenable".to_owned()], (acme(), true)));
    provider.undo(Step { before: Some(&named), after: Some(&both) }).await.unwrap();
    assert_eq!((commands(&server), now()), (vec!["cnamdisable".to_owned()], (acme(), false)));
    provider.provide(Some(&named), &mut both, HOLDER).await.unwrap();
    let left = provider.leftover(Some(&both), None).unwrap();
    commands(&server);
    provider.settle(&both.id, None, &left).await.unwrap();
    // There is no command for a name that goes.
    assert_eq!((commands(&server), now()), (vec!["cnamdisable".to_owned()], (acme(), false)));
    assert_eq!(provider.leftover(Some(&named), None), None);
    // A number that is not ours any more has no look-up.
    vitelity.look(|it| it.number = None);
    provider.settle(&both.id, None, &left).await.unwrap();
    assert_eq!(commands(&server), ["cnamdisable", "listdids"]);
}

#[tokio::test]
async fn a_change_that_was_made_in_part_is_in_doubt() {
    let (vitelity, server, provider) = opened("knm_vitelity_cnam", json!({})).await;
    let refusal = "<content><status>ok</status><response>busy</response></content>";
    server.next_at("cmd=cnamenable", Trouble::Say(200, refusal.to_owned()));
    let before = number(&*provider, cnam(Some("OLD"), false));
    let mut after = number(&*provider, cnam(Some("NEW"), true));
    let err = provider.provide(Some(&before), &mut after, HOLDER).await.unwrap_err();
    assert!(err.is_doubtful());
    assert_eq!(reason(err).reason(), "busy");
    let left = provider.in_doubt(Step { before: Some(&before), after: Some(&after) });
    provider.settle(&before.id, Some(&before), &left).await.unwrap();
    assert_eq!(vitelity.look(|it| (it.name.clone(), it.looks_up)), (Some("OLD".to_owned()), false));
}
