//! Whose a number is, and repairs that change nothing but copies.

use axum::extract::State;
use serde_json::json;
use utoipa::ToSchema;

use crate::service::{Identity, Mirror};

use super::{
    Api,
    envelope::Reply,
    extract::AccountCall,
    fault::Fault,
    lists,
    lists_words::{ListParameters, ListingBody},
    words::{AccountPath, Answer, Faults, NumberPath},
};

/// Say whose a number is.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}/identify",
    tag = "numbers",
    params(NumberPath),
    responses((status = 200, description = "The account", body = Answer<IdentityBody>), Faults),
)]
pub(super) async fn identify_number(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let number = call.number_to_read(&api).await?;
    let identity = api.service.identify(&call.actor, &number).await.map_err(Fault::reading)?;
    let refused = |cause: &str, account| {
        let data = json!({ "cause": cause, "account_id": account, "number": number.as_str() });
        Err(Fault::client_error(data))
    };
    match identity {
        Identity::Of(account) => {
            let data = json!({ "account_id": account.as_str(), "number": number.as_str() });
            Ok(Reply::ok(data))
        }
        Identity::NotInService(account) => refused("not_in_service", account.to_string()),
        Identity::Disabled(account) => refused("account_disabled", account.to_string()),
        Identity::Unassigned => Err(Fault::client_error("unassigned".into())),
    }
}

/// Bring an account's copies in line with the numbers.
///
/// Changes no number: copies that are missing or old are written, and those of numbers that are not
/// the account's are removed. Answers with the list of its numbers.
#[utoipa::path(
    post,
    path = "/v2/accounts/{account_id}/phone_numbers/fix",
    tag = "numbers",
    params(AccountPath, ListParameters),
    responses(
        (status = 200, description = "A page of numbers", body = Answer<ListingBody>),
        (status = 202, description = "Some copies follow", body = Answer<ListingBody>),
        Faults,
    ),
)]
pub(super) async fn fix_numbers(State(api): State<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let query = lists::query(&api, &call)?;
    let copies = api.service.fix(&call.actor, &call.account).await?;
    Ok(answer(lists::page(&api, &call, query).await?, copies))
}

/// Bring an account's copy of one number in line with it.
#[utoipa::path(
    post,
    path = "/v2/accounts/{account_id}/phone_numbers/fix/{number}",
    tag = "numbers",
    params(NumberPath),
    responses(
        (status = 200, description = "Nothing, in an object", body = Answer<NothingBody>),
        (status = 202, description = "The copy follows", body = Answer<NothingBody>),
        Faults,
    ),
)]
pub(super) async fn fix_number(State(api): State<Api>, call: AccountCall) -> Result<Reply, Fault> {
    let number = call.number_to_write(&api).await?;
    let copy = api.service.fix_number(&call.actor, &call.account, &number).await?;
    Ok(answer(Reply::ok(json!({})), copy))
}

fn answer(reply: Reply, copies: Mirror) -> Reply {
    match copies {
        Mirror::Synced => reply,
        Mirror::Pending => reply.accepted(),
    }
}

/// Whose a number is.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct IdentityBody {
    /// The account that holds it.
    account_id: String,
    /// The number, in E.164 form.
    number: String,
}

/// Nothing.
#[derive(ToSchema)]
struct NothingBody {}
