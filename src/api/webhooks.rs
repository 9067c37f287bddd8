//! Receivers of changes, as administrators keep them.

use axum::extract::State;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::webhooks::{ReceiverChange, ReceiverView};

use super::{
    Api,
    changes::since_of,
    envelope::Reply,
    extract::AdminCall,
    fault::Fault,
    request::{self, Call},
    words::{Answer, Faults},
};

/// List the receivers of changes.
#[utoipa::path(
    get,
    path = "/v2/webhooks",
    tag = "changes",
    responses((status = 200, description = "The receivers", body = Answer<WebhooksBody>), Faults),
)]
pub(super) async fn list_webhooks(State(api): State<Api>, _: AdminCall) -> Result<Reply, Fault> {
    let views = api.webhooks.list().await?;
    Ok(Reply::ok(views.iter().map(shown).collect::<Vec<_>>()))
}

/// Add a receiver of changes.
///
/// Each change of `GET /v2/changes` is told it by a POST with `{"changes": […], "cursor": "…"}`, in order and
/// at least once; any answer of 2xx takes them. Else the same is told again, after pauses that grow
/// up to `webhooks.retry_max_ms`; after `webhooks.give_up_h` hours it is given up (`state` is `dead`) until
/// somebody changes or replays it. A receiver that is slow or away holds up no other one.
///
/// A call carries `X-Number-Manager-Webhook` (the receiver's id) and `X-Number-Manager-Signature:
/// t=TIME,v1=HEX`, where TIME is in Unix seconds and HEX is the HMAC-SHA256, with the receiver's secret
/// as the key, of TIME in digits, a point, and the body as it was sent. Refuse what is older than some minutes.
///
/// `url` must name a host of `webhooks.allowed_hosts`, by https unless `webhooks.allow_http`; redirections are
/// not followed, and addresses of private networks not called unless `webhooks.allow_private`. Without `secret`
/// one is made, which only this answer shows.
#[utoipa::path(
    post,
    path = "/v2/webhooks",
    tag = "changes",
    request_body = WebhookRequest,
    responses((status = 201, description = "The receiver", body = Answer<WebhookBody>), Faults),
)]
pub(super) async fn add_webhook(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    let wanted = wanted(&call)?;
    let is_made = wanted.secret.is_none();
    let since = request::text(members(&call)?, "since")?;
    let since = since_of(&api, since.as_deref().unwrap_or("now")).await?;
    let view = api.webhooks.add(wanted, since.as_ref()).await?;
    let mut data = shown(&view);
    if is_made {
        data["secret"] = view.receiver.secret.expose_secret().into();
    }
    Ok(Reply::ok(data).created(&call))
}

/// Get a receiver of changes.
#[utoipa::path(
    get,
    path = "/v2/webhooks/{webhook_id}",
    tag = "changes",
    params(WebhookPath),
    responses((status = 200, description = "The receiver", body = Answer<WebhookBody>), Faults),
)]
pub(super) async fn get_webhook(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    Ok(Reply::ok(shown(&api.webhooks.get(call.part("webhook_id")).await?)))
}

/// Change a receiver of changes; one that failed is tried again at once.
#[utoipa::path(
    patch,
    path = "/v2/webhooks/{webhook_id}",
    tag = "changes",
    params(WebhookPath),
    request_body = WebhookRequest,
    responses((status = 200, description = "The receiver", body = Answer<WebhookBody>), Faults),
)]
pub(super) async fn change_webhook(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let view = api.webhooks.change(call.part("webhook_id"), wanted(&call)?).await?;
    Ok(Reply::ok(shown(&view)))
}

/// Remove a receiver of changes.
#[utoipa::path(
    delete,
    path = "/v2/webhooks/{webhook_id}",
    tag = "changes",
    params(WebhookPath),
    responses((status = 200, description = "It is gone", body = Answer<WebhookBody>), Faults),
)]
pub(super) async fn remove_webhook(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let id = call.part("webhook_id");
    let view = api.webhooks.get(id).await?;
    api.webhooks.remove(id).await?;
    Ok(Reply::ok(shown(&view)))
}

/// Tell a receiver everything behind a place once more.
#[utoipa::path(
    post,
    path = "/v2/webhooks/{webhook_id}/replay",
    tag = "changes",
    params(WebhookPath),
    request_body = ReplayRequest,
    responses((status = 200, description = "The receiver", body = Answer<WebhookBody>), Faults),
)]
pub(super) async fn replay_webhook(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let since = request::text(members(&call)?, "since")?.ok_or_else(|| Fault::required("since"))?;
    let since = since_of(&api, &since).await?;
    Ok(Reply::ok(shown(&api.webhooks.replay(call.part("webhook_id"), since.as_ref()).await?)))
}

fn members(call: &Call) -> Result<&Map<String, Value>, Fault> {
    let data = &call.body.data;
    data.as_object().ok_or_else(|| Fault::wrong_type("data", "object", data))
}

fn wanted(call: &Call) -> Result<ReceiverChange, Fault> {
    let data = members(call)?;
    Ok(ReceiverChange {
        url: request::text(data, "url")?,
        secret: request::text(data, "secret")?.map(SecretString::from),
        enabled: request::flag(data, "enabled")?,
    })
}

fn shown(view: &ReceiverView) -> Value {
    let ReceiverView { id, receiver, progress } = view;
    let state = match (receiver.enabled, progress.dead, progress.failures) {
        (false, ..) => "disabled",
        (true, true, _) => "dead",
        (true, false, 0) => "good",
        (true, false, _) => "failing",
    };
    json!({
        "id": id,
        "url": receiver.url,
        "enabled": receiver.enabled,
        "created": receiver.created,
        "state": state,
        "cursor": progress.cursor,
        "failures": progress.failures,
        "failing_since": progress.failing_since,
        "last_error": progress.last_error,
        "last_success": progress.last_success,
        "missed": progress.missed,
    })
}

/// Which receiver.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct WebhookPath {
    /// The receiver's id.
    webhook_id: String,
}

/// A receiver, or what is to be changed about one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct WebhookRequest {
    data: WebhookData,
}

/// A receiver, or what is to be changed about one.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct WebhookData {
    /// Where to; needed for a new one.
    url: Option<String>,
    /// What signs the calls; 16 characters or more. Never shown again.
    secret: Option<String>,
    /// Whether it is told anything.
    enabled: Option<bool>,
    /// For a new one: the cursor that it is told from; `0` for the oldest change, else the present.
    since: Option<String>,
}

/// From where on a receiver is told everything once more.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct ReplayRequest {
    data: ReplayData,
}

/// From where on.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct ReplayData {
    /// A cursor, `0` for the oldest change, or `now` to leave out what waits.
    since: String,
}

/// The receivers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct WebhooksBody(Vec<WebhookBody>);

/// A receiver.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct WebhookBody {
    /// Its id.
    id: String,
    /// Where it is.
    url: String,
    /// Whether it is told anything.
    enabled: bool,
    /// Since when there is one (RFC 3339).
    created: String,
    /// `good`, `failing`, `dead` (given up) or `disabled`.
    state: String,
    /// Up to where it was told; empty for the beginning.
    cursor: String,
    /// How often it has not taken the next changes.
    failures: u64,
    /// Since when (RFC 3339).
    #[schema(required)]
    failing_since: Option<String>,
    /// Why, the last time.
    #[schema(required)]
    last_error: Option<String>,
    /// When it took some last (RFC 3339).
    #[schema(required)]
    last_success: Option<String>,
    /// When changes were dropped before it had taken them (RFC 3339): it goes on at the present then.
    #[schema(required)]
    missed: Option<String>,
    /// What signs the calls: only in the answer to which it was made.
    secret: Option<String>,
}
