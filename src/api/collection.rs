//! Several numbers of an account in one request: each as if it had been asked for alone.

use axum::extract::State;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::service::{Batch, Outcomes, Update};

use super::{
    Api,
    envelope::Reply,
    extract::AccountCall,
    fault::{self, Fault},
    numbers_words::{NumberBody, ReleaseParameters},
    shape::{self, Wanted},
    words::{AccountPath, Answer, Faults},
};

/// Create numbers for an account.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/phone_numbers/collection",
    tag = "numbers",
    params(AccountPath),
    request_body = CollectionRequest,
    responses(
        (status = 201, description = "What became of each", body = Answer<CollectionBody>),
        Faults,
    ),
)]
pub(super) async fn create_numbers(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let (batch, wanted) = read(&api, &call).await?;
    let creation = wanted.into_creation();
    let made = api.service.create_many(&call.actor, &call.account, &batch, creation, call.terms());
    Ok(reply(made.await?).created(&call))
}

/// Replace what is written on numbers.
#[utoipa::path(
    post,
    path = "/v2/accounts/{account_id}/phone_numbers/collection",
    tag = "numbers",
    params(AccountPath),
    request_body = CollectionRequest,
    responses(
        (status = 200, description = "What became of each", body = Answer<CollectionBody>),
        Faults,
    ),
)]
pub(super) async fn replace_numbers(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    update(&api, &call, Update::Replace).await
}

/// Merge into what is written on numbers.
#[utoipa::path(
    patch,
    path = "/v2/accounts/{account_id}/phone_numbers/collection",
    tag = "numbers",
    params(AccountPath),
    request_body = CollectionRequest,
    responses(
        (status = 200, description = "What became of each", body = Answer<CollectionBody>),
        Faults,
    ),
)]
pub(super) async fn merge_numbers(
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
    let (batch, wanted) = read(api, call).await?;
    let (update, carrier) = (how(wanted.public), wanted.carrier);
    let changed = api.service.update_many(&call.actor, &batch, update, carrier, call.terms());
    Ok(reply(changed.await?))
}

/// Release numbers.
///
/// With `hard=true` an administrator deletes them outright.
#[utoipa::path(
    delete,
    path = "/v2/accounts/{account_id}/phone_numbers/collection",
    tag = "numbers",
    params(AccountPath, ReleaseParameters),
    request_body = CollectionRequest,
    responses(
        (status = 200, description = "What became of each", body = Answer<CollectionBody>),
        Faults,
    ),
)]
pub(super) async fn release_numbers(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let (batch, _) = read(&api, &call).await?;
    let left = if call.query.says("hard") {
        api.service.delete_many(&call.actor, &batch, call.terms()).await?
    } else {
        api.service.release_many(&call.actor, &batch, call.terms()).await?
    };
    Ok(reply(left))
}

/// Put numbers in service for an account.
#[utoipa::path(
    put,
    path = "/v2/accounts/{account_id}/phone_numbers/collection/activate",
    tag = "numbers",
    params(AccountPath),
    request_body = CollectionRequest,
    responses(
        (status = 201, description = "What became of each", body = Answer<CollectionBody>),
        Faults,
    ),
)]
pub(super) async fn activate_numbers(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Reply, Fault> {
    let (batch, wanted) = read(&api, &call).await?;
    let (actor, account, public) = (&call.actor, &call.account, wanted.public);
    let taken = api.service.activate_many(actor, account, &batch, public, call.terms());
    Ok(reply(taken.await?).created(&call))
}

/// Reads which numbers are meant, and what all of them get.
pub(super) async fn read(api: &Api, call: &AccountCall) -> Result<(Batch, Wanted), Fault> {
    let data = call.object()?;
    let texts = numbers_of(data, api.limits.batch_size)?;
    let mut wanted = Wanted::unchecked(data)?;
    wanted.public.shift_remove("numbers");
    check_size(&wanted.public, texts.len(), api.limits.batch_bytes)?;
    Ok((api.service.batch(&texts).await?, wanted))
}

/// The texts under `numbers`.
pub(super) fn numbers_of(data: &Map<String, Value>, most: usize) -> Result<Vec<String>, Fault> {
    const NUMBERS: &str = "numbers";
    let refuse = |rule: &str, message: &str| {
        Err(Fault::validation(NUMBERS, rule, json!({ "message": message })))
    };
    let items = match data.get(NUMBERS) {
        None | Some(Value::Null) => return refuse("required", "list of numbers missing"),
        Some(Value::Array(items)) if items.is_empty() => {
            return refuse("minimum", "minimum 1 number required");
        }
        Some(Value::Array(items)) => items,
        Some(_) => return refuse("type", "numbers must be a list"),
    };
    if items.len() > most {
        let message =
            format!("List must not have more than {most} items (setting http.batch_size)");
        let what = json!({ "message": message, "target": most });
        return Err(Fault::validation(NUMBERS, "maxItems", what));
    }
    let text = |(place, item): (usize, &Value)| match item {
        Value::String(text) => Ok(text.clone()),
        other => Err(Fault::wrong_type(&format!("{NUMBERS}.{place}"), "string", other)),
    };
    items.iter().enumerate().map(text).collect()
}

/// Refuses what would be much larger on all the numbers than in the request.
fn check_size(public: &Map<String, Value>, count: usize, most: usize) -> Result<(), Fault> {
    let length = serde_json::to_string(public).map_or(usize::MAX, |text| text.len());
    if length.saturating_mul(count) <= most {
        return Ok(());
    }
    let message = format!(
        "What is written on all of the numbers must not be more than {most} bytes in total \
         (setting http.batch_bytes)"
    );
    Err(Fault::validation("data", "maxSize", json!({ "message": message, "target": most })))
}

/// The answer that shows what became of each. There is no `error` when nothing failed: a user
/// interface takes the key itself for a failure.
pub(super) fn reply(outcomes: Outcomes) -> Reply {
    let (mut success, mut error) = (Map::new(), Map::new());
    for (number, outcome) in outcomes {
        match outcome {
            Ok(view) => success.insert(number, shape::data(&view)),
            Err(failed) => error.insert(number, fault::of_one(failed)),
        };
    }
    let mut data = Map::new();
    data.insert("success".to_owned(), Value::Object(success));
    if !error.is_empty() {
        data.insert("error".to_owned(), Value::Object(error));
    }
    Reply::ok(data)
}

pub(super) use document::{CollectionBody, CollectionRequest};

/// The document's words only.
mod document {
    #![expect(dead_code, reason = "the types are read by the document's generator only")]

    use std::collections::BTreeMap;

    use super::{NumberBody, ToSchema, Value};

    /// Numbers, and what is to be written on each.
    #[derive(ToSchema)]
    pub(crate) struct CollectionRequest {
        data: CollectionData,
    }

    /// Which numbers, and the members that each of them gets.
    #[derive(ToSchema)]
    struct CollectionData {
        /// In any form that can be dialled; none of them twice.
        #[schema(min_items = 1)]
        numbers: Vec<String>,
        /// The state in which they are created; in service when absent.
        create_with_state: Option<String>,
        /// The carrier, with `knm_` or without; administrators only.
        carrier_name: Option<String>,
        #[serde(flatten)]
        own: BTreeMap<String, Value>,
    }

    /// What became of numbers, each under its E.164 form, or under the text that is none.
    #[derive(ToSchema)]
    pub(crate) struct CollectionBody {
        /// The numbers as they are now.
        success: BTreeMap<String, NumberBody>,
        /// What failed; absent when nothing did.
        error: Option<BTreeMap<String, NumberFault>>,
    }

    /// Why something was not done to one number.
    #[derive(ToSchema)]
    struct NumberFault {
        /// The status that it would have had alone.
        code: u16,
        /// The error's id.
        error: String,
        /// Which, or why.
        cause: Option<String>,
        /// The same in words.
        message: String,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn check(data: Value, refusal: Value) {
        let fault = numbers_of(data.as_object().unwrap(), 2).unwrap_err();
        assert_eq!((fault.status.as_u16(), &*fault.message), (400, "validation error"));
        assert_eq!(fault.data, refusal);
    }

    #[test]
    fn bad_lists_are_refused_by_the_wires_own_words() {
        let rule = |rule: &str, message: &str| json!({"numbers": {rule: {"message": message}}});
        check(json!({}), rule("required", "list of numbers missing"));
        check(json!({"numbers": null}), rule("required", "list of numbers missing"));
        check(json!({"numbers": []}), rule("minimum", "minimum 1 number required"));
        check(json!({"numbers": "+14155550100"}), rule("type", "numbers must be a list"));
        check(json!({"numbers": {"0": "x"}}), rule("type", "numbers must be a list"));
        check(
            json!({"numbers": ["a", 1]}),
            json!({"numbers.1": {"type": {
                "message": "Value did not match type(s): string", "target": "string", "value": 1,
            }}}),
        );
        check(
            json!({"numbers": ["a", "b", "c"]}),
            json!({"numbers": {"maxItems": {
                "message": "List must not have more than 2 items (setting http.batch_size)",
                "target": 2,
            }}}),
        );
    }

    #[test]
    fn what_all_numbers_get_is_bounded_together() {
        let public = json!({"my": "0123456789"});
        let public = public.as_object().unwrap();
        assert!(check_size(public, 3, 100).is_ok());
        let fault = check_size(public, 30, 100).unwrap_err();
        assert_eq!(fault.data["data"]["maxSize"]["target"], 100);
    }
}
