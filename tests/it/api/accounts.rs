//! `/v2/accounts/{A}`: accounts, where no other program keeps them.

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{HOLDER, Who, World, account_db, over_both_stores};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    an_account_is_made_below_another,
    making_it_again_changes_nothing,
    only_administrators_make_accounts,
    bad_accounts_are_refused,
    rights_are_given_and_taken,
    an_account_is_read_by_those_above_it,
}

const NEW: &str = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";

fn path(account: &str) -> String {
    format!("/v2/accounts/{account}")
}

async fn make(world: &World, data: &Value) -> Value {
    world.ask(Who::Admin, Method::PUT, &path(NEW), Some(data)).await.data(201)
}

/// The account's own document and its copy, with revisions.
async fn stored(world: &World, account: &str) -> String {
    let own = world.store.get(&account_db(account), account).await;
    let accounts = number_manager::store::DbName::new("accounts");
    format!("{own:?} {:?}", world.store.get(&accounts, account).await)
}

async fn an_account_is_made_below_another(world: &World) {
    let data = make(world, &json!({"name": "New", "parent_id": ACCOUNT})).await;
    let wanted = json!({
        "id": NEW, "name": "New", "enabled": true, "wnm_allow_additions": false,
        "is_reseller": false, "superduper_admin": false, "tree": [PARENT, ACCOUNT],
        "parent_id": ACCOUNT, "reseller_id": PARENT,
    });
    assert_eq!(data, wanted);
    let document = world.store.get(&account_db(NEW), NEW).await.unwrap().live().unwrap().body;
    assert_eq!(document["pvt_type"], "account");
    assert_eq!(document["pvt_tree"], json!([PARENT, ACCOUNT]));
    let accounts = number_manager::store::DbName::new("accounts");
    let copy = world.store.get(&accounts, NEW).await.unwrap().live().unwrap().body;
    assert_eq!(copy, document);
    for who in [Who::Account(PARENT), HOLDER, Who::Account(NEW)] {
        assert_eq!(world.ask(who, Method::GET, &path(NEW), None).await.data(200), wanted);
    }
}

async fn making_it_again_changes_nothing(world: &World) {
    let data = json!({"name": "New", "parent_id": ACCOUNT});
    make(world, &data).await;
    let before = stored(world, NEW).await;
    make(world, &data).await;
    let other = json!({"name": "Other", "parent_id": ACCOUNT});
    let answer = world.ask(Who::Admin, Method::PUT, &path(NEW), Some(&other)).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["message"]),
        (409, &json!("account_exists"))
    );
    assert_eq!(stored(world, NEW).await, before);
}

async fn only_administrators_make_accounts(world: &World) {
    let data = json!({"name": "New", "parent_id": ACCOUNT});
    let forbidden = json!({"message": "forbidden"});
    for who in [HOLDER, Who::Account(PARENT), Who::Account(NEW)] {
        let answer = world.ask(who, Method::PUT, &path(NEW), Some(&data)).await;
        if who == Who::Account(NEW) {
            answer.check_error(401, "invalid credentials", &json!({}));
        } else {
            answer.check_error(403, "forbidden", &forbidden);
        }
    }
    let answer = world.ask(Who::Nobody, Method::PUT, &path(NEW), Some(&data)).await;
    answer.check_status(401);
    assert!(!stored(world, NEW).await.contains("Live"));
}

async fn bad_accounts_are_refused(world: &World) {
    for (data, field, rule) in [
        (json!({}), "name", "required"),
        (json!({"name": " "}), "name", "required"),
        (json!({"name": 1}), "name", "type"),
        (json!({"name": "a", "parent_id": "x"}), "parent_id", "type"),
        (json!({"name": "a", "enabled": "perhaps"}), "enabled", "type"),
    ] {
        let answer = world.ask(Who::Admin, Method::PUT, &path(NEW), Some(&data)).await;
        assert_eq!(answer.status.as_u16(), 400, "{data}: {}", answer.text);
        assert!(answer.json()["data"][field][rule]["message"].is_string(), "{}", answer.text);
    }
    let unknown = "9".repeat(32);
    let data = json!({"name": "a", "parent_id": unknown});
    let answer = world.ask(Who::Admin, Method::PUT, &path(NEW), Some(&data)).await;
    let wanted = json!({"message": "bad identifier", "cause": unknown});
    answer.check_error(404, "bad_identifier", &wanted);
    assert!(!stored(world, NEW).await.contains("Live"));
}

async fn rights_are_given_and_taken(world: &World) {
    let forbidden = "requestor is unauthorized to perform operation";
    let before = stored(world, ACCOUNT).await;
    for who in [HOLDER, Who::Account(PARENT)] {
        let data = json!({"wnm_allow_additions": true});
        let answer = world.ask(who, Method::PATCH, &path(ACCOUNT), Some(&data)).await;
        let wanted = json!({"code": 403, "error": "forbidden", "message": forbidden});
        answer.check_error(403, "forbidden", &wanted);
    }
    let answer = world.ask(Who::Admin, Method::PATCH, &path(ACCOUNT), Some(&json!({}))).await;
    answer.check_status(400);
    assert_eq!(stored(world, ACCOUNT).await, before);
    for allowed in [true, false] {
        let data = json!({ "wnm_allow_additions": allowed });
        let answer = world.ask(Who::Admin, Method::PATCH, &path(ACCOUNT), Some(&data)).await;
        assert_eq!(answer.data(200)["wnm_allow_additions"], allowed);
    }
}

async fn an_account_is_read_by_those_above_it(world: &World) {
    for who in [HOLDER, Who::Account(PARENT), Who::Admin] {
        let data = world.ask(who, Method::GET, &path(ACCOUNT), None).await.data(200);
        assert_eq!((&data["id"], &data["tree"]), (&json!(ACCOUNT), &json!([PARENT])));
    }
    let answer = world.ask(Who::Account(STRANGER), Method::GET, &path(ACCOUNT), None).await;
    answer.check_error(403, "forbidden", &json!({"message": "forbidden"}));
    let own = world.ask(HOLDER, Method::GET, "/v2/account", None).await.data(200);
    assert_eq!(own["id"], ACCOUNT);
}
