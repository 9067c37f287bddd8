//! Every command of the old console, by its name and with its arguments in the old order.

use std::collections::{BTreeMap, BTreeSet};

use number_manager::{
    jobs::{Form, Scope},
    service::FeatureListKind::{self, Allowed, Denied},
    sup::{self, Command, FeatureCommand, Question, Subject, SupError},
};
use serde_json::{Value, json};

/// The documented commands with their arguments, one per name and number of arguments.
const DOCUMENTED: &str = include_str!("../fixtures/old_commands.txt");
const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
const A_DB: &str = "account%2Faa%2Faa%2Faaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const ONE: &str = "4155550100";
/// The most arguments that any command has, and one more.
const MANY: usize = 5;
const FORMS: &[Form] = &[
    Form::All,
    Form::Databases,
    Form::Accounts,
    Form::Numbers,
    Form::AccountsAndDatabases,
    Form::AccountAndNumbers,
];

/// What an operator types for a documented argument.
fn sample(parameter: &str) -> Value {
    match parameter {
        "PREFIX" => json!("+1415"),
        "SOURCE" => json!("knm_a"),
        "TARGET" => json!("knm_b"),
        "NUMBER" => json!(ONE),
        "NUMBERS" => json!([ONE, "+14155550101"]),
        "ACCOUNT" => json!(A),
        "ACCOUNTS" => json!([A, B]),
        "ACCOUNTDB" => json!(A_DB),
        "NUMBERDB" => json!("numbers%2F%2B1415"),
        "NUMBERDBS" => json!(["+1415", "numbers/+1212"]),
        "FEATURE" => json!("cnam"),
        "TYPE" => json!("managed"),
        "START" => json!("2223334000"),
        "QUANTITY" => json!("5"),
        "FUN" => json!("fun"),
        other => panic!("what is {other}?"),
    }
}

fn ask(command: &str, args: &[Value]) -> Result<sup::Asked, SupError> {
    let data = json!({"command": command, "args": args});
    sup::read(data.as_object().unwrap())
}

/// What a documented line means: the operation with its members, or what is answered at once.
fn meaning(line: &str) -> Value {
    let mut words = line.split_whitespace();
    let name = words.next().unwrap();
    let args: Vec<Value> = words.map(sample).collect();
    let asked = ask(name, &args).unwrap_or_else(|error| panic!("{line}: {error}"));
    assert_eq!(asked.name, name);
    match asked.means {
        Command::Job { operation, members, instead } => {
            if let Some(scope) = members.get("scope") {
                Scope::parse(Some(scope), FORMS).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
            let mut shown = json!({ operation: members });
            if instead.is_some() {
                shown["instead"] = true.into();
            }
            shown
        }
        Command::Question(Question::Usage { prefixes }) => json!({ "usage": prefixes }),
        Command::Question(Question::Gone { instead }) => json!({ "gone": !instead.is_empty() }),
        Command::Question(Question::Features(command)) => shown(&command),
    }
}

fn shown(command: &FeatureCommand) -> Value {
    match command {
        FeatureCommand::All => json!("features"),
        FeatureCommand::AppUsing(number, account) => json!({ "app": [number, account] }),
        FeatureCommand::Show(subject) => json!({ "lists": of(subject) }),
        FeatureCommand::Change { subject, kind, add, feature } => {
            json!({ if *add { "add" } else { "remove" }: [feature, list(*kind), of(subject)] })
        }
        FeatureCommand::Reset => json!("reset"),
        FeatureCommand::EnsureAdminOnly => json!("ensure"),
    }
}

fn list(kind: FeatureListKind) -> &'static str {
    match kind {
        Allowed => "allowed",
        Denied => "denied",
    }
}

fn of(subject: &Subject) -> Value {
    match subject {
        Subject::Number(number) => json!({ "number": number }),
        Subject::ResellerOf(account) => json!({ "reseller_of": account }),
        Subject::System => json!("system"),
    }
}

/// A line's operation, arguments and scope.
fn job(operation: &str, scope: Value, arguments: Value) -> Value {
    let mut members = arguments;
    if !scope.is_null() {
        members["scope"] = scope;
    }
    json!({ operation: members })
}

fn instead(mut job: Value) -> Value {
    job["instead"] = true.into();
    job
}

/// What each documented line is to mean.
#[expect(clippy::too_many_lines, reason = "a table")]
fn wanted() -> Vec<(&'static str, Value)> {
    let all = || json!({"all": true});
    let databases = || json!({"databases": ["numbers%2F%2B1415"]});
    let both_databases = || json!({"databases": ["+1415", "numbers/+1212"]});
    let prefix = || json!({"databases": ["+1415"]});
    let account = || json!({"accounts": [A]});
    let accounts = || json!({"accounts": [A, B]});
    let number = || json!({"numbers": [ONE]});
    let numbers = || json!({"numbers": [ONE, "+14155550101"]});
    let account_number = || json!({"accounts": [A], "numbers": [ONE]});
    let account_numbers = || json!({"accounts": [A], "numbers": [ONE, "+14155550101"]});
    let convert = || json!({"source": "knm_a", "target": "knm_b"});
    let in_accounts = || json!({"target": "accounts"});
    let in_numbers = || json!({"target": "numbers"});
    let purge = |state: &str, scope| job("purge", scope, json!({ "state": state }));
    let to_numbers = |scope| job("copy_to_number_databases", scope, json!({}));
    let to_accounts = |scope| job("copy_to_accounts", scope, json!({}));
    let refresh = |scope| job("refresh_views", scope, json!({}));
    let plain = |operation, scope| job(operation, scope, json!({}));
    let apps_in_accounts = |scope| job("fix_apps", scope, in_accounts());
    let apps_in_numbers = |scope| job("fix_apps", scope, in_numbers());
    let stock = json!({"type": "managed", "account": A, "start": "2223334000", "quantity": "5"});
    let feature = |change: &str, list: &str, of: Value| json!({ change: ["cnam", list, of] });
    let of_number = || json!({"number": ONE});
    let of_reseller = || json!({"reseller_of": A});
    vec![
        ("carrier_module_usage", json!({"usage": null})),
        ("carrier_module_usage PREFIX", json!({"usage": ["+1415"]})),
        ("convert_carrier_module SOURCE TARGET", job("convert_carrier", all(), convert())),
        (
            "convert_carrier_module SOURCE TARGET PREFIX",
            job("convert_carrier", prefix(), convert()),
        ),
        (
            "convert_carrier_module_number NUMBER TARGET",
            job("convert_carrier", number(), json!({"target": "knm_b"})),
        ),
        ("refresh_numbers_dbs", refresh(all())),
        ("refresh_numbers_db NUMBERDB", refresh(databases())),
        ("init_dbs", job("refresh_views", all(), json!({"create": true}))),
        ("register_views", instead(refresh(all()))),
        ("update_number_services_view ACCOUNT", instead(refresh(account()))),
        ("generate_js_classifiers FUN", json!({"gone": true})),
        ("copy_accounts_to_number_dbs", to_numbers(all())),
        ("copy_accounts_to_number_dbs ACCOUNTS", to_numbers(accounts())),
        ("copy_single_account_to_number_dbs ACCOUNT", to_numbers(account())),
        ("copy_numbers_from_accountdb_to_numbdbs ACCOUNT NUMBERS", to_numbers(account_numbers())),
        ("copy_number_from_accountdb_to_numbdb ACCOUNT NUMBER", to_numbers(account_number())),
        ("copy_number_dbs_to_accounts", to_accounts(all())),
        ("copy_number_dbs_to_accounts NUMBERDBS", to_accounts(both_databases())),
        ("copy_single_number_db_to_accounts NUMBERDB", to_accounts(databases())),
        ("copy_assigned_number_dbs_to_account ACCOUNT", to_accounts(account())),
        (
            "copy_single_assigned_number_db_to_account ACCOUNT NUMBERDB",
            to_accounts(json!({"accounts": [A], "databases": ["numbers%2F%2B1415"]})),
        ),
        ("copy_numbers_from_dbs_to_assigned_accounts NUMBERS", to_accounts(numbers())),
        ("copy_number_from_db_to_assigned_account NUMBER", to_accounts(number())),
        (
            "copy_single_number_to_account_db NUMBER ACCOUNT",
            job("copy_to_accounts", account_number(), json!({"unchecked": true})),
        ),
        ("fix_apps_for_account_dbs", apps_in_accounts(all())),
        ("fix_apps_for_account_dbs ACCOUNTS", apps_in_accounts(accounts())),
        ("fix_apps_for_single_account_db ACCOUNT", apps_in_accounts(account())),
        ("fix_numbers_apps_in_accountdb ACCOUNT NUMBERS", apps_in_accounts(account_numbers())),
        ("fix_apps_for_number_dbs", apps_in_numbers(all())),
        ("fix_apps_for_number_dbs NUMBERDBS", apps_in_numbers(both_databases())),
        ("fix_apps_for_single_number_db NUMBERDB", apps_in_numbers(databases())),
        ("fix_apps_in_number_dbs_for_accounts ACCOUNTS", apps_in_numbers(accounts())),
        ("fix_apps_in_number_dbs_for_single_account ACCOUNT", apps_in_numbers(account())),
        ("fix_numbers_apps_in_numbdb NUMBERS", apps_in_numbers(numbers())),
        ("fix_account_db_numbers ACCOUNT", plain("fix_account", account())),
        ("fix_numbers ACCOUNT NUMBERS", plain("fix_account", account_numbers())),
        ("fix_number ACCOUNT NUMBER", plain("fix_account", account_number())),
        ("remove_wrong_assigned_from_accounts", plain("remove_wrong_assignments", all())),
        (
            "remove_wrong_assigned_from_single_accountdb ACCOUNT",
            plain("remove_wrong_assignments", account()),
        ),
        (
            "destructively_remove_from_number_dbs_if_not_in_accountdb",
            plain("remove_orphan_numbers", all()),
        ),
        (
            "destructively_remove_from_single_numdb_if_not_in_accountdb NUMBERDB",
            plain("remove_orphan_numbers", databases()),
        ),
        (
            "destructively_remove_from_account_db_if_not_in_numdb",
            plain("remove_orphan_mirrors", all()),
        ),
        (
            "destructively_remove_from_single_account_db_if_not_in_numdb ACCOUNTDB",
            plain("remove_orphan_mirrors", json!({"accounts": [A_DB]})),
        ),
        ("migrate", plain("migrate", all())),
        ("migrate_unassigned_numbers", plain("migrate_unassigned", all())),
        ("migrate_unassigned_numbers NUMBERDB", plain("migrate_unassigned", databases())),
        (
            "generate_numbers TYPE ACCOUNT START QUANTITY",
            job("generate_numbers", Value::Null, stock),
        ),
        ("delete NUMBER", plain("delete_numbers", number())),
        ("purge_discovery", purge("discovery", all())),
        ("purge_discovery PREFIX", purge("discovery", prefix())),
        ("purge_deleted", purge("deleted", all())),
        ("purge_deleted PREFIX", purge("deleted", prefix())),
        ("app_using NUMBER ACCOUNTDB", json!({"app": [ONE, A_DB]})),
        ("all_features", json!("features")),
        ("feature_permissions_on_number NUMBER", json!({"lists": of_number()})),
        ("add_allowed_feature_on_number FEATURE NUMBER", feature("add", "allowed", of_number())),
        (
            "remove_allowed_feature_on_number FEATURE NUMBER",
            feature("remove", "allowed", of_number()),
        ),
        ("add_denied_feature_on_number FEATURE NUMBER", feature("add", "denied", of_number())),
        (
            "remove_denied_feature_on_number FEATURE NUMBER",
            feature("remove", "denied", of_number()),
        ),
        ("feature_permissions_on_reseller_of ACCOUNT", json!({"lists": of_reseller()})),
        (
            "add_allowed_feature_on_reseller_of FEATURE ACCOUNT",
            feature("add", "allowed", of_reseller()),
        ),
        (
            "remove_allowed_feature_on_reseller_of FEATURE ACCOUNT",
            feature("remove", "allowed", of_reseller()),
        ),
        (
            "add_denied_feature_on_reseller_of FEATURE ACCOUNT",
            feature("add", "denied", of_reseller()),
        ),
        (
            "remove_denied_feature_on_reseller_of FEATURE ACCOUNT",
            feature("remove", "denied", of_reseller()),
        ),
        ("feature_permissions_on_system_config", json!({"lists": "system"})),
        (
            "add_allowed_feature_on_system_config FEATURE",
            feature("add", "allowed", json!("system")),
        ),
        (
            "remove_allowed_feature_on_system_config FEATURE",
            feature("remove", "allowed", json!("system")),
        ),
        ("reset_allowed_features_to_defaults_on_system_config", json!("reset")),
        ("ensure_adminonly_features_are_reachable", json!("ensure")),
        ("migrate_port_requests", plain("migrate_port_requests", all())),
    ]
}

/// How many arguments each documented command takes.
fn arities() -> BTreeMap<&'static str, BTreeSet<usize>> {
    let mut arities = BTreeMap::<_, BTreeSet<_>>::new();
    for line in DOCUMENTED.lines() {
        let mut words = line.split_whitespace();
        arities.entry(words.next().unwrap()).or_default().insert(words.count());
    }
    arities
}

#[test]
fn every_documented_command_means_what_it_is_to() {
    let wanted = wanted();
    let documented: Vec<&str> = DOCUMENTED.lines().collect();
    assert_eq!(wanted.iter().map(|(line, _)| *line).collect::<Vec<_>>(), documented);
    for (line, wanted) in wanted {
        assert_eq!(meaning(line), wanted, "{line}");
    }
}

#[test]
fn every_command_is_documented() {
    assert_eq!((arities().len(), DOCUMENTED.lines().count()), (61, 70));
    let usages = sup::usages();
    let known: BTreeSet<&str> =
        usages.iter().filter_map(|line| line.split_whitespace().next()).collect();
    assert_eq!(known, arities().into_keys().collect());
}

#[test]
fn another_number_of_arguments_is_answered_with_the_usage() {
    for (name, arities) in arities() {
        for count in (0..=MANY).filter(|count| !arities.contains(count)) {
            let args = vec![json!("x"); count];
            let Err(SupError::Usage { command, lines }) = ask(name, &args) else {
                panic!("{name} takes {count} arguments");
            };
            assert_eq!((command.as_str(), lines.len()), (name, 1));
            assert!(lines[0].starts_with(name), "{lines:?}");
        }
    }
}

#[test]
fn a_text_is_a_list_of_one() {
    let listed = |parameter: &str| matches!(parameter, "NUMBERS" | "ACCOUNTS" | "NUMBERDBS");
    for line in DOCUMENTED.lines().filter(|line| line.split_whitespace().any(listed)) {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let one: Vec<Value> = words.map(|it| sample(it.trim_end_matches('S'))).collect();
        let in_list = |value: &Value| json!([value]);
        let (last, first) = one.split_last().unwrap();
        let listed: Vec<Value> = first.iter().cloned().chain([in_list(last)]).collect();
        assert_eq!(ask(name, &one).unwrap(), ask(name, &listed).unwrap(), "{line}");
    }
}
