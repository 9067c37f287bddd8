//! Bulk work by tables, as the platform's users know it: rows of numbers come in, rows of numbers go out.
//!
//! Read in this order: `action` (what can be done), `columns` (the columns, and what they are of a number),
//! `reader` (reading a table), `intake` (taking one in), `desk` (where tasks are asked for and looked at),
//! `operation` (the job that a task becomes: `rows` for tables that come in, `lists` for those that are
//! made), `output` (the tables that go out).

mod action;
mod columns;
mod config;
mod desk;
mod error;
mod intake;
mod lists;
mod operation;
mod output;
mod reader;
mod rows;

pub use self::{
    action::{ACTIONS, Action, CATEGORY, action},
    config::TasksConfig,
    desk::{NewTask, TaskView, Tasks},
    error::TaskError,
    operation::OPERATIONS,
    output::{File, FileLine},
    reader::{Malformed, Row, RowReader},
};
pub use crate::repository::Task;
