//! Lists of numbers: an account's, and all that there are.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequestParts, State},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{AccountId, CarrierName},
    service::{AllQuery, ListQuery, Listing},
};

use super::{
    Api,
    envelope::{EXPIRES, Page, Reply},
    extract::{AccountCall, AdminCall, OpenCall},
    fault::Fault,
    listing::{self, PageSizes},
    lists_words::{ListParameters, ListingBody},
    request::{Call, Query},
    rows::{Form, Rows},
    search::{self, ResellerParameter, SearchBody, SearchParameters},
    shape,
    words::{AccountPath, Answer, Faults, NotModified},
};

/// The type of a table.
const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
/// The name of a table for which the client has none.
const FILE_NAME: &str = "phone_numbers.csv";
/// The longest name of a table, in characters.
const FILE_NAME_MAX: usize = 100;

/// List the numbers that an account holds; with `prefix`, look for numbers to buy.
///
/// With `Accept: text/csv` or `accept=csv` the answer is a table of all of them, or of one page when
/// `page_size` or `start_key` is given. A list without pages and a table are sent while they are
/// read: one that breaks off was not complete.
#[utoipa::path(
    get,
    path = "/v2/accounts/{account_id}/phone_numbers",
    tag = "numbers",
    params(AccountPath, ListParameters, TableParameters, SearchParameters),
    responses(
        (status = 200, description = "A page of numbers, or a table", content(
            (Answer<AccountNumbersBody> = "application/json"),
            (String = "text/csv"),
        )),
        NotModified,
        Faults,
    ),
)]
pub(super) async fn list_numbers(
    State(api): State<Api>,
    call: AccountCall,
) -> Result<Response, Fault> {
    if search::is_asked(&call.query) {
        return Ok(search::search_for_account(&api, &call).await?.into_response());
    }
    let mut query = query(&api, &call)?;
    if call.wants_csv && !is_paged(&call.query) {
        query.page_size = None;
    }
    let service = &api.service;
    let cascade = cascade(&api, &call).await?;
    let version = service.list_version(&call.actor, &call.account, &query).await?;
    let version = format!("{version}-{cascade}");
    let tag = if call.wants_csv { format!("{version}-csv") } else { version };
    if call.knows_tag(&tag) {
        return Ok(Reply::ok(Value::Null).tag(tag).into_response());
    }
    if query.page_size.is_some() && !call.wants_csv {
        return Ok(page_with(&api, &call, query, cascade).await?.tag(tag).into_response());
    }
    let rows = if query.page_size.is_some() {
        let listing = service.list(&call.actor, &call.account, query).await?;
        Rows::of_page(&listing.numbers, listing.ports, cascade)
    } else {
        let (walk, ports) = service.walk(&call.actor, &call.account, query).await?;
        let patience = Duration::from_millis(api.limits.stream_timeout_ms);
        Rows::of_walk(walk, ports, cascade, patience).await?
    };
    if call.wants_csv {
        return table(&call, &tag, rows);
    }
    Ok(Reply::streamed(|pretty| rows.write(Form::Json { pretty })).tag(tag).into_response())
}

/// Reads what list of an account's numbers is asked for.
pub(super) fn query(api: &Api, call: &Call) -> Result<ListQuery, Fault> {
    listing::read(&call.query, page_sizes(api))
}

/// The answer that is a page of an account's numbers.
pub(super) async fn page(api: &Api, call: &AccountCall, query: ListQuery) -> Result<Reply, Fault> {
    let cascade = cascade(api, call).await?;
    page_with(api, call, query, cascade).await
}

async fn page_with(
    api: &Api,
    call: &AccountCall,
    query: ListQuery,
    cascade: u64,
) -> Result<Reply, Fault> {
    let is_paged = query.page_size.is_some();
    let listing = api.service.list(&call.actor, &call.account, query).await?;
    let page = page_of(&listing);
    let rows = Rows::of_page(&listing.numbers, listing.ports, cascade);
    Ok(Reply::ok(rows.data()).page(is_paged.then_some(page)))
}

/// What the account's descendants are billed for. Until it is counted, which takes long for many
/// numbers and goes on without the request, it is 0.
async fn cascade(api: &Api, call: &AccountCall) -> Result<u64, Fault> {
    let (service, account) = (api.service.clone(), call.account.clone());
    let counting = tokio::spawn(async move { service.cascade_quantity(&account).await });
    let patience = Duration::from_millis(api.limits.cascade_timeout_ms);
    match tokio::time::timeout(patience, counting).await {
        Ok(Ok(counted)) => Ok(counted?),
        Ok(Err(_)) => Err(Fault::internal()),
        Err(_) => Ok(0),
    }
}

/// List all numbers, or look for numbers to buy.
///
/// With a filter, or the page of a list, an administrator lists what there is. Everything else is a
/// search, which needs no token on behalf of a reseller that allows it.
#[utoipa::path(
    get,
    path = "/v2/phone_numbers",
    tag = "numbers",
    params(ListParameters, AllParameters, SearchParameters, ResellerParameter),
    responses(
        (status = 200, description = "A page of numbers", body = Answer<AllBody>),
        Faults,
    ),
    security((), ("auth_token" = []), ("bearer" = [])),
)]
pub(super) async fn list_all_numbers(
    State(api): State<Api>,
    mut parts: Parts,
) -> Result<Reply, Fault> {
    // The query is no part of the path that the router was given.
    let call = parts.extensions.get::<Arc<Call>>().ok_or_else(Fault::internal)?;
    if !is_list(&call.query) {
        let call = OpenCall::from_request_parts(&mut parts, &api).await?;
        return search::search_openly(&api, &call).await;
    }
    let call = AdminCall::from_request_parts(&mut parts, &api).await?;
    let listing = api.service.list_all(&call.actor, read_all(&api, &call.query)?).await?;
    let page = page_of(&listing);
    let mut numbers = Map::with_capacity(listing.numbers.len());
    for view in &listing.numbers {
        let mut row = shape::row(view);
        row.insert("carrier".to_owned(), view.number.carrier.as_str().into());
        numbers.insert(view.number.id.to_string(), Value::Object(row));
    }
    let mut data = Map::new();
    data.insert("numbers".to_owned(), Value::Object(numbers));
    Ok(Reply::ok(data).page(Some(page)))
}

/// Whether a request without an account asks for a list: it filters, or it names no prefix and asks
/// for a page.
fn is_list(query: &Query) -> bool {
    let is_filter = |(name, _): &(String, String)| name.starts_with("filter_");
    query.0.iter().any(is_filter) || is_paged(query) && !search::is_asked(query)
}

fn is_paged(query: &Query) -> bool {
    query.get("page_size").is_some() || query.get("start_key").is_some()
}

pub(super) fn page_sizes(api: &Api) -> PageSizes {
    PageSizes { default: api.limits.page_size, max: api.limits.page_size_max }
}

fn page_of(listing: &Listing) -> Page {
    Page {
        rows: listing.numbers.len(),
        start_key: listing.start.as_ref().map(|number| listing::key(number.as_str())),
        next_start_key: listing.next.as_ref().map(|number| listing::key(number.as_str())),
    }
}

/// Reads the parameters of the list of all numbers. There is no end to it, so it has pages always.
fn read_all(api: &Api, query: &Query) -> Result<AllQuery, Fault> {
    let sizes = page_sizes(api);
    let own = |name: &str| matches!(name, "paginate" | "filter_carrier");
    let is_owner = |name: &str| matches!(name, "filter_owner" | "filter_assigned_to");
    let others = query.0.iter().filter(|(name, _)| !own(name) && !is_owner(name));
    let list = listing::read(&Query(others.cloned().collect()), sizes)?;
    let values = |wanted: &dyn Fn(&str) -> bool| {
        let named = query.0.iter().filter(|(name, _)| wanted(name));
        named
            .flat_map(|(name, value)| listing::any_of(value).into_iter().map(move |it| (name, it)))
            .collect::<Vec<_>>()
    };
    let carriers = values(&|name| name == "filter_carrier").into_iter();
    let owners = values(&is_owner).into_iter();
    Ok(AllQuery {
        list,
        carriers: carriers.map(|(name, value)| carrier(name, &value)).collect::<Result<_, _>>()?,
        owners: owners.map(|(name, value)| owner(name, &value)).collect::<Result<_, _>>()?,
    })
}

fn carrier(name: &str, value: &str) -> Result<CarrierName, Fault> {
    let carrier = CarrierName::given(value);
    carrier.ok_or_else(|| Fault::wrong_type(name, "carrier", &value.into()))
}

fn owner(name: &str, value: &str) -> Result<Option<AccountId>, Fault> {
    if value == "none" {
        return Ok(None);
    }
    let account = AccountId::parse_any(value);
    account.map(Some).map_err(|_| Fault::wrong_type(name, "account id", &value.into()))
}

/// The answer that is a table.
fn table(call: &Call, tag: &str, rows: Rows) -> Result<Response, Fault> {
    let name = file_name(call.file_name.as_deref().unwrap_or_default());
    let disposition = format!("attachment; filename=\"{name}\"");
    let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Fault::internal());
    let headers = [
        (header::CONTENT_TYPE, CSV),
        (header::CONTENT_DISPOSITION, value(&disposition)?),
        (header::ETAG, value(&format!("\"{tag}\""))?),
        (header::EXPIRES, EXPIRES),
    ];
    Ok((headers, Body::from_stream(rows.write(Form::Csv))).into_response())
}

/// A name under which nothing but a file in the folder of downloads can be meant.
fn file_name(wanted: &str) -> String {
    let is_plain = |it: &char| it.is_ascii_alphanumeric() || matches!(it, '.' | '-' | '_' | ' ');
    let name: String = wanted.chars().filter(is_plain).take(FILE_NAME_MAX).collect();
    let name = name.trim_matches([' ', '.']);
    if name.is_empty() { FILE_NAME.to_owned() } else { name.to_owned() }
}

/// A page of an account's numbers, or the numbers that a search found.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "read by the document's generator only")]
enum AccountNumbersBody {
    List(ListingBody),
    Search(SearchBody),
}

/// How a table is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct TableParameters {
    /// `csv` for a table.
    accept: Option<String>,
    /// The name of the table's file; the header `X-File-Name` comes first.
    file_name: Option<String>,
    /// Accepted and without effect: long lists are always sent while they are read.
    is_chunked: Option<bool>,
    /// Accepted and without effect.
    chunk_size: Option<u64>,
}

/// Which of all numbers are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, clippy::struct_field_names, reason = "the names are the wire's")]
struct AllParameters {
    /// Only numbers of this carrier, with `knm_` or without, or of one of a JSON array.
    filter_carrier: Option<String>,
    /// Only numbers of this account, of one of a JSON array, or `none` for those of nobody.
    filter_owner: Option<String>,
    /// The same as `filter_owner`.
    filter_assigned_to: Option<String>,
}

/// A page of all numbers, or the numbers that a search found.
#[derive(ToSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "read by the document's generator only")]
enum AllBody {
    List(AllListingBody),
    Search(SearchBody),
}

/// A page of all numbers.
#[derive(ToSchema)]
#[expect(dead_code, reason = "read by the document's generator only")]
struct AllListingBody {
    /// By number: as in an account's list, with the carrier as it is stored.
    numbers: std::collections::BTreeMap<String, Map<String, Value>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_named_so_that_it_stays_where_it_belongs() {
        for (wanted, name) in [
            ("", FILE_NAME),
            ("my numbers.csv", "my numbers.csv"),
            ("../../etc/passwd", "etcpasswd"),
            ("a\"; filename=\"b.exe", "a filenameb.exe"),
            ("a\r\nSet-Cookie: x", "aSet-Cookie x"),
            ("..", FILE_NAME),
            ("ünïcode.csv", "ncode.csv"),
        ] {
            assert_eq!(file_name(wanted), name, "{wanted:?}");
        }
        assert_eq!(file_name(&"x".repeat(1000)).len(), FILE_NAME_MAX);
    }

    #[test]
    fn a_filter_or_a_page_without_a_prefix_is_a_list() {
        let is_list = |query: &str| is_list(&Query::read(&format!("/?{query}").parse().unwrap()));
        assert!(is_list("filter_state=available"));
        assert!(is_list("prefix=415&filter_state=available"));
        assert!(is_list("page_size=10"));
        assert!(!is_list("prefix=415&page_size=10"));
        assert!(!is_list("prefix=415"));
        assert!(!is_list(""));
    }
}
