//! Numbers that lose their features by a job: what is done outside before they are written, and what
//! follows. In the ordinary way of a change this is part of it (`features`); a job plans its pages
//! where nobody outside is told anything.

use std::{
    collections::{BTreeSet, HashMap},
    future::ready,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt, stream};

use super::{Error, NumberService, providing::Provided};
use crate::{
    domain::{Actor, E164, Number, State},
    providers::{self, Notice, Step},
};

/// How many numbers are seen to at once.
const PARALLEL_NUMBERS: usize = 16;

/// What numbers are without the features that they lose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Deleted, or without any.
    Bare,
    /// As nobody's number may be.
    Unassigned,
}

/// The numbers whose providers were asked, as they were before, and what was done outside for them.
#[derive(Debug)]
pub struct Parting {
    shape: Shape,
    asked: Mutex<HashMap<String, (Number, Provided)>>,
}

impl Parting {
    /// Nobody was asked yet.
    #[must_use]
    pub fn new(shape: Shape) -> Self {
        Self { shape, asked: Mutex::default() }
    }

    fn asked(&self) -> MutexGuard<'_, HashMap<String, (Number, Provided)>> {
        // Nothing that holds it can fail half way.
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl NumberService {
    /// Asks the providers to take off what these numbers are about to lose. A number that has lost it
    /// already is passed over, so it may be asked for again. Returns the numbers of which it failed.
    pub async fn take_features_off(
        &self,
        parting: &Parting,
        numbers: &[String],
    ) -> Vec<(String, Error)> {
        let numbers: BTreeSet<&String> = numbers.iter().collect();
        let asked = numbers.into_iter().map(|number| async move {
            let taken = self.take_off(parting, number).await;
            taken.err().map(|err| (number.clone(), err))
        });
        let asked: Vec<_> = asked.collect();
        stream::iter(asked).buffer_unordered(PARALLEL_NUMBERS).filter_map(ready).collect().await
    }

    async fn take_off(&self, parting: &Parting, number: &str) -> Result<(), Error> {
        // What has no number's id has no features.
        let Ok(id) = E164::parse(number) else { return Ok(()) };
        let Some((before, rev)) = self.numbers.get(&id).await? else { return Ok(()) };
        let settings = &*self.settings.get().await?;
        let mut after = match parting.shape {
            Shape::Bare => None,
            Shape::Unassigned if before.owner.is_some() => return Ok(()),
            Shape::Unassigned => Some(self.unassigned(&before, settings).await?),
        };
        let terms = self.feature_terms(&before, settings).await?;
        let providers = self.providers_on(&terms, &[Some(&before)]).await?;
        let step = Step { before: Some(&before), after: after.as_ref() };
        if !providers.iter().any(|provider| providers::differs(&**provider, step)) {
            return Ok(());
        }
        let rev = Some(rev.as_str());
        let done = self.bring_about(&providers, Some(&before), after.as_mut(), rev).await?;
        parting.asked().insert(number.to_owned(), (before, done));
        Ok(())
    }

    /// Ends what was begun for numbers that are written by now, or certainly were not: humans are told
    /// of what a number has lost, and providers to put back what it has still.
    pub async fn end_parting(&self, parting: &Parting, numbers: &[String]) {
        for number in numbers {
            let asked = parting.asked().remove(number);
            let Some((before, done)) = asked else { continue };
            if let Err(err) = self.part(parting, &before, &done).await {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(number, error = cause, "nobody was told what a number has lost");
            }
        }
    }

    async fn part(&self, parting: &Parting, before: &Number, done: &Provided) -> Result<(), Error> {
        let found = self.numbers.get(&before.id).await?.map(|(number, _)| number);
        let settings = &*self.settings.get().await?;
        let terms = self.feature_terms(before, settings).await?;
        let planned = match parting.shape {
            Shape::Bare => None,
            Shape::Unassigned => Some(self.unassigned(before, settings).await?),
        };
        self.go_on_with(done, before);
        let planned = Step { before: Some(before), after: planned.as_ref() };
        let step = Step { before: Some(before), after: found.as_ref() };
        let mut gone = before.clone();
        gone.enter(State::Deleted, self.numbers.now());
        for provider in self.providers_on(&terms, &[Some(before)]).await? {
            let differs = |step| providers::differs(&*provider, step);
            if !differs(planned) || !differs(step) {
                continue;
            }
            for subject in provider.notices(step, &terms) {
                let number = found.as_ref().unwrap_or(&gone);
                let asked_by = Actor::operator();
                let notice = Notice::new(subject, number, Some(before), asked_by.name());
                self.notify(notice).await;
            }
        }
        Ok(())
    }
}
