//! Making numbers for the stock of a carrier.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use axum::extract::State;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::service::Generation;

use super::{
    Api,
    envelope::Reply,
    extract::AdminCall,
    fault::Fault,
    job, maintenance,
    openapi::JobBody,
    request, text,
    words::{Answer, Faults},
};

/// Numbers to be made.
#[derive(ToSchema)]
pub(super) struct GenerationRequest {
    data: GenerationData,
}

/// Which, and for whom.
#[derive(ToSchema)]
struct GenerationData {
    /// The carrier: `managed` or `inum`.
    #[schema(rename = "type")]
    kind: String,
    /// The account that may take them, and whose customers may.
    account: String,
    /// The first number, in any form that can be dialled.
    start: String,
    /// How many.
    quantity: u64,
    /// Whether nothing is written.
    dry_run: Option<bool>,
}

/// Make consecutive numbers for an account.
///
/// Those that are there already are listed among the failures as `number_exists`, counted as
/// skipped, and stay as they are.
#[utoipa::path(
    post,
    path = "/v2/maintenance/generate_numbers",
    tag = "maintenance",
    request_body = GenerationRequest,
    responses(
        (status = 200, description = "The finished job", content(
            (Answer<JobBody> = "application/json"), (String = "text/plain"),
        )),
        Faults,
    ),
)]
pub(super) async fn generate_numbers(
    State(api): State<Api>,
    call: AdminCall,
) -> Result<Reply, Fault> {
    let data = call.object()?;
    let needed = |name| request::text(data, name)?.ok_or_else(|| Fault::required(name));
    let wanted = Generation {
        kind: needed("type")?,
        account: needed("account")?,
        start: needed("start")?,
        quantity: quantity(data)?,
        dry_run: request::flag(data, "dry_run")?.unwrap_or(false),
    };
    run(&api, &call, &wanted).await
}

fn quantity(data: &Map<String, Value>) -> Result<i64, Fault> {
    let given = match data.get("quantity") {
        None | Some(Value::Null) => return Err(Fault::required("quantity")),
        Some(given) => given,
    };
    let read = given.as_i64().or_else(|| given.as_str()?.parse().ok());
    read.ok_or_else(|| Fault::wrong_type("quantity", "integer", given))
}

/// Makes the numbers and answers in the form that the client wants.
pub(super) async fn run(api: &Api, call: &AdminCall, wanted: &Generation) -> Result<Reply, Fault> {
    let started = api.clock.now();
    let stock = api.service.generate_numbers(&call.actor, wanted).await;
    let stock = stock.map_err(|error| maintenance::refused(error, call.wants_text))?;
    if call.wants_text {
        return Ok(Reply::text(text::generation(&stock)));
    }
    let scope = json!({
        "type": wanted.kind, "account": wanted.account, "start": wanted.start,
        "quantity": wanted.quantity,
    });
    let (dry_run, finished) = (wanted.dry_run, api.clock.now());
    let run = job::Record { name: "generate_numbers", scope, dry_run, started, finished };
    Ok(Reply::ok(job::generation(&run, &stock)))
}
