//! Going through what changed, for as long as the lease is held.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use futures::{StreamExt, stream};
use tokio::{
    sync::mpsc::UnboundedReceiver,
    time::{Instant, sleep},
};

use super::{
    ear::News,
    lease::{Contender, Held, Lost},
    place::{Place, Wanted},
    retries::Retries,
};
use crate::{
    domain::E164,
    repository::{
        Feed, Following, LocalWrites, Look, Looked, NumberRepository, RepositoryError, Seq,
    },
};

/// What the holder of the lease knows.
#[derive(Debug)]
pub(super) struct Term<'a> {
    pub(super) numbers: &'a NumberRepository,
    pub(super) contender: &'a Contender,
    writes: &'a LocalWrites,
    news: UnboundedReceiver<News>,
    held: &'a Held<'a>,
    pub(super) places: BTreeMap<Feed, Place>,
    /// None until they and what was noted of databases could be read.
    pub(super) retries: Option<Retries>,
    /// How far databases were followed, as it is kept apart from them.
    pub(super) noted: BTreeMap<Feed, Seq>,
    /// Databases that were written to and are not known yet.
    unknown: BTreeSet<Feed>,
    /// Whether the databases were listed before.
    is_listed: bool,
    /// Since when they cannot be.
    blind_since: Option<Instant>,
    healed: u64,
}

/// What became of a checkpoint.
enum Saving {
    Done,
    /// It is not the one that was stored: the database is another one, or somebody else followed.
    Other,
    Failed(RepositoryError),
}

impl<'a> Term<'a> {
    pub(super) fn new(
        numbers: &'a NumberRepository,
        contender: &'a Contender,
        writes: &'a LocalWrites,
        news: UnboundedReceiver<News>,
        held: &'a Held<'a>,
    ) -> Self {
        Self {
            numbers,
            contender,
            writes,
            news,
            held,
            places: BTreeMap::new(),
            retries: None,
            noted: BTreeMap::new(),
            unknown: BTreeSet::new(),
            is_listed: false,
            blind_since: None,
            healed: 0,
        }
    }

    /// Goes on until the lease runs out.
    pub(super) async fn run(&mut self) -> Lost {
        let pace = Duration::from_millis(self.contender.limits.pace_ms);
        loop {
            match self.turn().await {
                Err(lost) => return lost,
                Ok(true) => (),
                Ok(false) => sleep(pace).await,
            }
        }
    }

    /// Reads what changed, looks at what is due, and says how it goes. Returns whether there is more
    /// to read at once.
    async fn turn(&mut self) -> Result<bool, Lost> {
        if let Err(err) = self.load().await {
            warn(&err, "what was not settled cannot be read");
            self.blind_since.get_or_insert_with(Instant::now);
            self.report();
            return Ok(false);
        }
        if let Err(err) = self.contender.events.turn().await {
            warn(&err, "the month of the feed cannot be begun");
        }
        self.notice().await;
        let is_full = self.read().await;
        let deadline = Duration::from_millis(self.contender.limits.deadline_ms);
        let mut wanted = Wanted::new();
        self.places.values_mut().for_each(|place| place.due(deadline, &mut wanted));
        if let Some(retries) = &mut self.retries {
            retries.due(&mut wanted);
        }
        let looked = self.look(wanted).await?;
        self.settle(looked).await;
        self.held.check()?;
        self.save().await;
        self.report();
        Ok(is_full)
    }

    /// Reads what an earlier holder left, once.
    async fn load(&mut self) -> Result<(), RepositoryError> {
        if self.retries.is_none() {
            let feeds = &self.contender.feeds;
            self.contender.events.begin().await?;
            self.noted = feeds.followed().await?;
            self.retries = Some(Retries::load(feeds).await?);
            self.blind_since = None;
        }
        Ok(())
    }

    /// Finds out which databases may have changed.
    async fn notice(&mut self) {
        while let Ok(news) = self.news.try_recv() {
            match news {
                News::All(all) => self.list(all),
                News::Some(some) => self.hear(some),
                News::Deaf(since) => drop(self.blind_since.get_or_insert(since)),
            }
        }
        for feed in self.contender.feeds.written(self.writes) {
            match self.places.get_mut(&feed) {
                Some(place) => place.touch(),
                None => drop(self.unknown.insert(feed)),
            }
        }
        // Before the first list nobody knows which databases were there at the very beginning.
        if self.is_listed && !self.unknown.is_empty() {
            match self.contender.feeds.states(self.unknown.clone()).await {
                Ok(states) => {
                    self.unknown.clear();
                    self.hear(states);
                }
                Err(err) => warn(&err, "a database that was written to cannot be found"),
            }
        }
    }

    fn list(&mut self, all: BTreeMap<Feed, Seq>) {
        let is_first = self.held.epoch() == 1 && !self.is_listed;
        self.places.retain(|feed, _| all.contains_key(feed));
        for (feed, state) in all {
            self.places.entry(feed).or_insert_with(|| Place::new(is_first)).notice(state);
        }
        self.is_listed = true;
        self.blind_since = None;
    }

    fn hear(&mut self, some: BTreeMap<Feed, Option<Seq>>) {
        for (feed, state) in some {
            match state {
                None => drop(self.places.remove(&feed)),
                Some(state) => {
                    self.places.entry(feed).or_insert_with(|| Place::new(false)).notice(state);
                }
            }
        }
    }

    /// Reads what changed; returns whether that was as much as is looked at in a turn.
    async fn read(&mut self) -> bool {
        let now = Instant::now();
        let is_unread = |place: &Place| place.unread_since.is_some() && place.not_before <= now;
        let unread: Vec<Feed> = self
            .places
            .iter()
            .filter(|(_, place)| is_unread(place))
            .map(|(feed, _)| feed.clone())
            .collect();
        let taken: Vec<(Feed, Place)> =
            unread.into_iter().filter_map(|feed| self.places.remove_entry(&feed)).collect();
        let left = AtomicUsize::new(self.contender.limits.turn_size);
        let this = &*self;
        let reads = stream::iter(taken).map(|(feed, mut place)| {
            let left = &left;
            async move {
                if let Err(err) = this.read_one(&feed, &mut place, left).await {
                    let pause = Duration::from_millis(this.contender.limits.poll_ms);
                    place.not_before = Instant::now() + pause;
                    if !err.is_of_no_database() {
                        let cause: &(dyn std::error::Error + 'static) = &err;
                        tracing::warn!(database = feed.name(), error = cause, "cannot be followed");
                    }
                }
                (feed, place)
            }
        });
        let reads = reads.buffer_unordered(this.contender.limits.parallel);
        let read: Vec<(Feed, Place)> = reads.collect().await;
        self.places.extend(read);
        left.into_inner() == 0
    }

    async fn read_one(
        &self,
        feed: &Feed,
        place: &mut Place,
        left: &AtomicUsize,
    ) -> Result<(), RepositoryError> {
        if place.doubted_since.is_some() {
            self.doubt(feed, place).await?;
        }
        if !place.begun {
            self.begin(feed, place).await?;
            if place.is_read() {
                place.unread_since = None;
                return Ok(());
            }
        }
        let size = self.contender.limits.page_size;
        while left.load(Ordering::Relaxed) > 0 {
            let page = self.contender.feeds.page(feed, place.read.as_ref(), size).await?;
            let read = page.read;
            // The first checkpoint of a database without documents says that it is known.
            if read > 0 || place.read.is_none() {
                place.add(feed, page);
            }
            if read == 0 {
                if place.doubted_since.is_none() {
                    place.unread_since = None;
                }
                return Ok(());
            }
            left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                Some(left.saturating_sub(read))
            })
            .ok();
        }
        Ok(())
    }

    async fn look(&mut self, wanted: Wanted) -> Result<BTreeMap<E164, Looked>, Lost> {
        let mut looked = BTreeMap::new();
        let mut wanted = wanted.into_iter();
        loop {
            let some: Wanted = wanted.by_ref().take(self.contender.limits.page_size).collect();
            if some.is_empty() {
                break;
            }
            self.held.check()?;
            looked.extend(self.numbers.look_at(some).await);
        }
        let is_healed = |it: &&Looked| matches!(it.outcome, Look::Healed);
        let healed = looked.values().filter(is_healed).count();
        if healed > 0 {
            tracing::info!(numbers = healed, "copies were put right");
            self.healed += healed as u64;
        }
        Ok(looked)
    }

    async fn settle(&mut self, mut looked: BTreeMap<E164, Looked>) {
        self.announce(&mut looked).await;
        let Some(retries) = &mut self.retries else { return };
        let twice: BTreeSet<E164> = self.places.values().flat_map(Place::twice).cloned().collect();
        let Contender { feeds, limits, clock, .. } = self.contender;
        let time = clock.now().to_string();
        let lost = retries.settle(&looked, &twice, feeds, limits, &time).await;
        self.places.values_mut().for_each(|place| place.settle(&looked, &lost));
    }

    /// Stores checkpoints, each when the last one is old enough.
    async fn save(&mut self) {
        let pause = Duration::from_millis(self.contender.limits.deadline_ms);
        let places = self.places.iter();
        let ripe: Vec<_> = places
            .filter(|(_, place)| place.saved_at.elapsed() >= pause)
            .filter_map(|(feed, place)| {
                Some((feed.clone(), place.saved.clone(), place.settled.clone()?))
            })
            .collect();
        let this = &*self;
        let saves = stream::iter(ripe).map(|(feed, saved, settled)| async move {
            let saving = this.save_one(&feed, saved.as_ref(), &settled).await;
            (feed, settled, saving.unwrap_or_else(Saving::Failed))
        });
        let saves = saves.buffer_unordered(this.contender.limits.parallel);
        let mut noted = BTreeMap::new();
        for (feed, settled, saving) in saves.collect::<Vec<_>>().await {
            let Some(place) = self.places.get_mut(&feed) else { continue };
            place.saved_at = Instant::now();
            match saving {
                Saving::Done => {
                    place.saved = Some(settled.clone());
                    place.settled = None;
                    noted.insert(feed, settled);
                }
                Saving::Other => place.lose(false),
                Saving::Failed(err) => warn(&err, "a checkpoint cannot be stored"),
            }
        }
        if noted.is_empty() {
            return;
        }
        match self.contender.feeds.keep_followed(&noted).await {
            Ok(()) => self.noted.extend(noted),
            Err(err) => warn(&err, "how far databases were followed cannot be kept"),
        }
    }

    async fn save_one(
        &self,
        feed: &Feed,
        saved: Option<&Seq>,
        settled: &Seq,
    ) -> Result<Saving, RepositoryError> {
        let feeds = &self.contender.feeds;
        if feeds.checkpoint(feed).await?.as_ref() != saved {
            return Ok(Saving::Other);
        }
        feeds.keep_checkpoint(feed, settled).await?;
        Ok(Saving::Done)
    }

    fn report(&self) {
        let behind = self.places.values().filter_map(Place::behind_since).chain(self.blind_since);
        let lag = behind.min().map_or(Duration::ZERO, |since| since.elapsed());
        let unread = self.places.values().filter(|place| place.unread_since.is_some());
        self.held.report(Following {
            lag_ms: u64::try_from(lag.as_millis()).unwrap_or(u64::MAX),
            databases_behind: unread.count() as u64,
            retries: self.retries.as_ref().map_or(0, Retries::len),
            conflicting_owners: self.retries.as_ref().map_or(0, Retries::contested),
            healed: self.healed,
        });
    }
}

fn warn(err: &RepositoryError, what: &'static str) {
    let cause: &(dyn std::error::Error + 'static) = err;
    tracing::warn!(error = cause, "{what}");
}
