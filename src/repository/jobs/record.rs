//! A job as it is kept: what was asked for, where it stands, and what became of it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What became of documents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Looked at.
    pub read: u64,
    /// Written or removed.
    pub changed: u64,
    /// Found to be right already.
    pub unchanged: u64,
    /// Not touched, because the operation is not about them.
    pub skipped: u64,
    /// Left as they were, because they failed.
    pub failed: u64,
}

/// What became of one row of a table that a job reads or makes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowResult {
    /// Which row of its unit.
    pub row: u64,
    /// The row as the result shows it; the first cell is the number.
    pub cells: Vec<String>,
    /// Why nothing was done about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of rows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowTally {
    /// How many went well.
    pub good: u64,
    /// How many did not.
    pub bad: u64,
    /// The columns in which any of them has something, a bit each.
    pub columns: u32,
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Nobody has begun with it.
    Queued,
    /// Somebody works on it.
    Running,
    /// It was stopped and can go on.
    Paused,
    /// Everything was done.
    Succeeded,
    /// Some things failed.
    Partial,
    /// Nothing was done.
    Failed,
    /// It was stopped for good.
    Cancelled,
}

/// What somebody wants of a job that runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wanted {
    /// That it stops and can go on.
    Pause,
    /// That it stops for good.
    Cancel,
}

/// Who runs a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The process.
    pub holder: String,
    /// How often the job was taken.
    pub epoch: u64,
    /// Until when nobody else takes it, in milliseconds of Unix time.
    pub until_ms: i64,
}

/// One thing that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobFailure {
    /// The number, or the database as a whole.
    pub id: String,
    /// The database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub database: Option<String>,
    /// The error's id.
    pub error: String,
    /// The same in words.
    pub message: String,
}

/// What was found of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Findings {
    /// How often.
    pub count: u64,
    /// The first ids.
    pub ids: Vec<String>,
}

/// What became of one unit of a job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Counts.
    pub tally: Tally,
    /// The first failures.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<JobFailure>,
    /// What was found, by kind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub findings: BTreeMap<String, Findings>,
    /// What became of rows.
    #[serde(default, skip_serializing_if = "RowTally::is_empty")]
    pub rows: RowTally,
}

/// Which units are finished.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DoneUnits {
    /// All before this one.
    below: u64,
    /// And these.
    beyond: BTreeSet<u64>,
}

/// A job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// Its id: ids rise with time.
    pub id: String,
    /// The operation.
    pub operation: String,
    /// What was asked for: the operation's own members.
    pub arguments: Map<String, Value>,
    /// Which documents it is about, as it was asked for.
    pub scope: Value,
    /// Whether nothing is written.
    pub dry_run: bool,
    /// The most documents of one page.
    pub page_size: usize,
    /// How many databases are worked on at once.
    pub concurrency: usize,
    /// The pause between two pages of a database, in milliseconds.
    pub pause_ms: u64,
    /// Who asked for it.
    pub asked_by: String,
    /// The name of the token that it was asked for with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_with: Option<String>,
    /// Where it stands.
    pub state: JobState,
    /// What somebody wants of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wanted: Option<Wanted>,
    /// When it was asked for (RFC 3339).
    pub created: String,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished: Option<String>,
    /// Who runs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Lease>,
    /// How many units it has, once that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units: Option<u64>,
    /// Which of them are finished.
    #[serde(default)]
    pub done: DoneUnits,
    /// Counts, over all units that are finished.
    #[serde(default)]
    pub counts: Tally,
    /// Counts of those that are not.
    #[serde(default)]
    pub live: Tally,
    /// Counts by database.
    #[serde(default)]
    pub per_database: BTreeMap<String, Tally>,
    /// The first failures.
    #[serde(default)]
    pub failures: Vec<JobFailure>,
    /// What was found, by kind.
    #[serde(default)]
    pub findings: BTreeMap<String, Findings>,
    /// What became of rows, over all units that are finished.
    #[serde(default, skip_serializing_if = "RowTally::is_empty")]
    pub rows: RowTally,
    /// Why it ended before everything was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<JobFailure>,
}

impl JobState {
    /// Whether nothing happens to it any more.
    #[must_use]
    pub fn has_ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Partial | Self::Failed | Self::Cancelled)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Succeeded => "succeeded",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl Tally {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Self) {
        self.read += other.read;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.failed += other.failed;
    }
}

impl RowTally {
    /// Counts what became of these rows.
    pub fn count(&mut self, rows: &[RowResult]) {
        for row in rows {
            if row.error.is_some() {
                self.bad += 1;
            } else {
                self.good += 1;
            }
            for (column, _) in (0..u32::BITS).zip(&row.cells).filter(|(_, cell)| !cell.is_empty()) {
                self.columns |= 1 << column;
            }
        }
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: Self) {
        self.good += other.good;
        self.bad += other.bad;
        self.columns |= other.columns;
    }

    /// Whether there were no rows.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.good + self.bad == 0
    }
}

impl RowResult {
    /// The document that the row is about.
    #[must_use]
    pub fn id(&self) -> &str {
        self.cells.first().map_or("", String::as_str)
    }
}

impl Report {
    /// The most failures, and the most ids of one kind of finding, that are kept.
    pub const LISTED: usize = 100;

    /// Counts a failure, and keeps it if it is one of the first.
    pub fn fail(&mut self, failure: JobFailure) {
        self.tally.failed += 1;
        if self.failures.len() < Self::LISTED {
            self.failures.push(failure);
        }
    }

    /// Counts a finding.
    pub fn find(&mut self, kind: &str, id: String) {
        let found = match self.findings.get_mut(kind) {
            Some(found) => found,
            None => self.findings.entry(kind.to_owned()).or_default(),
        };
        found.count += 1;
        if found.ids.len() < Self::LISTED {
            found.ids.push(id);
        }
    }
}

impl DoneUnits {
    /// Whether the unit is finished.
    #[must_use]
    pub fn contains(&self, unit: u64) -> bool {
        unit < self.below || self.beyond.contains(&unit)
    }

    /// Marks a unit as finished.
    pub fn insert(&mut self, unit: u64) {
        self.beyond.insert(unit);
        while self.beyond.remove(&self.below) {
            self.below += 1;
        }
    }

    /// How many are finished.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.below + self.beyond.len() as u64
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Job {
    /// Adds what became of a finished unit, which works on `database` or on several.
    pub fn add(&mut self, database: Option<&str>, report: Report) {
        self.counts.add(report.tally);
        self.rows.add(report.rows);
        if let Some(name) = database {
            self.per_database.entry(name.to_owned()).or_default().add(report.tally);
        }
        let room = Report::LISTED.saturating_sub(self.failures.len());
        self.failures.extend(report.failures.into_iter().take(room));
        for (kind, found) in report.findings {
            let all = self.findings.entry(kind).or_default();
            all.count += found.count;
            let room = Report::LISTED.saturating_sub(all.ids.len());
            all.ids.extend(found.ids.into_iter().take(room));
        }
    }
}
