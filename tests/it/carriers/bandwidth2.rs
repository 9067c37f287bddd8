//! Bandwidth: how prefixes are asked for, what becomes of orders, and how it is told who asks.

use axum::http::Method;
use number_manager::{
    carriers::{Ownership, Returned},
    domain::E164,
};
use serde_json::{Value, json};

use super::{Fake, NUMBER, OTHER, opened, order, wanted};
use crate::support::{
    bandwidth::{Bandwidth, SECRET},
    vendor::{Seen, Trouble, VendorServer, inside},
};

fn bandwidth() -> Fake {
    Fake::of("knm_bandwidth2")
}

/// What was asked of numbers that can be had, the quantity apart.
fn asked(seen: &[Seen]) -> Vec<(String, String)> {
    let last = seen.last().unwrap();
    assert_eq!(last.path, "/accounts/9900000/availableNumbers");
    let query = last.query.iter().filter(|(key, _)| key != "enableTNDetail");
    query.cloned().collect()
}

#[tokio::test]
async fn every_length_of_prefix_is_asked_for() {
    let (server, carrier) = opened(&bandwidth(), json!({"max_search_quantity": 2000})).await;
    for (prefix, query) in [
        ("+1415", vec![("areaCode", "415"), ("quantity", "10")]),
        ("+14155", vec![("areaCode", "415"), ("quantity", "2000")]),
        ("+141555", vec![("areaCode", "415"), ("quantity", "2000")]),
        ("+1415555", vec![("npaNxx", "415555"), ("LCA", "false"), ("quantity", "10")]),
        ("+14155550", vec![("npaNxxx", "4155550"), ("LCA", "false"), ("quantity", "10")]),
        ("+141555501", vec![("npaNxxx", "4155550"), ("LCA", "false"), ("quantity", "2000")]),
        (NUMBER, vec![("npaNxxx", "4155550"), ("LCA", "false"), ("quantity", "2000")]),
        ("+1855", vec![("tollFreeWildCardPattern", "855"), ("quantity", "10")]),
        ("+18005", vec![("tollFreeWildCardPattern", "800"), ("quantity", "2000")]),
    ] {
        assert_eq!(carrier.search(&wanted(prefix)).await.unwrap(), [], "{prefix}");
        let text = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
        let query: Vec<_> = query.into_iter().map(text).collect();
        assert_eq!(asked(&server.seen()), query, "{prefix}");
    }
    server.taken();
    // Less than an area code cannot be asked for.
    assert_eq!(carrier.search(&wanted("+141")).await.unwrap(), []);
    assert_eq!(server.taken(), Vec::<String>::new());
}

#[tokio::test]
async fn what_is_asked_for_too_widely_is_cut() {
    let (server, carrier) = opened(&bandwidth(), json!({})).await;
    server.vendor(|it| [NUMBER, OTHER, "+14152550100"].map(|number| it.offer(number)));
    assert_eq!(carrier.search(&wanted("+14155")).await.unwrap().len(), 2);
    assert_eq!(carrier.search(&wanted(OTHER)).await.unwrap().len(), 1);
    server.vendor(|it| it.offer("+18005550100"));
    assert_eq!(carrier.search(&wanted("+1800555")).await.unwrap().len(), 1);
}

#[tokio::test]
async fn other_countries_are_asked_by_three_letters() {
    let (server, carrier) = opened(&bandwidth(), json!({})).await;
    server.vendor(|it| it.offer("+442079460100"));
    let mut british = wanted("+4420");
    british.country = "GB".to_owned();
    assert_eq!(carrier.search(&british).await.unwrap().len(), 1);
    let pairs = [
        ("countryCodeA3", "GBR"),
        ("phoneNumberType", "GEOGRAPHIC"),
        ("areaCode", "20"),
        ("quantity", "10"),
    ];
    let text = |(key, value): (&str, &str)| (key.to_owned(), value.to_owned());
    assert_eq!(asked(&server.seen()), pairs.map(text));
}

#[tokio::test]
async fn rows_are_read_with_details_and_without() {
    let (server, carrier) = opened(&bandwidth(), json!({})).await;
    server.vendor(|it| it.offer(NUMBER));
    let found = carrier.search(&wanted("+1415")).await.unwrap().remove(0);
    let data = json!({
        "rate_center": {"name": "SNFC CNTRL", "lata": "722", "state": "CA"},
        "city": "SAN FRANCISCO", "tier": "0", "vendor_id": "49", "vendor_name": "Bandwidth CLEC",
    });
    assert_eq!(found.data.as_ref(), Some(&data));
    let locality = json!({
        "rate_center": "SNFC CNTRL", "state": "CA", "lata": "722", "city": "SAN FRANCISCO",
    });
    assert_eq!(Value::Object(carrier.describe(&data)), json!({ "locality": locality }));

    let server = VendorServer::start(Box::new(Bandwidth::brief())).await;
    server.vendor(|it| it.offer(NUMBER));
    let found = bandwidth().open(&server, json!({})).search(&wanted("+1415")).await.unwrap();
    assert_eq!((found[0].number.as_str(), &found[0].data), (NUMBER, &Some(json!({}))));
}

#[tokio::test]
async fn a_search_that_makes_no_sense_to_it_finds_nothing() {
    let (server, carrier) = opened(&bandwidth(), json!({})).await;
    let error = |code: &str| {
        let error = format!("<Error><Code>{code}</Code><Description>no</Description></Error>");
        Trouble::Say(400, format!("<SearchResult>{error}</SearchResult>"))
    };
    carrier.search(&wanted("+1415")).await.unwrap();
    server.always(Some(error("4010")));
    assert_eq!(carrier.search(&wanted("+1415")).await.unwrap(), []);
    server.always(Some(error("5215")));
    let err = carrier.search(&wanted("+1415")).await.unwrap_err();
    assert_eq!((err.code(), err.reason(), err.status()), (Some("5215"), "no", Some(400)));
}

#[tokio::test]
async fn an_order_says_what_is_set_and_what_is_kept_says_the_order() {
    let (server, carrier) = opened(&bandwidth(), json!({"order_name_prefix": "Acme & Co"})).await;
    server.vendor(|it| it.offer(NUMBER));
    let it = order(NUMBER);
    let kept = carrier.acquire(&it).await.unwrap().unwrap();
    let reference = format!("kz-{}", it.reference);
    let name = kept["order_name"].as_str().unwrap().to_owned();
    let seconds = name.strip_prefix("Acme & Co-").unwrap();
    assert!(seconds.parse::<u64>().unwrap() > 63_900_000_000, "{name}");
    let wanted = json!({
        "a": 1, "number": NUMBER, "order_id": reference, "order_name": name,
        "bandwidth_order_id": "11111111-2222-4333-8444-000000000000",
        "site_id": "1001", "peer_id": "500001",
    });
    assert_eq!(kept, wanted);
    let seen = server.seen();
    let is_order = |it: &&Seen| it.method == Method::POST && it.path.ends_with("/orders");
    let body = &seen.iter().find(is_order).unwrap().body;
    assert_eq!(inside(body, "Name"), name.replace('&', "&amp;"));
    let said = ["PeerId", "PartialAllowed", "BackOrderRequested"].map(|it| inside(body, it));
    assert_eq!(said, ["500001", "false", "false"]);
}

#[tokio::test]
async fn an_order_is_made_once_whatever_becomes_of_its_answer() {
    for trouble in [
        Trouble::Swallowed,
        Trouble::Truncated,
        Trouble::Located(201, "/accounts/1/orders/11111111-2222-4333-8444-000000000000".to_owned()),
        Trouble::Hangup,
        Trouble::Say(500, String::new()),
        Trouble::Say(504, "<html>".to_owned()),
    ] {
        let was_made = !matches!(trouble, Trouble::Hangup | Trouble::Say(..));
        let (server, carrier) = opened(&bandwidth(), json!({"provisioning_timeout_ms": 400})).await;
        server.vendor(|it| it.offer(NUMBER));
        server.next_at("/orders", trouble.clone());
        let it = order(NUMBER);
        match carrier.acquire(&it).await {
            Ok(_) => assert!(was_made, "{trouble:?}"),
            Err(err) => assert!(err.is_doubtful() && !was_made, "{trouble:?} {err}"),
        }
        assert_eq!(server.vendor(|it| it.owns(NUMBER)), was_made, "{trouble:?}");
        let is_order = |line: &&String| line.starts_with("POST") && line.ends_with("/orders");
        assert_eq!(server.taken().iter().filter(is_order).count(), 1, "{trouble:?}");
        // Tried again under the same name, it is not bought twice.
        carrier.acquire(&it).await.unwrap();
        let orders = server.taken().iter().filter(is_order).count();
        assert_eq!(orders, usize::from(!was_made), "{trouble:?}");
    }
}

#[tokio::test]
async fn an_order_that_is_under_way_is_waited_for_and_not_made_again() {
    let (server, carrier) = opened(&bandwidth(), json!({})).await;
    server.vendor(|it| {
        it.offer(NUMBER);
        it.slow(1000);
    });
    let it = order(NUMBER);
    let hasty = bandwidth().open(&server, json!({"order_poll_timeout_s": 0}));
    assert!(hasty.acquire(&it).await.unwrap_err().is_doubtful());
    assert_eq!(hasty.owned(&it).await.unwrap(), Ownership::Unknown);
    server.vendor(|it| it.slow(0));
    server.taken();
    carrier.acquire(&it).await.unwrap();
    assert!(server.taken().iter().all(|line| !line.starts_with("POST /accounts")));
}

#[tokio::test]
async fn errors_say_what_the_vendor_says() {
    let (server, carrier) = opened(&bandwidth(), json!({})).await;
    let err = carrier.acquire(&order(NUMBER)).await.unwrap_err();
    assert_eq!((err.status(), err.code()), (Some(400), Some("5005")));
    assert_eq!(err.reason(), "The telephone number is not available");
    server.vendor(|it| {
        it.offer(NUMBER);
        it.failing();
    });
    let err = carrier.acquire(&order(NUMBER)).await.unwrap_err();
    assert_eq!((err.code(), err.is_doubtful()), (Some("5005"), false));
    let elsewhere = bandwidth().open(&server, json!({"site_id": "7"}));
    assert_eq!(elsewhere.acquire(&order(OTHER)).await.unwrap_err().code(), Some("5022"));
    let nowhere = bandwidth().open(&server, json!({"site_id": null}));
    let err = nowhere.acquire(&order(OTHER)).await.unwrap_err();
    assert_eq!(err.reason(), "setting `site_id` is missing");
}

#[tokio::test]
async fn a_token_is_had_once_and_renewed_once_when_it_is_refused() {
    let server = VendorServer::start(Box::new(Bandwidth::forgetful(3))).await;
    let carrier = bandwidth().open(&server, json!({}));
    let tokens = || {
        let taken = server.taken();
        taken.iter().filter(|line| line.ends_with("/api/v1/oauth2/token")).count()
    };
    for count in [1, 0, 0, 1, 0, 0, 1] {
        carrier.search(&wanted("+1415")).await.unwrap();
        assert_eq!(tokens(), count);
    }
    // One that is refused although it is new is not renewed for ever, and is not told.
    let server = VendorServer::start(Box::new(Bandwidth::forgetful(1))).await;
    let carrier = bandwidth().open(&server, json!({}));
    server.vendor(|it| it.offer(NUMBER));
    carrier.search(&wanted("+1415")).await.unwrap();
    let words = "<Error><Code>1</Code><Description>no bw-token-2</Description></Error>";
    server.next(Some(Method::GET), Trouble::Say(401, String::new()));
    server.next(Some(Method::GET), Trouble::Say(401, format!("<a>{words}</a>")));
    let err = carrier.search(&wanted("+1415")).await.unwrap_err();
    assert_eq!((err.status(), err.reason()), (Some(401), "no ********"));
}

#[tokio::test]
async fn a_secret_that_is_refused_is_not_told() {
    let (server, _) = opened(&bandwidth(), json!({})).await;
    let stranger = bandwidth().open(&server, json!({"client_id": "me"}));
    let err = stranger.search(&wanted("+1415")).await.unwrap_err();
    assert_eq!((err.status(), err.is_doubtful()), (Some(401), false));
    assert_eq!(err.reason(), "who is Some(\"Basic ********\")?");
    assert!(!err.to_string().contains(SECRET));
    let err = stranger.acquire(&order(NUMBER)).await.unwrap_err();
    assert!(!err.is_doubtful(), "nothing was ordered");
}

#[tokio::test]
async fn a_name_and_a_password_are_let_in_as_long_as_there_is_no_client() {
    let user = json!({
        "client_id": null, "client_secret": null, "api_username": "user",
        "api_password": "old-password",
    });
    let (server, carrier) = opened(&bandwidth(), user).await;
    server.vendor(|it| it.offer(NUMBER));
    carrier.acquire(&order(NUMBER)).await.unwrap();
    assert!(server.vendor(|it| it.owns(NUMBER)));
    assert!(server.taken().iter().all(|line| !line.contains("token")));
}

#[tokio::test]
async fn a_number_that_is_not_ours_is_not_given_back_again() {
    let (server, carrier) = opened(&bandwidth(), json!({})).await;
    server.vendor(|it| it.offer(NUMBER));
    carrier.acquire(&order(NUMBER)).await.unwrap();
    let number = E164::parse(NUMBER).unwrap();
    server.vendor(|it| it.slow(1000));
    let hasty = bandwidth().open(&server, json!({"order_poll_timeout_s": 0}));
    // It is under way, and is looked at again later.
    hasty.disconnect(&number, None).await.unwrap_err();
    server.vendor(|it| it.slow(0));
    assert_eq!(carrier.disconnect(&number, None).await.unwrap(), Returned::Done);
    assert!(!server.vendor(|it| it.owns(NUMBER)));
    server.taken();
    assert_eq!(carrier.disconnect(&number, None).await.unwrap(), Returned::Done);
    assert!(server.taken().iter().all(|line| !line.starts_with("POST /accounts")));
    let both = [NUMBER, OTHER].map(|number| E164::parse(number).unwrap());
    server.vendor(|it| it.offer(NUMBER));
    let words = carrier.check(&both).await.unwrap();
    assert_eq!(words.into_iter().collect::<Vec<_>>(), [(number, "available".to_owned())]);
}
