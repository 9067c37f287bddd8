//! The settings of what goes by itself: how long numbers age, and how long what nobody needs is kept.

use serde_json::{Map, Value};

use super::settings::whole;
use crate::domain::ConfigurationError;

const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;
/// The most days that anything may be kept.
const LONGEST_DAYS: i64 = 36_500;
/// The most months.
const LONGEST_MONTHS: i64 = 1200;

/// How long what nobody needs is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpirySettings {
    /// For how many seconds a number ages before it is available (`aging_expiry_d`, in days).
    pub aging: i64,
    /// After how many seconds a number is forgotten that was seen at a carrier and that nobody
    /// activated (`discovery_expiry_h`, in hours).
    pub discovery: i64,
    /// After how many seconds a number is removed that is marked as deleted (`deleted_expiry_d`, in
    /// days).
    pub deleted: i64,
    /// How many months of the feed of changes are kept beside the one that runs (`feed_keep_months`).
    pub feed_months: i64,
    /// The same of what is known of who wrote numbers (`history_keep_months`).
    pub history_months: i64,
}

impl ExpirySettings {
    /// Reads them from the members of the settings document.
    pub(super) fn read(members: &Map<String, Value>) -> Result<Self, ConfigurationError> {
        let days = |key, default| Ok(whole(members, key, default, 0..=LONGEST_DAYS)? * DAY);
        let discovery = whole(members, "discovery_expiry_h", 24, 1..=LONGEST_DAYS * 24)?;
        Ok(Self {
            aging: days("aging_expiry_d", 90)?,
            discovery: discovery * HOUR,
            deleted: days("deleted_expiry_d", 90)?,
            feed_months: whole(members, "feed_keep_months", 3, 1..=LONGEST_MONTHS)?,
            history_months: whole(members, "history_keep_months", 12, 1..=LONGEST_MONTHS)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(clippy::needless_pass_by_value, reason = "a table of literals")]
    fn read(members: Value) -> Result<ExpirySettings, String> {
        ExpirySettings::read(members.as_object().unwrap()).map_err(|err| err.to_string())
    }

    #[test]
    fn times_are_read_in_their_units() {
        let days = |days: i64| days * 86_400;
        let (aging, discovery, deleted) = (days(90), days(1), days(90));
        let wanted =
            ExpirySettings { aging, discovery, deleted, feed_months: 3, history_months: 12 };
        assert_eq!(read(json!({})), Ok(wanted));
        let members = json!({
            "aging_expiry_d": "7", "discovery_expiry_h": 2, "deleted_expiry_d": 0,
            "feed_keep_months": 1, "history_keep_months": 2,
        });
        let (aging, discovery, deleted) = (days(7), 7200, 0);
        let wanted =
            ExpirySettings { aging, discovery, deleted, feed_months: 1, history_months: 2 };
        assert_eq!(read(members), Ok(wanted));
        for (key, range) in [
            ("aging_expiry_d", "0 to 36500"),
            ("discovery_expiry_h", "1 to 876000"),
            ("deleted_expiry_d", "0 to 36500"),
            ("feed_keep_months", "1 to 1200"),
            ("history_keep_months", "1 to 1200"),
        ] {
            let reason = format!("is not a whole number from {range}");
            let wanted = format!("setting `{key}` cannot be used: {reason}");
            assert_eq!(read(json!({ key: -1 })), Err(wanted));
        }
    }
}
