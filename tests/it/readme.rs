//! What the README says of operations is what they say of themselves.

use std::{
    env,
    fmt::Write,
    fs,
    path::Path,
    sync::{Mutex, PoisonError},
};

use number_manager::{
    carriers::{Ability, CARRIERS},
    jobs::Operation,
    maintenance::OPERATIONS,
};

const BEGIN: &str = "<!-- operations: UPDATE_EXPECT=1 cargo test --test it readme -->\n";
const END: &str = "<!-- end of operations -->";

/// The table of operations.
fn table() -> String {
    let mut table =
        "| operation | what is true afterwards | arguments | scopes |\n|---|---|---|---|\n"
            .to_owned();
    for operation in OPERATIONS {
        let _ = writeln!(table, "{}", row(*operation));
    }
    table
}

fn row(operation: &dyn Operation) -> String {
    let mark = if operation.is_destructive() { " (removes)" } else { "" };
    let argument = |name: &str, is_needed: bool| {
        if is_needed { format!("**`{name}`**") } else { format!("`{name}`") }
    };
    let arguments: Vec<String> =
        operation.arguments().iter().map(|it| argument(it.name, it.required)).collect();
    let scopes: Vec<&str> = operation.forms().iter().filter_map(|form| form.name()).collect();
    let (name, summary) = (operation.name(), operation.summary());
    format!("| `{name}`{mark} | {summary} | {} | {} |", arguments.join(", "), scopes.join(", "))
}

const CARRIERS_BEGIN: &str = "<!-- carriers: UPDATE_EXPECT=1 cargo test --test it readme -->\n";
const CARRIERS_END: &str = "<!-- end of carriers -->";

/// The table of carriers.
fn carriers() -> String {
    let mut table =
        "| carrier | numbers | can | address | secrets |\n|---|---|---|---|---|\n".to_owned();
    for carrier in &CARRIERS {
        let numbers = match (carrier.is_ours, carrier.is_usable) {
            (true, true) => "held here",
            (true, false) => "only searched",
            (false, _) => "bought",
        };
        let plans: Vec<String> = carrier.plans.iter().map(|plan| format!(" +{plan}")).collect();
        let numbers = format!("{numbers}{}", plans.join(","));
        let abilities = carrier.module.map_or(&[][..], |module| module.abilities);
        let can: Vec<&str> = abilities.iter().map(|ability| word(*ability)).collect();
        let can = match (carrier.module, carrier.is_ours) {
            (None, false) => "only a name".to_owned(),
            (Some(_), _) if can.is_empty() => "says why not".to_owned(),
            _ => can.join(", "),
        };
        let quoted = |name: &str| format!("`{name}`");
        let address = carrier.module.map(|module| module.address).unwrap_or_default();
        let address = if address.is_empty() { String::new() } else { quoted(address) };
        let secrets = carrier.module.map_or(&[][..], |module| module.secrets);
        let secrets: Vec<String> = secrets.iter().map(|name| quoted(name)).collect();
        let (name, secrets) = (carrier.name, secrets.join(", "));
        let _ = writeln!(table, "| `{name}` | {numbers} | {can} | {address} | {secrets} |");
    }
    table
}

fn word(ability: Ability) -> &'static str {
    match ability {
        Ability::Search => "search",
        Ability::Check => "check",
        Ability::Buy => "buy",
        Ability::Ask => "tell what is ours",
        Ability::Return => "take back",
        Ability::List => "list what is ours",
    }
}

#[test]
fn the_carriers_of_the_readme_are_those_that_there_are() {
    check_table(CARRIERS_BEGIN, CARRIERS_END, &carriers());
}

/// The two tables are in one file, which is written by one test at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn check_table(begin: &str, end: &str, table: &str) {
    let _one_at_a_time = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(begin).unwrap();
    let (listed, after) = rest.split_once(end).unwrap();
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(listed, table, "run UPDATE_EXPECT=1 cargo test --test it readme");
}

#[test]
fn the_operations_of_the_readme_are_those_that_there_are() {
    check_table(BEGIN, END, &table());
}
