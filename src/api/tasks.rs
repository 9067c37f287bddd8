//! Bulk work by tables, for an account and for none.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::StreamExt;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::{
    domain::{AccountId, Actor, gregorian_seconds},
    tasks::{ACTIONS, Action, CATEGORY, File, NewTask, TaskError, TaskView, action},
};

use super::{
    Api,
    envelope::{EXPIRES, Page, Reply},
    extract::{AccountCall, AdminCall, OpenCall},
    fault::Fault,
    listing::page_size_within,
    lists::page_sizes,
    request::{Call, text},
    tasks_words::{
        AccountTaskPath, ActionsBody, FileParameters, NewTaskParameters, TaskBody, TaskPath,
        TaskRequest, TaskRow, TasksParameters, WhichAction,
    },
    words::{AccountPath, Answer, Faults},
};

/// The type of a table.
const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");

/// Who asks, and for which account.
struct Asked<'a> {
    call: &'a Call,
    actor: &'a Actor,
    /// None for an administrator who asks for nobody.
    account: Option<&'a AccountId>,
}

impl<'a> From<&'a AccountCall> for Asked<'a> {
    fn from(call: &'a AccountCall) -> Self {
        Self { call, actor: &call.actor, account: Some(&call.account) }
    }
}

impl<'a> From<&'a AdminCall> for Asked<'a> {
    fn from(call: &'a AdminCall) -> Self {
        Self { call, actor: &call.actor, account: None }
    }
}

/// List what can be done by tables.
#[utoipa::path(
    get,
    path = "/v2/tasks",
    tag = "tasks",
    params(WhichAction),
    responses(
        (status = 200, description = "By category, then by action", body = Answer<ActionsBody>),
        Faults,
    ),
    security(()),
)]
pub(super) async fn list_actions(call: OpenCall) -> Result<Reply, Fault> {
    let wanted = call.query.get("action");
    let is_here = call.query.get("category").is_none_or(|category| category == CATEGORY);
    let found = ACTIONS.iter().filter(|it| wanted.is_none_or(|name| name == it.name));
    let found: Map<String, Value> =
        found.map(|action| (action.name.to_owned(), described(action))).collect();
    if !is_here || found.is_empty() {
        return Err(Fault::unknown_actions());
    }
    Ok(Reply::ok(json!({ CATEGORY: found })))
}

/// Make a task for no account; administrators only.
///
/// It waits until it is begun.
#[utoipa::path(
    put,
    path = "/v2/tasks",
    tag = "tasks",
    params(NewTaskParameters),
    request_body(content((TaskRequest = "application/json"), (String = "text/csv"))),
    responses((status = 201, description = "The task", body = Answer<TaskBody>), Faults),
)]
pub(super) async fn create_any_task(
    State(api): State<Api>,
    call: AdminCall,
    body: Body,
) -> Result<Reply, Fault> {
    create(&api, (&call).into(), body).await
}

/// Make a task for an account.
///
/// The rows come as a table, with the names of the columns in the first line, or as records. It waits
/// until it is begun.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/tasks",
    tag = "tasks",
    params(AccountPath, NewTaskParameters),
    request_body(content((TaskRequest = "application/json"), (String = "text/csv"))),
    responses((status = 201, description = "The task", body = Answer<TaskBody>), Faults),
)]
pub(super) async fn create_task(
    State(api): State<Api>,
    call: AccountCall,
    body: Body,
) -> Result<Reply, Fault> {
    create(&api, (&call).into(), body).await
}

/// List the tasks of an account, the newest first.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/tasks",
    tag = "tasks",
    params(AccountPath, TasksParameters),
    responses((status = 200, description = "The tasks", body = Answer<Vec<TaskRow>>), Faults),
)]
pub(super) async fn list_tasks(State(api): State<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let size = page_size_within(&call.query, page_sizes(&api))?;
    let (tasks, next) = api.tasks.list(&call.account, call.query.get("start_key"), size).await?;
    let page = Page { rows: tasks.len(), start_key: None, next_start_key: next };
    let rows: Vec<Value> = tasks.iter().map(|view| shown(&api, view)).collect();
    Ok(Reply::ok(rows).page(Some(page)))
}

/// Get a task of an account, or one of its files.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/tasks/{task_id}",
    tag = "tasks",
    params(AccountTaskPath, FileParameters),
    responses(
        (status = 200, description = "The task, or a table", content(
            (Answer<TaskBody> = "application/json"),
            (String = "text/csv"),
        )),
        Faults,
    ),
)]
pub(super) async fn get_task(State(api): State<Api>, call: AccountCall) -> Result<Response, Fault> {
    look(&api, (&call).into()).await
}

/// Get any task, or one of its files; administrators only.
#[utoipa::path(
    get,
    path = "/v2/tasks/{task_id}",
    tag = "tasks",
    params(TaskPath, FileParameters),
    responses(
        (status = 200, description = "The task, or a table", content(
            (Answer<TaskBody> = "application/json"),
            (String = "text/csv"),
        )),
        Faults,
    ),
)]
pub(super) async fn get_any_task(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Response, Fault> {
    look(&api, (&call).into()).await
}

/// Begin a task of an account.
#[utoipa::path(
    patch,
    path = "/v2/accounts/{account_id}/tasks/{task_id}",
    tag = "tasks",
    params(AccountTaskPath),
    responses((status = 200, description = "The task", body = Answer<TaskBody>), Faults),
)]
pub(super) async fn start_task(State(api): State<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let view = api.tasks.start(Some(&call.account), call.part("task_id")).await?;
    Ok(reply(&api, &view))
}

/// Begin any task; administrators only.
#[utoipa::path(
    patch,
    path = "/v2/tasks/{task_id}",
    tag = "tasks",
    params(TaskPath),
    responses((status = 200, description = "The task", body = Answer<TaskBody>), Faults),
)]
pub(super) async fn start_any_task(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    Ok(reply(&api, &api.tasks.start(None, call.part("task_id")).await?))
}

/// Stop a task of an account for good.
///
/// It stops at its next page; what was written stays.
#[utoipa::path(
    patch,
    path = "/v2/accounts/{account_id}/tasks/{task_id}/stop",
    tag = "tasks",
    params(AccountTaskPath),
    responses((status = 200, description = "The task", body = Answer<TaskBody>), Faults),
)]
pub(super) async fn stop_task(State(api): State<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let view = api.tasks.stop(Some(&call.account), call.part("task_id")).await?;
    Ok(reply(&api, &view))
}

/// Stop any task for good; administrators only.
#[utoipa::path(
    patch,
    path = "/v2/tasks/{task_id}/stop",
    tag = "tasks",
    params(TaskPath),
    responses((status = 200, description = "The task", body = Answer<TaskBody>), Faults),
)]
pub(super) async fn stop_any_task(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    Ok(reply(&api, &api.tasks.stop(None, call.part("task_id")).await?))
}

/// Remove a task of an account that is not under way, with its files.
#[utoipa::path(
    delete,
    path = "/v2/accounts/{account_id}/tasks/{task_id}",
    tag = "tasks",
    params(AccountTaskPath),
    responses((status = 200, description = "The task", body = Answer<TaskBody>), Faults),
)]
pub(super) async fn remove_task(State(api): State<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let view = api.tasks.remove(Some(&call.account), call.part("task_id")).await?;
    Ok(reply(&api, &view))
}

/// Remove any task that is not under way, with its files; administrators only.
#[utoipa::path(
    delete,
    path = "/v2/tasks/{task_id}",
    tag = "tasks",
    params(TaskPath),
    responses((status = 200, description = "The task", body = Answer<TaskBody>), Faults),
)]
pub(super) async fn remove_any_task(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    Ok(reply(&api, &api.tasks.remove(None, call.part("task_id")).await?))
}

/// Get what was given to a task of an account.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/tasks/{task_id}/input",
    tag = "tasks",
    params(AccountTaskPath),
    responses((status = 200, description = "The table", body = String, content_type = "text/csv"), Faults),
)]
pub(super) async fn get_task_input(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Response, Fault> {
    send(&api, (&call).into(), File::Input).await
}

/// Get what was given to any task; administrators only.
#[utoipa::path(
    get,
    path = "/v2/tasks/{task_id}/input",
    tag = "tasks",
    params(TaskPath),
    responses((status = 200, description = "The table", body = String, content_type = "text/csv"), Faults),
)]
pub(super) async fn get_any_task_input(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Response, Fault> {
    send(&api, (&call).into(), File::Input).await
}

/// Get what became of the rows of a task of an account.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/tasks/{task_id}/output",
    tag = "tasks",
    params(AccountTaskPath),
    responses((status = 200, description = "The table", body = String, content_type = "text/csv"), Faults),
)]
pub(super) async fn get_task_output(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Response, Fault> {
    send(&api, (&call).into(), File::Output).await
}

/// Get what became of the rows of any task; administrators only.
#[utoipa::path(
    get,
    path = "/v2/tasks/{task_id}/output",
    tag = "tasks",
    params(TaskPath),
    responses((status = 200, description = "The table", body = String, content_type = "text/csv"), Faults),
)]
pub(super) async fn get_any_task_output(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Response, Fault> {
    send(&api, (&call).into(), File::Output).await
}

async fn create(api: &Api, asked: Asked<'_>, body: Body) -> Result<Reply, Fault> {
    let Asked { call, actor, account } = asked;
    let (category, name) = (call.query.get("category"), call.query.get("action"));
    let (Some(category), Some(name)) = (category, name) else {
        return Err(TaskError::Unsaid.into());
    };
    let action = action(name).filter(|_| category == CATEGORY).ok_or(TaskError::UnknownAction)?;
    let file_name = call.query.get("file_name").map(str::to_owned);
    let dry_run = call.query.says("dry_run");
    let mut new = NewTask { action, account, actor, file_name, dry_run };
    let view = if call.streams {
        let mut table = body.into_data_stream();
        let made = api.tasks.create_from_table(&new, &mut table).await;
        if made.is_err() {
            read_out(api, table).await;
        }
        made?
    } else {
        let data = call.object()?;
        if let Some(name) = text(data, "file_name")? {
            new.file_name = Some(name);
        }
        match data.get("records") {
            None | Some(Value::Null) => api.tasks.create(&new).await?,
            Some(records) => {
                let records = records.as_array().map(|records| {
                    records.iter().map(|record| record.as_object().cloned()).collect()
                });
                let records: Option<Vec<_>> = records.flatten();
                let records = records.ok_or(TaskError::Records)?;
                api.tasks.create_from_records(&new, &records).await?
            }
        }
    };
    Ok(reply(api, &view).created(call))
}

/// Reads what is left of a table that was refused: most clients read no answer before they have sent all.
async fn read_out(api: &Api, mut table: BodyDataStream) {
    let patience = Duration::from_millis(api.limits.body_timeout_ms);
    // One that takes longer is cut off.
    let _ = timeout(patience, async { while let Some(Ok(_)) = table.next().await {} }).await;
}

async fn look(api: &Api, asked: Asked<'_>) -> Result<Response, Fault> {
    let call = asked.call;
    if !call.wants_csv {
        let view = api.tasks.get(asked.account, call.part("task_id")).await?;
        return Ok(reply(api, &view).into_response());
    }
    let file = match call.query.get("csv_name") {
        None => File::Output,
        Some(name) => File::named(name).ok_or_else(|| TaskError::Unknown(name.to_owned()))?,
    };
    send(api, asked, file).await
}

/// Sends a file while it is read.
async fn send(api: &Api, asked: Asked<'_>, file: File) -> Result<Response, Fault> {
    let view = api.tasks.get(asked.account, asked.call.part("task_id")).await?;
    let (action, id) = (&view.task.action, &view.task.id);
    let end = file.name();
    let name = format!("attachment; filename=\"{CATEGORY}_{action}_{id}_{end}\"");
    let name = HeaderValue::from_str(&name).map_err(|_| Fault::internal())?;
    let lines = api.tasks.file(view, file)?;
    let bytes = lines.map(|line| {
        if let Err(err) = &line {
            let cause: &(dyn std::error::Error + 'static) = err;
            tracing::error!(error = cause, "a table is broken off");
        }
        line.map(Bytes::from)
    });
    let headers = [
        (header::CONTENT_TYPE, CSV),
        (header::CONTENT_DISPOSITION, name),
        (header::EXPIRES, EXPIRES),
    ];
    Ok((headers, Body::from_stream(bytes)).into_response())
}

fn reply(api: &Api, view: &TaskView) -> Reply {
    Reply::ok(json!({ "_read_only": shown(api, view) }))
}

/// A task as the wire shows it. What is not known is left out.
fn shown(api: &Api, view: &TaskView) -> Value {
    let (task, job) = (&view.task, view.job.as_ref());
    let seconds = |time: &String| time.parse().ok().map(gregorian_seconds);
    let started = job.and_then(|job| job.started.as_ref()).and_then(seconds);
    let finished = job.and_then(|job| job.finished.as_ref()).and_then(seconds);
    let counts = view.counts();
    let files: Vec<&str> = view.files().into_iter().map(File::name).collect();
    let members = [
        ("id", json!(task.id)),
        ("account_id", json!(task.account)),
        ("auth_account_id", json!(task.auth_account)),
        ("category", json!(CATEGORY)),
        ("action", json!(task.action)),
        ("file_name", json!(task.file_name)),
        ("node", json!(api.node)),
        ("created", json!(task.created)),
        ("start_timestamp", json!(started)),
        ("end_timestamp", json!(finished)),
        ("total_count", json!(view.total())),
        ("success_count", json!(counts.map(|(good, _)| good))),
        ("failure_count", json!(counts.map(|(_, bad)| bad))),
        ("status", json!(view.status())),
        ("csvs", json!(files)),
        ("dry_run", json!(task.dry_run.then_some(true))),
        ("job_id", json!(job.map(|job| &job.id))),
    ];
    let known = members.into_iter().filter(|(_, value)| !value.is_null());
    Value::Object(known.map(|(name, value)| (name.to_owned(), value)).collect())
}

fn described(action: &Action) -> Value {
    let takes_rows = action.takes_rows();
    let mut described = json!({
        "description": action.name,
        "doc": action.meaning,
        "expected_content": if takes_rows { "text/csv" } else { "none" },
    });
    if takes_rows {
        described["mandatory"] = json!(action.mandatory());
        described["optional"] = json!(action.optional());
    }
    described
}
