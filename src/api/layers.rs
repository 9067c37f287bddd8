//! What every request goes through before and after its handler, from the outside in.

use std::{
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{
    body::Bytes,
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use futures::FutureExt;
use metrics::{counter, gauge, histogram};
use tokio::time::timeout;
use tracing::{Instrument, Span, field::Empty};
use uuid::Uuid;

use crate::{service::Origin, telemetry};

use super::{
    Api,
    admission::{self, Admitted},
    cors,
    envelope::{self, Frame, Reply},
    extract,
    fault::Fault,
    idempotency::{self, Replayed},
    path,
    request::{self, Call, Payload, Query},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What is outside of the versions: health, metrics, and the documents of the API.
const OUTSIDE: &[&str] = &["livez", "readyz", "metrics", "openapi.json", "docs"];

/// Routes that look at all numbers.
const UNBOUNDED: &[&str] = &["/v2/maintenance", "/v2/system_configs", "/v2/consistency/digests"];

/// The id that log lines, headers and envelopes of one request share.
#[derive(Clone, Debug)]
pub(super) struct RequestId(Arc<str>);

/// The template of the route that answered.
#[derive(Clone, Debug)]
struct Template(Arc<str>);

/// Outermost: names the request, and writes the one line and the metrics that every request has,
/// whatever becomes of it further in.
pub(super) async fn observe(mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let id = RequestId(request_id(request.headers()));
    let method = request.method().clone();
    let span = tracing::info_span!("request", request_id = &*id.0, %method, path = Empty);
    request.extensions_mut().insert(id.clone());
    let in_flight = InFlight::enter();
    let mut response = next.run(request).instrument(span.clone()).await;
    drop(in_flight);
    let template = response.extensions_mut().remove::<Template>();
    let template = template.map_or_else(|| Arc::from("other"), |template| template.0);
    record(&span, &method, &template, response.status().as_u16(), begun.elapsed());
    // A request id was checked to be visible ASCII.
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// Counts down when the client hangs up, too.
struct InFlight;

impl InFlight {
    fn enter() -> Self {
        gauge!("http_requests_in_flight").increment(1);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        gauge!("http_requests_in_flight").decrement(1);
    }
}

fn record(span: &Span, method: &Method, template: &Arc<str>, status: u16, took: Duration) {
    let method: &'static str = match *method {
        Method::GET => "GET",
        Method::PUT => "PUT",
        Method::POST => "POST",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    };
    let labels = [
        ("route", metrics::SharedString::from(Arc::clone(template))),
        ("method", metrics::SharedString::from(method)),
        ("status", metrics::SharedString::from(status.to_string())),
    ];
    counter!("http_requests_total", &labels).increment(1);
    histogram!("http_request_duration_seconds", &labels[..2]).record(took.as_secs_f64());
    span.record("path", &**template);
    let duration_ms = took.as_secs_f64() * 1000.0;
    span.in_scope(|| tracing::info!(status, duration_ms, "answered"));
}

/// The id that the client gave, if it can be put in a header and a log line, else a new one.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok());
    let sane =
        |id: &&str| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    match given.filter(sane) {
        Some(id) => Arc::from(id),
        None => Arc::from(Uuid::new_v4().simple().to_string()),
    }
}

/// Paths of long work and of long waiting: whoever asks there does not wait for numbers.
const WORK: [&str; 6] = [
    "/v2/jobs",
    "/v2/maintenance",
    "/v2/consistency",
    "/v2/changes",
    "/v2/tasks",
    "/v2/accounts/{account_id}/tasks",
];

/// Inside of compression, outside of the router: understands the request in the order of the wire
/// (body, path, method), since the router's own answers to what it does not know are of another
/// form and order; and puts every answer, errors and panics included, into the envelope.
pub(super) async fn wire(State(api): State<Api>, request: Request, next: Next) -> Response {
    let first = request.uri().path().split('/').nth(1).unwrap_or_default();
    if OUTSIDE.contains(&first) {
        let template = Template(Arc::from(format!("/{first}")));
        let mut response = next.run(request).await;
        response.extensions_mut().insert(template);
        return response;
    }
    let id = request.extensions().get::<RequestId>().cloned();
    let id = id.unwrap_or_else(|| RequestId(request_id(request.headers())));
    let is_cors = cors::is_asked(request.headers());
    let pretty = wants_pretty(request.headers(), request.uri());
    let mut seen = Seen::default();
    // A panic is logged by the hook; the client is told as much as of any fault of ours.
    let outcome = AssertUnwindSafe(admit(&api, request, next, &mut seen)).catch_unwind().await;
    let outcome = outcome.unwrap_or_else(|_| Err(Fault::internal()));
    let frame = Frame {
        request_id: &id.0,
        node: &api.node,
        timestamp: api.clock.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        call: seen.call.as_deref(),
        pretty,
    };
    let mut response = render(outcome, &frame);
    if is_cors {
        cors::allow(response.headers_mut(), seen.methods.as_ref());
    }
    if let Some(call) = &seen.call {
        response.extensions_mut().insert(Template(Arc::clone(&call.route)));
    }
    match seen.admitted {
        Some(admitted) => admitted.hold_with(response),
        None => response,
    }
}

/// What was understood before the request ended, well or not.
#[derive(Default)]
struct Seen {
    call: Option<Arc<Call>>,
    methods: Option<HeaderValue>,
    admitted: Option<Admitted>,
}

/// Lets the request in, and its body, before either takes memory.
async fn admit(
    api: &Api,
    request: Request,
    next: Next,
    seen: &mut Seen,
) -> Result<Response, Fault> {
    seen.admitted = Some(api.admission.enter().await?);
    // A table is read row by row.
    let is_streamed = request::is_streamed(request.method(), request.uri(), request.headers());
    let length = if is_streamed { Some(0) } else { admission::length_of(&request) };
    let _room = api.admission.make_room(length, api.limits.body_bytes).await?;
    answer(api, request, next, seen).await
}

async fn answer(
    api: &Api,
    request: Request,
    next: Next,
    seen: &mut Seen,
) -> Result<Response, Fault> {
    let (mut parts, mut body) = request.into_parts();
    let is_options = parts.method == Method::OPTIONS;
    let limits = &api.limits;
    let streams = request::is_streamed(&parts.method, &parts.uri, &parts.headers);
    let mut call = if is_options {
        Call::new(Method::OPTIONS, Query::default(), Payload::default(), &parts.headers)
    } else {
        let bytes = if streams {
            Bytes::new()
        } else {
            let time = Duration::from_millis(limits.body_timeout_ms);
            let body = std::mem::take(&mut body);
            let bytes = request::read_body(&parts.headers, body, limits.body_bytes);
            timeout(time, bytes).await.map_err(|_| Fault::slow_body())??
        };
        understand(&parts, &bytes, limits.body_values)?
    };
    call.streams = streams;
    let path = path::normalise(parts.uri.path())?;
    let path = match path::of_token_account(&path) {
        Some(rest) if !is_options => of_token_account(api, &call, rest).await?,
        _ => path,
    };
    let (route, found) = api.routes.find(&path).ok_or_else(Fault::not_found)?;
    seen.methods = Some(route.cors.clone());
    if is_options {
        return Ok(Reply::ok(serde_json::json!({})).into_response());
    }
    call.route = Arc::clone(&route.template);
    if !WORK.iter().any(|work| call.route.starts_with(work)) {
        api.jobs.step_back();
    }
    call.parts = found;
    call.client = client(&parts);
    let method = call.method.clone();
    let call = Arc::new(call);
    seen.call = Some(Arc::clone(&call));
    if !route.methods.contains(&method) {
        return Err(Fault::method_not_allowed(&route.allow));
    }
    parts.method = method;
    parts.uri = path.parse::<Uri>().map_err(|_| Fault::not_found())?;
    parts.extensions.insert(Arc::clone(&call));
    run(api, &call, Request::from_parts(parts, body), next).await
}

fn understand(parts: &Parts, bytes: &[u8], most_values: usize) -> Result<Call, Fault> {
    let query = Query::read(&parts.uri);
    let kind = parts.headers.get(axum::http::header::CONTENT_TYPE);
    let mut payload = Payload::read(kind, bytes, most_values)?;
    let token = payload.take_token(&parts.headers);
    let tunnelled = (parts.method == Method::POST).then(|| payload.take_verb(&query)).flatten();
    let method = tunnelled.clone().unwrap_or_else(|| parts.method.clone());
    let mut call = Call::new(method, query, payload, &parts.headers);
    call.tunnelled = tunnelled.is_some();
    call.token = token;
    Ok(call)
}

async fn of_token_account(api: &Api, call: &Call, rest: &str) -> Result<String, Fault> {
    let caller = extract::authenticate(api, call).await?;
    let account = caller.actor.account.ok_or_else(Fault::missing_account)?;
    Ok(format!("/v2/accounts/{account}{rest}"))
}

/// Runs the handler. What writes runs on when the client hangs up or the time is over: a write that
/// stops halfway helps nobody. What looks at all numbers takes as long as it takes.
async fn run(api: &Api, call: &Arc<Call>, request: Request, next: Next) -> Result<Response, Fault> {
    let is_unbounded = call.streams || UNBOUNDED.iter().any(|route| call.route.starts_with(route));
    if call.streams && idempotency::is_asked(call, request.headers()) {
        return Err(Fault::key_with_stream());
    }
    let time = Duration::from_millis(api.limits.request_timeout_ms);
    let turn = match call.numbers() {
        0 | 1 => None,
        many => {
            let turn = api.batches.take(many).await;
            Some(turn.ok_or_else(|| admission::refused("batches"))?)
        }
    };
    let once = idempotency::is_asked(call, request.headers())
        .then(|| (api.clone(), Arc::clone(call), request.uri().clone(), request.headers().clone()));
    let id = request.extensions().get::<RequestId>().map_or("", |id| &*id.0);
    let origin = Origin::request(format!("{} {}", call.method, call.route), id);
    let work = next.run(request);
    if call.method == Method::GET {
        if is_unbounded {
            return Ok(work.await);
        }
        return timeout(time, work).await.map_err(|_| Fault::slow());
    }
    let work = async move {
        let _turn = turn;
        match once {
            Some((api, call, uri, headers)) => {
                idempotency::once(&api, &call, (uri.path(), &headers), work).await
            }
            None => work.await,
        }
    };
    let task = api.tracker.spawn(origin.during(work).in_current_span());
    let done = if is_unbounded {
        task.await
    } else {
        timeout(time, task).await.map_err(|_| Fault::slow())?
    };
    done.map_err(|_| Fault::internal())
}

fn render(outcome: Result<Response, Fault>, frame: &Frame<'_>) -> Response {
    let mut response = match outcome {
        Ok(response) => response,
        Err(fault) => return render_fault(&fault, frame),
    };
    let replayed = response.extensions_mut().remove::<Replayed>();
    let mut response = if let Some(fault) = response.extensions_mut().remove::<Fault>() {
        render_fault(&fault, frame)
    } else if let Some(reply) = response.extensions_mut().remove::<Reply>() {
        envelope::render_reply(&reply, frame)
    } else {
        // A handler that answers in a form of its own.
        response
    };
    if replayed.is_some() {
        idempotency::mark(response.headers_mut());
    }
    response
}

fn render_fault(fault: &Fault, frame: &Frame<'_>) -> Response {
    if let Some(source) = &fault.source {
        tracing::error!(error = telemetry::chain(&**source), "{}", fault.message);
    }
    envelope::render_fault(fault, frame)
}

fn wants_pretty(headers: &HeaderMap, uri: &Uri) -> bool {
    let header = headers.get("x-pretty-print").and_then(|value| value.to_str().ok());
    header.is_some_and(request::is_true)
        || uri.query().is_some_and(|query| query.contains("pretty_print="))
            && Query::read(uri).says("pretty_print")
}

fn client(parts: &Parts) -> IpAddr {
    let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip().to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(given: &'static str) -> Arc<str> {
        let mut headers = HeaderMap::new();
        headers.insert(REQUEST_ID, HeaderValue::from_static(given));
        request_id(&headers)
    }

    #[test]
    fn a_sane_request_id_is_kept_and_another_replaced() {
        assert_eq!(&*id("abc123"), "abc123");
        for strange in ["", "a b", "{\t}"] {
            let made = id(strange);
            assert_eq!(made.len(), 32);
            assert!(made.bytes().all(|byte| byte.is_ascii_hexdigit()));
        }
    }
}
