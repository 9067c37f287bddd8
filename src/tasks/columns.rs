//! The columns, in order, and what they are of a number.

use serde_json::{Map, Value};

use crate::domain::{Number, shielded, unshielded};

/// The columns of every table that goes out. Where rows came in, [`ERROR`] follows.
pub(super) const COLUMNS: [&str; 26] = [
    "e164",
    "account_name",
    "account_id",
    "previously_assigned_to",
    "state",
    "created",
    "modified",
    "used_by",
    "ported_in",
    "carrier_module",
    "cnam.inbound",
    "cnam.outbound",
    "e911.locality",
    "e911.name",
    "e911.region",
    "e911.street_address",
    "e911.extended_address",
    "e911.postal_code",
    "prepend.enabled",
    "prepend.name",
    "prepend.number",
    "ringback.early",
    "ringback.transfer",
    "force_outbound",
    "failover.e164",
    "failover.sip",
];
/// The first column that is written on a number.
pub(super) const FEATURES: usize = 10;
/// The column of what went wrong.
pub(super) const ERROR: &str = "error";
/// The columns that hold yes or no.
const FLAGS: [&str; 4] = ["ported_in", "cnam.inbound", "prepend.enabled", "force_outbound"];
/// What the beginning of a column says that holds any member.
const OPAQUE: &str = "opaque.";
/// Members that are nobody's to write so.
const CLOSED: [&str; 9] = [
    "id",
    "state",
    "used_by",
    "features",
    "features_available",
    "metadata",
    "carrier_name",
    "create_with_state",
    "accept_charges",
];

/// Where the members of a number have another name than their column: the column, and the path.
const RENAMED: [(&str, &str); 3] = [
    ("cnam.inbound", "cnam.inbound_lookup"),
    ("cnam.outbound", "cnam.display_name"),
    ("e911.name", "e911.caller_name"),
];

/// The cells of a row by the names of their columns; empty ones are not given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cells<'a> {
    pub(super) columns: &'a [String],
    pub(super) cells: &'a [String],
}

impl<'a> Cells<'a> {
    /// Those that are given, in order.
    fn given(self) -> impl Iterator<Item = (&'a str, &'a str)> {
        let pairs = self.columns.iter().map(String::as_str).zip(self.cells.iter().map(|it| &**it));
        pairs.filter(|(_, cell)| !cell.trim().is_empty())
    }

    /// The cell of a column, without spaces around it.
    pub(super) fn get(self, column: &str) -> Option<&'a str> {
        self.given().find(|(name, _)| *name == column).map(|(_, cell)| cell.trim())
    }

    /// The public members that the cells ask for, and the columns that hold what no number has.
    pub(super) fn public(self) -> (Map<String, Value>, Vec<String>) {
        let (mut public, mut bad) = (Map::new(), Vec::new());
        for (column, cell) in self.given() {
            let Some(path) = path_of(column) else { continue };
            let path: Vec<&str> = path.split('.').collect();
            let is_closed = |name: &str| {
                name.starts_with('_') || name.starts_with("pvt_") || CLOSED.contains(&name)
            };
            if path.iter().any(|part| part.is_empty())
                || path.first().is_some_and(|it| is_closed(it))
            {
                bad.push(column.to_owned());
                continue;
            }
            let value = if FLAGS.contains(&column) {
                (cell.trim() == "true").into()
            } else {
                text_of(cell).into()
            };
            if !put(&mut public, &path, value) {
                bad.push(column.to_owned());
            }
        }
        (public, bad)
    }

    /// The row in the columns of a table that goes out.
    pub(super) fn shown(self) -> Vec<String> {
        COLUMNS.iter().map(|column| self.get(column).unwrap_or_default().to_owned()).collect()
    }
}

/// The path of the public member that a column holds; none when it holds none.
fn path_of(column: &str) -> Option<&str> {
    if let Some(path) = column.strip_prefix(OPAQUE) {
        return Some(path);
    }
    if !COLUMNS[FEATURES..].contains(&column) {
        return None;
    }
    let renamed = RENAMED.iter().find(|(name, _)| *name == column);
    Some(renamed.map_or(column, |(_, path)| path))
}

/// Puts a value in its place; not where something else is.
fn put(into: &mut Map<String, Value>, path: &[&str], value: Value) -> bool {
    match path {
        [] => false,
        [last] => into.insert((*last).to_owned(), value).is_none(),
        [first, rest @ ..] => {
            let inner = into.entry(*first).or_insert_with(|| Value::Object(Map::new()));
            inner.as_object_mut().is_some_and(|inner| put(inner, rest, value))
        }
    }
}

/// A text without what was put around it for spreadsheets, or by those who quote twice.
fn text_of(cell: &str) -> String {
    let inner = cell.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let unquoted = inner.map(|inner| inner.replace("\"\"", "\""));
    unshielded(unquoted.as_deref().unwrap_or(cell)).to_owned()
}

/// The row of a number. `holder`: the name of the account that has it.
pub(super) fn row_of(number: &Number, holder: Option<&str>) -> Vec<String> {
    COLUMNS.iter().map(|column| cell_of(number, column, holder)).collect()
}

/// The row of a document that is no number.
pub(super) fn row_of_id(id: &str) -> Vec<String> {
    vec![id.to_owned()]
}

fn cell_of(number: &Number, column: &str, holder: Option<&str>) -> String {
    let account = |id: &Option<_>| id.as_ref().map(ToString::to_string).unwrap_or_default();
    let feature = |name: &str, member: &str| {
        let settings = number.features.get(name);
        let value = settings.and_then(|settings| settings.get(member));
        value.and_then(Value::as_str).map(shielded).unwrap_or_default()
    };
    let flag = |says: bool| says.to_string();
    match column {
        "e164" => number.id.to_string(),
        "account_name" => holder.map(shielded).unwrap_or_default(),
        "account_id" => account(&number.owner),
        "previously_assigned_to" => account(&number.previous_owner),
        "state" => number.state.as_str().to_owned(),
        "created" => number.created.to_string(),
        "modified" => number.modified.to_string(),
        "used_by" => number.used_by.as_deref().map(shielded).unwrap_or_default(),
        "ported_in" => flag(number.ported_in),
        "carrier_module" => number.carrier.as_str().to_owned(),
        "cnam.inbound" => flag(number.features.contains_key("inbound_cnam")),
        "cnam.outbound" => feature("outbound_cnam", "display_name"),
        "e911.name" => feature("e911", "caller_name"),
        "prepend.enabled" => {
            let settings = number.features.get("prepend");
            flag(settings.is_some_and(|it| it.get("enabled").is_none_or(says_yes)))
        }
        "force_outbound" => flag(number.features.get("force_outbound").is_some_and(says_yes)),
        other => match other.split_once('.') {
            Some((name, member)) => feature(name, member),
            None => String::new(),
        },
    }
}

fn says_yes(value: &Value) -> bool {
    value.as_bool() == Some(true) || value.as_str() == Some("true")
}
