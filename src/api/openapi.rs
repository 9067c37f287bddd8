//! The list of routes, and the document that describes them; and the words of maintenance. What is
//! sent is written by `job` and its neighbours.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use axum::Router;
use serde_json::Value;
use utoipa::{IntoParams, Modify, OpenApi, ToSchema, openapi::security};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{
    Api, accounts, charges, classifiers, collection, directory, explain, features, generate,
    health, lists, maintenance, numbers, porting, reconcile, repair, system_config,
    words::ErrorAnswer,
};

/// The document without its routes.
#[derive(OpenApi)]
#[openapi(
    info(
        title = "Number manager",
        description = "Owns the life of every phone number of a telephony platform. Speaks the \
                       `phone_numbers` API of KAZOO, and adds maintenance.",
    ),
    tags(
        (name = "numbers", description = "The numbers of an account"),
        (name = "classifiers", description = "What can be said of a number without reading it"),
        (name = "accounts", description = "Accounts, as far as numbers need them"),
        (name = "features", description = "Which features there are, and who may have them"),
        (name = "settings", description = "What an operator tunes, for administrators"),
        (name = "maintenance", description = "Operations over many numbers, for administrators"),
        (name = "health", description = "The process itself"),
    ),
    // Answers of errors are named by no route of their own, so nothing else would bring it in.
    components(schemas(ErrorAnswer)),
    modifiers(&Tokens),
    security(("auth_token" = []), ("bearer" = [])),
)]
struct Base;

/// Adds how tokens are sent.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let components = document.components.get_or_insert_default();
        let header = security::ApiKey::Header(security::ApiKeyValue::new("X-Auth-Token"));
        components.add_security_scheme("auth_token", security::SecurityScheme::ApiKey(header));
        let bearer = security::Http::new(security::HttpAuthScheme::Bearer);
        components.add_security_scheme("bearer", security::SecurityScheme::Http(bearer));
    }
}

/// Every route.
pub(super) fn routes() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(Base::openapi())
        .routes(routes!(lists::list_numbers))
        .routes(routes!(
            numbers::get_number,
            numbers::create_number,
            numbers::replace_number,
            numbers::merge_number,
            numbers::release_number
        ))
        .routes(routes!(numbers::activate_number))
        .routes(routes!(numbers::reserve_number))
        .routes(routes!(porting::port_number))
        .routes(routes!(porting::bring_in_ported))
        .routes(routes!(repair::identify_number))
        .routes(routes!(repair::fix_numbers))
        .routes(routes!(repair::fix_number))
        .routes(routes!(lists::list_all_numbers))
        .routes(routes!(
            collection::create_numbers,
            collection::replace_numbers,
            collection::merge_numbers,
            collection::release_numbers
        ))
        .routes(routes!(collection::activate_numbers))
        .routes(routes!(charges::get_quantities))
        .routes(routes!(numbers::get_any_number))
        .routes(routes!(directory::check_numbers))
        .routes(routes!(directory::locate_numbers))
        .routes(routes!(directory::get_prefixes))
        .routes(routes!(directory::get_open_prefixes))
        .routes(routes!(reconcile::reconcile_number))
        .routes(routes!(reconcile::reconcile_collection))
        .routes(routes!(explain::explain_number))
        .routes(routes!(explain::explain_any_number))
        .routes(routes!(explain::repair_number))
        .routes(routes!(classifiers::list_classifiers))
        .routes(routes!(classifiers::classify_number))
        .routes(routes!(classifiers::get_carriers_info))
        .routes(routes!(accounts::get_account, accounts::create_account, accounts::update_account))
        .routes(routes!(
            system_config::get_config,
            system_config::replace_config,
            system_config::merge_config
        ))
        .routes(routes!(features::list_features))
        .routes(routes!(features::get_app))
        .routes(routes!(features::get_number_features))
        .routes(routes!(features::add_number_feature, features::remove_number_feature))
        .routes(routes!(features::get_reseller_features))
        .routes(routes!(features::add_reseller_feature, features::remove_reseller_feature))
        .routes(routes!(features::get_system_features))
        .routes(routes!(features::add_system_feature, features::remove_system_feature))
        .routes(routes!(features::reset_system_features))
        .routes(routes!(features::ensure_admin_only_features))
        .routes(routes!(maintenance::list_operations))
        .routes(routes!(maintenance::get_carrier_usage, maintenance::count_carriers))
        .routes(routes!(maintenance::convert_carrier))
        .routes(routes!(generate::generate_numbers))
        .routes(routes!(maintenance::run_command))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
        .routes(routes!(health::metrics))
        .routes(routes!(health::openapi_document))
}

/// The document as it is sent and committed.
pub(super) fn print(document: &utoipa::openapi::OpenApi) -> String {
    let json = document.to_pretty_json();
    json.expect("a document has text keys only, so it can be written") + "\n"
}

/// The document for people. Its files are in the binary and its addresses relative, so it works
/// without the internet and behind a proxy.
pub(super) fn swagger_ui() -> Router {
    let config = Config::from("../openapi.json").validator_url("none").try_it_out_enabled(true);
    SwaggerUi::new("/docs").config(config).into()
}

/// What is counted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageParameters {
    /// `+` and at least four digits; everything when absent.
    prefix: Option<String>,
}

/// Which numbers an operation is about: exactly one member.
#[derive(ToSchema)]
struct ScopeBody {
    /// All of them.
    all: Option<bool>,
    /// Those in these databases.
    databases: Option<Vec<String>>,
    /// Those that begin so.
    prefix: Option<String>,
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

/// A conversion.
#[derive(ToSchema)]
pub(super) struct ConversionRequest {
    data: ConversionData,
}

/// Which numbers get which carrier.
#[derive(ToSchema)]
struct ConversionData {
    /// The carrier that they have, as it is stored; needed unless numbers are named.
    source: Option<String>,
    /// The carrier that they get.
    target: String,
    scope: ScopeBody,
    /// Whether nothing is written.
    dry_run: Option<bool>,
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
    /// What it takes.
    arguments: String,
    /// What it does.
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

/// A finished job.
#[derive(ToSchema)]
pub(super) struct JobBody {
    /// Its id.
    id: String,
    /// What it did.
    operation: String,
    /// `succeeded`, `partial` or `failed`.
    state: String,
    /// As RFC 3339.
    created: String,
    /// As RFC 3339.
    started: String,
    /// As RFC 3339.
    finished: String,
    /// What it was about.
    scope: Value,
    options: JobOptions,
    progress: JobProgress,
    counts: JobCounts,
    /// By database.
    per_database: BTreeMap<String, JobCounts>,
    /// Whether there were more failures than are listed.
    truncated: bool,
    /// The first failures.
    failures: Vec<JobFailure>,
}

/// How a job ran.
#[derive(ToSchema)]
struct JobOptions {
    /// Whether nothing was written.
    dry_run: bool,
}

/// How far a job came.
#[derive(ToSchema)]
struct JobProgress {
    /// Databases that are finished.
    databases_done: u64,
    /// Databases in all.
    databases_total: u64,
}

/// What became of the numbers.
#[derive(ToSchema)]
struct JobCounts {
    /// Looked at.
    read: u64,
    /// Changed.
    changed: u64,
    /// Right already.
    unchanged: u64,
    /// Left out.
    skipped: u64,
    /// Not changed.
    failed: u64,
}

/// A number that was not changed.
#[derive(ToSchema)]
struct JobFailure {
    /// The number.
    id: String,
    /// Its database.
    database: Option<String>,
    /// The error's status.
    code: u16,
    /// The error's id.
    error: String,
    /// The same in words.
    message: String,
}
