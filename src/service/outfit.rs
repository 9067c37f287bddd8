//! The features of numbers that a job changes row by row: what is done outside before they are written,
//! and whom it is told to afterwards. A job plans its pages where nobody outside is asked or told
//! anything; in the ordinary way of a change this is part of it (`features`).

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Error, NumberService, RowDone};
use crate::{
    domain::{Actor, Number, State},
    providers::{self, FeatureProvider, Notice, Step},
};

/// Numbers whose features change, as they were and as they are to be.
#[derive(Debug)]
pub struct Outfit {
    actor: Actor,
    planned: Mutex<HashMap<String, Change>>,
}

/// A number before and after; no longer there when it is deleted.
#[derive(Clone, Debug)]
struct Change {
    before: Option<Number>,
    after: Number,
}

impl Outfit {
    /// Nothing was planned yet of what this actor wants.
    #[must_use]
    pub fn new(actor: Actor) -> Self {
        Self { actor, planned: Mutex::default() }
    }

    /// Remembers what was planned of numbers whose features change by it.
    pub fn plan<'a>(&self, done: impl IntoIterator<Item = &'a RowDone>) {
        let mut planned = self.planned();
        for RowDone { before, view, .. } in done {
            let features = before.as_ref().map(|before| &before.features);
            let (was, is) = (features.is_none_or(serde_json::Map::is_empty), &view.number);
            if was && is.features.is_empty() || features == Some(&is.features) && !is_gone(is) {
                continue;
            }
            let change = Change { before: before.clone(), after: view.number.clone() };
            planned.insert(is.id.to_string(), change);
        }
    }

    fn planned(&self) -> MutexGuard<'_, HashMap<String, Change>> {
        // Nothing that holds it can fail half way.
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change {
    fn step(&self) -> Step<'_> {
        let after = (!is_gone(&self.after)).then_some(&self.after);
        Step { before: self.before.as_ref(), after }
    }
}

fn is_gone(number: &Number) -> bool {
    number.state == State::Deleted
}

impl NumberService {
    /// Asks the providers to do their part for these numbers, which are about to be written. Returns those
    /// for which it failed.
    pub async fn fit_out(&self, outfit: &Outfit, ids: &[String]) -> Vec<(String, Error)> {
        let mut failed = Vec::new();
        for id in ids {
            let change = outfit.planned().get(id).cloned();
            if let Some(change) = change
                && let Err(err) = self.fit_one(&change).await
            {
                failed.push((id.clone(), err));
            }
        }
        failed
    }

    async fn fit_one(&self, change: &Change) -> Result<(), Error> {
        let mut done: Vec<Arc<dyn FeatureProvider>> = Vec::new();
        for provider in self.providers_of(change).await? {
            if !providers::differs(&*provider, change.step()) {
                continue;
            }
            // What it would write on the number is in no plan, so it is not written.
            let mut after = (!is_gone(&change.after)).then(|| change.after.clone());
            if let Err(err) = provider.provide(change.before.as_ref(), after.as_mut()).await {
                for provider in &done {
                    provider.undo(change.step()).await;
                }
                return Err(err.into());
            }
            done.push(provider);
        }
        Ok(())
    }

    /// Ends what was begun for numbers that are written by now, or certainly were not: humans are told of
    /// the one, and what was done outside is taken back of the other.
    pub async fn end_fitting(&self, outfit: &Outfit, ids: &[String]) {
        for id in ids {
            let change = outfit.planned().remove(id);
            let Some(change) = change else { continue };
            if let Err(err) = self.end_one(outfit, &change).await {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(
                    number = id,
                    error = cause,
                    "nobody was told what became of a number"
                );
            }
        }
    }

    async fn end_one(&self, outfit: &Outfit, change: &Change) -> Result<(), Error> {
        let found = self.numbers.get(&change.after.id).await?.map(|(number, _)| number);
        let features = |number: &Number| number.features.clone();
        let is_written = match &found {
            None => is_gone(&change.after),
            Some(found) => !is_gone(&change.after) && features(found) == features(&change.after),
        };
        let settings = &*self.settings.get().await?;
        let terms = self.feature_terms(basis(change), settings).await?;
        for provider in self.providers.chosen(&terms) {
            if !providers::differs(&*provider, change.step()) {
                continue;
            }
            if !is_written {
                provider.undo(change.step()).await;
                continue;
            }
            for subject in provider.notices(change.step(), &terms) {
                let (after, before) = (&change.after, change.before.as_ref());
                let notice = Notice::new(subject, after, before, outfit.actor.name());
                self.notifier.send(notice).await;
            }
        }
        Ok(())
    }

    async fn providers_of(&self, change: &Change) -> Result<Vec<Arc<dyn FeatureProvider>>, Error> {
        let settings = &*self.settings.get().await?;
        let terms = self.feature_terms(basis(change), settings).await?;
        Ok(self.providers.chosen(&terms))
    }
}

/// The number on whose terms its features are: one that nobody takes over had them on its last owner's.
fn basis(change: &Change) -> &Number {
    let last = change.before.as_ref().filter(|_| change.after.owner.is_none());
    last.unwrap_or(&change.after)
}
