//! What is true of the CouchDB backend beyond the store's contract: what it asks of the server,
//! and what it makes of the answers, of those that come late, and of those that do not come.

mod connection;
mod indexes;
mod reads;
mod updates;
mod writes;

use std::time::{Duration, Instant};

use number_manager::store::{
    Application, Body, Change, Committed, DbName, DocumentStore, Expect, IdRange, Kind, Lookup,
    Order, Query, Question, Rev, StoreError, WRITE_ID, Write,
    couchdb::{CouchConfig, CouchStore},
};
use serde_json::{Value, json};

use crate::{
    store::cases,
    support::{
        couch::{CouchServer, LIMIT_MS, Namespace},
        proxy::{Fault, Proxy},
    },
};

const ID: &str = "+14155550100";

/// Later than the limits of a store with faults on its way, and than all repetitions of a call.
const LATE: Duration = Duration::from_secs(6);

fn numbers() -> DbName {
    DbName::new("numbers/+1415")
}

/// A body with a stamp of its own.
fn body(members: Value) -> Body {
    let mut body: Body = serde_json::from_value(members).unwrap();
    body.insert(WRITE_ID.to_owned(), json!(uuid::Uuid::new_v4().to_string()));
    body
}

fn create(id: &str, members: Value) -> Write {
    Write::put(numbers(), id, Expect::Absent, body(members))
}

fn written(write: &Write) -> &Body {
    let (Change::Put(body) | Change::Delete(body)) = &write.change;
    body
}

async fn commit(store: &CouchStore, write: Write) -> Rev {
    store.commit(vec![write]).await.unwrap().revs.remove(0)
}

async fn commit_error(store: &CouchStore, write: Write) -> StoreError {
    store.commit(vec![write]).await.unwrap_err().error
}

async fn live(store: &CouchStore, id: &str) -> number_manager::store::Document {
    store.get(&numbers(), id).await.unwrap().live().unwrap()
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// A store in a namespace with the database of the tests.
async fn ready() -> (Namespace, CouchStore) {
    let namespace = CouchServer::namespace();
    let store = namespace.store().await;
    store.create_database(&numbers()).await.unwrap();
    (namespace, store)
}

/// The same, with another store that has short limits and faults on its way.
async fn ready_with_faults() -> (Namespace, CouchStore, CouchStore, Proxy) {
    let (namespace, direct) = ready().await;
    let proxy = Proxy::start(CouchServer::shared().host()).await;
    let store = CouchStore::connect(namespace.config_through(proxy.host())).await.unwrap();
    proxy.seen();
    (namespace, direct, store, proxy)
}

fn query(question: Question, range: &IdRange) -> Query {
    Query { question, range: range.clone(), order: Order::Ascending, after: None, limit: 2 }
}

/// All ids of an answer, page by page.
async fn walk(store: &CouchStore, mut query: Query) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = store.query(&numbers(), &query).await.unwrap();
        assert!(page.documents.len() <= query.limit);
        ids.extend(page.documents.into_iter().map(|document| document.id));
        match page.next {
            Some(next) => query.after = Some(next),
            None => return ids,
        }
    }
}
