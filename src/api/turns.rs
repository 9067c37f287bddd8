//! Whose turn it is among requests about many numbers. They share the store, so that each takes longer
//! the more of them there are; a few at once are as much as all of them.
//!
//! Who comes first is served first, until more wait than could be served soon: then whoever came last is
//! first, since those who came before have been waiting for too long already.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

/// How much is done at once, and how much waits.
#[derive(Clone, Copy, Debug)]
pub(super) struct TurnLimits {
    /// How many numbers are worked on at once.
    pub(super) numbers: usize,
    /// How many requests wait in their order.
    pub(super) queue: usize,
    /// How many wait at all.
    pub(super) waiting: usize,
    /// For how long one waits in that order.
    pub(super) patience: Duration,
    /// For how long one waits while there are more.
    pub(super) haste: Duration,
}

/// The turns.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limits: TurnLimits,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    waiting: VecDeque<Waiter>,
    /// What the next who waits is called.
    next: u64,
}

#[derive(Debug)]
struct Waiter {
    name: u64,
    numbers: usize,
    told: oneshot::Sender<Turn>,
}

/// A turn, until it is dropped.
#[derive(Debug)]
pub(super) struct Turn {
    shared: Arc<Shared>,
    numbers: usize,
}

/// A place among those who wait, until it is dropped.
struct Place<'a> {
    shared: &'a Shared,
    name: u64,
}

impl Turns {
    /// Nobody has one.
    pub(super) fn new(limits: TurnLimits) -> Self {
        let state = State { free: limits.numbers, waiting: VecDeque::new(), next: 0 };
        Self(Arc::new(Shared { limits, state: Mutex::new(state) }))
    }

    /// Waits for a turn for so many numbers; none when it does not come in time. One request never has
    /// more than half of what there is.
    pub(super) async fn take(&self, numbers: usize) -> Option<Turn> {
        let limits = self.0.limits;
        let numbers = numbers.min(limits.numbers.div_ceil(2));
        let (name, mut told) = {
            let mut state = self.0.lock();
            if state.waiting.is_empty() && state.free >= numbers {
                state.free -= numbers;
                return Some(Turn { shared: Arc::clone(&self.0), numbers });
            }
            if state.waiting.len() >= limits.waiting {
                return None;
            }
            let (teller, told) = oneshot::channel();
            let name = state.next;
            state.next += 1;
            state.waiting.push_back(Waiter { name, numbers, told: teller });
            (name, told)
        };
        let _place = Place { shared: &self.0, name };
        let until = Instant::now() + limits.patience;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left.min(limits.haste), &mut told).await {
                Ok(turn) => return turn.ok(),
                Err(_) if left <= limits.haste || self.0.is_crowded() => return None,
                Err(_) => (),
            }
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that holds it can fail half way.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_crowded(&self) -> bool {
        self.lock().waiting.len() > self.limits.queue
    }

    /// Takes back what a turn had, and gives it to who is next.
    fn give_back(self: &Arc<Self>, numbers: usize) {
        let mut granted = Vec::new();
        {
            let mut state = self.lock();
            state.free += numbers;
            loop {
                let is_crowded = state.waiting.len() > self.limits.queue;
                let next = if is_crowded { state.waiting.back() } else { state.waiting.front() };
                if next.is_none_or(|next| next.numbers > state.free) {
                    break;
                }
                let next =
                    if is_crowded { state.waiting.pop_back() } else { state.waiting.pop_front() };
                let Some(next) = next else { break };
                state.free -= next.numbers;
                granted.push(next);
            }
        }
        for Waiter { numbers, told, .. } in granted {
            // Who does not wait any more drops it, and so gives it back.
            drop(told.send(Turn { shared: Arc::clone(self), numbers }));
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.shared.give_back(self.numbers);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.shared.lock().waiting.retain(|waiter| waiter.name != self.name);
    }
}

#[cfg(test)]
mod tests {
    use futures::{FutureExt, future::join_all};
    use tokio::task::{JoinHandle, yield_now};

    use super::*;

    const HASTE: Duration = Duration::from_millis(50);
    const LONG: Duration = Duration::from_mins(1);

    fn turns(patience: Duration) -> Turns {
        Turns::new(TurnLimits { numbers: 10, queue: 3, waiting: 6, patience, haste: HASTE })
    }

    /// So many who wait, in order; each says when it has its turn, and keeps it until it is told.
    async fn waiting(turns: &Turns, count: usize) -> Vec<JoinHandle<Option<Turn>>> {
        let mut all = Vec::new();
        for _ in 0..count {
            let turns = turns.clone();
            all.push(tokio::spawn(async move { turns.take(5).await }));
            yield_now().await;
        }
        all
    }

    fn done(all: &[JoinHandle<Option<Turn>>]) -> Vec<bool> {
        all.iter().map(JoinHandle::is_finished).collect()
    }

    #[tokio::test]
    async fn who_comes_first_is_served_first() {
        let turns = turns(LONG);
        let (one, other) = (turns.take(5).await.unwrap(), turns.take(3).await.unwrap());
        let all = waiting(&turns, 3).await;
        assert_eq!(done(&all), [false; 3]);
        drop(other);
        yield_now().await;
        assert_eq!(done(&all), [true, false, false]);
        drop(one);
        yield_now().await;
        assert_eq!(done(&all), [true, true, false]);
    }

    #[tokio::test]
    async fn in_their_order_they_wait_for_as_long_as_was_said() {
        let turns = turns(HASTE * 4);
        let _held = [turns.take(5).await.unwrap(), turns.take(5).await.unwrap()];
        let begun = Instant::now();
        assert!(turns.take(1).await.is_none());
        assert!(begun.elapsed() >= HASTE * 4);
    }

    #[tokio::test]
    async fn when_too_many_wait_the_last_is_first_and_the_others_are_told_soon() {
        let turns = turns(LONG);
        let held = [turns.take(5).await.unwrap(), turns.take(5).await.unwrap()];
        let all = waiting(&turns, 5).await;
        let [one, other] = held;
        drop(one);
        yield_now().await;
        assert_eq!(done(&all), [false, false, false, false, true]);
        drop(other);
        yield_now().await;
        assert_eq!(done(&all), [false, false, false, true, true]);
        // There are three now, who wait in their order. A fourth makes it too many again, so that the
        // first one is told that it is in vain; with three there is an order again.
        let more = waiting(&turns, 1).await;
        let mut old = all.into_iter();
        let first = timeout(LONG, old.next().unwrap()).await.unwrap();
        assert!(first.unwrap().is_none());
        assert!(!more[0].is_finished() && !old.next().unwrap().is_finished());
    }

    #[tokio::test]
    async fn nobody_waits_where_there_is_no_place() {
        let turns = turns(LONG);
        let _held = [turns.take(5).await.unwrap(), turns.take(5).await.unwrap()];
        let _all = waiting(&turns, 6).await;
        assert!(turns.take(1).now_or_never().unwrap().is_none());
    }

    #[tokio::test]
    async fn one_request_leaves_half_to_others_and_nothing_is_lost() {
        let turns = turns(LONG);
        let large = turns.take(1_000).await.unwrap();
        let other = turns.take(5).await.unwrap();
        let all = waiting(&turns, 3).await;
        // One who goes away while it waits, and one who goes away when it is its turn.
        all[0].abort();
        yield_now().await;
        drop((large, other));
        all[1].abort();
        let rest: Vec<_> = join_all(all.into_iter().skip(2)).await;
        drop(rest);
        yield_now().await;
        let _both = [turns.take(5).await.unwrap(), turns.take(5).await.unwrap()];
    }
}
