//! What every write of one number does about its features: check, plan, provide, save, tell.

use std::sync::Arc;

use super::{Error, NumberService, change::Decision};
use crate::{
    domain::{Actor, FeatureTerms, KNOWN_FEATURES, Number, strip},
    providers::{self, DeniedFeature, FeatureProvider, Notice, ProviderError, Step},
    repository::{RepositoryError, Saved, Settings, Stored},
};

/// A change whose features are decided, and who has to do with it.
struct Work<'a> {
    actor: &'a Actor,
    terms: FeatureTerms<'a>,
    before: Option<Number>,
    /// Whether the number is deleted.
    ends: bool,
    providers: Vec<Arc<dyn FeatureProvider>>,
}

impl NumberService {
    /// Saves what was decided: first the features are checked and planned, then everybody outside
    /// is asked, then the number is saved, then humans are told. When it is certain that the number
    /// was not saved, what was done outside is taken back.
    pub(super) async fn carry_out(
        &self,
        actor: &Actor,
        decision: Decision,
    ) -> Result<Saved, Error> {
        let (mut stored, ends) = match decision {
            Decision::Rewrite(stored) => return Ok(self.numbers.save(*stored).await?),
            Decision::Save(stored) => (stored, false),
            Decision::Delete(stored) => (stored, true),
        };
        let settings = self.settings.get().await?;
        let work = self.prepare(actor, &settings, &mut stored, ends).await?;
        let provided = self.provide(&work, &mut stored.number).await?;
        // Kept only for those who may have to take something back.
        let tried = (!provided.is_empty()).then(|| stored.number.clone());
        let saved = if ends {
            self.numbers.delete(*stored).await
        } else {
            self.numbers.save(*stored).await
        };
        match saved {
            Ok(saved) => {
                self.tell(&work, &saved.number).await;
                Ok(saved)
            }
            Err(err) => {
                if let Some(tried) = &tried {
                    take_back(&work, &provided, tried, &err).await;
                }
                Err(err.into())
            }
        }
    }

    /// Checks what is asked for newly and brings the features in line with it. Asks nobody outside.
    async fn prepare<'a>(
        &self,
        actor: &'a Actor,
        settings: &'a Settings,
        stored: &mut Stored,
        ends: bool,
    ) -> Result<Work<'a>, Error> {
        let before = stored.before().cloned();
        let after = &mut stored.number;
        // A number that nobody takes over had its features on the terms of its last owner.
        let basis = if after.owner.is_some() { &*after } else { before.as_ref().unwrap_or(after) };
        let terms = self.terms(basis, settings).await?;
        let providers = self.providers.chosen(&terms);
        if !ends {
            providers::clean(after);
            if let Some(before) = before.as_ref().filter(|it| it.carrier != after.carrier) {
                let old_terms = self.terms(before, settings).await?;
                strip_lost(&old_terms, before, &terms, after);
            }
            for provider in &providers {
                let denial =
                    |number: &Number, feature: &str| terms.denial(number, feature, actor.is_admin);
                providers::plan(&**provider, before.as_ref(), after, denial)?;
            }
        }
        let work = Work { actor, terms, before, ends, providers };
        for provider in &work.providers {
            provider.check(work.step(after))?;
        }
        Ok(work)
    }

    /// Asks everybody whose features change to do their part; returns those who did.
    async fn provide(
        &self,
        work: &Work<'_>,
        after: &mut Number,
    ) -> Result<Vec<Arc<dyn FeatureProvider>>, ProviderError> {
        let mut done: Vec<Arc<dyn FeatureProvider>> = Vec::new();
        if self.rehearses {
            return Ok(done);
        }
        for provider in &work.providers {
            if !providers::differs(&**provider, work.step(after)) {
                continue;
            }
            let number = (!work.ends).then_some(&mut *after);
            if let Err(err) = provider.provide(work.before.as_ref(), number).await {
                for provider in &done {
                    provider.undo(work.step(after)).await;
                }
                return Err(err);
            }
            done.push(provider.clone());
        }
        Ok(done)
    }

    /// Tells humans what is theirs to do.
    async fn tell(&self, work: &Work<'_>, after: &Number) {
        if self.rehearses {
            return;
        }
        for provider in &work.providers {
            for subject in provider.notices(work.step(after), &work.terms) {
                let asked_by = work.actor.name();
                let notice = Notice::new(subject, after, work.before.as_ref(), asked_by);
                self.notifier.send(notice).await;
            }
        }
    }

    /// Refuses to give a number another carrier when its lists do not allow that to anybody.
    pub(super) async fn may_rename(
        &self,
        number: &Number,
        settings: &Settings,
    ) -> Result<(), Error> {
        let feature = "carrier_name";
        let terms = self.terms(number, settings).await?;
        match terms.denial(number, feature, true) {
            None => Ok(()),
            Some(denial) => Err(DeniedFeature { feature, denial }.into()),
        }
    }

    /// Everything that decides which features a number may have.
    pub(super) async fn terms<'a>(
        &self,
        number: &Number,
        settings: &'a Settings,
    ) -> Result<FeatureTerms<'a>, Error> {
        let owner = match &number.owner {
            Some(owner) => self.accounts.get(owner).await?,
            None => None,
        };
        // A reseller's own numbers are on the system's terms.
        let reseller = owner
            .as_ref()
            .and_then(|owner| owner.reseller.as_ref().filter(|reseller| **reseller != owner.id));
        let reseller = match reseller {
            Some(reseller) => self.feature_settings.of_reseller(reseller).await?,
            None => Arc::default(),
        };
        let carrier = self.feature_settings.of_carrier(&number.carrier).await?;
        Ok(FeatureTerms { system: &settings.features, reseller, carrier })
    }
}

impl Work<'_> {
    fn step<'a>(&'a self, after: &'a Number) -> Step<'a> {
        Step { before: self.before.as_ref(), after: (!self.ends).then_some(after) }
    }
}

/// Takes off what the number may no longer have with its new carrier.
fn strip_lost(
    old_terms: &FeatureTerms<'_>,
    before: &Number,
    terms: &FeatureTerms<'_>,
    after: &mut Number,
) {
    let is_lost = |feature: &&str| {
        old_terms.denial(before, feature, true).is_none()
            && terms.denial(after, feature, true).is_some()
    };
    let lost: Vec<&str> = KNOWN_FEATURES.into_iter().filter(is_lost).collect();
    for feature in lost {
        strip(after, feature);
    }
}

/// Takes back what was done outside for a number that was not saved. When that is in doubt it stays:
/// an address too many harms nobody, one that is missing where the number says it is there does.
async fn take_back(
    work: &Work<'_>,
    provided: &[Arc<dyn FeatureProvider>],
    tried: &Number,
    err: &RepositoryError,
) {
    if err.leaves_doubt() {
        let providers: Vec<&str> = provided.iter().map(|provider| provider.name()).collect();
        tracing::warn!(
            number = tried.id.as_str(),
            providers = providers.join(","),
            "a number was perhaps not saved; what its providers did stays"
        );
        return;
    }
    for provider in provided {
        provider.undo(work.step(tried)).await;
    }
}
