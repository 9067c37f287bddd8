//! `GET …/{number}/identify`.

use axum::http::Method;
use number_manager::store::{Expect, Write};
use serde_json::{Value, json};

use super::world::{HOLDER, NUMBER, Who, World, account_db, over_both_stores, path_of};
use crate::support::app::{ACCOUNT, Answer, PARENT, STRANGER};

over_both_stores! {
    whoever_may_see_a_number_learns_whose_it_is,
    what_is_not_in_use_is_refused_with_the_reason,
    an_account_that_is_not_in_use_has_no_number_in_use,
    what_is_not_ones_own_to_know_is_not_found,
    a_port_request_says_whose_a_number_is,
}

async fn identify(world: &World, who: Who, number: &str) -> Answer {
    let account = if let Who::Account(account) = who { account } else { ACCOUNT };
    world.ask(who, Method::GET, &path_of(account, &format!("/{number}/identify")), None).await
}

fn held(state: &str) -> Value {
    json!({"pvt_state": state, "pvt_assigned_to": ACCOUNT})
}

async fn whoever_may_see_a_number_learns_whose_it_is(world: &World) {
    for (last, state) in ["in_service", "reserved", "port_in", "port_out"].iter().enumerate() {
        let number = format!("+1415555010{last}");
        world.keep(&number, held(state)).await;
        for who in [HOLDER, Who::Account(PARENT), Who::Admin] {
            let data = identify(world, who, &number).await.data(200);
            assert_eq!(data, json!({"account_id": ACCOUNT, "number": number}), "{who:?}");
        }
    }
    let data = identify(world, HOLDER, "4155550100").await.data(200);
    assert_eq!(data["number"], "+14155550100");
}

async fn what_is_not_in_use_is_refused_with_the_reason(world: &World) {
    // KAZOO leaves owners on what is ageing or available.
    for (number, state) in [("+14155550100", "aging"), ("+14155550101", "available")] {
        world.keep(number, held(state)).await;
        let data = json!({"cause": "not_in_service", "account_id": ACCOUNT, "number": number});
        identify(world, Who::Admin, number).await.check_error(400, "client error", &data);
    }
    world.keep("+14155550102", json!({"pvt_state": "available"})).await;
    let unassigned = identify(world, HOLDER, "+14155550102").await;
    unassigned.check_error(400, "client error", &json!("unassigned"));
    for number in ["+14155550100", "+14155550101"] {
        world.forget(number).await;
    }
}

async fn an_account_that_is_not_in_use_has_no_number_in_use(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": STRANGER})).await;
    // Before anybody has read the account.
    let mut account = world.copy(STRANGER, STRANGER).await.unwrap();
    account.body.insert("pvt_enabled".to_owned(), json!(false));
    let write = Write::put(account_db(STRANGER), STRANGER, Expect::At(account.rev), account.body);
    world.store.commit(vec![write]).await.unwrap();
    let data = json!({"cause": "account_disabled", "account_id": STRANGER, "number": NUMBER});
    identify(world, Who::Admin, NUMBER).await.check_error(400, "client error", &data);
}

async fn what_is_not_ones_own_to_know_is_not_found(world: &World) {
    world.keep(NUMBER, json!({"pvt_state": "in_service", "pvt_assigned_to": PARENT})).await;
    for (who, number) in [
        (HOLDER, NUMBER),
        (Who::Account(STRANGER), NUMBER),
        (HOLDER, "+14155550199"),
        (HOLDER, "nonsense"),
    ] {
        let data = json!({
            "message": "bad identifier", "not_found": "The number could not be found",
            "cause": number,
        });
        identify(world, who, number).await.check_error(404, "bad_identifier", &data);
    }
    identify(world, Who::Nobody, NUMBER).await.check_status(401);
    let path = path_of(PARENT, &format!("/{NUMBER}/identify"));
    world.ask(HOLDER, Method::GET, &path, None).await.check_status(403);
}

async fn a_port_request_says_whose_a_number_is(world: &World) {
    world.request_port(ACCOUNT, NUMBER, "submitted").await;
    world.request_port(ACCOUNT, "+14155550101", "unconfirmed").await;
    let app = world.beside().await;
    let ask = async |account: &str, number: &str| {
        let path = path_of(account, &format!("/{number}/identify"));
        app.get(&path).token(&app.account(account)).send().await
    };
    let data = json!({"account_id": ACCOUNT, "number": NUMBER});
    assert_eq!(ask(ACCOUNT, NUMBER).await.data(200), data);
    assert_eq!(ask(PARENT, NUMBER).await.data(200), data);
    ask(STRANGER, NUMBER).await.check_status(404);
    ask(ACCOUNT, "+14155550101").await.check_status(404);
    let settings = json!({"fetch_account_from_ports": false});
    let app = world.configured(settings).await;
    let path = path_of(ACCOUNT, &format!("/{NUMBER}/identify"));
    app.get(&path).token(&app.account(ACCOUNT)).send().await.check_status(404);
}
