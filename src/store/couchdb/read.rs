//! Reads documents by their ids.
//!
//! A *leaf* is the newest version of one branch of a document; there is more than one only after a
//! split cluster or a restore. Tombstones are leaves too.

use std::{
    collections::{HashMap, hash_map::Entry},
    time::Duration,
};

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{DbName, Document, Kind, Lookup, Rev, rules},
    CouchStore,
    failure::Failure,
    wire::{Stored, winner},
};

/// The answer of `_all_docs` and of views.
#[derive(Deserialize)]
pub(super) struct Rows<R> {
    pub(super) rows: Vec<R>,
}

/// A row of `_all_docs` that was asked for by its key.
#[derive(Deserialize)]
struct KeyRow {
    key: String,
    /// `not_found`, or what went wrong with this row.
    error: Option<String>,
    value: Option<RowValue>,
    doc: Option<Stored>,
}

#[derive(Deserialize)]
struct RowValue {
    rev: String,
    #[serde(default)]
    deleted: bool,
}

/// One requested revision, in the answers of `?open_revs` and `_bulk_get`.
#[derive(Deserialize)]
struct Leaf {
    ok: Option<Stored>,
}

#[derive(Deserialize)]
struct BulkGet {
    results: Vec<BulkGetRow>,
}

#[derive(Deserialize)]
struct BulkGetRow {
    #[serde(default)]
    docs: Vec<Leaf>,
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
                let leaves = answer.decode::<Vec<Leaf>>()?;
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
        let docs: Vec<_> = asked.map(|(id, rev)| json!({"id": id, "rev": rev})).collect();
        if docs.is_empty() {
            return Ok(Vec::new());
        }
        let request = self.on_database(Method::POST, db, "/_bulk_get").within(limit);
        let request = request.body(json!({ "docs": docs }).to_string());
        let answer = self.transport.read(&request).await?.decode::<BulkGet>()?;
        let leaves = answer.results.into_iter().flat_map(|row| row.docs);
        Ok(leaves.filter_map(|leaf| leaf.ok).collect())
    }

    /// What is stored under each of `ids`, in that order.
    pub(super) async fn look_up_many(
        &self,
        db: &DbName,
        ids: &[String],
    ) -> Result<Vec<Lookup>, Failure> {
        let mut found = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(self.config.bulk_size) {
            self.look_up_chunk(db, ids, &mut found).await?;
        }
        Ok(in_order(ids, found, Lookup::Missing))
    }

    /// The revisions of the live documents under `ids`, in that order.
    pub(super) async fn live_revisions(
        &self,
        db: &DbName,
        ids: &[String],
    ) -> Result<Vec<Option<Rev>>, Failure> {
        let mut found = HashMap::with_capacity(ids.len());
        for ids in ids.chunks(self.config.bulk_size) {
            for row in self.key_rows(db, ids, None).await? {
                let live = row.value.filter(|value| !value.deleted);
                found.insert(row.key, live.map(|value| Rev::new(value.rev)));
            }
        }
        Ok(in_order(ids, found, None))
    }

    async fn look_up_chunk(
        &self,
        db: &DbName,
        ids: &[String],
        found: &mut HashMap<String, Lookup>,
    ) -> Result<(), Failure> {
        let mut deleted = Vec::new();
        for row in self.key_rows(db, ids, Some("conflicts")).await? {
            match (row.value, row.doc) {
                (Some(value), _) if value.deleted => deleted.push((row.key, value.rev)),
                (Some(_), Some(doc)) => drop(found.insert(row.key, doc.into_lookup())),
                // Deleted between the index and the document: the row says neither.
                (Some(_), None) => {
                    let now = self.look_up(db, &row.key).await?;
                    found.insert(row.key, now);
                }
                (None, _) => {}
            }
        }
        self.look_up_tombstones(db, deleted, found).await
    }

    async fn look_up_tombstones(
        &self,
        db: &DbName,
        deleted: Vec<(String, String)>,
        found: &mut HashMap<String, Lookup>,
    ) -> Result<(), Failure> {
        let asked = deleted.iter().map(|(id, rev)| (id.as_str(), rev.as_str()));
        for tombstone in self.versions(db, asked, self.config.bulk_timeout()).await? {
            found.insert(tombstone.id.clone(), tombstone.into_lookup());
        }
        for (id, _) in deleted {
            if let Entry::Vacant(place) = found.entry(id) {
                let now = self.look_up(db, place.key()).await?;
                place.insert(now);
            }
        }
        Ok(())
    }

    /// The rows of `_all_docs` for these keys; none when there is no such database. An empty list
    /// of keys is never sent: asked for nothing, the server returns everything.
    async fn key_rows(
        &self,
        db: &DbName,
        ids: &[String],
        documents_with: Option<&str>,
    ) -> Result<Vec<KeyRow>, Failure> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let mut request = self.on_database(Method::POST, db, "/_all_docs");
        if let Some(members) = documents_with {
            request = request.query("include_docs", "true").query(members, "true");
        }
        let request = request.body(json!({ "keys": ids }).to_string());
        let rows = match self.transport.read(&request).await {
            Ok(answer) => answer.decode::<Rows<KeyRow>>()?.rows,
            Err(failure) if failure.is_missing() => return Ok(Vec::new()),
            Err(failure) => return Err(failure),
        };
        if rows.len() != ids.len() || rows.iter().any(KeyRow::is_broken) {
            return Err(Failure::Own(Kind::Unexpected, "a row of the answer is not readable"));
        }
        Ok(rows)
    }
}

impl KeyRow {
    fn is_broken(&self) -> bool {
        self.error.as_deref().is_some_and(|error| error != "not_found")
    }
}

/// One answer per id asked for, also for an id that was asked for twice.
fn in_order<T: Clone>(ids: &[String], mut found: HashMap<String, T>, missing: T) -> Vec<T> {
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
