//! What was written to a number, and who wrote it.

use axum::extract::State;
use serde_json::{Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::service::{Entry, History, HistoryKey, Side};

use super::{
    Api,
    envelope::{Page, Reply},
    extract::{AccountCall, AdminCall},
    fault::Fault,
    request::Call,
    words::{Answer, Faults, NumberPath, UnscopedNumberPath},
};

/// Show what was written to a number of an account.
///
/// The latest first: who wrote, what was asked for, by which request or job, and how the number stood before
/// and after. An account sees what happened while it held the number, how it got it and how it lost it;
/// of other accounts and of who acted for them it learns nothing. What other programs wrote is not in it.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}/history",
    tag = "numbers",
    params(NumberPath, HistoryParameters),
    responses((status = 200, description = "A page", body = Answer<HistoryBody>), Faults),
)]
pub(super) async fn get_history(State(api): State<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let number = call.number_to_read(&api).await?;
    let (from, limit) = page(&api, &call)?;
    let history =
        api.service.history_of_account(&call.actor, &call.account, &number, from, limit).await?;
    Ok(shown(&history))
}

/// Show what was written to any number.
///
/// As for a number of an account, with everything, for administrators.
#[utoipa::path(
    get,
    path = "/v2/phone_numbers/{number}/history",
    tag = "numbers",
    params(UnscopedNumberPath, HistoryParameters),
    responses((status = 200, description = "A page", body = Answer<HistoryBody>), Faults),
)]
pub(super) async fn get_any_history(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let number = call.number_to_read(&api).await?;
    let (from, limit) = page(&api, &call)?;
    Ok(shown(&api.service.history(&number, from, limit).await?))
}

fn page(api: &Api, call: &Call) -> Result<(Option<HistoryKey>, usize), Fault> {
    let limits = &api.limits;
    let limit = call.query.count("page_size", limits.page_size, limits.page_size_max)?;
    let Some(text) = call.query.get("start_key") else { return Ok((None, limit)) };
    let problem = "is not the key of a page";
    let from = HistoryKey::parse(text);
    let from = from.ok_or_else(|| Fault::invalid_parameter("start_key", problem, text))?;
    Ok((Some(from), limit))
}

fn shown(history: &History) -> Reply {
    let writes: Vec<Value> = history.entries.iter().map(|(it, known)| row(it, *known)).collect();
    let next_start_key = history.next.as_ref().map(ToString::to_string);
    let page = Page { rows: writes.len(), start_key: None, next_start_key };
    Reply::ok(writes).page(Some(page))
}

fn row(entry: &Entry, is_known: bool) -> Value {
    json!({
        "time": entry.time,
        "operation": entry.operation,
        "account_id": entry.account_id,
        "jti": entry.jti,
        "request_id": entry.request_id,
        "job_id": entry.job_id,
        "before": entry.before.as_ref().map(side),
        "after": entry.after.as_ref().map(side),
        "confirmed": is_known,
    })
}

fn side(side: &Side) -> Value {
    json!({ "state": side.state, "assigned_to": side.assigned_to, "revision": side.revision })
}

/// Which page.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct HistoryParameters {
    /// How many writes.
    page_size: Option<u64>,
    /// `next_start_key` of the page before.
    start_key: Option<String>,
}

/// What was written to a number.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct HistoryBody(Vec<WriteBody>);

/// A write.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct WriteBody {
    /// When (RFC 3339).
    time: String,
    /// What was asked for: a method and a route, or a job's operation.
    #[schema(required)]
    operation: Option<String>,
    /// The account of the token; null for the operator's own.
    #[schema(required)]
    account_id: Option<String>,
    /// The token's own name.
    #[schema(required)]
    jti: Option<String>,
    /// The request.
    #[schema(required)]
    request_id: Option<String>,
    /// The job.
    #[schema(required)]
    job_id: Option<String>,
    /// How the number stood; null when it is new.
    before: Option<SideBody>,
    /// How it stands; null when it is deleted.
    after: Option<SideBody>,
    /// Whether what was written afterwards shows that this was stored. It does not where another program
    /// wrote over it at once, and where a process died before it was stored.
    confirmed: bool,
}

/// How a number stood.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct SideBody {
    /// Its state; null when it was another account's.
    #[schema(required)]
    state: Option<String>,
    /// Its owner.
    #[schema(required)]
    assigned_to: Option<String>,
    /// Its revision, where that was known.
    #[schema(required)]
    revision: Option<String>,
}
