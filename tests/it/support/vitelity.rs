//! Vitelity, the XML of its API, as its documentation has it.

use std::collections::BTreeSet;

use axum::http::Method;

use super::vendor::{Said, Seen, Vendor};

/// The password that it lets in.
pub(crate) const PASS: &str = "vitelity-pass-1&?";

/// What it has and has sold.
#[derive(Default)]
pub(crate) struct Vitelity {
    offers: Vec<String>,
    owned: BTreeSet<String>,
    is_failing: bool,
}

impl Vitelity {
    fn list(&self, prefix: &str, limit: usize) -> Said {
        let found = self.offers.iter().filter(|it| it.starts_with(prefix)).take(limit);
        let row = |number: &String| {
            let digits = &number[2..];
            format!(
                "<did><number>{digits}</number><ratecenter>SNFC CNTRL</ratecenter>\
                 <state>CA</state></did>"
            )
        };
        let rows: Vec<_> = found.map(row).collect();
        if rows.is_empty() { fail("none") } else { numbers(&rows.concat()) }
    }

    fn sell(&mut self, seen: &Seen, is_free: bool) -> Said {
        let number = format!("+1{}", argument(seen, "did").unwrap());
        if argument(seen, "routesip").is_none() {
            return fail("missingdata");
        }
        let is_tollfree = ["+1800", "+1888"].iter().any(|area| number.starts_with(area));
        if self.is_failing || is_tollfree != is_free || !self.offers.contains(&number) {
            return fail("unavailable");
        }
        self.offers.retain(|it| *it != number);
        self.owned.insert(number);
        done()
    }
}

impl Vendor for Vitelity {
    fn answer(&mut self, seen: &Seen) -> Said {
        // Everything is in the body, and nothing in the address.
        assert_eq!((seen.method.clone(), seen.query.len()), (Method::POST, 0));
        let argument = |name| argument(seen, name);
        if argument("login").as_deref() != Some("acme") || argument("pass").as_deref() != Some(PASS)
        {
            return fail(&format!("invalid pass {}", argument("pass").unwrap_or_default()));
        }
        assert_eq!(argument("xml").as_deref(), Some("yes"));
        match argument("cmd").unwrap().as_str() {
            "listnpa" => self.list(&format!("+1{}", argument("npa").unwrap()), usize::MAX),
            "listnpanxx" => {
                let exchange = argument("npanxx").unwrap();
                assert_eq!(exchange.len(), 6);
                self.list(&format!("+1{exchange}"), usize::MAX)
            }
            "listtollfree" => self.list("+18", argument("limit").unwrap().parse().unwrap()),
            "listdids" => {
                let row = |number: &String| format!("<did>{}</did>", &number[2..]);
                let rows: Vec<_> = self.owned.iter().map(row).collect();
                numbers(&rows.concat())
            }
            "getlocaldid" => self.sell(seen, false),
            "gettollfree" => self.sell(seen, true),
            "removedid" => {
                let number = format!("+1{}", argument("did").unwrap());
                if self.owned.remove(&number) { done() } else { fail("unavailable") }
            }
            _ => fail("invalid"),
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

/// What a request says under a name.
pub(crate) fn argument(seen: &Seen, name: &str) -> Option<String> {
    let found = seen.form().into_iter().find(|(key, _)| key == name);
    found.map(|(_, value)| value)
}

fn content(inner: &str) -> Said {
    (200, format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<content>{inner}</content>"))
}

fn numbers(rows: &str) -> Said {
    content(&format!("<status>ok</status><numbers>{rows}</numbers>"))
}

fn done() -> Said {
    content("<status>ok</status><response>success</response>")
}

fn fail(error: &str) -> Said {
    let error = error.replace('&', "&amp;");
    content(&format!("<status>fail</status><error>{error}</error>"))
}
