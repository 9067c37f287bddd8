//! Simwood, API v3, as its documentation has it.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::{Value, json};

use super::vendor::{Said, Seen, Vendor};

/// The account that it knows.
pub(crate) const ACCOUNT: &str = "930123";
/// The password that it lets in.
pub(crate) const PASSWORD: &str = "simwood-password-1";
/// `me:simwood-password-1`, as HTTP has it.
const LOGIN: &str = "Basic bWU6c2ltd29vZC1wYXNzd29yZC0x";

/// What it has and has allocated.
#[derive(Default)]
pub(crate) struct Simwood {
    offers: Vec<String>,
    owned: BTreeSet<String>,
    is_failing: bool,
}

impl Simwood {
    fn search(&self, seen: &Seen, length: &str) -> Said {
        assert!(["1", "10", "100"].contains(&length), "{length}");
        let pattern = seen.asked("pattern").unwrap();
        let digits = pattern.strip_suffix('*').unwrap();
        assert!(digits.bytes().all(|byte| byte.is_ascii_digit()), "{pattern}");
        let country = seen.asked("country_code").unwrap_or("44");
        let prefix = format!("+{country}{digits}");
        let found = self.offers.iter().filter(|it| it.starts_with(&prefix));
        let row = |number: &String| {
            let (country, rest) = split(number);
            json!({
                "country_code": country, "number": rest, "block": "a block",
                "bill_class": "DQ", "SMS": 1, "wholesale_gold_premium": 0,
            })
        };
        let found: Vec<Value> = found.take(length.parse().unwrap()).map(row).collect();
        (200, Value::Array(found).to_string())
    }
}

impl Vendor for Simwood {
    fn answer(&mut self, seen: &Seen) -> Said {
        if seen.header("authorization") != Some(LOGIN) {
            let words = format!("who is {:?}?", seen.header("authorization"));
            return (401, json!({"success": false, "errors": words}).to_string());
        }
        let parts: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        match (&seen.method, parts.as_slice()) {
            (&Method::GET, [ACCOUNT, "available", "standard", length]) => self.search(seen, length),
            (method, [ACCOUNT, "allocated", number]) => {
                let number = format!("+{number}");
                match *method {
                    Method::GET if self.owned.contains(&number) => {
                        let (country, rest) = split(&number);
                        let row = json!({"country_code": country, "number": rest});
                        (200, json!({"success": true, "data": row}).to_string())
                    }
                    Method::PUT if !self.is_failing && self.offers.contains(&number) => {
                        self.offers.retain(|it| *it != number);
                        self.owned.insert(number);
                        (200, String::new())
                    }
                    Method::PUT => {
                        let words = "number is not available";
                        (403, json!({"success": false, "errors": words}).to_string())
                    }
                    Method::DELETE if self.owned.remove(&number) => (200, String::new()),
                    _ => (404, json!({"success": false, "errors": "not allocated"}).to_string()),
                }
            }
            _ => (404, String::new()),
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

/// The calling code and the rest.
fn split(number: &str) -> (&str, &str) {
    let digits = number.trim_start_matches('+');
    digits.split_at(if digits.starts_with("44") { 2 } else { 1 })
}
