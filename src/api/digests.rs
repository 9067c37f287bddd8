//! What the numbers come to, for who compares them with a copy.

use axum::{body::Bytes, extract::State};
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};

use crate::{
    domain::{AccountId, Prefix},
    service::{Error, NumberService, RangeSums, Sum, Summed},
};

use super::{
    Api,
    digests_words::{DigestsBody, DigestsParameters},
    envelope::Reply,
    extract::AdminCall,
    fault::Fault,
    request::Call,
    words::{Answer, Faults},
};

/// How many databases are read at once.
const PARALLEL: usize = 4;

/// Show what the numbers come to.
///
/// Whoever keeps a copy of the numbers computes the same and compares: first the databases (`of=numbers`,
/// or `of=accounts` for the copies that accounts hold), then the ranges of a database that differs
/// (`prefix`, or `account_id` with or without), and so on, until the numbers that differ are shown by
/// themselves. Numbers that change meanwhile may or may not be in what is shown: what differs is asked for
/// once more.
///
/// **What a number comes to.** Of its document, or of the copy of it that an account holds, every member
/// counts but those whose names begin with `_`; the number itself counts as `_id`. They are written as
/// JSON, in UTF-8 and without spaces: the members of every object in the order of their names' bytes;
/// in texts only `"`, `\` and the characters below U+0020 are escaped, as `\"`, `\\`, `\b`, `\f`, `\n`,
/// `\r`, `\t`, else as `\u00xx` with small letters; numbers that are whole as their digits (`1.0` as `1`),
/// others as the shortest digits that read back as the same double, one of them before the point, followed
/// by `e` and the exponent (`1.5e-3`). Of the SHA-256 of that the first eight bytes count, as a number, the
/// highest byte first: `{"_id":"+14155550100","a":1}` comes to `985581171e27db81`.
///
/// **What many come to.** The sum of that, modulo 2 to the power of 64, as 16 hexadecimal digits. Documents
/// count whose id is `+` and 5 to 15 digits and whose `pvt_type` is `number` or absent. `GET /v2/changes`
/// tells what each number comes to (`digest`), so that who keeps no whole documents can add that up.
#[utoipa::path(
    get,
    path = "/v2/consistency/digests",
    tag = "changes",
    params(DigestsParameters),
    responses(
        (status = 200, description = "What the numbers come to", body = Answer<DigestsBody>),
        Faults,
    ),
)]
pub(super) async fn get_digests(State(api): State<Api>, call: AdminCall) -> Result<Reply, Fault> {
    let prefix = prefix(&call)?;
    let account = account(&call)?;
    let few = few(&api, &call)?;
    let (sums, account) = match (account, &prefix) {
        (None, None) => {
            let databases = api.service.summed(of_accounts(&call)?).await?;
            let service = api.service.clone();
            return Ok(Reply::streamed(move |_| databases_of(service, databases)));
        }
        (Some(account), prefix) => {
            let sums = api.service.sums_of_account(account.clone(), prefix.as_ref(), few).await?;
            (sums, Some(account))
        }
        (None, Some(prefix)) => (api.service.sums_within(prefix, few).await?, None),
    };
    let mut data = shown(&sums);
    if let Some(prefix) = &prefix {
        data["prefix"] = prefix.as_str().into();
    }
    if let Some(account) = &account {
        data["account_id"] = account.as_str().into();
    }
    Ok(Reply::ok(data))
}

fn of_accounts(call: &Call) -> Result<bool, Fault> {
    match call.query.get("of") {
        None | Some("numbers") => Ok(false),
        Some("accounts") => Ok(true),
        Some(other) => Err(Fault::invalid_parameter("of", "must be numbers or accounts", other)),
    }
}

fn prefix(call: &Call) -> Result<Option<Prefix>, Fault> {
    let Some(text) = call.query.get("prefix") else { return Ok(None) };
    // A plus sign that was not escaped is a space.
    let parsed = Prefix::parse(&text.replacen(' ', "+", 1));
    let wrong = "must be `+` and at least four digits";
    parsed.map(Some).map_err(|_| Fault::invalid_parameter("prefix", wrong, text))
}

fn account(call: &Call) -> Result<Option<AccountId>, Fault> {
    let Some(text) = call.query.get("account_id") else { return Ok(None) };
    let parsed = AccountId::parse_any(text);
    let wrong = "must be the id of an account";
    parsed.map(Some).map_err(|_| Fault::invalid_parameter("account_id", wrong, text))
}

fn few(api: &Api, call: &Call) -> Result<usize, Fault> {
    call.query.count("limit", api.limits.page_size, api.limits.page_size_max)
}

fn shown(sums: &RangeSums) -> Value {
    let ranges = sums.ranges.iter().map(
        |(prefix, sum)| json!({ "prefix": prefix, "count": sum.count, "digest": sum.digest() }),
    );
    let numbers = sums
        .numbers
        .iter()
        .map(|(number, sum)| json!({ "number": number.as_str(), "digest": sum.digest() }));
    json!({
        "count": sums.whole.count,
        "digest": sums.whole.digest(),
        "ranges": ranges.collect::<Vec<_>>(),
        "numbers": numbers.collect::<Vec<_>>(),
    })
}

/// The sums of databases as they are made. One that cannot be read breaks the answer off.
fn databases_of(
    service: NumberService,
    databases: Vec<Summed>,
) -> impl Stream<Item = Result<Bytes, Error>> {
    let sums = stream::iter(databases).map(move |database| {
        let service = service.clone();
        async move {
            let sum = service.sum_of(&database).await?;
            Ok(sum.map(|sum| row(&database, sum)))
        }
    });
    let mut is_first = true;
    let rows = sums.buffered(PARALLEL).filter_map(|row| std::future::ready(row.transpose()));
    let rows = rows.map(move |row: Result<Value, Error>| {
        let divider = if std::mem::take(&mut is_first) { "" } else { "," };
        row.map(|row| Bytes::from(format!("{divider}{row}")))
    });
    let logged = rows.inspect(|row| {
        if let Err(error) = row {
            let cause: &(dyn std::error::Error + 'static) = error;
            tracing::error!(error = cause, "a list of digests is broken off");
        }
    });
    let part =
        |text: &'static str| stream::once(async move { Ok(Bytes::from_static(text.as_bytes())) });
    part("{\"databases\":[").chain(logged).chain(part("]}"))
}

fn row(database: &Summed, sum: Sum) -> Value {
    let mut row = json!({
        "database": database.name(), "count": sum.count, "digest": sum.digest(),
    });
    if let Summed::Copies(account) = database {
        row["account_id"] = account.as_str().into();
    }
    row
}
