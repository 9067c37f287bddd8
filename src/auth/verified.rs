//! Tokens whose signatures were checked.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicI64, Ordering},
};

use super::{Credentials, Denied, Revoked, is_recent, keys::OwnKeys};

/// A token that somebody we believe has signed.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) credentials: Arc<Credentials>,
    /// The keys that were ours then.
    by: Arc<OwnKeys>,
    /// When it was last looked for among those that are denied, in Unix seconds.
    checked: AtomicI64,
    is_revoked: AtomicBool,
}

impl Verified {
    pub(super) fn new(credentials: Credentials, by: Arc<OwnKeys>) -> Self {
        Self {
            credentials: Arc::new(credentials),
            by,
            checked: AtomicI64::new(i64::MIN),
            is_revoked: AtomicBool::new(false),
        }
    }

    /// Whether it was verified while these were our keys.
    pub(super) fn is_by(&self, own: &Arc<OwnKeys>) -> bool {
        Arc::ptr_eq(&self.by, own)
    }

    /// Checks that the token is not denied. What was found is believed for some seconds, and while the
    /// list cannot be read. A token without a name cannot be denied.
    pub(super) async fn check(&self, revoked: Option<&Revoked>, now: i64) -> Result<(), Denied> {
        let (Some(revoked), Some(jti)) = (revoked, &self.credentials.jti) else {
            return Ok(());
        };
        if self.is_revoked.load(Ordering::Relaxed) {
            return Err(Denied::Unknown);
        }
        let checked = self.checked.load(Ordering::Relaxed);
        if is_recent(checked, now) {
            return Ok(());
        }
        match revoked.holds(jti).await {
            Ok(false) => {
                self.checked.store(now, Ordering::Relaxed);
                Ok(())
            }
            Ok(true) => {
                self.is_revoked.store(true, Ordering::Relaxed);
                Err(Denied::Unknown)
            }
            Err(err) if checked == i64::MIN => Err(Denied::Unavailable(err)),
            Err(err) => {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(error = cause, "it cannot be read which tokens are denied");
                Ok(())
            }
        }
    }
}
