//! Keeps the copies of numbers true, whatever happens.
//!
//! Read in this order: `lease` (which process follows), `ear` (which databases changed), `term` (how it
//! goes through what changed in them), `place` (how far one database was followed), `begin` (where that
//! starts), `retries` (numbers that cannot be settled now), `announce` (telling of what is settled),
//! `watch` (what is told of the following itself).
//!
//! A change is looked at when it is read and once more when no older write of that number can arrive
//! any more; only then does the checkpoint pass it. Looking means: what the number says, and what the
//! copies are. So it does not matter how often or in which order changes are seen, and a process that
//! stops in the middle leaves nothing that the next one does not see again.

mod announce;
mod begin;
mod config;
mod ear;
mod lease;
mod place;
mod retries;
mod term;
mod watch;

pub use self::{config::FollowerConfig, watch::FollowerWatch};

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc::unbounded_channel, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{
    ear::Ear,
    lease::{Contender, Held, Lost},
    term::Term,
};
use crate::{
    domain::Clock,
    repository::{EventRepository, FeedRepository, LocalWrites, NumberRepository},
};

/// Keeps the copies of numbers true while it holds the lease.
#[derive(Debug)]
pub struct Follower {
    contender: Contender,
    numbers: NumberRepository,
    writes: LocalWrites,
    shutdown: CancellationToken,
}

impl Follower {
    /// Follows the databases of `feeds` and tells `events` of it, until `shutdown`. `writes`: what this
    /// process writes to.
    #[must_use]
    pub fn new(
        numbers: NumberRepository,
        feeds: FeedRepository,
        events: EventRepository,
        writes: LocalWrites,
        clock: Arc<dyn Clock>,
        limits: FollowerConfig,
        shutdown: CancellationToken,
    ) -> Self {
        let watch = FollowerWatch::default();
        if limits.enabled {
            watch.begin(Duration::from_millis(limits.degraded_after_ms));
        }
        let holder = Uuid::new_v4().simple().to_string();
        let contender = Contender { feeds, events, clock, limits, watch, holder };
        Self { contender, numbers, writes, shutdown }
    }

    /// Tells how it goes.
    #[must_use]
    pub fn watch(&self) -> FollowerWatch {
        self.contender.watch.clone()
    }

    /// Takes the lease whenever nobody has it, and follows while it is held. `alone`: no other process
    /// can have the store open.
    pub async fn run(&self, alone: bool) {
        let limits = &self.contender.limits;
        if !limits.enabled {
            return;
        }
        let pause = Duration::from_millis(limits.renewal_ms);
        loop {
            match self.contender.take(alone).await {
                Ok(Some(held)) => self.follow(&held).await,
                Ok(None) => (),
                Err(err) => {
                    let cause: &(dyn std::error::Error + 'static) = &err;
                    tracing::warn!(error = cause, "the lease of the follower cannot be taken");
                    self.contender.watch.refresh();
                }
            }
            if self.shutdown.run_until_cancelled(sleep(pause)).await.is_none() {
                return;
            }
        }
    }

    async fn follow(&self, held: &Held<'_>) {
        tracing::info!(epoch = held.epoch(), "this process keeps the copies true");
        let (tell, news) = unbounded_channel();
        let (feeds, limits) = (&self.contender.feeds, &self.contender.limits);
        let ear = Ear { feeds, limits, news: tell };
        let mut term = Term::new(&self.numbers, &self.contender, &self.writes, news, held);
        tokio::select! {
            () = ear.listen() => (),
            kept = held.keep(&self.shutdown) => if kept.is_ok() {
                held.give_back().await;
            } else {
                tracing::warn!("another process may keep the copies true now");
            },
            Lost = term.run() => tracing::warn!("the lease of the follower ran out"),
        }
    }
}
