//! Which application numbers are used by, and what else can be out of line.

use serde_json::{Value, json};

use super::{
    ACCOUNT, ACCOUNTS, DATABASES, NUMBERS, Row, account_numbers, accounts, databases, job,
    job_with, numbers, row,
};
use crate::sup::Command;

pub(super) const ROWS: &[Row] = &[
    row("fix_apps_for_account_dbs", &[ACCOUNTS.or_none()], |it| in_accounts(accounts(it, 0))),
    row("fix_apps_for_single_account_db", &[ACCOUNTS], |it| in_accounts(accounts(it, 0))),
    row("fix_numbers_apps_in_accountdb", &[ACCOUNT, NUMBERS], |it| {
        in_accounts(account_numbers(it, 0, 1))
    }),
    row("fix_apps_for_number_dbs", &[DATABASES.or_none()], |it| in_numbers(databases(it, 0))),
    row("fix_apps_for_single_number_db", &[DATABASES], |it| in_numbers(databases(it, 0))),
    row("fix_apps_in_number_dbs_for_accounts", &[ACCOUNTS], |it| in_numbers(accounts(it, 0))),
    row("fix_apps_in_number_dbs_for_single_account", &[ACCOUNTS], |it| in_numbers(accounts(it, 0))),
    row("fix_numbers_apps_in_numbdb", &[NUMBERS], |it| in_numbers(numbers(it, 0))),
    row("fix_account_db_numbers", &[ACCOUNTS], |it| job("fix_account", accounts(it, 0))),
    row("fix_numbers", &[ACCOUNT, NUMBERS], |it| job("fix_account", account_numbers(it, 0, 1))),
    row("fix_number", &[ACCOUNT, NUMBERS], |it| job("fix_account", account_numbers(it, 0, 1))),
];

fn in_accounts(scope: Value) -> Command {
    job_with("fix_apps", scope, json!({ "target": "accounts" }))
}

fn in_numbers(scope: Value) -> Command {
    job_with("fix_apps", scope, json!({ "target": "numbers" }))
}
