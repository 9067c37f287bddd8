//! Which features there are, and the lists that allow and deny them.

use axum::extract::State;
use serde_json::json;
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{AccountId, KNOWN_FEATURES},
    service::{FeatureHolder, FeatureListKind},
    sup::shown_permissions,
};

use super::{
    Api,
    envelope::Reply,
    extract::{self, AccountCall, AdminCall},
    fault::Fault,
    request::Call,
    words::{AccountPath, Answer, Faults, NumberPath, UnscopedNumberPath},
};

/// A list and a feature.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct FeaturePath {
    /// `allowed` or `denied`.
    list: String,
    /// The feature.
    feature: String,
}

/// Lists of features.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct PermissionsBody {
    /// The own list of allowed features; empty when there is none.
    allowed: Vec<String>,
    /// The own list of denied features; empty when there is none.
    denied: Vec<String>,
    /// What comes of it with what is inherited.
    effective: EffectiveBody,
    /// The reseller whose lists these are.
    reseller_id: Option<String>,
}

/// What comes of lists.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct EffectiveBody {
    /// What is allowed.
    allowed: Vec<String>,
    /// What of it is denied.
    denied: Vec<String>,
    /// What is left.
    available: Vec<String>,
}

/// Which features there are.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct FeaturesBody {
    /// Their names, in order.
    features: Vec<String>,
}

/// The application that routes a number.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct AppBody {
    /// `callflow` or `trunkstore`; null when none does.
    app: Option<String>,
}

/// List the features that there are.
#[utoipa::path(
    get,
    path = "/v2/features",
    tag = "features",
    responses((status = 200, description = "The features", body = Answer<FeaturesBody>), Faults),
)]
pub(super) async fn list_features(_: AdminCall) -> Reply {
    Reply::ok(json!({ "features": KNOWN_FEATURES }))
}

/// Read which application's documents route a number.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/numbers/{number}/app",
    tag = "features",
    params(NumberPath),
    responses((status = 200, description = "The application", body = Answer<AppBody>), Faults),
)]
pub(super) async fn get_app(State(api): State<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let number = call.number_to_read(&api).await?;
    let app = api.service.app_using(&call.actor, &call.account, &number).await?;
    Ok(Reply::ok(json!({ "app": app })))
}

/// Read the lists of a number.
#[utoipa::path(
    get,
    path = "/v2/phone_numbers/{number}/feature-permissions",
    tag = "features",
    params(UnscopedNumberPath),
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn get_number_features(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let holder = FeatureHolder::Number(call.number_to_read(&api).await?);
    read(&api, &call, &holder).await
}

/// Add a feature to a list of a number.
///
/// What is inherited is copied first, so that nothing else changes.
#[utoipa::path(
    put,
    path = "/v2/phone_numbers/{number}/feature-permissions/{list}/{feature}",
    tag = "features",
    params(UnscopedNumberPath, FeaturePath),
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn add_number_feature(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let holder = FeatureHolder::Number(call.number_to_write(&api).await?);
    change(&api, &call, &holder, true).await
}

/// Take a feature off a list of a number.
#[utoipa::path(
    delete,
    path = "/v2/phone_numbers/{number}/feature-permissions/{list}/{feature}",
    tag = "features",
    params(UnscopedNumberPath, FeaturePath),
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn remove_number_feature(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let holder = FeatureHolder::Number(call.number_to_write(&api).await?);
    change(&api, &call, &holder, false).await
}

/// Read the lists of an account's reseller.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/reseller/feature-permissions",
    tag = "features",
    params(AccountPath),
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn get_reseller_features(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let holder = FeatureHolder::ResellerOf(account(&call)?);
    read(&api, &call, &holder).await
}

/// Add a feature to a list of an account's reseller.
///
/// What is inherited is copied first, so that nothing else changes.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/reseller/feature-permissions/{list}/{feature}",
    tag = "features",
    params(AccountPath, FeaturePath),
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn add_reseller_feature(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let holder = FeatureHolder::ResellerOf(account(&call)?);
    change(&api, &call, &holder, true).await
}

/// Take a feature off a list of an account's reseller.
#[utoipa::path(
    delete,
    path = "/v2/accounts/{account_id}/reseller/feature-permissions/{list}/{feature}",
    tag = "features",
    params(AccountPath, FeaturePath),
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn remove_reseller_feature(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let holder = FeatureHolder::ResellerOf(account(&call)?);
    change(&api, &call, &holder, false).await
}

/// Read the lists of the system.
#[utoipa::path(
    get,
    path = "/v2/config/feature-permissions",
    tag = "features",
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn get_system_features(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    read(&api, &call, &FeatureHolder::System).await
}

/// Add a feature to a list of the system.
///
/// The first one that is denied puts a list in place of the rule for local numbers.
#[utoipa::path(
    put,
    path = "/v2/config/feature-permissions/{list}/{feature}",
    tag = "features",
    params(FeaturePath),
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn add_system_feature(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    change(&api, &call, &FeatureHolder::System, true).await
}

/// Take a feature off a list of the system.
#[utoipa::path(
    delete,
    path = "/v2/config/feature-permissions/{list}/{feature}",
    tag = "features",
    params(FeaturePath),
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn remove_system_feature(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    change(&api, &call, &FeatureHolder::System, false).await
}

/// Allow by the system's list what is allowed by default, and nothing else.
#[utoipa::path(
    post,
    path = "/v2/config/feature-permissions/reset",
    tag = "features",
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn reset_system_features(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    Ok(Reply::ok(shown_permissions(&api.service.reset_allowed_features(&call.actor).await?)))
}

/// Make sure that the system's list allows what is for administrators only.
#[utoipa::path(
    post,
    path = "/v2/config/feature-permissions/ensure-admin-only",
    tag = "features",
    responses((status = 200, description = "The lists", body = Answer<PermissionsBody>), Faults),
)]
pub(super) async fn ensure_admin_only_features(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let (_, permissions) = api.service.ensure_admin_only_features(&call.actor).await?;
    Ok(Reply::ok(shown_permissions(&permissions)))
}

async fn read(api: &Api, call: &AdminCall, holder: &FeatureHolder) -> Result<Reply, Fault> {
    Ok(Reply::ok(shown_permissions(&api.service.feature_permissions(&call.actor, holder).await?)))
}

async fn change(
    api: &Api,
    call: &AdminCall,
    holder: &FeatureHolder,
    add: bool,
) -> Result<Reply, Fault> {
    let kind = match call.part("list") {
        "allowed" => FeatureListKind::Allowed,
        "denied" => FeatureListKind::Denied,
        _ => return Err(Fault::not_found()),
    };
    let feature = call.part("feature");
    let changed = api.service.change_feature(&call.actor, holder, (kind, add), feature).await?;
    Ok(Reply::ok(shown_permissions(&changed)))
}

fn account(call: &Call) -> Result<AccountId, Fault> {
    extract::account_in_path(call)
}
