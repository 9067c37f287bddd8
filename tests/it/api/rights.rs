//! Who may use which route at all: a row per operation of the API's own document, so that a route that
//! nobody has thought about fails here. `matrix` has the finer rules about one number.

use std::collections::BTreeSet;

use axum::http::Method;
use number_manager::{api, auth::Claims, maintenance::OPERATIONS};
use serde_json::{Value, json};

use self::Right::{Account, Admin, Anybody, Number, OwnerAdmin, Token};
use super::world::{HOLDER, NUMBER, Who, World, over_both_stores};
use crate::support::app::{ACCOUNT, Answer, PARENT, STRANGER};

/// Below the account that the cases are about.
const CHILD: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

/// Who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Right {
    /// Without a token, too.
    Anybody,
    /// Whoever has a token.
    Token,
    /// The account in the path, and those above it.
    Account,
    /// The same, about numbers that are theirs or nobody's.
    Number,
    /// Administrators, though the path names an account.
    OwnerAdmin,
    /// Administrators.
    Admin,
}

/// `A` is the account in the path, `N` the number.
#[rustfmt::skip]
const ROWS: &[(&str, &str, Right)] = &[
    ("GET", "/livez", Anybody),
    ("GET", "/metrics", Anybody),
    ("GET", "/openapi.json", Anybody),
    ("GET", "/readyz", Anybody),
    ("GET", "/v2/accounts/A", Account),
    ("PUT", "/v2/accounts/A", OwnerAdmin),
    ("PATCH", "/v2/accounts/A", OwnerAdmin),
    ("GET", "/v2/accounts/A/numbers/N/app", Account),
    ("GET", "/v2/accounts/A/phone_numbers", Account),
    ("GET", "/v2/accounts/A/phone_numbers/carriers_info", Account),
    ("POST", "/v2/accounts/A/phone_numbers/check", Account),
    ("GET", "/v2/accounts/A/phone_numbers/classifiers", Account),
    ("GET", "/v2/accounts/A/phone_numbers/classifiers/N", Account),
    ("PUT", "/v2/accounts/A/phone_numbers/collection", Account),
    ("POST", "/v2/accounts/A/phone_numbers/collection", Account),
    ("PATCH", "/v2/accounts/A/phone_numbers/collection", Account),
    ("DELETE", "/v2/accounts/A/phone_numbers/collection", Account),
    ("PUT", "/v2/accounts/A/phone_numbers/collection/activate", Account),
    ("PUT", "/v2/accounts/A/phone_numbers/collection/reconcile", OwnerAdmin),
    ("POST", "/v2/accounts/A/phone_numbers/fix", Account),
    ("POST", "/v2/accounts/A/phone_numbers/fix/N", Number),
    ("POST", "/v2/accounts/A/phone_numbers/locality", Account),
    ("GET", "/v2/accounts/A/phone_numbers/prefix", Account),
    ("GET", "/v2/accounts/A/phone_numbers/quantities", Account),
    ("GET", "/v2/accounts/A/phone_numbers/N", Number),
    ("PUT", "/v2/accounts/A/phone_numbers/N", Number),
    ("POST", "/v2/accounts/A/phone_numbers/N", Number),
    ("PATCH", "/v2/accounts/A/phone_numbers/N", Number),
    ("DELETE", "/v2/accounts/A/phone_numbers/N", Number),
    ("PUT", "/v2/accounts/A/phone_numbers/N/activate", Number),
    ("GET", "/v2/accounts/A/phone_numbers/N/explain", Number),
    ("GET", "/v2/accounts/A/phone_numbers/N/history", Number),
    ("GET", "/v2/accounts/A/phone_numbers/N/identify", Number),
    ("PUT", "/v2/accounts/A/phone_numbers/N/port", Number),
    ("PUT", "/v2/accounts/A/phone_numbers/N/ported", OwnerAdmin),
    ("PUT", "/v2/accounts/A/phone_numbers/N/reconcile", OwnerAdmin),
    ("PUT", "/v2/accounts/A/phone_numbers/N/reserve", Number),
    ("GET", "/v2/accounts/A/reseller/feature-permissions", OwnerAdmin),
    ("PUT", "/v2/accounts/A/reseller/feature-permissions/allow/cnam", OwnerAdmin),
    ("DELETE", "/v2/accounts/A/reseller/feature-permissions/allow/cnam", OwnerAdmin),
    ("GET", "/v2/accounts/A/tasks", Account),
    ("PUT", "/v2/accounts/A/tasks", Account),
    ("GET", "/v2/accounts/A/tasks/T", Account),
    ("PATCH", "/v2/accounts/A/tasks/T", Account),
    ("DELETE", "/v2/accounts/A/tasks/T", Account),
    ("GET", "/v2/accounts/A/tasks/T/input", Account),
    ("GET", "/v2/accounts/A/tasks/T/output", Account),
    ("PATCH", "/v2/accounts/A/tasks/T/stop", Account),
    ("GET", "/v2/config/feature-permissions", Admin),
    ("POST", "/v2/config/feature-permissions/ensure-admin-only", Admin),
    ("POST", "/v2/config/feature-permissions/reset", Admin),
    ("PUT", "/v2/config/feature-permissions/allow/cnam", Admin),
    ("DELETE", "/v2/config/feature-permissions/allow/cnam", Admin),
    ("GET", "/v2/changes", Token),
    ("GET", "/v2/consistency", Admin),
    ("GET", "/v2/consistency/digests", Admin),
    ("GET", "/v2/features", Admin),
    ("GET", "/v2/jobs", Admin),
    ("GET", "/v2/jobs/J", Admin),
    ("DELETE", "/v2/jobs/J", Admin),
    ("POST", "/v2/jobs/J/apply", Admin),
    ("POST", "/v2/jobs/J/cancel", Admin),
    ("GET", "/v2/jobs/J/events", Admin),
    ("GET", "/v2/jobs/J/journal", Admin),
    ("POST", "/v2/jobs/J/pause", Admin),
    ("GET", "/v2/jobs/J/plan", Admin),
    ("POST", "/v2/jobs/J/resume", Admin),
    ("POST", "/v2/jobs/J/revert", Admin),
    ("GET", "/v2/maintenance", Admin),
    ("GET", "/v2/maintenance/carrier_usage", Admin),
    ("POST", "/v2/maintenance/carrier_usage", Admin),
    ("POST", "/v2/maintenance/sup", Admin),
    ("POST", "/v2/maintenance/audit", Admin),
    ("GET", "/v2/phone_numbers", Token),
    ("GET", "/v2/phone_numbers/documents", Admin),
    ("PUT", "/v2/phone_numbers/documents", Admin),
    ("GET", "/v2/phone_numbers/prefix", Anybody),
    ("GET", "/v2/phone_numbers/N", Admin),
    ("GET", "/v2/phone_numbers/N/explain", Admin),
    ("GET", "/v2/phone_numbers/N/history", Admin),
    ("GET", "/v2/phone_numbers/N/feature-permissions", Admin),
    ("PUT", "/v2/phone_numbers/N/feature-permissions/allow/cnam", Admin),
    ("DELETE", "/v2/phone_numbers/N/feature-permissions/allow/cnam", Admin),
    ("POST", "/v2/phone_numbers/N/repair", Admin),
    ("GET", "/v2/system_configs/number_manager", Admin),
    ("POST", "/v2/system_configs/number_manager", Admin),
    ("PATCH", "/v2/system_configs/number_manager", Admin),
    ("GET", "/v2/tasks", Anybody),
    ("PUT", "/v2/tasks", Admin),
    ("GET", "/v2/tasks/T", Admin),
    ("PATCH", "/v2/tasks/T", Admin),
    ("DELETE", "/v2/tasks/T", Admin),
    ("GET", "/v2/tasks/T/input", Admin),
    ("GET", "/v2/tasks/T/output", Admin),
    ("PATCH", "/v2/tasks/T/stop", Admin),
    ("POST", "/v2/tokens/revoke", Admin),
    ("POST", "/v2/tokens/rotate", Admin),
    ("GET", "/v2/webhooks", Admin),
    ("POST", "/v2/webhooks", Admin),
    ("GET", "/v2/webhooks/W", Admin),
    ("PATCH", "/v2/webhooks/W", Admin),
    ("DELETE", "/v2/webhooks/W", Admin),
    ("POST", "/v2/webhooks/W/replay", Admin),
];

over_both_stores! {
    nobody_gets_further_than_they_may,
    nothing_of_others_is_in_a_list,
    a_narrow_token_does_not_write,
}

/// A path of the rows as the document has it.
fn template(path: &str) -> String {
    let name = |(before, segment): (&str, &str)| match (before, segment) {
        (_, "A") => "{account_id}".to_owned(),
        (_, "N") => "{number}".to_owned(),
        (_, "J") => "{job_id}".to_owned(),
        (_, "T") => "{task_id}".to_owned(),
        (_, "W") => "{webhook_id}".to_owned(),
        (_, "allow") => "{list}".to_owned(),
        (_, "cnam") => "{feature}".to_owned(),
        ("maintenance", "audit") => "{operation}".to_owned(),
        ("system_configs", "number_manager") => "{config_id}".to_owned(),
        _ => segment.to_owned(),
    };
    let segments: Vec<&str> = path.split('/').collect();
    let before = [""].into_iter().chain(segments.iter().copied());
    before.zip(segments.iter().copied()).map(name).collect::<Vec<_>>().join("/")
}

#[test]
fn every_route_has_its_row() {
    let document: Value = serde_json::from_str(&api::printed_document(OPERATIONS)).unwrap();
    let verbs = ["get", "put", "post", "patch", "delete"];
    let mut there = BTreeSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let verbs = verbs.iter().filter(|verb| item[**verb].is_object());
        there.extend(verbs.map(|verb| format!("{} {path}", verb.to_uppercase())));
    }
    let rows = ROWS.iter().map(|(verb, path, _)| format!("{verb} {}", template(path)));
    assert_eq!(rows.collect::<BTreeSet<_>>(), there);
}

/// A number of the account, one of somebody else, and an account below.
async fn hold(world: &World) {
    let path = format!("/v2/accounts/{CHILD}");
    let data = json!({"name": "Child", "parent_id": ACCOUNT});
    world.ask(Who::Admin, Method::PUT, &path, Some(&data)).await.check_status(201);
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
}

async fn ask(world: &World, who: Who, row: &(&str, &str, Right), account: &str) -> Answer {
    let (method, path, _) = row;
    let method = Method::from_bytes(method.as_bytes()).unwrap();
    let path = path.replace("/A", &format!("/{account}")).replace("/N", &format!("/{NUMBER}"));
    let path = path.replace("/J", "/20240501-0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f");
    let path = path.replace("/T", "/0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f");
    let is_task = method == Method::PUT && path.ends_with("/tasks");
    let path = path + if is_task { "?category=number_management&action=list" } else { "" };
    // Rights are asked for before most of what is wrong with a body.
    let data = json!({"wnm_allow_additions": true, "numbers": [NUMBER]});
    let data = (method != Method::GET).then_some(data);
    world.ask(who, method, &path, data.as_ref()).await
}

/// Whether a request was refused, as a whole or for the number in its list.
fn is_refused(answer: &Answer) -> bool {
    matches!(answer.status.as_u16(), 403 | 404)
        || answer.json()["data"]["error"][NUMBER]["code"] == 403
}

async fn nobody_gets_further_than_they_may(world: &World) {
    hold(world).await;
    let before = world.everything().await;
    for row in ROWS {
        let (method, path, right) = row;
        let nobody = ask(world, Who::Nobody, row, ACCOUNT).await;
        let wanted = *right == Anybody;
        assert_eq!(nobody.status != 401, wanted, "{method} {path}: {}", nobody.text);
        // Those who have nothing to do with the account in the path.
        for who in [STRANGER, CHILD] {
            let status = ask(world, Who::Account(who), row, ACCOUNT).await.status.as_u16();
            let is_kept_out = !matches!(right, Anybody | Token);
            assert_eq!(status == 403, is_kept_out, "{method} {path} by {who}: {status}");
        }
        // Those who name themselves in the path, and a number that is not theirs.
        if matches!(right, Number | OwnerAdmin) {
            let answer = ask(world, Who::Account(STRANGER), row, STRANGER).await;
            assert!(is_refused(&answer), "{method} {path} of another: {}", answer.text);
        }
        // Whoever is no administrator, though it is their own, and that of those below.
        if matches!(right, OwnerAdmin | Admin) {
            for who in [ACCOUNT, PARENT] {
                let answer = ask(world, Who::Account(who), row, ACCOUNT).await;
                assert!(is_refused(&answer), "{method} {path} by {who}: {}", answer.text);
            }
        }
        assert_eq!(world.everything().await, before, "{method} {path} changed something");
    }
    // Whoever may is not kept out; some of this changes something, so it comes last.
    for row in ROWS {
        let (method, path, right) = row;
        let allowed = if matches!(right, OwnerAdmin | Admin) {
            vec![Who::Admin]
        } else {
            vec![HOLDER, Who::Account(PARENT), Who::Admin]
        };
        for who in allowed {
            let answer = ask(world, who, row, ACCOUNT).await;
            let status = answer.status.as_u16();
            let is_in = !matches!(status, 401 | 403) || *path == "/v2/accounts/A/phone_numbers/N";
            // There is no directory here that could say where a number is.
            let is_served = status < 500 || path.ends_with("/locality");
            assert!(is_in && is_served, "{method} {path} by {who:?}: {}", answer.text);
        }
        world.forget(NUMBER).await;
        world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
    }
}

/// Every answer with many numbers in it: the numbers of others are in none, whatever is asked for.
async fn nothing_of_others_is_in_a_list(world: &World) {
    hold(world).await;
    let theirs = "+14155550177";
    world.keep(theirs, json!({"pvt_state": "in_service", "pvt_assigned_to": STRANGER})).await;
    world.keep("+14155550178", json!({"pvt_state": "reserved", "pvt_assigned_to": STRANGER})).await;
    let lists = [
        format!("/v2/accounts/{ACCOUNT}/phone_numbers"),
        format!("/v2/accounts/{ACCOUNT}/phone_numbers?paginate=false"),
        format!("/v2/accounts/{ACCOUNT}/phone_numbers?accept=csv"),
        format!("/v2/accounts/{ACCOUNT}/phone_numbers?filter_assigned_to={STRANGER}"),
        format!("/v2/accounts/{ACCOUNT}/phone_numbers?filter_state=reserved"),
        format!("/v2/accounts/{ACCOUNT}/phone_numbers?start_key=%2B14155550170"),
        format!("/v2/accounts/{ACCOUNT}/phone_numbers?account_id={STRANGER}"),
        format!("/v2/accounts/{ACCOUNT}/phone_numbers?prefix=415&quantity=50"),
        format!("/v2/accounts/{ACCOUNT}/phone_numbers/quantities"),
        "/v2/phone_numbers?prefix=415&quantity=50".to_owned(),
    ];
    for path in &lists {
        for who in [HOLDER, Who::Account(PARENT)] {
            let answer = world.ask(who, Method::GET, path, None).await;
            let is_told = answer.text.contains("+1415555017") || answer.text.contains(STRANGER);
            assert!(!is_told, "{path} by {who:?}: {}", answer.text);
        }
    }
    // Every list of all numbers is refused, whatever it is filtered by.
    for filter in ["filter_state=in_service", "filter_carrier=inventory", "filter_owner=none"] {
        let path = format!("/v2/phone_numbers?{filter}");
        world.ask(HOLDER, Method::GET, &path, None).await.check_status(403);
    }
    let batch = json!({"numbers": [theirs, "+14155550178"]});
    for (method, rest) in [
        (Method::POST, "collection"),
        (Method::PATCH, "collection"),
        (Method::DELETE, "collection"),
        (Method::PUT, "collection"),
        (Method::PUT, "collection/activate"),
    ] {
        let before = world.everything().await;
        let path = format!("/v2/accounts/{ACCOUNT}/phone_numbers/{rest}");
        let answer = world.ask(HOLDER, method.clone(), &path, Some(&batch)).await;
        let errors = answer.json()["data"]["error"].as_object().map_or(0, serde_json::Map::len);
        assert_eq!(errors, 2, "{method} {rest}: {}", answer.text);
        assert!(!answer.text.contains(STRANGER), "{method} {rest}: {}", answer.text);
        assert_eq!(world.everything().await, before, "{method} {rest} changed something");
    }
}

async fn a_narrow_token_does_not_write(world: &World) {
    hold(world).await;
    let before = world.everything().await;
    let read =
        world.app.token(Claims { admin: true, scope: Some(json!("read")), ..Claims::default() });
    for (method, path, right) in ROWS {
        if matches!(right, Anybody) {
            continue;
        }
        let others = ["/v2/maintenance", "/v2/jobs", "/v2/tokens", "/v2/changes", "/v2/webhooks"];
        let wanted = *method == "GET" && !others.iter().any(|it| path.starts_with(it));
        let full = path.replace("/A", &format!("/{ACCOUNT}")).replace("/N", &format!("/{NUMBER}"));
        let ask = world.app.ask(Method::from_bytes(method.as_bytes()).unwrap(), &full);
        let ask = ask.token(&read);
        let answer =
            if *method == "GET" { ask.send().await } else { ask.data(&json!({})).send().await };
        assert_eq!(answer.status != 403, wanted, "{method} {path}: {}", answer.text);
    }
    assert_eq!(world.everything().await, before);
}
