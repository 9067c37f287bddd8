//! What every store must do. A case knows nothing of revisions and places in a feed but that they
//! can be compared, and it does not care whether a set that fails was applied in part.

mod applications;
mod databases;
mod documents;
mod feeds;
mod owners;
mod pages;
mod sets;

use std::collections::{BTreeMap, BTreeSet};

use futures::future::join_all;
use number_manager::store::{
    Application, Body, Change, Changed, CommitError, DbName, Document, DocumentStore, Expect,
    IdRange, Kind, Lookup, Order, Query, Question, Rev, Seq, WRITE_ID, Write,
};
use serde_json::{Value, json};

pub(crate) use self::{
    applications::*, databases::*, documents::*, feeds::*, owners::*, pages::*, sets::*,
};

type Store = dyn DocumentStore;

const RACERS: usize = 8;

pub(crate) fn body(value: Value) -> Body {
    serde_json::from_value(value).unwrap()
}

pub(crate) fn numbers() -> DbName {
    DbName::new("numbers/+1415")
}

fn everything() -> IdRange {
    IdRange { from: "!".to_owned(), before: "~".to_owned() }
}

fn all() -> Query {
    Query {
        question: Question::All,
        range: everything(),
        order: Order::Ascending,
        after: None,
        limit: 100,
    }
}

fn of_carrier(name: Option<&str>) -> Query {
    Query { question: Question::Carrier(name.map(str::to_owned)), ..all() }
}

fn of_owner(owner: Option<&str>) -> Query {
    Query { question: Question::Owner(owner.map(str::to_owned)), ..all() }
}

async fn with_numbers(store: &Store) -> DbName {
    store.create_database(&numbers()).await.unwrap();
    numbers()
}

async fn write(store: &Store, write: Write) -> Result<Rev, Kind> {
    match store.commit(vec![write]).await {
        Ok(committed) => Ok(committed.revs.into_iter().next().unwrap()),
        Err(CommitError { applied, failed, error }) => {
            assert_eq!((applied.len(), failed), (0, 0));
            Err(error.kind)
        }
    }
}

pub(crate) async fn create(store: &Store, db: &DbName, id: &str, members: Value) -> Rev {
    write(store, Write::put(db.clone(), id, Expect::Absent, body(members))).await.unwrap()
}

async fn update(store: &Store, db: &DbName, id: &str, rev: &Rev, members: Value) -> Rev {
    put_at(store, db, id, rev, members).await.unwrap()
}

async fn put_at(
    store: &Store,
    db: &DbName,
    id: &str,
    rev: &Rev,
    members: Value,
) -> Result<Rev, Kind> {
    write(store, Write::put(db.clone(), id, Expect::At(rev.clone()), body(members))).await
}

async fn delete(store: &Store, db: &DbName, id: &str, rev: &Rev) -> Result<Rev, Kind> {
    write(store, Write::delete(db.clone(), id, rev.clone(), body(json!({"was": id})))).await
}

async fn live(store: &Store, db: &DbName, id: &str) -> Document {
    store.get(db, id).await.unwrap().live().unwrap()
}

fn document(id: &str, rev: &Rev, members: Value) -> Document {
    Document { id: id.to_owned(), rev: rev.clone(), body: body(members), conflicts: Vec::new() }
}

fn owned(ids: &[&str]) -> Vec<String> {
    ids.iter().map(|id| (*id).to_owned()).collect()
}

/// All pages of a query, each checked against the limit.
async fn pages(store: &Store, db: &DbName, mut query: Query) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = store.query(db, &query).await.unwrap();
        assert!(page.documents.len() <= query.limit, "more than asked for");
        ids.extend(page.documents.into_iter().map(|document| document.id));
        let Some(next) = page.next else { return ids };
        assert_ne!(query.after.as_ref(), Some(&next), "the page goes on where it began");
        query.after = Some(next);
    }
}

/// All changes behind a place, and the place behind them.
async fn feed(
    store: &Store,
    db: &DbName,
    since: Option<Seq>,
    limit: usize,
) -> (Vec<Changed>, Option<Seq>) {
    let (mut rows, mut place) = (Vec::new(), since);
    loop {
        let changes = store.changes(db, place.as_ref(), limit).await.unwrap();
        assert!(changes.rows.len() <= limit, "more than asked for");
        let before = place.replace(changes.last);
        if changes.rows.is_empty() {
            return (rows, place);
        }
        assert_ne!(before, place, "the feed goes on where it began");
        rows.extend(changes.rows);
    }
}
