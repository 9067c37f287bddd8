//! The platform's settings and those of vendors; administrators only.

use axum::extract::State;
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::service::{SystemConfig, Update};

use super::{
    Api,
    envelope::Reply,
    extract::AdminCall,
    fault::Fault,
    request,
    words::{Answer, Faults, IfMatch, NotModified},
};

/// Which document.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct ConfigPath {
    /// `number_manager`, or `number_manager.` and the name of a carrier or another vendor.
    config_id: String,
}

/// How a document is changed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct ConfigParameters {
    /// `true` changes it also when there are numbers that would no longer be themselves.
    force: Option<bool>,
}

/// A document of settings: sections by name. What its name calls a secret is shown as `********`,
/// and stays what it is when it is sent back so.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct ConfigBody {
    /// Its name.
    id: String,
    /// The section that counts; absent when nothing is stored.
    default: Option<Map<String, Value>>,
}

/// A document of settings, or a part of it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct ConfigRequest {
    data: Map<String, Value>,
}

/// Read a document of settings.
#[utoipa::path(
    get,
    path = "/v2/system_configs/{config_id}",
    tag = "settings",
    params(ConfigPath),
    responses(
        (status = 200, description = "The settings", body = Answer<ConfigBody>),
        NotModified,
        Faults,
    ),
)]
pub(super) async fn get_config(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    let id = call.part("config_id");
    Ok(reply(id, api.service.system_config(&call.actor, id).await?))
}

/// Replace a document of settings.
///
/// A change of `e164_converters` or `reconcile_regex` after which stored numbers would no longer be
/// themselves answers 409 `numbers_would_move`, with how many and the first hundred.
#[utoipa::path(
    post,
    path = "/v2/system_configs/{config_id}",
    tag = "settings",
    params(ConfigPath, ConfigParameters, IfMatch),
    request_body = ConfigRequest,
    responses((status = 200, description = "As they are now", body = Answer<ConfigBody>), Faults),
)]
pub(super) async fn replace_config(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    change(&api, &call, Update::Replace).await
}

/// Merge into a document of settings; null deletes.
///
/// As replacing it otherwise.
#[utoipa::path(
    patch,
    path = "/v2/system_configs/{config_id}",
    tag = "settings",
    params(ConfigPath, ConfigParameters, IfMatch),
    request_body = ConfigRequest,
    responses((status = 200, description = "As they are now", body = Answer<ConfigBody>), Faults),
)]
pub(super) async fn merge_config(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    change(&api, &call, Update::Merge).await
}

async fn change(
    api: &Api,
    call: &AdminCall,
    how: fn(Map<String, Value>) -> Update,
) -> Result<Reply, Fault> {
    let id = call.part("config_id");
    let update = how(call.object()?.clone());
    let force = call.query.says("force") || request::flag(&call.body.root, "force")? == Some(true);
    let if_match = call.terms().if_match;
    let changed =
        api.service.change_system_config(&call.actor, id, &update, if_match, force).await?;
    Ok(reply(id, changed))
}

fn reply(id: &str, config: SystemConfig) -> Reply {
    let mut data = Map::from_iter([("id".to_owned(), Value::from(id))]);
    data.extend(config.members);
    Reply::ok(data).revision(config.revision)
}
