//! Credentials: who a token speaks for.
//!
//! *Our own keys* sign HS256 and alone may say `admin`. *Issuers* are other programs whose RS256 or
//! `EdDSA` keys are believed for the account only. The key decides the algorithm, never the token.
//! What an account may do is not decided here.

mod issuer;
mod keys;
mod revoked;
mod token;
mod verified;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use moka::future::Cache;
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    domain::{AccountId, Clock},
    repository::{KeysError, StoredKeys},
};

pub use issuer::{IssuerConfig, IssuerError};
pub use keys::{FileError, KeySource};
pub use revoked::Revoked;
pub use token::{Claims, Scopes};

use issuer::Issuer;
use keys::OwnKeys;
use verified::Verified;

/// How many verified tokens are remembered.
const REMEMBERED: u64 = 10_000;
/// For how long a verified token is believed without looking again.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);
/// How often, in seconds, keys are read again, and the list of tokens that are denied.
const REREAD_EVERY: i64 = 5;

/// Whose tokens are believed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The secret that signs our own tokens; empty when it is kept elsewhere.
    pub secret: SecretString,
    /// A file that holds the secret; empty for none.
    pub secret_file: String,
    /// For how many days a token is denied that was revoked without saying when it ends.
    pub revoked_days: u32,
    /// Other programs whose tokens are believed.
    pub issuers: Vec<IssuerConfig>,
}

/// Who a token speaks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// The account; none for the operator's own token.
    pub account: Option<AccountId>,
    /// Whether it is the operator's.
    pub admin: bool,
    /// What it may be used for.
    pub scopes: Scopes,
    /// The token's own name.
    pub jti: Option<String>,
    /// When it ends, in Unix seconds.
    expires: i64,
}

/// Why a token is not accepted.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    /// It is no token at all.
    #[error("no usable token")]
    Unusable,
    /// It has ended, or nobody we believe has signed it.
    #[error("token expired or unknown")]
    Unknown,
    /// Whether it is good cannot be said now.
    #[error("the token cannot be checked")]
    Unavailable(#[source] KeysError),
}

/// Why tokens cannot be checked or made.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// A key file could not be read or made.
    #[error(transparent)]
    File(#[from] FileError),
    /// The stored keys could not be read or made.
    #[error(transparent)]
    Store(#[from] KeysError),
    /// An issuer's keys cannot be used.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The key is in the settings, and so changed there.
    #[error("the key that signs tokens is in the settings; it is changed there")]
    Configured,
    /// There is no store to keep what is denied.
    #[error("tokens cannot be revoked without a store")]
    NoList,
    /// The system has no randomness.
    #[error("no random key can be made")]
    Random,
    /// A token could not be signed.
    #[error("the token cannot be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

impl AuthError {
    /// The key that was named and that there is not.
    #[must_use]
    pub fn unknown_key(&self) -> Option<&str> {
        match self {
            Self::Store(KeysError::Unknown(key)) => Some(key),
            _ => None,
        }
    }
}

/// Checks and makes tokens.
#[derive(Debug)]
pub struct Authenticator {
    source: KeySource,
    own: RwLock<Arc<OwnKeys>>,
    reads: tokio::sync::Mutex<Reads>,
    issuers: Vec<Issuer>,
    revoked: Option<Revoked>,
    verified: Cache<String, Arc<Verified>>,
    clock: Arc<dyn Clock>,
}

/// When our own keys were read, in Unix seconds.
#[derive(Debug)]
struct Reads {
    /// For whatever reason.
    last: i64,
    /// Because a token named a key that is not known.
    unknown: i64,
}

impl Authenticator {
    /// Reads the keys, and makes one where there is none yet.
    ///
    /// # Errors
    ///
    /// [`AuthError`].
    pub async fn open(
        source: KeySource,
        issuers: &[IssuerConfig],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, AuthError> {
        let own = OwnKeys::new(&source.read_or_create().await?);
        let issuers = issuers.iter().map(Issuer::read).collect::<Result<_, _>>()?;
        let verified =
            Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build();
        Ok(Self {
            source,
            own: RwLock::new(Arc::new(own)),
            reads: tokio::sync::Mutex::new(Reads { last: i64::MIN, unknown: i64::MIN }),
            issuers,
            revoked: None,
            verified,
            clock,
        })
    }

    /// The same, which also asks this list for tokens that are denied.
    #[must_use]
    pub fn with_revoked(self, revoked: Revoked) -> Self {
        Self { revoked: Some(revoked), ..self }
    }

    /// Says who a token speaks for.
    ///
    /// # Errors
    ///
    /// [`Denied`].
    pub async fn verify(&self, token: &str) -> Result<Arc<Credentials>, Denied> {
        let now = self.clock.now().as_second();
        self.keep_up(now).await;
        let known = self.verified.get(token).await;
        let (verified, is_new) = match known.filter(|known| known.is_by(&self.own())) {
            Some(known) => (known, false),
            None => (self.read(token, now).await?, true),
        };
        if verified.credentials.expires <= now {
            return Err(Denied::Unknown);
        }
        let checked = verified.check(self.revoked.as_ref(), now).await;
        if is_new && !matches!(checked, Err(Denied::Unavailable(_))) {
            self.verified.insert(token.to_owned(), Arc::clone(&verified)).await;
        }
        checked?;
        Ok(Arc::clone(&verified.credentials))
    }

    /// Checks who signed a token.
    async fn read(&self, token: &str, now: i64) -> Result<Arc<Verified>, Denied> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Denied::Unusable)?;
        let is_own = header.kid.as_deref().is_some_and(|kid| self.own().knows(kid));
        if !is_own && header.kid.is_some() && header.alg == keys::ALGORITHM {
            self.look_for_key(now).await?;
        }
        let own = self.own();
        let credentials = match own.verify(token, &header, now) {
            Some(credentials) => credentials,
            None => self
                .issuers
                .iter()
                .find_map(|issuer| issuer.verify(token, &header, now))
                .ok_or(Denied::Unknown)?,
        };
        Ok(Arc::new(Verified::new(credentials, own)))
    }

    /// Signs a token of our own.
    ///
    /// # Errors
    ///
    /// [`AuthError::Sign`].
    pub fn mint(&self, claims: &Claims) -> Result<String, AuthError> {
        self.own().sign(claims).map_err(AuthError::Sign)
    }

    /// Makes a new key, which signs from now on. Tokens of the others stay good, but for those of the
    /// key `retire`, which is believed no more. Returns the names of all keys, the new one first.
    ///
    /// # Errors
    ///
    /// [`AuthError::Configured`], [`KeysError::Unknown`], and when keys cannot be stored.
    pub async fn rotate(&self, retire: Option<&str>) -> Result<Vec<String>, AuthError> {
        let keys = self.source.rotate(retire).await?;
        self.adopt(&keys);
        Ok(keys.into_iter().map(|key| key.id).collect())
    }

    /// Denies the token of that name (`jti`) from now on: here at once, at other replicas within five
    /// seconds. `exp` is when the token would end, in Unix seconds; for one that is not told it is
    /// denied for as long as the settings say. Returns until when it is.
    ///
    /// # Errors
    ///
    /// [`AuthError::NoList`], and when it cannot be stored: the token may be good still.
    pub async fn revoke(&self, jti: &str, exp: Option<i64>) -> Result<i64, AuthError> {
        let revoked = self.revoked.as_ref().ok_or(AuthError::NoList)?;
        let until = revoked.add(jti, exp, self.clock.now().as_second()).await?;
        self.verified.invalidate_all();
        Ok(until)
    }

    fn own(&self) -> Arc<OwnKeys> {
        Arc::clone(&self.own.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Believes these keys and no others.
    fn adopt(&self, keys: &StoredKeys) {
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        // Who was verified by the same keys stays verified.
        if !own.are(keys) {
            *own = Arc::new(OwnKeys::new(keys));
        }
    }

    /// Reads our own keys again where the last time is some seconds ago, since somebody else may have
    /// retired one. While they cannot be read, those that we have stay.
    async fn keep_up(&self, now: i64) {
        // Whoever reads them now does so for everybody.
        let Ok(mut reads) = self.reads.try_lock() else { return };
        if is_recent(reads.last, now) {
            return;
        }
        reads.last = now;
        match self.source.read().await {
            Ok(Some(keys)) => self.adopt(&keys),
            Ok(None) => (),
            Err(err) => {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(error = cause, "the token keys cannot be read; the last ones stay");
            }
        }
    }

    /// Reads our own keys again, since another replica may have made a new one; not more often than
    /// every few seconds, since anybody can send a token with an unknown key's name.
    async fn look_for_key(&self, now: i64) -> Result<(), Denied> {
        let mut reads = self.reads.lock().await;
        if is_recent(reads.unknown, now) {
            return Ok(());
        }
        (reads.last, reads.unknown) = (now, now);
        if let Some(keys) = self.source.read().await.map_err(Denied::Unavailable)? {
            self.adopt(&keys);
        }
        Ok(())
    }
}

/// Whether what was looked at then need not be looked at again now.
fn is_recent(then: i64, now: i64) -> bool {
    (0..REREAD_EVERY).contains(&now.saturating_sub(then))
}

#[cfg(test)]
mod tests;
