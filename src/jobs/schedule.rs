//! What also runs by the clock, once for all processes.

use jiff::{SignedDuration, Timestamp, civil::Time, tz::TimeZone};

/// The last time at or before `now` that a clock showed `at` (`HH:MM`, UTC); none for no time of day.
pub(super) fn last_turn(at: &str, now: Timestamp) -> Option<Timestamp> {
    let time = Time::strptime("%H:%M", at).ok()?;
    let today = now.to_zoned(TimeZone::UTC).date();
    let turn = today.to_datetime(time).to_zoned(TimeZone::UTC).ok()?.timestamp();
    if turn <= now {
        return Some(turn);
    }
    turn.checked_sub(SignedDuration::from_hours(24)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_turn_is_of_today_or_of_yesterday() {
        let check = |at: &str, now: &str, turn: Option<&str>| {
            let found = last_turn(at, now.parse().unwrap());
            assert_eq!(found.map(|turn| turn.to_string()).as_deref(), turn, "{at} {now}");
        };
        check("03:00", "2026-03-01T03:00:00Z", Some("2026-03-01T03:00:00Z"));
        check("03:00", "2026-03-01T02:59:59Z", Some("2026-02-28T03:00:00Z"));
        check("23:30", "2026-03-01T12:00:00Z", Some("2026-02-28T23:30:00Z"));
        check("", "2026-03-01T12:00:00Z", None);
        check("25:00", "2026-03-01T12:00:00Z", None);
    }
}
