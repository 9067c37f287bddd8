//! Telling what became of numbers: appended to the feed of changes before a checkpoint may pass them, so
//! that nothing is missed whoever follows and whenever that one stops.

use std::collections::{BTreeMap, BTreeSet};

use super::{place::Place, retries::Retries, term::Term};
use crate::{
    domain::{AccountId, E164},
    repository::{Event, Feed, Look, Looked},
};

/// Numbers that are told of, each with the accounts that may have held a copy.
type Told = BTreeMap<E164, Telling>;

/// What is told of a number.
#[derive(Default)]
struct Telling {
    /// Whether the number itself was read as changed.
    itself: bool,
    /// The accounts in whose databases something was.
    accounts: BTreeSet<AccountId>,
}

impl Term<'_> {
    /// Appends what was looked at for the second time. What cannot be appended counts as not settled,
    /// so that it is tried again.
    pub(super) async fn announce(&self, looked: &mut BTreeMap<E164, Looked>) {
        let mut events = Vec::new();
        let mut numbers = Vec::new();
        let now = self.contender.events.now();
        for (id, told) in self.told(looked) {
            let Some(condition) = looked.get(&id).and_then(|it| it.condition.as_ref()) else {
                continue;
            };
            // Whom the number does not name would not learn that it is gone.
            let left = told.accounts.iter().filter(|account| !condition.names(account));
            let whom = told.itself.then_some(None).into_iter().chain(left.map(Some));
            for held_by in whom {
                events.push(Event::of(&id, condition, held_by, now));
                numbers.push(id.clone());
            }
        }
        for (at, events) in events.chunks(self.contender.limits.page_size).enumerate() {
            let done = self.contender.events.append(events).await;
            let numbers = numbers.iter().skip(at * self.contender.limits.page_size);
            for (id, done) in numbers.zip(done) {
                if let (Err(err), Some(looked)) = (done, looked.get_mut(id)) {
                    looked.outcome = Look::Failed(err);
                }
            }
        }
    }

    fn told(&self, looked: &BTreeMap<E164, Looked>) -> Told {
        let mut all = Told::new();
        for (feed, id) in self.places.iter().flat_map(|(feed, it)| twice(feed, it)) {
            let told = all.entry(id.clone()).or_default();
            match feed {
                Feed::Numbers(_) => told.itself = true,
                Feed::Copies(account) => drop(told.accounts.insert(account.clone())),
                // What a carrier has in stock is no number of ours.
                Feed::Stock(_) => {}
            }
        }
        for id in self.retries.iter().flat_map(Retries::tried) {
            let told = all.entry(id.clone()).or_default();
            told.itself = true;
            told.accounts.extend(looked.get(id).into_iter().flat_map(|it| it.accounts.clone()));
        }
        all
    }
}

fn twice<'a>(feed: &'a Feed, place: &'a Place) -> impl Iterator<Item = (&'a Feed, &'a E164)> {
    place.twice().map(move |id| (feed, id))
}
