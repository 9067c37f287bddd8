//! A database's feed of changes, and the checkpoints of those who follow it.
//!
//! Checkpoints are `_local/` documents: beside the documents, gone with the database, and in no
//! feed.

use futures::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    super::{Changed, Changes, DbName, Kind, Rev, Seq, rules::DESIGN_PREFIX},
    CouchStore,
    failure::Failure,
};

/// How often a checkpoint is written again that someone else wrote meanwhile.
const CHECKPOINT_TRIES: usize = 5;

#[derive(Deserialize)]
struct Feed {
    results: Vec<FeedRow>,
    last_seq: Value,
}

#[derive(Deserialize)]
struct FeedRow {
    id: String,
    changes: Vec<FeedRev>,
    #[serde(default)]
    deleted: bool,
}

#[derive(Deserialize)]
struct FeedRev {
    rev: String,
}

/// The most databases that a server tells of at once, unless it is told otherwise.
const TOLD_AT_ONCE: usize = 100;

/// What a server says of a database.
#[derive(Deserialize)]
struct Information {
    update_seq: Value,
}

/// What it says of one of many; without `info` when there is no such database.
#[derive(Deserialize)]
struct InformationRow {
    info: Option<Information>,
}

/// A page of the feed, which may have held nothing but design documents.
struct RawPage {
    changes: Changes,
    has_more: bool,
}

/// A checkpoint as it is stored.
#[derive(Default, Deserialize)]
struct Checkpoint {
    #[serde(rename = "_rev")]
    rev: Option<String>,
    /// Absent only in what is not ours.
    #[serde(default)]
    value: Value,
}

impl CouchStore {
    /// One page of the feed: the next one that shows a document, if there is one.
    pub(super) async fn page_of_changes(
        &self,
        db: &DbName,
        since: Option<&Seq>,
        limit: usize,
    ) -> Result<Changes, Failure> {
        let mut page = self.raw_page(db, since, limit).await?;
        while page.changes.rows.is_empty() && page.has_more {
            page = self.raw_page(db, Some(&page.changes.last), limit).await?;
        }
        Ok(page.changes)
    }

    async fn raw_page(
        &self,
        db: &DbName,
        since: Option<&Seq>,
        limit: usize,
    ) -> Result<RawPage, Failure> {
        // CouchDB reads a limit of 0 as 1, which would move the place.
        let request = self
            .on_database(Method::GET, db, "/_changes")
            .query("style", "main_only")
            .query("since", since.map_or("0", Seq::as_str))
            .query("limit", limit.max(1).to_string());
        let feed = self.transport.read(&request).await?.decode::<Feed>()?;
        let stay = feed.results.is_empty() || limit == 0;
        let last = match since {
            // A cluster may spell the same place anew each time.
            Some(since) if stay => since.clone(),
            None if limit == 0 => Seq::new("0"),
            _ => Seq::new(seq_text(feed.last_seq)),
        };
        let rows = feed.results.into_iter().take(limit).filter(FeedRow::is_a_document);
        let changes = Changes { rows: rows.filter_map(FeedRow::into_change).collect(), last };
        Ok(RawPage { changes, has_more: !stay })
    }

    /// The place of the last change, as the copies that answered spell it.
    pub(super) async fn last_place(&self, db: &DbName) -> Result<Seq, Failure> {
        let answer = self.transport.read(&self.on_database(Method::GET, db, "")).await?;
        Ok(Seq::new(seq_text(answer.decode::<Information>()?.update_seq)))
    }

    /// The same of many databases; none for one that is not there.
    pub(super) async fn last_places(&self, dbs: &[DbName]) -> Result<Vec<Option<Seq>>, Failure> {
        let ask = |dbs: &[DbName]| {
            let prefix = &self.config.database_prefix;
            let keys: Vec<String> = dbs.iter().map(|db| format!("{prefix}{db}")).collect();
            async move {
                let request = self
                    .on_server(Method::POST, "/_dbs_info")
                    .within(self.config.bulk_timeout())
                    .body(json!({ "keys": keys }).to_string());
                let answer = self.transport.read(&request).await?;
                let rows = answer.decode::<Vec<InformationRow>>()?;
                if rows.len() == keys.len() {
                    Ok(rows)
                } else {
                    Err(Failure::Own(Kind::Unexpected, "not every database was told of"))
                }
            }
        };
        let asked: Vec<_> = dbs.chunks(TOLD_AT_ONCE).map(ask).collect();
        let rows = stream::iter(asked).buffered(self.config.parallel_databases);
        let rows: Vec<Vec<InformationRow>> = rows.try_collect().await?;
        let place = |row: InformationRow| row.info.map(|info| Seq::new(seq_text(info.update_seq)));
        Ok(rows.into_iter().flatten().map(place).collect())
    }

    /// Reads a checkpoint.
    pub(super) async fn read_checkpoint(
        &self,
        db: &DbName,
        name: &str,
    ) -> Result<Option<Value>, Failure> {
        Ok(self.stored_checkpoint(db, name).await?.map(|checkpoint| checkpoint.value))
    }

    /// Stores a checkpoint. CouchDB does not compare the revisions of `_local/` documents, other
    /// servers of its protocol do; so the revision is read before.
    pub(super) async fn write_checkpoint(
        &self,
        db: &DbName,
        name: &str,
        value: Value,
    ) -> Result<(), Failure> {
        let mut document = json!({ "value": value });
        for _ in 0..CHECKPOINT_TRIES {
            let stored = self.stored_checkpoint(db, name).await?;
            if let Some(rev) = stored.and_then(|checkpoint| checkpoint.rev) {
                document["_rev"] = Value::String(rev);
            }
            let request = self.on_document(Method::PUT, db, &checkpoint_id(name));
            match self.transport.read(&request.body(document.to_string())).await {
                Err(failure) if failure.has_status(409) => {}
                other => return other.map(drop),
            }
        }
        Err(Failure::Own(Kind::Unavailable, "the checkpoint is being written by someone else"))
    }

    async fn stored_checkpoint(
        &self,
        db: &DbName,
        name: &str,
    ) -> Result<Option<Checkpoint>, Failure> {
        let request = self.on_document(Method::GET, db, &checkpoint_id(name));
        match self.transport.read(&request).await {
            Ok(answer) => Ok(Some(answer.decode()?)),
            Err(failure) if failure.is_missing() => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

impl FeedRow {
    fn is_a_document(&self) -> bool {
        !self.id.starts_with(DESIGN_PREFIX)
    }

    /// The change; `None` for a row that names no revision, which no server sends.
    fn into_change(self) -> Option<Changed> {
        let rev = Rev::new(self.changes.into_iter().next()?.rev);
        Some(Changed { id: self.id, rev, deleted: self.deleted })
    }
}

fn checkpoint_id(name: &str) -> String {
    format!("_local/{name}")
}

/// A place as text: CouchDB 3 sends text, others a number or an array.
pub(super) fn seq_text(seq: Value) -> String {
    match seq {
        Value::String(text) => text,
        other => other.to_string(),
    }
}
