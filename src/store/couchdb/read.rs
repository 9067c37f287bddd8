//! Reads documents by their ids.
//!
//! A *leaf* is the newest version of one branch of a document; there is more than one only after a
//! split cluster or a restore. Tombstones are leaves too.

use std::{collections::HashMap, time::Duration};

use reqwest::Method;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{
    super::{DbName, Document, Kind, Lookup, Rev, rules},
    CouchStore,
    failure::Failure,
    wire::{Bare, Stored, winner},
};

/// The answer to a read of many documents that does not tell of each.
const UNREADABLE: Failure = Failure::Own(Kind::Unexpected, "a row of the answer is not readable");

/// The answer of a view.
#[derive(Deserialize)]
pub(super) struct Rows<R> {
    pub(super) rows: Vec<R>,
}

/// One leaf, in the answers of `?open_revs` and `_bulk_get`.
#[derive(Deserialize)]
struct Leaf<L> {
    ok: Option<L>,
    error: Option<LeafError>,
}

/// Why there is no leaf.
#[derive(Deserialize)]
struct LeafError {
    error: String,
}

#[derive(Deserialize)]
#[serde(bound = "L: Deserialize<'de>")]
struct BulkGet<L> {
    results: Vec<BulkGetRow<L>>,
}

/// All leaves of one document, or the one that was asked for.
#[derive(Deserialize)]
#[serde(bound = "L: Deserialize<'de>")]
struct BulkGetRow<L> {
    id: String,
    docs: Vec<Leaf<L>>,
}

impl CouchStore {
    /// What is stored under `id`.
    pub(super) async fn look_up(&self, db: &DbName, id: &str) -> Result<Lookup, Failure> {
        if !rules::is_legal_id(id) {
            return Ok(Lookup::Missing);
        }
        let request = self.on_document(Method::GET, db, id).query("conflicts", "true");
        match self.transport.read(&request).await {
            Ok(answer) => Ok(answer.decode::<Stored>()?.into_lookup()),
            Err(failure) if failure.is_deleted() => Ok(winner(self.leaves(db, id, None).await?)),
            Err(failure) if failure.is_missing() => Ok(Lookup::Missing),
            Err(failure) => Err(failure),
        }
    }

    /// Every leaf of a document, with its history. The one way to read a tombstone's members
    /// without knowing its revision. `limit` is for all tries together.
    pub(super) async fn leaves(
        &self,
        db: &DbName,
        id: &str,
        limit: Option<Duration>,
    ) -> Result<Vec<Stored>, Failure> {
        let mut request = self.on_document(Method::GET, db, id);
        request = request.query("open_revs", "all").query("revs", "true");
        if let Some(limit) = limit {
            request = request.within(limit);
        }
        match self.transport.read(&request).await {
            Ok(answer) => {
                let leaves = answer.decode::<Vec<Leaf<Stored>>>()?;
                Ok(leaves.into_iter().filter_map(|leaf| leaf.ok).collect())
            }
            Err(failure) if failure.is_missing() => Ok(Vec::new()),
            Err(failure) => Err(failure),
        }
    }

    /// Every leaf of a document that is not deleted, the winner first.
    pub(super) async fn live_leaves(
        &self,
        db: &DbName,
        id: &str,
    ) -> Result<Vec<Document>, Failure> {
        if !rules::is_legal_id(id) {
            return Ok(Vec::new());
        }
        let mut leaves = self.leaves(db, id, None).await?;
        leaves.sort_by(|a, b| b.rank().cmp(&a.rank()));
        Ok(leaves.into_iter().filter_map(|leaf| leaf.into_lookup().live()).collect())
    }

    /// The versions at these revisions, in no particular order, as far as they still exist.
    pub(super) async fn versions(
        &self,
        db: &DbName,
        asked: impl Iterator<Item = (&str, &str)>,
        limit: Duration,
    ) -> Result<Vec<Stored>, Failure> {
        let asked: Vec<_> = asked.map(|(id, rev)| json!({"id": id, "rev": rev})).collect();
        if asked.is_empty() {
            return Ok(Vec::new());
        }
        let rows = self.bulk_get::<Stored>(db, &asked, Some(limit)).await?;
        Ok(rows.into_iter().flat_map(|row| row.docs).filter_map(|leaf| leaf.ok).collect())
    }

    /// What is stored under each of `ids`, in that order.
    pub(super) async fn look_up_many(
        &self,
        db: &DbName,
        ids: &[String],
    ) -> Result<Vec<Lookup>, Failure> {
        self.many(db, ids, winner).await
    }

    /// The revisions of the live documents under `ids`, in that order.
    pub(super) async fn live_revisions(
        &self,
        db: &DbName,
        ids: &[String],
    ) -> Result<Vec<Option<Rev>>, Failure> {
        self.many(db, ids, |leaves: Vec<Bare>| {
            let winner = leaves.into_iter().max_by(|a, b| a.rank().cmp(&b.rank()));
            winner.filter(|leaf| !leaf.deleted).map(|leaf| Rev::new(leaf.rev))
        })
        .await
    }

    /// What becomes of all leaves of each document, in the order asked. `_bulk_get` asks as many
    /// copies of each as a read of one document does, tells tombstones and conflicts, and takes half
    /// the time of `_all_docs`, which believes the first copy that answers.
    async fn many<L: DeserializeOwned, T: Clone>(
        &self,
        db: &DbName,
        ids: &[String],
        read: impl Fn(Vec<L>) -> T,
    ) -> Result<Vec<T>, Failure> {
        let mut found = HashMap::with_capacity(ids.len());
        let legal: Vec<&String> = ids.iter().filter(|id| rules::is_legal_id(id)).collect();
        for ids in legal.chunks(self.config.bulk_size) {
            let asked: Vec<_> = ids.iter().map(|id| json!({ "id": id })).collect();
            let rows = match self.bulk_get::<L>(db, &asked, None).await {
                Err(failure) if failure.is_missing() => break,
                rows => rows?,
            };
            if rows.len() != ids.len() {
                return Err(UNREADABLE);
            }
            for row in rows {
                if row.docs.iter().any(Leaf::is_broken) {
                    return Err(UNREADABLE);
                }
                let leaves = row.docs.into_iter().filter_map(|leaf| leaf.ok).collect();
                found.insert(row.id, read(leaves));
            }
        }
        Ok(in_order(ids, found, &read(Vec::new())))
    }

    /// The rows of `_bulk_get`.
    async fn bulk_get<L: DeserializeOwned>(
        &self,
        db: &DbName,
        asked: &[Value],
        limit: Option<Duration>,
    ) -> Result<Vec<BulkGetRow<L>>, Failure> {
        let mut request = self.on_database(Method::POST, db, "/_bulk_get");
        if let Some(limit) = limit {
            request = request.within(limit);
        }
        let request = request.body(json!({ "docs": asked }).to_string());
        Ok(self.transport.read(&request).await?.decode::<BulkGet<L>>()?.results)
    }
}

/// One answer per id asked for, also for an id that was asked for twice.
fn in_order<T: Clone>(ids: &[String], mut found: HashMap<String, T>, missing: &T) -> Vec<T> {
    let mut places: HashMap<&str, usize> = HashMap::with_capacity(ids.len());
    let mut answers = Vec::<T>::with_capacity(ids.len());
    for (place, id) in ids.iter().enumerate() {
        let answer = match places.get(id.as_str()) {
            Some(first) => answers[*first].clone(),
            None => found.remove(id).unwrap_or_else(|| missing.clone()),
        };
        answers.push(answer);
        places.entry(id).or_insert(place);
    }
    answers
}

impl<L> Leaf<L> {
    /// Whether something else happened to it than that there is none.
    fn is_broken(&self) -> bool {
        self.error.as_ref().is_some_and(|error| error.error != "not_found")
    }
}
