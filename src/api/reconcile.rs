//! Making it so that an account holds numbers in service; administrators only.

use axum::extract::State;

use crate::service::Reconciliation;

use super::{
    Api,
    collection::{self, CollectionBody, CollectionRequest},
    envelope::Reply,
    extract::AccountCall,
    fault::Fault,
    numbers_words::{NumberBody, NumberRequest},
    shape::{self, Wanted},
    words::{AccountPath, Answer, Faults, IfMatch, NumberPath},
};

/// Make it so: the number exists, is in service, and the account holds it.
///
/// For administrators. Whatever it was and whoever had it; members are merged. Repeated, it changes
/// nothing.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/phone_numbers/{number}/reconcile",
    tag = "numbers",
    params(NumberPath, IfMatch),
    request_body = NumberRequest,
    responses(
        (status = 201, description = "The number, in service", body = Answer<NumberBody>),
        (status = 202, description = "In service; its copy follows", body = Answer<NumberBody>),
        Faults,
    ),
)]
pub(super) async fn reconcile_number(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let wanted = of(Wanted::read(call.object()?)?);
    let number = call.number_to_write(&api).await?;
    let (actor, account) = (&call.actor, &call.account);
    let view = api.service.reconcile(actor, account, &number, wanted, call.terms()).await?;
    Ok(shape::reply(view).created(&call))
}

/// Make it so for many numbers.
///
/// For administrators; as the same for one number.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/phone_numbers/collection/reconcile",
    tag = "numbers",
    params(AccountPath),
    request_body = CollectionRequest,
    responses((status = 201, description = "Each number", body = Answer<CollectionBody>), Faults),
)]
pub(super) async fn reconcile_collection(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let (batch, wanted) = collection::read(&api, &call).await?;
    let (actor, account, wanted) = (&call.actor, &call.account, of(wanted));
    let made = api.service.reconcile_many(actor, account, &batch, wanted, call.terms());
    Ok(collection::reply(made.await?).created(&call))
}

fn of(wanted: Wanted) -> Reconciliation {
    Reconciliation { public: wanted.public, carrier: wanted.carrier }
}
