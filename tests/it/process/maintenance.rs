//! Operations over many numbers from the command line: text, exit codes, and going on after an end.

use std::{
    fmt::Write as _,
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
};

use number_manager::store::{DbName, DocumentStore, Expect, Write};
use rstest::rstest;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::jobs::{NUMBERS, check_each_once, hurry, keep, number};
use crate::support::process::{Home, Outcome, signal};

/// The conversion that most cases are about, slow enough to be stopped.
const CONVERSION: [&str; 14] = [
    "maintenance",
    "convert_carrier",
    "--set",
    "source=knm_telnyx",
    "--set",
    "target=knm_inventory",
    "--all",
    "--page-size",
    "10",
    "--concurrency",
    "1",
    "--pause-ms",
    "15",
    "--json",
];

/// A number that can be named.
const ONE: &str = "+14105550100";

/// A program that works, and what it has printed.
struct Working {
    child: Child,
    out: BufReader<std::process::ChildStdout>,
}

impl Working {
    /// Starts it, with its text on standard output.
    async fn start(home: &Home) -> Self {
        let mut command = home.command();
        command.args(&CONVERSION[..13]).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut working = Self { child, out };
        working = spawn_blocking(move || {
            // The first database is finished, others are not.
            let mut line = String::new();
            working.out.read_line(&mut line).unwrap();
            assert!(line.starts_with("attempt to convert"), "{line}");
            working
        })
        .await
        .unwrap();
        working
    }

    /// Sends it a signal, and waits for its end.
    async fn end(mut self, name: &'static str) -> Outcome {
        signal(name, self.child.id());
        spawn_blocking(move || {
            let mut stdout = String::new();
            self.out.read_to_string(&mut stdout).unwrap();
            let mut stderr = String::new();
            self.child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
            Outcome { code: self.child.wait().unwrap().code(), stdout, stderr }
        })
        .await
        .unwrap()
    }
}

async fn prepared(mut home: Home) -> Home {
    hurry(&mut home);
    keep(&home.prepared_store().await, NUMBERS).await;
    home
}

/// A free number that can be named.
async fn keep_one(store: &dyn DocumentStore) {
    let body = json!({
        "pvt_type": "number", "pvt_module_name": "knm_telnyx", "pvt_state": "available",
        "pvt_db_name": "numbers%2F%2B1410",
    });
    let Value::Object(body) = body else { unreachable!() };
    let put = Write::put(DbName::new("numbers/+1410"), ONE, Expect::Absent, body);
    store.commit(vec![put]).await.unwrap();
}

/// The text of the conversion, as the old console printed it.
fn conversion(source: &str, target: &str, counts: usize) -> String {
    let mut text = String::new();
    for database in 0..3 {
        let mut numbers: Vec<String> = (0..NUMBERS).map(number).collect();
        numbers.retain(|it| it.starts_with(&number(database)[..5]));
        numbers.truncate(counts);
        numbers.sort();
        let name = &number(database)[1..5];
        let _ = writeln!(
            text,
            "attempt to convert numbers with carrier module {source} to {target} in database \
             numbers%2F%2B{name}\nupdated carrier module to {target} for {}:",
            numbers.len()
        );
        for number in numbers {
            let _ = writeln!(text, "{number}");
        }
        let _ = writeln!(text, "updating carrier module failed for 0:");
    }
    text
}

fn job(outcome: &Outcome) -> Value {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    serde_json::from_str(&outcome.stdout).unwrap()
}

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn an_old_command_prints_its_text(#[case] home: Home) {
    // With leases of the usual length: a job that was taken again tells again what was not saved.
    keep(&home.prepared_store().await, NUMBERS).await;
    let convert = ["maintenance", "sup", "convert_carrier_module", "knm_telnyx", "knm_inventory"];
    for counts in [NUMBERS, 0] {
        let done = home.run(&convert).await;
        assert_eq!(done.stdout, conversion("knm_telnyx", "knm_inventory", counts));
        assert_eq!(done.code, Some(0), "{done:?}");
    }
    check_each_once(&*home.store().await, NUMBERS).await;
    let usage = home.run(&["maintenance", "sup", "carrier_module_usage +1410"]).await;
    let third = NUMBERS / 3;
    let text =
        format!("numbers%2F%2B1410:\nknm_inventory: {third}\nTotals:\nknm_inventory: {third}\n");
    assert_eq!((usage.code, usage.stdout.as_str()), (Some(0), text.as_str()));
    let same = home.run(&["maintenance", "carrier_usage", "--database", "+1410"]).await;
    assert_eq!(same.stdout, text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_is_done_and_taken_back() {
    let home = prepared(Home::sqlite()).await;
    let dry = job(&home.run(&[&CONVERSION[..], &["--dry-run"]].concat()).await);
    assert_eq!(
        (&dry["options"]["dry_run"], &dry["counts"]["changed"]),
        (&json!(true), &json!(NUMBERS))
    );
    let applied =
        job(&home.run(&["maintenance", "apply", dry["id"].as_str().unwrap(), "--json"]).await);
    assert_eq!(applied["counts"]["changed"], NUMBERS);
    check_each_once(&*home.store().await, NUMBERS).await;
    let id = applied["id"].as_str().unwrap();
    let reverted = job(&home.run(&["maintenance", "revert", id, "--json"]).await);
    assert_eq!(reverted["counts"]["changed"], NUMBERS);
    let list = home.run(&["maintenance", "list"]).await;
    let operations: Vec<&str> =
        list.stdout.lines().map(|line| line.split_whitespace().nth(3).unwrap()).collect();
    assert_eq!(operations, ["revert:", "apply:", "convert_carrier"], "{list:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_says_how_it_went() {
    let home = prepared(Home::sqlite()).await;
    keep_one(&*home.store().await).await;
    let convert = ["convert_carrier", "--set", "target=knm_inventory"];
    for (args, code, said) in [
        (&["nope", "--all"][..], 2, "there is no operation nope"),
        (&["convert_carrier", "--all"], 2, "target is missing"),
        (&[convert.as_slice(), &["--set", "source=a"]].concat(), 2, "scope is missing"),
        (&[convert.as_slice(), &["--all", "--number", "1"]].concat(), 2, "scope must be one of"),
        (&[convert.as_slice(), &["--all", "--set", "x=1"]].concat(), 2, "x is no argument"),
        (
            &[convert.as_slice(), &["--number", "1", "--page-size", "0"]].concat(),
            2,
            "page_size must",
        ),
        (
            &[convert.as_slice(), &["--number", "1", "--confirm", "x"]].concat(),
            2,
            "confirm must be",
        ),
        (&["sup", "convert_carrier_module", "a", "bad"], 2, "Bad carrier module: bad"),
        (&["sup", "fix_number", "a"], 2, "usage: fix_number ACCOUNT NUMBER"),
        (&["sup", "drop_everything"], 2, "usage: carrier_module_usage [PREFIX] | "),
        (&["sup", "app_using", "4155550100", "x"], 2, "ERROR: bad identifier"),
        (&["carrier_usage", "--account", "x"], 2, "scope must be one of"),
        (&["resume", "nope"], 2, "there is no job nope"),
        (&["cancel", "nope"], 2, "there is no job nope"),
        (&[convert.as_slice(), &["--number", "abc"]].concat(), 1, "could not do everything"),
        (
            &[convert.as_slice(), &["--number", "abc", "--number", ONE]].concat(),
            1,
            "could not do everything",
        ),
        (&[convert.as_slice(), &["--number", ONE]].concat(), 0, "is succeeded"),
    ] {
        let outcome = home.run(&[&["maintenance"], args].concat()).await;
        assert_eq!(outcome.code, Some(code), "{args:?}: {outcome:?}");
        let last = outcome.stderr.lines().last().unwrap();
        assert!(last.contains(said), "{args:?}: {outcome:?}");
    }
    let list = home.run(&["maintenance"]).await;
    assert_eq!(list.code, Some(0), "{list:?}");
    assert!(list.stdout.contains("\nconvert_carrier\n"), "{list:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_service_holds_the_file_it_is_named() {
    let home = Home::sqlite();
    let service = home.start_bare().await;
    let refused = home.run(&["maintenance", "sup", "all_features"]).await;
    let said = refused.check_refused(1);
    assert!(said.contains("http://127.0.0.1:8000/v2/maintenance/OPERATION"), "{said}");
    service.stop().await;
    let told = home.run(&["maintenance", "sup", "all_features"]).await;
    assert!(told.stdout.starts_with("Known features:\n\t"), "{told:?}");
}

#[rstest]
#[case::sqlite(Home::sqlite())]
#[case::couchdb(Home::couchdb())]
#[tokio::test(flavor = "multi_thread")]
async fn the_same_command_goes_on_after_a_kill(#[case] home: Home) {
    let home = prepared(home).await;
    let killed = Working::start(&home).await.end("-KILL").await;
    assert_eq!(killed.code, None, "{killed:?}");
    let other = home.run(&["maintenance", "sup", "convert_carrier_module", "a", "knm_local"]).await;
    assert_eq!(other.code, Some(1), "{other:?}");
    assert!(other.stderr.contains("does the same on the same databases"), "{other:?}");
    let done = home.run(&CONVERSION).await;
    assert!(done.stderr.contains("going on with it"), "{done:?}");
    assert_eq!(job(&done)["counts"]["changed"], NUMBERS);
    check_each_once(&*home.store().await, NUMBERS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_leaves_a_job_that_goes_on() {
    let home = prepared(Home::sqlite()).await;
    let stopped = Working::start(&home).await.end("-INT").await;
    assert_eq!(stopped.code, Some(1), "{stopped:?}");
    let hint = stopped.stderr.lines().last().unwrap();
    let id = hint.split("maintenance resume ").nth(1).unwrap().split('`').next().unwrap();
    let done = home.run(&["maintenance", "resume", id]).await;
    assert_eq!(done.code, Some(0), "{done:?}");
    // The last database had not been told of.
    assert!(done.stdout.starts_with("attempt to convert"), "{done:?}");
    assert!(done.stdout.contains("numbers%2F%2B1412\n"), "{done:?}");
    check_each_once(&*home.store().await, NUMBERS).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_interrupted_can_be_given_up() {
    let home = prepared(Home::sqlite()).await;
    let stopped = Working::start(&home).await.end("-INT").await;
    let hint = stopped.stderr.lines().last().unwrap();
    let id = hint.split("maintenance resume ").nth(1).unwrap().split('`').next().unwrap();
    let cancelled = home.run(&["maintenance", "cancel", id]).await;
    assert_eq!(cancelled.stdout, format!("job {id} is cancelled\n"), "{cancelled:?}");
    let gone = home.run(&["maintenance", "resume", id]).await;
    assert_eq!(gone.code, Some(2), "{gone:?}");
    assert!(gone.stderr.ends_with(&format!("job {id} is cancelled\n")), "{gone:?}");
}
