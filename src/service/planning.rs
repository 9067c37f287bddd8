//! Work that is planned page by page, recorded, and then done: what a job does it with.

use super::{Error, NumberService};
use crate::{
    domain::{AccountId, NumberDatabase},
    repository::{Applied, Plan, PlannedSet, RecordedSet, RowResult, Way},
};

/// Why one number of many was not changed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Failure {
    /// The error's id (`not_found`, `datastore_conflict`).
    pub error: String,
    /// The same in words.
    pub message: String,
}

/// What was made of a page of documents, but for what is written: that is in the plan.
#[derive(Clone, Debug, Default)]
pub struct PageOutcome {
    /// How many were looked at.
    pub read: u64,
    /// How many were changed that are no documents, and so in no plan.
    pub changed: u64,
    /// How many are right already.
    pub unchanged: u64,
    /// How many the operation is not about.
    pub skipped: u64,
    /// Those that failed, and why.
    pub failed: Vec<(String, Failure)>,
    /// Those that are right already and that reports name beside those that were changed.
    pub right: Vec<String>,
    /// What was found: its kind and the document.
    pub found: Vec<(&'static str, String)>,
    /// What a report in words says of this page beside that.
    pub lines: Vec<String>,
    /// What becomes of rows of a table, in order.
    pub rows: Vec<RowResult>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl NumberService {
    /// The same service over a store that keeps its writes to itself, and what they would be. Nobody
    /// outside is asked or told anything. For a page of documents: all that is read is kept.
    #[must_use]
    pub fn planning(&self) -> (Self, Plan) {
        let (numbers, plan) = self.numbers.planning();
        (Self { numbers, rehearses: true, ..self.clone() }, plan)
    }

    /// The databases of numbers, in order; those of the carriers' stock only `with_stock`.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn number_databases(&self, with_stock: bool) -> Result<Vec<NumberDatabase>, Error> {
        Ok(self.numbers.databases(with_stock).await?)
    }

    /// The accounts that have a database, in order.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn account_ids(&self) -> Result<Vec<AccountId>, Error> {
        Ok(self.numbers.account_databases().await?.into_iter().collect())
    }

    /// Writes what was planned, each number expecting what was read then.
    pub async fn carry_out_planned(&self, sets: &[PlannedSet]) -> Vec<Applied> {
        self.numbers.carry_out_planned(sets).await
    }

    /// Whether a number that gets back what these writes took from it has features that somebody
    /// outside has to put in place again.
    #[must_use]
    pub fn is_to_be_provided_again(&self, set: &RecordedSet) -> bool {
        set.features_lost().into_iter().any(|feature| self.providers.is_outside(feature))
    }

    /// Writes what was recorded and is not written yet, or takes it back.
    pub async fn carry_out_recorded(&self, sets: &[RecordedSet], way: Way) -> Vec<Applied> {
        self.numbers.carry_out_recorded(sets, way).await
    }
}

impl PageOutcome {
    /// Both together, going on where the second does.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.read += other.read;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.failed.extend(other.failed);
        self.right.extend(other.right);
        self.found.extend(other.found);
        self.lines.extend(other.lines);
        self.rows.extend(other.rows);
        Self { next: other.next, ..self }
    }

    /// Counts what could not be done.
    pub fn fail(&mut self, id: impl Into<String>, err: &Error) {
        self.failed.push((id.into(), Failure::from(err)));
    }
}

impl From<&Error> for Failure {
    fn from(err: &Error) -> Self {
        let message = match err {
            Error::Forbidden { cause: Some(cause) } => format!("{err}: {cause}"),
            err => err.to_string(),
        };
        Self { error: err.id().to_owned(), message }
    }
}
