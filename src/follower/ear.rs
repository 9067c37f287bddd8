//! Hears which databases may have changed, beside the following itself, so that asking all of them
//! holds nothing up.

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    sync::mpsc::UnboundedSender,
    time::{Instant, sleep},
};

use super::FollowerConfig;
use crate::repository::{Feed, FeedRepository, RepositoryError, Seq};

/// How much longer than a question to all databases took it is not asked again.
const RESTS: u32 = 3;

/// What was heard.
#[derive(Debug)]
pub(super) enum News {
    /// All databases that there are, and their states.
    All(BTreeMap<Feed, Seq>),
    /// The states of some; none for one that is gone.
    Some(BTreeMap<Feed, Option<Seq>>),
    /// Nothing could be heard since then.
    Deaf(Instant),
}

/// Asks the store again and again.
#[derive(Debug)]
pub(super) struct Ear<'a> {
    pub(super) feeds: &'a FeedRepository,
    pub(super) limits: &'a FollowerConfig,
    pub(super) news: UnboundedSender<News>,
}

impl Ear<'_> {
    /// Goes on for ever: all databases now and then, and those in between that the store tells of.
    pub(super) async fn listen(&self) {
        loop {
            // The present comes first, so that nothing lies between it and the question to all.
            let present = self.feeds.updates(None, Duration::ZERO).await;
            let begun = Instant::now();
            let swept = self.sweep().await;
            let poll = self.poll().max(begun.elapsed() * RESTS);
            let heard = match (swept, present) {
                (Err(err), _) => {
                    self.tell(News::Deaf(begun));
                    Err(err)
                }
                (Ok(()), Ok(Some(present))) => self.hear(present.last, begun).await,
                // There is nothing to hear, so all are asked more often.
                (Ok(()), Ok(None)) => {
                    sleep(poll).await;
                    continue;
                }
                (Ok(()), Err(err)) => Err(err),
            };
            if let Err(err) = heard {
                warn(&err);
                sleep(poll).await;
            }
        }
    }

    async fn sweep(&self) -> Result<(), RepositoryError> {
        self.tell(News::All(self.feeds.all().await?));
        Ok(())
    }

    /// Hears of changes until all databases are to be asked again.
    async fn hear(&self, mut place: Seq, swept: Instant) -> Result<(), RepositoryError> {
        let end = swept + Duration::from_millis(self.limits.sweep_ms);
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            let Some(updates) = self.feeds.updates(Some(&place), left).await? else {
                return Ok(());
            };
            place = updates.last;
            if !updates.feeds.is_empty() {
                self.tell(News::Some(self.feeds.states(updates.feeds).await?));
            }
            // What changes in the meantime is told together.
            sleep(Duration::from_millis(self.limits.pace_ms)).await;
        }
    }

    fn poll(&self) -> Duration {
        Duration::from_millis(self.limits.poll_ms)
    }

    fn tell(&self, news: News) {
        // Who does not listen any more has ended, and so does this.
        let _ = self.news.send(news);
    }
}

fn warn(err: &RepositoryError) {
    let cause: &(dyn std::error::Error + 'static) = err;
    tracing::warn!(error = cause, "it cannot be heard which databases change");
}
