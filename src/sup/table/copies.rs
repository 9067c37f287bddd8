//! Copies from account databases to number databases and back.

use serde_json::json;

use super::{
    ACCOUNT, ACCOUNTS, DATABASES, NUMBERS, Row, account_numbers, accounts, databases, job,
    job_with, numbers, row,
};

const TO_NUMBERS: &str = "copy_to_number_databases";
const TO_ACCOUNTS: &str = "copy_to_accounts";

pub(super) const ROWS: &[Row] = &[
    row("copy_accounts_to_number_dbs", &[ACCOUNTS.or_none()], |it| {
        job(TO_NUMBERS, accounts(it, 0))
    }),
    row("copy_single_account_to_number_dbs", &[ACCOUNTS], |it| job(TO_NUMBERS, accounts(it, 0))),
    row("copy_numbers_from_accountdb_to_numbdbs", &[ACCOUNT, NUMBERS], |it| {
        job(TO_NUMBERS, account_numbers(it, 0, 1))
    }),
    row("copy_number_from_accountdb_to_numbdb", &[ACCOUNT, NUMBERS], |it| {
        job(TO_NUMBERS, account_numbers(it, 0, 1))
    }),
    row("copy_number_dbs_to_accounts", &[DATABASES.or_none()], |it| {
        job(TO_ACCOUNTS, databases(it, 0))
    }),
    row("copy_single_number_db_to_accounts", &[DATABASES], |it| job(TO_ACCOUNTS, databases(it, 0))),
    row("copy_assigned_number_dbs_to_account", &[ACCOUNTS], |it| job(TO_ACCOUNTS, accounts(it, 0))),
    row("copy_single_assigned_number_db_to_account", &[ACCOUNTS, DATABASES], |it| {
        job(TO_ACCOUNTS, json!({ "accounts": it.list(0), "databases": it.list(1) }))
    }),
    row("copy_numbers_from_dbs_to_assigned_accounts", &[NUMBERS], |it| {
        job(TO_ACCOUNTS, numbers(it, 0))
    }),
    row("copy_number_from_db_to_assigned_account", &[NUMBERS], |it| {
        job(TO_ACCOUNTS, numbers(it, 0))
    }),
    row("copy_single_number_to_account_db", &[NUMBERS, ACCOUNT], |it| {
        job_with(TO_ACCOUNTS, account_numbers(it, 1, 0), json!({ "unchecked": true }))
    }),
];
