//! What removes documents: dry unless it is confirmed by the command's name.

use serde_json::json;

use super::{
    ACCOUNTS, DATABASES, NUMBERS, Row, accounts, all, databases, job, job_with, numbers, row,
};
use crate::sup::{
    Command,
    arguments::{Arguments, Parameter, many},
};

const PREFIXES: Parameter = many("PREFIX");

pub(super) const ROWS: &[Row] = &[
    row("remove_wrong_assigned_from_accounts", &[], |_| job("remove_wrong_assignments", all())),
    row("remove_wrong_assigned_from_single_accountdb", &[ACCOUNTS], |it| {
        job("remove_wrong_assignments", accounts(it, 0))
    }),
    row("destructively_remove_from_number_dbs_if_not_in_accountdb", &[], |_| {
        job("remove_orphan_numbers", all())
    }),
    row("destructively_remove_from_single_numdb_if_not_in_accountdb", &[DATABASES], |it| {
        job("remove_orphan_numbers", databases(it, 0))
    }),
    row("destructively_remove_from_account_db_if_not_in_numdb", &[], |_| {
        job("remove_orphan_mirrors", all())
    }),
    row("destructively_remove_from_single_account_db_if_not_in_numdb", &[ACCOUNTS], |it| {
        job("remove_orphan_mirrors", accounts(it, 0))
    }),
    row("delete", &[NUMBERS], |it| job("delete_numbers", numbers(it, 0))),
    row("purge_discovery", &[PREFIXES.or_none()], |it| purge("discovery", it)),
    row("purge_deleted", &[PREFIXES.or_none()], |it| purge("deleted", it)),
];

fn purge(state: &str, given: &Arguments) -> Command {
    job_with("purge", databases(given, 0), json!({ "state": state }))
}
