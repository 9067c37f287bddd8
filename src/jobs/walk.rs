//! What is known of a unit while a job goes through it.

use super::{operation::UnitReport, scope::Unit};
use crate::{
    repository::{JobFailure, Report, RowResult},
    service::{Error, PageOutcome},
};

/// A unit that is gone through.
pub(super) struct Walk<'a> {
    pub(super) number: u64,
    pub(super) unit: &'a Unit,
    pub(super) database: Option<String>,
    pub(super) report: Report,
    /// Whether anybody listens to the report in words, which grows with the unit.
    pub(super) is_told: bool,
    pub(super) told: UnitReport,
    /// The number that the next recorded page has.
    pub(super) page: u64,
    /// What became of the rows of the page that is under way.
    pub(super) rows: Vec<RowResult>,
    /// The documents of it that could not be written, and why.
    pub(super) unwritten: Vec<(String, String)>,
}

/// Why a document was not written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Failed {
    /// Whether it was changed by somebody else, so that it can be planned again.
    pub(super) is_stale: bool,
    /// Whether it may have been written all the same.
    pub(super) is_in_doubt: bool,
    pub(super) error: &'static str,
    pub(super) message: String,
}

impl Walk<'_> {
    /// Takes over what a page says beside what it writes.
    pub(super) fn take(&mut self, outcome: &mut PageOutcome) {
        self.rows = std::mem::take(&mut outcome.rows);
        let tally = &mut self.report.tally;
        tally.read += outcome.read;
        tally.changed += outcome.changed;
        tally.unchanged += outcome.unchanged;
        tally.skipped += outcome.skipped;
        for (id, failure) in std::mem::take(&mut outcome.failed) {
            self.fail(&id, &failure.error, &failure.message);
        }
        for (kind, id) in &outcome.found {
            self.report.find(kind, id.clone());
        }
        if self.is_told {
            self.told.found.append(&mut outcome.found);
            self.told.done.append(&mut outcome.right);
            self.told.lines.append(&mut outcome.lines);
        }
    }

    /// Counts what was written; returns what has to be planned again.
    pub(super) fn count(
        &mut self,
        outcomes: impl IntoIterator<Item = (impl AsRef<str>, Result<bool, Failed>)>,
    ) -> Vec<String> {
        let mut stale = Vec::new();
        for (id, outcome) in outcomes {
            let id = id.as_ref();
            match outcome {
                Ok(_) => {
                    self.report.tally.changed += 1;
                    if self.is_told {
                        self.told.done.push(id.to_owned());
                    }
                }
                Err(failed) if failed.is_stale => stale.push(id.to_owned()),
                Err(failed) => {
                    self.fail(id, failed.error, &failed.message);
                    self.unwritten.push((id.to_owned(), failed.message));
                }
            }
        }
        stale
    }

    /// Says of the rows about these documents what was found when they were planned again.
    pub(super) fn replace_rows(&mut self, ids: &[String], rows: &[RowResult]) {
        for row in &mut self.rows {
            if row.error.is_none()
                && ids.iter().any(|id| id == row.id())
                && let Some(found) = rows.iter().find(|found| found.row == row.row)
            {
                row.clone_from(found);
            }
        }
    }

    pub(super) fn fail(&mut self, id: &str, error: &str, message: &str) {
        if self.is_told {
            self.told.failed.push((id.to_owned(), message.to_owned()));
        }
        self.report.fail(JobFailure {
            id: id.to_owned(),
            database: self.database.clone(),
            error: error.to_owned(),
            message: message.to_owned(),
        });
    }

    /// The unit's report in full.
    pub(super) fn told(&mut self) -> UnitReport {
        let mut told = std::mem::take(&mut self.told);
        told.tally = self.report.tally;
        told.done.sort_unstable();
        told.failed.sort_unstable();
        told
    }
}

impl From<Error> for Failed {
    fn from(err: Error) -> Self {
        let (error, message) = (err.id(), err.to_string());
        Self { is_stale: false, is_in_doubt: false, error, message }
    }
}
