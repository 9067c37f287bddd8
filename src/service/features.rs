//! What every write of one number does about its features: check, plan, provide, save, tell.

use std::sync::Arc;

use super::{Error, NumberService, change::Target, providing::Provided};
use crate::{
    domain::{Actor, FeatureTerms, KNOWN_FEATURES, Number, strip},
    providers::{self, DeniedFeature, FeatureProvider, Notice, Step},
    repository::{Decision, RepositoryError, Saved, Settings},
};

/// What was decided about a number, its features included.
pub(super) struct Planned<'a> {
    pub(super) decision: Decision,
    /// What is to be done for its features beside saving it; none when they are not concerned.
    pub(super) work: Option<Work<'a>>,
}

/// A change whose features are decided, and who has to do with it.
pub(super) struct Work<'a> {
    actor: &'a Actor,
    terms: FeatureTerms<'a>,
    before: Option<Number>,
    /// The revision that was read.
    rev: Option<String>,
    /// Whether the number is deleted.
    ends: bool,
    providers: Vec<Arc<dyn FeatureProvider>>,
    /// What was done outside, and the number that it was done for.
    provided: Option<(Provided, Number)>,
}

impl NumberService {
    /// Checks what is asked for newly and brings the features in line with it. Asks nobody outside.
    pub(super) async fn plan_features<'a>(
        &self,
        target: &Target<'a>,
        mut decision: Decision,
    ) -> Result<Planned<'a>, Error> {
        let (actor, settings) = (target.actor, target.settings);
        let ends = decision.ends();
        let before = decision.stored().before().cloned();
        let rev = decision.stored().rev_text().map(str::to_owned);
        let after = &mut decision.stored_mut().number;
        // A number that nobody takes over had its features on the terms of its last owner.
        let basis = if after.owner.is_some() { &*after } else { before.as_ref().unwrap_or(after) };
        let terms = self.feature_terms(basis, settings).await?;
        let providers = self.providers_on(&terms, &[before.as_ref(), Some(&*after)]).await?;
        if !ends {
            providers::clean(after);
            if let Some(before) = before.as_ref().filter(|it| it.carrier != after.carrier) {
                let old_terms = self.feature_terms(before, settings).await?;
                strip_lost(&old_terms, before, &terms, after);
            }
            for provider in &providers {
                let denial =
                    |number: &Number, feature: &str| terms.denial(number, feature, actor.is_admin);
                providers::plan(&**provider, before.as_ref(), after, denial)?;
            }
        }
        let work = Work { actor, terms, before, rev, ends, providers, provided: None };
        for provider in &work.providers {
            provider.check(work.step(after))?;
        }
        Ok(Planned { decision, work: Some(work) })
    }

    /// Asks everybody whose features change to do their part.
    pub(super) async fn provide<'a>(&self, mut planned: Planned<'a>) -> Result<Planned<'a>, Error> {
        let Some(work) = planned.work.as_mut().filter(|_| !self.rehearses) else {
            return Ok(planned);
        };
        let after = &mut planned.decision.stored_mut().number;
        let (before, rev) = (work.before.as_ref(), work.rev.as_deref());
        let number = (!work.ends).then_some(&mut *after);
        let provided = Box::pin(self.bring_about(&work.providers, before, number, rev)).await;
        let provided = provided.map_err(|err| match err {
            // Why is for who runs the platform; it is in the log as well.
            Error::Provider(err) if !work.actor.is_admin => err.without_reason().into(),
            err => err,
        })?;
        if !provided.is_nothing() {
            work.provided = Some((provided, after.clone()));
        }
        Ok(planned)
    }

    /// Tells humans about a number that was saved; takes back what was done outside for one that
    /// certainly was not.
    pub(super) async fn end_features(
        &self,
        work: Option<Work<'_>>,
        saved: Result<Saved, RepositoryError>,
    ) -> Result<Saved, RepositoryError> {
        let Some(work) = work else {
            return saved;
        };
        match &saved {
            Ok(saved) => {
                if let Some((provided, _)) = &work.provided {
                    self.go_on_with(provided, &saved.number);
                }
                self.tell(&work, &saved.number).await;
            }
            Err(err) => Box::pin(self.end_unsaved(&work, err)).await,
        }
        saved
    }

    /// Takes back what was done outside for a number that was not saved. When that is in doubt it
    /// stays, and is held against the number later: an address too many harms nobody, one that is
    /// missing where the number says it is there does.
    async fn end_unsaved(&self, work: &Work<'_>, err: &RepositoryError) {
        let Some((provided, tried)) = &work.provided else {
            return;
        };
        let step = work.step(tried);
        if err.leaves_doubt() {
            self.settle_doubt(provided, step, work.rev.as_deref()).await;
        } else {
            self.take_back(provided, step).await;
        }
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
                self.notify(notice).await;
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
        let terms = self.feature_terms(number, settings).await?;
        match terms.denial(number, feature, true) {
            None => Ok(()),
            Some(denial) => Err(DeniedFeature { feature, denial }.into()),
        }
    }

    /// Everything that decides which features a number may have.
    pub(super) async fn feature_terms<'a>(
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
pub(super) fn strip_lost(
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
