//! Caller names, put in place by a human who is asked to.

use serde_json::{Map, Value, json};

use super::{FeatureProvider, Hold, Step, Subject, read};
use crate::domain::{FeatureTerms, State};

/// The name that callees see, and the one that is looked up for callers.
pub(super) const OUTBOUND: &str = "outbound_cnam";
pub(super) const INBOUND: &str = "inbound_cnam";

/// Keeps both parts of `cnam`, and asks a human for a name that is new.
#[derive(Debug)]
pub(super) struct CnamNotifier;

impl FeatureProvider for CnamNotifier {
    fn name(&self) -> &'static str {
        "knm_cnam_notifier"
    }

    fn member(&self) -> &'static str {
        "cnam"
    }

    fn features(&self) -> &'static [&'static str] {
        &[OUTBOUND, INBOUND]
    }

    fn holds_in(&self, state: State) -> Hold {
        holds_in(state)
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        wanted(public)
    }

    fn notices(&self, step: Step<'_>, _: &FeatureTerms<'_>) -> Vec<Subject> {
        match step.put(OUTBOUND) {
            Some(settings) => vec![Subject::Cnam(settings.clone())],
            None => Vec::new(),
        }
    }
}

/// Where caller names are held, whoever provides them.
pub(super) fn holds_in(state: State) -> Hold {
    match state {
        State::Reserved | State::InService | State::PortIn => Hold::Held,
        _ => Hold::Left,
    }
}

/// What `cnam` asks for, whoever provides it.
pub(super) fn wanted(public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
    let Some(cnam) = read::object(public, "cnam") else {
        return Vec::new();
    };
    let name = read::text(cnam, "display_name");
    let outbound = name.map(|name| (OUTBOUND, json!({ "display_name": name })));
    let inbound = (read::flag(cnam.get("inbound_lookup")) == Some(true))
        .then(|| (INBOUND, json!({ "inbound_lookup": true })));
    outbound.into_iter().chain(inbound).collect()
}
