//! The commands of the old console: their names, and their arguments in the old order.
//!
//! `table` has a row for each command, which says what it means here: a job of an operation with a
//! scope, or a question that `report` answers at once. Who asks, over HTTP or on the command line, is
//! not known here.

mod arguments;
mod features;
mod report;
mod table;

use serde_json::{Map, Value};

use arguments::Arguments;
use table::{Row, rows};

pub use features::{FeatureCommand, Subject, shown_permissions};
pub use report::{Question, Refusal, Refused, Report, answer, carrier_usage};

/// The modules whose names may stand in front of a command.
const MODULES: [&str; 2] = ["kazoo_numbers_maintenance", "kazoo_number_manager_maintenance"];
/// The members that a command is made of. All others are options of a job.
const OWN: [&str; 3] = ["command", "args", "module"];

/// A command that was understood.
#[derive(Clone, Debug, PartialEq)]
pub struct Asked {
    /// Its old name, which confirms it when it removes something.
    pub name: &'static str,
    /// What it means.
    pub means: Command,
}

/// What an old command means.
#[derive(Clone, Debug, PartialEq)]
pub enum Command {
    /// To answer at once.
    Question(Question),
    /// To run a job.
    Job {
        /// The operation.
        operation: &'static str,
        /// Its arguments, its scope and the options of every job.
        members: Map<String, Value>,
        /// What is done in place of what the command did; none when it is the same.
        instead: Option<&'static str>,
    },
}

/// Why a command is not understood.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum SupError {
    /// There is none of that name, or not with so many arguments.
    #[error("usage: {}", lines.join(" | "))]
    Usage {
        /// What was given as its name.
        command: String,
        /// How it is used; all commands when there is none of that name.
        lines: Vec<String>,
    },
    /// A member or an argument is not what it must be.
    #[error("{problem}")]
    Wrong {
        /// The member that it stands in.
        member: String,
        /// What is wrong with it.
        problem: String,
        /// What was given.
        value: Box<Value>,
    },
}

/// How every command is used, a line each.
#[must_use]
pub fn usages() -> Vec<String> {
    rows().map(Row::usage).collect()
}

/// Understands a command: `command`, with a module in front or apart (`module`), `args`, and the
/// options of every job.
///
/// # Errors
///
/// [`SupError`], in words.
pub fn read(data: &Map<String, Value>) -> Result<Asked, SupError> {
    let given = data.get("command").and_then(Value::as_str).unwrap_or_default();
    let mut words = given.split([' ', ':', '\t']).filter(|word| !word.is_empty()).peekable();
    words.next_if(|word| MODULES.contains(word));
    let spelled = words.next().unwrap_or_default();
    // The manual writes some as `name/arity`.
    let name = spelled.split('/').next().unwrap_or_default();
    let row = rows().find(|row| row.name == name).ok_or_else(|| unknown(name))?;
    if let Some(module) = data.get("module").filter(|module| !module.is_null())
        && !module.as_str().is_some_and(|module| MODULES.contains(&module))
    {
        return Err(unknown(name));
    }
    let mut args: Vec<Value> = words.map(Value::from).collect();
    match data.get("args") {
        None | Some(Value::Null) => (),
        Some(Value::Array(list)) => args.extend(list.iter().cloned()),
        Some(other) => return Err(wrong("args", "args", "must be a list", other)),
    }
    let is_spelled =
        spelled.split_once('/').is_none_or(|(_, arity)| arity == args.len().to_string());
    if !is_spelled || !row.takes(args.len()) {
        return Err(SupError::Usage { command: name.to_owned(), lines: vec![row.usage()] });
    }
    let mut means = (row.means)(&Arguments::read(row.parameters, &args)?);
    take_options(&mut means, data)?;
    Ok(Asked { name: row.name, means })
}

/// Adds the members beside a command to its job. None may say again what the arguments say, and what
/// is answered at once takes none: it would not be dry though it was asked to be.
fn take_options(means: &mut Command, data: &Map<String, Value>) -> Result<(), SupError> {
    let options = data.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    for (name, value) in options.filter(|(_, value)| !value.is_null()) {
        match means {
            Command::Job { members, .. } if !members.contains_key(name) => {
                members.insert(name.clone(), value.clone());
            }
            Command::Job { .. } => {
                return Err(wrong(name, name, "is said by the arguments already", value));
            }
            Command::Question(_) if *value == Value::Bool(false) => (),
            Command::Question(_) => {
                return Err(wrong(name, name, "is no option of this command", value));
            }
        }
    }
    Ok(())
}

fn unknown(name: &str) -> SupError {
    SupError::Usage { command: name.to_owned(), lines: usages() }
}

fn wrong(member: &str, name: &str, problem: &str, value: &Value) -> SupError {
    let (member, problem) = (member.to_owned(), format!("{name} {problem}"));
    SupError::Wrong { member, problem, value: Box::new(value.clone()) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn parsed(data: Value) -> Result<Asked, SupError> {
        read(data.as_object().unwrap())
    }

    fn line(data: Value) -> String {
        parsed(data).unwrap_err().to_string()
    }

    #[test]
    fn a_command_is_spelled_in_several_ways() {
        let wanted = parsed(json!({"command": "carrier_module_usage", "args": ["+1555"]})).unwrap();
        assert_eq!(wanted.name, "carrier_module_usage");
        for command in [
            "carrier_module_usage +1555",
            "kazoo_numbers_maintenance carrier_module_usage +1555",
            "kazoo_number_manager_maintenance:carrier_module_usage/1 +1555",
        ] {
            assert_eq!(parsed(json!({"command": command})).unwrap(), wanted, "{command}");
        }
        let apart = json!({
            "command": "carrier_module_usage", "args": [["+1555"]],
            "module": "kazoo_numbers_maintenance",
        });
        assert_eq!(parsed(apart).unwrap(), wanted);
    }

    #[test]
    fn options_stand_beside_a_command() {
        let data = json!({
            "command": "delete", "args": [14_155_550_100_i64], "confirm": "delete", "page_size": 5,
            "pause_ms": null,
        });
        let members = json!({
            "scope": {"numbers": ["14155550100"]}, "confirm": "delete", "page_size": 5,
        });
        let Command::Job { operation, members: read, .. } = parsed(data).unwrap().means else {
            panic!("no job");
        };
        assert_eq!((operation, Value::Object(read)), ("delete_numbers", members));
        let again = json!({"command": "delete", "args": ["1"], "scope": {"all": true}});
        assert_eq!(line(again), "scope is said by the arguments already");
        let dry = |flag: bool| json!({"command": "all_features", "dry_run": flag});
        assert_eq!(line(dry(true)), "dry_run is no option of this command");
        assert!(parsed(dry(false)).is_ok());
    }

    #[test]
    fn what_is_not_understood_is_answered_with_its_usage() {
        let convert = "usage: convert_carrier_module SOURCE TARGET [PREFIX]";
        assert_eq!(line(json!({"command": "convert_carrier_module", "args": ["a"]})), convert);
        let many = json!({"command": "convert_carrier_module", "args": ["a", "b", "+1415", "d"]});
        assert_eq!(line(many), convert);
        assert_eq!(
            line(json!({"command": "fix_number/1 a b"})),
            "usage: fix_number ACCOUNT NUMBER"
        );
        let all = format!("usage: {}", usages().join(" | "));
        for data in [
            json!({}),
            json!({"command": ""}),
            json!({"command": "drop_everything"}),
            json!({"command": "os carrier_module_usage"}),
            json!({"command": "carrier_module_usage", "module": "os"}),
            json!({"command": "carrier_module_usage", "module": 1}),
        ] {
            assert_eq!(line(data), all);
        }
    }

    #[test]
    fn an_argument_is_a_text_or_where_many_are_taken_a_list() {
        let not_list = json!({"command": "convert_carrier_module", "args": [["a"], "b"]});
        assert_eq!(line(not_list), "SOURCE must be a text");
        for bad in [json!([]), json!({}), json!([1, {}]), json!(true), json!(null)] {
            let data = json!({"command": "delete", "args": [bad]});
            assert_eq!(line(data), "NUMBER must be a text or a list of texts");
        }
        assert_eq!(line(json!({"command": "delete", "args": "1"})), "args must be a list");
    }
}
