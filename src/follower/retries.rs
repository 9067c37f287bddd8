//! Numbers that could not be settled: tried again with growing pauses, whoever holds the lease.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error as _,
    time::Duration,
};

use tokio::time::Instant;

use super::{FollowerConfig, place::Wanted};
use crate::{
    domain::{AccountId, E164},
    repository::{FeedRepository, Look, Looked, RepositoryError, Unsettled},
};

/// Why a number that names several owners is not settled.
const CONFLICTING_OWNERS: &str = "conflicting_owners";
/// Why one is not whose stock somebody is about to take, or was when they died.
const CLAIMED: &str = "claimed";

/// The list, as it is stored.
#[derive(Debug, Default)]
pub(super) struct Retries {
    numbers: BTreeMap<E164, Retry>,
}

#[derive(Debug)]
struct Retry {
    stored: Unsettled,
    due: Instant,
    /// Whether it is looked at in this turn.
    is_due: bool,
}

impl Retries {
    /// Reads the list; everything on it is due.
    pub(super) async fn load(feeds: &FeedRepository) -> Result<Self, RepositoryError> {
        let due = Instant::now();
        let retry = |(id, stored)| (id, Retry { stored, due, is_due: false });
        Ok(Self { numbers: feeds.unsettled().await?.into_iter().map(retry).collect() })
    }

    /// How many there are.
    pub(super) fn len(&self) -> u64 {
        self.numbers.len() as u64
    }

    /// How many of them name several owners.
    pub(super) fn contested(&self) -> u64 {
        let is_contested = |it: &&Retry| it.stored.reason == CONFLICTING_OWNERS;
        self.numbers.values().filter(is_contested).count() as u64
    }

    /// What is to be looked at now.
    pub(super) fn due(&mut self, wanted: &mut Wanted) {
        let now = Instant::now();
        for (id, retry) in &mut self.numbers {
            // Something has changed: it may go well now.
            retry.is_due = retry.due <= now || wanted.contains_key(id);
            if retry.is_due {
                let accounts = retry.stored.accounts.iter();
                let accounts = accounts.filter_map(|it| AccountId::parse(it).ok());
                wanted.entry(id.clone()).or_default().extend(accounts);
            }
        }
    }

    /// Those that are looked at in this turn.
    pub(super) fn tried(&self) -> impl Iterator<Item = &E164> {
        self.numbers.iter().filter(|(_, it)| it.is_due).map(|(id, _)| id)
    }

    /// Hears what became of those that were due, and of numbers that were looked at for the second
    /// time. Returns those that are not settled and could not be stored either.
    pub(super) async fn settle(
        &mut self,
        looked: &BTreeMap<E164, Looked>,
        twice: &BTreeSet<E164>,
        feeds: &FeedRepository,
        limits: &FollowerConfig,
        time: &str,
    ) -> BTreeSet<E164> {
        let mut kept = Vec::new();
        let concerned: BTreeSet<E164> = self.tried().chain(twice).cloned().collect();
        for id in concerned {
            let Some(seen) = looked.get(&id) else { continue };
            let known = self.numbers.get(&id);
            match reason(&seen.outcome) {
                None if known.is_some_and(|it| it.is_due) => kept.push((id, None)),
                None => (),
                Some(reason) => {
                    let tries = known.map_or(0, |it| it.stored.tries.saturating_add(1));
                    let since = known.map_or_else(|| time.to_owned(), |it| it.stored.since.clone());
                    let mut accounts =
                        known.map_or_else(BTreeSet::new, |it| it.stored.accounts.clone());
                    accounts.extend(seen.accounts.iter().map(ToString::to_string));
                    kept.push((id, Some(Unsettled { accounts, reason, since, tries })));
                }
            }
        }
        let failed = feeds.keep_unsettled(kept.clone()).await;
        if let Some((id, err)) = failed.first_key_value() {
            let cause: &(dyn std::error::Error + 'static) = err;
            tracing::warn!(number = %id, error = cause, "unsettled numbers cannot be kept");
        }
        let mut lost = BTreeSet::new();
        for (id, unsettled) in kept {
            match unsettled {
                Some(stored) => {
                    if failed.contains_key(&id) {
                        lost.insert(id.clone());
                    }
                    let due = Instant::now() + pause(limits, stored.tries);
                    self.numbers.insert(id, Retry { stored, due, is_due: false });
                }
                None if failed.contains_key(&id) => (),
                None => drop(self.numbers.remove(&id)),
            }
        }
        lost
    }
}

/// Why a number is not settled; none when it is.
fn reason(outcome: &Look) -> Option<String> {
    match outcome {
        Look::Right | Look::Healed => None,
        Look::Claimed => Some(CLAIMED.to_owned()),
        Look::Contested => Some(CONFLICTING_OWNERS.to_owned()),
        Look::Failed(err) => Some(match err.source() {
            Some(source) => format!("{err}: {source}"),
            None => err.to_string(),
        }),
    }
}

fn pause(limits: &FollowerConfig, tries: u32) -> Duration {
    let pause = limits.retry_ms.saturating_mul(1 << tries.min(20));
    Duration::from_millis(pause.min(limits.retry_max_ms))
}
