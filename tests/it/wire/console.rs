//! The text of the old console, byte for byte, over stored documents: the listings of the platform's
//! own documentation come out of numbers that give them.

use axum::http::Method;
use number_manager::store::{Expect, WRITE_ID, Write};
use serde_json::{Value, json};

use crate::support::{
    app::{ACCOUNT, Answer},
    home::{Home, account_database, on_both_stores},
};

on_both_stores! {
    usage_of_a_prefix_is_the_documented_text,
    usage_of_everything_ends_with_the_documented_totals,
    a_conversion_everywhere_is_the_documented_text,
    a_conversion_under_a_prefix_is_the_documented_text,
    a_conversion_of_one_number_is_the_documented_text,
    what_the_console_does_not_know_is_refused_with_its_usage,
    a_dry_run_says_the_same_and_writes_nothing,
}

/// The conversion of the documentation, with every database it names.
const CONVERSION: &str = include_str!("../../fixtures/convert_carrier_module.txt");
/// Numbers under the old carrier in that listing.
const CONVERTED: [&str; 2] = ["+14152338397", "+14152338421"];

/// The totals of the documentation, sorted by name.
const TOTALS: &str = "Totals:\nknm_bandwidth: 3\nknm_bandwidth2: 1\nknm_local: 174\n\
                      knm_managed: 34\nknm_mdn: 1\nknm_telnyx: 10\n";

async fn sup(home: &Home, command: &str, args: Value) -> Answer {
    let ask = home.app.ask(Method::POST, "/v2/maintenance/sup").token(&home.app.admin());
    let ask = ask.header("Accept", "text/plain");
    ask.data(&json!({ "command": command, "args": args })).send().await
}

#[track_caller]
fn check(answer: &Answer, status: u16, text: &str) {
    assert_eq!(answer.text, text);
    assert_eq!(answer.status.as_u16(), status);
    assert!(answer.header("content-type").unwrap().starts_with("text/plain"));
}

fn in_service(carrier: &str) -> Value {
    json!({ "pvt_state": "in_service", "pvt_module_name": carrier, "pvt_assigned_to": ACCOUNT })
}

/// Stores `count` numbers of a carrier that nobody owns, with one request.
async fn stock(home: &Home, prefix: &str, carrier: &str, from: usize, count: usize) {
    let db = number_manager::store::DbName::new(format!("numbers/{prefix}"));
    home.store.create_database(&db).await.unwrap();
    let sets = (from..from + count).map(|i| {
        let body = json!({
            "pvt_type": "number", "pvt_state": "available", "pvt_module_name": carrier,
            WRITE_ID: format!("by hand {carrier} {i}"),
        });
        let id = format!("{prefix}{:07}", 5_550_000 + i);
        let body = body.as_object().unwrap().clone();
        vec![Write::put(db.clone(), id, Expect::Absent, body)]
    });
    for stored in home.store.commit_many(sets.collect()).await {
        stored.unwrap();
    }
}

async fn usage_of_a_prefix_is_the_documented_text(home: &Home) {
    stock(home, "+1555", "knm_local", 0, 7).await;
    stock(home, "+1555", "knm_managed", 7, 14).await;
    stock(home, "+1556", "knm_telnyx", 0, 1).await;
    let text = "numbers%2F%2B1555:\nknm_local: 7\nknm_managed: 14\n\
                Totals:\nknm_local: 7\nknm_managed: 14\n";
    for command in [
        "carrier_module_usage",
        "kazoo_numbers_maintenance carrier_module_usage",
        "kazoo_number_manager_maintenance carrier_module_usage",
    ] {
        check(&sup(home, command, json!(["+1555"])).await, 200, text);
    }
    let path = "/v2/maintenance/carrier_usage?prefix=%2B1555";
    let clean = home.app.get(path).token(&home.app.admin()).header("Accept", "text/plain");
    check(&clean.send().await, 200, text);
    let json = home.app.get(path).token(&home.app.admin()).send().await.json();
    let carriers = json!({ "knm_local": 7, "knm_managed": 14 });
    let databases = json!({ "numbers%2F%2B1555": carriers });
    assert_eq!(json["data"], json!({ "databases": databases, "totals": carriers }));
}

async fn usage_of_everything_ends_with_the_documented_totals(home: &Home) {
    stock(home, "+1555", "knm_local", 0, 7).await;
    stock(home, "+1555", "knm_managed", 7, 14).await;
    stock(home, "+1415", "knm_local", 0, 167).await;
    stock(home, "+1415", "knm_bandwidth", 167, 3).await;
    stock(home, "+4420", "knm_managed", 0, 20).await;
    stock(home, "+4420", "knm_telnyx", 20, 10).await;
    stock(home, "+8835", "knm_bandwidth2", 0, 1).await;
    stock(home, "+8835", "knm_mdn", 1, 1).await;
    let text = format!(
        "numbers%2F%2B1415:\nknm_bandwidth: 3\nknm_local: 167\n\
         numbers%2F%2B1555:\nknm_local: 7\nknm_managed: 14\n\
         numbers%2F%2B4420:\nknm_managed: 20\nknm_telnyx: 10\n\
         numbers%2F%2B8835:\nknm_bandwidth2: 1\nknm_mdn: 1\n{TOTALS}"
    );
    check(&sup(home, "carrier_module_usage", json!([])).await, 200, &text);
}

/// The databases that the documented listing names, decoded.
fn documented_databases() -> Vec<String> {
    let encoded = CONVERSION.lines().filter_map(|line| line.split(" in database ").nth(1));
    encoded.map(|name| name.replace("%2F", "/").replace("%2B", "+")).collect()
}

async fn a_conversion_everywhere_is_the_documented_text(home: &Home) {
    let databases = documented_databases();
    assert!(databases.len() > 40 && databases.contains(&"numbers/+8835".to_owned()));
    for database in databases {
        let db = number_manager::store::DbName::new(database);
        home.store.create_database(&db).await.unwrap();
    }
    for number in CONVERTED {
        home.put_number(number, &in_service("knm_bandwidth")).await;
    }
    home.put_number("+14155550100", &in_service("knm_telnyx")).await;
    let args = json!(["knm_bandwidth", "knm_bandwidth2"]);
    check(&sup(home, "convert_carrier_module", args).await, 200, CONVERSION);
    for number in CONVERTED {
        let stored = home.read("numbers/+1415", number).await.unwrap();
        assert_eq!(stored["pvt_module_name"], "knm_bandwidth2");
        let copy = home.read(&account_database(ACCOUNT), number).await.unwrap();
        assert_eq!(copy, stored);
    }
    home.check().await;
}

async fn a_conversion_under_a_prefix_is_the_documented_text(home: &Home) {
    home.put_number("+14155550100", &in_service("knm_telnyx")).await;
    let text = "attempt to convert numbers with carrier module knm_band to knm_bandwidth2 in \
                database numbers%2F%2B1415\nupdated carrier module to knm_bandwidth2 for 0:\n\
                updating carrier module failed for 0:\n";
    let args = json!(["knm_band", "knm_bandwidth2", "+1415"]);
    check(&sup(home, "convert_carrier_module", args).await, 200, text);

    let data = json!({"source": "knm_telnyx", "target": "knm_simwood", "scope": {"all": true}});
    let path = "/v2/maintenance/convert_carrier";
    let job = home.app.ask(Method::POST, path).token(&home.app.admin()).data(&data).send().await;
    let job = job.json()["data"].take();
    assert_eq!(job["state"], "succeeded");
    assert_eq!(job["operation"], "convert_carrier");
    let counts = json!({"read": 1, "changed": 1, "unchanged": 0, "skipped": 0, "failed": 0});
    assert_eq!(job["counts"], counts);
    home.check().await;
}

async fn a_conversion_of_one_number_is_the_documented_text(home: &Home) {
    home.put_number("+14152266659", &in_service("knm_telnyx")).await;
    let command = "convert_carrier_module_number";
    let before = home.everything().await;
    let wrong = sup(home, command, json!(["4152266659", "knm_bandwid"])).await;
    check(&wrong, 400, "Bad carrier module: knm_bandwid\n");
    assert_eq!(home.everything().await, before);
    let text = "updated carrier module to knm_bandwidth2 for 1:\n+14152266659\n\
                updating carrier module failed for 0:\n";
    check(&sup(home, command, json!(["4152266659", "knm_bandwidth2"])).await, 200, text);
    // The second time nothing is written, and the answer is the same.
    let after = home.everything().await;
    check(&sup(home, command, json!(["4152266659", "knm_bandwidth2"])).await, 200, text);
    assert_eq!(home.everything().await, after);
    home.check().await;
}

async fn what_the_console_does_not_know_is_refused_with_its_usage(home: &Home) {
    for (command, args) in [
        ("no_such_command", json!([])),
        ("convert_carrier_module", json!(["knm_a"])),
        ("carrier_module_usage", json!(["+1415", "+1416"])),
        ("carrier_module_usage", json!(["+141"])),
    ] {
        let answer = sup(home, command, args).await;
        assert_eq!(answer.status.as_u16(), 400, "{command}: {}", answer.text);
    }
}

async fn a_dry_run_says_the_same_and_writes_nothing(home: &Home) {
    for number in CONVERTED {
        home.put_number(number, &in_service("knm_bandwidth")).await;
    }
    let before = home.everything().await;
    let path = "/v2/maintenance/convert_carrier";
    let data = json!({
        "source": "knm_bandwidth", "target": "knm_bandwidth2", "scope": {"databases": ["+1415"]},
        "dry_run": true,
    });
    let ask = home.app.ask(Method::POST, path).token(&home.app.admin()).data(&data);
    let job = ask.send().await.json()["data"].take();
    assert_eq!(job["counts"]["changed"], 2, "{job}");
    assert_eq!(job["options"]["dry_run"], true);
    assert_eq!(home.everything().await, before);
}
