//! Accounts, as far as numbers need them.

use axum::extract::State;
use serde_json::{Map, Value, json};

use crate::{
    domain::AccountId,
    service::{Account, NewAccount},
};

use super::{
    Api,
    accounts_words::{AccountBody, AccountRequest},
    envelope::Reply,
    extract::{self, AccountCall, AdminCall},
    fault::Fault,
    request,
    words::{AccountPath, Answer, Faults},
};

/// Read an account.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}",
    tag = "accounts",
    params(AccountPath),
    responses((status = 200, description = "The account", body = Answer<AccountBody>), Faults),
)]
pub(super) async fn get_account(State(api): State<Api>, call: AccountCall) -> Result<Reply, Fault> {
    Ok(Reply::ok(body(&api.service.account(&call.account).await?)))
}

/// Create an account. Safe to repeat.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}",
    tag = "accounts",
    params(AccountPath),
    request_body = AccountRequest,
    responses((status = 201, description = "The account", body = Answer<AccountBody>), Faults),
)]
pub(super) async fn create_account(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let account = extract::account_in_path(&call)?;
    let new = read(call.object()?)?;
    let account = api.service.create_account(&call.actor, &account, new).await?;
    Ok(Reply::ok(body(&account)).created(&call))
}

/// Change whether an account may add numbers.
#[utoipa::path(
    patch,
    path = "/v2/accounts/{account_id}",
    tag = "accounts",
    params(AccountPath),
    request_body = AccountRequest,
    responses((status = 200, description = "The account", body = Answer<AccountBody>), Faults),
)]
pub(super) async fn update_account(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    const FLAG: &str = "wnm_allow_additions";
    let allowed = request::flag(call.object()?, FLAG)?.ok_or_else(|| Fault::required(FLAG))?;
    let account = api.service.allow_additions(&call.actor, &call.account, allowed).await?;
    Ok(Reply::ok(body(&account)))
}

fn read(data: &Map<String, Value>) -> Result<NewAccount, Fault> {
    let name = request::text(data, "name")?.filter(|name| !name.trim().is_empty());
    let parent = request::text(data, "parent_id")?;
    let parent = parent.map(|text| {
        AccountId::parse_any(&text)
            .map_err(|_| Fault::wrong_type("parent_id", "account id", &text.as_str().into()))
    });
    Ok(NewAccount {
        name: name.ok_or_else(|| Fault::required("name"))?,
        parent: parent.transpose()?,
        is_reseller: request::flag(data, "is_reseller")?.unwrap_or(false),
        may_add_numbers: request::flag(data, "wnm_allow_additions")?.unwrap_or(false),
        enabled: request::flag(data, "enabled")?.unwrap_or(true),
    })
}

fn body(account: &Account) -> Value {
    let mut body = json!({
        "id": account.id.as_str(),
        "name": account.name,
        "enabled": account.enabled,
        "wnm_allow_additions": account.may_add_numbers,
        "is_reseller": account.is_reseller,
        "superduper_admin": account.is_admin,
        "tree": account.ancestors.iter().map(AccountId::as_str).collect::<Vec<_>>(),
    });
    if let Some(parent) = account.ancestors.last() {
        body["parent_id"] = parent.as_str().into();
    }
    if let Some(reseller) = &account.reseller {
        body["reseller_id"] = reseller.as_str().into();
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_account_needs_a_name_only() {
        let new = read(json!({"name": "a"}).as_object().unwrap()).unwrap();
        assert!(new.enabled && !new.may_add_numbers && !new.is_reseller && new.parent.is_none());
        assert!(read(&Map::new()).unwrap_err().data["name"]["required"].is_object());
        let bad = json!({"name": "a", "parent_id": "x"});
        assert!(read(bad.as_object().unwrap()).is_err());
    }
}
