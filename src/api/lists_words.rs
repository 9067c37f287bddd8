//! A list of numbers in the words of the document; what is sent is written by `rows`.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use utoipa::{IntoParams, ToSchema};

/// Pages, direction and filters. Beside these, `filter_{path}` and `filter_not_{path}` compare a
/// member of the stored document with a text or with a JSON array of texts.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ListParameters {
    /// How many rows; at least 1.
    page_size: Option<u64>,
    /// Where the page begins: `next_start_key` of the page before, or a number.
    start_key: Option<String>,
    /// Where the list ends.
    end_key: Option<String>,
    /// `false` lists everything in one page.
    paginate: Option<bool>,
    /// Whether the highest number comes first; so it is unless said otherwise.
    descending: Option<bool>,
    /// Whether the lowest number comes first.
    ascending: Option<bool>,
    /// Only numbers in this state, or in one of a JSON array.
    filter_state: Option<String>,
    /// Only numbers with this member.
    has_key: Option<String>,
    /// Only numbers without this member.
    key_missing: Option<String>,
    /// Only numbers whose member is not empty.
    has_value: Option<String>,
    /// Only numbers whose member is absent or empty.
    value_missing: Option<String>,
    /// Only numbers created then or later, in Gregorian seconds.
    created_from: Option<i64>,
    /// Only numbers created then or earlier, in Gregorian seconds.
    created_to: Option<i64>,
    /// Only numbers changed then or later, in Gregorian seconds.
    modified_from: Option<i64>,
    /// Only numbers changed then or earlier, in Gregorian seconds.
    modified_to: Option<i64>,
    /// `false` leaves out the numbers of open port requests, which the first page shows.
    include_ports: Option<bool>,
}

/// A page of numbers.
#[derive(ToSchema)]
pub(super) struct ListingBody {
    /// By number.
    numbers: BTreeMap<String, RowBody>,
    /// How many numbers of descendants are billed to the account.
    cascade_quantity: u64,
}

/// A number in a listing.
#[derive(ToSchema)]
struct RowBody {
    /// Where it stands in its life.
    state: String,
    /// The features in force.
    features: Vec<String>,
    /// Its own list of allowed features.
    features_allowed: Vec<String>,
    /// Its own list of denied features.
    features_denied: Vec<String>,
    /// The features that it may have.
    features_available: Vec<String>,
    /// Its owner.
    assigned_to: Option<String>,
    /// The application that it routes to.
    used_by: Option<String>,
    /// In Gregorian seconds.
    created: i64,
    /// When it was last changed, in Gregorian seconds.
    updated: i64,
    /// The port request that it is known from only.
    port_id: Option<String>,
    /// Where that request stands.
    port_state: Option<String>,
}
