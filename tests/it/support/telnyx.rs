//! Telnyx, API v2, as its documentation has it.

use std::collections::BTreeMap;

use axum::http::Method;
use serde_json::{Value, json};

use super::vendor::{Said, Seen, Vendor};

/// The key that it lets in.
pub(crate) const KEY: &str = "KEY0123456789secret";

/// What it has and has sold.
#[derive(Default)]
pub(crate) struct Telnyx {
    offers: Vec<String>,
    owned: BTreeMap<String, String>,
    orders: Vec<Placed>,
    slow: u32,
    is_failing: bool,
    wants_papers: bool,
}

struct Placed {
    id: String,
    reference: String,
    number: String,
    status: &'static str,
    looks: u32,
    has_papers: bool,
}

impl Telnyx {
    /// One whose orders wait for documents.
    pub(crate) fn wanting_papers() -> Self {
        Self { wants_papers: true, ..Self::default() }
    }

    fn search(&self, seen: &Seen) -> Said {
        let is = |name: &str| seen.asked(name);
        let country = is("filter[country_code]").unwrap_or("US");
        let code = match country {
            "US" | "CA" => "+1",
            "GB" => "+44",
            other => panic!("{other}"),
        };
        let area = is("filter[national_destination_code]").unwrap_or_default();
        let rest = is("filter[phone_number][starts_with]").unwrap_or_default();
        let prefix = format!("{code}{area}{rest}");
        let limit: usize = is("filter[limit]").unwrap().parse().unwrap();
        let is_free = ["+1800", "+1833", "+1844", "+1855", "+1866", "+1877", "+1888"];
        let fits = |number: &&String| {
            let is_free = is_free.iter().any(|it| number.starts_with(it));
            let kind = if is_free { "toll_free" } else { "local" };
            number.starts_with(&prefix)
                && is("filter[phone_number_type]").is_none_or(|wanted| wanted == kind)
        };
        let found: Vec<Value> =
            self.offers.iter().filter(fits).take(limit).map(|number| row(number)).collect();
        if found.is_empty() {
            return refused(404, "10005", "no numbers found");
        }
        let total = json!({"total_results": found.len(), "best_effort_results": 0});
        (200, json!({"data": found, "meta": total}).to_string())
    }

    fn order(&mut self, seen: &Seen) -> Said {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        let number = body["phone_numbers"][0]["phone_number"].as_str().unwrap().to_owned();
        let reference = body["customer_reference"].as_str().unwrap().to_owned();
        if self.orders.iter().any(|it| it.reference == reference) {
            return refused(409, "10012", "duplicate");
        }
        let Some(place) = self.offers.iter().position(|it| *it == number) else {
            return refused(400, "10015", "phone_number is not available");
        };
        self.offers.remove(place);
        let id = format!("11111111-2222-4333-8444-{:012}", self.orders.len());
        self.orders.push(Placed {
            id,
            reference,
            number,
            status: "pending",
            looks: 0,
            has_papers: !self.wants_papers,
        });
        let place = self.orders.len() - 1;
        self.go_on(place);
        (200, json!({"data": self.orders[place].shown()}).to_string())
    }

    /// Carries an order out when it is time.
    fn go_on(&mut self, place: usize) {
        let order = &mut self.orders[place];
        if order.status != "pending" || !order.has_papers || order.looks < self.slow {
            return;
        }
        if self.is_failing {
            order.status = "failure";
            return;
        }
        order.status = "success";
        let id = format!("12930207904{:05}", self.owned.len());
        self.owned.insert(order.number.clone(), id);
    }

    fn look(&mut self, id: &str) -> Said {
        let Some(place) = self.orders.iter().position(|it| it.id == id) else {
            return refused(404, "10005", "order not found");
        };
        self.orders[place].looks += 1;
        self.go_on(place);
        (200, json!({"data": self.orders[place].shown()}).to_string())
    }

    fn delete(&mut self, id: &str) -> Said {
        let number = self.owned.iter().find(|(_, it)| *it == id).map(|(number, _)| number.clone());
        let Some(number) = number else {
            return refused(404, "10005", "phone number not found");
        };
        self.owned.remove(&number);
        (200, json!({"data": {"id": id, "phone_number": number, "status": "deleted"}}).to_string())
    }

    /// A page of what is ours: one number.
    fn list(&self, seen: &Seen) -> Said {
        assert_eq!(seen.asked("page[size]"), Some("250"));
        let page: usize = seen.asked("page[number]").unwrap().parse().unwrap();
        let row = |(number, id)| json!({"id": id, "phone_number": number, "status": "active"});
        let rows: Vec<Value> = self.owned.iter().skip(page - 1).take(1).map(row).collect();
        let meta = json!({
            "page_number": page, "page_size": 1, "total_pages": self.owned.len(),
            "total_results": self.owned.len(),
        });
        (200, json!({"data": rows, "meta": meta}).to_string())
    }

    fn verify(&self, seen: &Seen) -> Said {
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for number in body["phone_numbers"].as_array().unwrap() {
            let number = number.as_str().unwrap();
            match self.owned.get(number) {
                Some(id) => found.push(json!({"id": id, "number_val_e164": number})),
                None => missing.push(json!({"number_val_e164": number})),
            }
        }
        (200, json!({"data": {"found": found, "not_found": missing}}).to_string())
    }
}

impl Placed {
    fn shown(&self) -> Value {
        json!({
            "id": self.id, "record_type": "number_order", "status": self.status,
            "requirements_met": self.has_papers, "customer_reference": self.reference,
            "phone_numbers": [{"phone_number": self.number, "status": self.status}],
        })
    }
}

impl Vendor for Telnyx {
    fn answer(&mut self, seen: &Seen) -> Said {
        if seen.header("authorization") != Some(&format!("Bearer {KEY}")) {
            let words = format!("no such key: {:?}", seen.header("authorization"));
            return refused(401, "10009", &words);
        }
        let parts: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        match (&seen.method, parts.as_slice()) {
            (&Method::GET, ["available_phone_numbers"]) => self.search(seen),
            (&Method::POST, ["phone_numbers", "actions", "verify_ownership"]) => self.verify(seen),
            (&Method::POST, ["number_orders"]) => self.order(seen),
            (&Method::GET, ["number_orders"]) => {
                let wanted = seen.asked("filter[customer_reference]").unwrap();
                let found = self.orders.iter().filter(|it| it.reference == wanted);
                let found: Vec<Value> = found.map(Placed::shown).collect();
                (200, json!({ "data": found }).to_string())
            }
            (&Method::GET, ["number_orders", id]) => self.look(id),
            (&Method::GET, ["phone_numbers"]) if seen.asked("page[number]").is_some() => {
                self.list(seen)
            }
            (&Method::GET, ["phone_numbers"]) => {
                let wanted = format!("+{}", seen.asked("filter[phone_number]").unwrap());
                let found = self.owned.get(&wanted);
                let row = |id| json!({"id": id, "phone_number": wanted, "status": "active"});
                let found: Vec<Value> = found.into_iter().map(row).collect();
                (200, json!({ "data": found }).to_string())
            }
            (&Method::DELETE, ["phone_numbers", id]) => self.delete(id),
            _ => refused(404, "10005", "no such resource"),
        }
    }

    fn offer(&mut self, number: &str) {
        self.offers.push(number.to_owned());
    }

    fn owns(&self, number: &str) -> bool {
        self.owned.contains_key(number)
    }

    fn slow(&mut self, looks: u32) {
        self.slow = looks;
    }

    fn failing(&mut self) {
        self.is_failing = true;
    }
}

fn row(number: &str) -> Value {
    json!({
        "record_type": "available_phone_number", "phone_number": number, "best_effort": false,
        "region_information": [
            {"region_type": "country_code", "region_name": "US"},
            {"region_type": "rate_center", "region_name": "SNFC CNTRL"},
        ],
        "cost_information": {"upfront_cost": "1.00", "monthly_cost": "1.00", "currency": "USD"},
        "features": [{"name": "voice"}, {"name": "sms"}],
    })
}

fn refused(status: u16, code: &str, detail: &str) -> Said {
    let error = json!({"code": code, "title": "Refused", "detail": detail});
    (status, json!({ "errors": [error] }).to_string())
}
