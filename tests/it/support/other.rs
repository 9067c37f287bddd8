//! An operator's middleware that keeps the contract of `knm_other`.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Map, Value, json};

use super::vendor::{Said, Seen, Vendor};

/// The token that it lets in.
pub(crate) const TOKEN: &str = "phonebook-secret-1";

/// What it has and has sold.
#[derive(Default)]
pub(crate) struct Phonebook {
    offers: Vec<String>,
    owned: BTreeSet<String>,
    is_failing: bool,
}

impl Vendor for Phonebook {
    fn answer(&mut self, seen: &Seen) -> Said {
        if seen.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
            let words = format!("who is {:?}?", seen.header("authorization"));
            return (401, json!({"status": "error", "message": words}).to_string());
        }
        let parts: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        match (&seen.method, parts.as_slice()) {
            (&Method::GET, ["numbers", "US", "search"]) => {
                let prefix = seen.asked("prefix").unwrap();
                let limit: usize = seen.asked("limit").unwrap().parse().unwrap();
                let found = self.offers.iter().filter(|it| it.starts_with(prefix)).take(limit);
                let row = |number: &String| {
                    (number.clone(), json!({"rate_center": "SNFC CNTRL", "monthly": "1.00"}))
                };
                let found: Map<String, Value> = found.map(row).collect();
                (200, json!({"status": "success", "data": found}).to_string())
            }
            (&Method::POST, ["numbers", "US", "status"]) => {
                let body: Value = serde_json::from_str(&seen.body).unwrap();
                let word = |asked: &Value| {
                    let number = format!("+1{}", asked.as_str().unwrap());
                    let is_free = self.offers.contains(&number);
                    let is_owned = self.owned.contains(&number);
                    let word = match (is_owned, is_free) {
                        (true, _) => "owned",
                        (_, true) => "free",
                        _ => "unknown",
                    };
                    json!({"number": asked, "status": word})
                };
                let words: Vec<Value> = body["data"].as_array().unwrap().iter().map(word).collect();
                (200, json!({"status": "success", "data": words}).to_string())
            }
            (&Method::PUT, ["numbers", "US", "order"]) => self.order(seen),
            _ => (404, json!({"status": "error"}).to_string()),
        }
    }

    fn offer(&mut self, number: &str) {
        self.offers.push(number.to_owned());
    }

    fn owns(&self, number: &str) -> bool {
        self.owned.contains(number)
    }

    fn slow(&mut self, _: u32) {}

    fn failing(&mut self) {
        self.is_failing = true;
    }
}

impl Phonebook {
    fn order(&mut self, seen: &Seen) -> Said {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        let number = body["data"]["numbers"][0].as_str().unwrap().to_owned();
        let row = if self.is_failing || !(self.offers.contains(&number) || self.owns(&number)) {
            json!({"status": "error", "message": "not for sale"})
        } else {
            self.offers.retain(|it| *it != number);
            self.owned.insert(number.clone());
            json!({
                "status": "success", "opaque": {"vendor": "acme", "order": "A-17"},
                "locality": {"city": "SAN FRANCISCO", "state": "CA"},
            })
        };
        (200, json!({"status": "success", "data": {number: row}}).to_string())
    }
}
