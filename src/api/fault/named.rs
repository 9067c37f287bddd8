//! What the wire itself finds wrong, by name.

use axum::http::{HeaderValue, StatusCode, header};
use serde_json::{Map, Value, json};

use super::{Fault, fault, plain};
use crate::{domain::AccountId, service::Cursor};

/// How many seconds a client should wait before it asks an unreachable store again.
const RETRY_AFTER: u64 = 1;
impl Fault {
    /// No such number, or it is not the caller's to know.
    pub(crate) fn number_not_found(cause: &str) -> Self {
        let data = json!({
            "message": "bad identifier",
            "not_found": "The number could not be found",
            "cause": cause,
        });
        fault(StatusCode::NOT_FOUND, "bad_identifier", data)
    }

    /// A search for the prefixes of no city.
    pub(crate) fn missing_city() -> Self {
        let data = json!({ "message": "bad identifier", "cause": "city" });
        fault(StatusCode::NOT_FOUND, "bad_identifier", data)
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
