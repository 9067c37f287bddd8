//! `POST` and `PATCH …/phone_numbers/{N}`: replacing and merging what is written on a number.

use axum::http::Method;
use number_manager::store::{Expect, Write};
use serde_json::{Value, json};

use super::world::{
    HOLDER, MADE, NOW, NUMBER, Who, World, account_db, number_db, number_error, numbers,
    over_both_stores,
};
use crate::support::app::{ACCOUNT, PARENT, STRANGER};

over_both_stores! {
    a_replacement_drops_what_it_does_not_say,
    a_merge_is_deep_and_null_deletes,
    what_other_programs_wrote_stays,
    what_others_write_meanwhile_is_read_afresh,
    neither_state_nor_owner_changes,
    those_above_may_write,
    numbers_of_others_are_refused,
    free_numbers_are_the_operators,
    numbers_that_are_not_there,
    carriers_are_for_administrators,
    members_with_odd_names_are_kept,
}

const UNAUTHORIZED: &str = "requestor is unauthorized to perform operation";

fn held(account: &str, more: &Value) -> Value {
    let mut members = json!({"pvt_state": "in_service", "pvt_assigned_to": account});
    members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    members
}

async fn check_refused(
    world: &World,
    who: Who,
    data: &Value,
    (status, message): (u16, &str),
    wanted: &Value,
) {
    for method in [Method::POST, Method::PATCH] {
        let path = numbers(&format!("/{NUMBER}"));
        let asked = (who, method, path.as_str(), Some(data));
        world.check_refused(asked, status, message, wanted).await;
    }
}

async fn a_replacement_drops_what_it_does_not_say(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, &json!({"a": 1, "c": {"d": 1}}))).await;
    let data = world.about(HOLDER, Method::POST, "", Some(&json!({"b": 2}))).await.data(200);
    assert_eq!((data.get("a"), data.get("c"), &data["b"]), (None, None, &json!(2)));
    let document = world.document(NUMBER).await.unwrap().body;
    assert_eq!((document.get("a"), document.get("c"), &document["b"]), (None, None, &json!(2)));
    assert_eq!(document["pvt_created"], MADE);
    assert_eq!(document["pvt_modified"], NOW);
    assert_eq!(world.copy(ACCOUNT, NUMBER).await.unwrap().body, document);
    let data = world.about(HOLDER, Method::POST, "", None).await.data(200);
    assert_eq!(data.get("b"), None);
}

async fn a_merge_is_deep_and_null_deletes(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, &json!({"a": 1, "c": {"d": 1, "e": 2}}))).await;
    let part = json!({"b": [1], "c": {"d": null, "f": 3}, "z": null});
    let data = world.about(HOLDER, Method::PATCH, "", Some(&part)).await.data(200);
    let seen = (&data["a"], &data["b"], &data["c"], data.get("z"));
    assert_eq!(seen, (&json!(1), &json!([1]), &json!({"e": 2, "f": 3}), None));
    assert_eq!(world.copy(ACCOUNT, NUMBER).await.unwrap().body["c"], json!({"e": 2, "f": 3}));
    let before = world.everything().await;
    world.about(HOLDER, Method::PATCH, "", None).await.check_status(200);
    assert_eq!(world.everything().await, before, "nothing asked for, nothing written");
}

async fn what_other_programs_wrote_stays(world: &World) {
    let theirs = json!({
        "pvt_locality": "San Francisco", "pvt_carrier_data": {"order": "7"},
        "pvt_ported_in": true, "pvt_unknown": [1, 1.5], "pvt_reserve_history": [ACCOUNT],
    });
    world.keep(NUMBER, held(ACCOUNT, &theirs)).await;
    world.about(HOLDER, Method::POST, "", Some(&json!({"b": 2}))).await.check_status(200);
    let document = world.document(NUMBER).await.unwrap().body;
    for (key, value) in theirs.as_object().unwrap() {
        assert_eq!(&document[key], value);
    }
}

/// This process has seen the number before; that is not what it changes.
async fn what_others_write_meanwhile_is_read_afresh(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, &json!({"a": 1}))).await;
    for turn in 1..5 {
        world.about(HOLDER, Method::GET, "", None).await.check_status(200);
        for db in [number_db(NUMBER), account_db(ACCOUNT)] {
            let found = world.store.get(&db, NUMBER).await.unwrap().live().unwrap();
            let mut body = found.body;
            body.insert("pvt_used_by".to_owned(), format!("app {turn}").into());
            let write = Write::put(db, NUMBER, Expect::At(found.rev), body);
            world.store.commit(vec![write]).await.unwrap();
        }
        let data = json!({ "a": turn + 1 });
        let data = if turn % 2 == 0 {
            world.about(HOLDER, Method::PATCH, "", Some(&data)).await.data(200)
        } else {
            let data = json!({ "a": turn + 1, "numbers": [NUMBER] });
            let path = numbers("/collection");
            let answer = world.ask(HOLDER, Method::PATCH, &path, Some(&data)).await.data(200);
            answer["success"][NUMBER].clone()
        };
        assert_eq!(
            (&data["a"], &data["used_by"]),
            (&json!(turn + 1), &json!(format!("app {turn}")))
        );
        assert_eq!(
            world.document(NUMBER).await.unwrap().body["pvt_used_by"],
            format!("app {turn}")
        );
    }
}

async fn neither_state_nor_owner_changes(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, &json!({"pvt_used_by": "callflow"}))).await;
    let echoed = json!({
        "id": "+14155550199", "state": "aging", "used_by": "x", "features": ["port"],
        "_read_only": {"created": 1}, "pvt_assigned_to": STRANGER, "pvt_state": "available",
        "assigned_to": STRANGER, "create_with_state": "reserved", "a": 1,
    });
    for method in [Method::POST, Method::PATCH] {
        let data = world.about(HOLDER, method, "", Some(&echoed)).await.data(200);
        assert_eq!((&data["id"], &data["state"]), (&json!(NUMBER), &json!("in_service")));
        assert_eq!(data["used_by"], "callflow");
        assert_eq!(world.owner(NUMBER).await.as_deref(), Some(ACCOUNT));
    }
}

async fn those_above_may_write(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, &json!({}))).await;
    for (who, value) in [(Who::Account(PARENT), 1), (Who::Admin, 2)] {
        let data = json!({ "a": value });
        let answer = world.about(who, Method::PATCH, "", Some(&data)).await;
        assert_eq!(answer.data(200)["a"], value);
    }
}

async fn numbers_of_others_are_refused(world: &World) {
    world.keep(NUMBER, held(STRANGER, &json!({}))).await;
    let wanted = number_error(403, "forbidden", None, UNAUTHORIZED);
    check_refused(world, HOLDER, &json!({"a": 1}), (403, "forbidden"), &wanted).await;
}

async fn free_numbers_are_the_operators(world: &World) {
    let wanted = number_error(403, "forbidden", None, UNAUTHORIZED);
    for state in ["available", "aging", "released"] {
        world.clear().await;
        world.keep(NUMBER, json!({ "pvt_state": state })).await;
        check_refused(world, HOLDER, &json!({"a": 1}), (403, "forbidden"), &wanted).await;
        let answer = world.about(Who::Admin, Method::POST, "", Some(&json!({"a": 1}))).await;
        assert_eq!(answer.data(200)["a"], 1);
    }
}

async fn numbers_that_are_not_there(world: &World) {
    let wanted = json!({
        "message": "bad identifier", "not_found": "The number could not be found", "cause": NUMBER,
    });
    for who in [HOLDER, Who::Admin] {
        check_refused(world, who, &json!({}), (404, "bad_identifier"), &wanted).await;
    }
}

async fn carriers_are_for_administrators(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, &json!({}))).await;
    let wanted = number_error(403, "forbidden", None, UNAUTHORIZED);
    let data = json!({"carrier_name": "local"});
    check_refused(world, HOLDER, &data, (403, "forbidden"), &wanted).await;
    let answer = world.about(Who::Admin, Method::PATCH, "", Some(&data)).await;
    assert_eq!(answer.data(200)["features"], json!(["local"]));
    assert_eq!(world.copy(ACCOUNT, NUMBER).await.unwrap().body["pvt_module_name"], "knm_local");
}

async fn members_with_odd_names_are_kept(world: &World) {
    world.keep(NUMBER, held(ACCOUNT, &json!({}))).await;
    let odd = json!({
        "": 1, "a.b": 2, "ключ": "значение", "nul\u{0}": "a\u{0}b", "$ref": "#", "__proto__": {},
        "big": 9_007_199_254_740_991_i64, "fraction": 0.1, "deep": {"a": {"b": [{"c": null}]}},
    });
    let answer = world.about(HOLDER, Method::POST, "", Some(&odd)).await;
    answer.check_status(200);
    let data = world.about(HOLDER, Method::GET, "", None).await.data(200);
    for (key, value) in odd.as_object().unwrap() {
        let seen = (!key.starts_with('_')).then_some(value);
        assert_eq!(data.get(key), seen, "{key:?}");
    }
}
