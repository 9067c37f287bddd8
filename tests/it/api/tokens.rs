//! Who is let in: tokens of others, forged ones, and accounts that are not in use.

use axum::http::Method;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey};
use number_manager::{auth::Claims, store::Write};
use serde_json::{Value, json};

use super::world::{
    HOLDER, NUMBER, UNLIMITED, Who, World, account_db, numbers, over_both_stores, path_of,
};
use crate::support::app::{ACCOUNT, Answer, PARENT, SECRET, STRANGER, TestApp};

over_both_stores! {
    a_token_speaks_for_its_account_and_those_below,
    a_disabled_account_is_locked,
    a_deleted_account_has_no_tokens,
    scopes_narrow_a_token,
    forged_tokens_open_nothing,
    the_key_decides_the_algorithm,
    two_tokens_are_none,
    a_token_is_taken_from_where_clients_put_it,
}

fn invalid() -> Value {
    json!({"message": "invalid credentials"})
}

async fn read(world: &World, token: &str) -> Answer {
    world.app.get(&numbers(&format!("/{NUMBER}"))).token(token).send().await
}

async fn keep(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": ACCOUNT})).await;
}

/// Every write of one number.
fn writes() -> [(Method, &'static str); 6] {
    [
        (Method::PUT, ""),
        (Method::POST, ""),
        (Method::PATCH, ""),
        (Method::DELETE, ""),
        (Method::PUT, "/activate"),
        (Method::PUT, "/reserve"),
    ]
}

async fn a_token_speaks_for_its_account_and_those_below(world: &World) {
    keep(world).await;
    let forbidden = json!({"message": "forbidden"});
    let path = numbers(&format!("/{NUMBER}"));
    for (method, rest) in writes().into_iter().chain([(Method::GET, "")]) {
        let path = format!("{path}{rest}");
        let asked = (Who::Account(STRANGER), method, path.as_str(), None);
        world.check_refused(asked, 403, "forbidden", &forbidden).await;
    }
    for rest in ["", "/classifiers", "/classifiers/4155550100", "/carriers_info"] {
        let path = numbers(rest);
        let asked = (Who::Account(STRANGER), Method::GET, path.as_str(), None);
        world.check_refused(asked, 403, "forbidden", &forbidden).await;
        let path = path_of(PARENT, rest);
        let asked = (HOLDER, Method::GET, path.as_str(), None);
        world.check_refused(asked, 403, "forbidden", &forbidden).await;
        world.ask(Who::Account(PARENT), Method::GET, &numbers(rest), None).await.check_status(200);
    }
}

async fn a_disabled_account_is_locked(world: &World) {
    const DISABLED: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";
    let data = json!({"name": "Closed", "enabled": false});
    let path = format!("/v2/accounts/{DISABLED}");
    world.ask(Who::Admin, Method::PUT, &path, Some(&data)).await.check_status(201);
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": DISABLED})).await;
    let why = json!({"account": {"disabled": {"message": "account disabled", "cause": DISABLED}}});
    for (method, rest) in writes().into_iter().chain([(Method::GET, "")]) {
        let path = path_of(DISABLED, &format!("/{NUMBER}{rest}"));
        let asked = (Who::Account(DISABLED), method, path.as_str(), None);
        world.check_refused(asked, 423, "locked", &why).await;
    }
    // Administrators may still act for it.
    let path = path_of(DISABLED, &format!("/{NUMBER}"));
    world.ask(Who::Admin, Method::GET, &path, None).await.check_status(200);
}

async fn a_deleted_account_has_no_tokens(world: &World) {
    const GONE: &str = "4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d";
    let path = format!("/v2/accounts/{GONE}");
    let data = json!({"name": "Gone", "parent_id": PARENT});
    world.ask(Who::Admin, Method::PUT, &path, Some(&data)).await.check_status(201);
    let stored = world.store.get(&account_db(GONE), GONE).await.unwrap().live().unwrap();
    let delete = Write::delete(account_db(GONE), GONE, stored.rev, stored.body);
    world.store.commit(vec![delete]).await.unwrap();
    // Another process, which does not remember the account.
    let app = TestApp::over(world.store.clone(), UNLIMITED).await;
    let token = app.account(GONE);
    let answer = app.get(&path).token(&token).send().await;
    answer.check_error(404, "bad_identifier", &json!({"message": "bad identifier", "cause": GONE}));
    let answer = app.get(&numbers("")).token(&token).send().await;
    answer.check_error(401, "invalid credentials", &json!({}));
    // An account that never was is no different.
    let token = app.account(&"e".repeat(32));
    let answer = app.get(&numbers("")).token(&token).send().await;
    answer.check_error(401, "invalid credentials", &json!({}));
}

async fn scopes_narrow_a_token(world: &World) {
    keep(world).await;
    let token = |scope: Value| {
        let account_id = Some(ACCOUNT.to_owned());
        world.app.token(Claims { account_id, scope: Some(scope), ..Claims::default() })
    };
    let before = world.everything().await;
    read(world, &token(json!("read"))).await.check_status(200);
    read(world, &token(json!("write"))).await.check_status(403);
    for scope in [json!("read"), json!(""), json!(7), json!({"write": true}), json!("writes")] {
        for (method, rest) in writes() {
            let ask = world.app.ask(method, &numbers(&format!("/{NUMBER}{rest}")));
            let answer = ask.token(&token(scope.clone())).send().await;
            answer.check_error(403, "forbidden", &json!({"message": "forbidden"}));
        }
    }
    assert_eq!(world.everything().await, before);
    let ask = world.app.ask(Method::PATCH, &numbers(&format!("/{NUMBER}")));
    ask.token(&token(json!(["write"]))).send().await.check_status(200);
}

/// A token of these parts, unsigned.
fn unsigned(header: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.", part(header), part(claims))
}

async fn forged_tokens_open_nothing(world: &World) {
    keep(world).await;
    let before = world.everything().await;
    let good = world.app.admin();
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts.as_slice() else { panic!("{good}") };
    let claims_of = json!({"admin": true, "exp": 9_999_999_999_i64});
    let kid = "configured";
    let swapped = |header: &Value| format!("{}{signature}", unsigned(header, &claims_of));
    let forged = [
        unsigned(&json!({"alg": "none", "typ": "JWT"}), &claims_of),
        unsigned(&json!({"alg": "none", "kid": kid}), &claims_of),
        unsigned(&json!({"alg": "None", "kid": kid}), &claims_of),
        unsigned(&json!({"alg": "HS256", "kid": kid}), &claims_of),
        swapped(&json!({"alg": "HS256", "kid": kid})),
        swapped(&json!({"alg": "RS256", "kid": kid})),
        swapped(&json!({"alg": "HS512", "kid": kid})),
        swapped(&json!({"alg": "HS256"})),
        swapped(&json!({"alg": "HS256", "kid": "another"})),
        swapped(&json!({"alg": "HS256", "kid": "../../../etc/passwd"})),
        format!("{header}.{claims}."),
        format!("{header}.{claims}"),
        format!("{good}.{signature}"),
        format!("{good}x"),
        format!("{header}..{signature}"),
        "..".to_owned(),
        "x".repeat(20_000),
        "{}.{}.{}".to_owned(),
    ];
    for token in &forged {
        for path in [numbers(&format!("/{NUMBER}")), "/v2/maintenance".to_owned()] {
            let answer = world.app.get(&path).token(token).send().await;
            let json = answer.json();
            assert_eq!(answer.status.as_u16(), 401, "{token}: {json}");
            assert_eq!(json.get("auth_token"), None);
        }
        let ask = world.app.ask(Method::DELETE, &numbers(&format!("/{NUMBER}")));
        ask.token(token).send().await.check_status(401);
    }
    assert_eq!(world.everything().await, before);
    let ended = Claims { admin: true, nbf: Some(9_999_999_999), ..Claims::default() };
    let answer = read(world, &world.app.token(ended)).await;
    answer.check_error(401, "invalid credentials", &json!({}));
    let nobody = world.app.token(Claims::default());
    read(world, &nobody).await.check_error(401, "invalid credentials", &json!({}));
    let odd = Claims { account_id: Some("../x".to_owned()), ..Claims::default() };
    let answer = read(world, &world.app.token(odd)).await;
    answer.check_error(401, "invalid credentials", &json!({}));
}

/// The operator's claims under a header of the caller's, signed with our own secret.
fn signed(header: &Value, algorithm: Algorithm) -> String {
    let claims = json!({"admin": true, "exp": 9_999_999_999_i64});
    let unsigned = unsigned(header, &claims);
    let message = unsigned.trim_end_matches('.');
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, algorithm).unwrap();
    format!("{message}.{signature}")
}

async fn the_key_decides_the_algorithm(world: &World) {
    keep(world).await;
    let ours = json!({"alg": "HS256", "kid": "configured"});
    read(world, &signed(&ours, Algorithm::HS256)).await.check_status(200);
    for (header, algorithm) in [
        (json!({"alg": "RS256", "kid": "configured"}), Algorithm::HS256),
        (json!({"alg": "EdDSA", "kid": "configured"}), Algorithm::HS256),
        (json!({"alg": "HS384", "kid": "configured"}), Algorithm::HS384),
        (json!({"alg": "HS512", "kid": "configured"}), Algorithm::HS512),
        (json!({"alg": "HS256", "kid": "another"}), Algorithm::HS256),
        (json!({"alg": "HS256"}), Algorithm::HS256),
    ] {
        let answer = read(world, &signed(&header, algorithm)).await;
        answer.check_error(401, "invalid credentials", &json!({}));
    }
}

async fn two_tokens_are_none(world: &World) {
    keep(world).await;
    let (one, other) = (world.app.account(ACCOUNT), world.app.admin());
    let ask = || world.app.get(&numbers(&format!("/{NUMBER}")));
    for (first, second) in [(&one, &other), (&other, &one), (&one, &"junk".to_owned())] {
        let answer = ask().token(first).token(second).send().await;
        answer.check_error(401, "invalid_credentials", &invalid());
    }
    ask().token(&one).token(&one).send().await.check_status(200);
    let answer = ask().header("Authorization", "Bearer a").header("Authorization", "Bearer b");
    answer.send().await.check_error(401, "invalid_credentials", &invalid());
    ask().token("").send().await.check_error(401, "invalid_credentials", &invalid());
}

async fn a_token_is_taken_from_where_clients_put_it(world: &World) {
    keep(world).await;
    let token = world.app.account(ACCOUNT);
    let path = numbers(&format!("/{NUMBER}"));
    let bearer = world.app.get(&path).header("Authorization", &format!("bearer {token}"));
    bearer.send().await.check_status(200);
    for body in [
        json!({"data": {"my": 1}, "auth_token": token}),
        json!({"data": {"my": 2, "auth_token": token}}),
    ] {
        let answer = world.app.ask(Method::PATCH, &path).body(body.to_string()).send().await;
        answer.check_status(200);
        assert_eq!(world.document(NUMBER).await.unwrap().body.get("auth_token"), None);
    }
    let answer = world.app.get(&format!("{path}?auth_token={token}")).send().await;
    answer.check_error(401, "invalid_credentials", &invalid());
}
