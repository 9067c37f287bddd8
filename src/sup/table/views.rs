//! Databases, their indexes, and bringing what is stored up to date.

use serde_json::json;

use super::{ACCOUNTS, DATABASES, Row, accounts, all, databases, instead, job, job_with, row};
use crate::sup::{
    Command, Question,
    arguments::{many, one},
};

pub(super) const ROWS: &[Row] = &[
    row("refresh_numbers_dbs", &[], |_| job("refresh_views", all())),
    row("refresh_numbers_db", &[DATABASES], |it| job("refresh_views", databases(it, 0))),
    row("init_dbs", &[], |_| job_with("refresh_views", all(), json!({ "create": true }))),
    row("register_views", &[], |_| {
        let note = "There is no register of views: the indexes come with this program. They are \
                    installed in every database.";
        instead(note, job("refresh_views", all()))
    }),
    row("update_number_services_view", &[ACCOUNTS], |it| {
        let note = "No such view is needed: GET /v2/accounts/{account_id}/phone_numbers/quantities \
                    counts. The account's indexes are installed.";
        instead(note, job("refresh_views", accounts(it, 0)))
    }),
    row("generate_js_classifiers", &[one("FUN")], |_| {
        Command::Question(Question::Gone {
            instead: "No view is made from classifiers, so nothing is generated: \
                      GET /v2/accounts/{account_id}/phone_numbers/classifiers lists them.",
        })
    }),
    row("migrate", &[], |_| job("migrate", all())),
    row("migrate_unassigned_numbers", &[many("NUMBERDB|NUMBER").or_none()], |it| {
        job("migrate_unassigned", databases(it, 0))
    }),
    row("migrate_port_requests", &[], |_| job("migrate_port_requests", all())),
];
