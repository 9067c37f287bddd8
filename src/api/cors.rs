//! What browsers ask before they let a page of another origin read an answer. Errors carry it too:
//! a page must be able to read why.

use axum::http::{HeaderMap, HeaderValue, header};

const HEADERS: HeaderValue = HeaderValue::from_static(
    "content-type, depth, user-agent, x-http-method-override, x-file-size, x-requested-with, \
     if-modified-since, x-file-name, cache-control, x-auth-token, x-kazoo-cluster-id, if-match, \
     authorization, if-none-match, idempotency-key, x-request-id, x-pretty-print, prefer",
);
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "content-type, x-auth-token, x-request-id, x-kazoo-cluster-id, location, etag, \
     idempotency-replayed, retry-after",
);
const NONE: HeaderValue = HeaderValue::from_static("OPTIONS");

/// Whether a request comes from a page of another origin.
pub(super) fn is_asked(headers: &HeaderMap) -> bool {
    headers.contains_key(header::ORIGIN)
        || headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
        || headers.contains_key(header::ACCESS_CONTROL_REQUEST_HEADERS)
}

/// Adds what lets that page read the answer. `methods`: those of the path, if there is one.
pub(super) fn allow(headers: &mut HeaderMap, methods: Option<&HeaderValue>) {
    let any = HeaderValue::from_static("*");
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, any);
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods.cloned().unwrap_or(NONE));
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
}
