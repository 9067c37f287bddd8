//! What there is, for people: operations, and jobs.

use std::fmt::Write;

use crate::{
    jobs::{ArgumentKind, Form, Job, Operation},
    maintenance::OPERATIONS,
    sup,
};

use super::CARRIER_USAGE;

/// How many jobs are listed.
pub(super) const LATEST: usize = 50;

/// Every operation with its meaning, its scopes and its arguments, and every old command.
pub(super) fn operations() -> String {
    let mut text = format!(
        "{CARRIER_USAGE}\n  Counts numbers by carrier, in each database and in total.\n  \
         scope: nothing or --all, --database\n\n"
    );
    for operation in OPERATIONS {
        describe(&mut text, *operation);
    }
    text.push_str("sup COMMAND ARGUMENT …\n  Runs a command of the old console:\n");
    for line in sup::usages() {
        let _ = writeln!(text, "    {line}");
    }
    text
}

fn describe(text: &mut String, operation: &dyn Operation) {
    let _ = writeln!(text, "{}\n  {}", operation.name(), operation.summary());
    let scopes: Vec<&str> = operation.forms().iter().filter_map(|form| flags(*form)).collect();
    if !scopes.is_empty() {
        let _ = writeln!(text, "  scope: {}", scopes.join(", "));
    }
    for argument in operation.arguments() {
        let kind = match argument.kind {
            ArgumentKind::Text => "TEXT",
            ArgumentKind::Flag => "true|false",
            ArgumentKind::Integer => "NUMBER",
        };
        let needed = if argument.required { " (needed)" } else { "" };
        let _ = writeln!(text, "  --set {}={kind}{needed}: {}", argument.name, argument.meaning);
    }
    if operation.is_destructive() {
        let _ = writeln!(text, "  runs dry without --confirm {}", operation.name());
    }
    text.push('\n');
}

/// How a scope is typed; none for no scope at all.
fn flags(form: Form) -> Option<&'static str> {
    match form {
        Form::Nothing => None,
        Form::All => Some("--all"),
        Form::Databases => Some("--database"),
        Form::Accounts => Some("--account"),
        Form::Numbers => Some("--number"),
        Form::AccountsAndDatabases => Some("--account with --database"),
        Form::AccountAndNumbers => Some("one --account with --number"),
    }
}

/// Jobs, a line each.
pub(super) fn jobs(jobs: &[Job]) -> String {
    let mut text = String::new();
    for job in jobs {
        let (state, dry) = (job.state.name(), if job.dry_run { " (dry run)" } else { "" });
        let Job { id, operation, created, .. } = job;
        let _ = writeln!(text, "{id}  {created}  {state:<9}  {operation}{dry}: {}", counts(job));
    }
    text
}

/// What became of the documents of a job so far.
pub(super) fn counts(job: &Job) -> String {
    let mut counts = job.counts;
    counts.add(job.live);
    let (read, changed, unchanged) = (counts.read, counts.changed, counts.unchanged);
    let (skipped, failed) = (counts.skipped, counts.failed);
    format!(
        "{read} read, {changed} changed, {unchanged} unchanged, {skipped} skipped, {failed} failed"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_listed_with_its_arguments() {
        let text = operations();
        for operation in OPERATIONS {
            assert!(text.contains(&format!("\n{}\n  {}", operation.name(), operation.summary())));
            for argument in operation.arguments() {
                assert!(text.contains(&format!("  --set {}=", argument.name)), "{argument:?}");
            }
        }
    }
}
