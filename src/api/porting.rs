//! Numbers that are on their way to us: as a number and as a row of a listing; and the request that
//! announces one.

use axum::extract::State as Of;
use serde_json::{Map, Value, json};

use crate::{
    domain::State,
    service::{Creation, Port},
};

use super::{
    Api,
    envelope::Reply,
    extract::AccountCall,
    fault::Fault,
    numbers_words::{NumberBody, NumberRequest},
    shape::{self, Wanted},
    words::{Answer, Faults, IfMatch, NumberPath},
};

/// Announce a number that is to be ported in.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}/port",
    tag = "numbers",
    params(NumberPath, IfMatch),
    request_body = NumberRequest,
    responses(
        (status = 201, description = "The number, on its way", body = Answer<NumberBody>),
        (status = 202, description = "On its way; its copy follows", body = Answer<NumberBody>),
        Faults,
    ),
)]
pub(super) async fn port_number(Of(api): Of<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let wanted = Wanted::read(call.object()?)?;
    let number = call.number_to_write(&api).await?;
    let state = Some(State::PortIn);
    let creation = Creation { state, carrier: None, ..wanted.into_creation() };
    let view =
        api.service.create(&call.actor, &call.account, &number, creation, call.terms()).await?;
    Ok(shape::reply(view).created(&call))
}

/// Bring in a number whose port is completed; administrators only.
///
/// It is in service for the account then, whatever `create_with_state` says, at the carrier of
/// ported numbers unless the body names one, and what is written on it is what the body says. A
/// number that the account has in service already stays as it is.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}/ported",
    tag = "numbers",
    params(NumberPath, IfMatch),
    request_body = NumberRequest,
    responses(
        (status = 201, description = "The number, in service", body = Answer<NumberBody>),
        (status = 202, description = "In service; its copy follows", body = Answer<NumberBody>),
        Faults,
    ),
)]
pub(super) async fn bring_in_ported(Of(api): Of<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let wanted = Wanted::read(call.object()?)?;
    let number = call.number_to_write(&api).await?;
    let creation = Creation { ported_in: true, ..wanted.into_creation() };
    let view =
        api.service.create(&call.actor, &call.account, &number, creation, call.terms()).await?;
    Ok(shape::reply(view).created(&call))
}

/// A number that is known from a port request only, as a row of a listing.
pub(super) fn row(port: &Port) -> Map<String, Value> {
    let mut row = Map::new();
    row.insert("state".to_owned(), State::PortIn.as_str().into());
    for list in ["features", "features_allowed", "features_denied", "features_available"] {
        row.insert(list.to_owned(), Value::Array(Vec::new()));
    }
    row.insert("assigned_to".to_owned(), port.account.as_str().into());
    if let Some(app) = &port.used_by {
        row.insert("used_by".to_owned(), app.as_str().into());
    }
    row.insert("created".to_owned(), port.created.into());
    row.insert("updated".to_owned(), port.modified.into());
    row.insert("port_id".to_owned(), port.request.as_str().into());
    row.insert("port_state".to_owned(), port.state.as_str().into());
    row
}

/// The answer that shows such a number by itself.
pub(super) fn reply(port: &Port) -> Reply {
    let state = State::PortIn.as_str();
    let read_only = json!({
        "created": port.created,
        "modified": port.modified,
        "state": state,
        "features": { "available": [], "settings": {} },
        "port_id": port.request,
        "port_state": port.state,
    });
    let mut data = json!({
        "id": port.number.as_str(),
        "state": state,
        "features": [],
        "features_available": [],
    });
    if let Some(app) = &port.used_by {
        data["used_by"] = app.as_str().into();
    }
    let mut metadata = Map::new();
    metadata.insert("id".to_owned(), port.number.as_str().into());
    metadata.extend(read_only.as_object().cloned().unwrap_or_default());
    data["_read_only"] = read_only;
    Reply::ok(data).metadata(metadata)
}
