//! Who puts features on numbers: one file each, in `standard` by a line.
//!
//! A provider says what the public members of a number ask of it; [`plan`] holds that against what
//! is allowed and brings the number in line. That is pure. What must be put in place outside is done by
//! [`FeatureProvider::provide`], called once everything that can refuse has agreed and before the
//! number is saved; [`FeatureProvider::undo`] takes it back when the save fails. What must be taken
//! away outside ([`FeatureProvider::leftover`]) is written down before the save, and done after it by
//! [`FeatureProvider::settle`], until it is. What a human is to be told is said after the save, by a
//! [`Notifier`]. A provider that a vendor runs is named in [`VENDORS`], and made from its settings.

mod absent;
mod cnam_notifier;
mod dash_e911;
mod e911;
mod e911_notifier;
mod failover;
mod force_outbound;
mod mail;
mod messaging;
mod notice;
mod plan;
mod port_notifier;
mod prepend;
mod read;
mod ringback;
mod telnyx_cnam;
mod telnyx_e911;
mod vendor;
mod vitelity_cnam;
mod vitelity_e911;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use serde_json::{Map, Value};

pub use self::{
    mail::{MailConfig, MailSecurity, Mailer},
    notice::{LogNotifier, Notice, Notifier, Subject, Switch},
    plan::{DeniedFeature, clean, differs, plan, puts},
    vendor::Vendor,
};
use crate::domain::{ConfigurationError, E164, FeatureTerms, Number, State};
pub use crate::upstream::VendorError;

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
        provider: String,
        /// Why, for administrators only.
        reason: Option<VendorError>,
    },
}

impl ProviderError {
    /// A vendor's words for why its provider failed.
    #[must_use]
    pub fn failed(provider: &str, reason: VendorError) -> Self {
        Self::Failed { provider: provider.to_owned(), reason: Some(reason) }
    }

    /// Whether nobody knows if it was done all the same.
    #[must_use]
    pub fn is_doubtful(&self) -> bool {
        matches!(self, Self::Failed { reason: Some(reason), .. } if reason.is_doubtful())
    }

    /// The same for those who do not run the platform.
    #[must_use]
    pub fn without_reason(self) -> Self {
        match self {
            Self::Failed { provider, .. } => Self::Failed { provider, reason: None },
            other => other,
        }
    }
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

    /// Whether it does anything outside. One that does not is never asked to.
    fn acts_outside(&self) -> bool {
        false
    }

    /// Puts in place outside what a change puts on the number, before it is saved. Never called in a
    /// dry run, nor when nothing is put on it. `holder` is the name of who holds the number; what is
    /// written to `after` is saved.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; nothing is saved then.
    async fn provide(
        &self,
        _before: Option<&Number>,
        _after: &mut Number,
        _holder: Option<&str>,
    ) -> Result<(), ProviderError> {
        Ok(())
    }

    /// Takes back what [`FeatureProvider::provide`] did, since the number was certainly not saved.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]; it is settled later.
    async fn undo(&self, _step: Step<'_>) -> Result<(), ProviderError> {
        Ok(())
    }

    /// What is to be taken away outside once a change is saved; what is written to `after` is saved.
    /// `after` is `None` when the number is deleted.
    fn leftover(&self, _before: Option<&Number>, _after: Option<&mut Number>) -> Option<Value> {
        None
    }

    /// What is to be settled when nobody knows whether a change was saved, or done outside.
    fn in_doubt(&self, step: Step<'_>) -> Value {
        vendor::in_doubt(self.features(), step)
    }

    /// Brings the world outside in line with what a number is now (`None`: it is gone), as far as what
    /// was left says. May be asked again.
    ///
    /// # Errors
    ///
    /// [`ProviderError`]: it is to be tried again.
    async fn settle(
        &self,
        _number: &E164,
        _now: Option<&Number>,
        _left: &Value,
    ) -> Result<(), ProviderError> {
        Ok(())
    }

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

/// The providers that a vendor runs.
pub const VENDORS: [Vendor; 5] = [
    dash_e911::VENDOR,
    telnyx_cnam::VENDOR,
    telnyx_e911::VENDOR,
    vitelity_cnam::VENDOR,
    vitelity_e911::VENDOR,
];

/// Checks the settings of a vendor, by the name of its document. Those of one that provides nothing
/// here are not looked at.
///
/// # Errors
///
/// [`ConfigurationError`] names the first that cannot be used.
pub fn check_settings(
    vendor: &str,
    members: &Map<String, Value>,
) -> Result<(), ConfigurationError> {
    let mut vendors = VENDORS.iter().filter(|it| it.settings == vendor);
    vendors.try_for_each(|vendor| (vendor.open)(members).map(|_| ()))
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

    /// The provider of that name, if it needs no settings.
    #[must_use]
    pub fn given(&self, name: &str) -> Option<&Arc<dyn FeatureProvider>> {
        self.0.iter().find(|it| it.name() == name)
    }

    /// The vendors that are named on these terms.
    pub fn vendors(&self, terms: &FeatureTerms<'_>) -> impl Iterator<Item = &'static Vendor> {
        VENDORS.iter().filter(|vendor| terms.provider_of(vendor.member) == Some(vendor.name))
    }

    /// Who provides each member's features on these terms, those of vendors that were opened among
    /// them. A provider that the settings name and that is not here is stood in for by one that
    /// refuses.
    #[must_use]
    pub fn chosen(
        &self,
        terms: &FeatureTerms<'_>,
        opened: &[Arc<dyn FeatureProvider>],
    ) -> Vec<Arc<dyn FeatureProvider>> {
        MEMBERS.iter().map(|member| self.chosen_for(member, terms, opened)).collect()
    }

    fn chosen_for(
        &self,
        member: &'static str,
        terms: &FeatureTerms<'_>,
        opened: &[Arc<dyn FeatureProvider>],
    ) -> Arc<dyn FeatureProvider> {
        let wanted = terms.provider_of(member);
        let is_it = |it: &&Arc<dyn FeatureProvider>| {
            it.member() == member && wanted.is_none_or(|name| it.name() == name)
        };
        let found = self.0.iter().chain(opened).find(is_it).cloned();
        found.unwrap_or_else(|| absent::stand_in(member, wanted.unwrap_or(member)))
    }
}
