//! What every route of the document has in common: envelopes, paths and the answers of errors. Only
//! words of the document; what is sent is written by `envelope` and `fault`.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use serde_json::{Map, Value};
use utoipa::{IntoParams, IntoResponses, ToSchema};

/// The envelope of an answer that went well.
#[derive(ToSchema)]
pub(super) struct Answer<T> {
    data: T,
    /// Always `success`.
    status: String,
    /// What cannot be written: beside the data of one number.
    metadata: Option<Map<String, Value>>,
    /// How many rows the page has.
    page_size: Option<u64>,
    /// The key of the page's first row.
    start_key: Option<String>,
    /// The key of the next page; absent on the last.
    next_start_key: Option<String>,
    /// The revision of the document that is shown; the `ETag`.
    revision: Option<String>,
    /// The caller's token.
    auth_token: Option<String>,
    /// The request's id.
    request_id: String,
    /// The process that answered.
    node: String,
    /// When, as RFC 3339.
    timestamp: String,
    /// How the rate limit stands.
    tokens: Option<TokensBody>,
    /// The version of the service.
    version: String,
}

/// How the rate limit stands.
#[derive(ToSchema)]
struct TokensBody {
    /// What this request took.
    consumed: u32,
    /// What is left.
    remaining: u32,
}

/// The envelope of an error answer.
#[derive(ToSchema)]
pub(super) struct ErrorAnswer {
    /// What there is to say: a message, the fields that break a rule, or the error of a number.
    data: Value,
    /// Always `error`.
    status: String,
    /// The status, as text.
    error: String,
    /// The error's id.
    message: String,
    /// The request's id.
    request_id: String,
    /// The process that answered.
    node: String,
    /// When, as RFC 3339.
    timestamp: String,
    /// The version of the service.
    version: String,
}

/// The error answers that every operation shares.
#[derive(IntoResponses)]
pub(super) enum Faults {
    /// The request cannot be understood, or breaks a rule.
    #[response(status = 400)]
    Invalid(ErrorAnswer),
    /// There is no usable token.
    #[response(status = 401)]
    Unauthenticated(ErrorAnswer),
    /// What was asked for costs something: `data` lists invoices. Nothing was changed; the same
    /// request with `accept_charges: true` goes through.
    #[response(status = 402)]
    Charges(ErrorAnswer),
    /// The caller may not do that.
    #[response(status = 403)]
    Forbidden(ErrorAnswer),
    /// There is no such account, number or path.
    #[response(status = 404)]
    NotFound(ErrorAnswer),
    /// The path knows other methods; `Allow` lists them.
    #[response(status = 405)]
    Method(ErrorAnswer),
    /// The body did not arrive in time.
    #[response(status = 408)]
    SlowBody(ErrorAnswer),
    /// The number exists already, or was changed by somebody else.
    #[response(status = 409)]
    Conflict(ErrorAnswer),
    /// The document is no longer at the revision that `If-Match` names.
    #[response(status = 412)]
    Precondition(ErrorAnswer),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(ErrorAnswer),
    /// The body is of a kind that is not read here.
    #[response(status = 415)]
    MediaType(ErrorAnswer),
    /// The token's account is not in use.
    #[response(status = 423)]
    Locked(ErrorAnswer),
    /// The caller asks too often; `Retry-After` says when to come back.
    #[response(status = 429)]
    TooMany(ErrorAnswer),
    /// A carrier or the service failed.
    #[response(status = 500)]
    Internal(ErrorAnswer),
    /// A provider or a carrier of that name is not part of this service.
    #[response(status = 501)]
    NotImplemented(ErrorAnswer),
    /// The store cannot be reached, or does not hold what can be read; or there is more to do than can be
    /// done (`overloaded`). `Retry-After` says when to come back.
    #[response(status = 503)]
    Unavailable(ErrorAnswer),
}

/// The answer to a reader who has the newest version.
#[derive(IntoResponses)]
#[response(status = 304, description = "It is as the `ETag` in `If-None-Match` says")]
pub(super) struct NotModified;

/// The account.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct AccountPath {
    /// The account's id: 32 characters of `[a-z0-9]`.
    account_id: String,
}

/// The account and the number.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct NumberPath {
    /// The account's id: 32 characters of `[a-z0-9]`.
    account_id: String,
    /// The number, in any form that can be dialled.
    number: String,
}

/// The number.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct UnscopedNumberPath {
    /// The number, in any form that can be dialled.
    number: String,
}

/// What the client expects to be stored.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct IfMatch {
    /// The `ETag` of the version that may be written over.
    #[param(rename = "If-Match", required = false)]
    if_match: Option<String>,
}
