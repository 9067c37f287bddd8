//! Numbers are made, moved, released and deleted, and accounts go, while the follower runs.

use axum::http::Method;
use futures::future::join_all;

use super::*;
use crate::support::app::{ACCOUNT, STRANGER, TestApp};

/// How often each number is made and deleted.
const LIVES: usize = 6;
/// How many numbers the account has that goes.
const NUMBERS: usize = 40;

over_both_stores! {
    a_number_lives_many_lives,
    an_account_goes_with_its_numbers,
}

/// A request of an administrator about a number of an account.
async fn ask(app: &TestApp, method: Method, account: &str, rest: &str) {
    let path = format!("/v2/accounts/{account}/phone_numbers/{rest}");
    let asked = format!("{method} {path}");
    let mut ask = app.ask(method.clone(), &path).token(&app.admin());
    if method == Method::PUT && !rest.contains('/') {
        // One that is no local number, which would be deleted by its release.
        ask = ask.data(&json!({"carrier_name": "inventory"}));
    }
    let answer = ask.send().await;
    assert!(answer.status.is_success(), "{asked}: {}", answer.text);
}

/// The owner and the state of a number, when there is one.
async fn stored(site: &Site, number: &str) -> Option<(Option<String>, String)> {
    let body = site.store.get(&db_of(number), number).await.unwrap().live()?.body;
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    Some((text("pvt_assigned_to"), text("pvt_state").unwrap()))
}

async fn a_number_lives_many_lives(site: &Site) {
    let follower =
        Running::start(&site.store, FollowerConfig { pace_ms: 1, deadline_ms: 40, ..limits() });
    until("held", async || follower.is_here()).await;
    let (app, beside) = (site.app().await, site.app().await);
    let numbers: Vec<String> = (0..4).map(|place| format!("+1415886792{place}")).collect();
    let lives = numbers.iter().map(|number| live(site, [&app, &beside], number));
    join_all(lives).await;
    site.healed("many lives").await;
    // The last that was acknowledged is what is there.
    for number in &numbers {
        let wanted = Some((Some(STRANGER.to_owned()), "in_service".to_owned()));
        assert_eq!(stored(site, number).await, wanted, "{number}");
    }
    until("settled", async || follower.says("lag_ms") < 1_000).await;
    assert_eq!(follower.says("retries"), 0);
    follower.stop().await;
}

/// One client after the other, each at another process: what was acknowledged is what is stored.
async fn live(site: &Site, apps: [&TestApp; 2], number: &str) {
    let (owner, other) = (Some(ACCOUNT), Some(STRANGER));
    let steps = [
        (Method::PUT, ACCOUNT, "", Some((owner, "in_service"))),
        // From one to the other, and back.
        (Method::PUT, STRANGER, "/activate", Some((other, "in_service"))),
        (Method::PUT, ACCOUNT, "/activate", Some((owner, "in_service"))),
        (Method::DELETE, ACCOUNT, "", Some((None, "aging"))),
        (Method::PUT, ACCOUNT, "/activate", Some((owner, "in_service"))),
        (Method::DELETE, ACCOUNT, "?hard=true", None),
        (Method::PUT, STRANGER, "", Some((other, "in_service"))),
    ];
    for life in 0..LIVES {
        for (step, (method, account, how, wanted)) in steps.iter().enumerate() {
            ask(apps[step % 2], method.clone(), account, &format!("{number}{how}")).await;
            let found = stored(site, number).await;
            let found = found.as_ref().map(|(owner, state)| (owner.as_deref(), state.as_str()));
            assert_eq!(found, *wanted, "{number} after step {step}");
        }
        if life + 1 < LIVES {
            ask(apps[0], Method::DELETE, STRANGER, &format!("{number}?hard=true")).await;
        }
    }
}

async fn an_account_goes_with_its_numbers(site: &Site) {
    let app = site.app().await;
    let follower = Running::start(&site.store, FollowerConfig { pace_ms: 1, ..limits() });
    until("held", async || follower.is_here()).await;
    let numbers: Vec<String> = (0..NUMBERS).map(|place| format!("+141588680{place:02}")).collect();
    for number in &numbers {
        ask(&app, Method::PUT, STRANGER, number).await;
    }
    let db = DbName::new(format!("account/2b/2b/{}", &STRANGER[4..]));
    let copy = site.store.get(&db, STRANGER).await.unwrap().live().unwrap();
    let deletion = Write::delete(db.clone(), STRANGER, copy.rev, copy.body);
    site.store.commit(vec![deletion]).await.unwrap();
    // Whoever deletes an account drops its database; in a file that cannot be done from outside.
    if let Some(namespace) = &site.namespace {
        let url = namespace.database_url(&encoded(db.as_str()));
        assert!(reqwest::Client::new().delete(url).send().await.unwrap().status().is_success());
        site.put(&db_of(&numbers[0]), &numbers[0], owned_again(site, &numbers[0]).await).await;
        until("one is kept for later", async || follower.says("retries") > 0).await;
    }
    let path = "/v2/maintenance/release_account?wait=20";
    let data = json!({"scope": {"accounts": [STRANGER]}});
    let job = app.ask(Method::POST, path).token(&app.admin()).data(&data).send().await.data(200);
    assert_eq!(job["state"], "succeeded", "{job}");
    site.healed("an account that is gone").await;
    until("settled", async || follower.says("retries") == 0).await;
    for number in &numbers {
        assert_eq!(stored(site, number).await, Some((None, "aging".to_owned())), "{number}");
    }
    if site.namespace.is_some() {
        let found = site.store.databases(db.as_str()).await.unwrap();
        assert_eq!(found, [], "the account's database came back");
    }
    follower.stop().await;
}

/// The document of a number with another note.
async fn owned_again(site: &Site, number: &str) -> Body {
    let mut body = site.store.get(&db_of(number), number).await.unwrap().live().unwrap().body;
    body.insert("note".to_owned(), json!("written while its owner went"));
    body
}
