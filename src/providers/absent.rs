//! Stands in for a provider that the settings name and that is not here: another program may have
//! put its features on numbers, and they stay until they are taken off.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    FeatureProvider, Hold, ProviderError, Step, Subject, Switch, cnam_notifier, e911_notifier,
};
use crate::domain::{FeatureTerms, State};

/// Refuses to put anything on a number. What is taken off one, a human is asked to take off where
/// it was provided.
#[derive(Debug)]
struct Absent<P> {
    name: String,
    known: P,
}

/// The stand-in for who is named as the provider of a member's features.
pub(super) fn stand_in(member: &'static str, name: &str) -> Arc<dyn FeatureProvider> {
    let name = name.to_owned();
    match member {
        "cnam" => Arc::new(Absent { name, known: cnam_notifier::CnamNotifier }),
        _ => Arc::new(Absent { name, known: e911_notifier::E911Notifier }),
    }
}

impl<P: FeatureProvider> FeatureProvider for Absent<P> {
    fn name(&self) -> &str {
        &self.name
    }

    fn member(&self) -> &'static str {
        self.known.member()
    }

    fn features(&self) -> &'static [&'static str] {
        self.known.features()
    }

    fn holds_in(&self, state: State) -> Hold {
        self.known.holds_in(state)
    }

    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
        self.known.wanted(public)
    }

    fn rearms(&self) -> bool {
        false
    }

    fn check(&self, step: Step<'_>) -> Result<(), ProviderError> {
        match self.features().iter().find(|feature| step.put(feature).is_some()) {
            None => Ok(()),
            Some(feature) => Err(ProviderError::Absent { feature, provider: self.name.clone() }),
        }
    }

    fn notices(&self, step: Step<'_>, _: &FeatureTerms<'_>) -> Vec<Subject> {
        let taken = self.features().iter().filter(|feature| step.taken(feature).is_some());
        let (switch, to) = (Switch::Off, Vec::new());
        let notice = |feature: &&'static str| Subject::ManualAction {
            feature,
            provider: self.name.clone(),
            switch,
            to: to.clone(),
        };
        taken.map(notice).collect()
    }
}
