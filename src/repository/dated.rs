//! Our own databases that are named by day or month and dropped whole, since CouchDB never forgets a
//! deleted document.
//!
//! Those of charges are not among them: whoever collects the charges drops them.

use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};

use super::{ExpirySettings, NumberRepository, RepositoryError, events, offers, requests, trail};
use crate::{domain::from_gregorian_seconds, store::DbName};

impl NumberRepository {
    /// The dated databases that nobody reads any more. Of the feed of changes, and of what is known of who
    /// wrote numbers, the month that runs and so many before it are kept.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn expired_databases(
        &self,
        kept: &ExpirySettings,
    ) -> Result<Vec<String>, RepositoryError> {
        let now = self.now();
        let time = from_gregorian_seconds(now).unwrap_or_default();
        let month = |name, months| (name, oldest_month(name, time, months));
        let kept = [
            (offers::DATABASES, offers::oldest_kept(now)),
            (requests::DATABASES, requests::oldest_kept(time)),
            month(events::DATABASES, kept.feed_months),
            month(trail::DATABASES, kept.history_months),
        ];
        let mut expired = Vec::new();
        for (prefix, oldest) in kept {
            let found = self.store.databases(prefix).await?;
            let old = found.into_iter().filter(|db| is_before(db, &oldest));
            expired.extend(old.map(|db| db.to_string()));
        }
        Ok(expired)
    }

    /// Drops a dated database.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`], also for every other database.
    pub async fn drop_dated(&self, database: &str) -> Result<(), RepositoryError> {
        Ok(self.store.drop_database(&DbName::new(database)).await?)
    }
}

/// Whether a database is of an earlier day or month; what is named otherwise is nobody's to judge.
fn is_before(db: &DbName, oldest: &DbName) -> bool {
    let date = db.as_str().rsplit('-').next().unwrap_or_default();
    db.as_str().len() == oldest.as_str().len()
        && date.bytes().all(|byte| byte.is_ascii_digit())
        && db < oldest
}

fn oldest_month(name: &str, now: Timestamp, months: i64) -> DbName {
    let today = now.to_zoned(TimeZone::UTC).date();
    let oldest = today.first_of_month().checked_sub(months.months()).unwrap_or(Date::MIN);
    DbName::new(format!("{name}{}", oldest.strftime("%Y%m")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_month_that_runs_and_those_before_are_kept() {
        let check = |now: &str, months: i64, oldest: &str| {
            assert_eq!(
                oldest_month(events::DATABASES, now.parse().unwrap(), months).as_str(),
                oldest
            );
        };
        check("2024-05-31T12:00:00Z", 3, "number_manager_feed-202402");
        check("2024-01-01T00:00:00Z", 1, "number_manager_feed-202312");
    }

    #[test]
    fn only_what_has_such_a_date_is_older() {
        let oldest = DbName::new("number_manager_feed-202402");
        let check = |name: &str, is: bool| {
            assert_eq!(is_before(&DbName::new(name), &oldest), is, "{name}");
        };
        check("number_manager_feed-202401", true);
        check("number_manager_feed-202402", false);
        check("number_manager_feed-20240", false);
        check("number_manager_feed-20240x", false);
        check("number_manager_feed-20231231", false);
    }
}
