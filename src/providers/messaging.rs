//! Text messages, short ones and those with pictures: the carrier's settings say whether it does
//! them, and whether a human switches them on.

use serde_json::{Map, Value};

use super::{FeatureProvider, Step, Subject, Switch, read};
use crate::domain::{Activation, FeatureTerms};

/// Keeps one kind of message on a number while it is switched on.
#[derive(Debug)]
pub(super) struct Messages {
    name: &'static str,
    features: [&'static str; 1],
}

/// Short ones.
pub(super) const SMS: Messages = Messages { name: "knm_sms", features: ["sms"] };
/// Those with pictures.
pub(super) const MMS: Messages = Messages { name: "knm_mms", features: ["mms"] };

impl FeatureProvider for Messages {
    fn name(&self) -> &'static str {
        self.name
    }

    fn member(&self) -> &'static str {
        self.features[0]
    }

    fn features(&self) -> &'static [&'static str] {
        match self.member() {
            "sms" => &["sms"],
            _ => &["mms"],
        }
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        let member = self.member();
        read::enabled(public, member).map(|value| (member, value)).into_iter().collect()
    }

    fn is_lenient(&self) -> bool {
        true
    }

    fn notices(&self, step: Step<'_>, terms: &FeatureTerms<'_>) -> Vec<Subject> {
        let feature = self.member();
        let Some(messaging) = terms.carrier.messaging(feature) else {
            return Vec::new();
        };
        let switch = if step.put(feature).is_some() {
            Switch::On
        } else if step.taken(feature).is_some() {
            Switch::Off
        } else {
            return Vec::new();
        };
        if messaging.activation != Activation::Manual {
            return Vec::new();
        }
        let (provider, to) = (self.name.to_owned(), messaging.notify.clone());
        vec![Subject::ManualAction { feature, provider, switch, to }]
    }
}
