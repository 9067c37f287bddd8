//! What every store must do, and what only one of them can.

pub(crate) mod cases;
mod dry_run;
mod sqlite;

use std::{
    future::{Ready, ready},
    sync::Arc,
};

use number_manager::store::{SharedStore, WatchedStore, dry_run::DryRunStore, sqlite::SqliteStore};

use crate::support::couch::{CouchServer, Namespace};

/// Makes a test of each case for one backend. `$open` is a future of a [`SharedStore`] that is
/// empty, and nobody else's, as far as its user can see; and of what must be dropped behind it.
macro_rules! store_conformance {
    ($backend:ident, $open:expr) => {
        mod $backend {
            use super::*;

            store_conformance! { @cases $open;
                a_missing_document_is_missing,
                a_missing_database_is_told_apart_where_it_matters,
                a_document_is_created_updated_and_deleted,
                a_second_create_conflicts,
                a_stale_revision_conflicts,
                a_stale_delete_conflicts,
                a_write_at_a_revision_of_nothing_conflicts,
                a_tombstone_is_read_with_its_members,
                a_deleted_document_can_be_created_again,
                an_update_of_a_deleted_document_conflicts,
                five_workers_with_ten_increments_make_fifty,
                one_of_two_racing_creates_wins,
                odd_ids_are_kept_apart,
                odd_database_names_are_kept_apart,
                members_keep_their_types_and_their_order,
                fractions_keep_every_digit,
                members_of_the_store_are_not_the_bodys,
                what_could_not_be_addressed_is_refused,
                get_many_answers_in_the_order_asked,
                revisions_answer_in_the_order_asked,
                pages_lose_and_repeat_nothing,
                a_page_keeps_to_its_range,
                design_documents_are_in_no_answer,
                a_carrier_is_found_by_its_exact_name,
                a_carrier_is_found_right_after_it_was_written,
                pages_lose_nothing_while_the_carrier_changes,
                what_is_no_string_is_no_carrier,
                carriers_are_counted_within_a_range,
                an_owner_is_found_by_the_exact_text,
                pages_of_an_owner_lose_and_repeat_nothing,
                a_change_of_owner_is_seen_at_once,
                documents_route_what_the_rule_says,
                a_routed_number_is_found_by_its_exact_text,
                a_changed_document_routes_what_it_says_now,
                many_routed_numbers_are_looked_up_at_once,
                databases_are_listed_by_prefix_in_byte_order,
                a_database_can_be_created_again_and_by_many_at_once,
                only_dated_databases_can_be_dropped,
                a_dropped_database_comes_back_empty,
                changes_name_each_document_once_with_its_latest_revision,
                pages_of_changes_lose_and_repeat_nothing,
                a_feed_without_news_stays_where_it_is,
                a_feed_goes_on_where_it_was,
                every_write_changes_the_version_of_its_database,
                versions_of_many_are_those_of_each,
                checkpoints_are_kept_per_database,
                a_set_ends_at_the_first_write_that_fails,
                a_set_is_applied_in_order,
                a_set_over_two_databases_is_applied_whole,
                many_sets_answer_one_by_one,
                three_hundred_sets_are_all_applied,
                a_write_that_is_asked_for_again_is_made_once,
                a_write_without_a_stamp_is_never_taken_for_another,
                migrating_twice_changes_nothing_the_second_time,
                a_store_that_is_there_answers_a_ping,
            }
        }
    };
    (@cases $open:expr; $($case:ident,)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                // The members of a tuple are dropped in order.
                let opened: (SharedStore, _) = $open.await;
                cases::$case(&*opened.0).await;
            }
        )*
    };
}

store_conformance!(embedded, embedded_store());
store_conformance!(watched, watched_store());
store_conformance!(rehearsal, rehearsal_over(embedded_store()));
store_conformance!(couchdb, couchdb_store());
store_conformance!(rehearsal_over_couchdb, rehearsal_over(couchdb_store()));

fn embedded_store() -> Ready<(SharedStore, ())> {
    ready((Arc::new(SqliteStore::in_memory().unwrap()), ()))
}

fn watched_store() -> Ready<(SharedStore, ())> {
    ready((WatchedStore::over(Arc::new(SqliteStore::in_memory().unwrap())).0, ()))
}

async fn couchdb_store() -> (SharedStore, Namespace) {
    let namespace = CouchServer::namespace();
    (Arc::new(namespace.store().await), namespace)
}

async fn rehearsal_over<G>(below: impl Future<Output = (SharedStore, G)>) -> (SharedStore, G) {
    let (below, guard) = below.await;
    (Arc::new(DryRunStore::new(below)), guard)
}
