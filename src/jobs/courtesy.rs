//! Stepping back for those who ask for numbers: while anybody does, jobs take turns, with small pages
//! and a pause behind each as long as it took.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    sync::{Mutex, MutexGuard},
    time::Instant,
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
    turn: Mutex<()>,
}

impl Courtesy {
    /// Remembers requests for so long; pages have at most so many documents meanwhile.
    pub(super) fn new(remembered: Duration, page_size: usize) -> Self {
        let (begun, last) = (Instant::now(), AtomicU64::new(0));
        Self { begun, last, remembered, page_size: page_size.max(1), turn: Mutex::new(()) }
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

    /// Waits for its turn.
    pub(super) async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_remembered_for_a_while() {
        let courtesy = Courtesy::new(Duration::from_hours(1), 20);
        assert_eq!((courtesy.is_asked(), courtesy.page_size(500)), (false, 500));
        courtesy.asked();
        assert_eq!((courtesy.is_asked(), courtesy.page_size(500)), (true, 20));
        assert_eq!(courtesy.page_size(7), 7);
    }

    #[test]
    fn nothing_is_remembered_for_no_time() {
        let courtesy = Courtesy::new(Duration::ZERO, 20);
        courtesy.asked();
        assert!(!courtesy.is_asked());
    }
}
