//! Every old command: a row each, by topic. To add one, write its row.

mod carriers;
mod copies;
mod features;
mod fixes;
mod removals;
mod views;

use serde_json::{Map, Value, json};

use super::{
    Command,
    arguments::{Arguments, Parameter, many, one},
};

const ACCOUNT: Parameter = one("ACCOUNT");
const ACCOUNTS: Parameter = many("ACCOUNT");
const DATABASES: Parameter = many("NUMBERDB");
const NUMBERS: Parameter = many("NUMBER");

/// An old command.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) parameters: &'static [Parameter],
    pub(super) means: fn(&Arguments) -> Command,
}

/// All rows.
pub(super) fn rows() -> impl Iterator<Item = &'static Row> {
    let topics: [&'static [Row]; 6] =
        [carriers::ROWS, views::ROWS, copies::ROWS, fixes::ROWS, removals::ROWS, features::ROWS];
    topics.into_iter().flatten()
}

const fn row(
    name: &'static str,
    parameters: &'static [Parameter],
    means: fn(&Arguments) -> Command,
) -> Row {
    Row { name, parameters, means }
}

impl Row {
    /// Whether the command takes so many arguments.
    pub(super) fn takes(&self, count: usize) -> bool {
        let needed = self.parameters.iter().filter(|it| !it.is_optional).count();
        (needed..=self.parameters.len()).contains(&count)
    }

    /// How it is used, in a line.
    pub(super) fn usage(&self) -> String {
        let mut line = self.name.to_owned();
        for Parameter { name, is_optional, .. } in self.parameters {
            let shown = if *is_optional { format!("[{name}]") } else { (*name).to_owned() };
            line.extend([" ", &shown]);
        }
        line
    }
}

/// A job of an operation without arguments.
fn job(operation: &'static str, scope: Value) -> Command {
    job_with(operation, scope, json!({}))
}

/// A job of an operation; its scope is null where there is none.
fn job_with(operation: &'static str, scope: Value, arguments: Value) -> Command {
    let mut members = match arguments {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    };
    if !scope.is_null() {
        members.insert("scope".to_owned(), scope);
    }
    Command::Job { operation, members, instead: None }
}

/// A job that does something else than the command did.
fn instead(note: &'static str, command: Command) -> Command {
    match command {
        Command::Job { operation, members, .. } => {
            Command::Job { operation, members, instead: Some(note) }
        }
        question @ Command::Question(_) => question,
    }
}

fn all() -> Value {
    json!({ "all": true })
}

/// The scope of an argument, or everything when it was left out.
fn some_or_all(form: &str, given: Option<&[String]>) -> Value {
    given.map_or_else(all, |given| json!({ form: given }))
}

fn databases(given: &Arguments, at: usize) -> Value {
    some_or_all("databases", given.list(at))
}

fn accounts(given: &Arguments, at: usize) -> Value {
    some_or_all("accounts", given.list(at))
}

fn numbers(given: &Arguments, at: usize) -> Value {
    some_or_all("numbers", given.list(at))
}

/// The scope of one account with numbers.
fn account_numbers(given: &Arguments, account: usize, numbers: usize) -> Value {
    json!({ "accounts": [given.text(account)], "numbers": given.list(numbers) })
}
