//! Keys of tokens that change, and tokens that are denied, while processes run.

use axum::http::Method;
use jiff::SignedDuration;
use number_manager::{
    auth::Claims,
    store::{DbName, IdRange, Order, Query, Question},
};
use serde_json::{Value, json};

use super::world::{Who, World, over_both_stores};
use crate::support::app::{ACCOUNT, Answer, REVOKED_DAYS, TestApp};

over_both_stores! {
    tokens_of_the_old_key_stay_good_until_it_is_retired,
    a_key_of_the_settings_is_not_changed_here,
    a_token_is_denied_everywhere,
    what_has_ended_is_forgotten,
    only_administrators_change_keys_and_deny_tokens,
}

const SECONDS: fn(i64) -> SignedDuration = SignedDuration::from_secs;
const DAY: i64 = 86_400;

async fn ask(app: &TestApp, token: &str, path: &str, data: &Value) -> Answer {
    app.ask(Method::POST, path).token(token).data(data).send().await
}

async fn rotate(app: &TestApp, data: &Value) -> Answer {
    ask(app, &app.admin(), "/v2/tokens/rotate", data).await
}

async fn revoke(app: &TestApp, data: &Value) -> Answer {
    ask(app, &app.admin(), "/v2/tokens/revoke", data).await
}

async fn status(app: &TestApp, token: &str) -> u16 {
    let path = format!("/v2/accounts/{ACCOUNT}/phone_numbers");
    app.get(&path).token(token).send().await.status.as_u16()
}

fn named(app: &TestApp, jti: &str) -> String {
    let (account_id, jti) = (Some(ACCOUNT.to_owned()), Some(jti.to_owned()));
    app.token(Claims { account_id, jti, ..Claims::default() })
}

/// The names and the secrets of the keys, as they are stored.
async fn keys(world: &World) -> Vec<(String, String)> {
    let db = DbName::new("number_manager");
    let found = world.store.get(&db, "token_keys").await.unwrap().live().unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let keys = found.body["keys"].as_array().unwrap();
    keys.iter().map(|key| (text(&key["id"]), text(&key["secret"]))).collect()
}

async fn names(world: &World) -> Vec<String> {
    keys(world).await.into_iter().map(|(name, _)| name).collect()
}

async fn tokens_of_the_old_key_stay_good_until_it_is_retired(world: &World) {
    let one = TestApp::keyed(world.store.clone()).await;
    let other = TestApp::keyed(world.store.clone()).await;
    let first = names(world).await;
    assert_eq!(first.len(), 1, "both made one key together");
    let old = one.account(ACCOUNT);
    assert_eq!((status(&one, &old).await, status(&other, &old).await), (200, 200));

    let answer = rotate(&one, &json!({})).await;
    let stored = names(world).await;
    assert_eq!((stored.len(), &stored[1]), (2, &first[0]));
    assert_eq!(answer.data(200), json!({"signs": stored[0], "believed": stored}));
    for (_, secret) in keys(world).await {
        assert!(!answer.text.contains(&secret));
    }
    let new = one.account(ACCOUNT);
    assert_ne!(new, old);
    for app in [&one, &other] {
        assert_eq!((status(app, &old).await, status(app, &new).await), (200, 200));
    }

    let retired = rotate(&other, &json!({"retire": first[0]})).await.data(200);
    let left = names(world).await;
    assert_eq!((&retired["believed"], left.len(), &left[1]), (&json!(left), 2, &stored[0]));
    let newest = other.account(ACCOUNT);
    assert_eq!(status(&other, &old).await, 401);
    one.clock().advance(SECONDS(5));
    assert_eq!(status(&one, &old).await, 401);
    for app in [&one, &other, &TestApp::keyed(world.store.clone()).await] {
        assert_eq!((status(app, &new).await, status(app, &newest).await), (200, 200));
    }
    assert_eq!(status(&TestApp::keyed(world.store.clone()).await, &old).await, 401);

    let answer = rotate(&other, &json!({"retire": first[0]})).await;
    let what = json!({"message": format!("there is no key {}", first[0]), "value": first[0]});
    answer.check_error(400, "validation error", &json!({"retire": {"invalid": what}}));
    rotate(&other, &json!({"retire": 7})).await.check_status(400);
    assert_eq!(names(world).await, left);
}

async fn a_key_of_the_settings_is_not_changed_here(world: &World) {
    let message = "the key that signs tokens is in the settings; it is changed there";
    let answer = rotate(&world.app, &json!({})).await;
    answer.check_error(409, "key_is_configured", &json!({ "message": message }));
}

async fn a_token_is_denied_everywhere(world: &World) {
    let one = TestApp::keyed(world.store.clone()).await;
    let other = TestApp::keyed(world.store.clone()).await;
    let denied = named(&one, "a token's\nname");
    let good = [named(&one, "another"), one.account(ACCOUNT)];
    for app in [&one, &other] {
        assert_eq!(status(app, &denied).await, 200);
    }
    let exp = one.clock_seconds() + 3600;
    let answer = revoke(&one, &json!({"jti": "a token's\nname", "exp": exp})).await;
    assert_eq!(answer.data(200), json!({"jti": "a token's\nname", "until": exp}));
    assert_eq!(status(&one, &denied).await, 401, "here at once");
    other.clock().advance(SECONDS(5));
    assert_eq!(status(&other, &denied).await, 401);
    assert_eq!(status(&other, &denied).await, 401, "and it stays so");
    let restarted = TestApp::keyed(world.store.clone()).await;
    for app in [&one, &other, &restarted] {
        assert_eq!(status(app, &denied).await, 401);
        for token in &good {
            assert_eq!(status(app, token).await, 200);
        }
    }
    for (data, rule) in
        [(json!({}), "required"), (json!({"jti": ""}), "minLength"), (json!({"jti": 7}), "type")]
    {
        let error = revoke(&one, &data).await;
        error.check_status(400);
        assert!(error.json()["data"]["jti"][rule].is_object(), "{data}: {}", error.text);
    }
    revoke(&one, &json!({"jti": "x", "exp": "soon"})).await.check_status(400);
}

/// Until when tokens are denied.
async fn denials(world: &World) -> Vec<i64> {
    let query = Query {
        question: Question::All,
        range: IdRange::starting_with("revoked_token:"),
        order: Order::Ascending,
        after: None,
        limit: 100,
    };
    let page = world.store.query(&DbName::new("number_manager"), &query).await.unwrap();
    let mut until: Vec<i64> =
        page.documents.iter().map(|it| it.body["until"].as_i64().unwrap()).collect();
    until.sort_unstable();
    until
}

async fn what_has_ended_is_forgotten(world: &World) {
    let app = TestApp::keyed(world.store.clone()).await;
    let now = app.clock_seconds();
    let longest = now + i64::from(REVOKED_DAYS) * DAY;
    revoke(&app, &json!({"jti": "a", "exp": now + 60})).await.check_status(200);
    let answer = revoke(&app, &json!({"jti": "b"})).await.data(200);
    assert_eq!(answer["until"], longest);
    assert_eq!(denials(world).await, [now + 60, longest]);
    // It is not denied for less because somebody says so.
    let answer = revoke(&app, &json!({"jti": "b", "exp": now + 60})).await.data(200);
    assert_eq!(answer["until"], longest);
    app.clock().advance(SECONDS(61));
    revoke(&app, &json!({"jti": "c", "exp": now + 90})).await.check_status(200);
    assert_eq!(denials(world).await, [now + 90, longest]);
    // What was forgotten can be denied again.
    revoke(&app, &json!({"jti": "a", "exp": now + 95})).await.check_status(200);
    assert_eq!(denials(world).await, [now + 90, now + 95, longest]);
}

async fn only_administrators_change_keys_and_deny_tokens(world: &World) {
    let app = TestApp::keyed(world.store.clone()).await;
    let before = names(world).await;
    let scope = Some(json!("read write"));
    let narrow = app.token(Claims { admin: true, scope, ..Claims::default() });
    for path in ["/v2/tokens/rotate", "/v2/tokens/revoke"] {
        let data = json!({"jti": "a"});
        for token in [&app.account(ACCOUNT), &narrow] {
            ask(&app, token, path, &data).await.check_status(403);
        }
        world.ask(Who::Nobody, Method::POST, path, Some(&data)).await.check_status(401);
    }
    assert_eq!((names(world).await, denials(world).await), (before, Vec::new()));
}
