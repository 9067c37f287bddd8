//! What also runs by the clock, once for all processes.

use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};
use serde_json::{Map, Value, json};

use super::JobsConfig;

/// The seconds of a minute.
const MINUTE: i64 = 60;
/// The seconds of an hour.
const HOUR: i64 = 3600;

/// An operation that runs by the clock.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn<'a> {
    /// The operation.
    pub(super) operation: &'static str,
    /// Whether it removes something, so that it has to be confirmed.
    is_confirmed: bool,
    /// Whether it only runs when something is open between us and carriers.
    pub(super) waits_for_work: bool,
    when: When<'a>,
}

/// When an operation runs.
#[derive(Clone, Copy, Debug)]
enum When<'a> {
    /// Every day at this time (`HH:MM`, UTC); never when it is no time of day.
    At(&'a str),
    /// At full multiples of so many hours, in UTC; never for 0.
    EveryHours(u32),
    /// At full multiples of so many minutes, in UTC; never for 0.
    EveryMinutes(u32),
}

/// Everything that runs by the clock.
pub(super) fn turns(limits: &JobsConfig) -> [Turn<'_>; 4] {
    let turn = |operation, is_confirmed, when| Turn {
        operation,
        is_confirmed,
        waits_for_work: false,
        when,
    };
    let settle = turn("settle", false, When::EveryMinutes(limits.settle_every_min));
    [
        turn("audit", false, When::At(&limits.audit_at)),
        turn("age", false, When::EveryHours(limits.age_every_h)),
        turn("expire", true, When::EveryHours(limits.expire_every_h)),
        Turn { waits_for_work: true, ..settle },
    ]
}

impl Turn<'_> {
    /// When it was last due; none for never.
    pub(super) fn last(&self, now: Timestamp) -> Option<Timestamp> {
        match self.when {
            When::At(at) => last_at(at, now),
            When::EveryHours(hours) => last_multiple(i64::from(hours) * HOUR, now),
            When::EveryMinutes(minutes) => last_multiple(i64::from(minutes) * MINUTE, now),
        }
    }

    /// What is asked for.
    pub(super) fn members(&self) -> Map<String, Value> {
        let mut members = Map::from_iter([("scope".to_owned(), json!({ "all": true }))]);
        if self.is_confirmed {
            members.insert("confirm".to_owned(), self.operation.into());
        }
        members
    }
}

/// The last time at or before `now` that a clock showed `at`.
fn last_at(at: &str, now: Timestamp) -> Option<Timestamp> {
    let time = Time::strptime("%H:%M", at).ok()?;
    let today = now.to_zoned(TimeZone::UTC).date();
    let turn = today.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp();
    if turn <= now {
        return Some(turn);
    }
    turn.checked_sub(SignedDuration::from_hours(24)).ok()
}

/// The last time at or before `now` that is a full multiple of so many seconds.
fn last_multiple(seconds: i64, now: Timestamp) -> Option<Timestamp> {
    let now = now.as_second();
    let into = now.checked_rem_euclid(seconds)?;
    Timestamp::from_second(now - into).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(when: When<'_>, now: &str, turn: Option<&str>) {
        let audit = Turn { operation: "audit", is_confirmed: false, waits_for_work: false, when };
        let found = audit.last(now.parse().unwrap());
        assert_eq!(found.map(|turn| turn.to_string()).as_deref(), turn, "{when:?} {now}");
    }

    #[test]
    fn the_last_turn_is_of_today_or_of_yesterday() {
        let check = |at: &str, now: &str, turn: Option<&str>| check(When::At(at), now, turn);
        check("03:00", "2026-03-01T03:00:00Z", Some("2026-03-01T03:00:00Z"));
        check("03:00", "2026-03-01T02:59:59Z", Some("2026-02-28T03:00:00Z"));
        check("23:30", "2026-03-01T12:00:00Z", Some("2026-02-28T23:30:00Z"));
        check("", "2026-03-01T12:00:00Z", None);
        check("25:00", "2026-03-01T12:00:00Z", None);
    }

    #[test]
    fn a_turn_every_so_many_hours_is_at_their_multiples() {
        let check = |hours, now: &str, turn: Option<&str>| {
            check(When::EveryHours(hours), now, turn);
        };
        check(6, "2026-03-01T11:59:59Z", Some("2026-03-01T06:00:00Z"));
        check(6, "2026-03-01T12:00:00.5Z", Some("2026-03-01T12:00:00Z"));
        check(24, "2026-03-01T12:00:00Z", Some("2026-03-01T00:00:00Z"));
        check(u32::MAX, "2026-03-01T12:00:00Z", Some("1970-01-01T00:00:00Z"));
        check(0, "2026-03-01T12:00:00Z", None);
    }

    #[test]
    fn a_turn_every_so_many_minutes_is_at_their_multiples() {
        let check = |minutes, now: &str, turn: Option<&str>| {
            check(When::EveryMinutes(minutes), now, turn);
        };
        check(5, "2026-03-01T11:59:59Z", Some("2026-03-01T11:55:00Z"));
        check(1, "2026-03-01T12:00:00.5Z", Some("2026-03-01T12:00:00Z"));
        check(0, "2026-03-01T12:00:00Z", None);
    }

    #[test]
    fn what_removes_something_is_confirmed() {
        let limits = JobsConfig::default();
        let members: Vec<_> =
            turns(&limits).iter().map(|it| (it.operation, it.members().len())).collect();
        assert_eq!(members, [("audit", 1), ("age", 1), ("expire", 2), ("settle", 1)]);
        assert!(turns(&limits).iter().all(|turn| turn.last(Timestamp::UNIX_EPOCH).is_none()));
    }
}
