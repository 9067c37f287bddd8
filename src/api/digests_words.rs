//! What numbers come to, as the API's document describes it.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use utoipa::{IntoParams, ToSchema};

/// What is summed up.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct DigestsParameters {
    /// `numbers` for each database of numbers, `accounts` for the copies in each account's database.
    of: Option<String>,
    /// Only numbers that begin so: `+` and at least four digits.
    prefix: Option<String>,
    /// Only the numbers of which this account holds copies.
    account_id: Option<String>,
    /// Up to how many numbers are shown by themselves; more are shown as ranges.
    limit: Option<u64>,
}

/// What numbers come to: all databases, or the ranges of one or of an account.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum DigestsBody {
    Databases(DatabaseDigests),
    Ranges(RangeDigests),
}

/// What databases come to.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DatabaseDigests {
    databases: Vec<DatabaseDigest>,
}

/// What a database comes to.
#[derive(ToSchema)]
struct DatabaseDigest {
    /// Its name.
    database: String,
    /// The account, where it is one's.
    account_id: Option<String>,
    /// How many documents.
    count: u64,
    /// Their sum.
    digest: String,
}

/// What the numbers of a range come to.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RangeDigests {
    /// What they begin with, as asked for.
    prefix: Option<String>,
    /// The account, as asked for.
    account_id: Option<String>,
    /// How many numbers.
    count: u64,
    /// Their sum.
    digest: String,
    /// By longer prefixes; none when the numbers are shown by themselves.
    ranges: Vec<RangeDigest>,
    /// Each by itself, when there are few of them; else only those that are shorter than the prefixes of
    /// the ranges.
    numbers: Vec<NumberDigest>,
}

/// What a part of a range comes to.
#[derive(ToSchema)]
struct RangeDigest {
    /// What the numbers begin with.
    prefix: String,
    /// How many numbers.
    count: u64,
    /// Their sum.
    digest: String,
}

/// What a number comes to.
#[derive(ToSchema)]
struct NumberDigest {
    /// The number.
    number: String,
    /// What its document comes to.
    digest: String,
}
