//! Who wrote numbers, and how: an entry for each write, in databases by the month, which expire by being
//! dropped.
//!
//! The entry is the first write of the set that stores the number, so whatever was stored has one. Where
//! it turns out that nothing was, the entry is struck out again. Where a process died in between, it
//! stays; which write a number had when the next one was decided is in the next entry, so reading tells
//! which ones happened.

mod entry;
mod noting;
mod origin;
mod reading;

pub(super) use self::{entry::Ground, noting::Trail};
pub use self::{
    entry::{Entry, Side},
    origin::{Caller, Origin},
    reading::{History, HistoryKey},
};

/// What the names of the databases begin with; the month follows.
pub(super) const DATABASES: &str = "number_manager_history-";
