//! Who puts features on numbers: one file each, in `standard` by a line.
//!
//! A provider says what the public members of a number ask of it; [`plan`] holds that against what
//! is allowed and brings the number in line. That is pure. What must be done outside is
//! [`FeatureProvider::provide`], called once everything that can refuse has agreed and before the
//! number is saved; [`FeatureProvider::undo`] takes it back when the save fails. What a human is to
//! be told is said after the save, by a [`Notifier`].

mod absent;
mod cnam_notifier;
mod e911_notifier;
mod failover;
mod force_outbound;
mod messaging;
mod notice;
mod plan;
mod port_notifier;
mod prepend;
mod read;
mod ringback;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use self::{
    notice::{LogNotifier, Notice, Notifier, Subject, Switch},
    plan::{DeniedFeature, clean, differs, plan},
};
use crate::domain::{FeatureTerms, Number, State};

/// The public members that ask for features, in the order in which they are looked at.
const MEMBERS: [&str; 9] =
    ["failover", "force_outbound", "prepend", "ringback", "cnam", "e911", "port", "sms", "mms"];

/// What a state of a number means to a provider's features.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// They are on the number as it asks for them.
    Held,
    /// They stay as they are.
    Left,
    /// They are taken off.
    Dropped,
}

/// A number before and after a change.
#[derive(Clone, Copy, Debug)]
pub struct Step<'a> {
    /// As it was read; `None` when it is new.
    pub before: Option<&'a Number>,
    /// As it is to be; `None` when it is deleted.
    pub after: Option<&'a Number>,
}

/// Why a provider did not provide. The number is not saved.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ProviderError {
    /// The settings name a provider that this build does not have, or that is not configured.
    #[error("provider '{provider}' of feature '{feature}' is not available")]
    Absent {
        /// What was asked for.
        feature: &'static str,
        /// The name in the settings.
        provider: String,
    },
    /// What was asked for is wrong.
    #[error("invalid")]
    Invalid {
        /// In what way.
        cause: String,
    },
    /// More than one address is meant.
    #[error("more than one address found")]
    Choices {
        /// What was asked for: the member with its value.
        feature: &'static str,
        /// The address as it was given.
        given: Value,
        /// Those that it may mean.
        candidates: Vec<Value>,
    },
    /// The provider failed.
    #[error("fault by provider '{provider}'")]
    Failed {
        /// The provider.
        provider: &'static str,
        /// How.
        #[source]
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
}

/// Puts features on numbers, and takes them off.
#[async_trait]
pub trait FeatureProvider: fmt::Debug + Send + Sync + 'static {
    /// Its name in settings and notices.
    fn name(&self) -> &str;

    /// The public member that asks for its features.
    fn member(&self) -> &'static str;

    /// The features that it puts on a number.
    fn features(&self) -> &'static [&'static str];

    /// What a state means to them: in service or gone, unless it says otherwise.
    fn holds_in(&self, state: State) -> Hold {
        if state == State::InService { Hold::Held } else { Hold::Dropped }
    }

    /// The features that the public members ask for, each with its settings.
    fn wanted(&self, public: &Map<String, Value>) -> Vec<(&'static str, Value)>;

    /// Whether what a number may not have is passed over in silence instead of refused.
    fn is_lenient(&self) -> bool {
        false
    }

    /// Whether what a number asked for earlier, and does not have, is put on it with the next change.
    fn rearms(&self) -> bool {
        true
    }

    /// Refuses a change before anything is done outside, in a dry run too.
    ///
    /// # Errors
    ///
    /// [`ProviderError`].
    fn check(&self, _step: Step<'_>) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Brings the world outside in line with a change of its features, before it is saved. Never
    /// called in a dry run, nor when its features stay as they are. `after` is `None` when the number
    /// is deleted; what is written to it is saved.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; nothing is saved then.
    async fn provide(
        &self,
        _before: Option<&Number>,
        _after: Option<&mut Number>,
    ) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Takes back what [`FeatureProvider::provide`] did, since the number was certainly not saved.
    async fn undo(&self, _step: Step<'_>) {}

    /// What a human is to be told now that the change is saved.
    fn notices(&self, _step: Step<'_>, _terms: &FeatureTerms<'_>) -> Vec<Subject> {
        Vec::new()
    }
}

/// The members whose features are put in place outside, whoever provides them.
const OUTSIDE: [&str; 2] = ["cnam", "e911"];

/// The providers of this build.
#[must_use]
fn standard() -> Vec<Arc<dyn FeatureProvider>> {
    vec![
        Arc::new(failover::Failover),
        Arc::new(force_outbound::ForceOutbound),
        Arc::new(prepend::Prepend),
        Arc::new(ringback::Ringback),
        Arc::new(cnam_notifier::CnamNotifier),
        Arc::new(e911_notifier::E911Notifier),
        Arc::new(port_notifier::PortNotifier),
        Arc::new(messaging::SMS),
        Arc::new(messaging::MMS),
    ]
}

/// The providers that can be chosen from.
#[derive(Clone, Debug)]
pub struct Registry(Arc<Vec<Arc<dyn FeatureProvider>>>);

impl Default for Registry {
    fn default() -> Self {
        Self(Arc::new(standard()))
    }
}

impl Registry {
    /// The providers of this build and another one.
    #[must_use]
    pub fn with(provider: impl FeatureProvider) -> Self {
        let mut providers = standard();
        providers.push(Arc::new(provider));
        Self(Arc::new(providers))
    }

    /// Whether a feature is more than what a document says: somebody outside has to put it in place.
    #[must_use]
    pub fn is_outside(&self, feature: &str) -> bool {
        let mut providers = self.0.iter().filter(|it| OUTSIDE.contains(&it.member()));
        providers.any(|it| it.features().contains(&feature))
    }

    /// Who provides each member's features on these terms. A provider that the settings name and
    /// that is not here is stood in for by one that refuses.
    #[must_use]
    pub fn chosen(&self, terms: &FeatureTerms<'_>) -> Vec<Arc<dyn FeatureProvider>> {
        MEMBERS.iter().map(|member| self.chosen_for(member, terms)).collect()
    }

    fn chosen_for(
        &self,
        member: &'static str,
        terms: &FeatureTerms<'_>,
    ) -> Arc<dyn FeatureProvider> {
        let wanted = terms.provider_of(member);
        let is_it = |it: &&Arc<dyn FeatureProvider>| {
            it.member() == member && wanted.is_none_or(|name| it.name() == name)
        };
        let found = self.0.iter().find(is_it).cloned();
        found.unwrap_or_else(|| absent::stand_in(member, wanted.unwrap_or(member)))
    }
}
