//! Long work over many numbers: one mechanism for every operation.
//!
//! Read in this order: `operation` (what an operation says of itself), `scope` (which documents a
//! job is about), `runner` (how a job goes through them), `keeper` (the lease of the process that
//! runs it), `replay` (doing a plan, and taking a journal back), `narrator` (the report in words), `desk`
//! (where jobs are asked for, and where those are found that nobody runs).
//!
//! A job goes through *units* (a database, an account, a block of numbers), several side by side, and
//! through each page by page. A page is planned on a store that keeps its writes to itself; what it
//! would write is recorded; then it is written. So a dry run is the same work without the last step,
//! a crash loses nothing and repeats nothing, and what was done can be taken back.

mod config;
mod courtesy;
mod desk;
mod keeper;
mod narrator;
mod operation;
mod replay;
mod request;
mod runner;
mod schedule;
mod scope;
mod walk;

pub use self::{
    config::JobsConfig,
    desk::{Jobs, Lone},
    narrator::{Narration, Narrator},
    operation::{Argument, ArgumentKind, Operation, PageContext, Preparation, UnitReport, Work},
    request::{JobError, JobRequest},
    scope::{BadScope, Form, Over, Scope, Unit},
};
pub use crate::repository::{
    Findings, Job, JobFailure, JobRepository, JobState, JournalPart, RecordedSet, RowResult, Tally,
    Wanted,
};
