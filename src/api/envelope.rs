//! Answers in the envelope that every client reads: `data`, whether it went well, and what belongs
//! to the request.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use axum::{
    BoxError,
    body::{Body, Bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use futures::{
    Stream, StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::{fault::Fault, request::Call};

/// Nothing of ours may be cached: a date that has passed.
pub(super) const EXPIRES: HeaderValue = HeaderValue::from_static("Fri, 01 Jan 1999 00:00:00 GMT");
/// Without a charset: there is a user interface that reads errors of exactly this type only.
pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// The statuses of what went well.
const STATUSES: [StatusCode; 3] = [StatusCode::OK, StatusCode::CREATED, StatusCode::ACCEPTED];
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// An answer that went well.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    status: StatusCode,
    data: Value,
    metadata: Option<Value>,
    revision: Option<String>,
    page: Option<Page>,
    text: Option<String>,
    tag: Option<String>,
    /// Where what is begun can be looked at.
    place: Option<String>,
    stream: Option<Streamed>,
}

/// Data that is written while it is read.
#[derive(Clone)]
struct Streamed(Arc<Mutex<Option<Writer>>>);

/// Begins to write, for people or not.
type Writer = Box<dyn FnOnce(bool) -> Parts + Send>;
/// The parts of what is written, one behind the other.
type Parts = BoxStream<'static, Result<Bytes, BoxError>>;

impl fmt::Debug for Streamed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Streamed")
    }
}

/// Where a page of a listing begins and ends.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Page {
    /// How many rows it has.
    #[serde(rename = "page_size")]
    pub rows: usize,
    /// The key of its first row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_key: Option<String>,
    /// The key of the next page's first row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_start_key: Option<String>,
}

/// What answers say about the request and the process.
#[derive(Clone, Debug)]
pub(super) struct Frame<'a> {
    /// The request's id.
    pub request_id: &'a str,
    /// The process.
    pub node: &'a str,
    /// The time, as RFC 3339.
    pub timestamp: String,
    /// What was understood of the request; none when it was refused before.
    pub call: Option<&'a Call>,
    /// Whether people read the answer.
    pub pretty: bool,
}

/// How the rate limit stands.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Tokens {
    /// What this request took.
    pub consumed: u32,
    /// What is left.
    pub remaining: u32,
}

#[derive(Serialize)]
struct Envelope<'a> {
    data: &'a Value,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a Value>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    page: Option<&'a Page>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    auth_token: Option<&'a str>,
    request_id: &'a str,
    node: &'a str,
    timestamp: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
    version: &'static str,
}

impl Reply {
    /// An answer of 200.
    pub(super) fn ok(data: impl Into<Value>) -> Self {
        Self {
            status: StatusCode::OK,
            data: data.into(),
            metadata: None,
            revision: None,
            page: None,
            text: None,
            tag: None,
            place: None,
            stream: None,
        }
    }

    /// An answer of 200 whose data is written, for people or not, while it is read. When that
    /// fails, the answer breaks off.
    pub(super) fn streamed<S, E>(write: impl FnOnce(bool) -> S + Send + 'static) -> Self
    where
        S: Stream<Item = Result<Bytes, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let write: Writer = Box::new(|pretty| write(pretty).map_err(Into::into).boxed());
        let stream = Some(Streamed(Arc::new(Mutex::new(Some(write)))));
        Self { stream, ..Self::ok(Value::Null) }
    }

    /// The same answer, as what was created: 201, unless the method came in through a tunnel or it
    /// is not finished.
    pub(super) fn created(mut self, call: &Call) -> Self {
        if !call.tunnelled && self.status == StatusCode::OK {
            self.status = StatusCode::CREATED;
        }
        self
    }

    /// The same answer, for what is stored but not finished.
    pub(super) fn accepted(mut self) -> Self {
        self.status = StatusCode::ACCEPTED;
        self
    }

    /// The same answer for what is begun, with the path under which it can be looked at.
    pub(super) fn accepted_at(self, place: String) -> Self {
        Self { place: Some(place), ..self.accepted() }
    }

    /// The same answer with `metadata` beside the data.
    pub(super) fn metadata(mut self, metadata: Map<String, Value>) -> Self {
        self.metadata = Some(Value::Object(metadata));
        self
    }

    /// The same answer with the revision that it shows, which is its tag too.
    pub(super) fn revision(mut self, revision: Option<String>) -> Self {
        self.revision = revision;
        self
    }

    /// The same answer with a tag that is no revision.
    pub(super) fn tag(mut self, tag: String) -> Self {
        self.tag = Some(tag);
        self
    }

    /// The same answer as a page of a listing.
    pub(super) fn page(mut self, page: Option<Page>) -> Self {
        self.page = page;
        self
    }

    /// An answer in words.
    pub(super) fn text(text: String) -> Self {
        Self { text: Some(text), ..Self::ok(Value::Null) }
    }

    /// What is kept of the answer for a repetition of the request: nothing that belongs to the
    /// caller's token or to the request itself. None of data that is written while it is read.
    pub(super) fn kept(&self) -> Option<Value> {
        self.stream.is_none().then(|| {
            json!({
                "status": self.status.as_u16(),
                "data": self.data,
                "metadata": self.metadata,
                "revision": self.revision,
                "text": self.text,
                "place": self.place,
            })
        })
    }

    /// The answer of which that was kept.
    pub(super) fn from_kept(kept: &Value) -> Option<Self> {
        let text = |key: &str| kept[key].as_str().map(str::to_owned);
        Some(Self {
            status: STATUSES.into_iter().find(|status| kept["status"] == status.as_u16())?,
            metadata: Some(kept["metadata"].clone()).filter(|metadata| !metadata.is_null()),
            revision: text("revision"),
            text: text("text"),
            place: text("place"),
            ..Self::ok(kept["data"].clone())
        })
    }

    fn etag(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&format!("\"{}\"", self.tag.as_ref().or(self.revision.as_ref())?))
            .ok()
    }

    /// The parts of the data, if it is written while it is read; once.
    fn parts(&self, pretty: bool) -> Option<Parts> {
        let write =
            self.stream.as_ref()?.0.lock().expect("no panic while holding this lock").take();
        write.map(|write| write(pretty))
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

/// Writes an answer that went well.
pub(super) fn render_reply(reply: &Reply, frame: &Frame<'_>) -> Response {
    let tag = reply.etag();
    let known = frame.call.is_some_and(|call| tag.as_ref().is_some_and(|tag| call.knows(tag)));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else if let Some(text) = &reply.text {
        answer(reply.status, TEXT, text.clone().into_bytes())
    } else if let Some(parts) = reply.parts(frame.pretty) {
        let (before, behind) = around_data(&frame.envelope(&Value::Null, "success", reply), frame);
        let part = |bytes: Vec<u8>| stream::once(async { Ok(Bytes::from(bytes)) });
        let body = part(before).chain(parts).chain(part(behind));
        answer(reply.status, JSON, Body::from_stream(body))
    } else {
        let body = write(&frame.envelope(&reply.data, "success", reply), frame.pretty);
        answer(reply.status, JSON, body)
    };
    if let Some(tag) = tag {
        response.headers_mut().insert(header::ETAG, tag);
    }
    if let Some(place) = reply.place.as_deref().and_then(|it| HeaderValue::from_str(it).ok()) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// Writes an error answer.
pub(super) fn render_fault(fault: &Fault, frame: &Frame<'_>) -> Response {
    let mut response = if let Some(text) = &fault.text {
        answer(fault.status, TEXT, text.clone().into_bytes())
    } else {
        let none = Reply::ok(Value::Null);
        let envelope = Envelope {
            error: Some(fault.status.as_str()),
            message: Some(&fault.message),
            ..frame.envelope(&fault.data, "error", &none)
        };
        answer(fault.status, JSON, write(&envelope, frame.pretty))
    };
    response.headers_mut().extend(fault.headers.iter().cloned());
    response
}

impl Frame<'_> {
    fn envelope<'a>(
        &'a self,
        data: &'a Value,
        status: &'static str,
        reply: &'a Reply,
    ) -> Envelope<'a> {
        Envelope {
            data,
            status,
            error: None,
            message: None,
            metadata: reply.metadata.as_ref(),
            page: reply.page.as_ref(),
            revision: reply.revision.as_deref(),
            auth_token: self.call.and_then(Call::accepted_token),
            request_id: self.request_id,
            node: self.node,
            timestamp: &self.timestamp,
            tokens: self.call.and_then(Call::tokens),
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

fn answer(status: StatusCode, kind: HeaderValue, body: impl Into<Body>) -> Response {
    let headers = [(header::CONTENT_TYPE, kind), (header::EXPIRES, EXPIRES)];
    (status, headers, body.into()).into_response()
}

/// What stands before the data of an envelope, which is null here, and what behind it.
fn around_data(envelope: &Envelope<'_>, frame: &Frame<'_>) -> (Vec<u8>, Vec<u8>) {
    let before: &[u8] = if frame.pretty { b"{\n  \"data\": " } else { b"{\"data\":" };
    let whole = write(envelope, frame.pretty);
    (before.to_vec(), whole[before.len() + "null".len()..].to_vec())
}

fn write(envelope: &Envelope<'_>, pretty: bool) -> Vec<u8> {
    let written =
        if pretty { serde_json::to_vec_pretty(envelope) } else { serde_json::to_vec(envelope) };
    written.expect("an envelope has text keys only, so it can be written")
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use expect_test::{Expect, expect};

    use super::*;
    use crate::api::request::Query;

    fn frame() -> Frame<'static> {
        Frame {
            request_id: "abc123",
            node: "n0de",
            timestamp: "2024-05-01T12:00:00Z".to_owned(),
            call: None,
            pretty: true,
        }
    }

    async fn check(response: Response, status: u16, body: Expect) {
        assert_eq!(response.status().as_u16(), status);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(response.headers()[header::EXPIRES], "Fri, 01 Jan 1999 00:00:00 GMT");
        let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        body.assert_eq(std::str::from_utf8(&bytes).unwrap());
    }

    #[tokio::test]
    async fn an_answer_that_went_well() {
        let page = Page { rows: 1, start_key: Some("a".into()), next_start_key: None };
        let reply = Reply::ok(serde_json::json!({"a": 1})).page(Some(page));
        let reply = reply.revision(Some("1-x".to_owned()));
        let response = render_reply(&reply, &frame());
        assert_eq!(response.headers()[header::ETAG], "\"1-x\"");
        check(
            response,
            200,
            expect![[r#"
            {
              "data": {
                "a": 1
              },
              "status": "success",
              "page_size": 1,
              "start_key": "a",
              "revision": "1-x",
              "request_id": "abc123",
              "node": "n0de",
              "timestamp": "2024-05-01T12:00:00Z",
              "version": "0.1.0"
            }"#]],
        )
        .await;
    }

    #[tokio::test]
    async fn data_that_is_written_in_parts_is_in_the_same_envelope() {
        for pretty in [false, true] {
            let frame = Frame { pretty, ..frame() };
            let parts = |_| stream::iter([Ok::<_, BoxError>("{\"a\":".into()), Ok("1}".into())]);
            let reply = Reply::streamed(parts).tag("x".to_owned());
            let response = render_reply(&reply, &frame);
            assert_eq!(response.headers()[header::ETAG], "\"x\"");
            let bytes = to_bytes(response.into_body(), usize::MAX).await.unwrap();
            let whole = render_reply(&Reply::ok(serde_json::json!({"a": 1})), &frame);
            let whole = to_bytes(whole.into_body(), usize::MAX).await.unwrap();
            let read = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
            assert_eq!(read(&bytes), read(&whole));
        }
    }

    #[test]
    fn what_is_created_says_so_unless_tunnelled_or_pending() {
        let headers = axum::http::HeaderMap::new();
        let body = crate::api::request::Payload::default();
        let mut call = Call::new(axum::http::Method::PUT, Query::default(), body, &headers);
        assert_eq!(Reply::ok(1).created(&call).status, StatusCode::CREATED);
        assert_eq!(Reply::ok(1).accepted().created(&call).status, StatusCode::ACCEPTED);
        call.tunnelled = true;
        assert_eq!(Reply::ok(1).created(&call).status, StatusCode::OK);
    }

    #[tokio::test]
    async fn an_error() {
        let response = render_fault(&Fault::forbidden(), &frame());
        check(
            response,
            403,
            expect![[r#"
            {
              "data": {
                "message": "forbidden"
              },
              "status": "error",
              "error": "403",
              "message": "forbidden",
              "request_id": "abc123",
              "node": "n0de",
              "timestamp": "2024-05-01T12:00:00Z",
              "version": "0.1.0"
            }"#]],
        )
        .await;
    }
}
