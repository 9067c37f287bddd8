//! What was typed, as the members that a request to the service has.

use clap::Args;
use serde_json::{Map, Value, json};

use super::BadArguments;
use crate::jobs::{Job, JobRequest};

/// The members of a request.
pub(super) type Members = Map<String, Value>;

#[derive(Debug, Args)]
pub(super) struct ScopeArgs {
    /// Everything.
    #[arg(long)]
    all: bool,
    /// A database of numbers, as +1415, or a prefix of numbers in one; repeat it for more.
    #[arg(long = "database", value_name = "DATABASE")]
    databases: Vec<String>,
    /// An account; repeat it for more.
    #[arg(long = "account", value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// A number; repeat it for more.
    #[arg(long = "number", value_name = "NUMBER")]
    numbers: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct Options {
    /// Plan and write nothing.
    #[arg(long)]
    dry_run: bool,
    /// The name again, for what removes something; it runs dry otherwise.
    #[arg(long, value_name = "NAME")]
    confirm: Option<String>,
    /// The most documents of one page.
    #[arg(long, value_name = "COUNT")]
    page_size: Option<u64>,
    /// How many databases are worked on at once.
    #[arg(long, value_name = "COUNT")]
    concurrency: Option<u64>,
    /// The pause between two pages of a database, in milliseconds.
    #[arg(long, value_name = "MILLISECONDS")]
    pause_ms: Option<u64>,
}

/// Reads `name=value`.
pub(super) fn parse_argument(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// The members of an operation of that scope. Texts are read by the operation as what they are to be.
pub(super) fn members(
    scope: ScopeArgs,
    arguments: Vec<(String, String)>,
    options: Options,
) -> Members {
    let mut members: Members =
        arguments.into_iter().map(|(name, value)| (name, value.into())).collect();
    if let Some(scope) = scope.value() {
        members.insert("scope".to_owned(), scope);
    }
    members.extend(options.members());
    members
}

/// The members of an old command. An argument with commas is a list.
pub(super) fn command(words: &[String], options: Options) -> Members {
    // Who quotes the command types it as one word.
    let mut words = words.iter().flat_map(|word| word.split_whitespace());
    let mut name = words.next().unwrap_or_default().to_owned();
    let mut args = Vec::new();
    for word in words {
        if args.is_empty() && name.ends_with("_maintenance") {
            name = format!("{name} {word}");
        } else if word.contains(',') {
            args.push(word.split(',').filter(|part| !part.is_empty()).collect());
        } else {
            args.push(Value::from(word));
        }
    }
    let mut members = options.members();
    members.insert("command".to_owned(), name.into());
    members.insert("args".to_owned(), args.into());
    members
}

/// The prefixes that carrier usage is asked for; none for everything.
pub(super) fn prefixes(
    scope: &ScopeArgs,
    arguments: &[(String, String)],
) -> Result<Option<Vec<String>>, BadArguments> {
    let mut prefixes = scope.databases.clone();
    for (name, value) in arguments {
        if name != "prefix" {
            return Err(BadArguments(format!("{name} is no argument of this operation")));
        }
        prefixes.push(value.clone());
    }
    let is_both = scope.all && !prefixes.is_empty();
    if is_both || !scope.accounts.is_empty() || !scope.numbers.is_empty() {
        return Err(BadArguments("scope must be one of all, databases".to_owned()));
    }
    Ok((!prefixes.is_empty()).then_some(prefixes))
}

/// Whether a job does what is asked for, neither more nor less.
pub(super) fn is_same(request: &JobRequest, job: &Job) -> bool {
    let mut arguments = request.members.clone();
    let scope = arguments.shift_remove("scope").unwrap_or_else(|| json!({}));
    for option in ["dry_run", "confirm", "page_size", "concurrency", "pause_ms"] {
        arguments.shift_remove(option);
    }
    // What is typed is text, what is stored was read as what it is to be.
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let is_stored = |(name, value): (&String, &Value)| {
        job.arguments.get(name).is_some_and(|stored| text(stored) == text(value))
    };
    request.operation == job.operation
        && scope == job.scope
        && arguments.len() == job.arguments.len()
        && arguments.iter().all(is_stored)
}

impl ScopeArgs {
    /// The scope; none when nothing was said.
    fn value(self) -> Option<Value> {
        let mut scope = Map::new();
        if self.all {
            scope.insert("all".to_owned(), true.into());
        }
        let lists =
            [("databases", self.databases), ("accounts", self.accounts), ("numbers", self.numbers)];
        for (form, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            scope.insert(form.to_owned(), list.into());
        }
        (!scope.is_empty()).then(|| scope.into())
    }
}

impl Options {
    fn members(self) -> Members {
        let Self { dry_run, confirm, page_size, concurrency, pause_ms } = self;
        let given = [
            ("dry_run", dry_run.then(|| true.into())),
            ("confirm", confirm.map(Value::from)),
            ("page_size", page_size.map(Value::from)),
            ("concurrency", concurrency.map(Value::from)),
            ("pause_ms", pause_ms.map(Value::from)),
        ];
        let given = given.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        given.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_words_and_lists() {
        let options = || Options {
            dry_run: true,
            confirm: None,
            page_size: Some(5),
            concurrency: None,
            pause_ms: None,
        };
        let read = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            Value::Object(command(&words, options()))
        };
        let wanted = json!({
            "dry_run": true, "page_size": 5, "command": "fix_numbers", "args": ["a", ["+1", "+2"]],
        });
        assert_eq!(read(&["fix_numbers", "a", "+1,+2"]), wanted);
        assert_eq!(read(&["fix_numbers a +1,+2"]), wanted);
        let module = read(&["kazoo_numbers_maintenance", "delete", "+1"]);
        assert_eq!(module["command"], "kazoo_numbers_maintenance delete");
        assert_eq!(module["args"], json!(["+1"]));
    }
}
