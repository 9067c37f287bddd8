//! Keeps documents in CouchDB 3.
//!
//! `couch_rs` is the transport, and nothing outside this folder knows it. What the server answers
//! is read here, whole: status, error and reason.
//!
//! Reads are repeated while they fail for a passing reason. A write whose outcome is in doubt is
//! read back first (`commit`). Nothing is cached.

mod applications;
mod bulk;
mod carriers;
mod changes;
mod commit;
mod config;
mod databases;
mod designs;
mod failure;
mod history;
mod indexes;
mod names;
mod pages;
mod read;
mod transport;
mod updates;
mod wire;

use std::{collections::BTreeMap, fmt, time::Duration};

use async_trait::async_trait;
use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use self::{failure::Failure, transport::Request, transport::Transport};
use super::{
    Application, Changes, CommitError, Committed, DbName, Document, DocumentStore, IdRange, Kind,
    Lookup, Page, Query, Question, Rev, Seq, StoreError, Updates, WriteSet,
};

pub use self::config::{CouchConfig, InvalidConfig};

/// The documents of one CouchDB server or cluster.
pub struct CouchStore {
    config: CouchConfig,
    transport: Transport,
}

#[derive(Deserialize)]
struct Welcome {
    couchdb: Option<String>,
}

#[derive(Deserialize)]
struct Session {
    #[serde(rename = "userCtx")]
    user: User,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    roles: Vec<String>,
}

impl CouchStore {
    /// Connects, and makes sure that this is a CouchDB and that we are a server admin there.
    ///
    /// # Errors
    ///
    /// [`Kind::Denied`] for a wrong password or a missing right: do not try again, since `CouchDB`
    /// locks a user out after five wrong passwords. [`Kind::Unavailable`] when the server cannot be
    /// reached. [`Kind::Unexpected`] with an [`InvalidConfig`] as its source for a setting that
    /// cannot be used, and when the server is not a CouchDB.
    pub async fn connect(config: CouchConfig) -> Result<Self, StoreError> {
        let server = DbName::new("");
        let invalid = |invalid: InvalidConfig| {
            StoreError::new(Kind::Unexpected, "connect", &server, "").caused_by(invalid)
        };
        config.check().map_err(invalid)?;
        let address = config.address().map_err(invalid)?;
        let failed = |failure: Failure| failure.of_read("connect", &address.host, "");
        let transport = Transport::new(&config, &address).map_err(failed)?;
        let store = Self { config, transport };
        store.check_server().await.map_err(failed)?;
        Ok(store)
    }

    /// One wrong password is one attempt: the first refusal ends it.
    async fn check_server(&self) -> Result<(), Failure> {
        let welcome = self.transport.read(&self.on_server(Method::GET, "/")).await?;
        if welcome.decode::<Welcome>()?.couchdb.is_none() {
            return Err(Failure::Own(Kind::Unexpected, "the server is not a CouchDB"));
        }
        let session = self.transport.read(&self.on_server(Method::GET, "/_session")).await?;
        let roles = session.decode::<Session>()?.user.roles;
        if !roles.iter().any(|role| role == "_admin") {
            return Err(Failure::Own(Kind::Denied, "the user is not a server admin"));
        }
        Ok(())
    }

    /// A request about the server, with the limit of a single call.
    fn on_server(&self, method: Method, path: &str) -> Request {
        Request::new(method, path, self.config.call_timeout())
    }

    /// A request about a document, with the limit of a single call.
    fn on_document(&self, method: Method, db: &DbName, id: &str) -> Request {
        Request::new(method, names::doc_path(&self.db_path(db), id), self.config.call_timeout())
    }

    /// A request about many documents of a database, with the limit of a bulk call for all tries.
    fn on_database(&self, method: Method, db: &DbName, endpoint: &str) -> Request {
        let path = self.db_path(db) + endpoint;
        let limit = self.config.bulk_timeout();
        Request::new(method, path, limit).within(limit)
    }

    fn db_path(&self, db: &DbName) -> String {
        names::db_path(&self.config.database_prefix, db)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl DocumentStore for CouchStore {
    async fn get(&self, db: &DbName, id: &str) -> Result<Lookup, StoreError> {
        self.look_up(db, id).await.map_err(|failure| failure.of_read("get", db.as_str(), id))
    }

    async fn live_versions(&self, db: &DbName, id: &str) -> Result<Vec<Document>, StoreError> {
        let leaves = self.live_leaves(db, id).await;
        leaves.map_err(|failure| failure.of_read("live_versions", db.as_str(), id))
    }

    async fn before_deletion(&self, db: &DbName, id: &str) -> Result<Option<Document>, StoreError> {
        let before = self.version_before_deletion(db, id).await;
        before.map_err(|failure| failure.of_read("before_deletion", db.as_str(), id))
    }

    async fn get_many(&self, db: &DbName, ids: &[String]) -> Result<Vec<Lookup>, StoreError> {
        let answer = self.look_up_many(db, ids).await;
        answer.map_err(|failure| failure.of_read("get_many", db.as_str(), ""))
    }

    async fn revisions(&self, db: &DbName, ids: &[String]) -> Result<Vec<Option<Rev>>, StoreError> {
        let answer = self.live_revisions(db, ids).await;
        answer.map_err(|failure| failure.of_read("revisions", db.as_str(), ""))
    }

    async fn query(&self, db: &DbName, query: &Query) -> Result<Page, StoreError> {
        let page = match &query.question {
            Question::All => self.page_of_all(db, query).await,
            Question::Carrier(carrier) => {
                self.page_of_view(db, query, indexes::CARRIERS, carrier.as_deref()).await
            }
            Question::Owner(owner) => {
                self.page_of_view(db, query, indexes::OWNERS, owner.as_deref()).await
            }
        };
        page.map_err(|failure| failure.of_read("query", db.as_str(), ""))
    }

    async fn carrier_counts(
        &self,
        db: &DbName,
        range: &IdRange,
    ) -> Result<BTreeMap<Option<String>, u64>, StoreError> {
        let counts = self.count_carriers(db, range).await;
        counts.map_err(|failure| failure.of_read("carrier_counts", db.as_str(), ""))
    }

    async fn applications(
        &self,
        db: &DbName,
        numbers: &[String],
    ) -> Result<Vec<Vec<Application>>, StoreError> {
        let found = self.look_up_applications(db, numbers).await;
        found.map_err(|failure| failure.of_read("applications", db.as_str(), ""))
    }

    async fn databases(&self, prefix: &str) -> Result<Vec<DbName>, StoreError> {
        let names = self.list_databases(prefix).await;
        names.map_err(|failure| failure.of_read("databases", "", ""))
    }

    async fn create_database(&self, db: &DbName) -> Result<(), StoreError> {
        let made = self.make_database(db).await;
        made.map(drop).map_err(|failure| databases::not_made(failure, "create_database", db))
    }

    async fn has_current_indexes(&self, db: &DbName) -> Result<bool, StoreError> {
        let current = self.are_indexes_current(db).await;
        current.map_err(|failure| failure.of_read("has_current_indexes", db.as_str(), ""))
    }

    async fn drop_database(&self, db: &DbName) -> Result<(), StoreError> {
        let dropped = self.drop_dated(db).await;
        dropped.map_err(|failure| failure.of_read("drop_database", db.as_str(), ""))
    }

    async fn changes(
        &self,
        db: &DbName,
        since: Option<&Seq>,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        let changes = self.page_of_changes(db, since, limit).await;
        changes.map_err(|failure| failure.of_read("changes", db.as_str(), ""))
    }

    async fn version(&self, db: &DbName) -> Result<Seq, StoreError> {
        let version = self.last_place(db).await;
        version.map_err(|failure| failure.of_read("version", db.as_str(), ""))
    }

    async fn versions(&self, dbs: &[DbName]) -> Result<Vec<Option<Seq>>, StoreError> {
        let versions = self.last_places(dbs).await;
        versions.map_err(|failure| failure.of_read("versions", "", ""))
    }

    async fn updates(
        &self,
        since: Option<&Seq>,
        wait: Duration,
    ) -> Result<Option<Updates>, StoreError> {
        let updates = self.wait_for_updates(since, wait).await;
        updates.map_err(|failure| failure.of_read("updates", "", ""))
    }

    async fn checkpoint(&self, db: &DbName, name: &str) -> Result<Option<Value>, StoreError> {
        let value = self.read_checkpoint(db, name).await;
        value.map_err(|failure| failure.of_read("checkpoint", db.as_str(), name))
    }

    async fn set_checkpoint(
        &self,
        db: &DbName,
        name: &str,
        value: Value,
    ) -> Result<(), StoreError> {
        let stored = self.write_checkpoint(db, name, value).await;
        stored.map_err(|failure| failure.of_read("set_checkpoint", db.as_str(), name))
    }

    async fn commit(&self, set: WriteSet) -> Result<Committed, CommitError> {
        self.apply_set(set).await
    }

    async fn commit_many(&self, sets: Vec<WriteSet>) -> Vec<Result<Committed, CommitError>> {
        self.apply_sets(sets).await
    }

    async fn migrate(&self, databases: &[DbName]) -> Result<Vec<String>, StoreError> {
        self.bring_up_to_date(databases).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        // `_up` answers anybody; this only a server admin.
        let request = self.on_server(Method::GET, "/_all_dbs").query("limit", "1");
        let answer = self.transport.read(&request).await;
        answer.map(drop).map_err(|failure| failure.of_read("ping", "", ""))
    }
}

impl fmt::Debug for CouchStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CouchStore")
            .field("transport", &self.transport)
            .field("database_prefix", &self.config.database_prefix)
            .finish_non_exhaustive()
    }
}
