//! A finished job as the wire shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::service::{Converted, NewStock};

use super::{fault, text};

/// The most failures that are listed; the counts tell of all.
const FAILURES: usize = 100;

/// What a job was asked to do, and when it ran.
#[derive(Debug)]
pub(super) struct Record {
    /// The operation's name.
    pub name: &'static str,
    /// What it was about, as it was asked for.
    pub scope: Value,
    /// Whether nothing was to be written.
    pub dry_run: bool,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub finished: Timestamp,
}

/// What became of numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
struct Counts {
    read: u64,
    changed: u64,
    unchanged: u64,
    skipped: u64,
    failed: u64,
}

impl Counts {
    fn add(&mut self, result: &Converted) {
        self.read += result.read;
        self.changed += (result.converted.len() as u64).saturating_sub(result.unchanged);
        self.unchanged += result.unchanged;
        self.failed += result.failed.len() as u64;
    }

    fn join(&mut self, other: Self) {
        self.read += other.read;
        self.changed += other.changed;
        self.unchanged += other.unchanged;
        self.skipped += other.skipped;
        self.failed += other.failed;
    }

    fn state(&self) -> &'static str {
        match (self.failed, self.changed + self.unchanged) {
            (0, _) => "succeeded",
            (_, 0) => "failed",
            _ => "partial",
        }
    }
}

/// A finished conversion.
pub(super) fn conversion(run: &Record, results: &[Converted]) -> Value {
    let mut report = Report::default();
    for result in results {
        let mut counts = Counts::default();
        counts.add(result);
        let name = result.database.as_deref().map(text::database);
        report.count(name.as_deref(), counts);
        for (id, failure) in &result.failed {
            report.fail(name.as_deref(), id, &failure.error, &failure.message);
        }
    }
    report.of(run)
}

/// Numbers that were made. Those that were there before are listed and are no failures.
pub(super) fn generation(run: &Record, stock: &NewStock) -> Value {
    let mut report = Report::default();
    let (made, existing) = (stock.made.len() as u64, stock.existing.len() as u64);
    let failed = stock.failed.len() as u64;
    let read = made + existing + failed;
    let name = text::database(&stock.database);
    let counts = Counts { read, changed: made, unchanged: 0, skipped: existing, failed };
    report.count(Some(&name), counts);
    for (id, failure) in &stock.failed {
        report.fail(Some(&name), id.as_str(), &failure.error, &failure.message);
    }
    for id in &stock.existing {
        let message = format!("number {id} already exists");
        report.fail(Some(&name), id.as_str(), "number_exists", &message);
    }
    report.of(run)
}

/// What is put together for an answer.
#[derive(Default)]
struct Report {
    counts: Counts,
    per_database: BTreeMap<String, Counts>,
    failures: Vec<Value>,
}

impl Report {
    /// Adds what was counted. Several parts of a database are several results.
    fn count(&mut self, database: Option<&str>, counts: Counts) {
        self.counts.join(counts);
        if let Some(name) = database {
            self.per_database.entry(name.to_owned()).or_default().join(counts);
        }
    }

    fn fail(&mut self, database: Option<&str>, id: &str, error: &str, message: &str) {
        if self.failures.len() < FAILURES {
            self.failures.push(json!({
                "id": id,
                "database": database,
                "code": fault::code_of(error),
                "error": error,
                "message": message,
            }));
        }
    }

    fn of(self, run: &Record) -> Value {
        let time = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let told = self.counts.failed + self.counts.skipped;
        json!({
            "id": Uuid::new_v4().simple().to_string(),
            "operation": run.name,
            "state": self.counts.state(),
            "created": time(run.started),
            "started": time(run.started),
            "finished": time(run.finished),
            "scope": run.scope,
            "options": { "dry_run": run.dry_run },
            "progress": {
                "databases_done": self.per_database.len(),
                "databases_total": self.per_database.len(),
            },
            "counts": self.counts,
            "per_database": self.per_database,
            "truncated": told > self.failures.len() as u64,
            "failures": self.failures,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::service::Failure;

    use super::*;

    fn job(converted: &[&str], failed: usize) -> Value {
        let failure = Failure { error: "not_found".to_owned(), message: "gone".to_owned() };
        let result = Converted {
            database: Some("numbers/+1415".to_owned()),
            read: 3,
            converted: converted.iter().map(|&number| number.to_owned()).collect(),
            unchanged: 0,
            failed: vec![("+14155550100".to_owned(), failure); failed],
        };
        let run = Record {
            name: "convert_carrier",
            scope: json!({"all": true}),
            dry_run: false,
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
        };
        conversion(&run, &[result])
    }

    #[test]
    fn a_job_counts_what_it_did() {
        let job = job(&["+14155550101"], 1);
        assert_eq!(job["state"], "partial");
        let counts = json!({"read": 3, "changed": 1, "unchanged": 0, "skipped": 0, "failed": 1});
        assert_eq!(job["counts"], counts);
        assert_eq!(job["per_database"]["numbers%2F%2B1415"], counts);
        assert_eq!(
            job["failures"][0],
            json!({
                "id": "+14155550100", "database": "numbers%2F%2B1415", "code": 404,
                "error": "not_found", "message": "gone",
            })
        );
        assert_eq!(job["finished"], "1970-01-01T00:00:00Z");
        assert_eq!(job["truncated"], false);
    }

    #[test]
    fn parts_of_a_database_are_counted_together() {
        let part = |read, converted: &[&str], unchanged| Converted {
            database: Some("numbers/+1415".to_owned()),
            read,
            converted: converted.iter().map(|&number| number.to_owned()).collect(),
            unchanged,
            failed: Vec::new(),
        };
        let run = Record {
            name: "convert_carrier",
            scope: json!({"databases": ["+14154", "+14155"]}),
            dry_run: false,
            started: Timestamp::UNIX_EPOCH,
            finished: Timestamp::UNIX_EPOCH,
        };
        let parts = [part(2, &["+14154550100"], 0), part(1, &["+14155550100"], 1)];
        let job = conversion(&run, &parts);
        let counts = json!({"read": 3, "changed": 1, "unchanged": 1, "skipped": 0, "failed": 0});
        assert_eq!(job["per_database"], json!({"numbers%2F%2B1415": counts}));
        assert_eq!((&job["counts"], &job["state"]), (&counts, &json!("succeeded")));
    }

    #[test]
    fn many_failures_are_cut_and_counted() {
        let job = job(&[], 150);
        assert_eq!(job["state"], "failed");
        assert_eq!(job["failures"].as_array().unwrap().len(), 100);
        assert_eq!((&job["truncated"], &job["counts"]["failed"]), (&true.into(), &150.into()));
    }
}
