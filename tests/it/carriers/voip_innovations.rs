//! `VoIP` Innovations: which operations are called, and what its codes mean.

use number_manager::{
    carriers::{Ownership, Returned},
    domain::E164,
};
use serde_json::{Value, json};

use super::{Fake, NUMBER, OTHER, opened, order, wanted};
use crate::support::{
    vendor::{Seen, Trouble, VendorServer, inside},
    voip_innovations::VoipInnovations,
};

fn voip_innovations() -> Fake {
    Fake::of("knm_voip_innovations")
}

/// The operation of a request.
fn operation(seen: &Seen) -> String {
    seen.header("soapaction").unwrap().rsplit('/').next().unwrap().to_owned()
}

#[tokio::test]
async fn every_length_of_prefix_is_asked_for() {
    let (server, carrier) = opened(&voip_innovations(), json!({})).await;
    server.vendor(|it| [NUMBER, "+14152550100", "+18005550100"].map(|number| it.offer(number)));
    for (prefix, state, area, exchange) in [
        ("+1415", "", "415", ""),
        ("+14155", "", "415", ""),
        ("+141555", "", "415", ""),
        ("+1415555", "", "415", "555"),
        ("+14155550", "", "415", "555"),
        ("+141555501", "", "415", "555"),
        (NUMBER, "", "415", "555"),
        ("+1800", "TF", "800", ""),
        ("+1800555", "TF", "800", ""),
    ] {
        let found = carrier.search(&wanted(prefix)).await.unwrap();
        assert_eq!(found.len(), if prefix == "+1415" { 2 } else { 1 }, "{prefix}");
        let seen = server.seen();
        let asked = ["state", "npa", "nxx"].map(|name| inside(&seen[0].body, name));
        assert_eq!((asked, seen.len()), ([state, area, exchange], 1), "{prefix}");
        server.taken();
    }
    for prefix in ["+4420", "+141"] {
        assert_eq!(carrier.search(&wanted(prefix)).await.unwrap(), []);
    }
    assert_eq!(server.taken(), Vec::<String>::new());
}

#[tokio::test]
async fn an_exchange_is_asked_for_with_six_digits_as_well() {
    let server = VendorServer::start(Box::new(VoipInnovations::wanting_whole_exchanges())).await;
    let carrier = voip_innovations().open(&server, json!({}));
    server.vendor(|it| it.offer(NUMBER));
    let found = carrier.search(&wanted("+1415555")).await.unwrap().remove(0);
    let data = json!({
        "e164": NUMBER, "rate_center": "SNFC CNTRL", "state": "CA", "tier": "1",
        "cnam": true, "t38": true, "sms": false,
    });
    assert_eq!(found.data.as_ref(), Some(&data));
    let locality = json!({"rate_center": "SNFC CNTRL", "state": "CA"});
    assert_eq!(Value::Object(carrier.describe(&data)), json!({ "locality": locality }));
    assert_eq!(inside(&server.seen()[1].body, "nxx"), "415555");
}

/// An answer about a number.
fn verdict(operation: &str, code: &str, availability: &str) -> Trouble {
    let row = format!(
        "<DID><tn>4155550100</tn><status>words</status><statusCode>{code}</statusCode>\
         <availability>{availability}</availability></DID>"
    );
    Trouble::Say(
        200,
        format!(
            "<Envelope><Body><{operation}Response><{operation}Result><responseCode>100</responseCode>\
         <DIDs>{row}</DIDs></{operation}Result></{operation}Response></Body></Envelope>"
        ),
    )
}

#[tokio::test]
async fn codes_of_a_purchase_are_understood() {
    let (server, carrier) = opened(&voip_innovations(), json!({})).await;
    for (code, is_ours) in [
        ("100", true),
        ("104225", true),
        ("104220", false),
        ("104221", false),
        ("104230", false),
        ("104235", false),
        ("104250", false),
        ("104258", false),
        ("104259", false),
        ("104420", false),
    ] {
        server.always(Some(verdict("assignDID", code, "")));
        match carrier.acquire(&order(NUMBER)).await {
            Ok(kept) => assert!(is_ours && kept == Some(json!({"a": 1})), "{code}"),
            Err(err) => {
                assert_eq!((err.code(), err.reason()), (Some(code), "words"));
                assert!(!is_ours && !err.is_doubtful(), "{code}");
            }
        }
        // An answer about another number leaves doubt.
        assert!(carrier.acquire(&order(OTHER)).await.unwrap_err().is_doubtful(), "{code}");
    }
}

#[tokio::test]
async fn what_is_set_aside_first_is_asked_for_once_more() {
    let server = VendorServer::start(Box::new(VoipInnovations::reserving())).await;
    let carrier = voip_innovations().open(&server, json!({}));
    server.vendor(|it| it.offer(NUMBER));
    carrier.acquire(&order(NUMBER)).await.unwrap();
    assert!(server.vendor(|it| it.owns(NUMBER)));
    let seen = server.seen();
    assert_eq!(seen.iter().map(operation).collect::<Vec<_>>(), ["assignDID", "assignDID"]);
    assert_eq!(inside(&seen[0].body, "epg"), "1234");
    assert_eq!(seen[0].header("content-type"), Some("text/xml;charset=UTF-8"));
}

#[tokio::test]
async fn codes_of_a_release_are_understood() {
    let (server, carrier) = opened(&voip_innovations(), json!({})).await;
    let number = E164::parse(NUMBER).unwrap();
    for (code, is_gone) in [
        ("100", true),
        ("106231", true),
        ("106230", true),
        ("106235", true),
        ("106241", true),
        ("106420", true),
        ("106220", false),
        ("106225", false),
        ("106999", false),
    ] {
        server.always(Some(verdict("releaseDID", code, "")));
        let returned = carrier.disconnect(&number, None).await;
        assert_eq!(returned.ok(), is_gone.then_some(Returned::Done), "{code}");
    }
}

#[tokio::test]
async fn a_question_about_a_number_is_answered_or_open() {
    let (server, carrier) = opened(&voip_innovations(), json!({})).await;
    for (code, availability, ownership) in [
        ("100", "Assigned", Some(Ownership::Ours(None))),
        ("100", "Available", Some(Ownership::NotOurs)),
        ("102420", "", Some(Ownership::NotOurs)),
        ("100", "Reserved", Some(Ownership::Unknown)),
        ("100", "", None),
        ("102221", "Assigned", None),
    ] {
        server.always(Some(verdict("queryDID", code, availability)));
        let told = carrier.owned(&order(NUMBER)).await;
        assert_eq!(told.ok(), ownership, "{code} {availability}");
    }
}

#[tokio::test]
async fn a_number_is_bought_once_whatever_becomes_of_the_answer() {
    let fault =
        "<Envelope><Body><Fault><faultstring>broken</faultstring></Fault></Body></Envelope>";
    for (trouble, was_sold) in [
        (Trouble::Swallowed, true),
        (Trouble::Truncated, true),
        (Trouble::Hangup, false),
        (Trouble::Say(500, fault.to_owned()), false),
        (Trouble::Say(200, fault.to_owned()), false),
    ] {
        let settings = json!({"provisioning_timeout_ms": 400});
        let (server, carrier) = opened(&voip_innovations(), settings).await;
        server.vendor(|it| it.offer(NUMBER));
        server.next_at("<assignDID", trouble.clone());
        match carrier.acquire(&order(NUMBER)).await {
            Ok(_) => assert!(was_sold, "{trouble:?}"),
            Err(err) => assert!(err.is_doubtful() && !was_sold, "{trouble:?} {err}"),
        }
        let asked: Vec<_> = server.seen().iter().map(operation).collect();
        assert_eq!(asked, ["assignDID", "queryDID"], "{trouble:?}");
    }
}

#[tokio::test]
async fn errors_say_what_the_vendor_says() {
    let (server, carrier) = opened(&voip_innovations(), json!({})).await;
    let stranger = voip_innovations().open(&server, json!({"login": "me"}));
    let err = stranger.search(&wanted("+1415")).await.unwrap_err();
    assert_eq!((err.code(), err.reason()), (Some("902"), "Refused: ********"));
    let err = carrier.acquire(&order("+442079460100")).await.unwrap_err();
    assert_eq!(err.reason(), "it has numbers of the North American plan only");
    let nowhere = voip_innovations().open(&server, json!({"endpoint_group": null}));
    let err = nowhere.acquire(&order(NUMBER)).await.unwrap_err();
    assert_eq!(err.reason(), "setting `endpoint_group` is missing");
    let members = serde_json::Map::from_iter([("endpoint_group".to_owned(), json!("12a"))]);
    let err = voip_innovations().module().open(&members).err().unwrap();
    assert_eq!(err.key, "endpoint_group");
}
