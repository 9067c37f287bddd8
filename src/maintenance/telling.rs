//! What the repairs and removals have in common: how their units are read, and their reports in words.

use std::fmt::Write;

use crate::{
    domain::{AccountId, NumberDatabase},
    jobs::{Job, JobState, Unit, UnitReport},
    service::Error,
};

/// The account of a unit.
pub(super) fn account(id: &str) -> Result<AccountId, Error> {
    AccountId::parse(id).map_err(|err| Error::Invalid { cause: err.to_string() })
}

/// The database of a unit.
pub(super) fn database(name: &str) -> Result<NumberDatabase, Error> {
    NumberDatabase::parse_or_stock(name).map_err(|err| Error::Invalid { cause: err.to_string() })
}

/// A unit: `line` says what became of it, then what failed and what was found, number by number.
pub(super) fn told(unit: &Unit, left: usize, report: &UnitReport, line: &str) -> String {
    let mut text = String::new();
    if let Some(name) = unit.database() {
        let _ = writeln!(text, "({}) processing '{name}' database", left + 1);
    }
    let _ = writeln!(text, "     {line}");
    for (id, why) in &report.failed {
        let _ = writeln!(text, "     {id} failed: {why}");
    }
    for (kind, id) in &report.found {
        let _ = writeln!(text, "     {id} {kind}");
    }
    text
}

/// The last line.
pub(super) fn closing(job: &Job) -> String {
    match (job.counts.failed, &job.state) {
        (0, state) if *state != JobState::Failed => "::: done successfully\n\n".to_owned(),
        (failed, _) => format!("::: done. {failed} failed\n\n"),
    }
}
