//! Emergency addresses, put in place by a human who is asked to.

use serde_json::{Map, Value};

use super::{FeatureProvider, Hold, Step, Subject, Switch, read};
use crate::domain::{FeatureTerms, State};

/// Keeps the address under `e911`, and asks a human to see to it when it changes or goes.
#[derive(Debug)]
pub(super) struct E911Notifier;

impl FeatureProvider for E911Notifier {
    fn name(&self) -> &'static str {
        "knm_e911_notifier"
    }

    fn member(&self) -> &'static str {
        "e911"
    }

    fn features(&self) -> &'static [&'static str] {
        &["e911"]
    }

    fn holds_in(&self, state: State) -> Hold {
        holds_in(state)
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        wanted(public)
    }

    fn notices(&self, step: Step<'_>, _: &FeatureTerms<'_>) -> Vec<Subject> {
        let address = step.put("e911").map(|address| (Switch::On, address));
        let address = address.or_else(|| step.taken("e911").map(|it| (Switch::Off, it)));
        let subject = |(switch, address): (Switch, &Value)| Subject::E911(switch, address.clone());
        address.map(subject).into_iter().collect()
    }
}

/// Where addresses are held, whoever provides them.
pub(super) fn holds_in(state: State) -> Hold {
    match state {
        State::Reserved | State::InService | State::PortIn => Hold::Held,
        _ => Hold::Dropped,
    }
}

/// What `e911` asks for, whoever provides it.
pub(super) fn wanted(public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
    let address = read::object(public, "e911");
    address.map(|address| ("e911", Value::Object(address.clone()))).into_iter().collect()
}
