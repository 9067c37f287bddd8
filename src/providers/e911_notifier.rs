//! Emergency addresses, put in place by a human who is asked to.

use serde_json::{Map, Value};

use super::{FeatureProvider, Hold, Step, Subject, Switch, e911};
use crate::domain::{FeatureTerms, State};

/// Keeps the address under `e911`, and asks a human to see to it when it changes or goes.
#[derive(Debug)]
pub(super) struct E911Notifier;

impl FeatureProvider for E911Notifier {
    fn name(&self) -> &'static str {
        "knm_e911_notifier"
    }

    fn member(&self) -> &'static str {
        e911::MEMBER
    }

    fn features(&self) -> &'static [&'static str] {
        e911::FEATURES
    }

    fn holds_in(&self, state: State) -> Hold {
        e911::holds_in(state)
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        e911::wanted(public)
    }

    fn notices(&self, step: Step<'_>, _: &FeatureTerms<'_>) -> Vec<Subject> {
        let address = step.put(e911::MEMBER).map(|address| (Switch::On, address));
        let address = address.or_else(|| step.taken(e911::MEMBER).map(|it| (Switch::Off, it)));
        let subject = |(switch, address): (Switch, &Value)| Subject::E911(switch, address.clone());
        address.map(subject).into_iter().collect()
    }
}
