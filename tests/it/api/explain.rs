//! What is said of a number that something is wrong with, and that the call it names repairs it.

use axum::http::Method;
use number_manager::store::{Body, DbName, Document, Expect, Write};
use serde_json::{Value, json};

use super::world::{
    HOLDER, NUMBER, UNLIMITED, Who, World, account_db, number_db, numbers, over_both_stores,
};
use crate::support::app::{ACCOUNT, Answer, PARENT, STRANGER, TestApp};

over_both_stores! {
    a_healthy_number_is_explained,
    a_missing_copy_is_found_and_repaired,
    a_stale_copy_is_found_and_repaired,
    a_copy_in_a_wrong_account_is_found_and_repaired,
    a_copy_that_nothing_names_is_found_in_the_deep,
    an_orphaned_copy_is_found_and_repaired,
    an_unknown_carrier_is_found_and_repaired,
    a_number_that_is_no_longer_itself_is_found_and_repaired,
    a_use_that_no_application_supports_is_found_and_repaired,
    a_tombstone_is_found_and_repaired,
    a_denied_feature_is_found_and_repaired,
    what_each_feature_is_allowed_by,
    every_transition_has_its_guard,
    what_a_transition_proposes_makes_it_possible,
    who_may_ask,
    bad_repairs_are_refused,
}

/// The path of the explanation for administrators.
const EXPLAIN: &str = "/v2/phone_numbers/%2B14155550100/explain";

fn held(state: &str) -> Value {
    json!({"pvt_state": state, "pvt_assigned_to": ACCOUNT})
}

async fn explain(world: &World, rest: &str) -> Value {
    world.ask(Who::Admin, Method::GET, &format!("{EXPLAIN}{rest}"), None).await.data(200)
}

fn finding<'a>(explained: &'a Value, kind: &str) -> Option<&'a Value> {
    explained["findings"].as_array().unwrap().iter().find(|it| it["kind"] == kind)
}

/// Runs the call that a finding names.
async fn call(app: &TestApp, repair: &Value) -> Answer {
    let method: Method = repair["method"].as_str().unwrap().parse().unwrap();
    let ask = app.ask(method, repair["path"].as_str().unwrap()).token(&app.admin());
    let answer = ask.body(repair["body"].to_string()).send().await;
    assert!(answer.status.is_success(), "{repair}: {}", answer.text);
    answer
}

/// Checks that there is such a finding, and none after the call that it names.
async fn check_repaired(world: &World, rest: &str, kind: &str) {
    let explained = explain(world, rest).await;
    let found = finding(&explained, kind).unwrap_or_else(|| panic!("no {kind}: {explained}"));
    call(&world.app, &found["repair"]).await;
    let after = explain(world, rest).await;
    assert_eq!(finding(&after, kind), None);
}

async fn remove(world: &World, db: DbName, id: &str) {
    let found = world.store.get(&db, id).await.unwrap().live().unwrap();
    let delete = Write::delete(db, id, found.rev, Body::new());
    world.store.commit(vec![delete]).await.unwrap();
}

async fn change(world: &World, db: DbName, key: &str, value: Value) {
    let Document { rev, mut body, .. } =
        world.store.get(&db, NUMBER).await.unwrap().live().unwrap();
    body.insert(key.to_owned(), value);
    let write = Write::put(db, NUMBER, Expect::At(rev), body);
    world.store.commit(vec![write]).await.unwrap();
}

async fn put_stray(world: &World, account: &str) {
    let body = world.document(NUMBER).await.unwrap().body;
    world.put(account_db(account), NUMBER, body).await;
}

async fn a_healthy_number_is_explained(world: &World) {
    world.keep(NUMBER, held("in_service")).await;
    let path = "/v2/phone_numbers/4155550100/explain";
    let data = world.ask(Who::Admin, Method::GET, path, None).await.data(200);
    assert_eq!(data["id"], NUMBER);
    assert_eq!(data["converter"]["prefix"], "+1");
    assert_eq!(data["classifier"], "did_us");
    assert_eq!((&data["canonical"], &data["deleted"]), (&json!(true), &json!(false)));
    assert_eq!(data["database"], "numbers/+1415");
    assert_eq!(data["versions"][0]["state"], "in_service");
    let copy = &data["copies"][0];
    assert_eq!((&copy["account"], &copy["is_owner"]), (&json!(ACCOUNT), &json!(true)));
    assert_eq!(copy["differs_in"], json!([]));
    assert_eq!(data["findings"], json!([]));
    assert_eq!(explain(world, "").await["converter"], Value::Null);
}

async fn a_missing_copy_is_found_and_repaired(world: &World) {
    world.keep(NUMBER, held("in_service")).await;
    remove(world, account_db(ACCOUNT), NUMBER).await;
    check_repaired(world, "", "missing_copy").await;
}

async fn a_stale_copy_is_found_and_repaired(world: &World) {
    world.keep(NUMBER, held("reserved")).await;
    change(world, account_db(ACCOUNT), "pvt_state", json!("in_service")).await;
    let explained = explain(world, "").await;
    assert_eq!(explained["copies"][0]["differs_in"], json!(["pvt_state"]));
    check_repaired(world, "", "stale_copy").await;
}

async fn a_copy_in_a_wrong_account_is_found_and_repaired(world: &World) {
    for kind in ["wrong_account", "two_accounts"] {
        world.clear().await;
        let members = json!({
            "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT,
            "pvt_previously_assigned_to": STRANGER,
        });
        world.keep(NUMBER, members).await;
        put_stray(world, STRANGER).await;
        check_repaired(world, "", kind).await;
    }
}

async fn a_copy_that_nothing_names_is_found_in_the_deep(world: &World) {
    world.keep(NUMBER, held("in_service")).await;
    put_stray(world, PARENT).await;
    assert_eq!(explain(world, "").await["findings"], json!([]));
    check_repaired(world, "?deep=true", "two_accounts").await;
}

async fn an_orphaned_copy_is_found_and_repaired(world: &World) {
    world.keep(NUMBER, held("in_service")).await;
    remove(world, number_db(NUMBER), NUMBER).await;
    let answer = world.ask(Who::Admin, Method::GET, &format!("{EXPLAIN}?deep=true"), None).await;
    let data = answer.data(200);
    let found = finding(&data, "wrong_account").unwrap();
    // Nothing is left to be said of the number then but that it was deleted.
    let method = found["repair"]["method"].as_str().unwrap();
    assert_eq!(method, "POST");
    call(&world.app, &found["repair"]).await;
    assert_eq!(world.copy(ACCOUNT, NUMBER).await, None);
}

async fn an_unknown_carrier_is_found_and_repaired(world: &World) {
    let members = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_module_name": "knm_nobody",
    });
    world.keep(NUMBER, members).await;
    check_repaired(world, "", "unknown_carrier").await;
}

async fn a_number_that_is_no_longer_itself_is_found_and_repaired(world: &World) {
    for (number, rule) in [(NUMBER, json!(null)), ("+12345", json!(r"^\+44\d+$|^\+12345$"))] {
        world.clear().await;
        world.keep(number, json!({"pvt_state": "available"})).await;
        let app = world.configured(json!({"reconcile_regex": r"^\+44\d+$"})).await;
        let path = format!("/v2/phone_numbers/%2B{}/explain", &number[1..]);
        let explain = async || app.get(&path).token(&app.admin()).send().await.data(200);
        let explained = explain().await;
        assert_eq!(explained["canonical"], false);
        let repair = &finding(&explained, "not_canonical").unwrap()["repair"];
        assert_eq!(repair["body"]["data"]["default"]["reconcile_regex"], rule);
        call(&app, repair).await;
        let after = explain().await;
        assert_eq!((&after["canonical"], finding(&after, "not_canonical")), (&json!(true), None));
    }
}

async fn a_use_that_no_application_supports_is_found_and_repaired(world: &World) {
    let trunk = json!({
        "pvt_type": "sys_info", "servers": [{"options": {"enabled": true}, "DIDs": {NUMBER: {}}}],
    });
    let flow = |deleted: bool| {
        json!({
            "pvt_type": "callflow", "numbers": ["100", NUMBER], "pvt_deleted": deleted,
        })
    };
    for (document, used_by) in
        [(flow(true), None), (trunk, Some("trunkstore")), (flow(false), Some("callflow"))]
    {
        world.clear().await;
        let db = account_db(ACCOUNT);
        let Value::Object(body) = document else { unreachable!() };
        world.put(db.clone(), "app", body).await;
        let members = json!({
            "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT, "pvt_used_by": "calltrunk",
        });
        world.keep(NUMBER, members).await;
        check_repaired(world, "", "unsupported_used_by").await;
        let stored = world.document(NUMBER).await.unwrap().body;
        assert_eq!(stored.get("pvt_used_by").and_then(Value::as_str), used_by);
        remove(world, db, "app").await;
    }
}

async fn a_tombstone_is_found_and_repaired(world: &World) {
    world.keep(NUMBER, held("in_service")).await;
    world.about(Who::Admin, Method::DELETE, "?hard=true", None).await.check_status(200);
    let explained = explain(world, "").await;
    assert_eq!((&explained["deleted"], &explained["versions"]), (&json!(true), &json!([])));
    assert_eq!(explained["assigned_to"], ACCOUNT);
    check_repaired(world, "", "tombstone").await;
    assert_eq!(world.owner(NUMBER).await.as_deref(), Some(ACCOUNT));
}

async fn a_denied_feature_is_found_and_repaired(world: &World) {
    let in_force = json!({"cnam": {"display_name": "x"}});
    for (settings, members, by) in [
        (json!({}), json!({"pvt_features_denied": ["cnam", "port"]}), "number"),
        (json!({}), json!({"pvt_features_allowed": ["port"]}), "number"),
        (json!({"features": {"allow": ["port"]}}), json!({}), "system"),
        (json!({"features": {"deny": ["cnam"]}}), json!({}), "system"),
        (json!({}), json!({"pvt_module_name": "knm_local"}), "rule: the number is local"),
    ] {
        world.clear().await;
        let mut all = held("in_service");
        all["pvt_features"] = in_force.clone();
        for (key, value) in members.as_object().unwrap() {
            all[key] = value.clone();
        }
        world.keep(NUMBER, all).await;
        let app = world.configured(settings).await;
        let explain = async || app.get(EXPLAIN).token(&app.admin()).send().await.data(200);
        let explained = explain().await;
        let found = finding(&explained, "feature_denied").unwrap_or_else(|| panic!("{explained}"));
        let message = format!("feature cnam is in force and denied by {by}");
        assert_eq!(found["message"], message);
        call(&app, &found["repair"]).await;
        assert_eq!(finding(&explain().await, "feature_denied"), None, "{message}");
    }
}

async fn what_each_feature_is_allowed_by(world: &World) {
    let mut members = held("in_service");
    members["pvt_features_allowed"] = json!(["cnam", "failover"]);
    members["pvt_features_denied"] = json!(["failover"]);
    world.keep(NUMBER, members).await;
    let explained = explain(world, "").await;
    let of = |name: &str| {
        let all = explained["features"].as_array().unwrap();
        all.iter().find(|it| it["feature"] == name).unwrap()
    };
    assert_eq!((&of("cnam")["allowed"], &of("cnam")["by"]), (&json!(true), &json!("number")));
    assert_eq!(of("failover")["by"], "number");
    assert_eq!(of("failover")["repair"]["method"], "DELETE");
    assert_eq!(of("e911")["repair"]["method"], "PUT");
}

fn guard_of<'a>(explained: &'a Value, to: &str) -> &'a Value {
    let all = explained["transitions"].as_array().unwrap();
    all.iter().find(|it| it["to"] == to).unwrap()
}

async fn every_transition_has_its_guard(world: &World) {
    let free = |state: &str| json!({"pvt_state": state});
    let mut vendor = free("discovery");
    vendor["pvt_module_name"] = json!("knm_telnyx");
    for (members, account, to, guard) in [
        (held("in_service"), ACCOUNT, "reserved", None),
        (held("in_service"), ACCOUNT, "aging", None),
        (held("in_service"), ACCOUNT, "available", Some("no_such_step")),
        (held("in_service"), ACCOUNT, "port_in", Some("no_such_step")),
        (held("in_service"), ACCOUNT, "port_out", Some("no_way_there")),
        (held("in_service"), ACCOUNT, "discovery", Some("no_way_there")),
        (held("in_service"), ACCOUNT, "deleted", None),
        (held("reserved"), ACCOUNT, "reserved", Some("no_change_required")),
        (free("aging"), ACCOUNT, "reserved", Some("no_such_step")),
        (free("aging"), ACCOUNT, "in_service", None),
        (vendor, ACCOUNT, "in_service", Some("must_be_bought")),
        (free("available"), "", "in_service", Some("needs_account")),
    ] {
        world.clear().await;
        world.keep(NUMBER, members.clone()).await;
        let path = match account {
            "" => EXPLAIN.to_owned(),
            _ => numbers(&format!("/{NUMBER}/explain")),
        };
        let explained = world.ask(Who::Admin, Method::GET, &path, None).await.data(200);
        let seen = guard_of(&explained, to);
        assert_eq!(seen["guard"].as_str(), guard, "{members} to {to}: {seen}");
        assert_eq!(seen["allowed"], guard.is_none());
        assert_eq!(seen["message"].is_string(), guard.is_some());
    }
    world.clear().await;
    world.keep(NUMBER, held("in_service")).await;
    let explained = world.about(HOLDER, Method::GET, "/explain", None).await.data(200);
    assert_eq!(guard_of(&explained, "deleted")["guard"], "no_way_there");
}

async fn what_a_transition_proposes_makes_it_possible(world: &World) {
    let mut ran = 0;
    for members in [
        held("in_service"),
        held("reserved"),
        held("port_in"),
        json!({"pvt_state": "available"}),
        json!({"pvt_state": "aging", "pvt_previously_assigned_to": ACCOUNT}),
        json!({"pvt_state": "released"}),
        json!({"pvt_state": "discovery", "pvt_module_name": "knm_telnyx"}),
    ] {
        for to in ["in_service", "reserved", "aging", "available", "released", "deleted"] {
            world.clear().await;
            world.keep(NUMBER, members.clone()).await;
            // Settings that were changed before are not remembered.
            let app = TestApp::over(world.store.clone(), UNLIMITED).await;
            let path = numbers(&format!("/{NUMBER}/explain"));
            let explain = async || app.get(&path).token(&app.admin()).send().await.data(200);
            let explained = explain().await;
            let seen = guard_of(&explained, to);
            if seen["repair"].is_null() {
                continue;
            }
            call(&app, &seen["repair"]).await;
            ran += 1;
            let after = explain().await;
            // One step may only lead to where the next one is proposed.
            let is_there = after["versions"][0]["state"] == to;
            let next = guard_of(&after, to);
            let is_nearer = next["repair"]["path"] != seen["repair"]["path"];
            assert!(is_there || next["allowed"] == true || is_nearer, "{members} to {to}: {next}");
        }
    }
    assert!(ran >= 10, "{ran}");
}

async fn who_may_ask(world: &World) {
    let members = json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT,
        "pvt_previously_assigned_to": STRANGER, "pvt_features": {"cnam": {}},
        "pvt_features_denied": ["cnam"],
    });
    world.keep(NUMBER, members).await;
    put_stray(world, STRANGER).await;
    for who in [HOLDER, Who::Account(PARENT)] {
        let data = world.about(who, Method::GET, "/explain", None).await.data(200);
        let text = data.to_string();
        assert!(!text.contains(STRANGER), "{text}");
        let kinds: Vec<&str> = data["findings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| it["kind"].as_str().unwrap())
            .collect();
        assert_eq!(kinds, ["feature_denied"]);
        assert_eq!(data["findings"][0]["repair"], Value::Null);
        let deep = world.about(who, Method::GET, "/explain?deep=true", None).await;
        assert_eq!(deep.status.as_u16(), 403);
    }
    let path = format!("/v2/accounts/{STRANGER}/phone_numbers/{NUMBER}/explain");
    let foreign = world.ask(Who::Account(STRANGER), Method::GET, &path, None).await;
    assert_eq!(foreign.status.as_u16(), 404, "{}", foreign.text);
    let unscoped = world.ask(HOLDER, Method::GET, EXPLAIN, None).await;
    assert_eq!(unscoped.status.as_u16(), 403);
    for path in ["/v2/phone_numbers/%2B14155550177/explain", "/v2/phone_numbers/abc/explain"] {
        world.ask(Who::Admin, Method::GET, path, None).await.check_status(404);
    }
    remove(world, account_db(STRANGER), NUMBER).await;
}

async fn bad_repairs_are_refused(world: &World) {
    world.keep(NUMBER, held("in_service")).await;
    let before = world.everything().await;
    let path = "/v2/phone_numbers/%2B14155550100/repair";
    for data in [
        json!({}),
        json!({"copies": "all"}),
        json!({"copies": ["x"]}),
        json!({"copies": [1]}),
        json!({"keep_revision": 1}),
        json!({"keep_revision": "1-nothing"}),
        json!({"used_by": 1}),
    ] {
        let answer = world.ask(Who::Admin, Method::POST, path, Some(&data)).await;
        assert_eq!(answer.status.as_u16(), 400, "{data}: {}", answer.text);
    }
    let data = json!({"copies": [ACCOUNT]});
    for (who, status) in [(HOLDER, 403), (Who::Nobody, 401)] {
        world.ask(who, Method::POST, path, Some(&data)).await.check_status(status);
    }
    assert_eq!(world.everything().await, before);
}

/// Revisions contradict each other on a cluster only.
#[tokio::test(flavor = "multi_thread")]
async fn conflicting_revisions_are_found_and_one_is_kept() {
    for keep_winner in [true, false] {
        let world = World::couchdb().await;
        world.keep(NUMBER, held("in_service")).await;
        let mut other = world.document(NUMBER).await.unwrap().body;
        other.insert("pvt_assigned_to".to_owned(), json!(STRANGER));
        other.insert("_id".to_owned(), json!(NUMBER));
        other.insert("_rev".to_owned(), json!("1-00000000000000000000000000000000"));
        let url = world.database_url("numbers%2F%2B1415/_bulk_docs");
        let body = json!({"new_edits": false, "docs": [other]}).to_string();
        let request = reqwest::Client::new().post(url).body(body);
        let sent = request.header("content-type", "application/json").send().await.unwrap();
        assert!(sent.status().is_success());
        put_stray(&world, STRANGER).await;
        let explained = explain(&world, "").await;
        let versions = explained["versions"].as_array().unwrap();
        assert_eq!(versions.len(), 2, "{explained}");
        let found = finding(&explained, "conflicting_revisions").unwrap();
        let mut repair = found["repair"].clone();
        assert_eq!(repair["body"]["data"]["keep_revision"], versions[0]["revision"]);
        let kept = &versions[usize::from(!keep_winner)];
        repair["body"]["data"]["keep_revision"] = kept["revision"].clone();
        call(&world.app, &repair).await;
        let after = explain(&world, "?deep=true").await;
        assert_eq!(finding(&after, "conflicting_revisions"), None);
        assert_eq!(after["assigned_to"], kept["assigned_to"]);
        assert_eq!(after["copies"].as_array().unwrap().len(), 1, "{after}");
        world.check_invariants().await;
    }
}
