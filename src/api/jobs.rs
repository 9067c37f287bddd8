//! Jobs: what they are and how they stand, and what can be asked of them.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt, stream};
use serde_json::{Map, Value, json};
use tokio::time::{Instant, sleep};

use crate::jobs::{Job, JobFailure, JobRequest, Jobs, Narration, RecordedSet};

use super::{
    Api,
    envelope::{EXPIRES, Page, Reply},
    extract::AdminCall,
    fault::{self, Fault},
    jobs_words::{JobBody, JobPath, JobsParameters, JournalBody, WaitParameters},
    listing::page_size_within,
    lists::page_sizes,
    words::{Answer, Faults},
};

/// How often a job is looked at for somebody who follows it.
const LOOKS: Duration = Duration::from_millis(250);
/// How often somebody who follows a job hears something.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// List the jobs, the newest first.
#[utoipa::path(
    get,
    path = "/v2/jobs",
    tag = "jobs",
    params(JobsParameters),
    responses((status = 200, description = "The jobs", body = Answer<Vec<JobBody>>), Faults),
)]
pub(super) async fn list_jobs(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    let size = page_size_within(&call.query, page_sizes(&api))?;
    let (jobs, next_start_key) = api.jobs.list(call.query.get("start_key"), size).await?;
    let page = Page { rows: jobs.len(), start_key: None, next_start_key };
    Ok(Reply::ok(jobs.iter().map(shown).collect::<Vec<_>>()).page(Some(page)))
}

/// Get a job.
#[utoipa::path(
    get,
    path = "/v2/jobs/{job_id}",
    tag = "jobs",
    params(JobPath, WaitParameters),
    responses((status = 200, description = "The job", body = Answer<JobBody>), Faults),
)]
pub(super) async fn get_job(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    let id = call.part("job_id");
    let job = match patience(&api.jobs, &call)? {
        Some(patience) => api.jobs.wait(id, patience).await?,
        None => api.jobs.get(id).await?,
    };
    Ok(Reply::ok(shown(&job)))
}

/// Stop a job for good.
///
/// It stops at its next page; what was written stays.
#[utoipa::path(
    delete,
    path = "/v2/jobs/{job_id}",
    tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "The job", body = Answer<JobBody>), Faults),
)]
pub(super) async fn delete_job(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    Ok(Reply::ok(shown(&api.jobs.cancel(call.part("job_id")).await?)))
}

/// Stop a job for good.
///
/// It stops at its next page; what was written stays.
#[utoipa::path(
    post,
    path = "/v2/jobs/{job_id}/cancel",
    tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "The job", body = Answer<JobBody>), Faults),
)]
pub(super) async fn cancel_job(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    Ok(Reply::ok(shown(&api.jobs.cancel(call.part("job_id")).await?)))
}

/// Stop a job, so that it can go on.
#[utoipa::path(
    post,
    path = "/v2/jobs/{job_id}/pause",
    tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "The job", body = Answer<JobBody>), Faults),
)]
pub(super) async fn pause_job(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    Ok(Reply::ok(shown(&api.jobs.pause(call.part("job_id")).await?)))
}

/// Let a paused job go on.
#[utoipa::path(
    post,
    path = "/v2/jobs/{job_id}/resume",
    tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "The job", body = Answer<JobBody>), Faults),
)]
pub(super) async fn resume_job(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    Ok(Reply::ok(shown(&api.jobs.resume(call.part("job_id")).await?)))
}

/// Do what a dry run planned, and nothing else.
///
/// Numbers that were changed since are left alone and listed as `stale`.
#[utoipa::path(
    post,
    path = "/v2/jobs/{job_id}/apply",
    tag = "jobs",
    params(JobPath, WaitParameters),
    responses(
        (status = 202, description = "The new job", body = Answer<JobBody>),
        (status = 200, description = "The new job, which has ended", body = Answer<JobBody>),
        Faults,
    ),
)]
pub(super) async fn apply_job(State(api): State<Api>, call: AdminCall) -> Result<Response, Fault> {
    let patience = patience(&api.jobs, &call)?;
    let job = api.jobs.apply(call.part("job_id"), &call.actor).await?;
    answer(&api, job, patience, None).await
}

/// Put back what a job changed and nobody has changed since.
///
/// Numbers that were changed since are left alone and listed as `stale`.
#[utoipa::path(
    post,
    path = "/v2/jobs/{job_id}/revert",
    tag = "jobs",
    params(JobPath, WaitParameters),
    responses(
        (status = 202, description = "The new job", body = Answer<JobBody>),
        (status = 200, description = "The new job, which has ended", body = Answer<JobBody>),
        Faults,
    ),
)]
pub(super) async fn revert_job(State(api): State<Api>, call: AdminCall) -> Result<Response, Fault> {
    let patience = patience(&api.jobs, &call)?;
    let job = api.jobs.revert(call.part("job_id"), &call.actor).await?;
    answer(&api, job, patience, None).await
}

/// Get what a dry run would write, a part at a time.
#[utoipa::path(
    get,
    path = "/v2/jobs/{job_id}/plan",
    tag = "jobs",
    params(JobPath, JobsParameters),
    responses((status = 200, description = "A part of the plan", body = Answer<JournalBody>), Faults),
)]
pub(super) async fn get_plan(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    journal(&api, &call, true).await
}

/// Get what a job wrote, or was about to, a part at a time.
#[utoipa::path(
    get,
    path = "/v2/jobs/{job_id}/journal",
    tag = "jobs",
    params(JobPath, JobsParameters),
    responses(
        (status = 200, description = "A part of the journal", body = Answer<JournalBody>),
        Faults,
    ),
)]
pub(super) async fn get_journal(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    journal(&api, &call, false).await
}

/// Follow a job until it ends.
///
/// Each event is the job as it is then (`event: job`); a comment comes every 15 seconds.
#[utoipa::path(
    get,
    path = "/v2/jobs/{job_id}/events",
    tag = "jobs",
    params(JobPath),
    responses((status = 200, description = "Events", content_type = "text/event-stream"), Faults),
)]
pub(super) async fn follow_job(State(api): State<Api>, call: AdminCall) -> Result<Response, Fault> {
    let job = api.jobs.get(call.part("job_id")).await?;
    let headers =
        [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, Body::from_stream(events(api.jobs.clone(), job))).into_response())
}

/// Starts a job and answers in the form that the client wants: words as it runs, the finished job, or
/// where it is. `instead` says what is done in place of what was asked for.
pub(super) async fn start(
    api: &Api,
    call: &AdminCall,
    request: &JobRequest,
    instead: Option<&'static str>,
) -> Result<Response, Fault> {
    // What cannot be answered is not begun.
    let patience = patience(&api.jobs, call)?;
    if call.wants_text {
        let (_, narration) = api.jobs.start_telling(request).await?;
        return Ok(words(instead, narration));
    }
    let job = api.jobs.start(request).await?;
    answer(api, job, patience, instead).await
}

async fn answer(
    api: &Api,
    job: Job,
    patience: Option<Duration>,
    instead: Option<&'static str>,
) -> Result<Response, Fault> {
    let job = match patience {
        Some(patience) => api.jobs.wait(&job.id, patience).await?,
        None => job,
    };
    let mut body = shown(&job);
    if let Some(instead) = instead {
        body["instead"] = instead.into();
    }
    let reply = Reply::ok(body);
    if job.state.has_ended() {
        return Ok(reply.into_response());
    }
    Ok(reply.accepted_at(format!("/v2/jobs/{}", job.id)).into_response())
}

/// For how long the client wants to wait for the end of a job; none when it does not.
fn patience(jobs: &Jobs, call: &AdminCall) -> Result<Option<Duration>, Fault> {
    let wanted = match call.query.get("wait") {
        Some(text) => {
            let seconds = text.parse::<u64>();
            Some(seconds.map_err(|_| Fault::faulty_request("wait must be a number of seconds"))?)
        }
        None => call.waits,
    };
    let most = jobs.limits().wait_max_s;
    Ok(wanted.map(|seconds| Duration::from_secs(seconds.min(most))))
}

/// The report in words, as it comes.
fn words(instead: Option<&'static str>, narration: Narration) -> Response {
    let first = instead.map(|line| Ok(Bytes::from(format!("{line}\n"))));
    let parts = stream::unfold(narration, |mut narration| async move {
        let text = narration.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(Bytes::from(text)), narration))
    });
    let kind = (header::CONTENT_TYPE, "text/plain; charset=utf-8");
    let mut response =
        ([kind], Body::from_stream(stream::iter(first).chain(parts))).into_response();
    response.headers_mut().insert(header::EXPIRES, EXPIRES);
    response
}

async fn journal(api: &Api, call: &AdminCall, is_plan: bool) -> Result<Reply, Fault> {
    let job = api.jobs.get(call.part("job_id")).await?;
    if job.dry_run != is_plan {
        return Err(Fault::not_found());
    }
    let part = api.jobs.journal(&job.id, call.query.get("start_key")).await?;
    let Some(part) = part else {
        return Ok(Reply::ok(Vec::<Value>::new()).page(Some(Page::default())));
    };
    let writes: Vec<Value> = part.sets.iter().flat_map(RecordedSet::shown).collect();
    let next = api.jobs.journal(&job.id, Some(&part.place)).await?.map(|_| part.place);
    let page = Page { rows: writes.len(), start_key: None, next_start_key: next };
    Ok(Reply::ok(writes).page(Some(page)))
}

/// The job as it changes, until it has ended.
fn events(jobs: Jobs, job: Job) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> {
    let first = stream::once({
        let event = event(&job);
        async move { Ok(event) }
    });
    let rest = stream::unfold((jobs, job, Instant::now()), |(jobs, job, mut heard)| async move {
        if job.state.has_ended() {
            return None;
        }
        loop {
            sleep(LOOKS).await;
            match jobs.get(&job.id).await {
                Ok(now) if now != job => {
                    return Some((Ok(event(&now)), (jobs, now, Instant::now())));
                }
                // It is looked at again; who follows hears that we are there.
                Ok(_) | Err(_) if heard.elapsed() >= HEARTBEAT => {
                    heard = Instant::now();
                    return Some((Ok(Bytes::from_static(b": still here\n\n")), (jobs, job, heard)));
                }
                Ok(_) | Err(_) => (),
            }
        }
    });
    first.chain(rest)
}

fn event(job: &Job) -> Bytes {
    Bytes::from(format!("event: job\ndata: {}\n\n", shown(job)))
}

/// A job as the wire shows it.
pub(crate) fn shown(job: &Job) -> Value {
    let mut counts = job.counts;
    counts.add(job.live);
    let failure = |failure: &JobFailure| {
        json!({
            "id": failure.id,
            "database": failure.database,
            "code": fault::code_of(&failure.error),
            "error": failure.error,
            "message": failure.message,
        })
    };
    let per_database: Map<String, Value> =
        job.per_database.iter().map(|(name, tally)| (name.clone(), json!(tally))).collect();
    let place = |name: &str| format!("/v2/jobs/{}/{name}", job.id);
    json!({
        "id": job.id,
        "operation": job.operation,
        "state": job.state.name(),
        "created": job.created,
        "started": job.started,
        "finished": job.finished,
        "asked_by": job.asked_by,
        "scope": job.scope,
        "arguments": job.arguments,
        "options": {
            "dry_run": job.dry_run,
            "page_size": job.page_size,
            "concurrency": job.concurrency,
            "pause_ms": job.pause_ms,
        },
        "progress": { "databases_done": job.done.len(), "databases_total": job.units },
        "counts": counts,
        "per_database": per_database,
        "failures": job.failures.iter().map(failure).collect::<Vec<_>>(),
        "truncated": job.counts.failed > job.failures.len() as u64,
        "findings": job.findings,
        "error": job.error.as_ref().map(failure),
        "plan": job.dry_run.then(|| place("plan")),
        "journal": (!job.dry_run).then(|| place("journal")),
        "events": place("events"),
    })
}
