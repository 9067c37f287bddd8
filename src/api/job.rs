//! A finished job as the wire shows it.

use jiff::Timestamp;
use serde_json::{Map, Value, json};
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

/// A finished conversion.
pub(super) fn conversion(run: &Record, results: &[Converted]) -> Value {
    let changed: usize = results.iter().map(|result| result.converted.len()).sum();
    let failed: usize = results.iter().map(|result| result.failed.len()).sum();
    let unchanged: u64 = results.iter().map(|result| result.unchanged).sum();
    let read: u64 = results.iter().map(|result| result.read).sum();
    let mut per_database = Map::new();
    let mut failures = Vec::new();
    for result in results {
        let name = result.database.as_deref().map(text::database);
        if let Some(name) = &name {
            let (changed, failed) = (result.converted.len(), result.failed.len());
            let counts = counts(result.read, changed, result.unchanged, failed);
            per_database.insert(name.clone(), counts);
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
    let state = match (failed, changed) {
        (0, _) => "succeeded",
        (_, 0) if unchanged == 0 => "failed",
        _ => "partial",
    };
    let time = |time: Timestamp| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    json!({
        "id": Uuid::new_v4().simple().to_string(),
        "operation": run.name,
        "state": state,
        "created": time(run.started),
        "started": time(run.started),
        "finished": time(run.finished),
        "scope": run.scope,
        "options": { "dry_run": run.dry_run },
        "progress": {
            "databases_done": per_database.len(),
            "databases_total": per_database.len(),
        },
        "counts": counts(read, changed, unchanged, failed),
        "per_database": per_database,
        "truncated": failed > failures.len(),
        "failures": failures,
    })
}

fn counts(read: u64, changed: usize, unchanged: u64, failed: usize) -> Value {
    json!({
        "read": read, "changed": changed, "unchanged": unchanged, "skipped": 0, "failed": failed,
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
    fn many_failures_are_cut_and_counted() {
        let job = job(&[], 150);
        assert_eq!(job["state"], "failed");
        assert_eq!(job["failures"].as_array().unwrap().len(), 100);
        assert_eq!((&job["truncated"], &job["counts"]["failed"]), (&true.into(), &150.into()));
    }
}
