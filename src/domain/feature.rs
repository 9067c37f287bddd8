//! What can be put on a number, and which of it a number may have.

use super::{Number, State};

/// The features that there are, in the order in which the platform lists them.
pub const KNOWN_FEATURES: [&str; 12] = [
    "failover",
    "force_outbound",
    "prepend",
    "ringback",
    "cnam",
    "inbound_cnam",
    "outbound_cnam",
    "e911",
    "port",
    "sms",
    "mms",
    "carrier_name",
];

/// The features that numbers may have when nothing is configured.
pub const DEFAULT_FEATURES: [&str; 10] = [
    "carrier_name",
    "cnam",
    "e911",
    "failover",
    "force_outbound",
    "inbound_cnam",
    "outbound_cnam",
    "port",
    "prepend",
    "ringback",
];

/// Features that somebody outside provides and that cost money.
const EXTERNAL: [&str; 7] = ["cnam", "inbound_cnam", "outbound_cnam", "e911", "port", "sms", "mms"];

/// The feature that only an administrator may use.
const ADMIN_ONLY: &str = "carrier_name";

/// What the platform allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureRules {
    /// The features that numbers may have which have no list of their own.
    pub allow: Vec<String>,
    /// The features denied instead of what local numbers are denied, when set.
    pub deny: Option<Vec<String>>,
    /// Whether local numbers may have features of outside providers.
    pub local_override: bool,
}

impl Default for FeatureRules {
    fn default() -> Self {
        Self {
            allow: DEFAULT_FEATURES.map(str::to_owned).to_vec(),
            deny: None,
            local_override: false,
        }
    }
}

impl FeatureRules {
    /// The features that `number` may have, sorted; for an administrator or for anybody else.
    #[must_use]
    pub fn available(&self, number: &Number, is_admin: bool) -> Vec<String> {
        let own = &number.features_allowed;
        let allowed = if own.is_empty() { &self.allow } else { own };
        let mut available: Vec<String> = allowed
            .iter()
            .map(|name| legacy_name(name))
            .filter(|name| !self.denies(number, name, is_admin))
            .map(str::to_owned)
            .collect();
        available.sort();
        available.dedup();
        available
    }

    fn denies(&self, number: &Number, feature: &str, is_admin: bool) -> bool {
        if feature == ADMIN_ONLY && !is_admin {
            return true;
        }
        if !number.features_denied.is_empty() {
            return number.features_denied.iter().any(|denied| legacy_name(denied) == feature);
        }
        let by_rule = if number.owner.is_none() || matches!(number.state, State::Discovery) {
            EXTERNAL.contains(&feature)
        } else if let Some(deny) = &self.deny {
            deny.iter().any(|denied| legacy_name(denied) == feature)
        } else {
            number.is_local() && !self.local_override && EXTERNAL.contains(&feature)
        };
        by_rule || feature == "failover" && number.used_by.as_deref() != Some("trunkstore")
    }
}

/// Today's name of a feature that an older configuration may list under its provider's name.
fn legacy_name(name: &str) -> &str {
    let bare = name.strip_prefix("wnm_").unwrap_or(name);
    let bare = bare.strip_prefix("knm_").unwrap_or(bare);
    match bare {
        "cnam_notifier" | "telnyx_cnam" | "vitelity_cnam" => "cnam",
        "dash_e911" | "telnyx_e911" | "vitelity_e911" => "e911",
        "port_notifier" => "port",
        other => other,
    }
}
