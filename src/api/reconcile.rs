//! Making it so that an account holds numbers in service; administrators only.

use axum::extract::State;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{domain::E164, service::Reconciliation};

use super::{
    Api,
    envelope::Reply,
    extract::AccountCall,
    fault::Fault,
    openapi::{AccountPath, Answer, Faults, IfMatch, NumberBody, NumberPath, NumberRequest},
    shape::{self, Wanted},
};

/// Numbers, and what is to be written on each of them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct ReconcileRequest {
    data: ReconcileData,
}

/// The numbers, and members that are merged into each of them.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct ReconcileData {
    /// The numbers, in any form that can be dialled.
    numbers: Vec<String>,
    /// Their carrier from now on.
    carrier_name: Option<String>,
}

/// What became of each number.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
pub(super) struct OutcomesBody {
    /// By number.
    success: std::collections::BTreeMap<String, NumberBody>,
    /// By number, as given where it is none; absent when nothing failed.
    error: Option<std::collections::BTreeMap<String, Value>>,
}

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
    let wanted = read(call.object()?)?;
    let number = call.number_to_write(&api).await?;
    let if_match = call.if_match.as_ref();
    let view =
        api.service.reconcile(&call.actor, &call.account, &number, &wanted, if_match).await?;
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
    request_body = ReconcileRequest,
    responses((status = 201, description = "Each number", body = Answer<OutcomesBody>), Faults),
)]
pub(super) async fn reconcile_collection(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    if !call.actor.is_admin {
        return Err(Fault::forbidden());
    }
    let mut data = call.object()?.clone();
    let given = given_numbers(data.shift_remove("numbers"))?;
    let wanted = read(&data)?;
    let (mut numbers, mut failed) = (Vec::new(), Map::new());
    for text in given {
        match api.service.parse(&text).await {
            Ok(number) if numbers.contains(&number) => return Err(twice()),
            Ok(number) => numbers.push(number),
            Err(error) => drop(failed.insert(text, Fault::from(error).data.clone())),
        }
    }
    let outcomes = api.service.reconcile_many(&call.actor, &call.account, numbers, &wanted).await;
    let mut success = Map::new();
    for (number, outcome) in outcomes {
        let key = E164::to_string(&number);
        match outcome {
            Ok(view) => drop(success.insert(key, shape::data(&view))),
            Err(error) => drop(failed.insert(key, Fault::from(error).data.clone())),
        }
    }
    let mut body = json!({ "success": success });
    if !failed.is_empty() {
        body["error"] = Value::Object(failed);
    }
    Ok(Reply::ok(body).created(&call))
}

fn read(data: &Map<String, Value>) -> Result<Reconciliation, Fault> {
    let Wanted { public, carrier, .. } = Wanted::read(data)?;
    Ok(Reconciliation { public, carrier })
}

fn given_numbers(numbers: Option<Value>) -> Result<Vec<String>, Fault> {
    let refuse = |rule, message| Fault::validation("numbers", rule, json!({ "message": message }));
    let list = match numbers {
        None => return Err(refuse("required", "list of numbers missing")),
        Some(Value::Array(list)) => list,
        Some(_) => return Err(refuse("type", "numbers must be a list")),
    };
    if list.is_empty() {
        return Err(refuse("minimum", "minimum 1 number required"));
    }
    let text = |value: Value| match value {
        Value::String(text) => Ok(text),
        other => Err(Fault::wrong_type("numbers", "string", &other)),
    };
    list.into_iter().map(text).collect()
}

fn twice() -> Fault {
    let what = json!({ "message": "some numbers appear twice" });
    Fault::validation("numbers", "uniqueItems", what)
}
