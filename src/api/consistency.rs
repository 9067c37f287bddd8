//! How numbers and copies agree, as far as that is known.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use axum::extract::State;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::service::LastAudit;

use super::{
    Api,
    envelope::Reply,
    extract::AdminCall,
    fault::Fault,
    jobs::{FindingsBody, JobCounts},
    words::{Answer, Faults},
};

/// How numbers and copies agree.
#[derive(ToSchema)]
struct ConsistencyBody {
    /// The last audit of everything; null before the first.
    last_audit: Option<LastAuditBody>,
    /// The audit that runs now; null when there is none.
    running: Option<String>,
    /// How far behind the follower is; null while there is none.
    follower: Option<Value>,
}

/// The last audit of everything.
#[derive(ToSchema)]
struct LastAuditBody {
    /// The job.
    job: String,
    /// As RFC 3339.
    started: Option<String>,
    /// As RFC 3339.
    finished: String,
    /// Whether it repaired what it found.
    repair: bool,
    counts: JobCounts,
    /// What it found, by kind: `missing`, `stale`, `extra`, `wrong_owner`, `conflicting`,
    /// `conflicting_owners`, `no_account`, `undecodable`, `wrong_database`.
    findings: BTreeMap<String, FindingsBody>,
}

/// Show how numbers and copies agree.
#[utoipa::path(
    get,
    path = "/v2/consistency",
    tag = "maintenance",
    responses(
        (status = 200, description = "What the last audit found", body = Answer<ConsistencyBody>),
        Faults,
    ),
)]
pub(super) async fn get_consistency(State(api): State<Api>, _: AdminCall) -> Result<Reply, Fault> {
    let (last, running) = (api.service.last_audit().await?, api.jobs.running("audit").await?);
    Ok(Reply::ok(json!({
        "last_audit": last.as_ref().map(shown),
        "running": running,
        "follower": null,
    })))
}

fn shown(audit: &LastAudit) -> Value {
    json!(audit)
}
