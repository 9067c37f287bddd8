//! Who provides features, and what they do outside for a change: put in place before it is written,
//! taken back when it was not. What is to be taken away is left to `leftovers`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::Instant,
};

use serde_json::{Map, Value};
use tokio::time::timeout;

use super::{Error, NumberService, vendors::REMEMBERED};
use crate::{
    domain::{E164, FeatureTerms, Number},
    providers::{self, FeatureProvider, ProviderError, Step, VENDORS, Vendor, VendorError},
    repository::{Left, Matter, RepositoryError},
};

/// The providers of vendors that were opened, by name.
pub(super) type Opened = Arc<Mutex<HashMap<&'static str, Known>>>;

/// A provider and what it was opened with; none when that was not enough.
#[derive(Clone, Debug)]
pub(super) struct Known {
    members: Map<String, Value>,
    provider: Option<Arc<dyn FeatureProvider>>,
    read_at: Instant,
}

/// What was done outside for a number that is about to be written.
#[derive(Clone, Debug, Default)]
pub(super) struct Provided {
    /// Those who put something in place.
    putting: Vec<Arc<dyn FeatureProvider>>,
    /// Whether something is left to be done once it is written.
    has_left: bool,
}

impl Provided {
    /// Whether nobody had to do anything.
    pub(super) fn is_nothing(&self) -> bool {
        self.putting.is_empty() && !self.has_left
    }
}

impl NumberService {
    /// Who provides each member's features on these terms to these numbers. A vendor that is not set
    /// up is stood in for by one that refuses.
    pub(super) async fn providers_on(
        &self,
        terms: &FeatureTerms<'_>,
        numbers: &[Option<&Number>],
    ) -> Result<Vec<Arc<dyn FeatureProvider>>, Error> {
        let mut opened = Vec::new();
        for vendor in self.providers.vendors(terms) {
            if numbers.iter().flatten().any(|number| vendor.concerns(number)) {
                opened.extend(self.opened_by(vendor).await?);
            }
        }
        Ok(self.providers.chosen(terms, &opened))
    }

    /// The provider of that name, if it can be asked.
    pub(super) async fn provider(
        &self,
        name: &str,
    ) -> Result<Option<Arc<dyn FeatureProvider>>, Error> {
        if let Some(given) = self.providers.given(name) {
            return Ok(Some(given.clone()));
        }
        match VENDORS.iter().find(|vendor| vendor.name == name) {
            Some(vendor) => self.opened_by(vendor).await,
            None => Ok(None),
        }
    }

    async fn opened_by(
        &self,
        vendor: &'static Vendor,
    ) -> Result<Option<Arc<dyn FeatureProvider>>, Error> {
        let known = self.opened_providers().get(vendor.name).cloned();
        if let Some(known) = known.as_ref().filter(|it| it.read_at.elapsed() < REMEMBERED) {
            return Ok(known.provider.clone());
        }
        let members = match (self.members_of(vendor.settings).await, &known) {
            (Ok(members), _) => members,
            // Those before stay in force.
            (Err(err), Some(known)) => {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(
                    provider = vendor.name,
                    error = cause,
                    "settings of a provider cannot be read"
                );
                return Ok(known.provider.clone());
            }
            (Err(err), None) => return Err(err.into()),
        };
        let known = reopened(vendor, members, known);
        let provider = known.provider.clone();
        self.opened_providers().insert(vendor.name, known);
        Ok(provider)
    }

    fn opened_providers(&self) -> MutexGuard<'_, HashMap<&'static str, Known>> {
        self.opened_providers.lock().expect("no panic while holding this lock")
    }

    /// Does outside what a change needs before it is written: puts in place what it puts on the number,
    /// and writes down what is to be taken away once it is written. `rev` is the revision that was
    /// read; `after` is `None` when the number is deleted.
    pub(super) async fn bring_about(
        &self,
        providers: &[Arc<dyn FeatureProvider>],
        before: Option<&Number>,
        mut after: Option<&mut Number>,
        rev: Option<&str>,
    ) -> Result<Provided, Error> {
        let mut done = Provided::default();
        let acting: Vec<_> = providers.iter().filter(|it| it.acts_outside()).collect();
        for provider in &acting {
            let Some(after) = after.as_deref_mut() else { break };
            if !providers::puts(&***provider, Step { before, after: Some(after) }) {
                continue;
            }
            if let Err(err) = self.put_in_place(provider, before, after).await {
                self.take_back(&done, Step { before, after: Some(after) }).await;
                return Err(err);
            }
            done.putting.push(Arc::clone(provider));
        }
        let mut left = Vec::new();
        for provider in acting {
            if let Some(data) = provider.leftover(before, after.as_deref_mut()) {
                left.push(Left { provider: provider.name().to_owned(), data });
            }
        }
        if let Some(before) = before.filter(|_| !left.is_empty()) {
            if let Err(err) = self.leave(&before.id, &left, rev, self.numbers.now()).await {
                self.take_back(&done, Step { before: Some(before), after: after.as_deref() }).await;
                return Err(err.into());
            }
            done.has_left = true;
        }
        Ok(done)
    }

    async fn put_in_place(
        &self,
        provider: &Arc<dyn FeatureProvider>,
        before: Option<&Number>,
        after: &mut Number,
    ) -> Result<(), Error> {
        let settings = &*self.settings.get().await?;
        let holder = match &after.owner {
            Some(owner) => self.accounts.get(owner).await?,
            None => None,
        };
        let holder = holder.as_ref().map(|holder| holder.name.as_str());
        let limit = settings.search.provider_timeout;
        self.hold_leftover(settings, &after.id).await?;
        let put = timeout(limit, provider.provide(before, after, holder)).await;
        let put = put.unwrap_or_else(|_| {
            let slow = VendorError::doubtful("it took too long");
            Err(ProviderError::failed(provider.name(), slow))
        });
        let Err(err) = put else { return Ok(()) };
        if let ProviderError::Failed { reason: Some(reason), .. } = &err {
            let (provider, number) = (provider.name(), after.id.as_str());
            tracing::warn!(provider, number, error = %reason, "a provider failed");
        }
        if err.is_doubtful() {
            let step = Step { before, after: Some(after) };
            self.leave_in_doubt(&**provider, step, None, self.numbers.now()).await;
        }
        Err(err.into())
    }

    /// Takes back what was put in place for a number that certainly was not written. What cannot be is
    /// settled later.
    pub(super) async fn take_back(&self, done: &Provided, step: Step<'_>) {
        for provider in &done.putting {
            if let Err(err) = provider.undo(step).await {
                let provider_name = provider.name();
                tracing::warn!(
                    provider = provider_name,
                    error = %err,
                    "what was provided is taken back later"
                );
                self.leave_in_doubt(&**provider, step, None, self.numbers.now()).await;
            }
        }
    }

    /// Sees to it later that what is outside agrees with the number, of which nobody knows whether it
    /// was written.
    pub(super) async fn settle_doubt(&self, done: &Provided, step: Step<'_>, rev: Option<&str>) {
        let Ok(settings) = self.settings.get().await else { return };
        // By then no write can still be under way.
        let due = self.numbers.now() + settings.search.settle_retry;
        for provider in &done.putting {
            self.leave_in_doubt(&**provider, step, rev, due).await;
        }
    }

    async fn leave_in_doubt(
        &self,
        provider: &dyn FeatureProvider,
        step: Step<'_>,
        rev: Option<&str>,
        due: i64,
    ) {
        let Some(number) = step.after.or(step.before).map(|number| &number.id) else { return };
        let left = Left { provider: provider.name().to_owned(), data: provider.in_doubt(step) };
        if let Err(err) = self.leave(number, &[left], rev, due).await {
            let cause: &(dyn std::error::Error + 'static) = &err;
            let (provider, number) = (provider.name(), number.as_str());
            tracing::error!(
                provider,
                number,
                error = cause,
                "what was provided may differ from what the number says"
            );
        }
    }

    async fn leave(
        &self,
        number: &E164,
        left: &[Left],
        rev: Option<&str>,
        due: i64,
    ) -> Result<(), RepositoryError> {
        self.numbers.leave(Matter::Features, number, left, rev, due).await
    }

    /// Goes on, in the background, with what was left when a number was written.
    pub(super) fn go_on_with(&self, done: &Provided, number: &Number) {
        if done.has_left {
            self.settle_leftover_soon(Matter::Features, number.id.clone());
        }
    }
}

/// Opens a provider, unless it was opened with these settings before: what it has under way, and how
/// often it was asked, is remembered with it.
fn reopened(vendor: &'static Vendor, members: Map<String, Value>, known: Option<Known>) -> Known {
    let read_at = Instant::now();
    match known {
        Some(known) if known.members == members => Known { read_at, ..known },
        _ => {
            let provider = vendor.open(&members).unwrap_or_else(|err| {
                let provider = vendor.name;
                tracing::error!(provider, error = %err, "the settings of a provider are refused");
                None
            });
            Known { members, provider, read_at }
        }
    }
}
