//! Looking for numbers to buy.

use axum::http::Method;
use number_manager::store::{Body, DbName, Expect, Write};
use serde_json::{Value, json};

use super::{
    offers::put_in_stock,
    world::{HOLDER, UNLIMITED, Who, World, account_db, numbers, over_both_stores, path_of},
};
use crate::support::{
    app::{ACCOUNT, Answer, PARENT, STRANGER, TestApp},
    carriers::{Mood, ScriptedCarrier, registry},
};

over_both_stores! {
    free_numbers_are_found_by_prefix_and_in_order,
    only_what_can_be_had_is_found,
    reserved_numbers_come_before_the_same_from_elsewhere,
    pages_go_on_in_what_was_found,
    many_numbers_are_read_in_pages,
    stock_is_found_by_those_that_it_was_made_for,
    a_reseller_says_which_carriers_are_searched,
    one_bad_carrier_takes_nothing_from_the_others,
    outside_numbers_that_are_somebodys_are_left_out,
    without_a_token_only_open_resellers_are_searched,
    what_is_wrong_with_a_search_is_said_at_once,
    a_search_writes_no_numbers,
}

/// What was found, as `+1…:state`.
fn found(answer: &Answer) -> Vec<String> {
    let data = answer.data(200);
    let row = |row: &Value| {
        assert_eq!(row.as_object().unwrap().len(), 2, "{row}");
        format!("{}:{}", row["number"].as_str().unwrap(), row["state"].as_str().unwrap())
    };
    data.as_array().unwrap().iter().map(row).collect()
}

async fn search(world: &World, query: &str) -> Vec<String> {
    found(&world.ask(HOLDER, Method::GET, &numbers(&format!("?{query}")), None).await)
}

async fn ask(app: &TestApp, account: &str, query: &str) -> Vec<String> {
    let path = path_of(account, &format!("?{query}"));
    found(&app.get(&path).token(&app.account(account)).send().await)
}

async fn keep_free(world: &World, numbers: &[&str]) {
    for number in numbers {
        let free = json!({"pvt_state": "available", "pvt_module_name": "knm_local"});
        world.keep(number, free).await;
    }
}

async fn free_numbers_are_found_by_prefix_and_in_order(world: &World) {
    let all = ["+14155550152", "+14155550150", "+14155550151", "+14156660000", "+14165550150"];
    keep_free(world, &all).await;
    let wanted = ["+14155550150:available", "+14155550151:available", "+14155550152:available"];
    assert_eq!(search(world, "prefix=415555&quantity=10").await, wanted);
    assert_eq!(search(world, "prefix=4%2015555&quantity=2").await, wanted[..2]);
    assert_eq!(search(world, "prefix=415&quantity=10").await.len(), 4, "bounded at both ends");
    assert_eq!(search(world, "prefix=415&country=US").await.len(), 1, "one when not said");
    assert_eq!(search(world, "prefix=415&country=GB&quantity=10").await.len(), 0);
    assert_eq!(search(world, "prefix=111111").await.len(), 0);
    let unscoped = world.ask(HOLDER, Method::GET, "/v2/phone_numbers?prefix=415", None).await;
    assert_eq!(found(&unscoped), wanted[..1]);
    let operator = world.ask(Who::Admin, Method::GET, "/v2/phone_numbers?prefix=415", None).await;
    assert_eq!(found(&operator), wanted[..1]);
}

async fn only_what_can_be_had_is_found(world: &World) {
    let state = |state: &str| json!({"pvt_state": state, "pvt_module_name": "knm_local"});
    world.keep("+14155550100", state("aging")).await;
    let mut held = state("in_service");
    held["pvt_assigned_to"] = json!(STRANGER);
    world.keep("+14155550101", held).await;
    let mut held = state("available");
    held["pvt_assigned_to"] = json!(STRANGER);
    world.keep("+14155550102", held).await;
    world.keep("+14155550103", json!({"pvt_state": "available"})).await;
    assert_eq!(search(world, "prefix=415&quantity=10").await.len(), 0);
    world
        .keep("+14155550104", json!({"pvt_state": "available", "pvt_module_name": "wnm_local"}))
        .await;
    let wanted = ["+14155550104:available"];
    assert_eq!(search(world, "prefix=415&quantity=10").await, wanted);
    let app = world.configured(json!({"carrier_modules": ["knm_inventory"]})).await;
    let wanted = ["+14155550103:available", "+14155550104:available"];
    assert_eq!(ask(&app, ACCOUNT, "prefix=415&quantity=10").await, wanted);
}

async fn reserved_numbers_come_before_the_same_from_elsewhere(world: &World) {
    let reserved = |by: &str| json!({"pvt_state": "reserved", "pvt_assigned_to": by});
    world.keep("+14155550101", reserved(ACCOUNT)).await;
    world.keep("+14155550102", reserved(PARENT)).await;
    world.keep("+14155550103", reserved(STRANGER)).await;
    keep_free(world, &["+14155550100"]).await;
    // A copy where none should be does not make the number anybody else's.
    let stray = world.document("+14155550103").await.unwrap().body;
    world.put(account_db(ACCOUNT), "+14155550103", stray).await;
    let wanted = ["+14155550100:available", "+14155550101:reserved", "+14155550102:reserved"];
    assert_eq!(search(world, "prefix=415&quantity=10").await, wanted);
    let copy = world.copy(ACCOUNT, "+14155550103").await.unwrap();
    let delete = Write::delete(account_db(ACCOUNT), copy.id, copy.rev, Body::new());
    world.store.commit(vec![delete]).await.unwrap();
}

async fn pages_go_on_in_what_was_found(world: &World) {
    keep_free(world, &["+14155550150", "+14155550151", "+14155550152"]).await;
    let page =
        async |offset: u32| search(world, &format!("prefix=415&quantity=2&offset={offset}")).await;
    assert_eq!(page(0).await, ["+14155550150:available", "+14155550151:available"]);
    keep_free(world, &["+14155550100"]).await;
    assert_eq!(page(2).await, ["+14155550152:available"], "what was found stays in its place");
    assert_eq!(page(4).await.len(), 0);
    assert_eq!(page(0).await, ["+14155550100:available", "+14155550150:available"]);
    let other = TestApp::over(world.store.clone(), UNLIMITED).await;
    let wanted = ["+14155550151:available", "+14155550152:available"];
    assert_eq!(ask(&other, ACCOUNT, "prefix=415&quantity=2&offset=2").await, wanted);
}

async fn many_numbers_are_read_in_pages(world: &World) {
    let writes = (0..1201).map(|n| {
        let state = if n < 1190 { "in_service" } else { "available" };
        let body = json!({
            "pvt_type": "number", "pvt_module_name": "knm_local", "pvt_state": state,
            "pvt_write_id": format!("w{n}"),
        });
        let Value::Object(mut body) = body else { unreachable!() };
        if state == "in_service" {
            body.insert("pvt_assigned_to".to_owned(), STRANGER.into());
        }
        (format!("+1415555{n:04}"), body)
    });
    let db = DbName::new("numbers/+1415");
    world.store.create_database(&db).await.unwrap();
    let mut sets = Vec::new();
    for (id, body) in writes {
        let expect = Expect::Absent;
        let mut set = vec![Write::put(db.clone(), &id, expect.clone(), body.clone())];
        if body.contains_key("pvt_assigned_to") {
            set.push(Write::put(account_db(STRANGER), &id, expect, body));
        }
        sets.push(set);
    }
    for outcome in world.store.commit_many(sets).await {
        outcome.unwrap();
    }
    let app = world.configured(json!({"maximum_search_quantity": 7})).await;
    let all = ask(&app, ACCOUNT, "prefix=415&quantity=100").await;
    assert_eq!((all.len(), all[0].as_str()), (7, "+14155551190:available"));
}

async fn stock_is_found_by_those_that_it_was_made_for(world: &World) {
    let app = world.configured(json!({"carrier_modules": ["knm_managed", "knm_inum"]})).await;
    for (kind, account, start) in [
        ("managed", ACCOUNT, "+14155550100"),
        ("managed", PARENT, "+14155550200"),
        ("managed", STRANGER, "+14155550300"),
        ("inum", PARENT, "+14155550400"),
    ] {
        put_in_stock(world, kind, account, start).await;
        put_in_stock(world, kind, account, &format!("{}1", &start[..start.len() - 1])).await;
    }
    let query = "prefix=415555&quantity=10";
    let own = ["+14155550100:discovery", "+14155550101:discovery"];
    let of_reseller = ["+14155550400:available", "+14155550401:available"];
    assert_eq!(ask(&app, ACCOUNT, query).await, [own, of_reseller].concat());
    assert_eq!(ask(&app, ACCOUNT, "prefix=4155550101&quantity=9").await, own[1..]);
    let of_parent = ["+14155550200:discovery", "+14155550201:discovery"];
    assert_eq!(ask(&app, PARENT, query).await, [of_parent, of_reseller].concat());
    // With nothing of its own left, an account has its reseller's.
    for number in ["+14155550100", "+14155550101"] {
        let path = numbers(&format!("/{number}/activate"));
        app.ask(Method::PUT, &path).token(&app.account(ACCOUNT)).send().await.check_status(201);
    }
    assert_eq!(ask(&app, ACCOUNT, query).await, [of_parent, of_reseller].concat());
    assert_eq!(ask(&app, STRANGER, query).await.len(), 2);
}

async fn a_reseller_says_which_carriers_are_searched(world: &World) {
    world.keep("+14155550103", json!({"pvt_state": "available"})).await;
    assert_eq!(search(world, "prefix=415").await.len(), 0);
    let Value::Object(body) = json!({"carrier_modules": ["knm_inventory", "knm_telnyx"]}) else {
        unreachable!()
    };
    world.put(account_db(PARENT), "configs_number_manager", body).await;
    assert_eq!(search(world, "prefix=415").await, ["+14155550103:available"]);
    let info = async |account: &str| {
        let path = path_of(account, "/carriers_info");
        world.ask(Who::Admin, Method::GET, &path, None).await.data(200)
    };
    assert_eq!(info(ACCOUNT).await["maximal_prefix_length"], 3);
    assert_eq!(info(STRANGER).await["maximal_prefix_length"], 10);
    let path = path_of(STRANGER, &format!("/carriers_info?reseller_id={PARENT}"));
    let answer = world.ask(Who::Admin, Method::GET, &path, None).await;
    assert_eq!(answer.data(200)["maximal_prefix_length"], 3);
    let path = path_of(STRANGER, "/carriers_info?reseller_id=x");
    let answer = world.ask(Who::Account(STRANGER), Method::GET, &path, None).await;
    answer.check_error(404, "nonexistent reseller_id", &json!({}));
}

async fn one_bad_carrier_takes_nothing_from_the_others(world: &World) {
    keep_free(world, &["+14155550150"]).await;
    let names = ["knm_telnyx", "knm_vitelity", "knm_voxbone", "knm_simwood", "knm_level3"];
    world.configured(json!({"carrier_modules": names, "number_search_timeout_ms": 50})).await;
    let good = ScriptedCarrier::new(Mood::Willing, &["+14155550151", "+14165550000"]);
    let [failing, slow, broken] = [Mood::Failing, Mood::Slow, Mood::Broken]
        .map(|mood| ScriptedCarrier::new(mood, &["+14155550152"]));
    let carriers = registry(&[
        ("knm_telnyx", &failing),
        ("knm_vitelity", &slow),
        ("knm_voxbone", &broken),
        ("knm_simwood", &good),
    ]);
    let app = TestApp::selling(world.store.clone(), UNLIMITED, carriers).await;
    let wanted = ["+14155550150:available", "+14155550151:discovery"];
    assert_eq!(ask(&app, ACCOUNT, "prefix=415&quantity=10").await, wanted);
    let data = json!({"numbers": ["+14155550151", "4155550199", "x"]});
    let path = numbers("/check");
    let answer = app.ask(Method::POST, &path).token(&app.account(ACCOUNT)).data(&data).send().await;
    let wanted = json!({"+14155550151": "success", "+14155550199": "taken", "x": "error"});
    assert_eq!(answer.data(200), wanted);
}

async fn outside_numbers_that_are_somebodys_are_left_out(world: &World) {
    world
        .keep("+14155550151", json!({"pvt_state": "in_service", "pvt_assigned_to": STRANGER}))
        .await;
    world.keep("+14155550152", json!({"pvt_state": "available"})).await;
    world.keep("+14155550153", json!({"pvt_state": "aging"})).await;
    world.configured(json!({"carrier_modules": ["knm_telnyx"]})).await;
    let numbers = ["+14155550151", "+14155550152", "+14155550153", "+14155550154", "+14155550154"];
    let good = ScriptedCarrier::new(Mood::Willing, &numbers);
    let carriers = registry(&[("knm_telnyx", &good)]);
    let app = TestApp::selling(world.store.clone(), UNLIMITED, carriers).await;
    let wanted = ["+14155550152:available", "+14155550154:discovery"];
    assert_eq!(ask(&app, ACCOUNT, "prefix=415&quantity=10").await, wanted);
}

async fn without_a_token_only_open_resellers_are_searched(world: &World) {
    keep_free(world, &["+14155550150"]).await;
    let get = async |app: &TestApp, query: &str| {
        app.get(&format!("/v2/phone_numbers?prefix=415{query}")).send().await
    };
    let wrong = json!({"message": "invalid credentials"});
    get(&world.app, "").await.check_error(401, "invalid_credentials", &wrong);
    let of = |account: &str| format!("&reseller_id={account}");
    let closed = get(&world.app, &of(PARENT)).await;
    closed.check_error(404, "number search restricted", &json!({}));
    for unknown in ["x", "00000000000000000000000000000000", "..%2F"] {
        let answer = get(&world.app, &of(unknown)).await;
        answer.check_error(404, "nonexistent reseller_id", &json!({}));
    }
    let Value::Object(body) = json!({"unauthorized_numbers_lookup": true}) else { unreachable!() };
    world.put(account_db(PARENT), "configs_number_manager", body).await;
    assert_eq!(found(&get(&world.app, &of(PARENT)).await), ["+14155550150:available"]);
    let open = world.configured(json!({"unauthorized_numbers_lookup": true})).await;
    let answer = get(&open, &of(ACCOUNT)).await;
    answer.check_error(404, "number search restricted", &json!({}));
    get(&open, "").await.check_status(401);
    // A token that is not good is none.
    let path = format!("/v2/phone_numbers?prefix=415{}", of(PARENT));
    open.get(&path).token("x").send().await.check_status(401);
    // The scoped form is never open.
    open.get(&numbers(&format!("?prefix=415{}", of(PARENT)))).send().await.check_status(401);
}

async fn what_is_wrong_with_a_search_is_said_at_once(world: &World) {
    let path = numbers("?prefix=41555501001&country=USA&quantity=0");
    let answer = world.ask(HOLDER, Method::GET, &path, None).await;
    answer.check_error(
        400,
        "validation error",
        &json!({
            "quantity": {"minimum": {"message": "Value must be at least 1", "target": 1, "value": 0}},
            "country": {"maxLength": {
                "message": "String must not be more than 2 characters", "target": 2, "value": "USA",
            }},
            "prefix": {"maxLength": {
                "message": "String must not be more than 10 characters",
                "target": 10, "value": "41555501001",
            }},
        }),
    );
    let answer = world.ask(HOLDER, Method::GET, "/v2/phone_numbers", None).await;
    let missing = json!({"prefix": {"required": {"message": "Field is required but missing"}}});
    answer.check_error(400, "validation error", &missing);
}

async fn a_search_writes_no_numbers(world: &World) {
    keep_free(world, &["+14155550150"]).await;
    let before = world.everything().await;
    search(world, "prefix=415").await;
    assert_eq!(world.everything().await, before);
    assert_eq!(world.store.databases("number_manager_offers-").await.unwrap(), []);
}
