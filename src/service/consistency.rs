//! What is known of how copies and numbers agree.

use super::{Audit, Error, NumberService};
use crate::repository::{Job, LastAudit};

impl NumberService {
    /// Ends an audit: removes the versions that lost, and keeps what an audit of everything found.
    ///
    /// # Errors
    ///
    /// Those of every write.
    pub async fn finish_audit(
        &self,
        audit: &Audit,
        job: &Job,
        of_everything: bool,
    ) -> Result<(), Error> {
        self.remove_losers(audit).await;
        if !of_everything {
            return Ok(());
        }
        let last = LastAudit {
            job: job.id.clone(),
            started: job.started.clone(),
            finished: self.numbers.time(),
            repair: audit.repairs(),
            counts: job.counts,
            findings: job.findings.clone(),
        };
        Ok(self.numbers.keep_last_audit(&last).await?)
    }

    /// What the last audit of everything found; none when there was none.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn last_audit(&self) -> Result<Option<LastAudit>, Error> {
        Ok(self.numbers.last_audit().await?)
    }
}
