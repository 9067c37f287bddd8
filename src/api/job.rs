//! A finished job as the wire shows it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::service::Converted;

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
    let mut counts = Counts::default();
    let mut per_database = BTreeMap::<String, Counts>::new();
    let mut failures = Vec::new();
    for result in results {
        counts.add(result);
        let name = result.database.as_deref().map(text::database);
        if let Some(name) = &name {
            // Several parts of a database are several results.
            per_database.entry(name.clone()).or_default().add(result);
        }
        for (id, failure) in result.failed.iter().take(FAILURES - failures.len()) {
            failures.push(json!({
                "id": id,
                "database": name,
                "code": fault::code_of(&failure.error),
                "error": failure.error,
                "message": failure.message,
            }));
        }
    }
    let time = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "id": Uuid::new_v4().simple().to_string(),
        "operation": run.name,
        "state": counts.state(),
        "created": time(run.started),
        "started": time(run.started),
        "finished": time(run.finished),
        "scope": run.scope,
        "options": { "dry_run": run.dry_run },
        "progress": {
            "databases_done": per_database.len(),
            "databases_total": per_database.len(),
        },
        "counts": counts,
        "per_database": per_database,
        "truncated": counts.failed > failures.len() as u64,
        "failures": failures,
    })
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
