//! Whether the process lives, whether it can serve, and what it measures. Outside of the versions,
//! open to everybody, and not in the envelope.

use std::time::Duration;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use tokio::time::timeout;

use crate::telemetry::{self, Metrics};

use super::{Api, envelope, health_words::HealthBody};

/// How long the store may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(2);

/// Say that the process lives.
#[utoipa::path(
    get,
    path = "/livez",
    tag = "health",
    responses((status = 200, description = "It lives", body = HealthBody)),
)]
pub(super) async fn livez() -> Response {
    Json(json!({ "status": "alive" })).into_response()
}

/// Say whether requests can be served.
#[utoipa::path(
    get,
    path = "/readyz",
    tag = "health",
    responses(
        (status = 200, description = "They can", body = HealthBody),
        (status = 503, description = "They cannot, and why", body = HealthBody),
    ),
)]
pub(super) async fn readyz(State(api): State<Api>) -> Response {
    let reason = match timeout(PATIENCE, api.service.ping()).await {
        Ok(Ok(())) => {
            let reason = api.service.refused_settings().or_else(|| api.follower.degraded());
            return ready(reason);
        }
        Ok(Err(error)) => {
            tracing::warn!(error = telemetry::chain(&error), "not ready");
            "the store cannot be reached"
        }
        Err(_) => "the store does not answer in time",
    };
    let body = Json(json!({ "status": "unavailable", "reason": reason }));
    (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
}

/// It can serve; a configuration that was refused is shown, since the last good one is in force, and
/// copies that are behind, since numbers are right all the same.
fn ready(degraded: Option<String>) -> Response {
    let body = match degraded {
        None => json!({ "status": "ready" }),
        Some(reason) => json!({ "status": "degraded", "reason": reason }),
    };
    Json(body).into_response()
}

/// Show the metrics, in Prometheus's text form.
#[utoipa::path(
    get,
    path = "/metrics",
    tag = "health",
    responses(
        (status = 200, description = "The metrics", body = String),
        (status = 404, description = "They have an address of their own"),
    ),
)]
pub(super) async fn metrics(State(api): State<Api>) -> Response {
    if api.serves_metrics {
        metrics_text(&api.metrics)
    } else {
        StatusCode::NOT_FOUND.into_response()
    }
}

/// Show this document.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "health",
    responses((status = 200, description = "The document", body = Object, content_type = "application/json")),
)]
pub(super) async fn openapi_document(State(api): State<Api>) -> Response {
    ([(header::CONTENT_TYPE, envelope::JSON)], api.document().to_owned()).into_response()
}

/// The metrics as an answer.
pub(super) fn metrics_text(metrics: &Metrics) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics.render()).into_response()
}
