//! Our own indexes in the databases, as an operator refreshes them.

use super::{Error, Failure, NumberService, PageOutcome};
use crate::domain::encoded;

/// The kind of finding of a database whose indexes were missing or older.
pub const INSTALLED: &str = "views_installed";
/// The kind of finding of a database that was missing.
pub const CREATED: &str = "database_created";

impl NumberService {
    /// Makes sure that a database has the indexes of its kind as this build has them. `create`: also
    /// one that does not exist. Without the service itself (`live`) it is only said what is missing.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn refresh_views(
        &self,
        database: &str,
        create: bool,
        live: Option<&Self>,
    ) -> Result<PageOutcome, Error> {
        let mut outcome = PageOutcome { read: 1, ..PageOutcome::default() };
        let kind = match self.numbers.has_current_indexes(database).await? {
            Some(true) => {
                outcome.unchanged = 1;
                return Ok(outcome);
            }
            Some(false) => INSTALLED,
            None if create => CREATED,
            None => {
                let message = "there is no such database".to_owned();
                let failure = Failure { error: "not_found".to_owned(), message };
                outcome.failed.push((encoded(database), failure));
                return Ok(outcome);
            }
        };
        if let Some(live) = live {
            live.numbers.install_indexes(database).await?;
        }
        outcome.changed = 1;
        outcome.found.push((kind, encoded(database)));
        Ok(outcome)
    }
}
