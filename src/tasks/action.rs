//! What can be done by tables.

use super::columns::{COLUMNS, FEATURES};
use crate::domain::State;

/// The category that all of it belongs to.
pub const CATEGORY: &str = "number_management";

/// Something that can be done by a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Action {
    /// Its name.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub meaning: &'static str,
    pub(super) kind: Kind,
}

/// What an action is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Rows come in, and something is done about each.
    Rows(RowKind),
    /// The numbers of the account; with those of its descendants or without.
    List { below: bool },
    /// All numbers, or those of a state.
    Dump(Option<State>),
}

/// What is done about a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RowKind {
    Import,
    AssignTo,
    Merge,
    Overwrite,
    Release,
    Reserve,
    Delete,
    Find,
    Sync,
}

const fn rows(name: &'static str, meaning: &'static str, kind: RowKind) -> Action {
    Action { name, meaning, kind: Kind::Rows(kind) }
}

const fn dump(name: &'static str, meaning: &'static str, state: Option<State>) -> Action {
    Action { name, meaning, kind: Kind::Dump(state) }
}

/// Every action, by name.
pub const ACTIONS: &[Action] = &[
    rows("assign_to", "Puts numbers in service for other accounts", RowKind::AssignTo),
    rows("delete", "Removes numbers outright, for administrators", RowKind::Delete),
    dump("dump", "Lists all numbers, for administrators", None),
    dump("dump_aging", "Lists the numbers that age", Some(State::Aging)),
    dump("dump_available", "Lists the numbers that are available", Some(State::Available)),
    dump("dump_deleted", "Lists the numbers that are deleted", Some(State::Deleted)),
    dump("dump_discovery", "Lists the numbers that were found", Some(State::Discovery)),
    dump("dump_in_service", "Lists the numbers that are in service", Some(State::InService)),
    dump("dump_port_in", "Lists the numbers that are ported in", Some(State::PortIn)),
    dump("dump_port_out", "Lists the numbers that were ported out", Some(State::PortOut)),
    dump("dump_released", "Lists the numbers that are released", Some(State::Released)),
    dump("dump_reserved", "Lists the numbers that are reserved", Some(State::Reserved)),
    rows("find", "Looks numbers up", RowKind::Find),
    rows("import", "Creates numbers, with what is to be written on them", RowKind::Import),
    Action {
        name: "list",
        meaning: "Lists the numbers of the account",
        kind: Kind::List { below: false },
    },
    Action {
        name: "list_all",
        meaning: "Lists the numbers of the account and of all accounts below it",
        kind: Kind::List { below: true },
    },
    rows("release", "Gives numbers up", RowKind::Release),
    rows("reserve", "Reserves numbers that are stored", RowKind::Reserve),
    rows(
        "sync",
        "Asks the carriers of numbers what they are there, for administrators",
        RowKind::Sync,
    ),
    rows("update_merge", "Writes the cells that are not empty on numbers", RowKind::Merge),
    rows("update_overwrite", "Writes the cells on numbers, and nothing else", RowKind::Overwrite),
];

/// The action of that name.
#[must_use]
pub fn action(name: &str) -> Option<&'static Action> {
    ACTIONS.iter().find(|action| action.name == name)
}

impl Action {
    /// Whether rows come in.
    #[must_use]
    pub fn takes_rows(&self) -> bool {
        matches!(self.kind, Kind::Rows(_))
    }

    /// The columns that it must be given, with a value in every row.
    #[must_use]
    pub fn mandatory(&self) -> &'static [&'static str] {
        if self.takes_rows() { &COLUMNS[..1] } else { &[] }
    }

    /// The columns that it can be given beside them.
    #[must_use]
    pub fn optional(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Rows(RowKind::Import) => COLUMNS[1..].to_vec(),
            Kind::Rows(RowKind::AssignTo | RowKind::Reserve) => vec!["account_id"],
            Kind::Rows(RowKind::Merge | RowKind::Overwrite) => {
                ["carrier_name"].into_iter().chain(COLUMNS[FEATURES..].iter().copied()).collect()
            }
            Kind::Rows(RowKind::Find | RowKind::Release | RowKind::Delete | RowKind::Sync)
            | Kind::List { .. }
            | Kind::Dump(_) => Vec::new(),
        }
    }
}
