//! The keys that sign our own tokens, and tokens that are denied; administrators only.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use axum::extract::State;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{
    Api,
    envelope::Reply,
    extract::AdminCall,
    fault::Fault,
    request,
    words::{Answer, Faults},
};

/// How keys are changed.
#[derive(ToSchema)]
pub(super) struct RotateRequest {
    data: Rotation,
}

/// How keys are changed.
#[derive(ToSchema)]
struct Rotation {
    /// The name (`kid`) of a key that is believed no more, and so none of its tokens.
    retire: Option<String>,
}

/// The names of the keys.
#[derive(ToSchema)]
pub(super) struct KeysBody {
    /// The key that signs from now on.
    signs: String,
    /// Every key whose tokens are good, the one that signs first.
    believed: Vec<String>,
}

/// A token that is to be denied.
#[derive(ToSchema)]
pub(super) struct RevokeRequest {
    data: Revocation,
}

/// A token that is to be denied.
#[derive(ToSchema)]
struct Revocation {
    /// The token's own name.
    #[schema(min_length = 1)]
    jti: String,
    /// When it would end, in Unix seconds, as it says itself; it is forgotten then. Without it the
    /// token is denied for `token.revoked_days`.
    exp: Option<i64>,
}

/// A token that is denied.
#[derive(ToSchema)]
pub(super) struct RevokedBody {
    /// The token's own name.
    jti: String,
    /// Until when it is denied, in Unix seconds.
    until: i64,
}

/// Make a new key that signs tokens.
///
/// Tokens of the other keys stay good until they end or their key is retired. Other replicas know
/// the new key when they see it, and that one was retired within five seconds.
#[utoipa::path(
    post,
    path = "/v2/tokens/rotate",
    tag = "tokens",
    request_body = RotateRequest,
    responses((status = 200, description = "The keys as they are now", body = Answer<KeysBody>), Faults),
)]
pub(super) async fn rotate_keys(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    let retire = match &call.body.data {
        Value::Null => None,
        _ => request::text(call.object()?, "retire")?,
    };
    let keys = api.authenticator.rotate(retire.as_deref()).await?;
    tracing::info!(by = call.actor.name(), key = keys.first(), retire, "the token key was changed");
    Ok(Reply::ok(json!({ "signs": keys.first(), "believed": keys })))
}

/// Deny a token from now on.
///
/// At the replica that is asked it is denied at once, at the others within five seconds, and a
/// restart does not forget it.
#[utoipa::path(
    post,
    path = "/v2/tokens/revoke",
    tag = "tokens",
    request_body = RevokeRequest,
    responses((status = 200, description = "It is denied", body = Answer<RevokedBody>), Faults),
)]
pub(super) async fn revoke_token(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    let data = call.object()?;
    let jti = request::text(data, "jti")?.ok_or_else(|| Fault::required("jti"))?;
    if jti.is_empty() {
        return Err(Fault::empty("jti"));
    }
    let exp = match data.get("exp") {
        None | Some(Value::Null) => None,
        Some(value) => {
            let wrong = || Fault::wrong_type("exp", "integer", value);
            Some(value.as_i64().ok_or_else(wrong)?)
        }
    };
    let until = api.authenticator.revoke(&jti, exp).await?;
    tracing::info!(by = call.actor.name(), jti, until, "a token was revoked");
    Ok(Reply::ok(json!({ "jti": jti, "until": until })))
}
