//! Stepping back for those who ask for numbers: while anybody does, jobs take turns, with small pages
//! and a pause behind each, longer than it took.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, sleep},
};

/// Knows when somebody last asked for something that is not a job's.
#[derive(Debug)]
pub(super) struct Courtesy {
    begun: Instant,
    /// In milliseconds since then, and one more; 0 for never.
    last: AtomicU64,
    /// For how long a request is remembered; not at all when that is no time.
    remembered: Duration,
    page_size: usize,
    /// How long a pause is, as a multiple of what the page took.
    pause: u32,
    turn: Mutex<()>,
}

/// What one page may do while all other jobs wait.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    begun: Instant,
    courtesy: &'a Courtesy,
    _alone: MutexGuard<'a, ()>,
}

impl Courtesy {
    /// Remembers requests for so long; pages have at most so many documents meanwhile, and a pause behind
    /// them that is so many times as long as they took.
    pub(super) fn new(remembered: Duration, page_size: usize, pause: u32) -> Self {
        let (begun, last) = (Instant::now(), AtomicU64::new(0));
        Self { begun, last, remembered, page_size: page_size.max(1), pause, turn: Mutex::new(()) }
    }

    /// Somebody asks.
    pub(super) fn asked(&self) {
        self.last.store(self.now() + 1, Ordering::Relaxed);
    }

    /// Whether somebody asked a moment ago.
    pub(super) fn is_asked(&self) -> bool {
        let last = self.last.load(Ordering::Relaxed);
        last > 0 && Duration::from_millis(self.now().saturating_sub(last - 1)) < self.remembered
    }

    /// The most documents of a page.
    pub(super) fn page_size(&self, wanted: usize) -> usize {
        if self.is_asked() { wanted.min(self.page_size) } else { wanted }
    }

    /// Waits for its turn, when there is a reason to take turns.
    pub(super) async fn turn(&self) -> Option<Turn<'_>> {
        if !self.is_asked() {
            return None;
        }
        let alone = self.turn.lock().await;
        Some(Turn { begun: Instant::now(), courtesy: self, _alone: alone })
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }
}

impl Turn<'_> {
    /// Leaves the time to others before the next one has its turn; no longer than a request is
    /// remembered, since a page of a database that does not answer can take very long.
    pub(super) async fn rest(self) {
        let Courtesy { pause, remembered, .. } = self.courtesy;
        sleep(self.begun.elapsed().saturating_mul(*pause).min(*remembered)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_remembered_for_a_while() {
        let courtesy = Courtesy::new(Duration::from_hours(1), 20, 3);
        assert_eq!((courtesy.is_asked(), courtesy.page_size(500)), (false, 500));
        courtesy.asked();
        assert_eq!((courtesy.is_asked(), courtesy.page_size(500)), (true, 20));
        assert_eq!(courtesy.page_size(7), 7);
    }

    #[test]
    fn nothing_is_remembered_for_no_time() {
        let courtesy = Courtesy::new(Duration::ZERO, 20, 3);
        courtesy.asked();
        assert!(!courtesy.is_asked());
    }
    #[tokio::test]
    async fn turns_are_taken_one_by_one_with_a_pause_behind_each() {
        let courtesy = Courtesy::new(Duration::from_hours(1), 20, 3);
        assert!(courtesy.turn().await.is_none());
        courtesy.asked();
        let begun = Instant::now();
        let page = async || {
            let turn = courtesy.turn().await.unwrap();
            sleep(Duration::from_millis(10)).await;
            let done = begun.elapsed();
            turn.rest().await;
            done.as_millis()
        };
        let (one, other) = tokio::join!(page(), page());
        // Page, pause, page, pause: no shorter, however slow the machine is.
        assert!(one >= 10 && other >= 50, "{one} {other}");
        assert!(begun.elapsed().as_millis() >= 80);
    }
}
