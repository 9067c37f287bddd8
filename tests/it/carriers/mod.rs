//! Carriers against vendors over real sockets.

mod conformance;
mod other;
mod telnyx;

use std::sync::Arc;

use number_manager::{
    carriers::{self, Ability, Module, Offered, Order, OutsideCarrier, Wanted},
    domain::{CarrierName, E164},
};
use serde_json::{Map, Value, json};

use crate::support::{
    other::{self as phonebook, Phonebook},
    telnyx::{self as fake_telnyx, Telnyx},
    vendor::{Vendor, VendorServer},
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
    /// The path that ends the request which buys.
    order: &'static str,
    /// Whether it takes orders that are carried out later.
    has_orders: bool,
}

/// A vendor for each carrier that can be asked.
fn fakes() -> Vec<Fake> {
    vec![
        Fake {
            name: "knm_other",
            vendor: || Box::new(Phonebook::default()),
            settings: || json!({"token": phonebook::TOKEN}),
            secret: phonebook::TOKEN,
            order: "/order",
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
    ]
}

impl Fake {
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
        (self.module().open)(&members).unwrap()
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
