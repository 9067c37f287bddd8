//! The operators' manual, command by command and byte for byte, over documents that make it true.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::Method;
use number_manager::store::{Body, Expect, Write};
use serde_json::{Value, json};

use super::world::{HOLDER, MADE, Who, World, account_db, number_db, over_both_stores};
use crate::support::app::{ACCOUNT, Answer, PARENT, STRANGER};

over_both_stores! {
    usage_of_a_prefix,
    usage_of_everything,
    usage_of_several_prefixes,
    one_number_is_converted,
    a_carrier_that_nobody_has_is_converted,
    the_whole_system_is_converted,
    a_finished_conversion_as_a_job,
    what_cannot_be_run,
    maintenance_is_for_administrators,
}

/// The whole system's conversion, as the manual prints it.
const CONVERSION: &str = include_str!("../../fixtures/convert_carrier_module.txt");
const USAGE_OF_1555: &str = "numbers%2F%2B1555:\nknm_local: 7\nknm_managed: 14\nTotals:\n\
    knm_local: 7\nknm_managed: 14\n";
/// The modules under whose names the commands are known.
const MODULES: [&str; 2] = ["kazoo_number_manager_maintenance", "kazoo_numbers_maintenance"];
const CONVERTED: [&str; 2] = ["+14152338397", "+14152338421"];

/// The prefixes of the manual's databases, in order.
fn prefixes() -> Vec<&'static str> {
    let names = CONVERSION.lines().filter_map(|line| line.split("numbers%2F%2B").nth(1));
    names.collect()
}

/// A number document as KAZOO leaves it.
fn document(number: &str, carrier: &str, owner: Option<&str>) -> Body {
    let mut body = json!({
        "pvt_type": "number",
        "pvt_db_name": format!("numbers%2F%2B{}", &number[1..5]),
        "pvt_module_name": carrier,
        "pvt_state": if owner.is_some() { "in_service" } else { "available" },
        "pvt_ported_in": false,
        "pvt_features": if carrier == "knm_local" { json!({"local": {}}) } else { json!({}) },
        "pvt_created": MADE,
        "pvt_modified": MADE,
    });
    if let Some(owner) = owner {
        body["pvt_assigned_to"] = json!(owner);
        body["pvt_used_by"] = json!("callflow");
        body["cnam"] = json!({"display_name": "ACME"});
    }
    serde_json::from_value(body).unwrap()
}

/// Stores numbers with a carrier each; every other one is somebody's.
async fn keep(world: &World, numbers: &[(String, &str)]) {
    let dbs: BTreeSet<_> = numbers.iter().map(|(number, _)| number_db(number)).collect();
    for db in dbs {
        world.store.create_database(&db).await.unwrap();
    }
    let mut sets = Vec::new();
    for (index, (number, carrier)) in numbers.iter().enumerate() {
        let owner = (index % 2 == 0).then_some([ACCOUNT, PARENT, STRANGER][index % 3]);
        let body = document(number, carrier, owner);
        let dbs = [number_db(number)].into_iter().chain(owner.map(account_db));
        let put = |db| Write::put(db, number.clone(), Expect::Absent, body.clone());
        sets.push(dbs.map(put).collect());
    }
    for stored in world.store.commit_many(sets).await {
        stored.unwrap();
    }
}

/// The manual's system: every database, and the numbers of its totals but one of `knm_bandwidth`.
async fn manual(world: &World) {
    part_of_the_manual(world, &prefixes()).await;
}

/// The same with some of its databases only.
async fn part_of_the_manual(world: &World, wanted: &[&str]) {
    let mut numbers = numbers_of_the_manual();
    numbers.retain(|(number, _)| wanted.contains(&&number[1..5]));
    for prefix in wanted {
        world.store.create_database(&number_db(&format!("+{prefix}"))).await.unwrap();
    }
    keep(world, &numbers).await;
}

fn numbers_of_the_manual() -> Vec<(String, &'static str)> {
    let mut numbers = Vec::new();
    for prefix in prefixes() {
        // Two databases stay empty: there is nothing to convert in them either.
        if !matches!(prefix, "1555" | "4484" | "8835") {
            let local = if prefix == "1202" { 2 } else { 3 };
            numbers.extend((0..local).map(|n| (format!("+{prefix}600{n:04}"), "knm_local")));
        }
    }
    numbers.extend((0..7).map(|n| (format!("+1555700{n:04}"), "knm_local")));
    numbers.extend((0..14).map(|n| (format!("+1555800{n:04}"), "knm_managed")));
    numbers.extend((0..20).map(|n| (format!("+1800800{n:04}"), "knm_managed")));
    numbers.extend((0..10).map(|n| (format!("+1425900{n:04}"), "knm_telnyx")));
    numbers.push(("+14152338000".to_owned(), "knm_bandwidth2"));
    numbers.push(("+14152338001".to_owned(), "knm_mdn"));
    numbers.push(("+14152266659".to_owned(), "knm_local"));
    numbers.extend(CONVERTED.map(|number| (number.to_owned(), "knm_bandwidth")));
    let wanted = 174 - numbers.iter().filter(|(_, carrier)| *carrier == "knm_local").count();
    numbers.extend((0..wanted).map(|n| (format!("+1312500{n:04}"), "knm_local")));
    numbers
}

/// Runs an old command for somebody who reads words.
async fn run(world: &World, command: &str, args: &[&str]) -> Answer {
    let ask = world.app.ask(Method::POST, "/v2/maintenance/sup").token(&world.app.admin());
    let data = json!({"command": command, "args": args});
    ask.header("Accept", "text/plain").data(&data).send().await
}

/// Asks for an operation under its own name, in words.
async fn run_clean(world: &World, operation: &str, data: &Value) -> Answer {
    let path = format!("/v2/maintenance/{operation}");
    let ask = world.app.ask(Method::POST, &path).token(&world.app.admin());
    ask.header("Accept", "text/plain").data(data).send().await
}

async fn run_for_json(world: &World, operation: &str, data: &Value) -> Value {
    let path = format!("/v2/maintenance/{operation}?wait=20");
    world.ask(Who::Admin, Method::POST, &path, Some(data)).await.data(200)
}

fn check_text(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.text, text);
    answer.check_status(status);
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=utf-8"));
}

async fn usage_of_a_prefix(world: &World) {
    part_of_the_manual(world, &["1415", "1555"]).await;
    for module in MODULES {
        let command = format!("{module} carrier_module_usage");
        check_text(&run(world, &command, &["+1555"]).await, 200, USAGE_OF_1555);
    }
    check_text(&run(world, "carrier_module_usage +1555", &[]).await, 200, USAGE_OF_1555);
    let ask = world.app.get("/v2/maintenance/carrier_usage?prefix=%2B1555");
    let ask = ask.token(&world.app.admin()).header("Accept", "text/plain");
    check_text(&ask.send().await, 200, USAGE_OF_1555);
    for data in [
        json!({"prefix": "+1555"}),
        json!({"scope": {"databases": ["numbers/+1555"]}}),
        json!({"scope": {"databases": ["numbers%2F%2B1555"]}}),
        json!({"scope": {"prefix": "+1555"}}),
    ] {
        check_text(&run_clean(world, "carrier_usage", &data).await, 200, USAGE_OF_1555);
    }
    let counts = json!({"knm_local": 7, "knm_managed": 14});
    let wanted = json!({"databases": {"numbers%2F%2B1555": counts}, "totals": counts});
    let data = json!({"scope": {"databases": ["+1555"]}});
    assert_eq!(run_for_json(world, "carrier_usage", &data).await, wanted);
}

async fn usage_of_everything(world: &World) {
    manual(world).await;
    keep(world, &[("+14152338999".to_owned(), "knm_bandwidth")]).await;
    let totals = "Totals:\nknm_bandwidth: 3\nknm_bandwidth2: 1\nknm_local: 174\nknm_managed: 34\n\
        knm_mdn: 1\nknm_telnyx: 10\n";
    let answers = [
        run(world, "carrier_module_usage", &[]).await,
        run_clean(world, "carrier_usage", &json!({})).await,
        run_clean(world, "carrier_usage", &json!({"scope": {"all": true}})).await,
    ];
    for answer in answers {
        answer.check_status(200);
        assert!(answer.text.ends_with(totals), "{}", answer.text);
        let names = answer.text.lines().filter(|line| line.starts_with("numbers"));
        let wanted = prefixes().into_iter().map(|prefix| format!("numbers%2F%2B{prefix}:"));
        assert!(names.eq(wanted.collect::<Vec<_>>()), "{}", answer.text);
    }
    let usage = run_for_json(world, "carrier_usage", &json!({})).await;
    let sums = usage["databases"].as_object().unwrap().values();
    let mut added = BTreeMap::<&str, u64>::new();
    for (carrier, count) in sums.flat_map(|counts| counts.as_object().unwrap()) {
        *added.entry(carrier).or_default() += count.as_u64().unwrap();
    }
    assert_eq!(json!(added), usage["totals"]);
    assert_eq!(added.values().sum::<u64>(), 223);
}

async fn usage_of_several_prefixes(world: &World) {
    part_of_the_manual(world, &["1415", "1555", "4484"]).await;
    let count = async |prefixes: &[&str]| {
        let data = json!({"scope": {"databases": prefixes}});
        run_for_json(world, "carrier_usage", &data).await["totals"].take()
    };
    let both = json!({"knm_local": 7, "knm_managed": 14});
    assert_eq!(count(&["+15557", "+15558"]).await, both);
    assert_eq!(count(&["+1555", "+15558", "numbers/+1555", "+1555"]).await, both);
    assert_eq!(count(&["+155580", "+15558000", "+15558"]).await, json!({"knm_managed": 14}));
    assert_eq!(count(&["+15558000001", "+15558000002"]).await, json!({"knm_managed": 2}));
    assert_eq!(count(&["+4484"]).await, json!({}));
    assert_eq!(count(&["+9999"]).await, json!({}), "a database that is not there has no numbers");
}

async fn one_number_is_converted(world: &World) {
    keep(world, &[("+14152266659".to_owned(), "knm_local")]).await;
    let before = world.everything().await;
    let command = "convert_carrier_module_number";
    for module in MODULES {
        let answer =
            run(world, &format!("{module} {command}"), &["4152266659", "knm_bandwid"]).await;
        check_text(&answer, 400, "Bad carrier module: knm_bandwid\n");
    }
    let data = json!({"target": "knm_bandwid", "scope": {"numbers": ["4152266659"]}});
    let answer = run_clean(world, "convert_carrier", &data).await;
    check_text(&answer, 400, "Bad carrier module: knm_bandwid\n");
    assert_eq!(world.everything().await, before);
    let updated = "updated carrier module to knm_bandwidth2 for 1:\n+14152266659\n\
        updating carrier module failed for 0:\n";
    for _ in 0..2 {
        let answer = run(world, command, &["4152266659", "knm_bandwidth2"]).await;
        check_text(&answer, 200, updated);
        let document = world.document("+14152266659").await.unwrap().body;
        assert_eq!(document["pvt_module_name"], "knm_bandwidth2");
    }
    let failed = "updated carrier module to knm_bandwidth2 for 0:\n\
        updating carrier module failed for 2:\n+14155550199\nabc\n";
    let data = json!({"command": command, "args": [["abc", "4155550199"], "knm_bandwidth2"]});
    check_text(&run_clean(world, "sup", &data).await, 200, failed);
}

async fn a_carrier_that_nobody_has_is_converted(world: &World) {
    part_of_the_manual(world, &["1415", "1425"]).await;
    let before = world.everything().await;
    let text = "attempt to convert numbers with carrier module knm_band to knm_bandwidth2 in \
        database numbers%2F%2B1415\nupdated carrier module to knm_bandwidth2 for 0:\n\
        updating carrier module failed for 0:\n";
    for module in MODULES {
        let command = format!("{module} convert_carrier_module");
        let answer = run(world, &command, &["knm_band", "knm_bandwidth2", "+1415"]).await;
        check_text(&answer, 200, text);
    }
    let data = json!({
        "source": "knm_band", "target": "knm_bandwidth2", "scope": {"databases": ["+1415"]},
    });
    check_text(&run_clean(world, "convert_carrier", &data).await, 200, text);
    assert_eq!(world.everything().await, before);
}

async fn the_whole_system_is_converted(world: &World) {
    manual(world).await;
    rehearse(world).await;
    let none = CONVERSION.replace("for 2:\n+14152338397\n+14152338421\n", "for 0:\n");
    let answer = run(
        world,
        "kazoo_number_manager_maintenance convert_carrier_module",
        &["knm_bandwidth", "knm_bandwidth2"],
    );
    check_text(&answer.await, 200, CONVERSION);
    let answer = run(
        world,
        "kazoo_numbers_maintenance convert_carrier_module",
        &["knm_bandwidth", "knm_bandwidth2"],
    );
    check_text(&answer.await, 200, &none);
    check_converted(world).await;
    put_back(world).await;
    let data = json!({
        "source": "knm_bandwidth", "target": "knm_bandwidth2", "scope": {"all": true},
    });
    check_text(&run_clean(world, "convert_carrier", &data).await, 200, CONVERSION);
    check_converted(world).await;
}

/// Checks that a dry run says what the conversion will, and writes nothing.
async fn rehearse(world: &World) {
    let before = world.everything().await;
    let data = json!({
        "source": "knm_bandwidth", "target": "knm_bandwidth2", "scope": {"all": true},
        "dry_run": true,
    });
    let job = run_for_json(world, "convert_carrier", &data).await;
    assert_eq!((&job["options"]["dry_run"], &job["counts"]["changed"]), (&json!(true), &json!(2)));
    check_text(&run_clean(world, "convert_carrier", &data).await, 200, CONVERSION);
    assert_eq!(world.everything().await, before);
}

/// Checks that the two numbers and their copies have the new carrier, and all that they had.
async fn check_converted(world: &World) {
    for number in CONVERTED {
        let document = world.document(number).await.unwrap().body;
        assert_eq!(document["pvt_module_name"], "knm_bandwidth2");
        assert_eq!(document["pvt_created"], MADE);
        if let Some(owner) = document.get("pvt_assigned_to").and_then(Value::as_str) {
            assert_eq!(document["cnam"], json!({"display_name": "ACME"}));
            assert_eq!(world.copy(owner, number).await.unwrap().body, document);
        }
    }
}

/// Stores the two numbers again as they were.
async fn put_back(world: &World) {
    for number in CONVERTED {
        let stored = world.document(number).await.unwrap();
        let owner = world.owner(number).await;
        let body = document(number, "knm_bandwidth", owner.as_deref());
        let expect = Expect::At(stored.rev);
        let mut set = vec![Write::put(number_db(number), number, expect, body.clone())];
        if let Some(owner) = &owner {
            let expect = Expect::At(world.copy(owner, number).await.unwrap().rev);
            set.push(Write::put(account_db(owner), number, expect, body));
        }
        world.store.commit(set).await.unwrap();
    }
}

async fn a_finished_conversion_as_a_job(world: &World) {
    part_of_the_manual(world, &["1415", "1425"]).await;
    let data = json!({
        "source": "knm_bandwidth", "target": "knm_bandwidth2", "scope": {"databases": ["+1415"]},
    });
    let mut job = run_for_json(world, "convert_carrier", &data).await;
    let id = job.as_object_mut().unwrap().shift_remove("id").unwrap();
    assert_eq!(id.as_str().unwrap().len(), 32);
    let id = id.as_str().unwrap();
    let counts = json!({"read": 2, "changed": 2, "unchanged": 0, "skipped": 0, "failed": 0});
    let wanted = json!({
        "operation": "convert_carrier", "state": "succeeded",
        "created": "2024-05-01T12:00:00Z", "started": "2024-05-01T12:00:00Z",
        "finished": "2024-05-01T12:00:00Z",
        "asked_by": "system",
        "scope": {"databases": ["+1415"]},
        "arguments": {"source": "knm_bandwidth", "target": "knm_bandwidth2"},
        "options": {"dry_run": false, "page_size": 250, "concurrency": 4, "pause_ms": 0},
        "progress": {"databases_done": 1, "databases_total": 1},
        "counts": counts, "per_database": {"numbers%2F%2B1415": counts},
        "failures": [], "truncated": false, "findings": {}, "error": null, "plan": null,
        "journal": format!("/v2/jobs/{id}/journal"), "events": format!("/v2/jobs/{id}/events"),
    });
    assert_eq!(job, wanted);
    let args = json!([["4152266659", "4155550199"], "knm_bandwidth2"]);
    let data = json!({"command": "convert_carrier_module_number", "args": args});
    let job = run_for_json(world, "sup", &data).await;
    assert_eq!((&job["state"], &job["scope"]), (&json!("partial"), &json!({"numbers": args[0]})));
    let counts = json!({"read": 2, "changed": 1, "unchanged": 0, "skipped": 0, "failed": 1});
    assert_eq!((&job["counts"], &job["per_database"]), (&counts, &json!({})));
    let failure = json!({
        "id": "+14155550199", "database": null, "code": 404, "error": "not_found",
        "message": "number +14155550199 not found",
    });
    assert_eq!(job["failures"], json!([failure]));
    let data = json!({"target": "knm_bandwidth2", "scope": {"numbers": ["4155550199"]}});
    assert_eq!(run_for_json(world, "convert_carrier", &data).await["state"], "failed");
    let data = json!({"target": "knm_bandwidth2", "scope": {"numbers": ["4152266659"]}});
    let job = run_for_json(world, "convert_carrier", &data).await;
    let counts = json!({"read": 1, "changed": 0, "unchanged": 1, "skipped": 0, "failed": 0});
    assert_eq!((&job["state"], &job["counts"]), (&json!("succeeded"), &counts));
}

async fn what_cannot_be_run(world: &World) {
    keep(world, &[("+14152266659".to_owned(), "knm_local")]).await;
    let before = world.everything().await;
    for (operation, data) in [
        ("carrier_usage", json!({"prefix": "+141"})),
        ("carrier_usage", json!({"prefix": "1415"})),
        ("carrier_usage", json!({"prefix": "+1415x"})),
        ("carrier_usage", json!({"prefix": "+1415\u{0}"})),
        ("carrier_usage", json!({"prefix": "+".repeat(10_000)})),
        ("carrier_usage", json!({"prefix": 1415})),
        ("carrier_usage", json!({"scope": {"databases": []}})),
        ("carrier_usage", json!({"scope": {"accounts": [ACCOUNT]}})),
        ("carrier_usage", json!({"prefix": "+1415", "scope": {"all": true}})),
        ("convert_carrier", json!({})),
        ("convert_carrier", json!({"target": "knm_local", "scope": {"all": true}})),
        ("convert_carrier", json!({"source": "a", "target": "b", "scope": {"all": true}})),
        ("convert_carrier", json!({"source": "a", "target": "knm_local"})),
        ("convert_carrier", json!({"source": "a", "target": "knm_local", "scope": {"all": false}})),
        (
            "convert_carrier",
            json!({"source": "a", "target": "knm_local", "scope": {"prefix": "+1"}}),
        ),
        ("convert_carrier", json!({"target": "knm_reserved", "scope": {"numbers": []}})),
        ("sup", json!({})),
        ("sup", json!({"command": "drop_everything"})),
        ("sup", json!({"command": "convert_carrier_module", "args": ["a"]})),
        ("sup", json!({"command": "convert_carrier_module", "args": [{}, "b"]})),
        ("sup", json!({"command": "os carrier_module_usage"})),
    ] {
        let path = format!("/v2/maintenance/{operation}");
        let answer = world.ask(Who::Admin, Method::POST, &path, Some(&data)).await;
        assert_eq!(answer.status.as_u16(), 400, "{operation} {data}: {}", answer.text);
        assert_eq!(answer.json()["status"], "error");
    }
    assert_eq!(world.everything().await, before);
}

async fn maintenance_is_for_administrators(world: &World) {
    let forbidden = json!({"message": "forbidden"});
    for who in [HOLDER, Who::Account(PARENT)] {
        for (method, rest) in [
            (Method::GET, ""),
            (Method::GET, "/carrier_usage"),
            (Method::POST, "/carrier_usage"),
            (Method::POST, "/convert_carrier"),
            (Method::POST, "/sup"),
        ] {
            let path = format!("/v2/maintenance{rest}");
            let asked = (who, method, path.as_str(), None);
            world.check_refused(asked, 403, "forbidden", &forbidden).await;
        }
    }
}
