//! Errors as the wire shows them. The only place that knows which status an error has: `number` those of
//! numbers, `errors` those of all else that lies below, `named` what the wire itself finds wrong.

mod errors;
mod named;
mod number;

pub(super) use number::{code_of, of_one};

use std::{borrow::Cow, error::Error as StdError, ops::Deref, sync::Arc};

use axum::{
    http::{HeaderName, HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

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

impl Fault {
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
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
