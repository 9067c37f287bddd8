//! Giving numbers back to their carriers once they have left our stock.
//!
//! That a number is to be given back is written down before it is deleted, and is true only once its
//! own document says that it is gone: who carries it out looks at that first. It is tried right after
//! the write, and again by the clock until the carrier has it (`settling`).

use futures::{StreamExt, stream};
use tokio::sync::OwnedSemaphorePermit;

use super::{Error, NumberService, outside::ask};
use crate::{
    carriers::Returned,
    domain::{E164, Number, State},
    repository::{
        Decision, Disconnect, DisconnectLookup, RecordedSet, RepositoryError, Saved, Settings,
    },
};

/// How often something is written down again because somebody else did at the same time.
const TRIES: u32 = 5;
/// How many numbers are given back at once.
const PARALLEL: usize = 8;
/// How many numbers may wait for being given back right after they were deleted; more are left to the
/// clock.
pub(super) const WAITING: usize = 1000;
/// After how many seconds a deletion that was not made will not be made any more.
const LAPSED: i64 = 3600;

/// What became of a number that is to be given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// Its carrier has it, or takes nothing back.
    Done,
    /// It is ours, so it stays.
    Kept,
    /// It is not its turn, or somebody else sees to it.
    Waiting,
    /// It failed and is tried again.
    Failed(String),
}

/// Whether a number is gone that is to be given back.
enum Standing {
    Gone,
    Ours,
    /// It is not decided yet.
    Open,
}

impl NumberService {
    /// Sees to it, before a decision is written, that a number is given back which is deleted by it,
    /// and that one is not which is stored by it.
    pub(super) async fn see_to_carrier(
        &self,
        settings: &Settings,
        decision: &Decision,
    ) -> Result<(), Error> {
        if self.rehearses {
            return Ok(());
        }
        let stored = decision.stored();
        match (stored.before(), stored.rev_text()) {
            (Some(before), Some(rev)) if decision.ends() && self.is_given_back(before) => {
                let wish = Disconnect::of(before, rev, self.numbers.now());
                let wanted = self.numbers.want_back(vec![wish]).await?;
                Ok(wanted.into_iter().collect::<Result<(), _>>()?)
            }
            (before, _) if !decision.ends() && is_new(before) && self.is_asked(&stored.number) => {
                self.hold(settings, &stored.number.id).await
            }
            _ => Ok(()),
        }
    }

    /// The same before a page of a job is written; `gives_back`: whether what it deletes leaves our
    /// stock. Returns those that must not be written.
    ///
    /// # Errors
    ///
    /// What concerns all of them: none may be written.
    pub async fn see_to_carriers(
        &self,
        sets: &[&RecordedSet],
        gives_back: bool,
    ) -> Result<Vec<(String, Error)>, Error> {
        let mut refused = Vec::new();
        if self.outside.is_empty() {
            return Ok(refused);
        }
        if gives_back {
            let deleted = self.numbers.numbers_deleted(sets.iter().copied())?;
            let deleted = deleted.iter().filter(|(number, _)| self.is_given_back(number));
            let now = self.numbers.now();
            let wishes: Vec<_> =
                deleted.map(|(number, rev)| Disconnect::of(number, rev, now)).collect();
            let ids: Vec<String> = wishes.iter().map(|it| it.number.to_string()).collect();
            let wanted = self.numbers.want_back(wishes).await?;
            let failed = ids.into_iter().zip(wanted).filter_map(|(id, it)| Some((id, it.err()?)));
            refused.extend(failed.map(|(id, err)| (id, err.into())));
        }
        let made = self.numbers.numbers_made(sets.iter().copied())?;
        let made = made.into_iter().filter(|number| self.is_asked(number));
        refused.extend(self.hold_many(made.map(|number| number.id)).await?);
        Ok(refused)
    }

    /// The numbers that these writes delete and that are at a carrier that can be asked.
    ///
    /// # Errors
    ///
    /// [`Error::Store`] for one that cannot be read.
    pub fn numbers_deleted(&self, sets: &[RecordedSet]) -> Result<Vec<E164>, Error> {
        if self.outside.is_empty() {
            return Ok(Vec::new());
        }
        let deleted = self.numbers.numbers_deleted(sets)?;
        let deleted = deleted.into_iter().filter(|(number, _)| self.is_asked(number));
        Ok(deleted.map(|(number, _)| number.id).collect())
    }

    /// Keeps numbers from being given back for as long as it takes to store them. Returns those that
    /// are being given back at this moment.
    ///
    /// # Errors
    ///
    /// Those of reading the settings.
    pub async fn hold_many(
        &self,
        numbers: impl IntoIterator<Item = E164>,
    ) -> Result<Vec<(String, Error)>, Error> {
        let numbers: Vec<E164> = numbers.into_iter().collect();
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let settings = &*self.settings.get().await?;
        // They are asked for all at once, since hardly any is being given back. One that cannot be read
        // says nothing of the others: each is asked for by itself then.
        let found = self.numbers.disconnects(&numbers).await.ok();
        let is_wanted = |place: usize| {
            let found = found.as_ref().and_then(|found| found.get(place));
            !matches!(found, Some(DisconnectLookup::Done | DisconnectLookup::Nothing))
        };
        let wanted = numbers.into_iter().enumerate().filter(|(place, _)| is_wanted(*place));
        let held = wanted.map(|(_, number)| async move {
            let held = self.hold(settings, &number).await;
            held.err().map(|err| (number.to_string(), err))
        });
        let held: Vec<_> = held.collect();
        Ok(stream::iter(held)
            .buffer_unordered(PARALLEL)
            .filter_map(std::future::ready)
            .collect()
            .await)
    }

    /// Those of these numbers that were given back to their carriers and are not ours there any more.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn given_back(&self, numbers: &[E164]) -> Result<Vec<E164>, Error> {
        if self.outside.is_empty() || numbers.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.numbers.disconnects(numbers).await?;
        let found = numbers.iter().zip(found);
        let is_done = |(_, found): &(&E164, DisconnectLookup)| *found == DisconnectLookup::Done;
        Ok(found.filter(is_done).map(|(number, _)| number.clone()).collect())
    }

    /// Gives a number back that was just deleted.
    pub(super) fn part_from(&self, outcome: &Result<Saved, Error>) {
        if let Ok(Saved { number, rev: None, written: true, .. }) = outcome
            && self.is_asked(number)
        {
            self.give_back_soon(vec![number.id.clone()]);
        }
    }

    /// Gives numbers back that are gone by now, in the background. Those that are not gone, and those
    /// for which there is no room, are left to the clock.
    pub fn give_back_soon(&self, mut numbers: Vec<E164>) {
        if self.rehearses || self.outside.is_empty() {
            return;
        }
        numbers.truncate(self.returning.available_permits());
        let count = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        let Ok(room) = self.returning.clone().try_acquire_many_owned(count) else {
            return;
        };
        let service = self.clone();
        tokio::spawn(async move { service.give_back_now(&numbers, room).await });
    }

    async fn give_back_now(&self, numbers: &[E164], _room: OwnedSemaphorePermit) {
        let read = async {
            let found = self.numbers.disconnects(numbers).await?;
            Ok::<_, RepositoryError>((found, self.settings.get().await?))
        };
        let (found, settings) = match read.await {
            Ok(read) => read,
            Err(err) => {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(error = cause, "numbers are given back later");
                return;
            }
        };
        let settings = &*settings;
        let wishes = found.into_iter().filter_map(|found| match found {
            DisconnectLookup::Wanted(wish) => Some(*wish),
            DisconnectLookup::Done | DisconnectLookup::Nothing => None,
        });
        let given = wishes.map(|wish| async move {
            let number = wish.number.clone();
            if let Err(err) = self.carry_out_wish(settings, wish).await {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(%number, error = cause, "a number is given back later");
            }
        });
        let given: Vec<_> = given.collect();
        stream::iter(given).buffer_unordered(PARALLEL).collect::<()>().await;
    }

    /// Gives a number back if it is gone and it is its turn.
    pub(super) async fn carry_out_wish(
        &self,
        settings: &Settings,
        wish: Disconnect,
    ) -> Result<Outcome, RepositoryError> {
        let now = self.numbers.now();
        if wish.due > now || wish.is_under_way(now) {
            return Ok(Outcome::Waiting);
        }
        match self.standing_of(&wish).await? {
            Standing::Open => return Ok(Outcome::Waiting),
            Standing::Ours => return self.end(wish, Outcome::Kept).await,
            Standing::Gone => (),
        }
        let (name, limit) = (wish.carrier.clone(), settings.search.disconnect_timeout);
        let Some(carrier) = self.carrier(&name).await else {
            let reason = format!("carrier {name} cannot be asked");
            return self.put_off(settings, wish, reason, 0).await;
        };
        let span = limit.as_secs().cast_signed() + settings.search.claim_ttl;
        let begun = match self.numbers.keep_disconnect(wish.begun(now + span)).await {
            Err(RepositoryError::Conflict { .. }) => return Ok(Outcome::Waiting),
            begun => begun?,
        };
        // Whoever stores it from here on is told to wait; whoever did so before is seen now.
        match self.standing_of(&begun).await? {
            Standing::Gone => (),
            Standing::Ours => return self.end(begun, Outcome::Kept).await,
            Standing::Open => {
                self.numbers.keep_disconnect(begun.begun(0)).await?;
                return Ok(Outcome::Waiting);
            }
        }
        let (number, data) = (begun.number.clone(), begun.data.clone());
        let question = async move { carrier.disconnect(&number, data.as_ref()).await };
        match ask(&name, limit, question).await {
            Ok(returned) => {
                let number = &begun.number;
                match returned {
                    Returned::Done => {
                        tracing::info!(%number, carrier = %name, "a number is given back");
                    }
                    Returned::Unsupported => {
                        tracing::info!(%number, carrier = %name, "a carrier takes no number back");
                    }
                }
                let done = self.numbers.end_disconnect(begun, returned == Returned::Done).await;
                done.map(|()| Outcome::Done)
            }
            Err(unanswered) => {
                let reason = unanswered.to_string();
                // It may happen yet.
                let until = if unanswered.is_doubtful() { begun.begun_until } else { 0 };
                self.put_off(settings, begun, reason, until).await
            }
        }
    }

    async fn put_off(
        &self,
        settings: &Settings,
        wish: Disconnect,
        reason: String,
        begun_until: i64,
    ) -> Result<Outcome, RepositoryError> {
        let due = self.numbers.now() + pause(settings, wish.tries);
        let wish = wish.failed(reason.clone()).begun(begun_until).held(due);
        self.numbers.keep_disconnect(wish).await?;
        Ok(Outcome::Failed(reason))
    }

    async fn end(&self, wish: Disconnect, outcome: Outcome) -> Result<Outcome, RepositoryError> {
        match self.numbers.end_disconnect(wish, false).await {
            Err(RepositoryError::Conflict { .. }) => Ok(Outcome::Waiting),
            done => done.map(|()| outcome),
        }
    }

    async fn standing_of(&self, wish: &Disconnect) -> Result<Standing, RepositoryError> {
        Ok(match self.numbers.get(&wish.number).await? {
            // The deletion may be under way, until it cannot be any more.
            Some((_, rev)) if rev.as_str() == wish.of_rev => {
                let is_over = wish.since < self.numbers.now() - LAPSED;
                if is_over { Standing::Ours } else { Standing::Open }
            }
            Some(_) => Standing::Ours,
            None if self.numbers.purchase(&wish.number).await?.is_some() => Standing::Open,
            None => Standing::Gone,
        })
    }

    /// Keeps a number from being given back for as long as it takes to store it.
    async fn hold(&self, settings: &Settings, number: &E164) -> Result<(), Error> {
        let span = settings.search.purchase_timeout.as_secs().cast_signed();
        for _ in 0..TRIES {
            let now = self.numbers.now();
            let wish = match self.numbers.disconnect(number).await? {
                DisconnectLookup::Wanted(wish) if wish.is_under_way(now) => break,
                DisconnectLookup::Wanted(wish) => *wish,
                DisconnectLookup::Done | DisconnectLookup::Nothing => return Ok(()),
            };
            let until = now + span + settings.search.claim_ttl;
            match self.numbers.keep_disconnect(wish.held(until)).await {
                Err(RepositoryError::Conflict { .. }) => (),
                held => return Ok(held.map(|_| ())?),
            }
        }
        Err(Error::Conflict)
    }

    /// Whether a number is ours at a carrier that can be asked to take it back. What was only seen
    /// there is not, nor is what is on its way in or out: that would end the port.
    fn is_given_back(&self, number: &Number) -> bool {
        !matches!(number.state, State::Discovery | State::PortIn | State::PortOut)
            && self.is_asked(number)
    }

    /// Whether the carrier of a number can be asked.
    fn is_asked(&self, number: &Number) -> bool {
        self.outside.has(&number.carrier)
    }
}

/// Whether a number was not ours before.
fn is_new(before: Option<&Number>) -> bool {
    before.is_none_or(|before| before.state == State::Discovery)
}

/// How many seconds to wait after so many failures.
pub(super) fn pause(settings: &Settings, tries: u32) -> i64 {
    let pause = settings.search.settle_retry.saturating_mul(1 << tries.min(20));
    pause.min(settings.search.settle_retry_max)
}
