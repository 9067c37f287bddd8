//! The journal of a job: what each page writes, stored before it is written, in parts of a bounded size.

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{JobRepository, Report, RowResult, database, not_safe, unreadable};
use crate::{
    repository::{RecordedSet, RepositoryError},
    store::{Body, Document, Expect, IdRange, Kind, Order, Query, Question, WRITE_ID, Write},
};

/// The most bytes of the sets in one part of a journal.
const PART_BYTES: usize = 900_000;
/// A page of a unit as it is recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct RecordedPage {
    /// Which one, from 0.
    pub number: u64,
    /// What tells this recording from another one of the same page, so that it can be tried again when
    /// nobody knows whether it was stored.
    pub stamp: String,
    /// What it writes.
    pub sets: Vec<RecordedSet>,
    /// Where it began; `None` for the first.
    pub after: Option<String>,
    /// Where the next page goes on; `None` when it was the last.
    pub next: Option<String>,
    /// The unit's report with everything but what this page writes.
    pub report: Report,
    /// What became, or becomes by that, of all rows between the two places.
    pub results: Vec<RowResult>,
}

/// A part of a journal, for a list.
#[derive(Clone, Debug)]
pub struct JournalPart {
    /// Its place, to go on behind.
    pub place: String,
    /// What was written there.
    pub sets: Vec<RecordedSet>,
}

impl JobRepository {
    /// Records a page, before it is written.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when somebody else recorded that page: the job is theirs.
    pub async fn record(
        &self,
        job: &str,
        unit: u64,
        page: &RecordedPage,
    ) -> Result<(), RepositoryError> {
        let mut parts = Parts::default();
        page.sets.iter().for_each(|set| parts.push("sets", json!(set)));
        page.results.iter().for_each(|row| parts.push("results", json!(row)));
        let parts = parts.into_bodies();
        let last = parts.len() - 1;
        let write = |(number, mut body): (usize, Body)| {
            if number == last {
                body.insert("after".to_owned(), json!(page.after));
                body.insert("next".to_owned(), json!(page.next));
                body.insert("report".to_owned(), json!(page.report));
                body.insert("is_last".to_owned(), true.into());
            }
            body.insert(WRITE_ID.to_owned(), page.stamp.as_str().into());
            let id = format!("journal:{job}:{unit:06}:{:08}:{number:03}", page.number);
            Write::put(database(), id, Expect::Absent, body)
        };
        let set = parts.into_iter().enumerate().map(write).collect();
        match self.store.commit(set).await {
            Ok(done) if done.quorum => Ok(()),
            Ok(_) => Err(not_safe(job)),
            Err(err) if err.error.kind == Kind::Conflict => {
                Err(RepositoryError::Conflict { id: job.to_owned() })
            }
            Err(err) => Err(err.error.into()),
        }
    }

    /// The last page of a unit that was recorded whole, and the number that the next one has.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn last_page(
        &self,
        job: &str,
        unit: u64,
    ) -> Result<(Option<RecordedPage>, u64), RepositoryError> {
        let prefix = format!("journal:{job}:{unit:06}:");
        let mut query = Query {
            question: Question::All,
            range: IdRange::starting_with(&prefix),
            order: Order::Descending,
            after: None,
            limit: 1,
        };
        let mut next_number = 0;
        let mut page: Option<RecordedPage> = None;
        loop {
            let found = match self.store.query(&database(), &query).await {
                Err(err) if err.kind == Kind::NoDatabase => break,
                found => found?,
            };
            let Some(document) = found.documents.into_iter().next() else { break };
            let number = page_number(&document.id).ok_or_else(|| unreadable(&document.id))?;
            next_number = next_number.max(number + 1);
            query.after = Some(document.id.clone());
            let is_last = document.body.get("is_last").and_then(Value::as_bool) == Some(true);
            match &mut page {
                Some(page) if page.number == number => {
                    let mut sets = sets_of(&document)?;
                    sets.append(&mut page.sets);
                    page.sets = sets;
                    let mut results = results_of(&document)?;
                    results.append(&mut page.results);
                    page.results = results;
                }
                // A page before the one that was found.
                Some(_) => break,
                // Without its last part a page was not begun.
                None if !is_last => (),
                None => page = Some(recorded_page(&document, number)?),
            }
        }
        Ok((page, next_number))
    }

    /// A part of a job's journal behind a place, in order or backwards; none at the end.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn journal(
        &self,
        job: &str,
        after: Option<&str>,
        backwards: bool,
    ) -> Result<Option<JournalPart>, RepositoryError> {
        let prefix = format!("journal:{job}:");
        let query = Query {
            question: Question::All,
            range: IdRange::starting_with(&prefix),
            order: if backwards { Order::Descending } else { Order::Ascending },
            after: after.map(|place| format!("{prefix}{place}")),
            limit: 1,
        };
        let page = self.store.query(&database(), &query).await?;
        let Some(document) = page.documents.into_iter().next() else {
            return Ok(None);
        };
        let place = document.id[prefix.len()..].to_owned();
        Ok(Some(JournalPart { place, sets: sets_of(&document)? }))
    }
}

/// The number of the page in the id of a part.
pub(super) fn page_number(id: &str) -> Option<u64> {
    id.rsplit(':').nth(1)?.parse().ok()
}

fn recorded_page(document: &Document, number: u64) -> Result<RecordedPage, RepositoryError> {
    let place = |key: &str| document.body.get(key).and_then(Value::as_str).map(str::to_owned);
    let (after, next) = (place("after"), place("next"));
    let stamp = place(WRITE_ID).unwrap_or_default();
    let report = document.body.get("report").cloned().unwrap_or_default();
    let report = serde_json::from_value(report).map_err(|_| unreadable(&document.id))?;
    let (sets, results) = (sets_of(document)?, results_of(document)?);
    Ok(RecordedPage { number, stamp, sets, after, next, report, results })
}

fn sets_of(document: &Document) -> Result<Vec<RecordedSet>, RepositoryError> {
    list_of(document, "sets")
}

pub(super) fn results_of(document: &Document) -> Result<Vec<RowResult>, RepositoryError> {
    list_of(document, "results")
}

fn list_of<T: DeserializeOwned>(document: &Document, key: &str) -> Result<Vec<T>, RepositoryError> {
    match document.body.get(key) {
        None => Ok(Vec::new()),
        Some(list) => Vec::deserialize(list).map_err(|_| unreadable(&document.id)),
    }
}

/// The parts of a page as they grow.
#[derive(Debug, Default)]
struct Parts {
    full: Vec<Body>,
    open: Body,
    bytes: usize,
}

impl Parts {
    fn push(&mut self, key: &str, value: Value) {
        let bytes = value.to_string().len();
        if self.bytes > 0 && self.bytes + bytes > PART_BYTES {
            self.full.push(std::mem::take(&mut self.open));
            self.bytes = 0;
        }
        self.bytes += bytes;
        let list = self.open.entry(key).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(list) = list {
            list.push(value);
        }
    }

    fn into_bodies(mut self) -> Vec<Body> {
        self.full.push(self.open);
        for body in &mut self.full {
            body.insert("pvt_type".to_owned(), "job_journal".into());
        }
        self.full
    }
}
