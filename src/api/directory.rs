//! What others know of numbers: whether they can be bought, where they are, and which prefixes a city
//! has.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use axum::extract::State;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::service::Batch;

use super::{
    Api, collection,
    envelope::Reply,
    extract::{AccountCall, OpenCall},
    fault::Fault,
    request::Query,
    words::{AccountPath, Answer, Faults},
};

/// Numbers that are looked up.
#[derive(ToSchema)]
pub(super) struct NumbersRequest {
    data: NumbersData,
}

/// The numbers.
#[derive(ToSchema)]
struct NumbersData {
    /// In any form that can be dialled.
    numbers: Vec<String>,
}

/// What is known of each number.
#[derive(ToSchema)]
pub(super) struct LookedUpBody {
    #[serde(flatten)]
    numbers: BTreeMap<String, Value>,
}

/// A city.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct CityParameter {
    /// How its name begins.
    #[param(required = false)]
    city: Option<String>,
}

/// Ask the carriers whether numbers can be bought.
#[utoipa::path(
    post,
    path = "/v2/accounts/{account_id}/phone_numbers/check",
    tag = "numbers",
    params(AccountPath),
    request_body = NumbersRequest,
    responses((status = 200, description = "By number: `success`, `error`, or what its carrier says", body = Answer<LookedUpBody>), Faults),
)]
pub(super) async fn check_numbers(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let numbers = numbers(&api, &call).await?;
    Ok(Reply::ok(api.service.check(&call.account, &numbers).await?))
}

/// Ask where numbers are.
#[utoipa::path(
    post,
    path = "/v2/accounts/{account_id}/phone_numbers/locality",
    tag = "numbers",
    params(AccountPath),
    request_body = NumbersRequest,
    responses((status = 200, description = "By number, as the directory says", body = Answer<LookedUpBody>), Faults),
)]
pub(super) async fn locate_numbers(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let numbers = numbers(&api, &call).await?;
    Ok(Reply::ok(api.service.localities(&numbers).await?))
}

/// List the prefixes of a city.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/phone_numbers/prefix",
    tag = "numbers",
    params(AccountPath, CityParameter),
    responses((status = 200, description = "By city, as the directory says", body = Answer<LookedUpBody>), Faults),
)]
pub(super) async fn get_prefixes(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    prefixes(&api, &call.query).await
}

/// List the prefixes of a city. Needs no token.
#[utoipa::path(
    get,
    path = "/v2/phone_numbers/prefix",
    tag = "numbers",
    params(CityParameter),
    responses((status = 200, description = "By city, as the directory says", body = Answer<LookedUpBody>), Faults),
    security((), ("auth_token" = []), ("bearer" = [])),
)]
pub(super) async fn get_open_prefixes(
    State(api): State<Api>,
    call: OpenCall,
) -> Result<Reply, Fault> {
    prefixes(&api, &call.query).await
}

async fn prefixes(api: &Api, query: &Query) -> Result<Reply, Fault> {
    let city = query.get("city").map(str::trim).filter(|city| !city.is_empty());
    let city = city.ok_or_else(Fault::missing_city)?;
    Ok(Reply::ok(api.service.city_prefixes(city).await?))
}

/// The numbers that a request lists, in `data` or around it.
async fn numbers(api: &Api, call: &AccountCall) -> Result<Batch, Fault> {
    let data = call.object()?;
    let data = if data.contains_key("numbers") { data } else { &call.body.root };
    let texts = collection::numbers_of(data, api.limits.batch_size)?;
    Ok(api.service.batch(&texts).await?)
}
