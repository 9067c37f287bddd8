//! The numbers of an account, one at a time.

use axum::extract::State;
use serde_json::{Map, Value};

use crate::service::{Error, Update};

use super::{
    Api,
    envelope::Reply,
    extract::{AccountCall, AdminCall},
    fault::Fault,
    numbers_words::{
        NumberBody, NumberRecordBody, NumberRequest, ReadParameters, ReleaseParameters,
    },
    porting,
    shape::{self, Wanted},
    words::{Answer, Faults, IfMatch, NotModified, NumberPath, UnscopedNumberPath},
};

/// Read a number.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}",
    tag = "numbers",
    params(NumberPath, ReadParameters),
    responses(
        (status = 200, description = "The number", body = Answer<NumberBody>),
        NotModified,
        Faults,
    ),
)]
pub(super) async fn get_number(State(api): State<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let number = call.number_to_read(&api).await?;
    match api.service.get(&call.actor, &number).await {
        Err(Error::NotFound(number)) if call.query.get("include_ports") != Some("false") => {
            let port = api.service.ported(&call.actor, &call.account, &number).await;
            Ok(porting::reply(&port.map_err(Fault::reading)?))
        }
        view => Ok(shape::reply(view.map_err(Fault::reading)?)),
    }
}

/// Create a number for an account.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}",
    tag = "numbers",
    params(NumberPath, IfMatch),
    request_body = NumberRequest,
    responses(
        (status = 201, description = "The number as it was created", body = Answer<NumberBody>),
        (status = 202, description = "Created; its copy follows", body = Answer<NumberBody>),
        Faults,
    ),
)]
pub(super) async fn create_number(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let wanted = Wanted::read(call.object()?)?;
    let number = call.number_to_write(&api).await?;
    let creation = wanted.into_creation();
    let view =
        api.service.create(&call.actor, &call.account, &number, creation, call.terms()).await?;
    Ok(shape::reply(view).created(&call))
}

/// Replace what is written on a number.
#[utoipa::path(
    post,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}",
    tag = "numbers",
    params(NumberPath, IfMatch),
    request_body = NumberRequest,
    responses(
        (status = 200, description = "The number as it is now", body = Answer<NumberBody>),
        (status = 202, description = "Changed; its copy follows", body = Answer<NumberBody>),
        Faults,
    ),
)]
pub(super) async fn replace_number(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    update(&api, &call, Update::Replace).await
}

/// Merge into what is written on a number.
#[utoipa::path(
    patch,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}",
    tag = "numbers",
    params(NumberPath, IfMatch),
    request_body = NumberRequest,
    responses(
        (status = 200, description = "The number as it is now", body = Answer<NumberBody>),
        (status = 202, description = "Changed; its copy follows", body = Answer<NumberBody>),
        Faults,
    ),
)]
pub(super) async fn merge_number(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    update(&api, &call, Update::Merge).await
}

async fn update(
    api: &Api,
    call: &AccountCall,
    how: fn(Map<String, Value>) -> Update,
) -> Result<Reply, Fault> {
    let wanted = Wanted::read(call.object()?)?;
    let number = call.number_to_write(api).await?;
    let update = how(wanted.public);
    let view =
        api.service.update(&call.actor, &number, update, wanted.carrier, call.terms()).await?;
    Ok(shape::reply(view))
}

/// Release a number.
///
/// With `hard=true` an administrator deletes it outright.
#[utoipa::path(
    delete,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}",
    tag = "numbers",
    params(NumberPath, ReleaseParameters, IfMatch),
    responses(
        (status = 200, description = "The number as it was left", body = Answer<NumberBody>),
        (status = 202, description = "Released; its copies follow", body = Answer<NumberBody>),
        Faults,
    ),
)]
pub(super) async fn release_number(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let number = call.number_to_write(&api).await?;
    let view = if call.query.says("hard") {
        api.service.delete(&call.actor, &number, call.terms()).await?
    } else {
        api.service.release(&call.actor, &number, call.terms()).await?
    };
    Ok(shape::reply(view))
}

/// Put a number in service for an account.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}/activate",
    tag = "numbers",
    params(NumberPath, IfMatch),
    request_body = NumberRequest,
    responses(
        (status = 201, description = "The number, in service", body = Answer<NumberBody>),
        (status = 202, description = "In service; its copy follows", body = Answer<NumberBody>),
        Faults,
    ),
)]
pub(super) async fn activate_number(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    api.limiter.take_activation(&call.account)?;
    let wanted = Wanted::read(call.object()?)?;
    let number = call.number_to_write(&api).await?;
    let view = api
        .service
        .activate(&call.actor, &call.account, &number, wanted.public, call.terms())
        .await?;
    Ok(shape::reply(view).created(&call))
}

/// Reserve a number for an account.
///
/// What the body says is checked, and not written.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}/reserve",
    tag = "numbers",
    params(NumberPath, IfMatch),
    request_body = NumberRequest,
    responses(
        (status = 201, description = "The number, reserved", body = Answer<NumberBody>),
        (status = 202, description = "Reserved; its copy follows", body = Answer<NumberBody>),
        Faults,
    ),
)]
pub(super) async fn reserve_number(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    Wanted::read(call.object()?)?;
    let number = call.number_to_write(&api).await?;
    let view = api.service.reserve(&call.actor, &call.account, &number, call.terms()).await?;
    Ok(shape::reply(view).created(&call))
}

/// Read any number, with its owner, its carrier and how its copies stand.
#[utoipa::path(
    get,
    path = "/v2/phone_numbers/{number}",
    tag = "numbers",
    params(UnscopedNumberPath),
    responses(
        (status = 200, description = "The number", body = Answer<NumberRecordBody>),
        NotModified,
        Faults,
    ),
)]
pub(super) async fn get_any_number(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let number = call.number_to_read(&api).await?;
    let record = api.service.record(&call.actor, &number).await.map_err(Fault::reading)?;
    Ok(shape::record_reply(record))
}
