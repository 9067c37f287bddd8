//! The loop that every write of one number goes through: read, decide, save; when somebody else was
//! faster, read and decide again.

use std::{
    future::ready,
    hash::{BuildHasher, RandomState},
    time::Duration,
};

use futures::future::Either;
use tokio::time::sleep;

use super::{Error, NumberService};
use crate::{
    domain::{AccountId, E164},
    repository::{Opened, RepositoryError, Saved, Stored, Vacancy},
};

/// How often a number is read and decided about again because somebody else was faster.
const TRIES: u32 = 5;

/// Half the longest pause before the second attempt.
const PAUSE: Duration = Duration::from_millis(20);

/// What the caller expects to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// The number, at any revision.
    Any,
    /// The number at one of these revisions.
    OneOf(Vec<String>),
}

/// What an operation decided about a number that it read.
pub(super) enum Decision {
    /// Save it as it is now.
    Save(Box<Stored>),
    /// Delete it.
    Delete(Box<Stored>),
}

/// What a write asks for before it decides anything.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    /// The number.
    pub(super) number: &'a E164,
    /// The account that probably owns it, or is to own it: its copy is read beside the number.
    pub(super) account: Option<&'a AccountId>,
    /// What the document must be at, as the caller said.
    pub(super) if_match: Option<&'a IfMatch>,
}

impl NumberService {
    /// Reads the number, lets `decide` decide, and saves. A lost race is decided again, up to five
    /// times. What is refused may be the repetition of a request that was interrupted when the
    /// number was stored and its copies were not, so the copies are brought in line then, too.
    pub(super) async fn change<F, D>(
        &self,
        target: Target<'_>,
        mut decide: F,
    ) -> Result<Saved, Error>
    where
        F: FnMut(Opened) -> D + Send,
        D: Future<Output = Result<Decision, Error>> + Send,
    {
        let accounts: Vec<&AccountId> = target.account.into_iter().collect();
        for attempt in 0..TRIES {
            if attempt > 0 {
                sleep(pause_before(attempt)).await;
            }
            let opened = self.numbers.open(target.number, &accounts).await?;
            let accounts = opened.accounts();
            let decided = match check_revision(&opened, target.if_match) {
                Ok(()) => decide(opened).await,
                Err(refused) => Err(refused),
            };
            let decision = match decided {
                Ok(decision) => decision,
                Err(refused) => {
                    if refused.is_of_caller() {
                        self.numbers.settle(target.number, &accounts).await;
                    }
                    return Err(refused);
                }
            };
            let saved = match decision {
                Decision::Save(stored) => self.numbers.save(*stored).await,
                Decision::Delete(stored) => self.numbers.delete(*stored).await,
            };
            match saved {
                Err(RepositoryError::Conflict { .. }) => {}
                saved => return Ok(saved?),
            }
        }
        Err(Error::Conflict)
    }

    /// As [`NumberService::change`], for operations on numbers that must be stored already.
    pub(super) async fn change_stored<F, D>(
        &self,
        target: Target<'_>,
        mut decide: F,
    ) -> Result<Saved, Error>
    where
        F: FnMut(Stored) -> D + Send,
        D: Future<Output = Result<Decision, Error>> + Send,
    {
        self.change(target, |opened| match opened {
            Opened::Found(stored) => Either::Left(decide(*stored)),
            Opened::Vacant(_) => Either::Right(ready(Err(Error::NotFound(target.number.clone())))),
        })
        .await
    }
}

/// How long to wait before another attempt: up to a span that doubles, at random, so that those who
/// lost to the same writer do not meet again.
fn pause_before(attempt: u32) -> Duration {
    let span = u64::try_from(PAUSE.as_micros()).unwrap_or(u64::MAX) << attempt;
    Duration::from_micros(RandomState::new().hash_one(()) % span)
}

impl Decision {
    /// Save this number.
    pub(super) fn save(stored: Stored) -> Self {
        Self::Save(Box::new(stored))
    }

    /// Put a new number in a vacant place.
    pub(super) fn fill(vacancy: Vacancy, number: crate::domain::Number) -> Self {
        Self::save(vacancy.fill(number))
    }
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
