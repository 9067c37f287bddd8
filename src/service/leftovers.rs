//! What providers are still to be told of numbers: right after a number was written, and by the clock
//! until they have been (`settling`). What they are to have is what the number's document says then.

use futures::{StreamExt, stream};
use tokio::time::timeout;

use super::{
    Error, NumberService,
    giving_back::{Outcome, pause},
};
use crate::{
    domain::{E164, Number},
    providers::{ProviderError, VendorError},
    repository::{Left, Leftover, Matter, RepositoryError, Settings},
};

/// How often something is written down again because somebody else did at the same time.
const TRIES: u32 = 5;
/// After how many seconds a change that was not written will not be written any more.
const LAPSED: i64 = 3600;
/// How many providers of one number are told at once.
const PARALLEL: usize = 2;

impl NumberService {
    /// Keeps what is left of a number from being settled while something is put in place for it.
    pub(super) async fn hold_leftover(
        &self,
        settings: &Settings,
        number: &E164,
    ) -> Result<(), Error> {
        let span = settings.search.provider_timeout.as_secs().cast_signed();
        for _ in 0..TRIES {
            let now = self.numbers.now();
            let Some(leftover) = self.numbers.leftover(Matter::Features, number).await? else {
                return Ok(());
            };
            if leftover.is_under_way(now) {
                break;
            }
            let until = now + span + settings.search.claim_ttl;
            match self.numbers.keep_leftover(leftover.held(until)).await {
                Err(RepositoryError::Conflict { .. }) => (),
                held => return Ok(held.map(|_| ())?),
            }
        }
        Err(Error::Conflict)
    }

    /// Settles what is left of a number, in the background. When there is no room for it, it is left to
    /// the clock.
    pub(super) fn settle_leftover_soon(&self, matter: Matter, number: E164) {
        if self.rehearses {
            return;
        }
        let Ok(room) = self.returning.clone().try_acquire_owned() else { return };
        let service = self.clone();
        tokio::spawn(async move {
            if let Err(err) = service.settle_leftover_of(matter, &number).await {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(%number, error = cause, "somebody is told later");
            }
            drop(room);
        });
    }

    async fn settle_leftover_of(&self, matter: Matter, number: &E164) -> Result<(), Error> {
        let settings = &*self.settings.get().await?;
        if let Some(leftover) = self.numbers.leftover(matter, number).await? {
            self.settle_leftover(settings, leftover).await?;
        }
        Ok(())
    }

    /// Tells providers what is left of a number, if it is its turn.
    pub(super) async fn settle_leftover(
        &self,
        settings: &Settings,
        leftover: Leftover,
    ) -> Result<Outcome, RepositoryError> {
        let now = self.numbers.now();
        if leftover.due > now || leftover.is_under_way(now) {
            return Ok(Outcome::Waiting);
        }
        if self.settled_number(&leftover).await?.is_none() {
            return Ok(Outcome::Waiting);
        }
        let limit = settings.search.provider_timeout.as_secs().cast_signed();
        let rounds = i64::try_from(leftover.left.len()).unwrap_or(i64::MAX);
        let span = limit.saturating_mul(rounds).saturating_add(settings.search.claim_ttl);
        let begun = leftover.begun(now.saturating_add(span));
        let begun = match self.numbers.keep_leftover(begun).await {
            Err(RepositoryError::Conflict { .. }) => return Ok(Outcome::Waiting),
            begun => begun?,
        };
        // Whoever puts something in place from here on is told to wait; whoever did so before is seen
        // now.
        let Some(number) = self.settled_number(&begun).await? else {
            self.numbers.keep_leftover(begun.begun(0)).await?;
            return Ok(Outcome::Waiting);
        };
        self.tell_all(settings, begun, number.as_ref()).await
    }

    async fn tell_all(
        &self,
        settings: &Settings,
        begun: Leftover,
        number: Option<&Number>,
    ) -> Result<Outcome, RepositoryError> {
        let told = begun.left.iter().map(|left| async {
            let told = match begun.matter {
                Matter::Features => self.tell_provider(settings, &begun.number, number, left).await,
                Matter::Letters => self.send_letter(left).await,
            };
            told.err().map(|err| (left.clone(), err))
        });
        let told: Vec<_> = told.collect();
        let failed: Vec<(Left, ProviderError)> =
            stream::iter(told).buffered(PARALLEL).filter_map(std::future::ready).collect().await;
        let Some((_, first)) = failed.first() else {
            tracing::info!(number = %begun.number, "what was left to be told is told");
            return match self.numbers.end_leftover(begun).await {
                // More was left meanwhile.
                Err(RepositoryError::Conflict { .. }) => Ok(Outcome::Waiting),
                done => done.map(|()| Outcome::Done),
            };
        };
        let reason = told_reason(first);
        let is_doubtful = failed.iter().any(|(_, err)| err.is_doubtful());
        let left = failed.into_iter().map(|(left, _)| left).collect();
        let due = self.numbers.now() + pause(settings, begun.tries);
        // It may happen yet.
        let until = if is_doubtful { begun.begun_until.min(due) } else { 0 };
        let kept = begun.failed(left, reason.clone()).begun(until).held(due);
        match self.numbers.keep_leftover(kept).await {
            Err(RepositoryError::Conflict { .. }) => Ok(Outcome::Waiting),
            kept => kept.map(|_| Outcome::Failed(reason)),
        }
    }

    async fn tell_provider(
        &self,
        settings: &Settings,
        number: &E164,
        now: Option<&Number>,
        left: &Left,
    ) -> Result<(), ProviderError> {
        let unable = |words: &str| {
            let provider = left.provider.as_str();
            ProviderError::failed(provider, VendorError::refused(words))
        };
        let provider = match self.provider(&left.provider).await {
            Ok(Some(provider)) => provider,
            Ok(None) => return Err(unable("it is not set up")),
            Err(_) => return Err(unable("its settings cannot be read")),
        };
        let (number, now, data) = (number.clone(), now.cloned(), left.data.clone());
        let settling = async move { provider.settle(&number, now.as_ref(), &data).await };
        // A task of its own, since a panic ends no other task.
        let mut task = tokio::spawn(settling);
        let doubt =
            |words| Err(ProviderError::failed(&left.provider, VendorError::doubtful(words)));
        match timeout(settings.search.provider_timeout, &mut task).await {
            Ok(Ok(settled)) => settled,
            Ok(Err(_)) => doubt("its code failed"),
            Err(_) => {
                task.abort();
                doubt("it took too long")
            }
        }
    }

    /// The number as it is, if the change that something was left of is written by now or will not be.
    async fn settled_number(
        &self,
        leftover: &Leftover,
    ) -> Result<Option<Option<Number>>, RepositoryError> {
        let found = self.numbers.get(&leftover.number).await?;
        let is_waited_for = |rev: &str| {
            leftover.of_rev.as_deref() == Some(rev) && leftover.since >= self.numbers.now() - LAPSED
        };
        Ok(match found {
            Some((_, rev)) if is_waited_for(rev.as_str()) => None,
            found => Some(found.map(|(number, _)| number)),
        })
    }
}

fn told_reason(err: &ProviderError) -> String {
    match err {
        ProviderError::Failed { provider, reason: Some(reason) } => format!("{provider}: {reason}"),
        other => other.to_string(),
    }
}
