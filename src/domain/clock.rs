//! Telling the time: the only file that asks the system for it.
//!
//! Documents keep time as *Gregorian seconds*: seconds since the year 0 of the proleptic Gregorian
//! calendar, as KAZOO does.

use std::{
    fmt,
    sync::{Mutex, PoisonError},
};

use jiff::{SignedDuration, Timestamp};

/// The beginning of Unix time in Gregorian seconds.
const UNIX_EPOCH: i64 = 62_167_219_200;

/// Tells the time.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The system's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

/// A clock that stands still until it is set: for tests and rehearsals.
#[derive(Debug)]
pub struct FixedClock(Mutex<Timestamp>);

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

impl FixedClock {
    /// A clock that shows `time`.
    #[must_use]
    pub fn at(time: Timestamp) -> Self {
        Self(Mutex::new(time))
    }

    /// Shows `time` from now on; it may be earlier.
    pub fn set(&self, time: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = time;
    }

    /// Moves the clock by `step`; beyond the end of time it stays at the end.
    pub fn advance(&self, step: SignedDuration) {
        let mut time = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *time = time.saturating_add(step).unwrap_or(Timestamp::MAX);
    }
}

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whole Gregorian seconds of `time`; a fraction of a second is dropped.
#[must_use]
pub fn gregorian_seconds(time: Timestamp) -> i64 {
    time.as_second() + UNIX_EPOCH
}

/// The time at `seconds` (Gregorian), or `None` outside of the years -9999 to 9999.
#[must_use]
pub fn from_gregorian_seconds(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds.checked_sub(UNIX_EPOCH)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gregorian_seconds_count_from_the_year_zero() {
        let time: Timestamp = "2024-03-01T12:00:00.9Z".parse().unwrap();
        assert_eq!(gregorian_seconds(time), 63_876_513_600);
        assert_eq!(gregorian_seconds(Timestamp::UNIX_EPOCH), 62_167_219_200);
    }

    #[test]
    fn gregorian_seconds_turn_back_into_time() {
        let time: Timestamp = "2024-03-01T12:00:00Z".parse().unwrap();
        assert_eq!(from_gregorian_seconds(gregorian_seconds(time)), Some(time));
        assert_eq!(from_gregorian_seconds(i64::MIN), None);
        assert_eq!(from_gregorian_seconds(i64::MAX), None);
    }

    #[test]
    fn a_fixed_clock_moves_only_when_told() {
        let clock = FixedClock::at(Timestamp::UNIX_EPOCH);
        clock.advance(SignedDuration::from_secs(5));
        assert_eq!(clock.now().as_second(), 5);
        clock.set(Timestamp::MAX);
        clock.advance(SignedDuration::from_secs(5));
        assert_eq!(clock.now(), Timestamp::MAX);
    }

    #[test]
    fn the_system_clock_is_past_the_day_this_was_written() {
        assert!(gregorian_seconds(SystemClock.now()) > 63_876_513_600);
    }
}
