//! The list of routes, and the document that describes them.

use axum::Router;
use utoipa::{Modify, OpenApi, openapi::security};
use utoipa_axum::{router::OpenApiRouter, routes};
use utoipa_swagger_ui::{Config, SwaggerUi};

use super::{
    Api, accounts, changes, charges, classifiers, collection, consistency, digests, directory,
    documents, explain, features, health, history, jobs, lists, maintenance, numbers, porting,
    reconcile, repair, system_config, tasks, tokens, webhooks, words::ErrorAnswer,
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
        (name = "jobs", description = "The runs of such operations, for administrators"),
        (name = "changes", description = "What became of numbers, for who keeps copies of its own"),
        (name = "tasks", description = "Bulk work by tables"),
        (name = "tokens", description = "The keys that sign tokens, and tokens that are denied"),
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
        .routes(routes!(documents::get_documents, documents::put_documents))
        .routes(routes!(directory::check_numbers))
        .routes(routes!(directory::locate_numbers))
        .routes(routes!(directory::get_prefixes))
        .routes(routes!(directory::get_open_prefixes))
        .routes(routes!(reconcile::reconcile_number))
        .routes(routes!(reconcile::reconcile_collection))
        .routes(routes!(history::get_history))
        .routes(routes!(history::get_any_history))
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
        .routes(routes!(digests::get_digests))
        .routes(routes!(changes::get_changes))
        .routes(routes!(webhooks::list_webhooks, webhooks::add_webhook))
        .routes(routes!(webhooks::get_webhook, webhooks::change_webhook, webhooks::remove_webhook))
        .routes(routes!(webhooks::replay_webhook))
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
        .routes(routes!(tasks::list_actions, tasks::create_any_task))
        .routes(routes!(tasks::get_any_task, tasks::start_any_task, tasks::remove_any_task))
        .routes(routes!(tasks::stop_any_task))
        .routes(routes!(tasks::get_any_task_input))
        .routes(routes!(tasks::get_any_task_output))
        .routes(routes!(tasks::list_tasks, tasks::create_task))
        .routes(routes!(tasks::get_task, tasks::start_task, tasks::remove_task))
        .routes(routes!(tasks::stop_task))
        .routes(routes!(tasks::get_task_input))
        .routes(routes!(tasks::get_task_output))
        .routes(routes!(tokens::rotate_keys))
        .routes(routes!(tokens::revoke_token))
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
