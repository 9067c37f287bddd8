//! Looking for numbers to buy.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::{IntoParams, ToSchema};

use crate::{
    domain::{Prefix, calling_code},
    service::{Found, SearchQuery, Searcher},
};

use super::{
    Api,
    envelope::Reply,
    extract::{AccountCall, OpenCall},
    fault::Fault,
    request::Query,
};

/// The country whose numbers are meant when a request does not say.
const COUNTRY: &str = "US";
/// How many digits a prefix has.
const PREFIX: std::ops::RangeInclusive<usize> = 3..=10;

/// What is looked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SearchParameters {
    /// How the numbers begin, 3 to 10 digits without the country's.
    #[param(required = false)]
    prefix: Option<String>,
    /// The most numbers in the answer, at least 1.
    #[param(required = false)]
    quantity: Option<u64>,
    /// How many of the numbers found are passed over; 0 looks anew.
    #[param(required = false)]
    offset: Option<u64>,
    /// The country, as two letters.
    #[param(required = false)]
    country: Option<String>,
}

/// On whose behalf.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ResellerParameter {
    /// The reseller whose carriers are meant.
    #[param(required = false)]
    reseller_id: Option<String>,
}

/// The numbers that were found.
#[derive(ToSchema)]
pub(super) struct SearchBody(Vec<FoundBody>);

/// A number that was found.
#[derive(ToSchema)]
struct FoundBody {
    /// The number, in E.164 form.
    number: String,
    /// `available`, `discovery` or `reserved`.
    state: String,
    /// What its carrier says of it, where it says anything.
    details: Option<DetailsBody>,
}

/// What a carrier says of a number.
#[derive(ToSchema)]
struct DetailsBody {
    /// Where it is, in the carrier's terms.
    locality: Option<BTreeMap<String, String>>,
    /// What it can do, in the carrier's terms.
    features: Option<Vec<String>>,
    /// What the carrier takes for it; for administrators only.
    cost: Option<CostBody>,
}

/// What a carrier takes.
#[derive(ToSchema)]
struct CostBody {
    /// At once.
    upfront: Option<String>,
    /// Every month.
    monthly: Option<String>,
    currency: Option<String>,
}

/// Looks for numbers to buy. Without a token only on behalf of a reseller that allows it.
pub(super) async fn search_openly(api: &Api, call: &OpenCall) -> Result<Reply, Fault> {
    let reseller = call.query.get("reseller_id");
    if call.actor.is_none() && reseller.is_none() {
        return Err(Fault::no_credentials());
    }
    let wanted = read(&call.query)?;
    let searcher = api.service.searcher(call.actor.as_ref(), None, reseller).await?;
    let is_admin = call.actor.as_ref().is_some_and(|actor| actor.is_admin);
    search(api, &searcher, &wanted, is_admin).await
}

/// Whether a listing's query asks for numbers to buy instead.
pub(super) fn is_asked(query: &Query) -> bool {
    query.get("prefix").is_some_and(|prefix| !prefix.trim().is_empty())
}

/// Looks for numbers for the account in the path.
pub(super) async fn search_for_account(api: &Api, call: &AccountCall) -> Result<Reply, Fault> {
    let wanted = read(&call.query)?;
    let reseller = call.query.get("reseller_id");
    let searcher = api.service.searcher(Some(&call.actor), Some(&call.account), reseller).await?;
    search(api, &searcher, &wanted, call.actor.is_admin).await
}

async fn search(
    api: &Api,
    searcher: &Searcher,
    wanted: &SearchQuery,
    is_admin: bool,
) -> Result<Reply, Fault> {
    let found = api.service.search(searcher, wanted).await?;
    Ok(Reply::ok(found.into_iter().map(|found| row(found, is_admin)).collect::<Vec<_>>()))
}

fn row(found: Found, is_admin: bool) -> Value {
    let mut row = json!({ "number": found.number.as_str(), "state": found.state.as_str() });
    let mut details = found.details;
    if !is_admin {
        // What the operator pays is not what its customers do.
        details.shift_remove("cost");
    }
    if !details.is_empty() {
        row["details"] = Value::Object(details);
    }
    row
}

/// What is wrong with a query, by parameter.
#[derive(Default)]
struct Wrong(Map<String, Value>);

impl Wrong {
    fn add(&mut self, field: &str, rule: &str, what: Value) {
        let rules = self.0.entry(field).or_insert_with(|| json!({}));
        rules[rule] = what;
    }

    /// Says of a text that it is too short or too long.
    fn check_length(&mut self, field: &str, text: &str, range: std::ops::RangeInclusive<usize>) {
        let length = text.chars().count();
        if length < *range.start() {
            let least = range.start();
            let message = format!("String must be at least {least} characters");
            self.add(
                field,
                "minLength",
                json!({ "message": message, "target": least, "value": text }),
            );
        }
        if length > *range.end() {
            let most = range.end();
            let message = format!("String must not be more than {most} characters");
            self.add(
                field,
                "maxLength",
                json!({ "message": message, "target": most, "value": text }),
            );
        }
    }

    /// A whole number that is at least `least`.
    fn whole(&mut self, query: &Query, field: &str, least: i64, default: i64) -> usize {
        let Some(text) = query.get(field) else {
            return usize::try_from(default).unwrap_or_default();
        };
        match text.trim().parse::<i64>() {
            Err(_) => {
                let message = "Value did not match type(s): integer";
                self.add(
                    field,
                    "type",
                    json!({ "message": message, "target": "integer", "value": text }),
                );
            }
            Ok(number) if number < least => {
                let message = format!("Value must be at least {least}");
                self.add(
                    field,
                    "minimum",
                    json!({ "message": message, "target": least, "value": number }),
                );
            }
            Ok(number) => return usize::try_from(number).unwrap_or(usize::MAX),
        }
        0
    }
}

/// Reads what is looked for; says all that is wrong at once.
fn read(query: &Query) -> Result<SearchQuery, Fault> {
    let mut wrong = Wrong::default();
    let quantity = wrong.whole(query, "quantity", 1, 1);
    let offset = wrong.whole(query, "offset", 0, 0);
    let country = query.get("country").unwrap_or(COUNTRY);
    wrong.check_length("country", country, 2..=2);
    let code = calling_code(country);
    if code.is_none() && country.chars().count() == 2 {
        let what = json!({ "message": "No country with numbers of its own", "value": country });
        wrong.add("country", "invalid", what);
    }
    let digits: Option<String> =
        query.get("prefix").map(|text| text.chars().filter(|c| !c.is_whitespace()).collect());
    match &digits {
        None => {
            let message = "Field is required but missing";
            wrong.add("prefix", "required", json!({ "message": message }));
        }
        Some(digits) => {
            wrong.check_length("prefix", digits, PREFIX);
            if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
                let pattern = "^[0-9]+$";
                let message = format!("Failed to match pattern '{pattern}'");
                let what = json!({ "message": message, "target": pattern, "value": digits });
                wrong.add("prefix", "pattern", what);
            }
        }
    }
    if !wrong.0.is_empty() {
        return Err(Fault::invalid_fields(wrong.0));
    }
    let text = format!("{}{}", code.unwrap_or_default(), digits.unwrap_or_default());
    let prefix = Prefix::parse(&text).map_err(|_| Fault::internal())?;
    Ok(SearchQuery { prefix, country: country.to_ascii_uppercase(), quantity, offset })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Result<SearchQuery, Fault> {
        read(&Query::read(&format!("/?{text}").parse().unwrap()))
    }

    #[test]
    fn a_search_is_read_with_its_defaults() {
        let wanted = query("prefix=415").unwrap();
        assert_eq!((wanted.prefix.as_str(), wanted.quantity, wanted.offset), ("+1415", 1, 0));
        let wanted =
            query("prefix=%2030%201%20&country=de&quantity=15&offset=30&blocks=2").unwrap();
        assert_eq!((wanted.prefix.as_str(), wanted.country.as_str()), ("+49301", "DE"));
        assert_eq!((wanted.quantity, wanted.offset), (15, 30));
        assert_eq!(
            query("prefix=1234567890&country=FI").unwrap().prefix.as_str(),
            "+3581234567890"
        );
    }

    #[track_caller]
    fn check_refused(text: &str, rules: &[(&str, &str)]) {
        let fault = query(text).unwrap_err();
        assert_eq!((fault.status.as_u16(), &*fault.message), (400, "validation error"));
        let broken: Vec<(&str, &str)> = fault
            .data
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(field, rules)| {
                rules.as_object().unwrap().keys().map(move |rule| (field.as_str(), rule.as_str()))
            })
            .collect();
        assert_eq!(broken, rules, "{text}");
    }

    #[test]
    fn all_that_is_wrong_is_said_at_once() {
        check_refused("", &[("prefix", "required")]);
        check_refused("prefix=41", &[("prefix", "minLength")]);
        check_refused("prefix=4%201", &[("prefix", "minLength")]);
        check_refused("prefix=41555501001", &[("prefix", "maxLength")]);
        check_refused("prefix=41x", &[("prefix", "pattern")]);
        check_refused("prefix=%2B1415", &[("prefix", "pattern")]);
        check_refused("prefix=%D9%A1%D9%A2%D9%A3", &[("prefix", "pattern")]);
        check_refused("prefix=415&country=XX", &[("country", "invalid")]);
        check_refused("prefix=415&country=é1", &[("country", "invalid")]);
        check_refused("prefix=415&quantity=x", &[("quantity", "type")]);
        check_refused("prefix=415&quantity=99999999999999999999", &[("quantity", "type")]);
        check_refused(
            "prefix=a&quantity=0&offset=-1&country=USA",
            &[
                ("quantity", "minimum"),
                ("offset", "minimum"),
                ("country", "maxLength"),
                ("prefix", "minLength"),
                ("prefix", "pattern"),
            ],
        );
    }
}
