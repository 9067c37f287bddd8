//! A number in the words of the document; what is sent is written by `shape`.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// What stands in for a number that is not stored.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReadParameters {
    /// `false` leaves out the account's open port requests.
    include_ports: Option<bool>,
}

/// How a number is given up.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct ReleaseParameters {
    /// `true` deletes it outright; administrators only.
    hard: Option<bool>,
}

/// What is to be written on a number: these members, and any of the client's own.
#[derive(ToSchema)]
pub(super) struct NumberRequest {
    data: NumberData,
}

/// The members of a number that can be written.
#[derive(ToSchema)]
struct NumberData {
    /// The state in which it is created; in service when absent.
    create_with_state: Option<String>,
    /// The carrier, with `knm_` or without; administrators only.
    carrier_name: Option<String>,
    #[serde(flatten)]
    own: BTreeMap<String, Value>,
}

/// A number.
#[derive(ToSchema)]
pub(super) struct NumberBody {
    /// The number, in E.164 form.
    id: String,
    /// Where it stands in its life.
    state: String,
    /// The application that it routes to.
    used_by: Option<String>,
    /// The features in force.
    features: Vec<String>,
    /// The features that it may have.
    features_available: Vec<String>,
    /// What cannot be written.
    #[schema(rename = "_read_only")]
    read_only: ReadOnly,
    #[serde(flatten)]
    own: BTreeMap<String, Value>,
}

/// What cannot be written on a number.
#[derive(ToSchema)]
struct ReadOnly {
    /// In Gregorian seconds.
    created: i64,
    /// In Gregorian seconds.
    modified: i64,
    /// The carrier, without `knm_`.
    carrier_module: Option<String>,
    /// Where it stands in its life.
    state: String,
    /// The application that it routes to.
    used_by: Option<String>,
    features: ReadOnlyFeatures,
    /// `true` when it is gone; else absent.
    is_deleted: Option<bool>,
    /// `pending` while its copy follows; else absent.
    mirror: Option<String>,
    /// The port request that it is known from only.
    port_id: Option<String>,
    /// Where that request stands.
    port_state: Option<String>,
}

/// The features of a number.
#[derive(ToSchema)]
struct ReadOnlyFeatures {
    /// Those that it may have.
    available: Vec<String>,
    /// The settings of those in force that have any.
    settings: BTreeMap<String, Value>,
}

/// A number as an administrator sees it: the members of a number, and these.
#[derive(ToSchema)]
pub(super) struct NumberRecordBody {
    /// The number, in E.164 form.
    id: String,
    /// Where it stands in its life.
    state: String,
    /// Its owner.
    assigned_to: Option<String>,
    /// Its last different owner.
    previously_assigned_to: Option<String>,
    /// The carrier, as it is stored.
    carrier: String,
    /// The database of its document.
    database: String,
    /// Who reserved it, newest first.
    reserve_history: Vec<String>,
    mirror: MirrorBody,
    #[serde(flatten)]
    own: BTreeMap<String, Value>,
}

/// How the copies of a number stand.
#[derive(ToSchema)]
struct MirrorBody {
    /// Whether they are right.
    synced: bool,
    /// What is wrong: `missing`, `stale`, `extra`, `conflicting`.
    drift: Vec<String>,
}
