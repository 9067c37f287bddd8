//! The features of numbers that a job changes row by row: what is done outside before they are written,
//! and whom it is told to afterwards. A job plans its pages where nobody outside is asked or told
//! anything; in the ordinary way of a change this is part of it (`features`).

use std::{
    collections::HashMap,
    future::ready,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt, stream};
use serde_json::Value;

use super::{Error, NumberService, RowDone, providing::Provided};
use crate::{
    domain::{Actor, FeatureTerms, LOCAL_FEATURE, Number, State},
    providers::{self, FeatureProvider, Notice, Step},
};

/// How many numbers are seen to at once.
const PARALLEL_NUMBERS: usize = 16;

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
    /// What was done outside before it is written, and the number that it was done for.
    provided: Option<(Provided, Option<Number>)>,
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
            let (before, after) = (before.clone(), view.number.clone());
            let change = Change { before, after, provided: None };
            if !provided(change.before.as_ref()).eq(provided(change.left())) {
                planned.insert(change.after.id.to_string(), change);
            }
        }
    }

    fn planned(&self) -> MutexGuard<'_, HashMap<String, Change>> {
        // Nothing that holds it can fail half way.
        self.planned.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Change {
    /// The number afterwards; none when it is gone.
    fn left(&self) -> Option<&Number> {
        Some(&self.after).filter(|after| after.state != State::Deleted)
    }

    fn step(&self) -> Step<'_> {
        Step { before: self.before.as_ref(), after: self.left() }
    }
}

/// The features that somebody provides.
fn provided(number: Option<&Number>) -> impl Iterator<Item = (&String, &Value)> {
    let features = number.into_iter().flat_map(|number| &number.features);
    features.filter(|(name, _)| name.as_str() != LOCAL_FEATURE)
}

impl NumberService {
    /// Asks the providers to do their part for these numbers, which are about to be written. Returns those
    /// for which it failed.
    pub async fn fit_out(&self, outfit: &Outfit, ids: &[String]) -> Vec<(String, Error)> {
        let changes: Vec<(String, Change)> = {
            let planned = outfit.planned();
            let change = |id: &String| Some((id.clone(), planned.get(id)?.clone()));
            ids.iter().filter_map(change).collect()
        };
        let fitted = changes.into_iter().map(|(id, change)| async move {
            let fitted = self.fit_one(&change).await;
            let fitted = fitted.map(|done| {
                if let Some(change) = outfit.planned().get_mut(&id) {
                    change.provided = Some(done);
                }
            });
            fitted.err().map(|err| (id, err))
        });
        let fitted: Vec<_> = fitted.collect();
        stream::iter(fitted).buffer_unordered(PARALLEL_NUMBERS).filter_map(ready).collect().await
    }

    async fn fit_one(&self, change: &Change) -> Result<(Provided, Option<Number>), Error> {
        let stored = self.numbers.get(&change.after.id).await?;
        let rev = stored.as_ref().map(|(_, rev)| rev.as_str());
        // What providers would write on the number is in no plan, so it is not written.
        let mut after = change.left().cloned();
        let settings = &*self.settings.get().await?;
        let terms = self.feature_terms(basis(change), settings).await?;
        let providers = self.providers_of(change, &terms).await?;
        let before = change.before.as_ref();
        let done = self.bring_about(&providers, before, after.as_mut(), rev).await?;
        Ok((done, after))
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
        let is_written = match (&found, change.left()) {
            (found, None) => found.is_none(),
            (found, Some(after)) => provided(found.as_ref()).eq(provided(Some(after))),
        };
        if let Some((done, after)) = &change.provided {
            if is_written {
                self.go_on_with(done, &change.after);
            } else {
                let (before, after) = (change.before.as_ref(), after.as_ref());
                self.take_back(done, Step { before, after }).await;
            }
        }
        if !is_written {
            return Ok(());
        }
        let settings = &*self.settings.get().await?;
        let terms = self.feature_terms(basis(change), settings).await?;
        for provider in self.providers_of(change, &terms).await? {
            if !providers::differs(&*provider, change.step()) {
                continue;
            }
            for subject in provider.notices(change.step(), &terms) {
                let (after, before) = (&change.after, change.before.as_ref());
                let notice = Notice::new(subject, after, before, outfit.actor.name());
                self.notify(notice).await;
            }
        }
        Ok(())
    }

    async fn providers_of(
        &self,
        change: &Change,
        terms: &FeatureTerms<'_>,
    ) -> Result<Vec<Arc<dyn FeatureProvider>>, Error> {
        self.providers_on(terms, &[change.before.as_ref(), Some(&change.after)]).await
    }
}

/// The number on whose terms its features are: one that nobody takes over had them on its last owner's.
fn basis(change: &Change) -> &Number {
    let last = change.before.as_ref().filter(|_| change.after.owner.is_none());
    last.unwrap_or(&change.after)
}
