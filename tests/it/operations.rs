//! KAZOO's answers about whole operations: what is stored, who asks for what, and what comes of it.
//!
//! Each vector is asked over HTTP, number by number, and what is compared is the stored document.
//! What KAZOO answered and ours does not is in [`DIFFERENT`], by its place among the vectors of its
//! area.

use std::sync::Arc;

use axum::http::Method;
use number_manager::{
    api::LimitConfig,
    store::{Body, DbName, Expect, SharedStore, Write, sqlite::SqliteStore},
};
use serde_json::{Map, Value, json};

use crate::support::{
    app::{Answer, TestApp},
    people::inward,
    vectors::{Vector, vectors},
};

/// The areas of this module.
pub(crate) const AREAS: &[&str] = &[
    "assign_to_app",
    "create",
    "create/existing_state",
    "delete",
    "doc/public",
    "get",
    "move",
    "release",
    "reserve",
    "update",
    "update/used_by",
];

/// The account above all others.
const MASTER: &str = "account0000000000000000000000001";
/// What an operation of KAZOO's says of itself, and no document does.
const NOT_STORED: &[&str] = &["billable", "created_is_integer"];

/// Vectors that are answered differently: the area, the place in it, and why.
const DIFFERENT: &[(&str, usize, &str)] = &[
    ("create", 1, "a carrier that nobody knows is refused"),
    ("create", 4, "one number is not rehearsed over HTTP; maintenance is"),
    ("create", 6, "the providers that are vendors are not here yet"),
    ("get", 8, "an account that there is not has no token"),
    ("move", 6, OTHERS),
    ("move", 7, OTHERS),
    ("move", 13, OTHERS),
    ("reserve", 0, IN_THE_PATH),
    ("reserve", 2, IN_THE_PATH),
];
const OTHERS: &str = "whoever takes a free number acts for itself or a descendant";
const IN_THE_PATH: &str = "the path says for whom a number is reserved";

#[tokio::test(flavor = "multi_thread")]
async fn operations_do_what_kazoos_do() {
    let mut wrong = Vec::new();
    for area in AREAS {
        for (place, vector) in vectors(area).into_iter().enumerate() {
            let reason = DIFFERENT.iter().find(|(a, p, _)| a == area && *p == place);
            let expect = inward(&vector.expect);
            let found = replay(&vector).await;
            match (agrees(&expect, &found), reason) {
                (true, None) | (false, Some(_)) => (),
                (false, None) => wrong.push(format!("{area} {place}: {expect} but {found}")),
                (true, Some((_, _, why))) => wrong.push(format!("{area} {place} agrees: {why}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_difference_names_a_vector() {
    for (area, place, why) in DIFFERENT {
        assert!(AREAS.contains(area) && *place < vectors(area).len(), "{area} {place} ({why})");
    }
}

/// Whether everything that is expected was found; more may have been.
fn agrees(expect: &Value, found: &Value) -> bool {
    match (expect, found) {
        (Value::Object(expect), Value::Object(found)) => expect
            .iter()
            .filter(|(name, _)| !NOT_STORED.contains(&name.as_str()))
            .all(|(name, value)| found.get(name).is_some_and(|found| agrees(value, found))),
        // KAZOO's bare words are our error objects.
        (Value::String(word), Value::Object(error)) => error["error"] == word.as_str(),
        (Value::Array(names), Value::Object(succeeded)) => {
            names.iter().all(|name| succeeded.contains_key(name.as_str().unwrap()))
                && names.len() == succeeded.len()
        }
        (expect, found) => expect == found,
    }
}

async fn replay(vector: &Vector) -> Value {
    let given = complete(inward(&vector.given));
    let stage = Stage::set(&given).await;
    let numbers = texts(&given["numbers"]);
    let (mut succeeded, mut failed) = (Map::new(), Map::new());
    for number in numbers {
        match stage.ask(&given, &number).await {
            Ok(facts) => drop(succeeded.insert(number, facts)),
            Err((id, error)) => drop(failed.insert(id, error)),
        }
    }
    let first = succeeded.values().next().cloned();
    let mut found = json!({ "succeeded": succeeded, "failed": failed });
    match (first, found["failed"].as_object().unwrap().values().next().cloned()) {
        (Some(facts), None) => {
            // What some areas expect is the answer or what is stored, by itself.
            let found = found.as_object_mut().unwrap();
            found.extend(facts["shown"].as_object().unwrap().clone());
            found.insert("dirty".to_owned(), facts["dirty"].clone());
            found.insert("used_by".to_owned(), facts["used_by"].clone());
            found.insert("ok".to_owned(), facts);
            found.insert("allowed".to_owned(), true.into());
        }
        (_, Some(error)) => found["error"] = error,
        (None, None) => (),
    }
    found
}

/// What is given, with the words that the areas leave out.
fn complete(mut given: Value) -> Value {
    if let Some(state) = given.get("existing_state").cloned() {
        let is_free = ["available", "aging", "released"].iter().any(|free| state == *free);
        given["docs"] = json!([{
            "_id": given["number"], "pvt_state": state, "pvt_module_name": "knm_inventory",
            "pvt_assigned_to": if is_free { Value::Null } else { MASTER.into() },
        }]);
        given["op"] = "create".into();
    }
    if let Some(document) = given.get("doc").cloned() {
        given["docs"] = json!([document]);
        given["op"] = "get".into();
    }
    if let Some(app) = given.get("set_used_by").cloned() {
        given["docs"][0]["pvt_used_by"] = given["used_by_before"].clone();
        given["op"] = "assign_to_app".into();
        given["app"] = app;
    }
    if given.get("numbers").is_none() {
        given["numbers"] = json!([given["docs"][0]["_id"]]);
    }
    given
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// A store as a vector gives it, and the service over it.
struct Stage {
    store: SharedStore,
    app: TestApp,
}

impl Stage {
    async fn set(given: &Value) -> Self {
        let store: SharedStore = Arc::new(SqliteStore::in_memory().unwrap());
        let app = TestApp::over(store.clone(), LimitConfig { burst: 0, per_second: 0 }).await;
        let stage = Self { store, app };
        stage
            .put(
                "system_config",
                "number_manager",
                json!({"default": {"released_state": "available"}}),
            )
            .await;
        for account in vectors("fixture/account") {
            let mut account = inward(&account.expect);
            let id = account["id"].as_str().unwrap().to_owned();
            account["pvt_type"] = "account".into();
            if let Some(members) = given["account_overrides"][&id].as_object() {
                account.as_object_mut().unwrap().extend(members.clone());
            }
            stage.put(&account_db(&id), &id, account.clone()).await;
            stage.put("accounts", &id, account).await;
        }
        let documents = given["docs"].as_array().cloned().unwrap_or_default();
        for mut document in documents {
            let id = document["_id"].as_str().unwrap().to_owned();
            let members = document.as_object_mut().unwrap();
            members.shift_remove("_id");
            members.retain(|_, value| !value.is_null());
            members.insert("pvt_type".to_owned(), "number".into());
            for time in ["pvt_created", "pvt_modified"] {
                members.entry(time).or_insert_with(|| 63_600_000_000_i64.into());
            }
            if let Some(owner) = document["pvt_assigned_to"].as_str().map(str::to_owned) {
                stage.put(&account_db(&owner), &id, document.clone()).await;
            }
            stage.put(&format!("numbers/{}", &id[..5]), &id, document).await;
        }
        stage
    }

    async fn put(&self, db: &str, id: &str, members: Value) {
        let body: Body = serde_json::from_value(members).unwrap();
        let db = DbName::new(db);
        self.store.create_database(&db).await.unwrap();
        self.store.commit(vec![Write::put(db, id, Expect::Absent, body)]).await.unwrap();
    }

    async fn document(&self, number: &str) -> Option<(String, Body)> {
        let db = DbName::new(format!("numbers/{}", number.get(..5)?));
        let found = self.store.get(&db, number).await.ok()?.live()?;
        Some((found.rev.as_str().to_owned(), found.body))
    }

    /// Does to one number what the vector does, and tells what is stored then.
    async fn ask(&self, given: &Value, number: &str) -> Result<Value, (String, Value)> {
        let before = self.document(number).await;
        let owner = before.as_ref().and_then(|(_, body)| body.get("pvt_assigned_to")?.as_str());
        let text = |key: &str| given[key].as_str().map(str::to_owned);
        let mut data = given["public_fields"].as_object().cloned().unwrap_or_default();
        let (method, account, rest) = match given["op"].as_str().unwrap() {
            "get" => (Method::GET, None, ""),
            "update" => (Method::PATCH, None, ""),
            "move" => (Method::PUT, text("to"), "/activate"),
            "release" => (Method::DELETE, None, ""),
            "delete" => (Method::DELETE, None, "?hard=true"),
            "reserve" => (Method::PUT, text("assign_to"), "/reserve"),
            "create" => {
                let state = given["state"].as_str().map(|state| ("create_with_state", state));
                let carrier = given["module_name"].as_str().map(|name| ("carrier_name", name));
                let asked =
                    state.into_iter().chain(carrier.filter(|_| given["state"] != "port_in"));
                data.extend(asked.map(|(key, value)| (key.to_owned(), value.into())));
                (Method::PUT, text("assign_to"), "")
            }
            "assign_to_app" => return self.assign(given, number).await,
            other => panic!("{other}"),
        };
        let asker = text("auth_by").filter(|asker| asker != "system");
        let account = account.or(owner.map(str::to_owned)).or(asker);
        let account = account.unwrap_or_else(|| MASTER.to_owned());
        let encoded = number.replace('+', "%2B").replace(' ', "%20");
        let path = format!("/v2/accounts/{account}/phone_numbers/{encoded}{rest}");
        let token = match text("auth_by").as_deref() {
            None | Some("system") => self.app.admin(),
            Some(account) => self.app.account(account),
        };
        let answer = self.app.ask(method, &path).token(&token).data(&data.into()).send().await;
        self.outcome(number, &answer, before.map(|(rev, _)| rev)).await
    }

    async fn assign(&self, given: &Value, number: &str) -> Result<Value, (String, Value)> {
        let path = format!("/v2/phone_numbers/{}/repair", number.replace('+', "%2B"));
        let data = json!({"used_by": given["app"]});
        let before = self.document(number).await.map(|(rev, _)| rev);
        let ask = self.app.ask(Method::POST, &path).token(&self.app.admin());
        let answer = ask.data(&data).send().await;
        self.outcome(number, &answer, before).await
    }

    async fn outcome(
        &self,
        number: &str,
        answer: &Answer,
        before: Option<String>,
    ) -> Result<Value, (String, Value)> {
        let json = answer.json();
        if !answer.status.is_success() {
            let mut error = json["data"].clone();
            let id = error["cause"].as_str().filter(|cause| cause.starts_with('+'));
            let id = id.unwrap_or(number).to_owned();
            if json["message"] == "bad_identifier" {
                // A reader is told that there is no such number, whatever the text was.
                let is_number = id.starts_with('+');
                error["error"] = if is_number { "not_found" } else { "not_reconcilable" }.into();
            }
            return Err((id, error));
        }
        let found = self.document(number).await;
        let is_dirty = found.as_ref().map(|(rev, _)| rev) != before.as_ref();
        let body = found.map(|(_, body)| body).unwrap_or_default();
        let member = |key: &str| body.get(key).cloned().unwrap_or_default();
        let list = |key: &str| body.get(key).cloned().unwrap_or_else(|| json!([]));
        let public: Map<String, Value> = body
            .iter()
            .filter(|(key, _)| !key.starts_with("pvt_"))
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Ok(json!({
            "shown": json["data"],
            "dirty": is_dirty,
            "state": json["data"].get("state").cloned().unwrap_or(member("pvt_state")),
            "assigned_to": member("pvt_assigned_to"),
            "prev_assigned_to": member("pvt_previously_assigned_to"),
            "reserve_history": list("pvt_reserve_history"),
            "module_name": body.get("pvt_module_name").cloned().unwrap_or_else(|| {
                format!("knm_{}", json["data"]["_read_only"]["carrier_module"].as_str().unwrap_or_default()).into()
            }),
            "features": json["data"].get("features").cloned().unwrap_or_else(|| json!([])),
            "number_db": member("pvt_db_name"),
            "auth_by": member("pvt_authorizing_account"),
            "ported_in": body.get("pvt_ported_in").cloned().unwrap_or(Value::Bool(false)),
            "used_by": member("pvt_used_by"),
            "public": public,
        }))
    }
}

fn account_db(account: &str) -> String {
    format!("account/{}/{}/{}", &account[..2], &account[2..4], &account[4..])
}
