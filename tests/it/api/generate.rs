//! Making numbers for the stock of managed and inum.

use axum::http::Method;
use number_manager::store::{Body, DbName};
use serde_json::{Value, json};

use super::world::{HOLDER, Who, World, over_both_stores};
use crate::support::{
    app::{ACCOUNT, Answer},
    invariants::numbers_in,
};

over_both_stores! {
    numbers_are_made_from_the_first_one_on,
    what_is_there_stays_as_it_is,
    what_cannot_be_made_is_refused,
    the_old_command_does_the_same,
    nothing_is_made_in_a_rehearsal,
}

const PATH: &str = "/v2/maintenance/generate_numbers?wait=20";

async fn generate(world: &World, data: &Value) -> Answer {
    world.ask(Who::Admin, Method::POST, PATH, Some(data)).await
}

fn wanted(start: &str, quantity: i64) -> Value {
    json!({"type": "managed", "account": ACCOUNT, "start": start, "quantity": quantity})
}

async fn stock(world: &World, kind: &str) -> Vec<String> {
    let documents = numbers_in(&*world.store, &DbName::new(format!("numbers/{kind}"))).await;
    documents.into_iter().map(|document| document.id).collect()
}

async fn numbers_are_made_from_the_first_one_on(world: &World) {
    // As the manual has it: a number of ten digits is one of the United States.
    let job = generate(world, &wanted("2223334000", 5)).await.data(200);
    assert_eq!(
        (&job["state"], &job["operation"]),
        (&json!("succeeded"), &json!("generate_numbers"))
    );
    assert_eq!(job["counts"]["changed"], 5);
    assert_eq!(job["per_database"]["numbers%2Fmanaged"]["changed"], 5);
    let ids: Vec<String> = (4000..4005).map(|n| format!("+1222333{n}")).collect();
    assert_eq!(stock(world, "managed").await, ids);
    let db = DbName::new("numbers/managed");
    let mut body = world.store.get(&db, "+12223334000").await.unwrap().live().unwrap().body;
    body.shift_remove("pvt_write_id").unwrap();
    let now = super::world::NOW;
    let members = json!({
        "pvt_type": "number", "pvt_module_name": "knm_managed", "pvt_state": "available",
        "pvt_account_id": ACCOUNT, "pvt_created": now, "pvt_modified": now,
    });
    assert_eq!(Value::Object(body), members);
    generate(world, &wanted("12223335000", 0)).await.check_status(200);
    let inum = json!({"type": "knm_inum", "account": ACCOUNT, "start": "883510001231234", "quantity": "1"});
    generate(world, &inum).await.check_status(200);
    assert_eq!(stock(world, "inum").await, ["+883510001231234"]);
    // They are no numbers yet.
    assert_eq!(world.document("+12223334000").await, None);
}

async fn what_is_there_stays_as_it_is(world: &World) {
    let mut body = Body::new();
    body.insert("pvt_state".to_owned(), "in_service".into());
    world.put(DbName::new("numbers/managed"), "+12223334001", body).await;
    let job = generate(world, &wanted("2223334000", 3)).await.data(200);
    let counts = json!({"read": 3, "changed": 2, "unchanged": 0, "skipped": 1, "failed": 0});
    assert_eq!((&job["state"], &job["counts"]), (&json!("succeeded"), &counts));
    let existing = json!({"number_exists": {"count": 1, "ids": ["+12223334001"]}});
    assert_eq!((&job["findings"], &job["failures"]), (&existing, &json!([])));
    assert_eq!(stock(world, "managed").await.len(), 3);
    let job = generate(world, &wanted("2223334000", 3)).await.data(200);
    assert_eq!((&job["counts"]["changed"], &job["counts"]["skipped"]), (&json!(0), &json!(3)));
    let db = DbName::new("numbers/managed");
    let body = world.store.get(&db, "+12223334001").await.unwrap().live().unwrap().body;
    assert_eq!(Value::Object(body), json!({"pvt_state": "in_service"}));
}

async fn what_cannot_be_made_is_refused(world: &World) {
    world.ask(HOLDER, Method::POST, PATH, Some(&wanted("2223334000", 1))).await.check_status(403);
    let with = |key: &str, value: Value| {
        let mut data = wanted("2223334000", 1);
        data[key] = value;
        data
    };
    for (data, status, message) in [
        (with("type", json!("local")), 400, "invalid"),
        (with("type", json!("nothing")), 400, "invalid"),
        (with("type", json!(null)), 400, "validation error"),
        (with("account", json!("x")), 400, "invalid"),
        (with("account", json!("3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c3c")), 404, "bad_identifier"),
        (with("start", json!("911")), 400, "not_reconcilable"),
        // Of iNum's own there are no others, and no more.
        (with("type", json!("inum")), 400, "invalid"),
        (
            json!({"type": "inum", "account": ACCOUNT, "start": "883510099999999", "quantity": 2}),
            400,
            "invalid",
        ),
        (with("start", json!("../x")), 400, "not_reconcilable"),
        (with("start", json!(2_223_334_000_i64)), 400, "validation error"),
        (with("quantity", json!(-1)), 400, "invalid"),
        (with("quantity", json!(10_001)), 400, "invalid"),
        (with("quantity", json!("x")), 400, "validation error"),
        (with("quantity", json!(null)), 400, "validation error"),
        (with("start", json!("+999999999999999")), 200, ""),
        (
            json!({"type": "managed", "account": ACCOUNT, "start": "+999999999999999", "quantity": 2}),
            400,
            "invalid",
        ),
    ] {
        let answer = generate(world, &data).await;
        assert_eq!(answer.status.as_u16(), status, "{data} {}", answer.text);
        assert_eq!(answer.json()["message"].as_str().unwrap_or_default(), message, "{data}");
    }
    assert_eq!(stock(world, "managed").await, ["+999999999999999"]);
}

async fn the_old_command_does_the_same(world: &World) {
    let data = json!({"command": "kazoo_numbers_maintenance generate_numbers", "args": ["managed", ACCOUNT, 2_223_334_000_i64, 2]});
    let ask = world.app.ask(Method::POST, "/v2/maintenance/sup").token(&world.app.admin());
    let answer = ask.header("Accept", "text/plain").data(&data).send().await;
    answer.check_status(200);
    assert_eq!(
        answer.text,
        "generated numbers in database numbers%2Fmanaged for 2:\n+12223334000\n+12223334001\n\
         numbers existed already for 0:\ngenerating numbers failed for 0:\n"
    );
    assert_eq!(stock(world, "managed").await.len(), 2);
}

async fn nothing_is_made_in_a_rehearsal(world: &World) {
    let mut data = wanted("2223334000", 2);
    data["dry_run"] = json!(true);
    let job = generate(world, &data).await.data(200);
    assert_eq!((&job["counts"]["changed"], &job["options"]["dry_run"]), (&json!(2), &json!(true)));
    assert_eq!(world.store.databases("numbers/").await.unwrap(), []);
}
