//! How numbers and copies agree, as far as that is known.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use axum::extract::State;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::service::{Disconnect, LastAudit, Leftover, Purchase};

use super::{
    Api,
    envelope::Reply,
    extract::AdminCall,
    fault::Fault,
    jobs_words::{FindingsBody, JobCounts},
    words::{Answer, Faults},
};

/// How numbers and copies agree.
#[derive(ToSchema)]
struct ConsistencyBody {
    /// The last audit of everything; null before the first.
    last_audit: Option<LastAuditBody>,
    /// The audit that runs now; null when there is none.
    running: Option<String>,
    /// How copies are kept true; null where this process has nothing to do with it.
    follower: Option<FollowerBody>,
    carriers: CarriersOpenBody,
    /// What those who provide features outside are still to be told: at most a thousand, by number.
    providers: Vec<LeftoverBody>,
    /// E-mail to humans that no server has taken yet: at most a thousand, by number.
    letters: Vec<LeftoverBody>,
}

/// What is open between us and carriers: at most a thousand of each kind, by number.
#[derive(ToSchema)]
struct CarriersOpenBody {
    /// Numbers that left our stock and are to be given back.
    disconnects: Vec<DisconnectBody>,
    /// Purchases that are under way, or of which nobody knows how they ended.
    purchases: Vec<PurchaseBody>,
}

/// A number that is to be given back.
#[derive(ToSchema)]
struct DisconnectBody {
    number: String,
    carrier: String,
    /// Since when, in Gregorian seconds.
    since: i64,
    /// From when on it is tried again, in Gregorian seconds.
    due: i64,
    /// How often it failed.
    tries: u32,
    /// Why, the last time, in the carrier's words.
    reason: Option<String>,
}

/// A number of which what is outside may differ from what it says.
#[derive(ToSchema)]
struct LeftoverBody {
    number: String,
    /// Who is to be told.
    providers: Vec<String>,
    /// Since when, in Gregorian seconds.
    since: i64,
    /// From when on it is tried again, in Gregorian seconds.
    due: i64,
    /// How often it failed.
    tries: u32,
    /// Why, the last time, in the vendor's words.
    reason: Option<String>,
}

/// A purchase that was not finished.
#[derive(ToSchema)]
struct PurchaseBody {
    number: String,
    carrier: String,
    /// The account that is to have the number.
    account: String,
    /// Whether the carrier is known to have sold it.
    is_bought: bool,
    /// When it was last worked on, in Gregorian seconds.
    modified: i64,
    /// How often it was asked about in vain.
    tries: u32,
    /// Why, the last time, in the carrier's words.
    reason: Option<String>,
}

/// How copies are kept true, as its holder said last.
#[derive(ToSchema)]
struct FollowerBody {
    /// The process that does it; null while nobody is known to.
    holder: Option<String>,
    /// Whether that is the one that answers.
    here: bool,
    /// How often it changed hands.
    epoch: Option<u64>,
    /// How old the oldest change is that is not settled, in milliseconds: each one is looked at
    /// twice, some seconds apart.
    lag_ms: u64,
    /// How many databases have changes that were not read yet.
    databases_behind: u64,
    /// How many numbers could not be settled and are tried again.
    retries: u64,
    /// How many of them have versions that name different owners: a person must decide.
    conflicting_owners: u64,
    /// How many numbers had copies that were put right since it changed hands.
    healed: u64,
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
    /// `conflicting_copy`, `conflicting_owners`, `no_account`, `undecodable`, `wrong_database`.
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
    let open = api.service.unsettled().await?;
    Ok(Reply::ok(json!({
        "last_audit": last.as_ref().map(shown),
        "running": running,
        "follower": api.follower.shown(),
        "carriers": {
            "disconnects": open.disconnects.iter().map(disconnect).collect::<Value>(),
            "purchases": open.purchases.iter().map(purchase).collect::<Value>(),
        },
        "providers": open.leftovers.iter().map(leftover).collect::<Value>(),
        "letters": open.letters.iter().map(leftover).collect::<Value>(),
    })))
}

fn disconnect(it: &Disconnect) -> Value {
    json!({
        "number": it.number.as_str(), "carrier": it.carrier.as_str(), "since": it.since,
        "due": it.due, "tries": it.tries, "reason": it.reason,
    })
}

fn leftover(it: &Leftover) -> Value {
    let mut providers: Vec<&str> = it.left.iter().map(|left| left.provider.as_str()).collect();
    providers.dedup();
    json!({
        "number": it.number.as_str(), "providers": providers, "since": it.since, "due": it.due,
        "tries": it.tries, "reason": it.reason,
    })
}

fn purchase(it: &Purchase) -> Value {
    json!({
        "number": it.number.as_str(), "carrier": it.carrier.as_str(),
        "account": it.account.as_str(), "is_bought": it.is_bought, "modified": it.modified,
        "tries": it.tries, "reason": it.reason,
    })
}

fn shown(audit: &LastAudit) -> Value {
    json!(audit)
}
