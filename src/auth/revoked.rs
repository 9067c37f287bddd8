//! Tokens that are denied before they end.

use crate::repository::{KeysError, RevokedRepository};

/// The seconds of a day.
const DAY: i64 = 86_400;

/// The list of tokens that are denied.
#[derive(Clone, Debug)]
pub struct Revoked {
    repository: RevokedRepository,
    /// For how many days a token is denied of which nobody says when it ends.
    days: u32,
}

impl Revoked {
    /// The list that is kept there.
    #[must_use]
    pub fn new(repository: RevokedRepository, days: u32) -> Self {
        Self { repository, days }
    }

    pub(super) async fn holds(&self, jti: &str) -> Result<bool, KeysError> {
        self.repository.holds(jti).await
    }

    /// Denies a token, and forgets those that would have ended by now. Returns until when it is denied.
    pub(super) async fn add(
        &self,
        jti: &str,
        exp: Option<i64>,
        now: i64,
    ) -> Result<i64, KeysError> {
        let longest = now.saturating_add(i64::from(self.days) * DAY);
        let until = self.repository.add(jti, exp.unwrap_or(longest)).await?;
        if let Err(err) = self.repository.forget_ended(now).await {
            // They do no harm, and the next one tries again.
            let cause: &(dyn std::error::Error + 'static) = &err;
            tracing::warn!(error = cause, "tokens that have ended are not forgotten");
        }
        Ok(until)
    }
}
