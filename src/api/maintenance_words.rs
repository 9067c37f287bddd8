//! What operations over many numbers are asked and what they answer, as the API's document describes it.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::{features::PermissionsBody, jobs_words::JobBody};

/// What is counted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageParameters {
    /// `+` and at least four digits; everything when absent.
    prefix: Option<String>,
}

/// What an operation is about: one member, or accounts with databases or numbers.
#[derive(ToSchema)]
struct ScopeBody {
    /// All of them.
    all: Option<bool>,
    /// Those in these databases.
    databases: Option<Vec<String>>,
    /// Those that begin so: `+` and at least four digits.
    prefix: Option<String>,
    /// Those of these accounts.
    accounts: Option<Vec<String>>,
    /// These.
    numbers: Option<Vec<String>>,
}

/// What is counted.
#[derive(ToSchema)]
pub(super) struct UsageRequest {
    data: UsageData,
}

/// Which numbers are counted: all, unless said otherwise.
#[derive(ToSchema)]
struct UsageData {
    /// `+` and at least four digits.
    prefix: Option<String>,
    scope: Option<ScopeBody>,
}

/// What an operation is to do.
#[derive(ToSchema)]
pub(super) struct OperationRequest {
    data: OperationData,
}

/// The arguments of the operation, its scope, and the options of every job.
#[derive(ToSchema)]
struct OperationData {
    scope: Option<ScopeBody>,
    /// Whether nothing is written; so it is for a destructive operation that is not confirmed.
    dry_run: Option<bool>,
    /// The operation's name again, for one that removes something.
    confirm: Option<String>,
    /// The most documents of one page.
    page_size: Option<u64>,
    /// How many databases are worked on at once.
    concurrency: Option<u64>,
    /// The pause between two pages of a database, in milliseconds.
    pause_ms: Option<u64>,
}

/// An old command.
#[derive(ToSchema)]
pub(super) struct CommandRequest {
    data: CommandData,
}

/// A command and its arguments, in the old order.
#[derive(ToSchema)]
struct CommandData {
    /// Its name; a module's name may stand in front.
    command: String,
    /// Texts, or lists of them where numbers or prefixes are asked for.
    args: Option<Vec<Value>>,
    /// The command again, for one that removes something; it runs dry otherwise.
    confirm: Option<String>,
    /// Whether nothing is written.
    dry_run: Option<bool>,
    /// The module, if it is named apart.
    module: Option<String>,
}

/// The operations.
#[derive(ToSchema)]
pub(super) struct OperationsBody(Vec<OperationBody>);

/// An operation.
#[derive(ToSchema)]
struct OperationBody {
    /// Its name.
    operation: String,
    /// What is true afterwards.
    meaning: String,
    /// What it takes beside a scope and the options of every job.
    arguments: Vec<ArgumentBody>,
    /// The scopes that it takes.
    scopes: Vec<String>,
    /// Whether it runs dry unless it is confirmed.
    is_destructive: bool,
    /// How the old commands are used.
    commands: Option<Vec<String>>,
}

/// An argument of an operation.
#[derive(ToSchema)]
struct ArgumentBody {
    /// Its name.
    name: String,
    /// `text`, `flag`, `integer` or `list`.
    #[schema(rename = "type")]
    kind: String,
    /// Whether it must be given.
    required: bool,
    /// What it means.
    meaning: String,
}

/// How many numbers each carrier has.
#[derive(ToSchema)]
pub(super) struct UsageBody {
    /// By database, then by carrier.
    databases: BTreeMap<String, BTreeMap<String, u64>>,
    /// By carrier.
    totals: BTreeMap<String, u64>,
}

/// What an old command did or found.
#[derive(ToSchema)]
#[serde(untagged)]
pub(super) enum CommandBody {
    Job(Box<JobBody>),
    Usage(UsageBody),
    Permissions(PermissionsBody),
    Features(FeaturesBody),
    Application(ApplicationBody),
    Gone(GoneBody),
}

/// The features that there are.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct FeaturesBody {
    /// Their names.
    features: Vec<String>,
}

/// What a number is used by.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ApplicationBody {
    /// The application; null for none.
    #[schema(required)]
    app: Option<String>,
}

/// Where to find what an old command did that is no longer there.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct GoneBody {
    /// In words.
    instead: String,
}
