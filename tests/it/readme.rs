//! What the README says of operations is what they say of themselves.

use std::{env, fmt::Write, fs, path::Path};

use number_manager::{jobs::Operation, maintenance::OPERATIONS};

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

#[test]
fn the_operations_of_the_readme_are_those_that_there_are() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (listed, after) = rest.split_once(END).unwrap();
    if env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
        return;
    }
    assert_eq!(listed, table(), "run UPDATE_EXPECT=1 cargo test --test it readme");
}
