//! The list of routes, and the document that describes them. The types here are the document's
//! words only; what is sent is written by `shape` and its neighbours.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use axum::Router;
use serde_json::{Map, Value};
use utoipa::{IntoParams, IntoResponses, Modify, OpenApi, ToSchema, openapi::security};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{
    Api, accounts, charges, classifiers, collection, consistency, directory, explain, features,
    health, jobs, lists, maintenance, numbers, porting, reconcile, repair, system_config,
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
        .routes(routes!(maintenance::run_command))
        .routes(routes!(maintenance::run_operation))
        .routes(routes!(consistency::get_consistency))
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::get_job, jobs::delete_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(jobs::pause_job))
        .routes(routes!(jobs::resume_job))
        .routes(routes!(jobs::apply_job))
        .routes(routes!(jobs::revert_job))
        .routes(routes!(jobs::get_plan))
        .routes(routes!(jobs::get_journal))
        .routes(routes!(jobs::follow_job))
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

/// The envelope of an answer that went well.
#[derive(ToSchema)]
pub(super) struct Answer<T> {
    data: T,
    /// Always `success`.
    status: String,
    /// What cannot be written: beside the data of one number.
    metadata: Option<Map<String, Value>>,
    /// How many rows the page has.
    page_size: Option<u64>,
    /// The key of the page's first row.
    start_key: Option<String>,
    /// The key of the next page; absent on the last.
    next_start_key: Option<String>,
    /// The revision of the document that is shown; the `ETag`.
    revision: Option<String>,
    /// The caller's token.
    auth_token: Option<String>,
    /// The request's id.
    request_id: String,
    /// The process that answered.
    node: String,
    /// When, as RFC 3339.
    timestamp: String,
    /// How the rate limit stands.
    tokens: Option<TokensBody>,
    /// The version of the service.
    version: String,
}

/// How the rate limit stands.
#[derive(ToSchema)]
struct TokensBody {
    /// What this request took.
    consumed: u32,
    /// What is left.
    remaining: u32,
}

/// The envelope of an error answer.
#[derive(ToSchema)]
pub(super) struct ErrorAnswer {
    /// What there is to say: a message, the fields that break a rule, or the error of a number.
    data: Value,
    /// Always `error`.
    status: String,
    /// The status, as text.
    error: String,
    /// The error's id.
    message: String,
    /// The request's id.
    request_id: String,
    /// The process that answered.
    node: String,
    /// When, as RFC 3339.
    timestamp: String,
    /// The version of the service.
    version: String,
}

/// The error answers that every operation shares.
#[derive(IntoResponses)]
pub(super) enum Faults {
    /// The request cannot be understood, or breaks a rule.
    #[response(status = 400)]
    Invalid(ErrorAnswer),
    /// There is no usable token.
    #[response(status = 401)]
    Unauthenticated(ErrorAnswer),
    /// What was asked for costs something: `data` lists invoices. Nothing was changed; the same
    /// request with `accept_charges: true` goes through.
    #[response(status = 402)]
    Charges(ErrorAnswer),
    /// The caller may not do that.
    #[response(status = 403)]
    Forbidden(ErrorAnswer),
    /// There is no such account, number or path.
    #[response(status = 404)]
    NotFound(ErrorAnswer),
    /// The path knows other methods; `Allow` lists them.
    #[response(status = 405)]
    Method(ErrorAnswer),
    /// The body did not arrive in time.
    #[response(status = 408)]
    SlowBody(ErrorAnswer),
    /// The number exists already, or was changed by somebody else.
    #[response(status = 409)]
    Conflict(ErrorAnswer),
    /// The document is no longer at the revision that `If-Match` names.
    #[response(status = 412)]
    Precondition(ErrorAnswer),
    /// The body is too large.
    #[response(status = 413)]
    TooLarge(ErrorAnswer),
    /// The body is of a kind that is not read here.
    #[response(status = 415)]
    MediaType(ErrorAnswer),
    /// The token's account is not in use.
    #[response(status = 423)]
    Locked(ErrorAnswer),
    /// The caller asks too often; `Retry-After` says when to come back.
    #[response(status = 429)]
    TooMany(ErrorAnswer),
    /// A carrier or the service failed.
    #[response(status = 500)]
    Internal(ErrorAnswer),
    /// The store cannot be reached, or does not hold what can be read.
    #[response(status = 503)]
    Unavailable(ErrorAnswer),
}

/// The account.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct AccountPath {
    /// The account's id: 32 characters of `[a-z0-9]`.
    account_id: String,
}

/// The account and the number.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct NumberPath {
    /// The account's id: 32 characters of `[a-z0-9]`.
    account_id: String,
    /// The number, in any form that can be dialled.
    number: String,
}

/// The number.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct UnscopedNumberPath {
    /// The number, in any form that can be dialled.
    number: String,
}

/// What the client expects to be stored.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct IfMatch {
    /// The `ETag` of the version that may be written over.
    #[param(rename = "If-Match", required = false)]
    if_match: Option<String>,
}

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

/// What is counted.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct UsageParameters {
    /// `+` and at least four digits; everything when absent.
    prefix: Option<String>,
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

/// Classifiers by name, or what is known of one text.
#[derive(ToSchema)]
pub(super) struct ClassifiersBody {
    #[serde(flatten)]
    members: BTreeMap<String, Value>,
}

/// The carriers.
#[derive(ToSchema)]
pub(super) struct CarriersInfoBody {
    /// The longest prefix that can be searched for, in digits.
    maximal_prefix_length: u8,
    /// The carriers that a number can be given.
    usable_carriers: Vec<String>,
    /// The states in which the caller may create numbers.
    usable_creation_states: Vec<String>,
}

/// An account.
#[derive(ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "the wire says so")]
pub(super) struct AccountBody {
    /// Its id.
    id: String,
    /// Its name.
    name: String,
    /// Whether it is in use.
    enabled: bool,
    /// Whether it may add numbers.
    wnm_allow_additions: bool,
    /// Whether it bills its descendants.
    is_reseller: bool,
    /// Whether it runs the platform.
    superduper_admin: bool,
    /// Its ancestors, root first.
    tree: Vec<String>,
    /// The account above it.
    parent_id: Option<String>,
    /// The account that bills it.
    reseller_id: Option<String>,
}

/// An account to be created, or what is to change.
#[derive(ToSchema)]
pub(super) struct AccountRequest {
    data: AccountData,
}

/// The members of an account that can be written. All but `wnm_allow_additions` only when it is
/// created.
#[derive(ToSchema)]
struct AccountData {
    /// Its name; needed when it is created.
    name: Option<String>,
    /// The account above it; none for a root.
    parent_id: Option<String>,
    /// Whether it bills its descendants.
    is_reseller: Option<bool>,
    /// Whether it may add numbers.
    wnm_allow_additions: Option<bool>,
    /// Whether it is in use; so it is unless said otherwise.
    enabled: Option<bool>,
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

/// How the process is.
#[derive(ToSchema)]
pub(super) struct HealthBody {
    /// `alive`, `ready`, `degraded` or `unavailable`.
    status: String,
    /// Why, when it is not well.
    reason: Option<String>,
}
