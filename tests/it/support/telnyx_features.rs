//! What Telnyx does for a number that is ours, as the documentation of its API v2 has it: emergency
//! addresses and caller names.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use axum::http::Method;
use serde_json::{Value, json};

use super::{
    telnyx::KEY,
    vendor::{Said, Seen, Vendor},
};

/// What it knows; every clone is the same vendor.
#[derive(Clone)]
pub(crate) struct TelnyxFeatures(Arc<Mutex<State>>);

/// A number and what there is for it.
pub(crate) struct State {
    number: String,
    /// The street of each address that was made and not dropped, by its id.
    pub addresses: BTreeMap<String, Value>,
    /// The address in force.
    pub address: Option<String>,
    pub status: &'static str,
    /// What becomes of a number that is switched on or off, and how often it is looked at before.
    pub outcome: Option<&'static str>,
    pub looks: u32,
    looked: u32,
    made: u32,
    /// The name that callees see, and whether callers' names are looked up.
    pub listing: Option<String>,
    pub looks_up: bool,
}

impl TelnyxFeatures {
    /// One that has this number.
    pub(crate) fn with(number: &str) -> Self {
        Self(Arc::new(Mutex::new(State {
            number: number.to_owned(),
            addresses: BTreeMap::new(),
            address: None,
            status: "disabled",
            outcome: None,
            looks: 0,
            looked: 0,
            made: 0,
            listing: None,
            looks_up: false,
        })))
    }

    /// What it knows, to be changed or looked at.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&mut State) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    /// The street in force.
    pub(crate) fn street(&self) -> Option<String> {
        self.look(|it| {
            let address = it.addresses.get(it.address.as_ref()?)?;
            address["street_address"].as_str().map(str::to_owned)
        })
    }
}

const ID: &str = "1293384261075731499";

impl Vendor for TelnyxFeatures {
    fn answer(&mut self, seen: &Seen) -> Said {
        if seen.header("authorization") != Some(&format!("Bearer {KEY}")) {
            return refused(401, "10009", "no such key");
        }
        let body: Value = serde_json::from_str(&seen.body).unwrap_or_default();
        let parts: Vec<&str> = seen.path.trim_matches('/').split('/').collect();
        let mut state = self.0.lock().unwrap();
        match (&seen.method, parts.as_slice()) {
            (&Method::GET, ["phone_numbers"]) => {
                let wanted = format!("+{}", seen.asked("filter[phone_number]").unwrap());
                let rows: Vec<Value> =
                    (wanted == state.number).then(|| state.row()).into_iter().collect();
                (200, json!({ "data": rows }).to_string())
            }
            (&Method::POST, ["addresses", "actions", "validate"]) => validate(&body),
            (&Method::POST, ["addresses"]) => state.make(body),
            (&Method::DELETE, ["addresses", id]) => match state.addresses.remove(*id) {
                Some(_) => (200, json!({"data": {"id": id}}).to_string()),
                None => refused(404, "10005", "no such address"),
            },
            (&Method::POST, ["phone_numbers", ID, "actions", "enable_emergency"]) => {
                let id = body["emergency_address_id"].as_str().unwrap().to_owned();
                assert_eq!(body["emergency_enabled"], true);
                if !state.addresses.contains_key(&id) {
                    return refused(422, "10015", "no such address");
                }
                state.address = Some(id);
                state.begin("provisioning");
                (202, json!({"data": state.row()}).to_string())
            }
            (&Method::POST, ["phone_numbers", "jobs", "update_emergency_settings"]) => {
                let wanted = json!({
                    "emergency_enabled": false, "emergency_address_id": null,
                    "phone_numbers": [{"id": ID}],
                });
                assert_eq!(body, wanted);
                state.address = None;
                state.begin("deprovisioning");
                (202, json!({"data": {"id": "j1", "status": "pending"}}).to_string())
            }
            (&Method::PATCH, ["phone_numbers", ID, "voice"]) => state.voice(&body),
            _ => refused(404, "10005", "no such resource"),
        }
    }
}

impl State {
    fn row(&mut self) -> Value {
        if self.status.ends_with("provisioning") {
            if self.looked >= self.looks {
                let done = if self.address.is_some() { "active" } else { "disabled" };
                self.status = self.outcome.unwrap_or(done);
            }
            self.looked += 1;
        }
        json!({
            "id": ID, "phone_number": self.number, "emergency_status": self.status,
            "emergency_enabled": self.address.is_some(), "emergency_address_id": self.address,
        })
    }

    fn begin(&mut self, status: &'static str) {
        (self.status, self.looked) = (status, 0);
    }

    fn make(&mut self, body: Value) -> Said {
        for member in [
            "first_name",
            "last_name",
            "business_name",
            "street_address",
            "locality",
            "country_code",
        ] {
            assert!(body[member].as_str().is_some_and(|text| !text.is_empty()), "{member}: {body}");
        }
        self.made += 1;
        let id = self.made.to_string();
        self.addresses.insert(id.clone(), body);
        (200, json!({"data": {"id": id, "record_type": "address"}}).to_string())
    }

    fn voice(&mut self, body: &Value) -> Said {
        let listing = &body["cnam_listing"];
        if let Some(enabled) = listing["cnam_listing_enabled"].as_bool() {
            let name = listing["cnam_listing_details"].as_str().map(str::to_owned);
            self.listing = name.filter(|_| enabled);
        }
        if let Some(enabled) = body["caller_id_name_enabled"].as_bool() {
            self.looks_up = enabled;
        }
        let shown = json!({"data": {
            "id": ID, "caller_id_name_enabled": self.looks_up,
            "cnam_listing": {
                "cnam_listing_enabled": self.listing.is_some(),
                "cnam_listing_details": self.listing,
            },
        }});
        (200, shown.to_string())
    }
}

fn validate(body: &Value) -> Said {
    let street = body["street_address"].as_str().unwrap();
    let (result, suggested, errors) = match street {
        it if it.starts_with("Nowhere") => {
            ("invalid", json!({}), json!([{"code": "1", "detail": "no such street"}]))
        }
        it if it.starts_with("Almost") => {
            ("invalid", json!({"street_address": "ALMOST ST", "postal_code": "94106"}), json!([]))
        }
        _ => ("valid", json!({}), json!([])),
    };
    let data = json!({"result": result, "suggested": suggested, "errors": errors});
    (200, json!({ "data": data }).to_string())
}

fn refused(status: u16, code: &str, detail: &str) -> Said {
    let error = json!({"code": code, "title": "Refused", "detail": detail});
    (status, json!({ "errors": [error] }).to_string())
}
