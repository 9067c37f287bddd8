//! Errors as the wire shows them. The only file that knows which status an error has.

use std::{borrow::Cow, error::Error as StdError, ops::Deref, sync::Arc};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use crate::{
    auth::AuthError,
    domain::{AccountId, E164, KNOWN_FEATURES},
    jobs::JobError,
    service::{ChangesError, Cursor, DirectoryFault, Error, Invoice, ProviderError},
    sup::{Refusal, Refused, SupError},
    tasks::{Malformed, TaskError},
    webhooks::WebhookError,
};

use super::charges;

/// How many seconds a client should wait before it asks an unreachable store again.
const RETRY_AFTER: u64 = 1;
/// The id of a race that was lost too often.
const CONFLICT: &str = "datastore_conflict";

/// What an error answer says.
#[derive(Clone, Debug)]
pub(crate) struct Details {
    /// The status.
    pub(crate) status: StatusCode,
    /// The short id that the envelope carries as `message`.
    pub(crate) message: Cow<'static, str>,
    /// What the envelope carries as `data`.
    pub(crate) data: Value,
    /// Headers beside the usual ones.
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// A text that is sent in place of the envelope.
    pub(crate) text: Option<String>,
    /// The line that an old command printed in this case.
    pub(crate) line: Option<String>,
    /// What happened, for the log only.
    pub(crate) source: Option<Arc<dyn StdError + Send + Sync>>,
}

/// An error answer. Made into the envelope by [`super::envelope`]. Boxed, since it is the rare way
/// out of nearly every function here.
#[derive(Clone, Debug)]
pub(crate) struct Fault(Box<Details>);

impl Deref for Fault {
    type Target = Details;

    fn deref(&self) -> &Details {
        &self.0
    }
}

/// Says what a status and an id stand for.
fn fault(status: StatusCode, message: impl Into<Cow<'static, str>>, data: Value) -> Fault {
    let message = message.into();
    Fault(Box::new(Details {
        status,
        message,
        data,
        headers: Vec::new(),
        text: None,
        line: None,
        source: None,
    }))
}

/// A framework error: its `data` is the id in words.
fn plain(status: StatusCode, message: &'static str) -> Fault {
    fault(status, message, json!({ "message": message.replace('_', " ") }))
}

/// The status that an error of a number has by its id, alone and among many.
fn status_of(id: &str) -> StatusCode {
    match id {
        "not_reconcilable"
        | "number_is_porting"
        | "invalid_state_transition"
        | "no_change_required"
        | "assign_failure"
        | "invalid"
        | "multiple_choice" => StatusCode::BAD_REQUEST,
        "accept_charges" => StatusCode::PAYMENT_REQUIRED,
        "forbidden" => StatusCode::FORBIDDEN,
        "not_found" => StatusCode::NOT_FOUND,
        "number_exists" | "account_exists" | "datastore_conflict" | "stale"
        | "numbers_would_move" => StatusCode::CONFLICT,
        "precondition_failed" => StatusCode::PRECONDITION_FAILED,
        "not_implemented" => StatusCode::NOT_IMPLEMENTED,
        "datastore_unreachable" | "datastore_fault" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error object of a number: its code is its status, and its fault is called as its id.
fn of_number(id: &'static str, cause: Option<&str>, message: String) -> Fault {
    let status = status_of(id);
    let mut object = Map::new();
    object.insert("code".to_owned(), status.as_u16().into());
    object.insert("error".to_owned(), id.into());
    if let Some(cause) = cause {
        object.insert("cause".to_owned(), cause.into());
    }
    object.insert("message".to_owned(), message.into());
    fault(status, id, Value::Object(object))
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        let id = error.id();
        let text = |text: &str| Some(text.to_owned());
        let cause = match &error {
            Error::NotFound(number) => return Self::number_not_found(number.as_str()),
            Error::NotReconcilable(given) => text(given),
            Error::Exists(number) | Error::Porting(number) => text(number.as_str()),
            Error::Forbidden { cause } | Error::InvalidTransition { cause } => cause.clone(),
            Error::NoChange => None,
            Error::AssignFailure { cause }
            | Error::Invalid { cause }
            | Error::Provider(ProviderError::Invalid { cause }) => text(cause),
            Error::NoAccount(account) => return Self::unknown_account(account),
            Error::AccountExists(account) => text(account.as_str()),
            Error::UnknownCarrier(name) => return Self::unknown_carrier(name),
            Error::NoConfig(id) => return Self::no_config(id),
            Error::Setting(wrong) => {
                let what = json!({ "message": wrong.reason });
                return Self::validation(&wrong.key, "invalid", what);
            }
            Error::WouldMove(moved) => {
                let data = json!({
                    "message": message, "count": moved.count, "numbers": moved.numbers,
                });
                return fault(status_of(id), id, data);
            }
            Error::UnknownFeature(_) => {
                let data = json!({ "error": "invalid", "known": KNOWN_FEATURES });
                return fault(StatusCode::NOT_FOUND, "invalid", data);
            }
            Error::PreconditionFailed => {
                return plain(status_of(id), id);
            }
            Error::ChargesNotAccepted(invoices) => return Self::charges(invoices),
            Error::Conflict => return plain(status_of(id), CONFLICT),
            Error::Repeated => return Self::repeated_numbers(),
            Error::SearchRestricted | Error::NoReseller => {
                return fault(StatusCode::NOT_FOUND, message, json!({}));
            }
            Error::Directory(directory) => {
                return Self::directory(directory, message).caused_by(error);
            }
            Error::Provider(ProviderError::Choices { feature, given, candidates }) => {
                return Self::choices(feature, given, candidates, &message);
            }
            Error::Provider(ProviderError::Absent { .. }) => {
                return of_number(id, Some(&message), message.clone()).caused_by(error);
            }
            Error::Provider(ProviderError::Failed { .. }) => {
                return of_number(id, None, message).caused_by(error);
            }
            Error::Carrier { number, carrier, reason } => {
                let mut fault = Self::carrier(number, message);
                if let Some(reason) = reason {
                    fault.0.data["carrier"] = json!({
                        "name": carrier.as_str(), "status": reason.status(),
                        "code": reason.code(), "reason": reason.reason(),
                    });
                }
                return fault.caused_by(error);
            }
            Error::Configuration(_) | Error::Store(_) => {
                return plain(status_of(id), id).caused_by(error);
            }
            Error::Unavailable(_) => return Self::unreachable().caused_by(error),
        };
        of_number(id, cause.as_deref(), message)
    }
}

impl From<JobError> for Fault {
    fn from(error: JobError) -> Self {
        let message = error.to_string();
        match error {
            JobError::Service(error) => error.into(),
            JobError::UnknownOperation(name) => {
                let data = json!({ "message": "bad identifier", "cause": name });
                fault(StatusCode::NOT_FOUND, "bad_identifier", data)
            }
            JobError::UnknownJob(id) => {
                let data = json!({ "message": "bad identifier", "cause": id });
                fault(StatusCode::NOT_FOUND, "bad_identifier", data)
            }
            JobError::Missing(member) => Self::required(member),
            JobError::Wrong { member, problem, value } => {
                let what = json!({ "message": format!("{member} {problem}"), "value": value });
                Self::validation(&member, "invalid", what)
            }
            JobError::Running(job) => {
                let data = json!({ "message": message, "job": job });
                fault(StatusCode::CONFLICT, "job_is_running", data)
            }
            JobError::State { id, state } => {
                let data = json!({ "message": message, "job": id, "state": state });
                fault(StatusCode::CONFLICT, "job_state", data)
            }
        }
    }
}

impl From<ChangesError> for Fault {
    fn from(error: ChangesError) -> Self {
        match error {
            ChangesError::Gone(present) => Self::cursor_gone(&present),
            ChangesError::Service(error) => error.into(),
        }
    }
}

impl From<TaskError> for Fault {
    fn from(error: TaskError) -> Self {
        let reason = error.to_string();
        let bad = |data| fault(StatusCode::NOT_FOUND, "bad_identifier", data);
        match error {
            TaskError::Unsaid => {
                fault(StatusCode::INTERNAL_SERVER_ERROR, "invalid request", json!({}))
            }
            TaskError::UnknownAction => {
                fault(StatusCode::NOT_FOUND, "bad identifier", json!(["unknown_category_action"]))
            }
            TaskError::Malformed(malformed) => Self::malformed_table(&malformed),
            TaskError::Rows { fields, values, expected } => {
                let members = [
                    ("missing_mandatory_fields", json!(fields), fields.is_empty()),
                    ("missing_mandatory_values", json!(values), values.is_empty()),
                    ("expected_content", json!(expected), expected.is_none()),
                ];
                let that_apply = members.into_iter().filter(|(_, _, is_empty)| !is_empty);
                let data = that_apply.map(|(name, value, _)| (name.to_owned(), value)).collect();
                fault(StatusCode::BAD_REQUEST, "bad request", Value::Object(data))
            }
            TaskError::Records => Self::wrong_type("records", "array", &Value::Null),
            TaskError::NoAccount => Self::required("account_id"),
            TaskError::TooLarge(limit) => {
                Self::too_large(usize::try_from(limit).unwrap_or(usize::MAX))
            }
            TaskError::Broken => Self::broken_body(),
            TaskError::Slow => Self::slow_body(),
            TaskError::Unknown(id) => bad(json!({ "message": "bad identifier", "cause": id })),
            TaskError::Started(id) => {
                bad(json!({ "reason": reason, "cause": id, "message": "bad identifier" }))
            }
            TaskError::Idle => bad(json!({ "reason": reason })),
            TaskError::Running(id) => bad(json!({ "cause": id, "message": reason })),
            TaskError::Job(error) => error.into(),
        }
    }
}

impl From<WebhookError> for Fault {
    fn from(error: WebhookError) -> Self {
        let message = error.to_string();
        match error {
            WebhookError::NotFound(id) => {
                let data = json!({ "message": "bad identifier", "cause": id });
                fault(StatusCode::NOT_FOUND, "bad_identifier", data)
            }
            // Not what it says: an address may hold secrets.
            WebhookError::Wrong { field, .. } => {
                Self::validation(field, "invalid", json!({ "message": message }))
            }
            WebhookError::Store(error) => Error::from(error).into(),
        }
    }
}

impl From<AuthError> for Fault {
    fn from(error: AuthError) -> Self {
        if let Some(key) = error.unknown_key() {
            let what = json!({ "message": error.to_string(), "value": key });
            return Self::validation("retire", "invalid", what);
        }
        match error {
            AuthError::Configured => {
                let data = json!({ "message": error.to_string() });
                fault(StatusCode::CONFLICT, "key_is_configured", data)
            }
            AuthError::Store(_) => Self::unreachable().caused_by(error),
            _ => Self::internal().caused_by(error),
        }
    }
}

impl From<SupError> for Fault {
    fn from(error: SupError) -> Self {
        let message = error.to_string();
        let (member, value) = match error {
            SupError::Usage { command, .. } => ("command".to_owned(), command.into()),
            SupError::Wrong { member, value, .. } => (member, *value),
        };
        let what = json!({ "message": message, "value": value });
        Self::validation(&member, "invalid", what).with_line(message)
    }
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        let fault = match refused.why {
            Refusal::Account(text) => Self::invalid_account(&text),
            Refusal::Service(error) => (*error).into(),
        };
        match refused.line {
            Some(line) => fault.with_line(line),
            None => fault,
        }
    }
}

impl Fault {
    /// The fault of an operation that only reads: a text that is no number is not found either.
    pub(crate) fn reading(error: Error) -> Self {
        match error {
            Error::NotReconcilable(given) => Self::number_not_found(&given),
            other => other.into(),
        }
    }

    /// The same fault, with what happened for the log.
    pub(crate) fn caused_by(mut self, source: impl StdError + Send + Sync + 'static) -> Self {
        self.0.source = Some(Arc::new(source));
        self
    }

    fn with_line(mut self, line: String) -> Self {
        self.0.line = Some(line);
        self
    }

    /// The same fault as one line of text.
    pub(crate) fn in_words(mut self, line: &str) -> Self {
        self.0.text = Some(format!("{line}\n"));
        self
    }

    fn with(mut self, name: HeaderName, value: impl Into<HeaderValue>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    /// No such number, or it is not the caller's to know.
    pub(crate) fn number_not_found(cause: &str) -> Self {
        let data = json!({
            "message": "bad identifier",
            "not_found": "The number could not be found",
            "cause": cause,
        });
        fault(StatusCode::NOT_FOUND, "bad_identifier", data)
    }

    fn no_config(id: &str) -> Self {
        let data = json!({ "message": "bad identifier", "cause": id });
        fault(StatusCode::NOT_FOUND, "bad_identifier", data)
    }

    fn unknown_carrier(name: &str) -> Self {
        let cause = format!("'{name}' is not known by the system");
        let mut fault = of_number("invalid", Some(&cause), "invalid".to_owned());
        fault.0.line = Some(format!("Bad carrier module: {name}"));
        fault
    }

    fn directory(directory: &DirectoryFault, message: String) -> Self {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        match directory {
            DirectoryFault::NoCities => fault(status, "init failed", message.into()),
            DirectoryFault::Cities { said, .. } => fault(status, "init failed", said.clone()),
            DirectoryFault::NoLocalities | DirectoryFault::Localities(_) => {
                fault(status, message, json!({}))
            }
        }
    }

    /// A search for the prefixes of no city.
    pub(crate) fn missing_city() -> Self {
        let data = json!({ "message": "bad identifier", "cause": "city" });
        fault(StatusCode::NOT_FOUND, "bad_identifier", data)
    }

    fn carrier(number: &E164, message: String) -> Self {
        of_number("unspecified_fault", Some(number.as_str()), message)
    }

    /// The store cannot be reached.
    pub(crate) fn unreachable() -> Self {
        plain(StatusCode::SERVICE_UNAVAILABLE, "datastore_unreachable")
            .with(header::RETRY_AFTER, RETRY_AFTER)
    }

    /// The path names no account.
    pub(crate) fn missing_account() -> Self {
        fault(StatusCode::NOT_FOUND, "bad identifier", json!({ "message": "missing account_id" }))
    }

    /// The path names an account by what cannot be one.
    pub(crate) fn invalid_account(text: &str) -> Self {
        let message = format!("invalid account_id '{text}'");
        fault(StatusCode::NOT_FOUND, "bad identifier", json!({ "message": message }))
    }

    /// There is no such account.
    pub(crate) fn unknown_account(account: &AccountId) -> Self {
        let data = json!({ "message": "bad identifier", "cause": account.as_str() });
        fault(StatusCode::NOT_FOUND, "bad_identifier", data)
    }

    /// There are no such actions by tables.
    pub(crate) fn unknown_actions() -> Self {
        let data = json!(["unknown category or action"]);
        fault(StatusCode::NOT_FOUND, "bad identifier", data)
    }

    fn malformed_table(malformed: &Malformed) -> Self {
        let message = if malformed.is_shape {
            "Empty CSV or some row(s) longer than others or header missing".to_owned()
        } else {
            format!("Malformed CSV: {malformed}")
        };
        let what = json!({
            "message": message,
            "line": malformed.line,
            "column": malformed.column,
            "cause": malformed.problem,
        });
        Self::validation("csv", "format", what)
    }

    /// A line of a body is too long.
    pub(crate) fn long_line(line: u64) -> Self {
        let message = format!("line {line} is too long");
        Self::validation("body", "maxLength", json!({ "message": message, "line": line }))
    }

    /// A body that is read while it arrives is not remembered, so that it cannot be compared.
    pub(crate) fn key_with_stream() -> Self {
        let message = "Idempotency-Key cannot go with a body that is read while it arrives";
        Self::validation("idempotency-key", "invalid", json!({ "message": message }))
    }

    /// There is nothing under that path.
    pub(crate) fn not_found() -> Self {
        plain(StatusCode::NOT_FOUND, "not_found")
    }

    /// The first version of the API is no more.
    pub(crate) fn gone() -> Self {
        plain(StatusCode::GONE, "gone")
    }

    /// What follows a cursor was dropped; the feed goes on at `present`.
    pub(crate) fn cursor_gone(present: &Cursor) -> Self {
        let message = "what follows the cursor is not kept any more";
        let data = json!({ "message": message, "cursor": present.to_string() });
        fault(StatusCode::GONE, "cursor_gone", data)
    }

    /// There are as many as there may be who wait for changes.
    pub(crate) fn too_many_streams() -> Self {
        plain(StatusCode::SERVICE_UNAVAILABLE, "too_many_streams")
            .with(header::RETRY_AFTER, RETRY_AFTER)
    }

    /// The path knows other methods.
    pub(crate) fn method_not_allowed(allowed: &HeaderValue) -> Self {
        let data = json!({ "message": "method not allowed" });
        fault(StatusCode::METHOD_NOT_ALLOWED, "invalid_method", data)
            .with(header::ALLOW, allowed.clone())
    }

    /// The caller asks too often; `wait` is how many seconds that will last.
    pub(crate) fn too_many_requests(wait: u64) -> Self {
        plain(StatusCode::TOO_MANY_REQUESTS, "too_many_requests").with(header::RETRY_AFTER, wait)
    }

    /// The same request is being worked on; `wait` is how many seconds that may last.
    pub(crate) fn in_flight(wait: u64) -> Self {
        plain(StatusCode::CONFLICT, "request_in_flight").with(header::RETRY_AFTER, wait)
    }

    /// The key was another request's.
    pub(crate) fn key_reused() -> Self {
        plain(StatusCode::UNPROCESSABLE_ENTITY, "idempotency_key_reused")
    }

    /// The request was done, and its answer was too large to be kept.
    pub(crate) fn not_kept(status: &Value) -> Self {
        let message = "the request was done before, and its answer was too large to be kept";
        let data = json!({ "message": message, "status": status });
        fault(StatusCode::CONFLICT, "answer_not_kept", data)
    }

    /// Whether the same request may go well a moment later though nothing about it changes.
    pub(crate) fn is_passing(&self) -> bool {
        let passing = [StatusCode::UNAUTHORIZED, StatusCode::TOO_MANY_REQUESTS];
        passing.contains(&self.status) || self.message == CONFLICT
    }

    /// What is kept of the fault for a repetition of the request.
    pub(crate) fn kept(&self) -> Value {
        json!({
            "status": self.status.as_u16(),
            "message": self.message,
            "data": self.data,
            "text": self.text,
        })
    }

    /// The fault of which that was kept.
    pub(crate) fn from_kept(kept: &Value) -> Option<Self> {
        let status = StatusCode::from_u16(u16::try_from(kept["status"].as_u64()?).ok()?).ok()?;
        let mut fault = fault(status, kept["message"].as_str()?.to_owned(), kept["data"].clone());
        fault.0.text = kept["text"].as_str().map(str::to_owned);
        Some(fault)
    }

    /// There is no usable token.
    pub(crate) fn no_credentials() -> Self {
        let data = json!({ "message": "invalid credentials" });
        fault(StatusCode::UNAUTHORIZED, "invalid_credentials", data)
    }

    /// The token has ended, or is not believed.
    pub(crate) fn unknown_credentials() -> Self {
        fault(StatusCode::UNAUTHORIZED, "invalid credentials", json!({}))
    }

    /// The token's account is not in use.
    pub(crate) fn locked(account: &AccountId) -> Self {
        let why = json!({ "message": "account disabled", "cause": account.as_str() });
        fault(StatusCode::LOCKED, "locked", json!({ "account": { "disabled": why } }))
    }

    /// The caller may not do that.
    pub(crate) fn forbidden() -> Self {
        plain(StatusCode::FORBIDDEN, "forbidden")
    }

    /// The body is of a kind that nothing here reads.
    pub(crate) fn unsupported_media_type() -> Self {
        plain(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type")
    }

    /// The body has more than `limit` bytes.
    pub(crate) fn too_large(limit: usize) -> Self {
        let rule = json!({
            "message": format!("Files must not be more than {limit} bytes"),
            "target": limit,
        });
        let data = json!({ "file": { "maxSize": rule } });
        fault(StatusCode::PAYLOAD_TOO_LARGE, "validation error", data)
    }

    /// The body ended before it was complete.
    pub(crate) fn broken_body() -> Self {
        plain(StatusCode::BAD_REQUEST, "parse_error")
    }

    /// The body did not arrive in time.
    pub(crate) fn slow_body() -> Self {
        plain(StatusCode::REQUEST_TIMEOUT, "request_timeout")
    }

    /// The answer was not ready in time. What was to be written may still be.
    pub(crate) fn slow() -> Self {
        plain(StatusCode::SERVICE_UNAVAILABLE, "request_timeout")
            .with(header::RETRY_AFTER, RETRY_AFTER)
    }

    /// There is more to do than can be done.
    pub(crate) fn overloaded() -> Self {
        plain(StatusCode::SERVICE_UNAVAILABLE, "overloaded").with(header::RETRY_AFTER, RETRY_AFTER)
    }

    /// The JSON of the body has more than `limit` values.
    pub(crate) fn too_many_values(limit: usize) -> Self {
        let rule = json!({
            "message": format!("JSON must not have more than {limit} values"), "target": limit,
        });
        let data = json!({ "json": { "maxItems": rule } });
        fault(StatusCode::PAYLOAD_TOO_LARGE, "validation error", data)
    }

    /// A value breaks a rule.
    pub(crate) fn validation(field: &str, rule: &str, what: impl Into<Value>) -> Self {
        let data = json!({ field: { rule: what.into() } });
        fault(StatusCode::BAD_REQUEST, "validation error", data)
    }

    /// Values break rules: by field, then by rule.
    pub(crate) fn invalid_fields(data: Map<String, Value>) -> Self {
        fault(StatusCode::BAD_REQUEST, "validation error", Value::Object(data))
    }

    /// An address that may be several: the caller is to choose.
    fn choices(feature: &str, given: &Value, candidates: &[Value], message: &str) -> Self {
        let choice = json!({ "cause": given, "details": candidates, "message": message });
        let data = json!({ "multiple_choice": { feature: choice } });
        fault(StatusCode::BAD_REQUEST, "multiple_choice", data)
    }

    /// What was asked for costs something.
    fn charges(invoices: &[Invoice]) -> Self {
        let invoices: Vec<Value> = invoices.iter().map(charges::invoice).collect();
        fault(StatusCode::PAYMENT_REQUIRED, "accept charges", invoices.into())
    }

    /// A list names a number twice.
    fn repeated_numbers() -> Self {
        let what = json!({ "message": "some numbers appear twice" });
        Self::validation("numbers", "uniqueItems", what)
    }

    /// A member is missing.
    pub(crate) fn required(field: &str) -> Self {
        Self::validation(field, "required", json!({ "message": "Field is required but missing" }))
    }

    /// A member is a text that says nothing.
    pub(crate) fn empty(field: &str) -> Self {
        let what = json!({ "message": "String must have a length of at least 1", "target": 1 });
        Self::validation(field, "minLength", what)
    }

    /// A member is of another type.
    pub(crate) fn wrong_type(field: &str, wanted: &str, value: &Value) -> Self {
        let message = format!("Value did not match type(s): {wanted}");
        let what = json!({ "message": message, "target": wanted, "value": value });
        Self::validation(field, "type", what)
    }

    /// A parameter of the query says what cannot be understood.
    pub(crate) fn invalid_parameter(name: &str, problem: &str, value: &str) -> Self {
        let what = json!({ "message": format!("{name} {problem}"), "value": value });
        Self::validation(name, "invalid", what)
    }

    /// A parameter of the query asks for what cannot be.
    pub(crate) fn faulty_request(message: &str) -> Self {
        fault(StatusCode::NOT_FOUND, "faulty_request", json!({ "message": message }))
    }

    /// A number is not in use as the request needs it.
    pub(crate) fn client_error(data: Value) -> Self {
        fault(StatusCode::BAD_REQUEST, "client error", data)
    }

    /// We did something wrong.
    pub(crate) fn internal() -> Self {
        plain(StatusCode::INTERNAL_SERVER_ERROR, "unspecified_fault")
    }
}

/// The error object of one number among many.
pub(super) fn of_one(error: Error) -> Value {
    let (id, message) = (error.id(), error.to_string());
    let cause = match &error {
        Error::NotFound(number) => Some(number.to_string()),
        Error::NoAccount(account) => Some(account.to_string()),
        _ => None,
    };
    let fault = Fault::from(error);
    if let Some(source) = &fault.source {
        tracing::error!(error = &**source as &dyn StdError, "one number of many failed");
    }
    if fault.data.get("code").is_some() {
        return fault.data.clone();
    }
    of_number(id, cause.as_deref(), message).data.clone()
}

/// The code of an error id of one number among many.
pub(super) fn code_of(id: &str) -> u16 {
    status_of(id).as_u16()
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use crate::{domain::CarrierName, service::CarrierError};

    use super::*;

    const NUMBER: &str = "+14155550100";
    const ACCOUNT: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn check(error: Error, status: u16, message: &str, data: Value) {
        let among_many = code_of(error.id());
        // These two are about no number, so no row of many has them.
        let is_alone = matches!(error, Error::UnknownFeature(_) | Error::Directory(_));
        let fault = Fault::from(error);
        assert_eq!(fault.status.as_u16(), status);
        assert!(is_alone || among_many == status, "{message}: {among_many} among many");
        assert_eq!(fault.message, message);
        assert_eq!(fault.data, data);
        assert_eq!(fault.source.is_some(), status >= 500, "{message} is logged if it is ours");
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn every_error_has_its_answer() {
        let number = || E164::parse(NUMBER).unwrap();
        let account = || AccountId::parse(ACCOUNT).unwrap();
        let driver = || Arc::new(std::io::Error::other("secret internals"));
        let cause = |text: &str| Some(text.to_owned());
        check(
            Error::NotFound(number()),
            404,
            "bad_identifier",
            json!({"message": "bad identifier", "not_found": "The number could not be found", "cause": NUMBER}),
        );
        check(
            Error::NotReconcilable("abc".into()),
            400,
            "not_reconcilable",
            json!({"code": 400, "error": "not_reconcilable", "cause": "abc", "message": "number abc is not reconcilable"}),
        );
        check(
            Error::Exists(number()),
            409,
            "number_exists",
            json!({"code": 409, "error": "number_exists", "cause": NUMBER, "message": "number +14155550100 already exists"}),
        );
        check(
            Error::Porting(number()),
            400,
            "number_is_porting",
            json!({"code": 400, "error": "number_is_porting", "cause": NUMBER, "message": "number +14155550100 is porting"}),
        );
        check(
            Error::Forbidden { cause: None },
            403,
            "forbidden",
            json!({"code": 403, "error": "forbidden", "message": "requestor is unauthorized to perform operation"}),
        );
        check(
            Error::Forbidden { cause: cause("why") },
            403,
            "forbidden",
            json!({"code": 403, "error": "forbidden", "cause": "why", "message": "requestor is unauthorized to perform operation"}),
        );
        check(
            Error::InvalidTransition { cause: cause("from aging to reserved") },
            400,
            "invalid_state_transition",
            json!({"code": 400, "error": "invalid_state_transition", "cause": "from aging to reserved", "message": "invalid state transition"}),
        );
        check(Error::SearchRestricted, 404, "number search restricted", json!({}));
        check(Error::NoReseller, 404, "nonexistent reseller_id", json!({}));
        check(DirectoryFault::NoLocalities.into(), 500, "could not get locality url", json!({}));
        let missing = json!("Unable to acquire numbers missing carrier url");
        check(DirectoryFault::NoCities.into(), 500, "init failed", missing);
        check(
            Error::NoChange,
            400,
            "no_change_required",
            json!({"code": 400, "error": "no_change_required", "message": "no change required"}),
        );
        check(
            Error::AssignFailure { cause: "field_undefined".into() },
            400,
            "assign_failure",
            json!({"code": 400, "error": "assign_failure", "cause": "field_undefined", "message": "invalid account to assign to"}),
        );
        check(
            Error::Invalid { cause: "x".into() },
            400,
            "invalid",
            json!({"code": 400, "error": "invalid", "cause": "x", "message": "invalid"}),
        );
        check(
            Error::NoAccount(account()),
            404,
            "bad_identifier",
            json!({"message": "bad identifier", "cause": ACCOUNT}),
        );
        check(
            Error::AccountExists(account()),
            409,
            "account_exists",
            json!({"code": 409, "error": "account_exists", "cause": ACCOUNT, "message": format!("account {ACCOUNT} already exists")}),
        );
        check(
            Error::UnknownCarrier("x".into()),
            400,
            "invalid",
            json!({"code": 400, "error": "invalid", "cause": "'x' is not known by the system", "message": "invalid"}),
        );
        check(
            Error::PreconditionFailed,
            412,
            "precondition_failed",
            json!({"message": "precondition failed"}),
        );
        check(Error::Conflict, 409, "datastore_conflict", json!({"message": "datastore conflict"}));
        check(
            Error::Carrier { number: number(), carrier: CarrierName::local(), reason: None },
            500,
            "unspecified_fault",
            json!({"code": 500, "error": "unspecified_fault", "cause": NUMBER, "message": "fault by carrier"}),
        );
        let reason = Some(CarrierError::refused("sold out").with_status(409).with_code("7"));
        check(
            Error::Carrier { number: number(), carrier: CarrierName::local(), reason },
            500,
            "unspecified_fault",
            json!({"code": 500, "error": "unspecified_fault", "cause": NUMBER, "message": "fault by carrier", "carrier": {"name": "knm_local", "status": 409, "code": "7", "reason": "sold out"}}),
        );
        check(
            Error::Provider(ProviderError::Absent { feature: "e911", provider: "p".into() }),
            501,
            "not_implemented",
            json!({"code": 501, "error": "not_implemented", "cause": "provider 'p' of feature 'e911' is not available", "message": "provider 'p' of feature 'e911' is not available"}),
        );
        check(
            Error::Provider(ProviderError::Invalid { cause: "x".into() }),
            400,
            "invalid",
            json!({"code": 400, "error": "invalid", "cause": "x", "message": "invalid"}),
        );
        let (given, candidates) = (json!({"region": "CA"}), vec![json!({"region": "NY"})]);
        check(
            Error::Provider(ProviderError::Choices { feature: "e911", given, candidates }),
            400,
            "multiple_choice",
            json!({"multiple_choice": {"e911": {"cause": {"region": "CA"}, "details": [{"region": "NY"}], "message": "more than one address found"}}}),
        );
        check(
            Error::Provider(ProviderError::Failed { provider: "p", source: driver() }),
            500,
            "unspecified_fault",
            json!({"code": 500, "error": "unspecified_fault", "message": "fault by provider 'p'"}),
        );
        check(
            Error::Configuration(driver()),
            503,
            "datastore_fault",
            json!({"message": "datastore fault"}),
        );
        check(
            Error::Unavailable(driver()),
            503,
            "datastore_unreachable",
            json!({"message": "datastore unreachable"}),
        );
        check(
            Error::Store(driver()),
            503,
            "datastore_fault",
            json!({"message": "datastore fault"}),
        );
    }

    #[test]
    fn reading_what_is_no_number_finds_nothing() {
        let fault = Fault::reading(Error::NotReconcilable("abc".into()));
        assert_eq!((fault.status.as_u16(), &*fault.message), (404, "bad_identifier"));
        assert_eq!(fault.data["cause"], "abc");
    }

    #[test]
    fn an_unreachable_store_says_when_to_come_back() {
        let fault = Fault::from(Error::Unavailable(Arc::new(std::io::Error::other("down"))));
        assert_eq!(fault.headers, [(header::RETRY_AFTER, HeaderValue::from(1))]);
    }
}
