//! Work by tables: every action, what it says of each row, and the life of a task.

use std::{sync::Arc, time::Duration};

use axum::http::Method;
use number_manager::store::{DbName, Expect, IdRange, Order, Query, Question, SharedStore, Write};
use serde_json::{Value, json};
use tokio::time::sleep;

use super::world::{HOLDER, NUMBER, UNLIMITED, Who, World, number_db, over_both_stores};
use crate::support::{
    app::{ACCOUNT, Answer, PARENT, STRANGER, TestApp},
    meddling::MeddlingStore,
};

over_both_stores! {
    every_row_of_a_table_is_done,
    rows_about_one_number_are_done_in_their_order,
    what_is_written_is_what_the_cells_say,
    the_result_is_the_file_that_users_know,
    records_are_rows_too,
    numbers_are_listed_by_tables,
    a_task_has_a_life,
    what_is_no_task_is_refused,
    a_task_belongs_to_its_account,
    what_is_tried_is_not_done,
    somebody_else_writes_in_between,
}

const RESERVED: &str = "+14155550101";
const FREE: &str = "+14155550102";
const FOREIGN: &str = "+14155550103";
const UNKNOWN: &str = "+14155550199";

/// A number in service, a reserved one, a free one, and one of somebody else.
async fn keep(world: &World) {
    world.clear().await;
    for (number, state, owner) in [
        (NUMBER, "in_service", Some(ACCOUNT)),
        (RESERVED, "reserved", Some(ACCOUNT)),
        (FREE, "available", None),
        (FOREIGN, "in_service", Some(STRANGER)),
    ] {
        let mut members = json!({ "pvt_state": state });
        if let Some(owner) = owner {
            members["pvt_assigned_to"] = owner.into();
        }
        world.keep(number, members).await;
    }
}

fn tasks(rest: &str) -> String {
    format!("/v2/accounts/{ACCOUNT}/tasks{rest}")
}

fn token(world: &World, who: Who) -> String {
    match who {
        Who::Nobody => String::new(),
        Who::Admin => world.app.admin(),
        Who::Account(account) => world.app.account(account),
    }
}

/// Sends a table.
pub(super) async fn send(world: &World, who: Who, path: &str, table: &[u8]) -> Answer {
    let ask = world.app.ask(Method::PUT, path).header("content-type", "text/csv");
    ask.token(&token(world, who)).body(table).send().await
}

async fn create(world: &World, who: Who, action: &str, table: &str) -> Value {
    let path = tasks(&format!("?category=number_management&action={action}"));
    let answer = if table.is_empty() {
        world.ask(who, Method::PUT, &path, None).await
    } else {
        send(world, who, &path, table.as_bytes()).await
    };
    answer.data(201)["_read_only"].clone()
}

pub(super) fn id(task: &Value) -> &str {
    task["id"].as_str().unwrap()
}

async fn look(world: &World, task: &Value) -> Value {
    let path = format!("/v2/tasks/{}", id(task));
    world.ask(Who::Admin, Method::GET, &path, None).await.data(200)["_read_only"].clone()
}

/// Begins a task, and waits for its end.
pub(super) async fn finish(world: &World, task: &Value) -> Value {
    let path = format!("/v2/tasks/{}", id(task));
    world.ask(Who::Admin, Method::PATCH, &path, None).await.check_status(200);
    ended(world, task).await
}

async fn ended(world: &World, task: &Value) -> Value {
    for _ in 0..1000 {
        let now = look(world, task).await;
        if now["status"] != "executing" {
            return now;
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("{} does not end", look(world, task).await);
}

pub(super) async fn output(world: &World, task: &Value) -> String {
    let path = format!("/v2/tasks/{}/output", id(task));
    let answer = world.ask(Who::Admin, Method::GET, &path, None).await;
    answer.check_status(200);
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8"));
    answer.text
}

/// Does all of it; returns the task, and what became of the rows.
async fn run(world: &World, who: Who, action: &str, table: &str) -> (Value, String) {
    let task = finish(world, &create(world, who, action, table).await).await;
    let output = output(world, &task).await;
    (task, output)
}

/// These cells of each row of a table, by the names of their columns.
fn cells(table: &str, columns: &[&str]) -> Vec<Vec<String>> {
    let mut reader = csv::Reader::from_reader(table.as_bytes());
    let header = reader.headers().unwrap().clone();
    let place = |name: &&str| header.iter().position(|column| column == *name);
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let cell = |name: &&str| place(name).map_or("", |place| &row[place]).to_owned();
        columns.iter().map(cell).collect()
    });
    rows.collect()
}

const BAD: &str = "bad field(s) e164";
const FORBIDDEN: &str = "requestor is unauthorized to perform operation";

/// An action: who asks, the table, the status, and of each row the number, the holder, the state and
/// what went wrong.
type Case = (&'static str, Who, String, &'static str, Vec<[&'static str; 4]>);

/// What is found, taken and given up.
fn cases() -> Vec<Case> {
    let numbers = |numbers: &[&str]| format!("e164\n{}\n", numbers.join("\n"));
    let parent = Who::Account(PARENT);
    vec![
        (
            "find",
            HOLDER,
            numbers(&[NUMBER, FREE, FOREIGN, UNKNOWN, "4155550100", "+1"]),
            "partial",
            vec![
                [NUMBER, ACCOUNT, "in_service", ""],
                [FREE, "", "available", ""],
                [FOREIGN, "", "", "not_found"],
                [UNKNOWN, "", "", "not_found"],
                ["4155550100", "", "", BAD],
                ["+1", "", "", "number +1 is not reconcilable"],
            ],
        ),
        ("find", HOLDER, numbers(&[NUMBER]), "success", vec![[NUMBER, ACCOUNT, "in_service", ""]]),
        (
            "release",
            HOLDER,
            numbers(&[NUMBER, FREE, FOREIGN, UNKNOWN]),
            "partial",
            vec![
                [NUMBER, "", "aging", ""],
                [FREE, "", "", FORBIDDEN],
                [FOREIGN, "", "", FORBIDDEN],
                [UNKNOWN, "", "", "not_found"],
            ],
        ),
        (
            "reserve",
            HOLDER,
            format!(
                "account_id,e164\n,{FREE}\n{ACCOUNT},{RESERVED}\n,{UNKNOWN}\n{STRANGER},{NUMBER}\nx,{NUMBER}\n"
            ),
            "partial",
            vec![
                [FREE, ACCOUNT, "reserved", ""],
                [RESERVED, ACCOUNT, "", "no change required"],
                [UNKNOWN, "", "", "not_found"],
                [NUMBER, STRANGER, "", FORBIDDEN],
                [NUMBER, "x", "", "bad field(s) account_id"],
            ],
        ),
        (
            "assign_to",
            parent,
            format!(
                "e164,account_id\n{NUMBER},{PARENT}\n{RESERVED},\n{FOREIGN},{PARENT}\n{UNKNOWN},\n{FREE},{}\n",
                "c".repeat(32)
            ),
            "partial",
            vec![
                [NUMBER, PARENT, "in_service", ""],
                [RESERVED, ACCOUNT, "in_service", ""],
                [FOREIGN, PARENT, "", FORBIDDEN],
                [UNKNOWN, "", "", "not_found"],
                [FREE, "cccccccccccccccccccccccccccccccc", "", "invalid account to assign to"],
            ],
        ),
    ]
}

/// What is brought in, rewritten and removed.
fn cases_of_writing() -> Vec<Case> {
    let numbers = |numbers: &[&str]| format!("e164\n{}\n", numbers.join("\n"));
    vec![
        (
            "import",
            Who::Admin,
            format!(
                "e164,account_id,state,carrier_module,ported_in\n\
                 {UNKNOWN},,,,\n{NUMBER},,,,\n+14155550150,{PARENT},reserved,knm_inventory,false\n\
                 +14155550151,,available,inventory,\n+14155550152,,,,true\n\
                 4155550153,y,lost,knm_nobody,perhaps\n"
            ),
            "partial",
            vec![
                [UNKNOWN, ACCOUNT, "in_service", ""],
                [NUMBER, "", "", "number +14155550100 already exists"],
                ["+14155550150", PARENT, "reserved", ""],
                ["+14155550151", "", "available", ""],
                ["+14155550152", ACCOUNT, "in_service", ""],
                [
                    "4155550153",
                    "y",
                    "lost",
                    "bad field(s) e164 account_id state carrier_module ported_in",
                ],
            ],
        ),
        ("import", HOLDER, numbers(&[UNKNOWN]), "failure", vec![[UNKNOWN, "", "", FORBIDDEN]]),
        (
            "update_merge",
            HOLDER,
            format!("e164,prepend.enabled,prepend.name\n{NUMBER},true,ACME\n{FOREIGN},true,X\n"),
            "partial",
            vec![[NUMBER, ACCOUNT, "in_service", ""], [FOREIGN, "", "", FORBIDDEN]],
        ),
        (
            "update_overwrite",
            HOLDER,
            format!("e164,carrier_name\n{NUMBER},\n{RESERVED},knm_telnyx\n{UNKNOWN},\n"),
            "partial",
            vec![
                [NUMBER, ACCOUNT, "in_service", ""],
                [RESERVED, "", "", FORBIDDEN],
                [UNKNOWN, "", "", "not_found"],
            ],
        ),
        ("delete", HOLDER, numbers(&[NUMBER]), "failure", vec![[NUMBER, "", "", FORBIDDEN]]),
        (
            "delete",
            Who::Admin,
            numbers(&[NUMBER, FOREIGN, UNKNOWN]),
            "partial",
            vec![
                [NUMBER, ACCOUNT, "deleted", ""],
                [FOREIGN, STRANGER, "deleted", ""],
                [UNKNOWN, "", "", "not_found"],
            ],
        ),
    ]
}

async fn every_row_of_a_table_is_done(world: &World) {
    for (action, who, table, status, rows) in cases().into_iter().chain(cases_of_writing()) {
        keep(world).await;
        let (task, output) = run(world, who, action, &table).await;
        let found = cells(&output, &["e164", "account_id", "state", "error"]);
        let wanted: Vec<Vec<String>> =
            rows.iter().map(|row| row.map(str::to_owned).to_vec()).collect();
        assert_eq!(found, wanted, "{action} by {who:?}");
        assert_eq!(task["status"], status, "{action} by {who:?}: {task}");
        let bad = rows.iter().filter(|row| !row[3].is_empty()).count();
        let counts = ["total_count", "success_count", "failure_count"].map(|key| &task[key]);
        let wanted = [rows.len(), rows.len() - bad, bad].map(Value::from);
        assert_eq!(counts, [&wanted[0], &wanted[1], &wanted[2]], "{action}");
        // What the result says is what is stored.
        for [number, holder, state, _] in rows.iter().filter(|row| row[3].is_empty()) {
            let stored = world.document(number).await;
            if action == "delete" {
                assert!(stored.is_none(), "{number}");
                continue;
            }
            let stored = stored.unwrap().body;
            assert_eq!(stored["pvt_state"], *state, "{action} {number}");
            let owner = stored.get("pvt_assigned_to").and_then(Value::as_str).unwrap_or_default();
            assert_eq!(owner, *holder, "{action} {number}");
        }
        world.check_invariants().await;
    }
}

async fn rows_about_one_number_are_done_in_their_order(world: &World) {
    keep(world).await;
    // More than a page, and the number again at once, on the next page, and at the end.
    let filler = |place: usize| format!("+1415777{place:04},false,x");
    let mut rows = vec![format!("{NUMBER},true,first"), format!("{NUMBER},true,second")];
    rows.extend((0..30).map(filler));
    rows.insert(20, format!("{NUMBER},true,third"));
    rows.push(format!("{NUMBER},true,last"));
    let table = format!("e164,prepend.enabled,prepend.name\n{}\n", rows.join("\r\n"));
    let (task, output) = run(world, HOLDER, "update_merge", &table).await;
    assert_eq!((&task["success_count"], &task["failure_count"]), (&json!(4), &json!(30)));
    let found = cells(&output, &["e164", "prepend.name", "error"]);
    let own: Vec<&str> =
        found.iter().filter(|row| row[0] == NUMBER).map(|row| row[1].as_str()).collect();
    assert_eq!(own, ["first", "second", "third", "last"]);
    assert_eq!(found.len(), rows.len());
    let stored = world.document(NUMBER).await.unwrap();
    assert_eq!(stored.body["prepend"]["name"], "last");
    // What is gone is gone for the rows that follow.
    let table = format!("e164\n{NUMBER}\n{RESERVED}\n{NUMBER}\n");
    let (_, output) = run(world, Who::Admin, "delete", &table).await;
    let errors: Vec<String> = cells(&output, &["error"]).concat();
    assert_eq!(errors, ["", "", "not_found"]);
}

async fn what_is_written_is_what_the_cells_say(world: &World) {
    keep(world).await;
    let table = "e164,cnam.inbound,prepend.enabled,prepend.name,ringback.early,force_outbound,\
                 opaque.tags.site,opaque.note,unknown\n\
                 +14155550160,true,no,'=1+1,media,true,north,\
                 \"\"\"quoted\"\"\",x\n";
    world.allow_additions(ACCOUNT).await;
    let (task, _) =
        run(world, Who::Admin, "import", &table.replace("+14155550160", "+14155550161")).await;
    assert_eq!(task["success_count"], 0, "a local number has no such features");
    let table =
        table.replace("e164,", "e164,carrier_module,").replace("160,", "160,knm_inventory,");
    let (task, output) = run(world, Who::Admin, "import", &table).await;
    assert_eq!(task["status"], "success", "{output}");
    let stored = world.document("+14155550160").await.unwrap().body;
    for (member, value) in [
        ("cnam", json!({"inbound_lookup": true})),
        ("prepend", json!({"enabled": false, "name": "=1+1"})),
        ("ringback", json!({"early": "media"})),
        ("force_outbound", json!(true)),
        ("tags", json!({"site": "north"})),
        ("note", json!("quoted")),
    ] {
        assert_eq!(stored[member], value, "{member}");
    }
    // Merged cells leave the others; overwritten ones do not.
    let merge = "e164,prepend.enabled,prepend.name,opaque.note\n+14155550160,true,,\n";
    let (_, output) = run(world, HOLDER, "update_merge", merge).await;
    assert_eq!(cells(&output, &["prepend.enabled", "prepend.name"]), [["true", "'=1+1"]]);
    let stored = world.document("+14155550160").await.unwrap().body;
    assert_eq!(stored["prepend"], json!({"enabled": true, "name": "=1+1"}));
    let (_, output) = run(world, HOLDER, "update_overwrite", "e164\n+14155550160\n").await;
    assert_eq!(cells(&output, &["prepend.enabled", "force_outbound"]), [["false", "false"]]);
    let stored = world.document("+14155550160").await.unwrap().body;
    assert!(["prepend", "note", "ringback", "cnam"].iter().all(|it| !stored.contains_key(*it)));
    for column in ["opaque.pvt_state", "opaque.state", "opaque._id", "opaque.", "opaque.a..b"] {
        let table = format!("e164,{column}\n+14155550160,x\n");
        let (_, output) = run(world, Who::Admin, "update_merge", &table).await;
        assert_eq!(cells(&output, &["error"]), [[format!("bad field(s) {column}")]]);
    }
}

async fn the_result_is_the_file_that_users_know(world: &World) {
    keep(world).await;
    let table = format!(
        "e164,account_id,prepend.enabled,prepend.name\n\
         +14155550170,{ACCOUNT},true,Sales\n4155550101,,,\n"
    );
    let (task, output) = run(world, Who::Admin, "import", &table).await;
    let wanted = format!(
        "\"e164\",\"account_name\",\"account_id\",\"state\",\"created\",\"modified\",\"ported_in\",\
         \"carrier_module\",\"cnam.inbound\",\"prepend.enabled\",\"prepend.name\",\
         \"force_outbound\",\"error\"\n\
         \"+14155550170\",\"Account 0f\",\"{ACCOUNT}\",\"in_service\",\"63881784000\",\
         \"63881784000\",\"false\",\"knm_local\",\"false\",\"true\",\"Sales\",\"false\",\n\
         \"4155550101\",,,,,,,,,,,,\"bad field(s) e164\"\n"
    );
    assert_eq!(output, wanted);
    let path = format!("/v2/tasks/{}/output", id(&task));
    let answer = world.ask(Who::Admin, Method::GET, &path, None).await;
    let name = format!("attachment; filename=\"number_management_import_{}_out.csv\"", id(&task));
    assert_eq!(answer.header("content-disposition"), Some(&*name));
    // What was given is given back.
    for (path, wanted) in [
        (tasks(&format!("/{}/input", id(&task))), &table),
        (tasks(&format!("/{}?accept=csv&csv_name=in.csv", id(&task))), &table),
        (tasks(&format!("/{}?accept=csv", id(&task))), &wanted),
        (tasks(&format!("/{}?accept=csv&csv_name=out.csv", id(&task))), &wanted),
    ] {
        let answer = world.ask(HOLDER, Method::GET, &path, None).await;
        answer.check_status(200);
        assert_eq!(&answer.text, wanted, "{path}");
    }
    let path = tasks(&format!("/{}?accept=csv&csv_name=other.csv", id(&task)));
    world.ask(HOLDER, Method::GET, &path, None).await.check_status(404);
}

async fn records_are_rows_too(world: &World) {
    keep(world).await;
    let path = tasks("?category=number_management&action=update_merge");
    let data = json!({
        "records": [
            {"e164": NUMBER, "force_outbound": true},
            {"e164": RESERVED, "opaque.note": 7, "force_outbound": null},
        ],
        "file_name": "x.csv",
    });
    let task = world.ask(HOLDER, Method::PUT, &path, Some(&data)).await.data(201);
    let task = &task["_read_only"];
    assert_eq!((&task["file_name"], &task["total_count"]), (&json!("x.csv"), &json!(2)));
    assert_eq!(finish(world, task).await["status"], "success");
    assert_eq!(world.document(NUMBER).await.unwrap().body["force_outbound"], true);
    assert_eq!(world.document(RESERVED).await.unwrap().body["note"], "7");
    for records in [json!("x"), json!(["x"]), json!([{"e164": [NUMBER]}])] {
        let data = json!({ "records": records });
        world.ask(HOLDER, Method::PUT, &path, Some(&data)).await.check_status(400);
    }
}

async fn numbers_are_listed_by_tables(world: &World) {
    keep(world).await;
    world.keep("+14165550100", json!({"pvt_state": "in_service", "pvt_assigned_to": PARENT})).await;
    let all = [NUMBER, RESERVED, FREE, FOREIGN, "+14165550100"];
    for (who, action, wanted) in [
        (HOLDER, "list", &[NUMBER, RESERVED][..]),
        (HOLDER, "list_all", &[NUMBER, RESERVED]),
        (Who::Admin, "dump", &all),
        (Who::Admin, "dump_in_service", &[NUMBER, FOREIGN, "+14165550100"]),
        (Who::Admin, "dump_available", &[FREE]),
        (Who::Admin, "dump_reserved", &[RESERVED]),
        (Who::Admin, "dump_aging", &[]),
        (HOLDER, "dump", &[]),
        (HOLDER, "dump_in_service", &[]),
    ] {
        let (task, output) = run(world, who, action, "").await;
        let mut found = cells(&output, &["e164"]).concat();
        found.sort_unstable();
        assert_eq!(found, wanted, "{action} by {who:?}");
        assert_eq!(task["status"], "success", "{action} by {who:?}");
        assert_eq!(task["total_count"], wanted.len(), "{action} by {who:?}");
        assert!(!output.contains("\"error\""));
        let path = format!("/v2/tasks/{}/input", id(&task));
        world.ask(Who::Admin, Method::GET, &path, None).await.check_status(404);
    }
    let path = format!("/v2/accounts/{PARENT}/tasks?category=number_management&action=list_all");
    let task = world.ask(Who::Account(PARENT), Method::PUT, &path, None).await.data(201);
    let task = finish(world, &task["_read_only"]).await;
    let output = output(world, &task).await;
    let rows = cells(&output, &["account_name", "e164"]);
    assert_eq!(
        rows,
        [["Account 1a", "+14165550100"], ["Account 0f", NUMBER], ["Account 0f", RESERVED],]
    );
    let path = "/v2/tasks?category=number_management&action=list";
    world.ask(Who::Admin, Method::PUT, path, None).await.check_status(400);
}

async fn a_task_has_a_life(world: &World) {
    keep(world).await;
    let table = format!("e164\n{NUMBER}\n");
    let path = tasks("?category=number_management&action=find&file_name=f.csv");
    let task = send(world, HOLDER, &path, table.as_bytes()).await.data(201);
    let task = &task["_read_only"];
    let wanted = json!({
        "id": task["id"], "account_id": ACCOUNT, "auth_account_id": ACCOUNT,
        "category": "number_management", "action": "find", "file_name": "f.csv", "node": "n0de",
        "created": 63_881_784_000_i64, "total_count": 1, "status": "pending", "csvs": ["in.csv"],
    });
    assert_eq!(*task, wanted);
    assert_eq!(id(task).len(), 30);
    let own = tasks(&format!("/{}", id(task)));
    let identifier = "bad_identifier";
    let stop = format!("{own}/stop");
    let idle = json!({"reason": "task is not running"});
    let method = Method::PATCH;
    world.ask(HOLDER, method.clone(), &stop, None).await.check_error(404, identifier, &idle);
    let begun = world.ask(HOLDER, method.clone(), &own, None).await.data(200);
    assert_ne!(begun["_read_only"]["status"], "pending");
    let done = ended(world, task).await;
    let wanted = json!(["success", ["in.csv", "out.csv"], 63_881_784_000_i64, 1, 0]);
    let keys = ["status", "csvs", "end_timestamp", "success_count", "failure_count"];
    assert_eq!(Value::from_iter(keys.map(|key| done[key].clone())), wanted);
    let again = json!({
        "reason": "task already started", "cause": task["id"], "message": "bad identifier",
    });
    world.ask(HOLDER, method.clone(), &own, None).await.check_error(404, identifier, &again);
    world.ask(HOLDER, method, &stop, None).await.check_error(404, identifier, &idle);
    let list = world.ask(HOLDER, Method::GET, &tasks(""), None).await;
    assert_eq!(list.data(200)[0]["id"], task["id"]);
    world.ask(HOLDER, Method::DELETE, &own, None).await.check_status(200);
    world.ask(HOLDER, Method::GET, &own, None).await.check_status(404);
    world.ask(HOLDER, Method::GET, &format!("{own}/output"), None).await.check_status(404);
    assert_eq!(world.ask(HOLDER, Method::GET, &tasks(""), None).await.data(200), json!([]));
}

async fn what_is_no_task_is_refused(world: &World) {
    let put = |query: &str| tasks(query);
    let find = "?category=number_management&action=find";
    for (path, table, status, message, data) in [
        ("?action=find", "e164\n+1\n", 500, "invalid request", json!({})),
        ("?category=number_management", "e164\n+1\n", 500, "invalid request", json!({})),
        (
            "?category=number_management&action=x",
            "e164\n+1\n",
            404,
            "bad identifier",
            json!(["unknown_category_action"]),
        ),
        (
            find,
            "number\n+14155550100\n",
            400,
            "bad request",
            json!({"missing_mandatory_fields": ["e164"]}),
        ),
        (
            find,
            "e164,a,b\n+14155550100,,x\n,1,2\n",
            400,
            "bad request",
            json!({"missing_mandatory_values": [",1,2"]}),
        ),
        (
            "?category=number_management&action=list",
            "e164\n+1\n",
            400,
            "bad request",
            json!({"expected_content": "none"}),
        ),
    ] {
        let answer = send(world, HOLDER, &put(path), table.as_bytes()).await;
        answer.check_error(status, message, &data);
    }
    let answer = world.ask(HOLDER, Method::PUT, &put(find), None).await;
    let data = json!({"missing_mandatory_fields": ["e164"], "expected_content": "text/csv"});
    answer.check_error(400, "bad request", &data);
    let shape = "Empty CSV or some row(s) longer than others or header missing";
    for (table, message, line, column, cause) in [
        (&b""[..], shape, 1, 1, "there are no rows"),
        (b"e164\n", shape, 1, 1, "there are no rows"),
        (b"e164,a\n+1,2\n+1,2,3\n", shape, 3, 3, "the row has 3 cells, the header has 2"),
        (b"e164,a\n\n+1\n", shape, 3, 2, "the row has 1 cells, the header has 2"),
        (b"e164,e164\n+1,+2\n", "", 1, 2, "the column e164 is there twice"),
        (b"e164,a\n+1,\"b\n", "", 2, 2, "a quote is not closed before the end, line 3"),
        (b"e164,a\n+1,\xe9\n", "", 2, 2, "the text is not UTF-8"),
        (b"\xff\xfee\0", "", 1, 1, "the text is UTF-16; only UTF-8 is read"),
    ] {
        let answer = send(world, HOLDER, &put(find), table).await;
        let message = match message {
            "" => format!("Malformed CSV: line {line}, column {column}: {cause}"),
            message => message.to_owned(),
        };
        let what = json!({"message": message, "line": line, "column": column, "cause": cause});
        answer.check_error(400, "validation error", &json!({"csv": {"format": what}}));
    }
    // Nothing is left of any of it.
    assert_eq!(world.ask(HOLDER, Method::GET, &tasks(""), None).await.data(200), json!([]));
    let (question, range) = (Question::All, IdRange::starting_with("task"));
    let query = Query { question, range, order: Order::Ascending, after: None, limit: 10 };
    let db = DbName::new("number_manager_jobs");
    assert_eq!(world.store.query(&db, &query).await.unwrap().documents, []);
}

async fn a_task_belongs_to_its_account(world: &World) {
    keep(world).await;
    let table = format!("e164\n{NUMBER}\n");
    let task = create(world, HOLDER, "find", &table).await;
    let stranger = Who::Account(STRANGER);
    let there = format!("/v2/accounts/{STRANGER}/tasks/{}", id(&task));
    world.ask(stranger, Method::GET, &there, None).await.check_status(404);
    let own = tasks(&format!("/{}", id(&task)));
    world.ask(stranger, Method::GET, &own, None).await.check_status(403);
    let any = format!("/v2/tasks/{}", id(&task));
    world.ask(HOLDER, Method::GET, &any, None).await.check_status(403);
    world.ask(Who::Account(PARENT), Method::GET, &own, None).await.check_status(200);
    world.ask(Who::Admin, Method::GET, &any, None).await.check_status(200);
    for strange in ["x", &"0".repeat(30), &"0".repeat(31)] {
        let path = tasks(&format!("/{strange}"));
        let data = json!({"message": "bad identifier", "cause": strange});
        let answer = world.ask(HOLDER, Method::GET, &path, None).await;
        answer.check_error(404, "bad_identifier", &data);
    }
    let actions = world.ask(Who::Nobody, Method::GET, "/v2/tasks", None).await.data(200);
    assert_eq!(actions["number_management"].as_object().unwrap().len(), 21);
    let path = "/v2/tasks?category=number_management&action=import";
    let import = world.ask(Who::Nobody, Method::GET, path, None).await.data(200);
    assert_eq!(import["number_management"]["import"]["mandatory"], json!(["e164"]));
    for query in ["?category=other", "?action=other"] {
        let answer = world.ask(Who::Nobody, Method::GET, &format!("/v2/tasks{query}"), None).await;
        answer.check_error(404, "bad identifier", &json!(["unknown category or action"]));
    }
}

async fn what_is_tried_is_not_done(world: &World) {
    keep(world).await;
    let before = world.everything().await;
    let path = tasks("?category=number_management&action=release&dry_run=true");
    let table = format!("e164\n{NUMBER}\n{UNKNOWN}\n");
    let task = send(world, HOLDER, &path, table.as_bytes()).await.data(201);
    let task = finish(world, &task["_read_only"]).await;
    assert_eq!((&task["status"], &task["dry_run"]), (&json!("partial"), &json!(true)));
    let output = output(world, &task).await;
    assert_eq!(cells(&output, &["state", "error"]), [["aging", ""], ["", "not_found"]]);
    assert_eq!(world.everything().await, before);
}

/// Changes the number that most cases are about.
async fn meddle(store: SharedStore, member: &'static str, value: Value) {
    let found = store.get(&number_db(NUMBER), NUMBER).await.unwrap().live().unwrap();
    let mut body = found.body;
    body.insert(member.to_owned(), value);
    body.insert("pvt_write_id".to_owned(), format!("{:?}", found.rev).into());
    let write = Write::put(number_db(NUMBER), NUMBER, Expect::At(found.rev), body);
    store.commit(vec![write]).await.unwrap();
}

async fn somebody_else_writes_in_between(world: &World) {
    for (member, is_always, error) in [
        ("note", false, ""),
        ("pvt_assigned_to", false, FORBIDDEN),
        ("note", true, "somebody else kept changing it"),
    ] {
        keep(world).await;
        let inner = world.store.clone();
        let moment = move |sets: &[Vec<Write>]| {
            let is_it = |write: &Write| write.id == NUMBER && write.db == number_db(NUMBER);
            let count = json!(format!("{:?}", std::time::Instant::now()));
            let value = if member == "note" { count } else { json!(STRANGER) };
            let hit = sets.iter().flatten().any(is_it);
            hit.then(|| Box::pin(meddle(inner.clone(), member, value)) as _)
        };
        let below = world.store.clone();
        let store = if is_always {
            MeddlingStore::always(below, moment)
        } else {
            MeddlingStore::new(below, moment)
        };
        let app = TestApp::over(Arc::new(store), UNLIMITED).await;
        let path = tasks("?category=number_management&action=update_merge");
        let table = format!("e164,force_outbound\n{RESERVED},true\n{NUMBER},true\n");
        let ask = app.ask(Method::PUT, &path).header("content-type", "text/csv");
        let task = ask.token(&app.account(ACCOUNT)).body(table).send().await.data(201);
        let task = &task["_read_only"];
        let path = format!("/v2/tasks/{}", id(task));
        let begun = app.ask(Method::PATCH, &path).token(&app.admin()).send().await;
        begun.check_status(200);
        let task = ended(world, task).await;
        let good = if error.is_empty() { 2 } else { 1 };
        assert_eq!((&task["success_count"], &task["total_count"]), (&json!(good), &json!(2)));
        let output = output(world, &task).await;
        let wanted = [[RESERVED, ""], [NUMBER, error]];
        assert_eq!(cells(&output, &["e164", "error"]), wanted, "{member}");
        let stored = world.document(NUMBER).await.unwrap().body;
        assert_eq!(stored.contains_key("force_outbound"), error.is_empty());
        if member == "note" {
            assert!(stored.contains_key("note"));
        }
    }
    world.clear().await;
}
