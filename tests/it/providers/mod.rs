//! Providers of features against vendors over real sockets.

mod conformance;
mod dash;
mod telnyx;
mod vitelity;

use std::sync::{Arc, LazyLock};

use number_manager::{
    domain::{Actor, CarrierName, E164, FeatureRules, FeatureTerms, Number, State},
    providers::{FeatureProvider, ProviderError, VENDORS, VendorError},
};
use serde_json::{Map, Value, json};

use crate::support::{
    dash::{self as fake_dash, Dash},
    telnyx as fake_telnyx,
    telnyx_features::TelnyxFeatures,
    vendor::{Vendor, VendorServer},
    vitelity as fake_vitelity,
    vitelity_features::VitelityFeatures,
};

const NUMBER: &str = "+14155550100";
const HOLDER: Option<&str> = Some("Acme & Sons");

/// What nobody said anything about.
static RULES: LazyLock<FeatureRules> = LazyLock::new(FeatureRules::default);
static TERMS: LazyLock<FeatureTerms<'static>> = LazyLock::new(|| FeatureTerms {
    system: &RULES,
    reseller: Arc::default(),
    carrier: Arc::default(),
});

/// A vendor that a provider of the registry can be tried with.
struct Fake {
    /// The provider.
    name: &'static str,
    vendor: fn() -> Box<dyn Vendor>,
    /// The secrets that the vendor lets in.
    settings: fn() -> Value,
    /// The secret that must not be told.
    secret: &'static str,
    /// What is asked for.
    wish: fn() -> Value,
}

/// A vendor for each provider that can be asked.
fn fakes() -> Vec<Fake> {
    type Wish = fn() -> Value;
    let telnyx = |name, wish: Wish| Fake {
        name,
        vendor: || Box::new(TelnyxFeatures::with(NUMBER)),
        settings: || json!({ "token": fake_telnyx::KEY }),
        secret: fake_telnyx::KEY,
        wish,
    };
    let vitelity = |name, wish: Wish| Fake {
        name,
        vendor: || Box::new(VitelityFeatures::with(NUMBER)),
        settings: || json!({"login": "acme", "pass": fake_vitelity::PASS}),
        secret: fake_vitelity::PASS,
        wish,
    };
    let address = || json!({ "e911": address("100 Main St") });
    let names = || json!({"cnam": {"display_name": "ACME", "inbound_lookup": true}});
    vec![
        Fake {
            name: "knm_dash_e911",
            vendor: || Box::new(Dash::default()),
            settings: || json!({"auth_username": fake_dash::USER, "auth_password": fake_dash::PASSWORD}),
            secret: fake_dash::PASSWORD,
            wish: address,
        },
        telnyx("knm_telnyx_e911", address),
        telnyx("knm_telnyx_cnam", names),
        vitelity("knm_vitelity_e911", address),
        vitelity("knm_vitelity_cnam", names),
    ]
}

impl Fake {
    fn of(name: &str) -> Self {
        fakes().into_iter().find(|fake| fake.name == name).unwrap()
    }

    fn vendor(&self) -> &'static number_manager::providers::Vendor {
        VENDORS.iter().find(|vendor| vendor.name == self.name).unwrap()
    }

    /// The provider that asks this server, with more settings.
    fn open(&self, server: &VendorServer, more: Value) -> Arc<dyn FeatureProvider> {
        let mut members = object((self.settings)());
        members.insert(self.vendor().address.to_owned(), server.url().into());
        // Tests do not wait.
        members.insert("requests_per_second".to_owned(), 0.into());
        members.insert("order_poll_ms".to_owned(), 10.into());
        members.extend(object(more));
        self.vendor().open(&members).unwrap().unwrap()
    }
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(members) = value else { panic!("the tables hold objects") };
    members
}

fn address(street: &str) -> Value {
    json!({
        "street_address": street, "locality": "San Francisco", "region": "CA",
        "postal_code": "94105",
    })
}

/// A number in service that asks for this and has it, as far as the provider puts it there.
fn number(provider: &dyn FeatureProvider, wish: Value) -> Number {
    let id = E164::parse(NUMBER).unwrap();
    let actor = Actor::operator();
    let mut number = Number::new(id, State::InService, CarrierName::local(), &actor, 0);
    number.public = object(wish);
    for (name, value) in provider.wanted(&number.public) {
        number.features.insert(name.to_owned(), value);
    }
    number
}

/// The reason why a provider failed.
fn reason(err: ProviderError) -> VendorError {
    match err {
        ProviderError::Failed { reason: Some(reason), .. } => reason,
        other => panic!("{other:?}"),
    }
}
