//! What became of the rows of a table, read from the journal of the job that went through them.

use serde_json::Value;

use super::{
    JobRepository, RepositoryError, RowResult, database,
    pages::{page_number, results_of},
    unreadable,
};
use crate::store::{IdRange, Order, Query, Question};

/// How many parts of a journal are read at once: each can be large.
const READ_AT_ONCE: usize = 4;

/// What became of the rows of a page that was recorded whole.
#[derive(Clone, Debug, PartialEq)]
pub struct ResultPage {
    /// Its unit in the journal, and where it begins in that. A page of the same place that follows says
    /// the same rows again, as they were found to be later, and counts instead.
    pub place: (String, Option<String>),
    /// The rows.
    pub rows: Vec<RowResult>,
}

/// The reading of a journal's rows that is under way.
#[derive(Debug, Default)]
pub struct ResultReading {
    after: Option<String>,
    /// The parts of a page of which the last one is still to come: its number, and its rows.
    open: Option<(String, Vec<RowResult>)>,
    held: Option<ResultPage>,
}

impl JobRepository {
    /// Reads the rows of a job on: those of the next pages, each as it counts in the end. None at the
    /// end of the journal.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn rows_on(
        &self,
        job: &str,
        reading: &mut ResultReading,
    ) -> Result<Option<Vec<ResultPage>>, RepositoryError> {
        let query = Query {
            question: Question::All,
            range: IdRange::starting_with(&format!("journal:{job}:")),
            order: Order::Ascending,
            after: reading.after.clone(),
            limit: READ_AT_ONCE,
        };
        let found = self.store.query(&database(), &query).await?.documents;
        let Some(last) = found.last() else {
            return Ok(reading.held.take().map(|held| vec![held]));
        };
        reading.after = Some(last.id.clone());
        let mut pages = Vec::new();
        for document in found {
            let page = document.id.rsplit_once(':').map_or("", |(page, _)| page).to_owned();
            let mut rows = match reading.open.take() {
                Some((open, rows)) if open == page => rows,
                // Without its last part a page was not begun.
                _ => Vec::new(),
            };
            rows.append(&mut results_of(&document)?);
            if document.body.get("is_last").and_then(Value::as_bool) != Some(true) {
                reading.open = Some((page, rows));
                continue;
            }
            page_number(&document.id).ok_or_else(|| unreadable(&document.id))?;
            let unit = page.rsplit_once(':').map_or("", |(unit, _)| unit).to_owned();
            let after = document.body.get("after").and_then(Value::as_str).map(str::to_owned);
            let page = ResultPage { place: (unit, after), rows };
            let before = reading.held.replace(page);
            let is_replaced = |before: &ResultPage| {
                reading.held.as_ref().is_some_and(|held| held.place == before.place)
            };
            pages.extend(before.filter(|before| !is_replaced(before)));
        }
        Ok(Some(pages))
    }
}
