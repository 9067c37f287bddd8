//! Stepping back for those who ask for numbers: while anybody does, jobs take turns, with small pages
//! and a pause behind each, longer than it took.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use tokio::{
    sync::Mutex,
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

    /// What is written next of a page of which so many are written: all that is left, or a little of it
    /// while somebody asks, since it may have been planned before.
    pub(super) fn next_part<'s, T>(&self, page: &'s [T], written: usize) -> Option<&'s [T]> {
        let left = page.get(written..)?;
        left.get(..self.page_size(left.len())).filter(|part| !part.is_empty())
    }

    /// Does a part of a page, alone and with a pause behind it when there is a reason to take turns. The
    /// pause is no longer than a request is remembered, since a database that does not answer can take
    /// very long.
    pub(super) async fn in_turn<T>(&self, part: impl Future<Output = T>) -> T {
        if !self.is_asked() {
            return part.await;
        }
        let _alone = self.turn.lock().await;
        let begun = Instant::now();
        let done = part.await;
        sleep(begun.elapsed().saturating_mul(self.pause).min(self.remembered)).await;
        done
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1)
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::Notify;

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
    fn a_page_is_written_in_small_parts_as_soon_as_somebody_asks() {
        let courtesy = Courtesy::new(Duration::from_hours(1), 2, 3);
        let page = [1, 2, 3, 4, 5];
        assert_eq!(courtesy.next_part(&page, 0), Some(&page[..]));
        courtesy.asked();
        let parts = [0, 2, 4, 5, 6].map(|written| courtesy.next_part(&page, written));
        assert_eq!(parts, [Some(&[1, 2][..]), Some(&[3, 4][..]), Some(&[5][..]), None, None]);
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
        courtesy.asked();
        let begun = Instant::now();
        let part = || {
            courtesy.in_turn(async {
                sleep(Duration::from_millis(10)).await;
                begun.elapsed().as_millis()
            })
        };
        let (one, other) = tokio::join!(part(), part());
        // Part, pause, part, pause: no shorter, however slow the machine is.
        assert!(one >= 10 && other >= 50, "{one} {other}");
        assert!(begun.elapsed().as_millis() >= 80);
    }

    #[tokio::test]
    async fn nobody_takes_turns_while_nobody_asks() {
        let courtesy = Courtesy::new(Duration::from_hours(1), 20, 3);
        let (one, other) = (Notify::new(), Notify::new());
        // Each waits for the other one: in turns they never ended.
        let both = async {
            let first = courtesy.in_turn(async {
                one.notify_one();
                other.notified().await;
            });
            let second = courtesy.in_turn(async {
                other.notify_one();
                one.notified().await;
            });
            tokio::join!(first, second)
        };
        tokio::time::timeout(Duration::from_mins(1), both).await.unwrap();
    }
}
