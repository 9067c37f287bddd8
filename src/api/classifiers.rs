//! What can be said of a number without reading it: its class, and which carriers there are.

use axum::extract::State;
use serde_json::{Value, json};

use super::{
    Api,
    classifiers_words::{CarriersInfoBody, ClassifiersBody},
    envelope::Reply,
    extract::AccountCall,
    fault::Fault,
    search::ResellerParameter,
    words::{AccountPath, Answer, Faults, NumberPath},
};

/// List the classifiers.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/phone_numbers/classifiers",
    tag = "classifiers",
    params(AccountPath),
    responses((status = 200, description = "By name, in order", body = Answer<ClassifiersBody>), Faults),
)]
pub(super) async fn list_classifiers(
    State(api): State<Api>,
    _: AccountCall,
) -> Result<Reply, Fault> {
    Ok(Reply::ok(api.service.classifiers().await?))
}

/// Say what is known of a text.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/phone_numbers/classifiers/{number}",
    tag = "classifiers",
    params(NumberPath),
    responses((status = 200, description = "Its class", body = Answer<ClassifiersBody>), Faults),
)]
pub(super) async fn classify_number(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let class = api.service.classify(call.part("number")).await.map_err(Fault::reading)?;
    Ok(Reply::ok(class))
}

/// Say which carriers and states the caller can use.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/phone_numbers/carriers_info",
    tag = "classifiers",
    params(AccountPath, ResellerParameter),
    responses((status = 200, description = "The carriers", body = Answer<CarriersInfoBody>), Faults),
)]
pub(super) async fn get_carriers_info(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let reseller = call.query.get("reseller_id");
    let searcher = api.service.searcher(Some(&call.actor), Some(&call.account), reseller).await?;
    let info = api.service.carriers_info(&call.actor, &searcher).await?;
    let states: Vec<Value> =
        info.usable_creation_states.iter().map(|state| state.as_str().into()).collect();
    Ok(Reply::ok(json!({
        "maximal_prefix_length": info.maximal_prefix_length,
        "usable_carriers": info.usable_carriers,
        "usable_creation_states": states,
    })))
}
