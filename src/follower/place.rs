//! How far one database was followed.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    domain::{AccountId, E164},
    repository::{Feed, FeedPage, Looked, Seq},
};

/// Numbers, each with the accounts whose copies are looked at.
pub(super) type Wanted = BTreeMap<E164, BTreeSet<AccountId>>;

/// How far one database was followed.
#[derive(Debug)]
pub(super) struct Place {
    /// Whether it is known where to begin.
    pub(super) begun: bool,
    /// Whether it is certainly not what it was.
    pub(super) is_reset: bool,
    /// Since when its state seems to be older than what was read of it: it was put back, or a copy of
    /// it that is behind has answered.
    pub(super) doubted_since: Option<Instant>,
    /// Whether it was there when anybody followed for the first time: then every number is looked at
    /// by its own feed.
    pub(super) is_first: bool,
    /// Up to here it was read.
    pub(super) read: Option<Seq>,
    /// The checkpoint as it is stored.
    pub(super) saved: Option<Seq>,
    /// Up to here everything was looked at twice.
    pub(super) settled: Option<Seq>,
    /// When the checkpoint was stored.
    pub(super) saved_at: Instant,
    /// The name of the state in which it was seen last.
    pub(super) version: Option<Seq>,
    /// Since when there may be something to read.
    pub(super) unread_since: Option<Instant>,
    /// When it may be read, after a failure.
    pub(super) not_before: Instant,
    /// What was read and is not settled, in order.
    pub(super) waiting: VecDeque<Batch>,
}

/// Changes that were read together.
#[derive(Debug)]
pub(super) struct Batch {
    at: Instant,
    /// Up to where the database is settled with it.
    last: Option<Seq>,
    numbers: Wanted,
    stage: Stage,
}

/// How a database is begun with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// Where the checkpoint says.
    GoOn,
    /// It was never followed.
    New,
    /// It was, but is another one now, or was put back.
    Reset,
}

/// How often a batch was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not yet.
    New,
    /// Once.
    Once,
    /// Once, and it is about to be for the second time.
    Due,
}

impl Place {
    /// A database that was just found.
    pub(super) fn new(is_first: bool) -> Self {
        let now = Instant::now();
        Self {
            begun: false,
            is_reset: false,
            doubted_since: None,
            is_first,
            read: None,
            saved: None,
            settled: None,
            saved_at: now,
            version: None,
            unread_since: None,
            not_before: now,
            waiting: VecDeque::new(),
        }
    }

    /// Hears in which state the database is.
    pub(super) fn notice(&mut self, version: Seq) {
        if self.version.as_ref() == Some(&version) {
            return;
        }
        self.doubted_since = match &self.read {
            Some(read) if is_before(&version, read) => {
                self.doubted_since.or_else(|| Some(Instant::now()))
            }
            _ => None,
        };
        self.version = Some(version);
        self.touch();
    }

    /// The checkpoint is not the one that was stored: another one followed, or the database is another
    /// one (`is_reset`: certainly).
    pub(super) fn lose(&mut self, is_reset: bool) {
        self.begun = false;
        self.is_reset |= is_reset;
        self.doubted_since = None;
        self.is_first = false;
        self.settled = None;
        self.touch();
    }

    /// Something may have changed.
    pub(super) fn touch(&mut self) {
        self.unread_since.get_or_insert_with(Instant::now);
    }

    /// Goes on from a checkpoint, or from the beginning. `noted`: the same checkpoint, as it was kept
    /// apart from the database.
    pub(super) fn begin(&mut self, saved: Option<Seq>, noted: Option<&Seq>) -> Start {
        let start = match &saved {
            None if noted.is_none() && !self.is_reset => Start::New,
            None => Start::Reset,
            Some(saved)
                if self.is_reset
                    || noted.is_some_and(|noted| is_before(saved, noted))
                    || self.version.as_ref().is_some_and(|version| is_before(version, saved)) =>
            {
                Start::Reset
            }
            Some(_) => Start::GoOn,
        };
        self.read = saved.clone().filter(|_| start == Start::GoOn);
        self.saved = saved;
        self.settled = None;
        self.waiting.clear();
        start
    }

    /// Whether nothing changed since it was read.
    pub(super) fn is_read(&self) -> bool {
        self.read.is_some() && self.read == self.version
    }

    /// Adds changes that were read.
    pub(super) fn add(&mut self, feed: &Feed, page: FeedPage) {
        self.read = Some(page.last.clone());
        let account = match feed {
            Feed::Numbers(_) | Feed::Stock(_) => None,
            Feed::Copies(account) => Some(account),
        };
        self.push(account, page.numbers, Some(page.last));
    }

    /// Adds numbers with the copies of an account, as if they had changed.
    pub(super) fn add_copies(&mut self, account: &AccountId, numbers: Vec<E164>) {
        self.push(Some(account), numbers, None);
    }

    fn push(&mut self, account: Option<&AccountId>, numbers: Vec<E164>, last: Option<Seq>) {
        let accounts: BTreeSet<AccountId> = account.into_iter().cloned().collect();
        let numbers = numbers.into_iter().map(|id| (id, accounts.clone())).collect();
        self.waiting.push_back(Batch { at: Instant::now(), last, numbers, stage: Stage::New });
    }

    /// What is to be looked at now: what was read, and what was looked at once, `deadline` ago.
    pub(super) fn due(&mut self, deadline: Duration, wanted: &mut Wanted) {
        for batch in &mut self.waiting {
            if batch.stage == Stage::Once && batch.at.elapsed() >= deadline {
                batch.stage = Stage::Due;
            }
            if batch.stage != Stage::Once {
                for (id, accounts) in &batch.numbers {
                    wanted.entry(id.clone()).or_default().extend(accounts.iter().cloned());
                }
            }
        }
    }

    /// The numbers that were looked at for the second time.
    pub(super) fn twice(&self) -> impl Iterator<Item = &E164> {
        let due = self.waiting.iter().filter(|batch| batch.stage == Stage::Due);
        due.flat_map(|batch| batch.numbers.keys())
    }

    /// Hears what became of what was due. `lost`: numbers that are not settled and not kept either.
    pub(super) fn settle(&mut self, looked: &BTreeMap<E164, Looked>, lost: &BTreeSet<E164>) {
        for batch in &mut self.waiting {
            if batch.stage == Stage::New {
                for (id, accounts) in &mut batch.numbers {
                    // What a number says now it may not say any more the second time.
                    let seen = looked.get(id).into_iter().flat_map(|it| it.accounts.iter());
                    accounts.extend(seen.cloned());
                }
                batch.stage = Stage::Once;
            }
        }
        let is_done = |batch: &Batch| {
            batch.stage == Stage::Due && !batch.numbers.keys().any(|id| lost.contains(id))
        };
        while self.waiting.front().is_some_and(is_done) {
            let done = self.waiting.pop_front();
            self.settled = done.and_then(|done| done.last).or(self.settled.take());
        }
        for batch in &mut self.waiting {
            batch.stage = Stage::Once;
        }
    }

    /// Since when something is not settled.
    pub(super) fn behind_since(&self) -> Option<Instant> {
        let waiting = self.waiting.front().map(|batch| batch.at);
        waiting.into_iter().chain(self.unread_since).min()
    }
}

/// Whether a place is certainly before another one of the same database.
fn is_before(one: &Seq, other: &Seq) -> bool {
    matches!((one.count(), other.count()), (Some(one), Some(other)) if one < other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seq(text: &str) -> Option<Seq> {
        (!text.is_empty()).then(|| Seq::new(text))
    }

    #[test]
    fn where_a_database_is_begun_with_follows_from_both_notes_and_its_state() {
        let check = |saved: &str, noted: &str, state: &str, start: Start| {
            let mut place = Place::new(false);
            place.notice(Seq::new(state));
            assert_eq!(place.begin(seq(saved), seq(noted).as_ref()), start, "{saved} {noted}");
            assert_eq!(place.read.is_some(), start == Start::GoOn);
        };
        check("", "", "9-x", Start::New);
        check("5-a", "5-a", "9-x", Start::GoOn);
        // Whoever stopped in between had not noted it yet.
        check("5-a", "3-b", "9-x", Start::GoOn);
        check("5-a", "", "9-x", Start::GoOn);
        // Made anew, put back as it was earlier, put back with what it was told.
        check("", "5-a", "9-x", Start::Reset);
        check("3-b", "5-a", "9-x", Start::Reset);
        check("5-a", "5-a", "4-x", Start::Reset);
    }

    #[test]
    fn a_state_that_is_older_than_what_was_read_is_doubted_until_it_is_not() {
        let mut place = Place::new(false);
        place.notice(Seq::new("5-a"));
        place.begin(seq("5-a"), None);
        place.notice(Seq::new("4-b"));
        let since = place.doubted_since.expect("doubted");
        place.notice(Seq::new("3-c"));
        assert_eq!(place.doubted_since, Some(since));
        place.notice(Seq::new("6-d"));
        assert_eq!(place.doubted_since, None);
        place.lose(true);
        assert_eq!(place.begin(seq("5-a"), seq("5-a").as_ref()), Start::Reset);
    }
}
