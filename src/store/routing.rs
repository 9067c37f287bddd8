//! Which applications of an account route which numbers, by the account's documents.
//!
//! This is the rule. `migrations/couchdb/accounts.json` says it once more, for the server's index;
//! the store's tests ask both about the same documents.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Body;

/// Rings the phones of an account.
const CALLFLOW: &str = "callflow";
/// Hands calls to a customer's own exchange.
const TRUNKSTORE: &str = "trunkstore";

/// The application whose document this is, and the numbers that it routes; `None` when it routes
/// none.
pub(super) fn routed(body: &Body) -> Option<(&'static str, BTreeSet<&str>)> {
    if body.get("pvt_deleted").and_then(Value::as_bool) == Some(true) {
        return None;
    }
    let list = |key: &str| body.get(key).and_then(Value::as_array).into_iter().flatten();
    let (app, numbers): (_, BTreeSet<&str>) = match body.get("pvt_type").and_then(Value::as_str)? {
        "callflow" => (CALLFLOW, list("numbers").filter_map(Value::as_str).collect()),
        "sys_info" => (TRUNKSTORE, list("servers").flat_map(served).collect()),
        _ => return None,
    };
    (!numbers.is_empty()).then_some((app, numbers))
}

/// The name of an application as an index spells it.
pub(super) fn app_named(name: &str) -> Option<&'static str> {
    [CALLFLOW, TRUNKSTORE].into_iter().find(|app| *app == name)
}

/// The numbers of a trunk's server, unless it is turned off.
fn served(server: &Value) -> impl Iterator<Item = &str> {
    let is_off = server["options"]["enabled"] == Value::Bool(false);
    let numbers = server["DIDs"].as_object().filter(|_| !is_off);
    numbers.into_iter().flat_map(|numbers| numbers.keys().map(String::as_str))
}
