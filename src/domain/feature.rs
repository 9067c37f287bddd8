//! What can be put on a number, and which of it a number may have.
//!
//! Three layers say so: the number's own lists, the settings of its owner's reseller, the system's.
//! [`FeatureTerms`] holds them for one number; everybody who lists features or refuses one asks it.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value, json};

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

/// What the platform allows, and who provides what has several providers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureRules {
    /// The features that numbers may have which have no list of their own.
    pub allow: Vec<String>,
    /// The features denied instead of what local numbers are denied, when set.
    pub deny: Option<Vec<String>>,
    /// Whether local numbers may have features of outside providers.
    pub local_override: bool,
    /// Who provides caller names.
    pub cnam_provider: String,
    /// Who provides emergency addresses.
    pub e911_provider: String,
}

/// What a reseller says for the accounts below it; what is absent is the system's to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResellerFeatures {
    /// In place of [`FeatureRules::allow`].
    pub allow: Option<Vec<String>>,
    /// In place of [`FeatureRules::deny`].
    pub deny: Option<Vec<String>>,
    /// In place of [`FeatureRules::cnam_provider`].
    pub cnam_provider: Option<String>,
    /// In place of [`FeatureRules::e911_provider`].
    pub e911_provider: Option<String>,
}

/// How a carrier does text messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CarrierFeatures {
    /// Short ones.
    pub sms: Messaging,
    /// Those with pictures.
    pub mms: Messaging,
}

/// How a carrier does one kind of message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messaging {
    /// Whether it does it at all.
    pub enabled: bool,
    /// Who switches it on for a number.
    pub activation: Activation,
    /// The e-mail addresses of those who do it by hand.
    pub notify: Vec<String>,
}

/// Who switches a feature on at the carrier.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Activation {
    /// Nobody has to.
    #[default]
    Auto,
    /// A human.
    Manual,
}

/// Everything that decides which features one number may have.
#[derive(Clone, Debug)]
pub struct FeatureTerms<'a> {
    /// What the system says.
    pub system: &'a FeatureRules,
    /// What the reseller of the number's owner says.
    pub reseller: Arc<ResellerFeatures>,
    /// What the number's carrier does.
    pub carrier: Arc<CarrierFeatures>,
}

/// Whose list it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    /// The number's own.
    Number,
    /// The reseller's.
    Reseller,
    /// The system's.
    System,
}

/// Why a number may not have a feature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The list of what is allowed leaves it out.
    NotAllowed(Layer),
    /// It is on a list of what is denied.
    Denied(Layer),
    /// It is for administrators.
    AdminOnly,
    /// Nobody owns the number.
    Unowned,
    /// The number is a local one.
    Local,
    /// The number is not used by a trunk.
    NoTrunk,
    /// The carrier, or the number's state, has no messages.
    NoMessages,
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAllowed(layer) => {
                write!(f, "{layer}, which leave it out of what is allowed")
            }
            Self::Denied(layer) => write!(f, "{layer}, which deny it"),
            Self::AdminOnly => f.write_str("rule: it is for administrators"),
            Self::Unowned => f.write_str("rule: nobody owns the number"),
            Self::Local => f.write_str("rule: the number is local"),
            Self::NoTrunk => f.write_str("rule: the number is not used by trunkstore"),
            Self::NoMessages => f.write_str("rule: the number or its carrier has no messages"),
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Number => "the number's own lists",
            Self::Reseller => "the reseller's settings",
            Self::System => "the system's settings",
        })
    }
}

impl Activation {
    /// As settings and the wire spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }
}

impl CarrierFeatures {
    /// How the carrier does a feature, if that is a message.
    #[must_use]
    pub fn messaging(&self, feature: &str) -> Option<&Messaging> {
        match feature {
            "sms" => Some(&self.sms),
            "mms" => Some(&self.mms),
            _ => None,
        }
    }
}

impl Default for FeatureRules {
    fn default() -> Self {
        Self {
            allow: DEFAULT_FEATURES.map(str::to_owned).to_vec(),
            deny: None,
            local_override: false,
            cnam_provider: "knm_cnam_notifier".to_owned(),
            e911_provider: "knm_dash_e911".to_owned(),
        }
    }
}

impl FeatureTerms<'_> {
    /// The features that `number` may have, sorted; for an administrator or for anybody else.
    #[must_use]
    pub fn available(&self, number: &Number, is_admin: bool) -> Vec<String> {
        let (allowed, _) = self.allowed(number);
        let mut available: Vec<String> = allowed
            .iter()
            .map(|name| legacy_name(name))
            .filter(|name| self.denied(number, name, is_admin).is_none())
            .map(str::to_owned)
            .collect();
        available.sort();
        available.dedup();
        available
    }

    /// Why `number` may not have a feature; `None` when it may. Who may have `cnam` may have both
    /// parts of it.
    #[must_use]
    pub fn denial(&self, number: &Number, feature: &str, is_admin: bool) -> Option<Denial> {
        let (allowed, layer) = self.allowed(number);
        if !names(allowed, feature) {
            return Some(Denial::NotAllowed(layer));
        }
        self.denied(number, feature, is_admin)
    }

    /// The name of who provides caller names (`cnam`) or emergency addresses (`e911`); `None` for
    /// what only one provides.
    #[must_use]
    pub fn provider_of(&self, member: &str) -> Option<&str> {
        let (reseller, system) = match member {
            "cnam" => (&self.reseller.cnam_provider, &self.system.cnam_provider),
            "e911" => (&self.reseller.e911_provider, &self.system.e911_provider),
            _ => return None,
        };
        Some(reseller.as_ref().unwrap_or(system))
    }

    /// What interfaces need to know of the features that a number may have: how messages are
    /// switched on.
    #[must_use]
    pub fn settings(&self, available: &[String]) -> Map<String, Value> {
        let shown = available.iter().filter_map(|feature| {
            let messaging = self.carrier.messaging(feature)?;
            let activation = messaging.activation.as_str();
            let settings = json!({"enabled": messaging.enabled, "activation": activation});
            Some((feature.clone(), settings))
        });
        shown.collect()
    }

    /// Whose list says what `number` may have.
    #[must_use]
    pub fn allowed_by(&self, number: &Number) -> Layer {
        self.allowed(number).1
    }

    /// The list of what `number` may have that has none of its own.
    #[must_use]
    pub fn inherited(&self) -> &[String] {
        self.reseller.allow.as_ref().unwrap_or(&self.system.allow)
    }

    fn allowed<'b>(&'b self, number: &'b Number) -> (&'b [String], Layer) {
        if !number.features_allowed.is_empty() {
            return (&number.features_allowed, Layer::Number);
        }
        let layer = match &self.reseller.allow {
            Some(_) => Layer::Reseller,
            None => Layer::System,
        };
        (self.inherited(), layer)
    }

    fn denied(&self, number: &Number, feature: &str, is_admin: bool) -> Option<Denial> {
        if feature == ADMIN_ONLY && !is_admin {
            return Some(Denial::AdminOnly);
        }
        let denial = if number.features_denied.is_empty() {
            self.denied_by_rule(number, feature)
        } else {
            names(&number.features_denied, feature).then_some(Denial::Denied(Layer::Number))
        };
        denial.or_else(|| {
            let messaging = self.carrier.messaging(feature)?;
            let is_held = number.owner.is_some() && number.state == State::InService;
            (!is_held || !messaging.enabled).then_some(Denial::NoMessages)
        })
    }

    fn denied_by_rule(&self, number: &Number, feature: &str) -> Option<Denial> {
        let is_external = EXTERNAL.contains(&feature);
        if number.owner.is_none() || number.state == State::Discovery {
            if is_external {
                return Some(Denial::Unowned);
            }
        } else if let Some(deny) = &self.reseller.deny {
            if names(deny, feature) {
                return Some(Denial::Denied(Layer::Reseller));
            }
        } else if let Some(deny) = &self.system.deny {
            if names(deny, feature) {
                return Some(Denial::Denied(Layer::System));
            }
        } else if is_external && number.is_local() && !self.system.local_override {
            // The carrier of a number that is being ported in is only a stand-in for the one to come.
            let is_its_port = feature == "port" && number.state == State::PortIn;
            if !is_its_port {
                return Some(Denial::Local);
            }
        }
        let no_trunk = feature == "failover" && number.used_by.as_deref() != Some("trunkstore");
        no_trunk.then_some(Denial::NoTrunk)
    }
}

/// Whether a list names a feature, or the whole that it is a part of.
fn names(list: &[String], feature: &str) -> bool {
    let whole = matches!(feature, "inbound_cnam" | "outbound_cnam").then_some("cnam");
    list.iter().map(|name| legacy_name(name)).any(|name| name == feature || Some(name) == whole)
}

/// Today's name of a feature that an older configuration may list under its provider's name.
fn legacy_name(name: &str) -> &str {
    let bare = name.strip_prefix("wnm_").unwrap_or(name);
    let bare = bare.strip_prefix("knm_").unwrap_or(bare);
    match bare {
        "cnam_notifier" | "telnyx_cnam" | "vitelity_cnam" => "cnam",
        "dash_e911" | "telnyx_e911" | "vitelity_e911" | "e911_notifier" => "e911",
        "port_notifier" => "port",
        other => other,
    }
}

/// Takes a feature off a number, and out of what its owner wrote. What was written about a port
/// stays: it belongs to the port.
pub fn strip(number: &mut Number, feature: &str) {
    let paths: &[(&str, &str)] = match feature {
        "port" | ADMIN_ONLY => return,
        "e911" => &[("e911", ""), ("dash_e911", ""), ("vitelity_e911", ""), ("telnyx_e911", "")],
        "cnam" => &[("cnam", "inbound_lookup"), ("cnam", "display_name")],
        "inbound_cnam" => &[("cnam", "inbound_lookup")],
        "outbound_cnam" => &[("cnam", "display_name")],
        "prepend" => &[("prepend", "enabled"), ("prepend", "name"), ("prepend", "number")],
        "failover" => &[("failover", "e164"), ("failover", "sip")],
        "ringback" => &[("ringback", "early"), ("ringback", "transfer")],
        other => &[(other, "")],
    };
    number.features.shift_remove(feature);
    for (key, member) in paths {
        remove_path(&mut number.public, key, member);
    }
}

/// Removes a member of an object under `key`, and the object when it is empty then; the whole of it
/// for a member without a name.
fn remove_path(public: &mut Map<String, Value>, key: &str, member: &str) {
    let is_gone = match public.get_mut(key) {
        Some(Value::Object(members)) if !member.is_empty() => {
            members.shift_remove(member);
            members.is_empty()
        }
        _ => true,
    };
    if is_gone {
        public.shift_remove(key);
    }
}
