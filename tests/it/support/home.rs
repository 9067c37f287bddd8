//! The whole HTTP face over a store that is empty and nobody else's, one for each kind of store.

use std::sync::Arc;

use number_manager::{
    api::LimitConfig,
    store::{Body, DbName, Expect, SharedStore, WRITE_ID, Write, sqlite::SqliteStore},
};
use serde_json::{Value, json};

use super::{
    app::TestApp,
    couch::{CouchServer, Namespace},
    invariants::violations,
};

/// No limit on how often clients may ask.
const UNLIMITED: LimitConfig = LimitConfig { burst: 0, per_second: 0 };

/// The HTTP face and the store under it.
pub(crate) struct Home {
    pub(crate) app: TestApp,
    pub(crate) store: SharedStore,
    _namespace: Option<Namespace>,
}

impl Home {
    /// Over an embedded store.
    pub(crate) async fn embedded() -> Self {
        let store: SharedStore = Arc::new(SqliteStore::in_memory().unwrap());
        let app = TestApp::over(store.clone(), UNLIMITED).await;
        Self { app, store, _namespace: None }
    }

    /// Over CouchDB.
    pub(crate) async fn couchdb() -> Self {
        let namespace = CouchServer::namespace();
        let store: SharedStore = Arc::new(namespace.store().await);
        let app = TestApp::over(store.clone(), UNLIMITED).await;
        Self { app, store, _namespace: Some(namespace) }
    }

    /// Stores a document as another program would, in every database that it belongs to: the
    /// number's, and its owner's.
    pub(crate) async fn put_number(&self, id: &str, members: &Value) {
        let mut body = members.as_object().unwrap().clone();
        body.insert("pvt_type".to_owned(), "number".into());
        let owner = body.get("pvt_assigned_to").and_then(Value::as_str).map(account_database);
        let databases = std::iter::once(format!("numbers/{}", &id[..5])).chain(owner);
        for database in databases {
            self.put(&database, id, body.clone()).await;
        }
    }

    /// Stores a document where there is none.
    pub(crate) async fn put(&self, database: &str, id: &str, mut body: Body) {
        let db = DbName::new(database);
        self.store.create_database(&db).await.unwrap();
        body.insert(WRITE_ID.to_owned(), format!("by hand {id}").into());
        self.store.commit(vec![Write::put(db, id, Expect::Absent, body)]).await.unwrap();
    }

    /// The members of a document, if it is there.
    pub(crate) async fn read(&self, database: &str, id: &str) -> Option<Body> {
        let found = self.store.get(&DbName::new(database), id).await.unwrap();
        found.live().map(|found| found.body)
    }

    /// Changes the platform's settings; nobody must have asked the service for anything yet.
    pub(crate) async fn configure(&self, settings: &Value) {
        let body = json!({ "default": settings }).as_object().unwrap().clone();
        self.put("system_config", "number_manager", body).await;
    }

    /// Checks that numbers and copies agree.
    pub(crate) async fn check(&self) {
        assert_eq!(violations(&*self.store).await, []);
    }

    /// Every document of every number and account database, to see that nothing was changed.
    pub(crate) async fn everything(&self) -> Vec<(String, Vec<number_manager::store::Document>)> {
        let mut all = Vec::new();
        for prefix in ["numbers/", "account/"] {
            for db in self.store.databases(prefix).await.unwrap() {
                let documents = super::invariants::numbers_in(&*self.store, &db).await;
                all.push((db.as_str().to_owned(), documents));
            }
        }
        all
    }
}

/// The database of an account.
pub(crate) fn account_database(account: &str) -> String {
    format!("account/{}/{}/{}", &account[..2], &account[2..4], &account[4..])
}

/// Makes a test of each case over each kind of store.
macro_rules! on_both_stores {
    ($($case:ident,)*) => {
        mod embedded {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case(&$crate::support::home::Home::embedded().await).await;
                }
            )*
        }
        mod couchdb {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    super::$case(&$crate::support::home::Home::couchdb().await).await;
                }
            )*
        }
    };
}

pub(crate) use on_both_stores;
