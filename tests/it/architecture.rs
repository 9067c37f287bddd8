//! The floors: a module may import only the modules below it.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Each module with the modules that it may import.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("store", &[]),
    ("telemetry", &[]),
    ("repository", &["domain", "store"]),
    ("upstream", &["domain"]),
    ("carriers", &["domain", "upstream"]),
    ("providers", &["domain", "upstream"]),
    ("auth", &["domain", "repository"]),
    ("service", &["domain", "repository", "carriers", "providers"]),
    ("jobs", &["domain", "repository", "service"]),
    ("follower", &["domain", "repository"]),
    ("webhooks", &["domain", "repository"]),
    ("maintenance", &["domain", "service", "jobs"]),
    ("tasks", &["domain", "repository", "service", "jobs"]),
    ("sup", &["domain", "service"]),
    (
        "api",
        &["domain", "telemetry", "auth", "service", "jobs", "tasks", "follower", "webhooks", "sup"],
    ),
    (
        "config",
        &[
            "store",
            "telemetry",
            "providers",
            "auth",
            "jobs",
            "tasks",
            "follower",
            "webhooks",
            "api",
        ],
    ),
    (
        "cli",
        &[
            "domain",
            "store",
            "telemetry",
            "repository",
            "carriers",
            "providers",
            "auth",
            "service",
            "jobs",
            "follower",
            "webhooks",
            "maintenance",
            "tasks",
            "sup",
            "api",
            "config",
        ],
    ),
];
/// What is no module of its own.
const ROOTS: &[&str] = &["lib.rs", "main.rs"];

fn src() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

#[test]
fn modules_import_only_what_lies_below_them() {
    for (module, below) in MAY_IMPORT {
        for file in files_of(module) {
            for import in crate_imports(&fs::read_to_string(&file).unwrap()) {
                assert!(
                    import == *module || below.contains(&import.as_str()),
                    "{} may not import crate::{import}",
                    file.display(),
                );
            }
        }
    }
}

#[test]
fn every_module_has_its_floor() {
    for entry in fs::read_dir(src()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.trim_end_matches(".rs");
        let known = MAY_IMPORT.iter().any(|(known, _)| *known == module);
        assert!(known || ROOTS.contains(&name.as_str()), "src/{name} is on no floor");
    }
}

#[test]
fn only_the_fault_table_knows_which_status_an_error_has() {
    // What is not an error may be said elsewhere.
    let fine = ["OK", "CREATED", "ACCEPTED", "NOT_MODIFIED"];
    // Health is no part of the wire.
    let apart = ["api/fault/", "api/health.rs"].map(|path| src().join(path));
    for file in files_of("api") {
        let text = fs::read_to_string(&file).unwrap();
        if apart.iter().any(|apart| file.starts_with(apart)) {
            continue;
        }
        for rest in text.split("StatusCode::").skip(1) {
            let name = first_word(rest);
            assert!(fine.contains(&name.as_str()), "{} knows {name}", file.display());
        }
    }
}

#[test]
fn only_config_reads_the_environment() {
    for (module, _) in MAY_IMPORT.iter().filter(|(module, _)| *module != "config") {
        for file in files_of(module) {
            let text = fs::read_to_string(&file).unwrap();
            for way in ["env::var", "Env::", "env = \""] {
                assert!(!text.contains(way), "{} reads the environment", file.display());
            }
        }
    }
}

/// The first path segment after every `crate::` in `text`, braces opened.
fn crate_imports(text: &str) -> BTreeSet<String> {
    let mut imports = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            imports.insert(first_word(rest));
            continue;
        };
        let mut depth = 0;
        let mut start = 0;
        for (at, c) in group.char_indices() {
            match c {
                '{' => depth += 1,
                '}' if depth == 0 => {
                    imports.insert(first_word(&group[start..at]));
                    break;
                }
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    imports.insert(first_word(&group[start..at]));
                    start = at + 1;
                }
                _ => (),
            }
        }
    }
    imports.remove("");
    imports
}

fn first_word(text: &str) -> String {
    let word = |c: &char| c.is_alphanumeric() || *c == '_';
    text.trim_start().chars().take_while(word).collect()
}

/// The files of a module, whether it is a folder or a file; none when there is no such module yet.
fn files_of(module: &str) -> Vec<PathBuf> {
    let file = src().join(format!("{module}.rs"));
    if file.exists() { vec![file] } else { rust_files(&src().join(module)) }
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else {
        return files;
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files
}

#[test]
fn grouped_imports_are_seen() {
    let seen =
        crate_imports("use crate::{api::{A, B}, domain as d,\n    store};\ncrate::service::x();");
    assert_eq!(seen.into_iter().collect::<Vec<_>>(), ["api", "domain", "service", "store"]);
}
