//! The last owner of a number stays on it: it says where a copy may be that an interrupted write left.
//! So its database is looked into beside each write, and one that cannot be read holds up those only
//! after which nothing would say any more where to look.

use std::sync::Arc;

use axum::http::Method;
use serde_json::{Value, json};

use super::world::{NUMBER, UNLIMITED, World, account_db, numbers, over_both_stores, path_of};
use crate::support::{
    app::{ACCOUNT, Answer, PARENT, STRANGER, TestApp},
    blind::{BlindStore, Faults},
};

over_both_stores! {
    a_database_that_cannot_be_read_holds_up_no_save,
    nobody_forgets_where_a_copy_may_be,
}

/// A number whose last owner holds a copy of it still.
async fn keep(world: &World) {
    world.keep(NUMBER, members()).await;
    let copy = world.document(NUMBER).await.unwrap().body;
    world.put(account_db(STRANGER), NUMBER, copy).await;
}

fn members() -> Value {
    json!({
        "pvt_state": "in_service", "pvt_assigned_to": ACCOUNT,
        "pvt_previously_assigned_to": STRANGER,
    })
}

/// The service over a store that cannot read the last owner's database.
async fn blinded(world: &World, may_pass: bool) -> TestApp {
    let store = Arc::new(BlindStore::new(world.store.clone()));
    let app = TestApp::over(store.clone(), UNLIMITED).await;
    let unreadable = ["get", "get_many"].map(|call| (call, account_db(STRANGER))).to_vec();
    store.fail(Faults { unreadable, may_pass, ..Faults::default() });
    app
}

async fn ask(app: &TestApp, method: Method, path: &str, data: &Value) -> Answer {
    app.ask(method, &numbers(path)).token(&app.admin()).data(data).send().await
}

async fn a_database_that_cannot_be_read_holds_up_no_save(world: &World) {
    let alone = format!("/{NUMBER}");
    for may_pass in [true, false] {
        for (path, data) in [
            (alone.as_str(), json!({"note": "new"})),
            ("/collection", json!({"note": "new", "numbers": [NUMBER]})),
        ] {
            world.clear().await;
            keep(world).await;
            let app = blinded(world, may_pass).await;
            ask(&app, Method::PATCH, path, &data).await.check_status(200);
            let number = world.document(NUMBER).await.unwrap().body;
            assert_eq!(number["note"], "new", "{path}");
            assert_eq!(number["pvt_previously_assigned_to"], STRANGER, "{path}");
            assert_eq!(world.copy(ACCOUNT, NUMBER).await.unwrap().body, number, "{path}");
            assert!(world.copy(STRANGER, NUMBER).await.is_some(), "{path}: nobody saw it");
            // Whoever writes it once that database is back removes what is left there.
            let data = json!({"note": "newer"});
            ask(&world.app, Method::PATCH, &alone, &data).await.check_status(200);
            assert_eq!(world.copy(STRANGER, NUMBER).await, None, "{path}");
            world.check_invariants().await;
        }
    }
}

async fn nobody_forgets_where_a_copy_may_be(world: &World) {
    let alone = format!("/{NUMBER}");
    keep(world).await;
    let before = world.everything().await;
    let app = blinded(world, true).await;
    for (method, rest) in
        [(Method::DELETE, ""), (Method::DELETE, "?hard=true"), (Method::PUT, "/activate")]
    {
        // Each puts another name in the place of the last owner's, or leaves none.
        let account = if method == Method::PUT { PARENT } else { ACCOUNT };
        let path = path_of(account, &format!("{alone}{rest}"));
        let asked = app.ask(method, &path).token(&app.admin()).send().await;
        asked.check_status(503);
        assert_eq!(world.everything().await, before, "{path}");
    }
    ask(&world.app, Method::DELETE, &alone, &json!({})).await.check_status(200);
    assert_eq!(world.copy(STRANGER, NUMBER).await, None);
}
