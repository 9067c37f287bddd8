//! Who may hear of what.

use number_manager::auth::Claims;

use super::*;

over_both_stores! {
    an_account_hears_of_what_it_and_those_below_it_hold_or_held,
    a_token_needs_the_right,
}

async fn an_account_hears_of_what_it_and_those_below_it_hold_or_held(world: &World) {
    let follower = keeper(world);
    ask(world, Method::PUT, &format!("/{NUMBER}"), json!({})).await;
    let (changes, cursor) = told(world, HOLDER, "0", |_| true).await;
    assert_eq!(changes[0]["assigned_to"], ACCOUNT);
    assert_eq!(all(world, Who::Account(PARENT), "0", 100).await.0, changes);
    assert_eq!(all(world, Who::Account(STRANGER), "0", 100).await.0, [json!(null); 0]);

    world.app.clock().advance(jiff::SignedDuration::from_secs(60));
    // To somebody who has nothing to do with them.
    let path = format!("/v2/accounts/{STRANGER}/phone_numbers/{NUMBER}/activate");
    let moved = world.ask(Who::Admin, Method::PUT, &path, Some(&json!({}))).await;
    assert!(moved.status.is_success(), "{}", moved.text);
    let (all_of_it, _) = told(world, Who::Admin, &cursor, |_| true).await;
    assert_eq!(all_of_it[0]["assigned_to"], STRANGER);
    for who in [HOLDER, Who::Account(PARENT)] {
        let (changes, _) = told(world, who, &cursor, |_| true).await;
        let change = &changes[0];
        assert_eq!((&change["number"], &change["kind"]), (&json!(NUMBER), &json!("updated")));
        assert_eq!(change["previously_assigned_to"], ACCOUNT);
        for hidden in ["assigned_to", "state", "revision", "digest"] {
            assert!(change[hidden].is_null(), "{hidden}: {change}");
        }
    }
    let (changes, _) = told(world, Who::Account(STRANGER), &cursor, |_| true).await;
    assert_eq!(changes[0]["assigned_to"], STRANGER);
    assert!(changes[0]["previously_assigned_to"].is_null(), "{changes:?}");
    follower.stop().await;
}

async fn a_token_needs_the_right(world: &World) {
    let ask = async |claims: Claims, status: u16| {
        let token = world.app.token(claims);
        let answer = world.app.get("/v2/changes").token(&token).send().await;
        answer.check_status(status);
    };
    let account = || Claims { account_id: Some(ACCOUNT.to_owned()), ..Claims::default() };
    let scope = |scope: &str| Some(json!(scope));
    ask(account(), 200).await;
    ask(Claims { scope: scope("changes"), ..account() }, 200).await;
    ask(Claims { scope: scope("read write"), ..account() }, 403).await;
    ask(Claims { admin: true, scope: scope("read"), ..Claims::default() }, 403).await;
    ask(Claims { admin: true, scope: scope("read,changes"), ..Claims::default() }, 200).await;
    world.ask(Who::Nobody, Method::GET, "/v2/changes", None).await.check_status(401);
    // It is for nothing else.
    let token = world.app.token(Claims { scope: scope("changes"), ..account() });
    world.app.get(&numbers("")).token(&token).send().await.check_status(403);
}
