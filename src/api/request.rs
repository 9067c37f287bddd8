//! A request as the envelope says it: the method that is meant, `data`, the members around it, and
//! what was asked for in headers and query.

use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
};

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use crate::service::{IfMatch, Terms};

use super::{envelope::Tokens, fault::Fault};

/// What was understood of a request.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, not a state")]
pub(super) struct Call {
    /// The method that is meant.
    pub method: Method,
    /// Whether that method came in through `verb`.
    pub tunnelled: bool,
    /// The route's template.
    pub route: Arc<str>,
    /// The parts of the path that the route names, decoded.
    pub parts: Vec<(String, String)>,
    /// The client's address.
    pub client: IpAddr,
    /// The parameters of the query, decoded.
    pub query: Query,
    /// The body's envelope.
    pub body: Payload,
    /// Whether the body is one that the handler reads while it arrives.
    pub streams: bool,
    /// The token, wherever it was; never from the query.
    pub token: Option<String>,
    /// Whether the client wants words.
    pub wants_text: bool,
    /// Whether the client wants a table where there is one.
    pub wants_csv: bool,
    /// For how many seconds the client wants to wait (`Prefer: wait=N`).
    pub waits: Option<u64>,
    /// The name that the client has for what it downloads.
    pub file_name: Option<String>,
    /// What the client expects to be stored (`If-Match`).
    if_match: Option<IfMatch>,
    if_none_match: Vec<String>,
    accepted_token: OnceLock<String>,
    tokens: OnceLock<Tokens>,
}

/// The parameters of a query, in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Query(pub Vec<(String, String)>);

/// The envelope of a body.
#[derive(Clone, Debug)]
pub(super) struct Payload {
    /// `data`: an object or an array.
    pub data: Value,
    /// The other members, in lower case.
    pub root: Map<String, Value>,
    /// Whether the body's type is one that is read here.
    pub readable: bool,
}

impl Default for Payload {
    fn default() -> Self {
        Self { data: Value::Object(Map::new()), root: Map::new(), readable: true }
    }
}

impl Query {
    /// Reads the query of an address. What cannot be decoded counts as absent.
    pub(super) fn read(uri: &Uri) -> Self {
        axum::extract::Query::try_from_uri(uri).map(|list| Self(list.0)).unwrap_or_default()
    }

    /// The first value of a parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter that says how many, from 1 to `most`.
    pub(super) fn count(&self, name: &str, default: usize, most: usize) -> Result<usize, Fault> {
        let Some(text) = self.get(name) else { return Ok(default) };
        let count = text.parse().ok().filter(|count| (1..=most).contains(count));
        let problem = format!("must be from 1 to {most}");
        count.ok_or_else(|| Fault::invalid_parameter(name, &problem, text))
    }

    /// Whether a parameter says yes.
    pub(super) fn says(&self, name: &str) -> bool {
        self.get(name).is_some_and(is_true)
    }
}

/// Whether a text says yes.
pub(super) fn is_true(text: &str) -> bool {
    matches!(text, "true" | "True" | "TRUE" | "1")
}

/// Reads a member that must say yes or no.
pub(super) fn flag(data: &Map<String, Value>, name: &str) -> Result<Option<bool>, Fault> {
    match data.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::String(text)) if is_true(text) => Ok(Some(true)),
        Some(Value::String(text)) if matches!(text.as_str(), "false" | "False" | "0") => {
            Ok(Some(false))
        }
        Some(other) => Err(Fault::wrong_type(name, "boolean", other)),
    }
}

/// Reads a member that must be text.
pub(super) fn text(data: &Map<String, Value>, name: &str) -> Result<Option<String>, Fault> {
    match data.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(Fault::wrong_type(name, "string", other)),
    }
}

/// How long a body is to be, as far as its head says.
pub(super) fn announced_length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether a body is read by the handler while it arrives: a table for somebody who takes tables, or lines
/// of JSON for somebody who takes these.
pub(super) fn is_streamed(method: &Method, uri: &Uri, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let path = uri.path().trim_end_matches('/');
    let is_it =
        |(end, wanted): &(&str, &str)| path.ends_with(end) && kind.eq_ignore_ascii_case(wanted);
    *method == Method::PUT && STREAMED.iter().any(is_it)
}

/// How paths end, and the types of what they take so.
const STREAMED: [(&str, &str); 3] = [
    ("/tasks", "text/csv"),
    ("/tasks", "text/comma-separated-values"),
    ("/documents", "application/x-ndjson"),
];

/// Reads a body, up to `limit` bytes.
pub(super) async fn read_body(
    headers: &HeaderMap,
    body: Body,
    limit: usize,
) -> Result<Bytes, Fault> {
    let is_too_large = |length| usize::try_from(length).map_or(true, |length| length > limit);
    if announced_length(headers).is_some_and(is_too_large) {
        return Err(Fault::too_large(limit));
    }
    match Limited::new(body, limit).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Fault::too_large(limit)),
        Err(_) => Err(Fault::broken_body()),
    }
}

/// How many values a JSON text has at most.
fn values(text: &[u8]) -> usize {
    let (mut values, mut is_text, mut is_escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = is_text,
            b'"' => is_text = !is_text,
            b'[' | b'{' | b',' if !is_text => values += 1,
            _ => (),
        }
    }
    values
}

impl Payload {
    /// Reads a body's envelope. Each value takes many times the memory that its text does, so one with
    /// more than `most_values` is refused before it is read.
    pub(super) fn read(
        kind: Option<&HeaderValue>,
        bytes: &[u8],
        most_values: usize,
    ) -> Result<Self, Fault> {
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        if values(bytes) > most_values {
            return Err(Fault::too_many_values(most_values));
        }
        let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or("application/json");
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "application/json" | "application/x-json" => match serde_json::from_slice(bytes) {
                Ok(value) => Self::open(value),
                Err(error) => Err(Self::malformed(&error)),
            },
            // What curl says when it is not told otherwise.
            "application/x-www-form-urlencoded" => match serde_json::from_slice(bytes) {
                Ok(value @ Value::Object(_)) => Self::open(value),
                _ => Ok(Self { readable: false, ..Self::default() }),
            },
            _ => Ok(Self { readable: false, ..Self::default() }),
        }
    }

    fn malformed(error: &serde_json::Error) -> Fault {
        let message = format!("All JSON must be valid: {error}");
        let what = serde_json::json!({ "message": message, "target": "body" });
        Fault::validation("json", "invalid", what)
    }

    fn open(value: Value) -> Result<Self, Fault> {
        let Value::Object(members) = value else {
            return Err(Fault::required("data"));
        };
        if members.is_empty() {
            return Ok(Self::default());
        }
        let mut root = Map::new();
        for (name, value) in members {
            root.insert(name.to_lowercase(), value);
        }
        match root.shift_remove("data") {
            None => Err(Fault::required("data")),
            Some(data @ (Value::Object(_) | Value::Array(_))) => {
                Ok(Self { data, root, readable: true })
            }
            Some(other) => Err(Fault::wrong_type("data", "object", &other)),
        }
    }

    /// Takes a member that steers the request out of `data` or the root, so that it is never stored.
    fn take_text(&mut self, name: &str) -> Option<String> {
        let inner = match &mut self.data {
            Value::Object(data) if data.get(name).is_some_and(Value::is_string) => {
                data.shift_remove(name)
            }
            _ => None,
        };
        let outer = self.root.shift_remove(name);
        match outer.filter(Value::is_string).or(inner) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        }
    }

    /// The method that a POST stands for, if it says one.
    pub(super) fn take_verb(&mut self, query: &Query) -> Option<Method> {
        let method = |text: &str| match text.to_ascii_uppercase().as_str() {
            "GET" => Some(Method::GET),
            "PUT" => Some(Method::PUT),
            "POST" => Some(Method::POST),
            "PATCH" => Some(Method::PATCH),
            "DELETE" => Some(Method::DELETE),
            _ => None,
        };
        let asked = query.get("verb").and_then(method);
        let root = self.root.get("verb").and_then(Value::as_str).and_then(method);
        let data = self.data.get("verb").and_then(Value::as_str).and_then(method);
        if data.is_some()
            && let Value::Object(members) = &mut self.data
        {
            members.shift_remove("verb");
        }
        asked.or(root).or(data)
    }

    /// The token that a request carries, in the order in which places are looked at.
    pub(super) fn take_token(&mut self, headers: &HeaderMap) -> Option<String> {
        let inside = self.take_text("auth_token");
        let bearer = || {
            let (scheme, token) = only(headers, "authorization")?.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim().to_owned())
        };
        let token = only(headers, "x-auth-token").map(str::to_owned).or(inside).or_else(bearer);
        token.filter(|token| !token.is_empty())
    }
}

impl Call {
    /// How many numbers the body names.
    pub(super) fn numbers(&self) -> usize {
        self.body.data.get("numbers").and_then(Value::as_array).map_or(0, Vec::len)
    }

    /// Puts together what was understood.
    pub(super) fn new(method: Method, query: Query, body: Payload, headers: &HeaderMap) -> Self {
        let of_header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let weak = |tag: String| tag.trim_start_matches("W/").to_owned();
        let asks_csv = query.get("accept") == Some("csv");
        let file_name = of_header(HeaderName::from_static("x-file-name"));
        let file_name = file_name.or_else(|| query.get("file_name")).map(str::to_owned);
        Self {
            method,
            tunnelled: false,
            route: Arc::from(""),
            parts: Vec::new(),
            client: IpAddr::from([0, 0, 0, 0]),
            query,
            body,
            streams: false,
            token: None,
            wants_text: of_header(header::ACCEPT).is_some_and(wants_text),
            wants_csv: asks_csv || of_header(header::ACCEPT) == Some("text/csv"),
            waits: headers.get_all("prefer").iter().find_map(waits),
            file_name,
            if_match: headers.contains_key(header::IF_MATCH).then(|| if_match(headers)),
            if_none_match: tags(headers, &header::IF_NONE_MATCH).map(weak).collect(),
            accepted_token: OnceLock::new(),
            tokens: OnceLock::new(),
        }
    }

    /// A part of the path.
    pub(super) fn part(&self, name: &str) -> &str {
        let found = self.parts.iter().find(|(key, _)| key == name);
        found.map_or("", |(_, value)| value.as_str())
    }

    /// The data, which must be an object.
    pub(super) fn object(&self) -> Result<&Map<String, Value>, Fault> {
        self.body
            .data
            .as_object()
            .ok_or_else(|| Fault::wrong_type("data", "object", &self.body.data))
    }

    /// On what terms the client wants a write to happen.
    pub(super) fn terms(&self) -> Terms<'_> {
        const ACCEPT: &str = "accept_charges";
        let says = |value: &Value| match value {
            Value::Bool(says) => *says,
            Value::String(text) => is_true(text),
            _ => false,
        };
        let in_body = self.body.root.get(ACCEPT).or_else(|| self.body.data.get(ACCEPT));
        let accepts_charges = self.query.says(ACCEPT) || in_body.is_some_and(says);
        Terms { if_match: self.if_match.as_ref(), accepts_charges }
    }

    /// Whether the client has the version that a tag stands for.
    pub(super) fn knows(&self, tag: &HeaderValue) -> bool {
        self.method == Method::GET
            && self
                .if_none_match
                .iter()
                .any(|known| known == "*" || known.as_bytes() == tag.as_bytes())
    }

    /// The same of a tag as text, without its quotes.
    pub(super) fn knows_tag(&self, tag: &str) -> bool {
        HeaderValue::from_str(&format!("\"{tag}\"")).is_ok_and(|tag| self.knows(&tag))
    }

    /// Remembers that the token was good.
    pub(super) fn accept_token(&self) {
        if let Some(token) = &self.token {
            // Set once a request; a second time says the same.
            let _ = self.accepted_token.set(token.clone());
        }
    }

    /// The token, once it was found good.
    pub(super) fn accepted_token(&self) -> Option<&str> {
        self.accepted_token.get().map(String::as_str)
    }

    /// Remembers how the rate limit stands.
    pub(super) fn count(&self, tokens: Tokens) {
        // Set once a request.
        let _ = self.tokens.set(tokens);
    }

    /// How the rate limit stands.
    pub(super) fn tokens(&self) -> Option<Tokens> {
        self.tokens.get().copied()
    }
}

/// The tags that a header lists.
fn tags(headers: &HeaderMap, name: &HeaderName) -> impl Iterator<Item = String> {
    let lists = headers.get_all(name).iter().filter_map(|list| list.to_str().ok());
    lists.flat_map(|list| list.split(',')).map(|tag| tag.trim().to_owned())
}

/// The revisions that `If-Match` names. A weak tag is no revision, and what cannot be read holds for
/// nothing.
fn if_match(headers: &HeaderMap) -> IfMatch {
    let tags: Vec<String> = tags(headers, &header::IF_MATCH).collect();
    if tags.iter().any(|tag| tag == "*") {
        return IfMatch::Any;
    }
    // The revision in an envelope has no quotes, so people send it without.
    IfMatch::OneOf(tags.iter().map(|tag| tag.trim_matches('"').to_owned()).collect())
}

/// The value of a header. Where it is there several times, the values must be the same: whoever
/// looks at another one of them than we do must not be misled. Otherwise it is empty.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?;
    let value = if values.all(|other| other == first) { first.to_str().ok() } else { None };
    Some(value.map_or("", str::trim))
}

/// Whether words come before JSON among the types that a client takes.
/// The seconds of a preference to wait (RFC 7240 §4.3).
fn waits(preferences: &HeaderValue) -> Option<u64> {
    let preferences = preferences.to_str().ok()?;
    let mut parts = preferences.split([',', ';']).map(str::trim);
    parts.find_map(|part| part.strip_prefix("wait=")?.trim_matches('"').parse().ok())
}

fn wants_text(accept: &str) -> bool {
    let kinds = accept.split(',').filter_map(|kind| kind.split(';').next()).map(str::trim);
    let mut known = kinds.filter(|kind| matches!(*kind, "text/plain" | "application/json"));
    known.next() == Some("text/plain")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(kind: Option<&'static str>, body: &str) -> Result<Payload, Fault> {
        Payload::read(kind.map(HeaderValue::from_static).as_ref(), body.as_bytes(), 10_000)
    }

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn check_refused(body: &str, data: Value) {
        let fault = read(None, body).unwrap_err();
        assert_eq!((fault.status.as_u16(), &*fault.message), (400, "validation error"));
        assert_eq!(fault.data, data, "{body}");
    }

    #[test]
    fn nothing_is_an_empty_object() {
        for body in ["", " \n", "{}"] {
            let payload = read(None, body).unwrap();
            assert_eq!(payload.data, json!({}));
        }
    }

    #[test]
    fn root_keys_are_lower_cased_and_data_is_not() {
        let payload = read(None, r#"{"DATA": {"Aa": 1}, "Accept_Charges": true}"#).unwrap();
        assert_eq!(payload.data, json!({"Aa": 1}));
        assert_eq!(payload.root["accept_charges"], true);
    }

    #[test]
    fn data_must_be_there_and_hold_members() {
        check_refused(
            r#"{"x": 1}"#,
            json!({"data": {"required": {"message": "Field is required but missing"}}}),
        );
        check_refused(
            "[1]",
            json!({"data": {"required": {"message": "Field is required but missing"}}}),
        );
        check_refused(
            r#"{"data": 1}"#,
            json!({"data": {"type": {"message": "Value did not match type(s): object", "target": "object", "value": 1}}}),
        );
        let fault = read(None, r#"{"data":"#).unwrap_err();
        assert_eq!(fault.data["json"]["invalid"]["target"], "body");
        assert!(read(None, &"[".repeat(10_000)).is_err());
    }

    #[test]
    fn values_are_counted_outside_of_texts() {
        assert_eq!(values(br#"{"data": {"a": [1, 2, "x,[{\",,"], "b": null}}"#), 7);
        let many = |count: usize| format!("{{\"data\": [0{}]}}", ",0".repeat(count));
        assert!(read(None, &many(9_990)).is_ok());
        let fault = read(None, &many(10_000)).unwrap_err();
        assert_eq!((fault.status.as_u16(), &*fault.message), (413, "validation error"));
    }

    #[test]
    fn only_json_is_read() {
        assert!(read(Some("application/json; charset=utf-8"), r#"{"data":{}}"#).unwrap().readable);
        assert!(
            read(Some("application/x-www-form-urlencoded"), r#"{"data":{}}"#).unwrap().readable
        );
        assert!(!read(Some("application/x-www-form-urlencoded"), "a=b").unwrap().readable);
        assert!(!read(Some("text/csv"), r#"{"data":{}}"#).unwrap().readable);
    }

    #[test]
    fn verbs_come_through_three_tunnels() {
        let verb = |query: &str, body: &str| {
            let query = Query::read(&query.parse().unwrap());
            read(None, body).unwrap().take_verb(&query)
        };
        assert_eq!(verb("/?verb=PUT", ""), Some(Method::PUT));
        assert_eq!(verb("/", r#"{"data":{},"verb":"delete"}"#), Some(Method::DELETE));
        assert_eq!(verb("/", r#"{"data":{"verb":"PATCH"}}"#), Some(Method::PATCH));
        assert_eq!(verb("/", r#"{"data":{"verb":"run"}}"#), None);
    }

    #[test]
    fn a_token_is_looked_for_in_order_and_not_stored() {
        let mut headers = HeaderMap::new();
        let mut payload =
            read(None, r#"{"data":{"auth_token":"c","a":1},"auth_token":"b"}"#).unwrap();
        assert_eq!(payload.take_token(&headers).as_deref(), Some("b"));
        assert_eq!(payload.data, json!({"a": 1}));
        headers.insert("authorization", HeaderValue::from_static("Bearer d"));
        assert_eq!(Payload::default().take_token(&headers).as_deref(), Some("d"));
        headers.insert("x-auth-token", HeaderValue::from_static("a"));
        assert_eq!(Payload::default().take_token(&headers).as_deref(), Some("a"));
        headers.clear();
        headers.insert("authorization", HeaderValue::from_static("Basic d"));
        assert_eq!(Payload::default().take_token(&headers), None);
    }

    #[test]
    fn words_are_wanted_when_they_come_first() {
        assert!(wants_text("text/plain"));
        assert!(wants_text("text/plain;q=0.9, application/json"));
        assert!(!wants_text("application/json, text/plain, */*"));
        assert!(!wants_text("*/*"));
    }

    #[test]
    fn a_preference_says_how_long_to_wait() {
        let check = |text, seconds| assert_eq!(waits(&HeaderValue::from_static(text)), seconds);
        check("wait=10", Some(10));
        check("respond-async, wait=5", Some(5));
        check("respond-async; foo, wait=\"7\"", Some(7));
        check("wait=soon", None);
        check("return=minimal", None);
    }
}
