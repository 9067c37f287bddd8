//! What clients send to get at what is not theirs to write, to reach other machines through us, or to
//! write lines that are not ours.

use std::time::Duration;

use axum::http::Method;
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::timeout};

use super::world::{HOLDER, NUMBER, Who, World, numbers, over_both_stores};
use crate::support::app::ACCOUNT;

over_both_stores! {
    private_members_are_nobodys_to_write,
    nothing_that_a_client_sends_is_called,
    a_line_stays_a_line,
}

/// What no document may hold afterwards.
const MARK: &str = "mallory";
/// For how long nobody may have called.
const SILENCE: Duration = Duration::from_millis(50);

/// Every way to write something on a number, alone and in a batch.
const WAYS: [(&str, &str); 11] = [
    ("PUT", "/{N}"),
    ("POST", "/{N}"),
    ("PATCH", "/{N}"),
    ("PUT", "/{N}/activate"),
    ("PUT", "/{N}/reserve"),
    ("PUT", "/{N}/port"),
    ("PUT", "/collection"),
    ("POST", "/collection"),
    ("PATCH", "/collection"),
    ("PUT", "/collection/activate"),
    ("POST", "/check"),
];

async fn send(world: &World, who: Who, (method, rest): (&str, &str), mut data: Value) -> u16 {
    if !rest.contains("{N}") {
        data["numbers"] = json!([NUMBER]);
    }
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let path = numbers(&rest.replace("{N}", NUMBER));
    let status = world.ask(who, method, &path, Some(&data)).await.status.as_u16();
    assert!(status < 500, "{rest}: {status}");
    status
}

async fn private_members_are_nobodys_to_write(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let private = [
        "_id",
        "_rev",
        "_deleted",
        "_attachments",
        "_conflicts",
        "_read_only",
        "pvt_type",
        "pvt_assigned_to",
        "pvt_previously_assigned_to",
        "pvt_state",
        "pvt_state_since",
        "pvt_module_name",
        "pvt_carrier_data",
        "pvt_features",
        "pvt_features_allowed",
        "pvt_features_denied",
        "pvt_reserve_history",
        "pvt_ported_in",
        "pvt_used_by",
        "pvt_authorizing_account",
        "pvt_created",
        "pvt_modified",
        "pvt_write_id",
        "pvt_charge",
        "pvt_number_state",
        "pvt_module_data",
        "pvt_anything",
        "used_by",
        "id",
    ];
    for who in [HOLDER, Who::Admin] {
        for way in WAYS {
            for member in private {
                send(world, who, way, json!({ member: MARK })).await;
            }
            let all: serde_json::Map<String, Value> =
                private.iter().map(|it| ((*it).to_owned(), json!({ "a": MARK }))).collect();
            send(world, who, way, Value::Object(all)).await;
            let written = world.everything().await;
            let marked = written.iter().find(|document| document.contains(MARK));
            assert_eq!(marked, None, "{way:?} by {who:?}");
            assert_eq!(world.owner(NUMBER).await.as_deref(), Some(ACCOUNT), "{way:?} by {who:?}");
        }
    }
}

async fn nothing_that_a_client_sends_is_called(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let url = format!("http://{address}/");
    let data = json!({
        "url": url, "note": url, "callback": url, "webhook": url, "$ref": url, "$schema": url,
        "failover": {"sip": format!("sip:x@{address}"), "e164": "+14155550199"},
        "cnam": {"display_name": address}, "e911": {"street_address": url},
        "port": {"service_provider": url},
    });
    for way in WAYS {
        send(world, Who::Admin, way, data.clone()).await;
    }
    for path in [
        format!("{}?url={url}&accept={url}&host={address}", numbers("")),
        format!("/v2/accounts/{url}/phone_numbers"),
        format!("/v2/phone_numbers/prefix?city={url}&country={address}"),
    ] {
        let ask = world.app.get(&path).token(&world.app.admin()).header("host", &address);
        let ask = ask.header("x-forwarded-host", &address).header("referer", &url);
        // Without a directory nobody can be asked for cities, which is a fault of the settings.
        let answer = ask.send().await;
        let is_told = answer.text.contains("init failed") || answer.status.as_u16() < 500;
        assert!(is_told, "{path}: {}", answer.text);
    }
    let called = timeout(SILENCE, listener.accept()).await;
    assert!(called.is_err(), "somebody was called: {called:?}");
}

async fn a_line_stays_a_line(world: &World) {
    let note = "=cmd()\r\n+14155550199,evil\n@x";
    let members = json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "note": note});
    world.keep(NUMBER, members).await;
    let answer = world.ask(HOLDER, Method::GET, &numbers("?accept=csv"), None).await;
    answer.check_status(200);
    let mut table = csv::Reader::from_reader(answer.text.as_bytes());
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 1, "{}", answer.text);
    for cell in &rows[0] {
        let is_formula = cell.starts_with(['=', '-', '@']);
        assert!(!is_formula, "{cell}");
    }
    // Nothing that is sent comes back as a header.
    for odd in ["a%0d%0aSet-Cookie:%20x=1", "%0a%0aHTTP/1.1%20200"] {
        let path = numbers(&format!("/{odd}"));
        let answer = world.ask(HOLDER, Method::GET, &path, None).await;
        assert!(matches!(answer.status.as_u16(), 400 | 404), "{}", answer.text);
        assert!(answer.header("set-cookie").is_none() && !answer.text.contains('\r'));
    }
}
