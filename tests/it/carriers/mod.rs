//! Carriers against vendors over real sockets.

mod bandwidth2;
mod conformance;
mod other;
mod simwood;
mod telnyx;
mod vitelity;
mod voip_innovations;

use std::sync::Arc;

use number_manager::{
    carriers::{self, Ability, Module, Offered, Order, OutsideCarrier, Wanted},
    domain::{CarrierName, E164},
};
use serde_json::{Map, Value, json};

use crate::support::{
    bandwidth::{self as fake_bandwidth, Bandwidth},
    other::{self as phonebook, Phonebook},
    simwood::{self as fake_simwood, Simwood},
    telnyx::{self as fake_telnyx, Telnyx},
    vendor::{Vendor, VendorServer},
    vitelity::{self as fake_vitelity, Vitelity},
    voip_innovations::{self as fake_voip_innovations, VoipInnovations},
};

const NUMBER: &str = "+14155550100";
const OTHER: &str = "+14155550101";
const COUNTRY: &str = "US";

/// A vendor that a carrier of the registry can be tried with.
struct Fake {
    /// The carrier.
    name: &'static str,
    vendor: fn() -> Box<dyn Vendor>,
    /// The secrets that the vendor lets in, and what else has to be set.
    settings: fn() -> Value,
    /// The secret that must not be told.
    secret: &'static str,
    /// What the path of the request ends with which buys, or what its body holds.
    order: &'static str,
    /// Whether it takes orders that are carried out later.
    has_orders: bool,
}

/// A vendor for each carrier that can be asked.
fn fakes() -> Vec<Fake> {
    vec![
        Fake {
            name: "knm_bandwidth2",
            vendor: || Box::new(Bandwidth::default()),
            settings: || {
                json!({
                    "account_id": fake_bandwidth::ACCOUNT, "client_id": "client",
                    "client_secret": fake_bandwidth::SECRET, "site_id": "1001",
                    "sip_peer": "500001",
                })
            },
            secret: fake_bandwidth::SECRET,
            order: "/orders",
            has_orders: true,
        },
        Fake {
            name: "knm_other",
            vendor: || Box::new(Phonebook::default()),
            settings: || json!({"token": phonebook::TOKEN}),
            secret: phonebook::TOKEN,
            order: "/order",
            has_orders: false,
        },
        Fake {
            name: "knm_simwood",
            vendor: || Box::new(Simwood::default()),
            settings: || {
                json!({
                    "simwood_account_id": fake_simwood::ACCOUNT, "auth_username": "me",
                    "auth_password": fake_simwood::PASSWORD,
                })
            },
            secret: fake_simwood::PASSWORD,
            order: "/14155550100",
            has_orders: false,
        },
        Fake {
            name: "knm_telnyx",
            vendor: || Box::new(Telnyx::default()),
            settings: || json!({"token": fake_telnyx::KEY}),
            secret: fake_telnyx::KEY,
            order: "/number_orders",
            has_orders: true,
        },
        Fake {
            name: "knm_vitelity",
            vendor: || Box::new(Vitelity::default()),
            settings: || json!({"login": "acme", "pass": fake_vitelity::PASS, "routesip": "sip1"}),
            secret: fake_vitelity::PASS,
            order: "cmd=getlocaldid",
            has_orders: false,
        },
        Fake {
            name: "knm_voip_innovations",
            vendor: || Box::new(VoipInnovations::default()),
            settings: || {
                json!({
                    "login": "acme", "password": fake_voip_innovations::PASSWORD,
                    "endpoint_group": 1234,
                })
            },
            secret: fake_voip_innovations::PASSWORD,
            order: "<assignDID",
            has_orders: false,
        },
    ]
}

impl Fake {
    fn of(name: &str) -> Self {
        fakes().into_iter().find(|fake| fake.name == name).unwrap()
    }

    fn module(&self) -> &'static Module {
        let name = CarrierName::read(self.name).unwrap();
        carriers::find(&name).unwrap().module.unwrap()
    }

    fn can(&self, ability: Ability) -> bool {
        self.module().abilities.contains(&ability)
    }

    /// The carrier that asks this server, with more settings.
    fn open(&self, server: &VendorServer, more: Value) -> Arc<dyn OutsideCarrier> {
        let mut members = object((self.settings)());
        members.insert(self.module().address.to_owned(), server.url().into());
        // Tests do not wait.
        members.insert("order_poll_ms".to_owned(), 10.into());
        members.insert("requests_per_second".to_owned(), 0.into());
        members.extend(object(more));
        self.module().open(&members).unwrap()
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("the tables hold objects") };
    members
}

/// A vendor's server, and the carrier that asks it.
async fn opened(fake: &Fake, more: Value) -> (VendorServer, Arc<dyn OutsideCarrier>) {
    let server = VendorServer::start((fake.vendor)()).await;
    let carrier = fake.open(&server, more);
    (server, carrier)
}

fn wanted(prefix: &str) -> Wanted {
    let (prefix, country) = (prefix.to_owned(), COUNTRY.to_owned());
    Wanted { prefix, country, quantity: 10, account: None }
}

fn order(number: &str) -> Order {
    let offered = Offered { number: E164::parse(number).unwrap(), data: Some(json!({"a": 1})) };
    Order { offered, reference: number.trim_start_matches('+').repeat(2) }
}
