//! Numbers as their documents, a line of JSON each, for administrators.

use std::time::Duration;

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures::{Stream, StreamExt, stream};
use serde_json::{Map, Value, json};
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::{
    domain::NumberDatabase,
    service::{Brought, Error, NumberService},
    tasks::TaskError,
};

use super::{
    Api,
    envelope::{EXPIRES, Reply},
    extract::AdminCall,
    fault::{self, Fault},
    words::{Answer, Faults},
};

/// The type of lines of JSON.
const LINES: HeaderValue = HeaderValue::from_static("application/x-ndjson");
/// How many documents are read and written at once.
const AT_ONCE: usize = 500;
/// The most documents that are named of those that were not stored.
const NAMED: usize = 100;

/// What became of the documents that were sent.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct BroughtBody {
    /// How many lines there were, but for empty ones.
    read: u64,
    /// How many are stored now that were not.
    made: u64,
    /// How many were there, and as they are.
    unchanged: u64,
    /// How many were not stored.
    failed: u64,
    /// The first of these.
    failures: Vec<DocumentFailure>,
}

/// Why a document was not stored.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct DocumentFailure {
    /// The line, from 1; empty ones do not count.
    line: u64,
    /// The error of its number.
    error: Map<String, Value>,
}

/// Get the documents of all numbers.
///
/// A line each, as they are stored but for their revisions.
#[utoipa::path(
    get,
    path = "/v2/phone_numbers/documents",
    tag = "numbers",
    responses(
        (status = 200, description = "A line for each", body = String, content_type = "application/x-ndjson"),
        Faults,
    ),
)]
pub(super) async fn get_documents(State(api): State<Api>, _: AdminCall) -> Result<Response, Fault> {
    let databases = api.service.number_databases(false).await?;
    let lines = lines(api.service.clone(), databases).map(|line| {
        if let Err(err) = &line {
            let cause: &(dyn std::error::Error + 'static) = err;
            tracing::error!(error = cause, "an export is broken off");
        }
        line.map(Bytes::from)
    });
    let headers = [(header::CONTENT_TYPE, LINES), (header::EXPIRES, EXPIRES)];
    Ok((headers, Body::from_stream(lines)).into_response())
}

fn lines(
    service: NumberService,
    mut databases: Vec<NumberDatabase>,
) -> impl Stream<Item = Result<String, Error>> + Send {
    databases.reverse();
    stream::try_unfold((service, databases, None), |(service, mut databases, after)| async move {
        let Some(database) = databases.last() else { return Ok(None) };
        let (documents, next) = service.documents(database, after, AT_ONCE).await?;
        let mut text = String::new();
        for document in documents {
            let mut line = Map::from_iter([("_id".to_owned(), document.id.into())]);
            line.extend(document.body);
            text.push_str(&Value::Object(line).to_string());
            text.push('\n');
        }
        if next.is_none() {
            databases.pop();
        }
        Ok(Some((text, (service, databases, next))))
    })
}

/// Store documents of numbers that are not there yet.
///
/// A line each. Their owners get copies; what is stored stays as it is, so the same lines once more change
/// nothing.
#[utoipa::path(
    put,
    path = "/v2/phone_numbers/documents",
    tag = "numbers",
    request_body(content = String, content_type = "application/x-ndjson"),
    responses((status = 200, description = "What became of them", body = Answer<BroughtBody>), Faults),
)]
pub(super) async fn put_documents(
    State(api): State<Api>,
    call: AdminCall,
    body: Body,
) -> Result<Reply, Fault> {
    if !call.streams {
        return Err(Fault::unsupported_media_type());
    }
    let limits = api.tasks.limits();
    let patience = Duration::from_millis(limits.upload_timeout_ms);
    let mut parts = body.into_data_stream();
    let mut lines = Lines::default();
    let mut tally = Tally::default();
    let mut bytes = 0;
    while let Some(part) = timeout(patience, parts.next()).await.map_err(|_| TaskError::Slow)? {
        let part = part.map_err(|_| TaskError::Broken)?;
        bytes += part.len() as u64;
        if bytes > limits.file_bytes {
            return Err(TaskError::TooLarge(limits.file_bytes).into());
        }
        lines.take(&part);
        if lines.open.len() > limits.document_bytes {
            return Err(Fault::long_line(tally.read + lines.whole.len() as u64 + 1));
        }
        while lines.whole.len() >= AT_ONCE {
            let rest = lines.whole.split_off(AT_ONCE);
            tally.bring_in(&api.service, std::mem::replace(&mut lines.whole, rest)).await?;
        }
    }
    lines.take(b"\n");
    tally.bring_in(&api.service, lines.whole).await?;
    let Tally { read, made, unchanged, failed, failures } = tally;
    Ok(Reply::ok(json!({
        "read": read, "made": made, "unchanged": unchanged, "failed": failed,
        "failures": failures,
    })))
}

/// The lines of what arrives.
#[derive(Debug, Default)]
struct Lines {
    whole: Vec<Vec<u8>>,
    open: Vec<u8>,
}

impl Lines {
    fn take(&mut self, bytes: &[u8]) {
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.open.extend_from_slice(line);
            if line.ends_with(b"\n") {
                self.whole.push(std::mem::take(&mut self.open));
            }
        }
    }
}

#[derive(Debug, Default)]
struct Tally {
    read: u64,
    made: u64,
    unchanged: u64,
    failed: u64,
    failures: Vec<Value>,
}

impl Tally {
    async fn bring_in(
        &mut self,
        service: &NumberService,
        lines: Vec<Vec<u8>>,
    ) -> Result<(), Fault> {
        let (mut numbers, mut documents) = (Vec::new(), Vec::new());
        for line in lines {
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            self.read += 1;
            match serde_json::from_slice(&line) {
                Ok(document) => {
                    numbers.push(self.read);
                    documents.push(document);
                }
                Err(err) => self.fail(self.read, Error::Invalid { cause: err.to_string() }),
            }
        }
        let brought = service.bring_in(documents).await?;
        for (line, brought) in numbers.into_iter().zip(brought) {
            match brought {
                Ok(Brought::Made) => self.made += 1,
                Ok(Brought::Unchanged) => self.unchanged += 1,
                Err(err) => self.fail(line, err),
            }
        }
        Ok(())
    }

    fn fail(&mut self, line: u64, err: Error) {
        self.failed += 1;
        if self.failures.len() < NAMED {
            self.failures.push(json!({ "line": line, "error": fault::of_one(err) }));
        }
    }
}
