//! What carriers have in stock says what the numbers say, whoever wrote either of them.

use axum::http::Method;
use futures::future::join;
use number_manager::domain::gregorian_seconds;

use super::*;
use crate::support::{
    app::{ACCOUNT, PARENT, TestApp},
    invariants::wrong_stock,
};

over_both_stores! {
    stock_says_what_the_numbers_say,
    a_claim_counts_until_it_is_too_old,
    of_two_that_take_a_managed_number_one_gets_it,
}

/// Another account below the same parent.
const SIBLING: &str = "3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c";

fn managed() -> DbName {
    DbName::new("numbers/managed")
}

/// A document of stock for `d`, in this state and with this holder.
fn item(state: &str, holder: Option<char>) -> Body {
    let mut body: Body = serde_json::from_value(json!({
        "pvt_type": "number", "pvt_module_name": "knm_managed", "pvt_state": state,
        "pvt_account_id": account('d').as_str(), "note": "in stock",
    }))
    .unwrap();
    let text = |letter: char| Value::from(account(letter).as_str());
    body.extend(holder.map(|it| ("pvt_assigned_to".to_owned(), text(it))));
    body
}

/// What stock says of a number: its state and its holder.
async fn says(site: &Site, db: &DbName, id: &str) -> (Value, Option<Value>) {
    let body = site.store.get(db, id).await.unwrap().live().unwrap().body;
    assert_eq!(body["note"], "in stock");
    (body["pvt_state"].clone(), body.get("pvt_assigned_to").cloned())
}

/// A number of this carrier; nobody's when nobody is named.
fn number(carrier: &str, state: &str, owner: Option<char>, previous: Option<char>) -> Body {
    let mut body = document(owner.unwrap_or('a'), previous);
    if owner.is_none() {
        body.shift_remove("pvt_assigned_to");
    }
    body.insert("pvt_state".to_owned(), json!(state));
    body.insert("pvt_module_name".to_owned(), json!(carrier));
    body
}

async fn stock_says_what_the_numbers_say(site: &Site) {
    let inum = DbName::new("numbers/inum");
    let id = |place: usize| format!("+1415886790{place}");
    let held = |who: char| Some(json!(account(who).as_str()));
    let managed_by = |state, owner, previous| number("knm_managed", state, owner, previous);
    // The number, what stock says, and what it says in the end.
    let cases = [
        (managed_by("in_service", Some('a'), None), ("available", None), ("in_service", held('a'))),
        (
            managed_by("reserved", Some('b'), None),
            ("in_service", Some('a')),
            ("reserved", held('b')),
        ),
        (managed_by("aging", None, Some('a')), ("in_service", Some('a')), ("available", None)),
        (managed_by("available", None, None), ("discovery", None), ("available", None)),
        // What KAZOO leaves of a released one is as good.
        (managed_by("available", None, None), ("released", None), ("released", None)),
        // Another carrier's is not this stock's business.
        (
            number("knm_telnyx", "in_service", Some('a'), None),
            ("reserved", Some('b')),
            ("reserved", held('b')),
        ),
    ];
    for (place, (body, (state, holder), _)) in cases.iter().enumerate() {
        site.put(&managed(), &id(place), item(state, *holder)).await;
        site.put(&inum, &id(place), item("available", None)).await;
        site.put(&numbers_db(), &id(place), body.clone()).await;
    }
    // Deleted, and made for somebody and never taken.
    site.keep(&id(8), 'c').await;
    let left = Body::from_iter([("pvt_assigned_to".to_owned(), json!(account('c').as_str()))]);
    site.delete(&numbers_db(), &id(8), left).await;
    site.put(&managed(), &id(8), item("in_service", Some('c'))).await;
    site.put(&managed(), &id(9), item("available", None)).await;
    let untouched = site.store.get(&managed(), &id(9)).await.unwrap();

    let follower = site.follow();
    until("stock is right", async || wrong_stock(&*site.store).await.is_empty()).await;
    until("followed", async || site.is_followed(&managed()).await).await;
    for (place, (.., (state, holder))) in cases.iter().enumerate() {
        let wanted = (json!(state), holder.clone());
        assert_eq!(says(site, &managed(), &id(place)).await, wanted, "{place}");
        assert_eq!(says(site, &inum, &id(place)).await, (json!("available"), None), "{place}");
    }
    assert_eq!(says(site, &managed(), &id(8)).await, (json!("available"), None));
    assert_eq!(site.store.get(&managed(), &id(9)).await.unwrap(), untouched);
    site.healed("beside stock").await;

    // What changes on either side later.
    site.put(&numbers_db(), &id(0), managed_by("aging", None, Some('a'))).await;
    site.put(&managed(), &id(1), item("available", None)).await;
    until("returned", async || says(site, &managed(), &id(0)).await.1.is_none()).await;
    until("taken again", async || says(site, &managed(), &id(1)).await.1 == held('b')).await;
    until("settled", async || follower.says("retries") == 0).await;
    follower.stop().await;
}

async fn a_claim_counts_until_it_is_too_old(site: &Site) {
    let claimed_at = |seconds: i64| {
        let mut claim = item("in_service", Some('a'));
        claim.insert("pvt_modified".to_owned(), json!(seconds));
        claim
    };
    let now = gregorian_seconds(SystemClock.now());
    site.put(&managed(), NUMBER, claimed_at(now)).await;
    // Somebody else's claim of a number that its last owner gave back.
    site.put(&numbers_db(), OTHER, number("knm_managed", "aging", None, Some('b'))).await;
    let follower = site.follow();
    until("both are waited for", async || follower.says("retries") == 1).await;
    let before = site.store.get(&managed(), NUMBER).await.unwrap();
    until("passed", async || site.is_followed(&managed()).await).await;
    assert_eq!(site.store.get(&managed(), NUMBER).await.unwrap(), before, "a claim was undone");
    site.put(&managed(), NUMBER, claimed_at(now - 3600)).await;
    until("void", async || follower.says("retries") == 0).await;
    assert_eq!(says(site, &managed(), NUMBER).await, (json!("available"), None));
    follower.stop().await;
}

async fn of_two_that_take_a_managed_number_one_gets_it(site: &Site) {
    let settings = json!({"default": {"carrier_modules": ["knm_managed"]}});
    let settings = serde_json::from_value(settings).unwrap();
    site.put(&DbName::new("system_config"), "number_manager", settings).await;
    let apps = [site.app().await, site.app().await];
    let path = format!("/v2/accounts/{SIBLING}");
    let sibling = json!({"name": "Sibling", "parent_id": PARENT});
    let made = apps[0].ask(Method::PUT, &path).token(&apps[0].admin()).data(&sibling);
    made.send().await.check_status(201);
    let numbers: Vec<String> = (0..6).map(|place| format!("+1415886791{place}")).collect();
    for number in &numbers {
        let mut made = item("available", None);
        made.insert("pvt_account_id".to_owned(), json!(PARENT));
        site.put(&managed(), number, made).await;
    }
    // Its clock is years ahead, so that it takes each claim for one that nobody ended: who has a number
    // is what the number's own document says.
    let follower = Running::start(&site.store, FollowerConfig { pace_ms: 1, ..limits() });
    until("held", async || follower.is_here()).await;
    for (round, number) in numbers.iter().enumerate() {
        let how = ["activate", "reserve"][round % 2];
        for (app, account) in apps.iter().zip([ACCOUNT, SIBLING]) {
            let path = of(account, "?prefix=415&quantity=10");
            let found = app.get(&path).token(&app.account(account)).send().await.data(200);
            assert!(!found.as_array().unwrap().is_empty());
        }
        let rest = format!("/{number}/{how}");
        let take = |app, account| ask(app, Method::PUT, account, &rest);
        let (one, two) = join(take(&apps[0], ACCOUNT), take(&apps[1], SIBLING)).await;
        assert!(one == 201 || two == 201, "{one} {two}");
        assert!(matches!(one.max(two), 403 | 409), "{one} {two}");
        let (winner, loser) = if one == 201 { (ACCOUNT, SIBLING) } else { (SIBLING, ACCOUNT) };
        let stored = site.store.get(&numbers_db(), number).await.unwrap().live().unwrap();
        assert_eq!(stored.body["pvt_assigned_to"], winner, "{one} {two}");
        if round % 3 == 0 {
            // Given back, it is in its stock, and nobody's but those that it was made for.
            assert_eq!(ask(&apps[0], Method::DELETE, winner, &format!("/{number}")).await, 200);
            let loser = ask(&apps[1], Method::PUT, loser, &format!("/{number}/{how}")).await;
            assert!(matches!(loser, 400 | 403), "what is ageing is its last owner's: {loser}");
        }
    }
    until("stock is right", async || wrong_stock(&*site.store).await.is_empty()).await;
    site.healed("two that take").await;
    follower.stop().await;
}

fn of(account: &str, rest: &str) -> String {
    format!("/v2/accounts/{account}/phone_numbers{rest}")
}

async fn ask(app: &TestApp, method: Method, account: &str, rest: &str) -> u16 {
    let token = app.account(account);
    app.ask(method, &of(account, rest)).token(&token).send().await.status.as_u16()
}
