//! Operations over many numbers, under their own names and under the old commands'.

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};
use utoipa::openapi::{
    OpenApi, RefOr,
    path::Operation as OperationItem,
    schema::{ObjectBuilder, Type},
};

use crate::{
    jobs::{ArgumentKind, JobRequest, Operation},
    sup::{self, Asked, Command, Report},
};

use super::{
    Api,
    envelope::Reply,
    extract::AdminCall,
    fault::Fault,
    jobs,
    jobs_words::{JobBody, WaitParameters},
    maintenance_words::{
        CommandBody, CommandRequest, OperationRequest, OperationsBody, UsageBody, UsageParameters,
        UsageRequest,
    },
    request,
    words::{Answer, Faults},
};

/// The kind of an answer in words.
const WORDS: &str = "text/plain";

/// List the operations.
#[utoipa::path(
    get,
    path = "/v2/maintenance",
    tag = "maintenance",
    responses((status = 200, description = "The operations", body = Answer<OperationsBody>), Faults),
)]
pub(super) async fn list_operations(State(api): State<Api>, _: AdminCall) -> Reply {
    let usage = json!({
        "operation": "carrier_usage",
        "meaning": "Counts numbers by carrier, in each database and in total. Answers at once.",
        "arguments": [argument("prefix", "text", false, "only numbers that begin with it")],
        "scopes": ["all", "databases"],
        "is_destructive": false,
    });
    let old = json!({
        "operation": "sup",
        "meaning": "Runs an old command with its arguments in the old order.",
        "arguments": [
            argument("command", "text", true, "its name; a module's name may stand in front"),
            argument("args", "list", false, "texts, or lists of them"),
            argument("confirm", "text", false, "the command again, for one that removes something"),
        ],
        "scopes": [],
        "is_destructive": false,
        "commands": sup::usages(),
    });
    let mut operations = vec![usage, old];
    operations.extend(api.jobs.operations().iter().map(|operation| described(*operation)));
    Reply::ok(operations)
}

/// Says which names stand in the path of an operation, and that an error is in words where success
/// may be.
pub(super) fn describe(document: &mut OpenApi, operations: &[&dyn Operation]) {
    for item in document.paths.paths.values_mut() {
        [&mut item.get, &mut item.post].into_iter().flatten().for_each(speak);
    }
    let path = document.paths.paths.get_mut("/v2/maintenance/{operation}");
    let parameters = path.and_then(|path| path.post.as_mut()?.parameters.as_mut());
    let names: Vec<&str> = operations.iter().map(|operation| operation.name()).collect();
    for parameter in parameters.into_iter().flatten() {
        if let RefOr::T(parameter) = parameter
            && parameter.name == "operation"
        {
            let schema = ObjectBuilder::new().schema_type(Type::String);
            parameter.schema = Some(schema.enum_values(Some(names.clone())).into());
        }
    }
}

fn speak(operation: &mut OperationItem) {
    let responses = &mut operation.responses.responses;
    let Some(RefOr::T(done)) = responses.get("200") else { return };
    let Some(words) = done.content.get(WORDS).cloned() else { return };
    for (_, response) in responses.range_mut("400".to_owned()..) {
        if let RefOr::T(response) = response {
            response.content.insert(WORDS.to_owned(), words.clone());
        }
    }
}

fn argument(name: &str, kind: &str, required: bool, meaning: &str) -> Value {
    json!({ "name": name, "type": kind, "required": required, "meaning": meaning })
}

fn described(operation: &dyn Operation) -> Value {
    let arguments = operation.arguments().iter().map(|it| {
        let kind = match it.kind {
            ArgumentKind::Text => "text",
            ArgumentKind::Flag => "flag",
            ArgumentKind::Integer => "integer",
        };
        argument(it.name, kind, it.required, it.meaning)
    });
    json!({
        "operation": operation.name(),
        "meaning": operation.summary(),
        "arguments": arguments.collect::<Vec<_>>(),
        "scopes": operation.forms().iter().filter_map(|form| form.name()).collect::<Vec<_>>(),
        "is_destructive": operation.is_destructive(),
    })
}

/// Count numbers by carrier.
#[utoipa::path(
    get,
    path = "/v2/maintenance/carrier_usage",
    tag = "maintenance",
    params(UsageParameters),
    responses(
        (status = 200, description = "The counts", content(
            (Answer<UsageBody> = "application/json"), (String = "text/plain"),
        )),
        Faults,
    ),
)]
pub(super) async fn get_carrier_usage(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let prefix = call.query.get("prefix").filter(|prefix| !prefix.is_empty());
    let prefixes = prefix.map(|prefix| vec![prefix.to_owned()]);
    usage(&api, &call, prefixes.as_deref()).await
}

/// Count numbers by carrier.
#[utoipa::path(
    post,
    path = "/v2/maintenance/carrier_usage",
    tag = "maintenance",
    request_body = UsageRequest,
    responses(
        (status = 200, description = "The counts", content(
            (Answer<UsageBody> = "application/json"), (String = "text/plain"),
        )),
        Faults,
    ),
)]
pub(super) async fn count_carriers(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let data = call.object()?;
    let prefixes = match (request::text(data, "prefix")?, data.get("scope")) {
        (Some(prefix), None) => Some(vec![prefix]),
        (None, None | Some(Value::Null)) => None,
        (None, Some(scope)) => usage_scope(scope).map_err(|()| bad_scope(data))?,
        (Some(_), Some(_)) => return Err(bad_scope(data)),
    };
    usage(&api, &call, prefixes.as_deref()).await
}

/// Run an operation.
///
/// `GET /v2/maintenance` lists them with their arguments and scopes. The answer is a job, which runs on
/// (202), unless the request waits for its end; with `Accept: text/plain` it is the text of the
/// operation as it runs. A destructive operation runs dry unless `confirm` repeats its name.
#[utoipa::path(
    post,
    path = "/v2/maintenance/{operation}",
    tag = "maintenance",
    params(("operation" = String, Path, description = "The operation's name."), WaitParameters),
    request_body = OperationRequest,
    responses(
        (status = 202, description = "The job, which runs", body = Answer<JobBody>),
        (status = 200, description = "The job, which has ended", content(
            (Answer<JobBody> = "application/json"), (String = "text/plain"),
        )),
        Faults,
    ),
)]
pub(super) async fn run_operation(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Response, Fault> {
    let request = JobRequest {
        operation: call.part("operation").to_owned(),
        members: call.object()?.clone(),
        confirmed_by: None,
        actor: call.actor.clone(),
    };
    jobs::start(&api, &call, &request, None).await.map_err(|fault| in_words(&call, fault))
}

/// Run an old command.
#[utoipa::path(
    post,
    path = "/v2/maintenance/sup",
    tag = "maintenance",
    params(WaitParameters),
    request_body = CommandRequest,
    responses(
        (status = 202, description = "The job, which runs", body = Answer<JobBody>),
        (status = 200, description = "What the command found or did", content(
            (Answer<CommandBody> = "application/json"), (String = "text/plain"),
        )),
        Faults,
    ),
)]
pub(super) async fn run_command(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Response, Fault> {
    let Asked { name, means } =
        sup::read(call.object()?).map_err(|error| in_words(&call, error.into()))?;
    match means {
        Command::Question(question) => {
            let answered = sup::answer(&api.service, &call.actor, question).await;
            let report = answered.map_err(|refused| in_words(&call, refused.into()))?;
            Ok(told(&call, report).into_response())
        }
        Command::Job { operation, members, instead } => {
            let request = JobRequest {
                operation: operation.to_owned(),
                members,
                confirmed_by: Some(name.to_owned()),
                actor: call.actor.clone(),
            };
            let started = jobs::start(&api, &call, &request, instead).await;
            started.map_err(|fault| in_words(&call, fault))
        }
    }
}

async fn usage(api: &Api, call: &AdminCall, prefixes: Option<&[String]>) -> Result<Reply, Fault> {
    Ok(told(call, sup::carrier_usage(&api.service, &call.actor, prefixes).await?))
}

/// A report in the form that the client wants.
fn told(call: &AdminCall, report: Report) -> Reply {
    if call.wants_text { Reply::text(report.text) } else { Reply::ok(report.data) }
}

/// In words a refusal is what the old command printed.
fn in_words(call: &AdminCall, fault: Fault) -> Fault {
    let line = fault.line.clone().filter(|_| call.wants_text);
    match line {
        Some(line) => fault.in_words(&line),
        None => fault,
    }
}

/// The databases or prefixes of a scope; none for all. An error when it is no such scope.
fn usage_scope(scope: &Value) -> Result<Option<Vec<String>>, ()> {
    let mut members = scope.as_object().ok_or(())?.iter();
    let (Some((form, value)), None) = (members.next(), members.next()) else {
        return Err(());
    };
    match (form.as_str(), value) {
        ("all", Value::Bool(true)) => Ok(None),
        ("databases", Value::Array(list)) => texts(list).map(Some).ok_or(()),
        ("prefix", Value::String(prefix)) => Ok(Some(vec![prefix.clone()])),
        _ => Err(()),
    }
}

fn texts(list: &[Value]) -> Option<Vec<String>> {
    let texts: Option<Vec<String>> =
        list.iter().map(|value| value.as_str().map(str::to_owned)).collect();
    texts.filter(|texts| !texts.is_empty())
}

fn bad_scope(data: &Map<String, Value>) -> Fault {
    let what = json!({
        "message": "scope must be one of all, databases, prefix",
        "value": data.get("scope"),
    });
    Fault::validation("scope", "invalid", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usage_is_of_everything_or_of_databases() {
        assert_eq!(usage_scope(&json!({"all": true})), Ok(None));
        let one = Ok(Some(vec!["+1415".to_owned()]));
        assert_eq!(usage_scope(&json!({"databases": ["+1415"]})), one);
        assert_eq!(usage_scope(&json!({"prefix": "+1415"})), one);
        for bad in [
            json!({}),
            json!({"all": false}),
            json!({"all": true, "prefix": "+1415"}),
            json!({"databases": []}),
            json!({"databases": [1]}),
            json!({"numbers": ["+14155550100"]}),
            json!("all"),
        ] {
            assert_eq!(usage_scope(&bad), Err(()), "{bad}");
        }
    }
}
