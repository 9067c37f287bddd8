//! The feed of changes: what became of numbers, by pages, by waiting, or as events.

use std::{sync::Arc, time::Duration};

use axum::{
    body::{Body, Bytes},
    extract::State,
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use futures::stream;
use serde_json::{Value, json};
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{Instant, sleep_until, timeout_at},
};

use crate::{
    domain::Actor,
    service::{ChangesError, Cursor, EventPage},
};

use super::{
    Api,
    changes_words::{ChangesBody, ChangesParameters},
    envelope::Reply,
    extract::{self, TokenCall},
    fault::Fault,
    request::Call,
    words::{Answer, ErrorAnswer, Faults},
};

/// How a listener says where it was.
const LAST_EVENT_ID: &str = "last-event-id";

/// Which form of the feed is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Normal,
    Longpoll,
    Events,
}

/// Hear what became of numbers.
///
/// Each change of a number is told once it is settled, some seconds after it was made; several that
/// follow each other closely are told as one, and one may be told twice. What is told is how the number
/// is then. Administrators hear of all numbers; a token of an account hears of those that it or an
/// account below it holds or held, and of one that somebody else holds by now only that it is gone
/// (`assigned_to`, `state` and `revision` are null). A token with scopes needs `changes`.
///
/// Whoever keeps a copy of its own asks for `since=now`, reads everything once, and goes on with that
/// cursor. Cursors are opaque, stay good over restarts and the turn of a month, and mean the same to
/// every replica. What is older than the months that are kept (`feed_keep_months`) is gone: 410 names the
/// present cursor, and `GET /v2/consistency/digests` shows what differs.
///
/// With `feed=eventsource` each event is a `change`, or a `bookmark` that only says how far it came; `id`
/// is the cursor to go on with (`Last-Event-ID`), by which some of the last events may come again.
#[utoipa::path(
    get,
    path = "/v2/changes",
    tag = "changes",
    params(ChangesParameters),
    responses(
        (status = 200, description = "What became of numbers", content(
            (Answer<ChangesBody> = "application/json"),
            (String = "text/event-stream"),
        )),
        (status = 410, description = "What follows the cursor is not kept any more; `data.cursor` is \
            the present one", body = ErrorAnswer),
        Faults,
    ),
)]
pub(super) async fn get_changes(
    State(api): State<Api>,
    call: TokenCall,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let limit = call.query.count("limit", api.limits.page_size, api.limits.page_size_max)?;
    let form = form(&call)?;
    let last = headers.get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let last = last.filter(|last| form == Form::Events && !last.is_empty());
    let since = last.or_else(|| call.query.get("since")).unwrap_or("0");
    let since = since_of(&api, since).await?;
    match form {
        Form::Normal => {
            let page = api.service.changes(&call.actor, since.as_ref(), limit).await?;
            Ok(Reply::ok(shown(&page)).into_response())
        }
        Form::Longpoll => {
            let patience = patience(&api, &call)?;
            let _seat = api.news.seat()?;
            let page = wait(&api, &call.actor, since, limit, patience).await?;
            Ok(Reply::ok(shown(&page)).into_response())
        }
        Form::Events => {
            let seat = api.news.seat()?;
            let listener = Listener::begin(api, call, since, limit, seat).await?;
            let events = stream::unfold(listener, |mut listener| async move {
                let part = listener.next().await?;
                Some((Ok::<_, std::convert::Infallible>(part), listener))
            });
            let headers =
                [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
            Ok((headers, Body::from_stream(events)).into_response())
        }
    }
}

fn form(call: &Call) -> Result<Form, Fault> {
    match call.query.get("feed") {
        None | Some("normal") => Ok(Form::Normal),
        Some("longpoll") => Ok(Form::Longpoll),
        Some("eventsource") => Ok(Form::Events),
        Some(other) => {
            Err(Fault::invalid_parameter("feed", "must be normal, longpoll or eventsource", other))
        }
    }
}

fn patience(api: &Api, call: &Call) -> Result<Duration, Fault> {
    let most = api.news.config.wait_max_s;
    let seconds = match call.query.get("wait") {
        None => call.waits.unwrap_or(most),
        Some(text) => {
            let seconds = text.parse::<u64>();
            seconds.map_err(|_| {
                Fault::invalid_parameter("wait", "must be a number of seconds", text)
            })?
        }
    };
    Ok(Duration::from_secs(seconds.min(most)))
}

/// The place that a text names; none for the beginning.
pub(super) async fn since_of(api: &Api, text: &str) -> Result<Option<Cursor>, Fault> {
    match text {
        "0" => Ok(None),
        "now" => Ok(Some(api.service.present().await?)),
        text => {
            let (cursor, problem) = (Cursor::parse(text), "is not a cursor of this feed");
            cursor.map(Some).map_err(|_| Fault::invalid_parameter("since", problem, text))
        }
    }
}

/// The next page that has something in it, or what there is when the patience ends.
async fn wait(
    api: &Api,
    actor: &Actor,
    mut since: Option<Cursor>,
    limit: usize,
    patience: Duration,
) -> Result<EventPage, ChangesError> {
    let end = Instant::now() + patience;
    loop {
        let state = api.news.state(&api.service).await;
        let page = api.service.changes(actor, since.as_ref(), limit).await?;
        if !page.events.is_empty() || api.news.stop.is_cancelled() || Instant::now() >= end {
            return Ok(page);
        }
        since = Some(page.cursor);
        if page.is_last {
            let news = api.news.stop.run_until_cancelled(api.news.changed(&api.service, &state));
            // Whatever ended it, there is a look once more.
            let _ = timeout_at(end, news).await;
        }
    }
}

fn shown(page: &EventPage) -> Value {
    json!({
        "changes": page.events,
        "cursor": page.cursor.to_string(),
        "is_last": page.is_last,
    })
}

/// Somebody who listens.
struct Listener {
    api: Api,
    call: Arc<Call>,
    actor: Actor,
    /// Up to where it heard everything.
    place: Option<Cursor>,
    limit: usize,
    /// What is to be said first.
    first: Option<Bytes>,
    /// When it heard something.
    heard: Instant,
    /// When it was made sure that it may listen.
    checked: Instant,
    _seat: OwnedSemaphorePermit,
}

impl Listener {
    /// What goes wrong at the first page is an ordinary fault.
    async fn begin(
        api: Api,
        call: TokenCall,
        since: Option<Cursor>,
        limit: usize,
        seat: OwnedSemaphorePermit,
    ) -> Result<Self, Fault> {
        let now = Instant::now();
        let TokenCall { actor, call } = call;
        let mut listener = Self {
            api,
            call,
            actor,
            place: since,
            limit,
            first: None,
            heard: now,
            checked: now,
            _seat: seat,
        };
        listener.first = listener.read().await?;
        if listener.first.is_none() {
            // So that it knows from the beginning where to go on.
            listener.first = listener.place.as_ref().map(bookmark);
        }
        Ok(listener)
    }

    /// The next part; none at the end.
    async fn next(&mut self) -> Option<Bytes> {
        let part = match self.first.take() {
            Some(first) => first,
            None => self.hear().await?,
        };
        self.heard = Instant::now();
        Some(part)
    }

    async fn hear(&mut self) -> Option<Bytes> {
        let heartbeat = Duration::from_millis(self.api.news.config.heartbeat_ms);
        loop {
            if self.api.news.stop.is_cancelled() {
                return None;
            }
            if self.checked.elapsed() >= heartbeat {
                self.check().await?;
            }
            let state = self.api.news.state(&self.api.service).await;
            match self.read().await {
                Ok(Some(part)) => return Some(part),
                Ok(None) => (),
                // What follows was dropped: the next request is told so.
                Err(ChangesError::Gone(_)) => return None,
                Err(ChangesError::Service(err)) => {
                    let cause: &(dyn std::error::Error + 'static) = &err;
                    tracing::warn!(error = cause, "a listener waits for changes");
                }
            }
            tokio::select! {
                () = self.api.news.stop.cancelled() => return None,
                () = sleep_until(self.heard + heartbeat) => {
                    return Some(Bytes::from_static(b": still here\n\n"));
                }
                () = self.api.news.changed(&self.api.service, &state) => (),
            }
        }
    }

    /// Makes sure that the token is still good. While that cannot be found out, it is.
    async fn check(&mut self) -> Option<()> {
        match extract::authenticate(&self.api, &self.call).await {
            Ok(caller) if caller.may(&self.call) => self.actor = caller.actor,
            Ok(_) => return None,
            Err(fault) if fault.status.is_client_error() => return None,
            Err(_) => (),
        }
        self.checked = Instant::now();
        Some(())
    }

    /// What there is to say of the next page; none when there is nothing new.
    async fn read(&mut self) -> Result<Option<Bytes>, ChangesError> {
        let page = self.api.service.changes(&self.actor, self.place.as_ref(), self.limit).await?;
        if self.place.as_ref() == Some(&page.cursor) {
            return Ok(None);
        }
        let text = match page.events.split_last() {
            None => bookmark(&page.cursor),
            Some((last, others)) => {
                // Before the last one of a page this is as far as everything was told.
                let mut text = String::new();
                for event in others {
                    tell(&mut text, self.place.as_ref(), &json!(event));
                }
                tell(&mut text, Some(&page.cursor), &json!(last));
                text.into()
            }
        };
        self.place = Some(page.cursor);
        Ok(Some(text))
    }
}

fn tell(text: &mut String, place: Option<&Cursor>, event: &Value) {
    text.push_str("event: change\n");
    if let Some(place) = place {
        text.extend(["id: ", &place.to_string(), "\n"]);
    }
    text.extend(["data: ", &event.to_string(), "\n\n"]);
}

fn bookmark(place: &Cursor) -> Bytes {
    let data = json!({ "cursor": place.to_string() });
    format!("event: bookmark\nid: {place}\ndata: {data}\n\n").into()
}
