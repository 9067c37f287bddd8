//! What is wrong with KAZOO's number manager, as far as it is about copies, states and maintenance
//! (sections 1, 3 and 6 of the list of its weak points): each fault by its number, with the tests that
//! fail when it is put into this service.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// How many faults each section has.
const SECTIONS: [(u8, u8); 3] = [(1, 11), (3, 16), (6, 21)];

const FAULTS: &[(&str, &[&str])] = &[
    // A number without its copy, or with one too many, after a failure in between.
    (
        "1.1",
        &[
            "a_write_that_stops_anywhere_loses_nothing",
            "what_stopped_in_its_middle_can_be_done_again",
            "the_last_owners_copy_goes_before_its_name_is_replaced",
            "a_batch_that_stops_anywhere_says_what_it_did",
            "nobody_forgets_where_a_copy_may_be",
        ],
    ),
    // A number for an account that there is not.
    (
        "1.2",
        &[
            "accounts_that_are_not_there",
            "an_account_without_a_database_has_no_copy_and_holds_nobody_up",
        ],
    ),
    // The last writer wins.
    (
        "1.3",
        &[
            "a_lost_race_writes_nothing",
            "two_creations_of_one_number_do_not_both_succeed",
            "one_of_many_takers_wins",
            "no_member_of_many_writers_is_lost",
        ],
    ),
    // What is changed was read some time ago.
    ("1.4", &["what_others_write_meanwhile_is_read_afresh"]),
    // A conflict is merged over, for as long as there is one.
    ("1.5", &["a_lost_race_is_decided_again_and_not_merged", "who_loses_every_race_is_told_so"]),
    // A copy that could not be written is an error, as if the number were not.
    (
        "1.6",
        &[
            "a_write_that_stops_anywhere_loses_nothing",
            "a_batch_that_stops_anywhere_says_what_it_did",
            "an_account_that_takes_no_writes_gets_its_copy_later",
        ],
    ),
    // Some numbers of a list are in no part of the answer.
    ("1.7", &["what_is_not_there_is_in_the_answer"]),
    // Members that nobody here knows are dropped.
    (
        "1.8",
        &[
            "what_nobody_understands_survives_in_its_order",
            "carrier_data_is_never_lost",
            "what_other_programs_wrote_stays",
        ],
    ),
    // A copy is not repaired by a save that changes nothing.
    (
        "1.9",
        &[
            "saving_what_was_not_changed_repairs_the_copy_and_nothing_else",
            "one_number_is_put_right",
        ],
    ),
    // A copy that names its account is never looked at.
    (
        "1.10",
        &[
            "every_kind_of_drift_is_found_and_repaired",
            "an_account_is_put_right_in_one_pass",
            "copies_without_numbers_go",
        ],
    ),
    // Whoever had a number once is asked at each of its writes. The last owner stays on the number on
    // purpose here: it says where a copy may be that an interrupted write left, and who may take an
    // ageing number back. What must not be is that its database holds anybody up.
    ("1.11", &["a_database_that_cannot_be_read_holds_up_no_save"]),
    // A released number does not go back to who reserved it before.
    (
        "3.1",
        &[
            "a_release_goes_back_along_the_history",
            "whoever_reserved_it_before_has_it_again",
            "a_number_goes_back_to_who_reserved_it",
            "reservations_are_remembered_and_unwound",
        ],
    ),
    // A number that is deleted by its release stays in service; a setting breaks every release.
    (
        "3.2",
        &[
            "settings_say_what_is_left",
            "a_local_number_is_gone",
            "an_unusable_released_state_is_refused_when_it_is_read",
        ],
    ),
    // Nothing follows on `released`.
    ("3.3", &["administrators_alone_end_a_release"]),
    // Features are forgotten here and stay where they were provided.
    (
        "3.4",
        &[
            "a_provider_is_called_when_a_number_goes",
            "what_a_provider_refuses_is_not_stored",
            "a_number_goes_though_its_provider_fails",
            "what_a_number_has_lost_is_told_until_it_is_heard",
        ],
    ),
    // A number stays because nobody here can talk to its carrier.
    (
        "3.5",
        &[
            "numbers_of_every_carrier_can_be_given_up",
            "a_carrier_that_takes_nothing_back_is_no_obstacle",
        ],
    ),
    // Refused transitions say something else than what was asked for.
    (
        "3.6",
        &[
            "numbers_of_mobile_devices_stay_in_service",
            "creating_over_a_stored_number",
            "reserving_a_stored_number",
        ],
    ),
    // A number is deleted and its carrier goes on charging for it.
    (
        "3.7",
        &[
            "what_leaves_our_stock_is_given_back",
            "what_could_not_be_given_back_is_tried_again",
            "a_deletion_that_stops_anywhere_forgets_nothing",
        ],
    ),
    // Stock and number contradict each other, and stock is made up.
    (
        "3.8",
        &[
            "stock_that_was_released_is_for_nobody_else",
            "what_was_never_in_stock_does_not_come_into_it",
        ],
    ),
    // A number is bought and recorded nowhere.
    (
        "3.9",
        &[
            "a_number_that_was_bought_and_not_stored_is_bought_once",
            "a_number_that_is_not_sold_is_not_stored",
            "what_was_bought_in_silence_is_stored",
            "what_was_bought_and_not_stored_is_stored",
        ],
    ),
    // Whether it can be paid is asked when it is done.
    ("3.10", &["charges_are_asked_for_and_nothing_is_done", "a_batch_is_asked_about_as_a_whole"]),
    // What is released is still counted.
    ("3.11", &["what_is_released_is_counted_no_more"]),
    // What cannot be looked up is taken for a port.
    ("3.12", &["requests_that_cannot_be_read_are_not_taken_for_none"]),
    // Numbers without a copy stay with an account that is gone.
    (
        "3.13",
        &[
            "an_account_loses_everything_that_it_holds",
            "what_an_account_that_is_gone_holds_is_released",
        ],
    ),
    // Creating a number buys it, or gives it another carrier.
    ("3.14", &["creating_a_number_buys_nothing", "carriers_are_for_administrators"]),
    // It is somebody else's quote.
    ("3.15", &["who_is_to_hold_the_number_pays"]),
    // The state is set past the lifecycle.
    (
        "3.16",
        &[
            "neither_state_nor_owner_changes",
            "a_completed_port_takes_what_is_free_and_nothing_else",
            "only_administrators_complete_a_port",
        ],
    ),
    // One thing that cannot be read ends everything.
    (
        "6.1",
        &[
            "what_cannot_be_read_stays",
            "what_failed_for_a_while_is_no_failure",
            "a_job_of_a_dead_process_goes_on_where_it_was",
        ],
    ),
    // Pages count what is before them.
    ("6.2", &["pages_lose_nothing_while_the_carrier_changes", "all_of_many_pages_go_at_once"]),
    // Pages move while what they show is changed.
    ("6.3", &["all_of_many_pages_go_at_once", "every_number_of_many_pages_is_changed_once"]),
    // An application that cannot be asked uses nothing.
    ("6.4", &["an_account_that_cannot_be_asked_keeps_what_it_has"]),
    // Copies bring back what was deleted, and what is another's.
    ("6.5", &["numbers_are_made_from_copies", "numbers_are_overwritten_only_on_request"]),
    // Stock is copied over copies.
    ("6.6", &["stock_is_no_source"]),
    // The removal of numbers removes something else.
    ("6.7", &["numbers_without_copies_go"]),
    // Removals ask nobody, say nothing, and cannot be taken back.
    (
        "6.8",
        &[
            "nothing_goes_unless_it_is_confirmed",
            "what_was_removed_is_put_back",
            "what_a_look_up_misses_stays",
            "a_removal_is_confirmed_by_its_own_name",
        ],
    ),
    // A purge without an end, which leaves copies.
    (
        "6.9",
        &[
            "a_purge_ends_though_a_document_cannot_be_removed",
            "what_really_is_in_a_state_is_purged_with_its_copies",
        ],
    ),
    // A number that is not there ends everything.
    (
        "6.10",
        &["numbers_that_are_not_there_are_reported", "numbers_are_deleted_as_they_were_typed"],
    ),
    // Whoever tries too often breaks.
    ("6.11", &["what_somebody_keeps_changing_is_reported"]),
    // A whole database at once, and each number by itself.
    (
        "6.12",
        &[
            "pages_are_no_larger_than_was_asked_for",
            "a_job_asks_once_per_page",
            "a_batch_asks_once_per_database",
        ],
    ),
    // A wrong argument is found late, and again and again.
    ("6.13", &["one_number_is_converted", "what_cannot_be_run"]),
    // One database has many names, and each command knows others.
    (
        "6.14",
        &[
            "a_number_database_reads_in_each_of_its_forms",
            "any_other_name_is_refused_by_name",
            "usage_of_a_prefix",
        ],
    ),
    // Numbers are made elsewhere, and what is there is in the way.
    ("6.15", &["numbers_are_made_from_the_first_one_on", "what_is_there_stays_as_it_is"]),
    // A number that two applications claim is used by neither.
    ("6.16", &["what_uses_a_number_is_put_right", "every_scope_goes_through_its_own"]),
    // Failures are told in the words of success.
    ("6.17", &["only_what_is_asked_for_is_copied", "numbers_are_made_from_copies"]),
    // One after the other, whatever the settings say.
    ("6.18", &["databases_are_gone_through_side_by_side"]),
    // An address is written where nobody reads it.
    ("6.19", &["a_carriers_address_is_written_where_it_is_read"]),
    // Every row of a table crashes.
    ("6.20", &["every_row_of_a_table_is_done", "rows_about_one_number_are_done_in_their_order"]),
    // What went well the second time has failed.
    ("6.21", &["what_failed_for_a_while_is_no_failure"]),
];

#[test]
fn every_fault_has_its_place() {
    let wanted = SECTIONS.into_iter();
    let wanted =
        wanted.flat_map(|(section, last)| (1..=last).map(move |row| format!("{section}.{row}")));
    let named: Vec<String> = FAULTS.iter().map(|(row, _)| (*row).to_owned()).collect();
    let once: BTreeSet<&String> = named.iter().collect();
    assert_eq!(once.len(), named.len(), "a fault is named twice");
    assert_eq!(wanted.collect::<BTreeSet<_>>(), named.into_iter().collect());
}

#[test]
fn every_test_that_is_named_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut sources, this) = (BTreeMap::new(), root.join(file!()));
    for folder in ["src", "tests"] {
        read(&root.join(folder), &mut sources);
    }
    assert!(sources.remove(&this).is_some(), "{} was not read", this.display());
    for (row, tests) in FAULTS {
        assert!(!tests.is_empty(), "{row} names nothing");
        for test in *tests {
            let function = format!("fn {test}(");
            let is_there = sources.values().any(|source| source.contains(&function));
            assert!(is_there, "{row} names {test}, which is not there");
        }
    }
}

/// Reads every Rust file below a folder.
fn read(folder: &Path, into: &mut BTreeMap<PathBuf, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read(&path, into);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let source = fs::read_to_string(&path).unwrap();
            into.insert(path, source);
        }
    }
}
