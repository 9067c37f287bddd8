//! What a case starts from: the HTTP face over a store that is nobody else's.

use std::sync::Arc;

use axum::http::Method;
use number_manager::{
    api::LimitConfig,
    store::{Body, DbName, Document, Expect, SharedStore, Write, sqlite::SqliteStore},
};
use serde_json::{Value, json};

use crate::support::{
    app::{ACCOUNT, Answer, TestApp},
    couch::{CouchServer, Namespace},
    invariants::{numbers_in, violations},
};

/// The number that most cases are about.
pub(super) const NUMBER: &str = "+14155550100";
/// When the numbers of the cases were made, in Gregorian seconds.
pub(super) const MADE: i64 = 63_884_160_000;
/// What the clock of the cases shows, in Gregorian seconds.
pub(super) const NOW: i64 = 63_881_784_000;
/// No limit on how often clients may ask.
pub(super) const UNLIMITED: LimitConfig = LimitConfig { burst: 0, per_second: 0 };

/// The HTTP face, and the store below it.
#[derive(Debug)]
pub(super) struct World {
    pub(super) app: TestApp,
    pub(super) store: SharedStore,
    /// Dropped last.
    namespace: Option<Namespace>,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Who {
    Nobody,
    Admin,
    Account(&'static str),
}

/// The account that most cases are about.
pub(super) const HOLDER: Who = Who::Account(ACCOUNT);

/// Makes two tests of each case, one over SQLite and one over CouchDB. A case is an
/// `async fn(&World)`.
macro_rules! over_both_stores {
    ($($case:ident,)*) => {
        mod embedded {
            $crate::api::world::over_both_stores! { @embedded $($case,)* }
        }
        mod couchdb {
            $crate::api::world::over_both_stores! { @couchdb $($case,)* }
        }
    };
    (@$store:ident $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let world = $crate::api::world::World::$store().await;
                super::$case(&world).await;
                world.check_invariants().await;
            }
        )*
    };
}
pub(super) use over_both_stores;

/// The path of something below an account's numbers.
pub(super) fn path_of(account: &str, rest: &str) -> String {
    format!("/v2/accounts/{account}/phone_numbers{rest}")
}

/// The same for the account that most cases are about.
pub(super) fn numbers(rest: &str) -> String {
    path_of(ACCOUNT, rest)
}

/// The error object of one number.
pub(super) fn number_error(code: u16, error: &str, cause: Option<&str>, message: &str) -> Value {
    let mut object = json!({ "code": code, "error": error });
    if let Some(cause) = cause {
        object["cause"] = cause.into();
    }
    object["message"] = message.into();
    object
}

/// The database of an account.
pub(super) fn account_db(account: &str) -> DbName {
    DbName::new(format!("account/{}/{}/{}", &account[..2], &account[2..4], &account[4..]))
}

/// The database of a number.
pub(super) fn number_db(number: &str) -> DbName {
    DbName::new(format!("numbers/{}", &number[..5]))
}

impl World {
    /// Over SQLite in memory.
    pub(super) async fn embedded() -> Self {
        let store: SharedStore = Arc::new(SqliteStore::in_memory().unwrap());
        let app = TestApp::over(store.clone(), UNLIMITED).await;
        Self { app, store, namespace: None }
    }

    /// Over a part of a CouchDB.
    pub(super) async fn couchdb() -> Self {
        let namespace = CouchServer::namespace();
        let store: SharedStore = Arc::new(namespace.store().await);
        let app = TestApp::over(store.clone(), UNLIMITED).await;
        Self { app, store, namespace: Some(namespace) }
    }

    /// Asks something; `data` becomes the body, when there is any.
    pub(super) async fn ask(
        &self,
        who: Who,
        method: Method,
        path: &str,
        data: Option<&Value>,
    ) -> Answer {
        let mut ask = self.app.ask(method, path);
        ask = match who {
            Who::Nobody => ask,
            Who::Admin => ask.token(&self.app.admin()),
            Who::Account(account) => ask.token(&self.app.account(account)),
        };
        match data {
            Some(data) => ask.data(data).send().await,
            None => ask.send().await,
        }
    }

    /// Asks something about the number that most cases are about; `rest` follows it in the path.
    pub(super) async fn about(
        &self,
        who: Who,
        method: Method,
        rest: &str,
        data: Option<&Value>,
    ) -> Answer {
        self.ask(who, method, &numbers(&format!("/{NUMBER}{rest}")), data).await
    }

    /// Stores a number as KAZOO would have left it, with an equal copy for its owner.
    pub(super) async fn keep(&self, number: &str, members: Value) {
        let mut body: Body = serde_json::from_value(json!({
            "pvt_type": "number",
            "pvt_db_name": format!("numbers%2F%2B{}", &number[1..5]),
            "pvt_module_name": "knm_inventory",
            "pvt_created": MADE,
            "pvt_modified": MADE,
        }))
        .unwrap();
        body.extend(serde_json::from_value::<Body>(members).unwrap());
        let owner = body.get("pvt_assigned_to").and_then(Value::as_str).map(account_db);
        for db in [number_db(number)].into_iter().chain(owner) {
            self.put(db, number, body.clone()).await;
        }
    }

    /// Stores a document that is not there yet.
    pub(super) async fn put(&self, db: DbName, id: &str, body: Body) {
        self.store.create_database(&db).await.unwrap();
        self.store.commit(vec![Write::put(db, id, Expect::Absent, body)]).await.unwrap();
    }

    /// Stores a port request of one number, under an id that the number and the state make.
    pub(super) async fn request_port(&self, account: &str, number: &str, state: &str) {
        let body = json!({
            "pvt_type": "port_request", "pvt_account_id": account, "pvt_port_state": state,
            "pvt_created": MADE, "pvt_modified": MADE + 1, "name": "a port",
            "numbers": {number: {"used_by": "callflow"}},
        });
        let id = format!("{number}-{state}");
        self.put(DbName::new("port_requests"), &id, serde_json::from_value(body).unwrap()).await;
    }

    /// Another process over the same store.
    pub(super) async fn beside(&self) -> TestApp {
        TestApp::over(self.store.clone(), UNLIMITED).await
    }

    /// Another process over the same store, with other settings of numbers.
    pub(super) async fn configured(&self, settings: Value) -> TestApp {
        let Value::Object(body) = json!({ "default": settings }) else { unreachable!() };
        self.put(DbName::new("system_config"), "number_manager", body).await;
        TestApp::over(self.store.clone(), UNLIMITED).await
    }

    /// Lets an account create numbers.
    pub(super) async fn allow_additions(&self, account: &str) {
        let path = format!("/v2/accounts/{account}");
        let data = json!({ "wnm_allow_additions": true });
        self.ask(Who::Admin, Method::PATCH, &path, Some(&data)).await.check_status(200);
    }

    /// The address of a database on the server, its name percent-encoded; CouchDB only.
    pub(super) fn database_url(&self, name: &str) -> String {
        self.namespace.as_ref().expect("a CouchDB").database_url(name)
    }

    /// The document of a number.
    pub(super) async fn document(&self, number: &str) -> Option<Document> {
        self.store.get(&number_db(number), number).await.unwrap().live()
    }

    /// The documents of numbers, in order.
    pub(super) async fn documents(&self, numbers: &[String]) -> Vec<Option<Document>> {
        let mut documents = Vec::with_capacity(numbers.len());
        for number in numbers {
            documents.push(self.document(number).await);
        }
        documents
    }

    /// The copy of a number in an account's database.
    pub(super) async fn copy(&self, account: &str, number: &str) -> Option<Document> {
        self.store.get(&account_db(account), number).await.unwrap().live()
    }

    /// The account that owns a number, as it is stored.
    pub(super) async fn owner(&self, number: &str) -> Option<String> {
        let document = self.document(number).await.unwrap_or_else(|| panic!("{number} is gone"));
        document.body.get("pvt_assigned_to").and_then(Value::as_str).map(str::to_owned)
    }

    /// Every document of a number and every copy, with revisions.
    pub(super) async fn everything(&self) -> Vec<String> {
        let mut all = Vec::new();
        for prefix in ["numbers/", "account/"] {
            for db in self.store.databases(prefix).await.unwrap() {
                let documents = numbers_in(&*self.store, &db).await;
                all.extend(documents.iter().map(|document| format!("{db} {document:?}")));
            }
        }
        all
    }

    /// Checks that a request is refused in exactly these words and changes nothing.
    pub(super) async fn check_refused(
        &self,
        asked: (Who, Method, &str, Option<&Value>),
        status: u16,
        message: &str,
        data: &Value,
    ) {
        let before = self.everything().await;
        let (who, method, path, body) = asked;
        let answer = self.ask(who, method, path, body).await;
        answer.check_error(status, message, data);
        assert_eq!(self.everything().await, before, "{path} changed something");
    }

    /// Removes a number with the copy of the account that most cases are about, in whatever state.
    pub(super) async fn forget(&self, number: &str) {
        for db in [number_db(number), account_db(ACCOUNT)] {
            if let Some(found) = self.store.get(&db, number).await.unwrap().live() {
                let delete = Write::delete(db, number, found.rev, Body::new());
                self.store.commit(vec![delete]).await.unwrap();
            }
        }
    }

    /// Removes the settings of the directories.
    pub(super) async fn clear_configuration(&self) {
        let db = DbName::new("system_config");
        for id in ["crossbar.phone_numbers", "number_manager.locality", "number_manager.other"] {
            if let Some(Document { rev, .. }) = self.store.get(&db, id).await.unwrap().live() {
                let delete = Write::delete(db.clone(), id, rev, Body::new());
                self.store.commit(vec![delete]).await.unwrap();
            }
        }
    }

    /// Removes all numbers, copies and settings, and takes rights away again.
    pub(super) async fn clear(&self) {
        let mut dbs = vec![DbName::new("system_config")];
        dbs.extend(self.store.databases("port_requests").await.unwrap());
        for prefix in ["numbers/", "account/"] {
            dbs.extend(self.store.databases(prefix).await.unwrap());
        }
        for db in dbs {
            let mut documents = numbers_in(&*self.store, &db).await;
            let settings = self.store.get(&db, "number_manager").await.unwrap();
            documents.extend(settings.live());
            for Document { id, rev, .. } in documents {
                let delete = Write::delete(db.clone(), id, rev, Body::new());
                self.store.commit(vec![delete]).await.unwrap();
            }
        }
        let path = format!("/v2/accounts/{ACCOUNT}");
        let data = json!({ "wnm_allow_additions": false });
        self.ask(Who::Admin, Method::PATCH, &path, Some(&data)).await.check_status(200);
    }

    /// Checks that what is stored makes sense.
    pub(super) async fn check_invariants(&self) {
        assert_eq!(violations(&*self.store).await, []);
    }
}
