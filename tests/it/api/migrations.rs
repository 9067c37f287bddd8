//! Indexes, settings, numbers of nobody and port requests, brought up to date.

use axum::http::Method;
use number_manager::store::{Body, DbName, Expect, Lookup, Write};
use serde_json::{Value, json};

use super::{
    operation::{act, asked, counts, members, raw, run, say},
    world::{Who, World, account_db, number_db, over_both_stores},
};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    views_are_installed_where_they_are_missing_or_older,
    expected_databases_are_made,
    a_database_that_is_not_there_is_reported,
    numbers_of_nobody_are_fixed,
    only_the_named_numbers_of_nobody_are_fixed,
    a_migration_does_everything_in_order,
    a_carriers_address_is_written_where_it_is_read,
    port_requests_are_completed,
    there_need_be_no_port_requests,
}

const DESIGN: &str = "_design/number_manager";
const A: &str = "+14155550101";
const B: &str = "+14155550102";
const C: &str = "+14155550103";

/// Puts an older design document into a database; returns whether the store has such.
async fn make_older(world: &World, db: &DbName) -> bool {
    let Lookup::Live(found) = world.store.get(db, DESIGN).await.unwrap() else { return false };
    let older: Body = serde_json::from_value(json!({"views": {}})).unwrap();
    let put = Write::put(db.clone(), DESIGN, Expect::At(found.rev), older);
    world.store.commit(vec![put]).await.unwrap();
    true
}

async fn views_are_installed_where_they_are_missing_or_older(world: &World) {
    world.keep(A, json!({"pvt_state": "available"})).await;
    let (numbers, account) = (number_db(A), account_db(ACCOUNT));
    let has_designs = make_older(world, &numbers).await;
    assert_eq!(make_older(world, &account).await, has_designs);
    let wanted = if has_designs { 2 } else { 0 };
    let is_current = async |db: &DbName| world.store.has_current_indexes(db).await.unwrap();
    let all = json!({"scope": {"all": true}, "dry_run": true});
    assert_eq!(counts(&run(&world.app, "refresh_views", &all).await), (wanted, 0));
    assert_eq!(is_current(&numbers).await, !has_designs);
    let scope = json!({"scope": {"databases": ["+1415"]}});
    assert_eq!(counts(&run(&world.app, "refresh_views", &scope).await), (wanted / 2, 0));
    assert!(is_current(&numbers).await);
    assert_eq!(is_current(&account).await, !has_designs);
    let scope = json!({"scope": {"accounts": [ACCOUNT]}});
    let job = run(&world.app, "refresh_views", &scope).await;
    assert_eq!(counts(&job), (wanted / 2, 0));
    if has_designs {
        let found = json!({"count": 1, "ids": [account_name(ACCOUNT)]});
        assert_eq!(job["findings"]["views_installed"], found);
    }
    assert!(is_current(&account).await);
    let all = json!({"scope": {"all": true}});
    assert_eq!(counts(&run(&world.app, "refresh_views", &all).await), (0, 0));
    let text = say(&world.app, "refresh_views", &json!({"scope": {"databases": ["+1415"]}})).await;
    assert_eq!(text, "(1/1) updating db numbers%2F%2B1415\nupdated 0 of 1 databases\n");
}

fn account_name(account: &str) -> String {
    format!("account%2F{}%2F{}%2F{}", &account[..2], &account[2..4], &account[4..])
}

async fn expected_databases_are_made(world: &World) {
    let names = async || {
        let mut names = world.store.databases("numbers/").await.unwrap();
        names.extend(world.store.databases("port_requests").await.unwrap());
        names.into_iter().map(|name| name.to_string()).collect::<Vec<_>>()
    };
    let mut data = json!({"scope": {"all": true}, "create": true, "dry_run": true});
    assert_eq!(counts(&run(&world.app, "refresh_views", &data).await), (3, 0));
    assert_eq!(names().await, [""; 0]);
    data["dry_run"] = json!(false);
    assert_eq!(counts(&run(&world.app, "refresh_views", &data).await), (3, 0));
    assert_eq!(names().await, ["numbers/inum", "numbers/managed", "port_requests"]);
    assert_eq!(counts(&run(&world.app, "refresh_views", &data).await), (0, 0));
}

async fn a_database_that_is_not_there_is_reported(world: &World) {
    let data = json!({"scope": {"databases": ["+1999"]}, "create": true});
    let job = run(&world.app, "refresh_views", &data).await;
    assert_eq!(counts(&job), (3, 1));
    assert_eq!(job["failures"][0]["id"], "numbers%2F%2B1999");
    assert_eq!(world.store.databases("numbers/+1999").await.unwrap(), []);
}

/// Two numbers of nobody with what they may not have, one that is right, and one that is held.
async fn keep_unassigned(world: &World) {
    let cnam = json!({"display_name": "ACME", "inbound_lookup": true});
    let wrong = json!({
        "pvt_state": "available", "pvt_used_by": "callflow", "note": "stays",
        "cnam": cnam, "pvt_features": {"outbound_cnam": {"display_name": "ACME"}},
    });
    world.keep(A, wrong.clone()).await;
    world.keep(B, json!({"pvt_state": "available", "note": "right"})).await;
    let mut held = wrong;
    held["pvt_state"] = json!("in_service");
    held["pvt_assigned_to"] = json!(ACCOUNT);
    world.keep(C, held).await;
    world.keep("+14165550101", json!({"pvt_state": "aging", "pvt_used_by": "callflow"})).await;
}

async fn numbers_of_nobody_are_fixed(world: &World) {
    keep_unassigned(world).await;
    let (before, untouched) = (members(world).await, raw(world).await);
    let mut data = json!({"scope": {"all": true}, "page_size": 1, "dry_run": true});
    assert_eq!(counts(&run(&world.app, "migrate_unassigned", &data).await), (2, 0));
    assert_eq!(raw(world).await, untouched);
    data["dry_run"] = json!(false);
    let held = world.document(C).await;
    let right = world.document(B).await;
    let job = run(&world.app, "migrate_unassigned", &data).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("succeeded"), (2, 0)));
    let body = Value::Object(world.document(A).await.unwrap().body);
    for gone in ["pvt_used_by", "pvt_features", "cnam"] {
        assert_eq!(body[gone], Value::Null, "{gone}");
    }
    assert_eq!(body["note"], "stays");
    assert_eq!((world.document(C).await, world.document(B).await), (held, right));
    assert_eq!(counts(&run(&world.app, "migrate_unassigned", &data).await), (0, 0));
    act(&world.app, &job, "revert").await;
    assert_eq!(members(world).await, before);
    let text = say(&world.app, "migrate_unassigned", &json!({"scope": {"prefix": "+1415"}})).await;
    assert_eq!(
        text,
        "::: fixing unassigned numbers\n ==> start fixing numbers%2F%2B1415\n\
         [numbers%2F%2B1415] fixing 1 docs\n ==> done fixing numbers%2F%2B1415\n\
         ::: finished fixing unassigned numbers\n"
    );
}

async fn only_the_named_numbers_of_nobody_are_fixed(world: &World) {
    keep_unassigned(world).await;
    let data = json!({"scope": {"numbers": [A, C, "+14155550177"]}});
    let job = run(&world.app, "migrate_unassigned", &data).await;
    assert_eq!((counts(&job), &job["counts"]["skipped"]), ((1, 1), &json!(1)));
    assert_eq!(job["failures"][0]["error"], "not_found");
}

async fn settings(world: &World, name: &str) -> Value {
    let path = format!("/v2/system_configs/{name}");
    world.ask(Who::Admin, Method::GET, &path, None).await.data(200)
}

async fn set(world: &World, name: &str, members: &Value) {
    let path = format!("/v2/system_configs/{name}");
    let data = json!({ "default": members });
    world.ask(Who::Admin, Method::PATCH, &path, Some(&data)).await.data(200);
}

async fn a_migration_does_everything_in_order(world: &World) {
    keep_unassigned(world).await;
    set(world, "number_manager", &json!({"features": {"allow": ["cnam"]}})).await;
    let has_designs = make_older(world, &number_db(A)).await;
    let untouched = raw(world).await;
    let mut data = json!({"scope": {"all": true}, "dry_run": true});
    let wanted = 3 + u64::from(has_designs);
    assert_eq!(counts(&run(&world.app, "migrate", &data).await), (wanted, 0));
    assert_eq!(raw(world).await, untouched, "settings included");
    data["dry_run"] = json!(false);
    // Looking for unassigned numbers brought the index up to date by itself.
    make_older(world, &number_db(A)).await;
    let text = say(&world.app, "migrate", &data).await;
    let views = if has_designs { "updating number db numbers%2F%2B1415\n" } else { "" };
    assert_eq!(
        text,
        format!(
            "Adding the following admin-only number features to system_config: carrier_name\n{views} \
             ==> start fixing numbers%2F%2B1415\n[numbers%2F%2B1415] fixing 1 docs\n \
             ==> done fixing numbers%2F%2B1415\n ==> start fixing numbers%2F%2B1416\n\
             [numbers%2F%2B1416] fixing 1 docs\n ==> done fixing numbers%2F%2B1416\n"
        )
    );
    let allow = settings(world, "number_manager").await["default"]["features"]["allow"].clone();
    assert_eq!(allow, json!(["carrier_name", "cnam"]));
    assert!(world.store.has_current_indexes(&number_db(A)).await.unwrap());
    assert_eq!(counts(&run(&world.app, "migrate", &data).await), (0, 0));
}

async fn a_carriers_address_is_written_where_it_is_read(world: &World) {
    let old = "http://api.vitelity.net/api.php";
    // It would be refused here by now, so it is as KAZOO left it.
    let mut body = Body::from_iter([("pvt_type".to_owned(), "config".into())]);
    body.insert("default".to_owned(), json!({"api_uri": old, "login": "me"}));
    world.put(DbName::new("system_config"), "number_manager.vitelity", body).await;
    let mut data = json!({"scope": {"all": true}, "dry_run": true});
    assert_eq!(counts(&run(&world.app, "migrate", &data).await), (1, 0));
    let kept = settings(world, "number_manager.vitelity").await["default"].clone();
    assert_eq!(kept, json!({"api_uri": old, "login": "me"}));
    data["dry_run"] = json!(false);
    assert_eq!(counts(&run(&world.app, "migrate", &data).await), (1, 0));
    let now = settings(world, "number_manager.vitelity").await["default"].clone();
    assert_eq!(now, json!({"api_uri": "https://api.vitelity.net/api.php", "login": "me"}));
    assert_eq!(counts(&run(&world.app, "migrate", &data).await), (0, 0));
}

async fn port_request(world: &World, id: &str, members: Value) {
    let mut body = json!({"pvt_type": "port_request", "pvt_port_state": "submitted", "name": id});
    body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    let db = DbName::new("port_requests");
    world.put(db, id, serde_json::from_value(body).unwrap()).await;
}

async fn port_requests_are_completed(world: &World) {
    let nobody = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";
    let comments = json!([{"content": "x", "superduper_comment": true}, {"content": "y"}]);
    port_request(world, "a", json!({"pvt_account_id": ACCOUNT, "comments": comments, "odd": [1]}))
        .await;
    port_request(world, "b", json!({"pvt_account_id": nobody})).await;
    let whole = json!({
        "pvt_account_id": ACCOUNT, "pvt_tree": [], "pvt_account_name": "old",
        "pvt_port_authority": STRANGER, "pvt_port_authority_name": "old",
    });
    port_request(world, "c", whole).await;
    port_request(world, "d", json!({"pvt_account_id": PARENT, "pvt_tree": [STRANGER]})).await;
    world.put(DbName::new("port_requests"), "other", Body::new()).await;
    let named = json!({"port_authority": STRANGER});
    world.put(account_db(PARENT), "whitelabel", serde_json::from_value(named).unwrap()).await;
    let (before, untouched) = (members(world).await, raw(world).await);
    let mut data = json!({"scope": {"all": true}, "page_size": 2, "dry_run": true});
    assert_eq!(counts(&run(&world.app, "migrate_port_requests", &data).await), (2, 1));
    assert_eq!(raw(world).await, untouched);

    data["dry_run"] = json!(false);
    let job = run(&world.app, "migrate_port_requests", &data).await;
    assert_eq!((&job["state"], counts(&job)), (&json!("partial"), (2, 1)), "{job}");
    assert_eq!(
        (&job["failures"][0]["id"], &job["failures"][0]["code"]),
        (&json!("b"), &json!(404))
    );
    let body = async |id: &str| {
        let found = world.store.get(&DbName::new("port_requests"), id).await.unwrap();
        let mut body = found.live().unwrap().body;
        body.shift_remove("pvt_write_id");
        Value::Object(body)
    };
    let completed = json!({
        "pvt_type": "port_request", "pvt_port_state": "submitted", "name": "a",
        "pvt_account_id": ACCOUNT, "odd": [1],
        "comments": [{"content": "x", "is_private": true}, {"content": "y"}],
        "pvt_tree": [PARENT], "pvt_account_name": "Account 0f",
        "pvt_port_authority": STRANGER, "pvt_port_authority_name": "Account 2b",
    });
    assert_eq!(body("a").await, completed);
    assert_eq!(body("d").await["pvt_tree"], json!([STRANGER]), "what is there stays");
    assert_eq!(body("d").await["pvt_port_authority"], STRANGER);
    assert_eq!(counts(&run(&world.app, "migrate_port_requests", &data).await), (0, 1));
    act(&world.app, &job, "revert").await;
    assert_eq!(members(world).await, before);
}

async fn there_need_be_no_port_requests(world: &World) {
    let data = json!({"scope": {"all": true}});
    assert_eq!(counts(&run(&world.app, "migrate_port_requests", &data).await), (0, 0));
    assert_eq!(world.store.databases("port_requests").await.unwrap(), []);
    let with_accounts = json!({"scope": {"accounts": [ACCOUNT]}});
    asked(&world.app, "migrate_port_requests", &with_accounts).await.check_status(400);
}
