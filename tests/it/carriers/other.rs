//! The contract of `knm_other`.

use number_manager::domain::E164;
use serde_json::{Value, json};

use super::{Fake, NUMBER, OTHER, fakes, opened, order, wanted};
use crate::support::vendor::Trouble;

fn phonebook() -> Fake {
    fakes().into_iter().find(|fake| fake.name == "knm_other").unwrap()
}

#[tokio::test]
async fn prefixes_are_handed_on_as_they_are() {
    let (server, carrier) = opened(&phonebook(), json!({})).await;
    for prefix in ["+1415", "+1415555", "+14155550100", "+1800"] {
        carrier.search(&wanted(prefix)).await.unwrap();
        let seen = server.seen();
        let last = seen.last().unwrap();
        assert_eq!(last.path, "/numbers/US/search");
        assert_eq!(last.asked("prefix"), Some(prefix));
        assert_eq!((last.asked("limit"), last.asked("offset")), (Some("10"), Some("0")));
    }
}

#[tokio::test]
async fn the_token_goes_where_it_is_said() {
    let settings = json!({"auth_header": "X-Phonebook-Key", "default_country": "CA"});
    let (server, carrier) = opened(&phonebook(), settings).await;
    server.always(Some(Trouble::Say(200, json!({"status": "success", "data": {}}).to_string())));
    carrier.search(&wanted("+1415")).await.unwrap();
    let seen = &server.seen()[0];
    assert_eq!(seen.header("x-phonebook-key"), Some("phonebook-secret-1"));
    assert_eq!((seen.header("authorization"), &*seen.path), (None, "/numbers/CA/search"));
}

#[tokio::test]
async fn an_order_names_the_gateways_and_keeps_what_is_said() {
    for (endpoints, wanted) in [
        (json!("sip1.example.com"), json!(["sip1.example.com"])),
        (json!(["a", "b"]), json!(["a", "b"])),
        (Value::Null, Value::Null),
    ] {
        let (server, carrier) = opened(&phonebook(), json!({ "endpoints": endpoints })).await;
        server.vendor(|it| it.offer(NUMBER));
        let kept = carrier.acquire(&order(NUMBER)).await.unwrap().unwrap();
        let locality = json!({"city": "SAN FRANCISCO", "state": "CA"});
        assert_eq!(kept, json!({"vendor": "acme", "order": "A-17", "locality": locality}));
        let seen = &server.seen()[0];
        assert_eq!((seen.method.as_str(), &*seen.path), ("PUT", "/numbers/US/order"));
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(body["data"]["numbers"], json!([NUMBER]));
        assert_eq!(body["data"]["gateways"], wanted);
    }
}

#[tokio::test]
async fn words_about_numbers_are_handed_on() {
    let (server, carrier) = opened(&phonebook(), json!({})).await;
    server.vendor(|it| it.offer(NUMBER));
    let numbers = [NUMBER, OTHER].map(|number| E164::parse(number).unwrap());
    let words = carrier.check(&numbers).await.unwrap();
    assert_eq!(words[&numbers[0]], "free");
    assert_eq!(words[&numbers[1]], "unknown");
    assert_eq!(server.seen()[0].body, r#"{"data":["4155550100","4155550101"]}"#);
}

#[tokio::test]
async fn an_answer_about_another_number_leaves_doubt() {
    let (server, carrier) = opened(&phonebook(), json!({})).await;
    let row = json!({"status": "success"});
    let other = json!({"status": "success", "data": { OTHER: row }});
    server.always(Some(Trouble::Say(200, other.to_string())));
    assert!(carrier.acquire(&order(NUMBER)).await.unwrap_err().is_doubtful());
    // One that says nothing of note keeps what the search said.
    let bare = json!({"data": { NUMBER: row }});
    server.always(Some(Trouble::Say(200, bare.to_string())));
    assert_eq!(carrier.acquire(&order(NUMBER)).await.unwrap(), Some(json!({"a": 1})));
}
