//! `Idempotency-Key`: a write that is sent again under the same key is answered as it was the first
//! time, and not done again.
//!
//! A key counts for the account of the token, the method and the path. What was claimed by a process
//! that died is free again when the claim ends; a claim is prolonged for as long as its request runs.
//! Answers of 401, 429 and 5xx are not kept, nor is a race that was lost: there the request may be
//! sent again and be done.

use std::{pin::pin, time::Duration};

use axum::{
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use utoipa::openapi::{
    OpenApi, RefOr, Required,
    path::{Operation, ParameterBuilder, ParameterIn},
    schema::{Object, Type},
};

use crate::service::{Claim, Claimed, Error};

use super::{
    Api,
    envelope::Reply,
    extract::{self, Caller},
    fault::Fault,
    request::Call,
};

/// The header that carries the key.
const KEY: &str = "idempotency-key";
/// The status of a key that another request had.
const REUSED: &str = "422";

/// How requests with a key are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdempotencyConfig {
    /// The most characters of a key.
    pub key_length: usize,
    /// The most bytes of an answer that is kept.
    pub answer_bytes: usize,
    /// For how much longer than a request may take a claim holds, in milliseconds.
    pub margin_ms: u64,
}

/// Marks an answer that was given before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Replayed;

/// Whether a request carries a key that counts.
pub(super) fn is_asked(call: &Call, headers: &HeaderMap) -> bool {
    call.method != Method::GET && headers.contains_key(KEY)
}

/// Does the work of a request that carries a key, unless it was done before.
pub(super) async fn once(
    api: &Api,
    call: &Call,
    (path, headers): (&str, &HeaderMap),
    work: impl Future<Output = Response> + Send,
) -> Response {
    // Who is not let in is told so by the handler, which knows in which order.
    let Ok(caller) = extract::authenticate(api, call).await else { return work.await };
    if !caller.may(call) {
        return work.await;
    }
    match claim(api, call, &caller, path, headers).await {
        Ok(Claimed::Mine(claim)) => run(api, claim, work).await,
        Ok(known) => replay(api, call, known),
        Err(fault) => fault.into_response(),
    }
}

async fn claim(
    api: &Api,
    call: &Call,
    caller: &Caller,
    path: &str,
    headers: &HeaderMap,
) -> Result<Claimed, Fault> {
    let key = read_key(headers, api.limits.idempotency.key_length)?;
    let actor = &caller.actor;
    let scope = json!([actor.name(), actor.is_admin, call.method.as_str(), path, key]);
    // With a letter in front: an id must not begin with an underscore.
    let id = format!("k{}", hash(&scope));
    let body = &call.body;
    let if_match = call.terms().if_match.map(|wanted| format!("{wanted:?}"));
    let fingerprint = hash(&json!([body.data, body.root, body.readable, call.query.0, if_match]));
    Ok(api.requests.claim(&id, &fingerprint, lease(api)).await.map_err(Error::from)?)
}

/// For how long a claim holds unless it is prolonged.
fn lease(api: &Api) -> Duration {
    Duration::from_millis(api.limits.request_timeout_ms + api.limits.idempotency.margin_ms)
}

fn read_key(headers: &HeaderMap, longest: usize) -> Result<&str, Fault> {
    let mut given = headers.get_all(KEY).iter();
    let first = given.next().and_then(|key| key.to_str().ok()).unwrap_or_default();
    let is_sane = (1..=longest).contains(&first.len())
        && first.bytes().all(|byte| byte.is_ascii_graphic())
        && given.all(|other| other == first);
    if is_sane {
        return Ok(first);
    }
    let message = format!("Idempotency-Key must be one key of 1 to {longest} visible characters");
    Err(Fault::validation(KEY, "invalid", json!({ "message": message, "target": longest })))
}

fn hash(what: &Value) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(what.to_string()))
}

/// Does the work under a claim, which is prolonged meanwhile.
async fn run(api: &Api, mut claim: Claim, work: impl Future<Output = Response> + Send) -> Response {
    let mut work = pin!(work);
    let lease = lease(api);
    let response = loop {
        tokio::select! {
            response = &mut work => break response,
            () = tokio::time::sleep(lease / 3) => {
                if let Err(error) = api.requests.renew(&mut claim, lease).await {
                    tracing::warn!(%error, "the claim of a request is not prolonged");
                }
            }
        }
    };
    let (kept, status) = (kept(&response), response.status());
    if let Err(error) = settle(api, &claim, kept, status).await {
        tracing::warn!(%error, "the answer to a request is not kept");
    }
    response
}

async fn settle(
    api: &Api,
    claim: &Claim,
    kept: Option<Value>,
    status: StatusCode,
) -> Result<(), Error> {
    let Some(mut kept) = kept else {
        return Ok(api.requests.release(claim).await?);
    };
    if kept.to_string().len() > api.limits.idempotency.answer_bytes {
        kept = json!({ "status": status.as_u16() });
    }
    Ok(api.requests.keep(claim, kept).await?)
}

/// What is kept of an answer; nothing of one after which the request may be done again.
fn kept(response: &Response) -> Option<Value> {
    let status = response.status();
    if status.is_server_error() {
        return None;
    }
    let extensions = response.extensions();
    if let Some(fault) = extensions.get::<Fault>() {
        return (!fault.is_passing()).then(|| json!({ "fault": fault.kept() }));
    }
    let reply = extensions.get::<Reply>().and_then(Reply::kept);
    Some(match reply {
        Some(reply) => json!({ "reply": reply }),
        None => json!({ "status": status.as_u16() }),
    })
}

/// The answer to a request that is known. It counts against the rate limit like any other.
fn replay(api: &Api, call: &Call, known: Claimed) -> Response {
    let account = extract::account_in_path(call).ok();
    if let Err(fault) = extract::limit(api, call, account.as_ref()) {
        return fault.into_response();
    }
    let answer = match known {
        Claimed::Done(answer) => answer,
        Claimed::InFlight(wait) => return Fault::in_flight(wait).into_response(),
        Claimed::Another | Claimed::Mine(_) => return Fault::key_reused().into_response(),
    };
    let reply = answer.get("reply").and_then(Reply::from_kept);
    let fault = answer.get("fault").and_then(Fault::from_kept);
    let mut response = match (reply, fault) {
        (Some(reply), _) => reply.into_response(),
        (None, Some(fault)) => fault.into_response(),
        (None, None) => return Fault::not_kept(&answer["status"]).into_response(),
    };
    response.extensions_mut().insert(Replayed);
    response
}

/// Adds the header, and what it can answer, to every operation that writes.
pub(super) fn describe(document: &mut OpenApi) {
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.put, &mut item.post, &mut item.patch, &mut item.delete] {
            operation.iter_mut().for_each(describe_operation);
        }
    }
}

fn describe_operation(operation: &mut Operation) {
    let key = ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Any text of the client's. Sent again within 24 hours by the same account, the request \
             is answered as the first time (`Idempotency-Replayed: true`) and not done again.",
        ))
        .schema(Some(Object::with_type(Type::String)))
        .build();
    operation.parameters.get_or_insert_default().push(key.into());
    let responses = &mut operation.responses.responses;
    let Some(RefOr::T(conflict)) = responses.get_mut("409") else { return };
    let mut reused = conflict.clone();
    conflict.description += " Or the same `Idempotency-Key` is being worked on, or was answered by \
                             more than is kept.";
    "The `Idempotency-Key` was another request's.".clone_into(&mut reused.description);
    responses.insert(REUSED.to_owned(), RefOr::T(reused));
}

/// Adds the header of an answer that was given before.
pub(super) fn mark(headers: &mut HeaderMap) {
    let name = header::HeaderName::from_static("idempotency-replayed");
    headers.insert(name, header::HeaderValue::from_static("true"));
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_short_and_visible_and_one() {
        let read = |keys: &[&str]| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append(KEY, HeaderValue::from_bytes(key.as_bytes()).unwrap());
            }
            read_key(&headers, 8).map(str::to_owned).ok()
        };
        assert_eq!(read(&["abc-1"]).as_deref(), Some("abc-1"));
        assert_eq!(read(&["12345678"]).as_deref(), Some("12345678"));
        assert_eq!(read(&["a", "a"]).as_deref(), Some("a"));
        for bad in [&[""][..], &["123456789"], &["a b"], &["ä"], &["a", "b"], &[]] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_may_be_sent_again_is_not_kept() {
        let check = |fault: Fault, is_kept: bool| {
            assert_eq!(kept(&fault.clone().into_response()).is_some(), is_kept, "{fault:?}");
        };
        check(Fault::no_credentials(), false);
        check(Fault::too_many_requests(1), false);
        check(Fault::internal(), false);
        check(Fault::unreachable(), false);
        check(Fault::from(Error::Conflict), false);
        check(Fault::forbidden(), true);
        check(Fault::from(Error::PreconditionFailed), true);
    }
}
