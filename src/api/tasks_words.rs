//! Bulk work by tables in the words of the document.
#![expect(dead_code, reason = "the types are read by the document's generator only")]

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

/// What can be done by tables, by category and name.
#[derive(ToSchema)]
pub(super) struct ActionsBody {
    #[serde(flatten)]
    categories: BTreeMap<String, BTreeMap<String, ActionBody>>,
}

/// Something that can be done by a table.
#[derive(ToSchema)]
struct ActionBody {
    /// Its name.
    description: String,
    /// What it does.
    doc: String,
    /// `text/csv`, or `none` when it takes no rows.
    expected_content: String,
    /// The columns that it needs, with a value in every row.
    mandatory: Option<Vec<String>>,
    /// The columns that it can be given beside them.
    optional: Option<Vec<String>>,
}

/// A task, alone.
#[derive(ToSchema)]
pub(super) struct TaskBody {
    _read_only: TaskRow,
}

/// A task.
#[derive(ToSchema)]
pub(super) struct TaskRow {
    /// Its id: 30 hexadecimal digits.
    id: String,
    /// The account that it is for; absent for an administrator's.
    account_id: Option<String>,
    /// The account whose rights count; absent for the operator's.
    auth_account_id: Option<String>,
    /// Always `number_management`.
    category: String,
    /// What is done.
    action: String,
    /// The name of the file that was given.
    file_name: Option<String>,
    /// The process that answered.
    node: String,
    /// When it was made, in Gregorian seconds.
    created: i64,
    /// When it began.
    start_timestamp: Option<i64>,
    /// When it ended.
    end_timestamp: Option<i64>,
    /// How many rows there are.
    total_count: Option<u64>,
    /// How many of them went well so far.
    success_count: Option<u64>,
    /// How many of them did not.
    failure_count: Option<u64>,
    /// `pending`, `executing`, `success`, `partial`, `failure`, `stopped` or `internal_error`.
    status: String,
    /// The files that can be fetched: `in.csv`, `out.csv`.
    csvs: Vec<String>,
    /// Whether nothing is written; absent otherwise.
    dry_run: Option<bool>,
    /// The job that it has become, for administrators' eyes.
    job_id: Option<String>,
}

/// Rows as records.
#[derive(ToSchema)]
pub(super) struct TaskRequest {
    data: Option<TaskData>,
}

/// The rows.
#[derive(ToSchema)]
struct TaskData {
    /// By column: texts, numbers or flags.
    records: Option<Vec<Map<String, Value>>>,
    /// The name of the file that they are from.
    file_name: Option<String>,
}

/// Which actions are listed.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct WhichAction {
    /// Only those of this category; `number_management` is all that there is.
    category: Option<String>,
    /// Only this one.
    action: Option<String>,
}

/// What is to be done.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct NewTaskParameters {
    /// `number_management`.
    category: String,
    /// The name of the action.
    action: String,
    /// The name of the file that is sent.
    file_name: Option<String>,
    /// Whether it is only to be tried: the result says what would become of each row.
    dry_run: Option<bool>,
}

/// Which page of tasks.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct TasksParameters {
    /// How many tasks.
    page_size: Option<u64>,
    /// `next_start_key` of the page before.
    start_key: Option<String>,
}

/// Which file, when a table is asked for.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct FileParameters {
    /// `csv` for a table, as `Accept: text/csv`.
    accept: Option<String>,
    /// `out.csv`, which it is unless said otherwise, or `in.csv`.
    csv_name: Option<String>,
}

/// Which task.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct TaskPath {
    /// The task's id.
    task_id: String,
}

/// Which task of which account.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
pub(super) struct AccountTaskPath {
    /// The account's id: 32 characters of `[a-z0-9]`.
    account_id: String,
    /// The task's id.
    task_id: String,
}
