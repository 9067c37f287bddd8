//! Where calls go when the trunk that a number routes to is down.

use serde_json::{Map, Value};

use super::{FeatureProvider, read};

/// Keeps the number or the address that `failover` names.
#[derive(Debug)]
pub(super) struct Failover;

impl FeatureProvider for Failover {
    fn name(&self) -> &'static str {
        "knm_failover"
    }

    fn member(&self) -> &'static str {
        "failover"
    }

    fn features(&self) -> &'static [&'static str] {
        &["failover"]
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        let named = read::object(public, "failover").filter(|members| {
            read::text(members, "e164").is_some() || read::text(members, "sip").is_some()
        });
        named.map(|members| ("failover", Value::Object(members.clone()))).into_iter().collect()
    }
}
