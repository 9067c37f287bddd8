//! The old commands: one table from a command and its arguments to an operation.

use serde_json::{Map, Value, json};

use crate::service::FeatureListKind;

use super::{
    fault::Fault,
    sup_features::{FeatureCommand, Subject},
};

/// The modules whose names may stand in front of a command.
const MODULES: &[&str] = &["kazoo_numbers_maintenance", "kazoo_number_manager_maintenance"];

/// What an old command asks for.
#[derive(Clone, Debug)]
pub(super) enum Command {
    /// To count numbers by carrier; everywhere when there are no prefixes.
    Usage {
        /// The databases or prefixes.
        prefixes: Option<Vec<String>>,
    },
    /// To show or change which features are allowed.
    Features(FeatureCommand),
    /// A job.
    Job {
        /// The operation.
        operation: &'static str,
        /// Its arguments and its scope.
        members: Map<String, Value>,
    },
}

/// An old command with that many arguments.
struct OldCommand {
    name: &'static str,
    usage: &'static str,
    arity: usize,
    means: fn(&[Argument]) -> Result<Command, Fault>,
}

/// Every command.
const COMMANDS: &[OldCommand] = &[
    OldCommand {
        name: "carrier_module_usage",
        usage: "carrier_module_usage [PREFIX]",
        arity: 0,
        means: |_| Ok(Command::Usage { prefixes: None }),
    },
    OldCommand {
        name: "carrier_module_usage",
        usage: "carrier_module_usage [PREFIX]",
        arity: 1,
        means: |args| Ok(Command::Usage { prefixes: Some(args[0].texts()) }),
    },
    OldCommand {
        name: "convert_carrier_module",
        usage: "convert_carrier_module SOURCE TARGET [PREFIX]",
        arity: 2,
        means: |args| {
            let (source, target) = (args[0].text()?, args[1].text()?);
            let scope = json!({ "all": true });
            Ok(job(
                "convert_carrier",
                json!({ "source": source, "target": target, "scope": scope }),
            ))
        },
    },
    OldCommand {
        name: "convert_carrier_module",
        usage: "convert_carrier_module SOURCE TARGET [PREFIX]",
        arity: 3,
        means: |args| {
            let (source, target) = (args[0].text()?, args[1].text()?);
            let scope = json!({ "databases": args[2].texts() });
            Ok(job(
                "convert_carrier",
                json!({ "source": source, "target": target, "scope": scope }),
            ))
        },
    },
    OldCommand {
        name: "convert_carrier_module_number",
        usage: "convert_carrier_module_number NUMBER TARGET",
        arity: 2,
        means: |args| {
            let scope = json!({ "numbers": args[0].texts() });
            Ok(job("convert_carrier", json!({ "target": args[1].text()?, "scope": scope })))
        },
    },
    OldCommand {
        name: "generate_numbers",
        usage: "generate_numbers TYPE ACCOUNT START QUANTITY",
        arity: 4,
        means: |args| {
            let [kind, account, start] = [args[0].text()?, args[1].text()?, args[2].text()?];
            let quantity = args[3].text()?;
            let wrong = || Fault::wrong_type("args", "integer", &quantity.as_str().into());
            let count: i64 = quantity.parse().map_err(|_| wrong())?;
            let members =
                json!({ "type": kind, "account": account, "start": start, "quantity": count });
            Ok(job("generate_numbers", members))
        },
    },
    OldCommand {
        name: "all_features",
        usage: "all_features",
        arity: 0,
        means: |_| Ok(Command::Features(FeatureCommand::All)),
    },
    OldCommand {
        name: "app_using",
        usage: "app_using NUMBER ACCOUNT",
        arity: 2,
        means: |args| {
            let (number, account) = (args[0].text()?, args[1].text()?);
            Ok(Command::Features(FeatureCommand::AppUsing(number, account)))
        },
    },
    OldCommand {
        name: "feature_permissions_on_number",
        usage: "feature_permissions_on_number NUMBER",
        arity: 1,
        means: |args| Ok(show(Subject::Number(args[0].text()?))),
    },
    OldCommand {
        name: "feature_permissions_on_reseller_of",
        usage: "feature_permissions_on_reseller_of ACCOUNT",
        arity: 1,
        means: |args| Ok(show(Subject::ResellerOf(args[0].text()?))),
    },
    OldCommand {
        name: "feature_permissions_on_system_config",
        usage: "feature_permissions_on_system_config",
        arity: 0,
        means: |_| Ok(show(Subject::System)),
    },
    OldCommand {
        name: "add_allowed_feature_on_number",
        usage: "add_allowed_feature_on_number FEATURE NUMBER",
        arity: 2,
        means: |args| {
            change(Subject::Number(args[1].text()?), FeatureListKind::Allowed, true, &args[0])
        },
    },
    OldCommand {
        name: "add_allowed_feature_on_reseller_of",
        usage: "add_allowed_feature_on_reseller_of FEATURE ACCOUNT",
        arity: 2,
        means: |args| {
            change(Subject::ResellerOf(args[1].text()?), FeatureListKind::Allowed, true, &args[0])
        },
    },
    OldCommand {
        name: "add_denied_feature_on_number",
        usage: "add_denied_feature_on_number FEATURE NUMBER",
        arity: 2,
        means: |args| {
            change(Subject::Number(args[1].text()?), FeatureListKind::Denied, true, &args[0])
        },
    },
    OldCommand {
        name: "add_denied_feature_on_reseller_of",
        usage: "add_denied_feature_on_reseller_of FEATURE ACCOUNT",
        arity: 2,
        means: |args| {
            change(Subject::ResellerOf(args[1].text()?), FeatureListKind::Denied, true, &args[0])
        },
    },
    OldCommand {
        name: "add_allowed_feature_on_system_config",
        usage: "add_allowed_feature_on_system_config FEATURE",
        arity: 1,
        means: |args| change(Subject::System, FeatureListKind::Allowed, true, &args[0]),
    },
    OldCommand {
        name: "remove_allowed_feature_on_number",
        usage: "remove_allowed_feature_on_number FEATURE NUMBER",
        arity: 2,
        means: |args| {
            change(Subject::Number(args[1].text()?), FeatureListKind::Allowed, false, &args[0])
        },
    },
    OldCommand {
        name: "remove_allowed_feature_on_reseller_of",
        usage: "remove_allowed_feature_on_reseller_of FEATURE ACCOUNT",
        arity: 2,
        means: |args| {
            change(Subject::ResellerOf(args[1].text()?), FeatureListKind::Allowed, false, &args[0])
        },
    },
    OldCommand {
        name: "remove_denied_feature_on_number",
        usage: "remove_denied_feature_on_number FEATURE NUMBER",
        arity: 2,
        means: |args| {
            change(Subject::Number(args[1].text()?), FeatureListKind::Denied, false, &args[0])
        },
    },
    OldCommand {
        name: "remove_denied_feature_on_reseller_of",
        usage: "remove_denied_feature_on_reseller_of FEATURE ACCOUNT",
        arity: 2,
        means: |args| {
            change(Subject::ResellerOf(args[1].text()?), FeatureListKind::Denied, false, &args[0])
        },
    },
    OldCommand {
        name: "remove_allowed_feature_on_system_config",
        usage: "remove_allowed_feature_on_system_config FEATURE",
        arity: 1,
        means: |args| change(Subject::System, FeatureListKind::Allowed, false, &args[0]),
    },
    OldCommand {
        name: "reset_allowed_features_to_defaults_on_system_config",
        usage: "reset_allowed_features_to_defaults_on_system_config",
        arity: 0,
        means: |_| Ok(Command::Features(FeatureCommand::Reset)),
    },
    OldCommand {
        name: "ensure_adminonly_features_are_reachable",
        usage: "ensure_adminonly_features_are_reachable",
        arity: 0,
        means: |_| Ok(Command::Features(FeatureCommand::EnsureAdminOnly)),
    },
];

fn job(operation: &'static str, members: Value) -> Command {
    let Value::Object(members) = members else { unreachable!("written as an object in the table") };
    Command::Job { operation, members }
}

fn show(subject: Subject) -> Command {
    Command::Features(FeatureCommand::Show(subject))
}

fn change(
    subject: Subject,
    kind: FeatureListKind,
    add: bool,
    feature: &Argument,
) -> Result<Command, Fault> {
    let feature = feature.text()?;
    Ok(Command::Features(FeatureCommand::Change { subject, kind, add, feature }))
}

/// An argument: a text, or a list of them where KAZOO needed a shell.
enum Argument {
    Text(String),
    List(Vec<String>),
}

impl Argument {
    fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Number(number) => Some(Self::Text(number.to_string())),
            Value::Array(list) => {
                let texts = list.iter().map(|value| value.as_str().map(str::to_owned));
                texts.collect::<Option<_>>().map(Self::List)
            }
            _ => None,
        }
    }

    fn text(&self) -> Result<String, Fault> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::List(list) => Err(Fault::wrong_type("args", "string", &list.clone().into())),
        }
    }

    fn texts(&self) -> Vec<String> {
        match self {
            Self::Text(text) => vec![text.clone()],
            Self::List(list) => list.clone(),
        }
    }
}

/// How every command is used.
pub(super) fn usages() -> Vec<&'static str> {
    let mut lines: Vec<&str> = COMMANDS.iter().map(|command| command.usage).collect();
    lines.dedup();
    lines
}

/// Reads a command with its arguments, in the old order, and the name of the command. The options of
/// every job may stand beside it.
pub(super) fn read(data: &Map<String, Value>) -> Result<(&'static str, Command), Fault> {
    let given = data.get("command").and_then(Value::as_str).unwrap_or_default();
    let mut words = given.split_whitespace().peekable();
    words.next_if(|word| MODULES.contains(word));
    if let Some(module) = data.get("module").and_then(Value::as_str)
        && !MODULES.contains(&module)
    {
        return Err(usage(None));
    }
    let name = words.next().unwrap_or_default();
    let mut args: Vec<Argument> = words.map(|word| Argument::Text(word.to_owned())).collect();
    match data.get("args") {
        None | Some(Value::Null) => (),
        Some(Value::Array(list)) => {
            for value in list {
                args.push(Argument::read(value).ok_or_else(|| usage(Some(name)))?);
            }
        }
        Some(other) => return Err(Fault::wrong_type("args", "array", other)),
    }
    let command = COMMANDS.iter().find(|known| known.name == name && known.arity == args.len());
    match command {
        Some(command) => Ok((command.name, with_options((command.means)(&args)?, data))),
        None => Err(usage(Some(name))),
    }
}

/// The members beside a command that it does not read itself.
fn with_options(command: Command, data: &Map<String, Value>) -> Command {
    match command {
        Command::Job { operation, mut members } => {
            let own = ["command", "args", "module"];
            let options = data.iter().filter(|(name, _)| !own.contains(&name.as_str()));
            members.extend(options.map(|(name, value)| (name.clone(), value.clone())));
            Command::Job { operation, members }
        }
        other => other,
    }
}

/// How the commands of that name, or all of them, are used.
fn usage(name: Option<&str>) -> Fault {
    let mut lines = usages();
    if name.is_some_and(|name| COMMANDS.iter().any(|command| command.name == name)) {
        lines = COMMANDS.iter().filter(|known| Some(known.name) == name).map(|c| c.usage).collect();
        lines.dedup();
    }
    let message = format!("usage: {}", lines.join(" | "));
    let what = serde_json::json!({ "message": message, "value": name.unwrap_or_default() });
    Fault::validation("command", "invalid", what)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn check(data: Value, expected: Expect) {
        let data = data.as_object().unwrap();
        let shown = match read(data) {
            Ok((_, Command::Job { operation, members })) => {
                format!("{operation} {}", Value::Object(members))
            }
            Ok((_, command)) => format!("{command:?}"),
            Err(fault) => format!("{} {}", fault.status.as_u16(), fault.data),
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn old_commands_are_read_in_the_old_order() {
        check(json!({"command": "carrier_module_usage"}), expect!["Usage { prefixes: None }"]);
        check(
            json!({"command": "kazoo_numbers_maintenance carrier_module_usage", "args": ["+1555"]}),
            expect![[r#"Usage { prefixes: Some(["+1555"]) }"#]],
        );
        check(
            json!({"command": "convert_carrier_module", "args": ["knm_band", "knm_bandwidth2", "+1415"], "module": "kazoo_number_manager_maintenance"}),
            expect![[
                r#"Convert { source: Some("knm_band"), target: "knm_bandwidth2", scope: Prefixes(["+1415"]), dry_run: false }"#
            ]],
        );
        check(
            json!({"command": "convert_carrier_module", "args": ["a", "b"]}),
            expect![[r#"Convert { source: Some("a"), target: "b", scope: All, dry_run: false }"#]],
        );
        check(
            json!({"command": "convert_carrier_module_number", "args": [["4152266659", "+14155550100"], "b"]}),
            expect![[
                r#"Convert { source: None, target: "b", scope: Numbers(["4152266659", "+14155550100"]), dry_run: false }"#
            ]],
        );
    }

    #[test]
    fn numbers_are_generated_in_the_old_order() {
        check(
            json!({"command": "generate_numbers", "args": ["managed", "a", 2_223_334_000_i64, 5]}),
            expect![[
                r#"Generate(Generation { kind: "managed", account: "a", start: "2223334000", quantity: 5, dry_run: false })"#
            ]],
        );
        check(
            json!({"command": "generate_numbers", "args": ["managed", "a", "2223334000", "x"]}),
            expect![[
                r#"400 {"args":{"type":{"message":"Value did not match type(s): integer","target":"integer","value":"x"}}}"#
            ]],
        );
    }

    #[test]
    fn what_cannot_be_read_answers_how_it_is_used() {
        check(
            json!({"command": "convert_carrier_module", "args": ["a"]}),
            expect![[
                r#"400 {"command":{"invalid":{"message":"usage: convert_carrier_module SOURCE TARGET [PREFIX]","value":"convert_carrier_module"}}}"#
            ]],
        );
        check(
            json!({"command": "drop_everything"}),
            expect![[
                r#"400 {"command":{"invalid":{"message":"usage: carrier_module_usage [PREFIX] | convert_carrier_module SOURCE TARGET [PREFIX] | convert_carrier_module_number NUMBER TARGET | generate_numbers TYPE ACCOUNT START QUANTITY | all_features | app_using NUMBER ACCOUNT | feature_permissions_on_number NUMBER | feature_permissions_on_reseller_of ACCOUNT | feature_permissions_on_system_config | add_allowed_feature_on_number FEATURE NUMBER | add_allowed_feature_on_reseller_of FEATURE ACCOUNT | add_denied_feature_on_number FEATURE NUMBER | add_denied_feature_on_reseller_of FEATURE ACCOUNT | add_allowed_feature_on_system_config FEATURE | remove_allowed_feature_on_number FEATURE NUMBER | remove_allowed_feature_on_reseller_of FEATURE ACCOUNT | remove_denied_feature_on_number FEATURE NUMBER | remove_denied_feature_on_reseller_of FEATURE ACCOUNT | remove_allowed_feature_on_system_config FEATURE | reset_allowed_features_to_defaults_on_system_config | ensure_adminonly_features_are_reachable","value":"drop_everything"}}}"#
            ]],
        );
        check(
            json!({"command": "x", "module": "os"}),
            expect![[
                r#"400 {"command":{"invalid":{"message":"usage: carrier_module_usage [PREFIX] | convert_carrier_module SOURCE TARGET [PREFIX] | convert_carrier_module_number NUMBER TARGET | generate_numbers TYPE ACCOUNT START QUANTITY | all_features | app_using NUMBER ACCOUNT | feature_permissions_on_number NUMBER | feature_permissions_on_reseller_of ACCOUNT | feature_permissions_on_system_config | add_allowed_feature_on_number FEATURE NUMBER | add_allowed_feature_on_reseller_of FEATURE ACCOUNT | add_denied_feature_on_number FEATURE NUMBER | add_denied_feature_on_reseller_of FEATURE ACCOUNT | add_allowed_feature_on_system_config FEATURE | remove_allowed_feature_on_number FEATURE NUMBER | remove_allowed_feature_on_reseller_of FEATURE ACCOUNT | remove_denied_feature_on_number FEATURE NUMBER | remove_denied_feature_on_reseller_of FEATURE ACCOUNT | remove_allowed_feature_on_system_config FEATURE | reset_allowed_features_to_defaults_on_system_config | ensure_adminonly_features_are_reachable","value":""}}}"#
            ]],
        );
    }
}
