//! `POST …/fix`: copies are brought in line with the numbers, and nothing else is changed.

use std::sync::Arc;

use axum::http::Method;
use number_manager::store::{Body, Expect, Write};
use serde_json::{Value, json};

use super::world::{
    HOLDER, NUMBER, UNLIMITED, Who, World, account_db, number_db, numbers, over_both_stores,
};
use crate::support::{
    app::{ACCOUNT, PARENT, STRANGER, TestApp},
    failing::FailingStore,
};

over_both_stores! {
    an_account_gets_the_copies_that_it_should_have,
    one_number_is_put_right,
    what_is_right_is_not_written,
    somebody_elses_number_is_refused,
    what_cannot_be_read_is_left_alone,
    only_the_accounts_own_numbers_are_read,
}

fn held(account: &str) -> Value {
    json!({"pvt_state": "in_service", "pvt_assigned_to": account})
}

fn document(number: &str, account: &str) -> Body {
    let mut body = json!({
        "pvt_type": "number", "pvt_db_name": format!("numbers%2F%2B{}", &number[1..5]),
        "pvt_module_name": "knm_local", "pvt_created": 1, "pvt_modified": 1,
    });
    body.as_object_mut().unwrap().extend(held(account).as_object().unwrap().clone());
    serde_json::from_value(body).unwrap()
}

async fn spoil_copy(world: &World, number: &str) {
    let mut copy = world.copy(ACCOUNT, number).await.unwrap();
    copy.body.insert("stale".to_owned(), true.into());
    let write = Write::put(account_db(ACCOUNT), number, Expect::At(copy.rev), copy.body);
    world.store.commit(vec![write]).await.unwrap();
}

/// A missing copy, a stale one, one of somebody else's number, and one of no number at all.
async fn spoil(world: &World) {
    world.keep("+14155550100", held(ACCOUNT)).await;
    spoil_copy(world, "+14155550100").await;
    world.put(number_db("+14165550101"), "+14165550101", document("+14165550101", ACCOUNT)).await;
    world.keep("+14155550102", held(STRANGER)).await;
    world.put(account_db(ACCOUNT), "+14155550102", document("+14155550102", STRANGER)).await;
    world.put(account_db(ACCOUNT), "+14175550103", document("+14175550103", ACCOUNT)).await;
    world.keep("+14155550104", held(ACCOUNT)).await;
}

async fn an_account_gets_the_copies_that_it_should_have(world: &World) {
    spoil(world).await;
    let of_numbers = async || {
        let mut all = Vec::new();
        for number in ["+14155550100", "+14165550101", "+14155550102", "+14155550104"] {
            all.push(world.document(number).await);
        }
        all
    };
    let before = of_numbers().await;
    let data = world.ask(HOLDER, Method::POST, &numbers("/fix"), None).await.data(200);
    let listed: Vec<_> = data["numbers"].as_object().unwrap().keys().collect();
    assert_eq!(listed, ["+14165550101", "+14155550104", "+14155550100"]);
    assert_eq!(of_numbers().await, before, "numbers are not changed");
    world.check_invariants().await;
}

async fn one_number_is_put_right(world: &World) {
    world.keep(NUMBER, held(ACCOUNT)).await;
    spoil_copy(world, NUMBER).await;
    let fix = async |number: &str| {
        let path = numbers(&format!("/fix/{number}"));
        world.ask(HOLDER, Method::POST, &path, None).await.data(200)
    };
    assert_eq!(fix("4155550100").await, json!({}));
    world.check_invariants().await;
    // Nobody's number: what the account has of it goes.
    world.put(account_db(ACCOUNT), "+14155550103", document("+14155550103", ACCOUNT)).await;
    assert_eq!(fix("+14155550103").await, json!({}));
    assert_eq!(world.copy(ACCOUNT, "+14155550103").await, None);
    assert_eq!(fix("+14155550199").await, json!({}));
}

async fn what_is_right_is_not_written(world: &World) {
    world.keep(NUMBER, held(ACCOUNT)).await;
    let before = world.everything().await;
    for path in ["/fix", "/fix/+14155550100"] {
        world.ask(HOLDER, Method::POST, &numbers(path), None).await.check_status(200);
    }
    assert_eq!(world.everything().await, before);
}

async fn somebody_elses_number_is_refused(world: &World) {
    world.keep("+14155550102", held(STRANGER)).await;
    world.put(account_db(ACCOUNT), "+14155550102", document("+14155550102", STRANGER)).await;
    let path = numbers("/fix/+14155550102");
    let data = json!({
        "code": 403, "error": "forbidden",
        "message": "requestor is unauthorized to perform operation",
    });
    for who in [HOLDER, Who::Account(PARENT)] {
        world.check_refused((who, Method::POST, &path, None), 403, "forbidden", &data).await;
    }
    let plain = json!({"message": "forbidden"});
    let stranger = Who::Account(STRANGER);
    for path in [numbers("/fix"), path.clone()] {
        world.check_refused((stranger, Method::POST, &path, None), 403, "forbidden", &plain).await;
    }
    let path_of_none = numbers("/fix/nonsense");
    let data = json!({
        "code": 400, "error": "not_reconcilable", "cause": "nonsense",
        "message": "number nonsense is not reconcilable",
    });
    let asked = (HOLDER, Method::POST, &*path_of_none, None);
    world.check_refused(asked, 400, "not_reconcilable", &data).await;
    // An administrator may: the stray copy goes.
    world.ask(Who::Admin, Method::POST, &path, None).await.check_status(200);
    assert_eq!(world.copy(ACCOUNT, "+14155550102").await, None);
}

async fn what_cannot_be_read_is_left_alone(world: &World) {
    let mut broken = document(NUMBER, ACCOUNT);
    broken.insert("pvt_state".to_owned(), "nonsense".into());
    world.put(number_db(NUMBER), NUMBER, broken).await;
    world.put(account_db(ACCOUNT), NUMBER, document(NUMBER, ACCOUNT)).await;
    let before = world.everything().await;
    for path in ["/fix", "/fix/+14155550100"] {
        let answer = world.ask(HOLDER, Method::POST, &numbers(path), None).await;
        assert!(matches!(answer.status.as_u16(), 202 | 503), "{}", answer.text);
    }
    assert_eq!(world.everything().await, before);
    world.forget(NUMBER).await;
}

/// A hundred numbers of others, in two databases, cost nothing.
async fn only_the_accounts_own_numbers_are_read(world: &World) {
    for n in 0..50 {
        for area in ["+1415", "+1416"] {
            let number = format!("{area}56700{n:02}");
            world.put(number_db(&number), &number, document(&number, STRANGER)).await;
            world.put(account_db(STRANGER), &number, document(&number, STRANGER)).await;
        }
    }
    spoil(world).await;
    let store = Arc::new(FailingStore::pages(world.store.clone(), usize::MAX));
    let app = TestApp::over(store.clone(), UNLIMITED).await;
    let (read, asked) = (store.read(), store.asked());
    let ask = app.ask(Method::POST, &numbers("/fix")).token(&app.account(ACCOUNT));
    let listed = ask.send().await.data(200)["numbers"].as_object().unwrap().len();
    assert_eq!(listed, 3);
    // Its own copies and numbers, the list that is the answer, and the accounts around it.
    assert!(store.read() - read < 20, "{} documents were read", store.read() - read);
    assert!(store.asked() > asked, "the pages are counted");
}
