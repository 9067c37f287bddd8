//! The way that every write of numbers goes, one number or many: read, decide (with
//! the features: `features`), save; when somebody else was faster, read and decide again.

use std::{
    future::ready,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use futures::{StreamExt, stream};
use tokio::time::sleep;

use super::{Batch, Error, NumberService, NumberView, Outcomes, features::Planned};
use crate::{
    domain::{AccountId, Actor, E164},
    repository::{Decision, Opened, RepositoryError, Saved, Settings, Stored},
};

/// How often a number is read and decided about again because somebody else was faster.
const TRIES: u32 = 5;

/// Half the longest pause before the second attempt.
const PAUSE: Duration = Duration::from_millis(20);

/// How many numbers of a batch are read and written at once: what bounds the memory that it takes.
const AT_ONCE: usize = 1000;

/// How many numbers are decided about side by side.
const PARALLEL_DECISIONS: usize = 16;

/// What the caller expects to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// The number, at any revision.
    Any,
    /// The number at one of these revisions.
    OneOf(Vec<String>),
}

/// On what terms a caller wants something to be done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms<'a> {
    /// What the document must be at, if the caller said so.
    pub if_match: Option<&'a IfMatch>,
    /// Whether the caller accepts what it costs.
    pub accepts_charges: bool,
}

/// Who wants something to be done, and on what terms: the same for every number of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// Who asks.
    pub(super) actor: &'a Actor,
    /// The account that probably owns the numbers, or is to own them: its copy is read beside each
    /// number.
    pub(super) account: Option<&'a AccountId>,
    /// The settings that it is decided by.
    pub(super) settings: &'a Settings,
    /// On what terms.
    pub(super) terms: Terms<'a>,
}

/// What an operation makes of a number that it finds.
pub(super) trait Operation: Sync {
    /// Whether what it newly gives to an account is charged.
    const IS_CHARGED: bool = true;
    /// Whether the features of its numbers are looked at; if not, they stay as they stand.
    const CONCERNS_FEATURES: bool = true;

    /// Decides about one number, as it was read. Nothing is written or paid for yet.
    fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> impl Future<Output = Result<Decision, Error>> + Send;

    /// Gets hold of what was decided about, once what it costs was accepted.
    fn acquire(
        &self,
        _service: &NumberService,
        _target: &Target<'_>,
        _decision: &mut Decision,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        ready(Ok(()))
    }

    /// Ends what acquiring began elsewhere, once the number is written or will not be.
    fn conclude(
        &self,
        _service: &NumberService,
        _number: &E164,
        _outcome: &Result<Saved, Error>,
    ) -> impl Future<Output = ()> + Send {
        ready(())
    }
}

impl NumberService {
    /// Reads the number, decides, and saves; then ends what the operation began elsewhere.
    pub(super) async fn change(
        &self,
        target: &Target<'_>,
        number: &E164,
        operation: &impl Operation,
    ) -> Result<Saved, Error> {
        let outcome = self.change_alone(target, number, operation).await;
        operation.conclude(self, number, &outcome).await;
        self.part_from(&outcome);
        outcome
    }

    /// Reads the number, decides, and saves. A lost race is decided again, up to five times. What is
    /// refused may be the repetition of a request that was interrupted when the number was stored
    /// and its copies were not, so the copies are brought in line then, too.
    async fn change_alone(
        &self,
        target: &Target<'_>,
        number: &E164,
        operation: &impl Operation,
    ) -> Result<Saved, Error> {
        let accounts: Vec<&AccountId> = target.account.into_iter().collect();
        for attempt in 0..TRIES {
            if attempt > 0 {
                sleep(pause_before(attempt)).await;
            }
            let opened = self.numbers.open(number, &accounts).await?;
            let accounts = opened.accounts();
            let planned = match self.decide(target, number, opened, operation).await {
                Ok(planned) => self.get_ready(target, operation, planned).await,
                Err(refused) => Err(refused),
            };
            let planned = match planned {
                Ok(planned) => planned,
                Err(refused) => {
                    if refused.is_of_caller() {
                        self.numbers.settle(number, &accounts).await;
                    }
                    return Err(refused);
                }
            };
            let saved = self.numbers.carry_out(planned.decision).await;
            match self.end_features(planned.work, saved).await {
                Err(RepositoryError::Conflict { .. }) => {}
                saved => return Ok(saved?),
            }
        }
        Err(Error::Conflict)
    }

    /// As [`NumberService::change`], shown to who asked.
    pub(super) async fn change_one(
        &self,
        target: &Target<'_>,
        number: &E164,
        operation: &impl Operation,
    ) -> Result<NumberView, Error> {
        let saved = self.change(target, number, operation).await?;
        self.view(saved, target.settings, target.actor).await
    }

    /// The same for many numbers, which are read and written together. Every number is in the
    /// answer, and one that fails does not hold up the others. What they cost is asked for all of
    /// them together, before anything is written.
    pub(super) async fn change_many<O: Operation>(
        &self,
        target: &Target<'_>,
        batch: &Batch,
        operation: &O,
    ) -> Result<Outcomes, Error> {
        if O::IS_CHARGED && !target.terms.accepts_charges && target.settings.prices.is_some() {
            let mut charges = Vec::new();
            for numbers in batch.numbers().chunks(AT_ONCE) {
                let planned = self.decide_many(target, numbers.to_vec(), operation).await;
                let planned = planned.iter().filter_map(|(_, planned)| planned.as_ref().ok());
                charges.extend(planned.flat_map(|planned| planned.decision.charges()).cloned());
            }
            self.check_accepted(target.settings, target.terms, &charges).await?;
        }
        let mut changed = Vec::with_capacity(batch.numbers().len());
        for numbers in batch.numbers().chunks(AT_ONCE) {
            let saved = self.change_some(target, numbers.to_vec(), operation).await;
            let concluded = stream::iter(saved).map(|(number, outcome)| async move {
                operation.conclude(self, &number, &outcome).await;
                self.part_from(&outcome);
                (number, outcome)
            });
            let saved: Vec<_> = concluded.buffered(PARALLEL_DECISIONS).collect().await;
            for (number, saved) in saved {
                let view = match saved {
                    Ok(saved) => self.view(saved, target.settings, target.actor).await,
                    Err(err) => Err(err),
                };
                changed.push((number, view));
            }
        }
        Ok(batch.outcomes(changed))
    }

    pub(super) async fn change_some(
        &self,
        target: &Target<'_>,
        mut waiting: Vec<E164>,
        operation: &impl Operation,
    ) -> Vec<(E164, Result<Saved, Error>)> {
        let mut done = Vec::with_capacity(waiting.len());
        for attempt in 0..TRIES {
            if waiting.is_empty() {
                return done;
            }
            if attempt > 0 {
                sleep(pause_before(attempt)).await;
            }
            let mut decisions = Vec::with_capacity(waiting.len());
            let mut decided = Vec::with_capacity(waiting.len());
            let planned = self.decide_many(target, waiting, operation).await;
            for (number, planned) in self.get_many_ready(target, operation, planned).await {
                match planned {
                    Ok(Planned { decision, work }) => {
                        decided.push((number, work));
                        decisions.push(decision);
                    }
                    Err(refused) => done.push((number, Err(refused))),
                }
            }
            let saved = self.numbers.carry_out_many(decisions).await;
            waiting = Vec::new();
            for ((number, work), saved) in decided.into_iter().zip(saved) {
                match self.end_features(work, saved).await {
                    Err(RepositoryError::Conflict { .. }) => waiting.push(number),
                    saved => done.push((number, saved.map_err(Error::from))),
                }
            }
        }
        done.extend(waiting.into_iter().map(|number| (number, Err(Error::Conflict))));
        done
    }

    /// Everything that comes between the decision and the write: what it costs is accepted, what it
    /// takes is got hold of, and everybody outside who has to do with it does their part.
    async fn get_ready<'a>(
        &self,
        target: &Target<'_>,
        operation: &impl Operation,
        mut planned: Planned<'a>,
    ) -> Result<Planned<'a>, Error> {
        self.check_accepted(target.settings, target.terms, planned.decision.charges()).await?;
        self.see_to_carrier(target.settings, &planned.decision).await?;
        operation.acquire(self, target, &mut planned.decision).await?;
        self.provide(planned).await
    }

    /// The same for many numbers.
    async fn get_many_ready<'a>(
        &self,
        target: &Target<'_>,
        operation: &impl Operation,
        planned: Vec<(E164, Result<Planned<'a>, Error>)>,
    ) -> Vec<(E164, Result<Planned<'a>, Error>)> {
        let ready = planned.into_iter().map(|(number, planned)| async move {
            let planned = match planned {
                Ok(planned) => self.get_ready(target, operation, planned).await,
                Err(refused) => Err(refused),
            };
            (number, planned)
        });
        let ready: Vec<_> = ready.collect();
        stream::iter(ready).buffer_unordered(PARALLEL_DECISIONS).collect().await
    }

    /// Reads numbers together and decides about each.
    async fn decide_many<'a>(
        &self,
        target: &Target<'a>,
        numbers: Vec<E164>,
        operation: &impl Operation,
    ) -> Vec<(E164, Result<Planned<'a>, Error>)> {
        let opened = self.numbers.open_many(&numbers, target.account).await;
        let decisions = stream::iter(numbers.into_iter().zip(opened));
        let decisions = decisions.map(|(number, opened)| async move {
            let decided = match opened {
                Ok(opened) => self.decide(target, &number, opened, operation).await,
                Err(err) => Err(err.into()),
            };
            (number, decided)
        });
        decisions.buffer_unordered(PARALLEL_DECISIONS).collect().await
    }

    /// Decides about one number, alone or of a batch: what every operation has in common is here,
    /// and nowhere else. What it costs comes last.
    async fn decide<'a, O: Operation>(
        &self,
        target: &Target<'a>,
        number: &E164,
        opened: Opened,
        operation: &O,
    ) -> Result<Planned<'a>, Error> {
        check_revision(&opened, target.terms.if_match)?;
        let decision = operation.decide(self, target, number, opened).await?;
        let mut planned = if O::CONCERNS_FEATURES {
            self.plan_features(target, decision).await?
        } else {
            Planned { decision, work: None }
        };
        if O::IS_CHARGED
            && let Decision::Save(stored) = &mut planned.decision
        {
            let (before, after) = (stored.before(), &stored.number);
            let charge = self.billing.charge(target.settings, before, after);
            stored.set_charge(charge);
        }
        Ok(planned)
    }
}

/// The number that was found, for operations on numbers that must be stored already.
pub(super) fn must_exist(number: &E164, opened: Opened) -> Result<Stored, Error> {
    match opened {
        Opened::Found(stored) => Ok(*stored),
        Opened::Vacant(_) => Err(Error::NotFound(number.clone())),
    }
}

/// How long to wait before another attempt: up to a span that doubles, at random, so that those who
/// lost to the same writer do not meet again.
fn pause_before(attempt: u32) -> Duration {
    let span = u64::try_from(PAUSE.as_micros()).unwrap_or(u64::MAX) << attempt;
    Duration::from_micros(RandomState::new().hash_one(()) % span)
}

impl IfMatch {
    pub(super) fn holds(&self, found: Option<&str>) -> bool {
        match self {
            Self::Any => found.is_some(),
            Self::OneOf(revisions) => revisions.iter().any(|rev| found == Some(rev.as_str())),
        }
    }
}

fn check_revision(opened: &Opened, if_match: Option<&IfMatch>) -> Result<(), Error> {
    let found = match opened {
        Opened::Found(stored) => stored.rev_text(),
        Opened::Vacant(_) => None,
    };
    if if_match.is_none_or(|wanted| wanted.holds(found)) {
        Ok(())
    } else {
        Err(Error::PreconditionFailed)
    }
}
