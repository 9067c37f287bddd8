//! Vitelity: which commands are sent, and what is read from the list of what we have.

use number_manager::{carriers::Returned, domain::E164};
use serde_json::{Value, json};

use super::{Fake, NUMBER, OTHER, opened, order, wanted};
use crate::support::{
    vendor::{Trouble, VendorServer},
    vitelity::argument,
};

const FREE: &str = "+18005550100";

fn vitelity() -> Fake {
    Fake::of("knm_vitelity")
}

/// The commands that were sent, each with the argument of that name.
fn commands(server: &VendorServer, name: &str) -> Vec<(String, Option<String>)> {
    let seen = server.seen();
    server.taken();
    seen.iter().map(|it| (argument(it, "cmd").unwrap(), argument(it, name))).collect()
}

#[tokio::test]
async fn every_length_of_prefix_is_a_command() {
    let (server, carrier) = opened(&vitelity(), json!({})).await;
    for (prefix, command, name, value) in [
        ("+1415", "listnpa", "npa", "415"),
        ("+14155", "listnpa", "npa", "415"),
        ("+141555", "listnpa", "npa", "415"),
        ("+1415555", "listnpanxx", "npanxx", "415555"),
        ("+14155550", "listnpanxx", "npanxx", "415555"),
        ("+141555501", "listnpanxx", "npanxx", "415555"),
        (NUMBER, "listnpanxx", "npanxx", "415555"),
        ("+1800", "listtollfree", "limit", "10"),
        ("+1888555", "listtollfree", "limit", "10"),
    ] {
        assert_eq!(carrier.search(&wanted(prefix)).await.unwrap(), [], "{prefix}");
        let sent = (command.to_owned(), Some(value.to_owned()));
        assert_eq!(commands(&server, name), [sent], "{prefix}");
    }
    for prefix in ["+4420", "+141"] {
        assert_eq!(carrier.search(&wanted(prefix)).await.unwrap(), []);
    }
    assert_eq!(commands(&server, "npa"), []);
}

#[tokio::test]
async fn what_is_set_is_said_and_lists_are_cut() {
    let settings = json!({
        "type": "perminute", "provider": "any", "withrates": true, "cnam": "no",
        "routesip": ["sip1", "sip2"],
    });
    let (server, carrier) = opened(&vitelity(), settings).await;
    server.vendor(|it| [NUMBER, OTHER, "+14152550100", FREE].map(|number| it.offer(number)));
    let found = carrier.search(&wanted("+14155")).await.unwrap();
    assert_eq!(found.len(), 2);
    let data = json!({"number": NUMBER, "ratecenter": "SNFC CNTRL", "state": "CA"});
    assert_eq!(found[0].data.as_ref(), Some(&data));
    let locality = json!({"rate_center": "SNFC CNTRL", "state": "CA"});
    assert_eq!(Value::Object(carrier.describe(&data)), json!({ "locality": locality }));
    let mut one = wanted("+1415");
    one.quantity = 1;
    assert_eq!(carrier.search(&one).await.unwrap().len(), 1);
    assert_eq!(carrier.search(&wanted("+1800")).await.unwrap().len(), 1);
    let seen = &server.seen()[0];
    for (name, value) in
        [("type", "perminute"), ("provider", "any"), ("withrates", "yes"), ("cnam", "no")]
    {
        assert_eq!(argument(seen, name).as_deref(), Some(value));
    }
    server.taken();
    carrier.acquire(&order(FREE)).await.unwrap();
    let sent = commands(&server, "routesip");
    assert_eq!(sent[1], ("gettollfree".to_owned(), Some("sip1".to_owned())));
}

/// An answer of success.
fn content(inner: &str) -> Trouble {
    Trouble::Say(200, format!("<content>{inner}</content>"))
}

#[tokio::test]
async fn lists_are_read_in_each_of_their_forms() {
    let (server, carrier) = opened(&vitelity(), json!({})).await;
    let rows = "<did>4155550100</did><number>14155550101</number><did><did>4155550102</did></did>\
                <did>none</did><other>4155550103</other>";
    for (answer, count) in [
        (format!("<numbers>{rows}</numbers>"), Some(3)),
        (format!("<status>ok</status><numbers>{rows}</numbers>"), Some(3)),
        ("<status>ok</status><numbers/>".to_owned(), Some(0)),
        ("<numbers><response>none</response></numbers>".to_owned(), Some(0)),
        ("<status>fail</status><error>none</error>".to_owned(), Some(0)),
        ("<numbers><response>broken</response></numbers>".to_owned(), None),
        ("<status>ok</status>".to_owned(), None),
        ("<status>fail</status><error>missingdata</error>".to_owned(), None),
        (String::new(), None),
    ] {
        server.always(Some(content(&answer)));
        let found = carrier.search(&wanted("+1415")).await;
        assert_eq!(found.as_ref().ok().map(Vec::len), count, "{answer} {found:?}");
        if let Err(err) = found {
            assert!(!err.is_doubtful(), "a search leaves no doubt: {err}");
        }
        // What cannot be read does not say that a number is not ours.
        assert_eq!(carrier.owned(&order(NUMBER)).await.is_ok(), count.is_some(), "{answer}");
    }
}

#[tokio::test]
async fn a_number_is_bought_once_whatever_becomes_of_the_answer() {
    for (trouble, was_sold) in [
        (Trouble::Swallowed, true),
        (Trouble::Truncated, true),
        (Trouble::Hangup, false),
        (Trouble::Say(500, String::new()), false),
        (content(""), false),
        (content("<status/>"), false),
    ] {
        let (server, carrier) = opened(&vitelity(), json!({"provisioning_timeout_ms": 400})).await;
        server.vendor(|it| it.offer(NUMBER));
        server.next_at("cmd=getlocaldid", trouble.clone());
        match carrier.acquire(&order(NUMBER)).await {
            Ok(_) => assert!(was_sold, "{trouble:?}"),
            Err(err) => assert!(err.is_doubtful() && !was_sold, "{trouble:?} {err}"),
        }
        let sent = commands(&server, "did");
        let bought = sent.iter().filter(|(command, _)| command == "getlocaldid").count();
        assert_eq!(bought, 1, "{trouble:?}");
    }
}

#[tokio::test]
async fn errors_say_what_the_vendor_says() {
    let (server, carrier) = opened(&vitelity(), json!({})).await;
    let err = carrier.acquire(&order(NUMBER)).await.unwrap_err();
    assert_eq!((err.reason(), err.is_doubtful()), ("unavailable", false));
    let stranger = vitelity().open(&server, json!({"login": "me"}));
    let err = stranger.search(&wanted("+1415")).await.unwrap_err();
    assert_eq!(err.reason(), "invalid pass ********");
    let err = carrier.acquire(&order("+442079460100")).await.unwrap_err();
    assert_eq!(err.reason(), "it has numbers of the North American plan only");
    let nowhere = vitelity().open(&server, json!({"routesip": null}));
    let err = nowhere.acquire(&order(NUMBER)).await.unwrap_err();
    assert_eq!(err.reason(), "setting `routesip` is missing");
}

#[tokio::test]
async fn what_cannot_be_given_back_is_kept_while_it_is_ours() {
    let (server, carrier) = opened(&vitelity(), json!({})).await;
    server.vendor(|it| it.offer(NUMBER));
    carrier.acquire(&order(NUMBER)).await.unwrap();
    let number = E164::parse(NUMBER).unwrap();
    server.next_at("cmd=removedid", content("<status>fail</status><error>invalid</error>"));
    assert_eq!(carrier.disconnect(&number, None).await.unwrap_err().reason(), "invalid");
    assert!(server.vendor(|it| it.owns(NUMBER)));
    assert_eq!(carrier.disconnect(&number, None).await.unwrap(), Returned::Done);
    server.next_at("cmd=removedid", content("<status>fail</status><error>invalid</error>"));
    assert_eq!(carrier.disconnect(&number, None).await.unwrap(), Returned::Done);
}
