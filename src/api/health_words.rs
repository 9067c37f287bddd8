//! How the process is, in the words of the document.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use utoipa::ToSchema;

/// How the process is.
#[derive(ToSchema)]
pub(super) struct HealthBody {
    /// `alive`, `ready`, `degraded` or `unavailable`.
    status: String,
    /// Why, when it is not well.
    reason: Option<String>,
}
