//! Many at once: no change is lost, and nothing is had by two.

use axum::http::Method;
use futures::future::join_all;
use serde_json::json;

use crate::support::{
    app::{ACCOUNT, STRANGER},
    home::{Home, on_both_stores},
};

on_both_stores! {
    changes_of_different_members_all_survive,
    a_free_number_is_taken_by_one,
    a_number_that_is_handed_back_and_forth_has_one_owner,
}

const NUMBER: &str = "+14155550100";

fn path(account: &str, rest: &str) -> String {
    format!("/v2/accounts/{account}/phone_numbers/{NUMBER}{rest}")
}

async fn changes_of_different_members_all_survive(home: &Home) {
    let admin = home.app.admin();
    home.app.ask(Method::PUT, &path(ACCOUNT, "")).token(&admin).send().await;
    let change = |i: usize| {
        let (member, admin) = (format!("m{i}"), admin.clone());
        async move {
            // A lost race is decided again a few times, then it is the client's turn.
            for _ in 0..20 {
                let ask = home.app.ask(Method::PATCH, &path(ACCOUNT, "")).token(&admin);
                match ask.data(&json!({ &member: i })).send().await.status.as_u16() {
                    200 => return,
                    409 => {}
                    other => panic!("{other}"),
                }
            }
            panic!("{member} never got through");
        }
    };
    join_all((0..16).map(change)).await;
    let stored = home.read("numbers/+1415", NUMBER).await.unwrap();
    for i in 0..16 {
        assert_eq!(stored[&format!("m{i}")], i);
    }
    home.check().await;
}

async fn a_free_number_is_taken_by_one(home: &Home) {
    home.put_number(NUMBER, &json!({"pvt_state": "available", "pvt_module_name": "knm_inventory"}))
        .await;
    let attempts = (0..16).map(|i| {
        let account = if i % 2 == 0 { ACCOUNT } else { STRANGER };
        let token = home.app.account(account);
        async move {
            let ask = home.app.ask(Method::PUT, &path(account, "/activate")).token(&token);
            (account, ask.send().await.status.as_u16())
        }
    });
    let taken = join_all(attempts).await;
    let owner = home.read("numbers/+1415", NUMBER).await.unwrap()["pvt_assigned_to"].clone();
    assert!(taken.iter().any(|(_, status)| *status == 201), "{taken:?}");
    for (account, status) in taken {
        match status {
            201 => assert_eq!(owner, account),
            403 => assert_ne!(owner, account),
            409 => {}
            other => panic!("{other}"),
        }
    }
    home.check().await;
}

async fn a_number_that_is_handed_back_and_forth_has_one_owner(home: &Home) {
    let admin = home.app.admin();
    home.app.ask(Method::PUT, &path(ACCOUNT, "")).token(&admin).send().await;
    let moves = (0..12).map(|i| {
        let account = if i % 2 == 0 { ACCOUNT } else { STRANGER };
        home.app.ask(Method::PUT, &path(account, "/activate")).token(&admin).send()
    });
    for answer in join_all(moves).await {
        assert!(matches!(answer.status.as_u16(), 201 | 202 | 409), "{}", answer.text);
    }
    // A write that was overtaken may leave a copy behind; the next one takes it away.
    for account in [ACCOUNT, STRANGER, ACCOUNT] {
        home.app.ask(Method::PUT, &path(account, "/activate")).token(&admin).send().await;
    }
    home.check().await;
}
