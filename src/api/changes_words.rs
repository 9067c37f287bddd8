//! What became of numbers, as the API's document describes it.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use utoipa::{IntoParams, ToSchema};

/// Which changes, and how they are told.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ChangesParameters {
    /// The cursor to go on from: that of the page before. `0`, or nothing, for the oldest change that is
    /// kept; `now` for the present. `Last-Event-ID` comes first where there are events.
    since: Option<String>,
    /// The most changes of a page.
    limit: Option<u64>,
    /// `normal` for the next page; `longpoll` for the same, which waits until there is something in it;
    /// `eventsource` for events that go on until the client hangs up.
    feed: Option<String>,
    /// For how many seconds `longpoll` waits, at most.
    wait: Option<u64>,
}

/// A page of changes.
#[derive(ToSchema)]
pub(super) struct ChangesBody {
    /// The changes. There can be none though more follow.
    changes: Vec<ChangeBody>,
    /// Where to go on.
    cursor: String,
    /// Whether there was no more.
    is_last: bool,
}

/// How a number is, once a change of it was settled.
#[derive(ToSchema)]
struct ChangeBody {
    /// The number.
    number: String,
    /// `created`, `updated` or `deleted`. A number that was changed again before it was told of is
    /// `updated`, and one that is told of again is what it was.
    kind: String,
    /// Its state; null when it is gone.
    #[schema(required)]
    state: Option<String>,
    /// The account that holds it; null for none.
    #[schema(required)]
    assigned_to: Option<String>,
    /// The account that held it last.
    #[schema(required)]
    previously_assigned_to: Option<String>,
    /// The revision of its document; the `ETag`.
    #[schema(required)]
    revision: Option<String>,
    /// What its document comes to, by the rule of `GET /v2/consistency/digests`; null when it is gone.
    #[schema(required)]
    digest: Option<String>,
    /// When it was changed (RFC 3339).
    time: String,
    /// An account that held it a moment ago and that the number does not name any more.
    held_by: Option<String>,
}
