//! Credentials: who a token speaks for.
//!
//! *Our own keys* sign HS256 and alone may say `admin`. *Issuers* are other programs whose RS256 or
//! `EdDSA` keys are believed for the account only. The key decides the algorithm, never the token.
//! What an account may do is not decided here.

mod issuer;
mod keys;
mod token;

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use moka::future::Cache;
use secrecy::SecretString;
use serde::Deserialize;

use crate::{
    domain::{AccountId, Clock},
    repository::KeysError,
};

pub use issuer::{IssuerConfig, IssuerError};
pub use keys::{FileError, KeySource};
pub use token::{Claims, Scopes};

use issuer::Issuer;
use keys::OwnKeys;

/// How many verified tokens are remembered.
const REMEMBERED: u64 = 10_000;
/// For how long a verified token is believed without looking again.
const REMEMBERED_FOR: Duration = Duration::from_mins(1);
/// How often, in seconds, unknown key names may make us read the keys again.
const REREAD_EVERY: i64 = 5;

/// Whose tokens are believed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// The secret that signs our own tokens; empty when it is kept elsewhere.
    pub secret: SecretString,
    /// A file that holds the secret; empty for none.
    pub secret_file: String,
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
    /// The system has no randomness.
    #[error("no random key can be made")]
    Random,
    /// A token could not be signed.
    #[error("the token cannot be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// Checks and makes tokens.
#[derive(Debug)]
pub struct Authenticator {
    source: KeySource,
    own: RwLock<Arc<OwnKeys>>,
    /// When the keys were last read again, in Unix seconds.
    reread: tokio::sync::Mutex<i64>,
    issuers: Vec<Issuer>,
    verified: Cache<String, Arc<Credentials>>,
    clock: Arc<dyn Clock>,
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
            reread: tokio::sync::Mutex::new(i64::MIN),
            issuers,
            verified,
            clock,
        })
    }

    /// Says who a token speaks for.
    ///
    /// # Errors
    ///
    /// [`Denied`].
    pub async fn verify(&self, token: &str) -> Result<Arc<Credentials>, Denied> {
        let now = self.clock.now().as_second();
        if let Some(known) = self.verified.get(token).await {
            return if known.expires > now { Ok(known) } else { Err(Denied::Unknown) };
        }
        let header = jsonwebtoken::decode_header(token).map_err(|_| Denied::Unusable)?;
        let own = header.kid.as_deref().is_some_and(|kid| self.own().knows(kid));
        if !own && header.kid.is_some() && header.alg == keys::ALGORITHM {
            self.reread(now).await?;
        }
        let credentials = match self.own().verify(token, &header, now) {
            Some(credentials) => credentials,
            None => self
                .issuers
                .iter()
                .find_map(|issuer| issuer.verify(token, &header, now))
                .ok_or(Denied::Unknown)?,
        };
        let credentials = Arc::new(credentials);
        self.verified.insert(token.to_owned(), Arc::clone(&credentials)).await;
        Ok(credentials)
    }

    /// Signs a token of our own.
    ///
    /// # Errors
    ///
    /// [`AuthError::Sign`].
    pub fn mint(&self, claims: &Claims) -> Result<String, AuthError> {
        self.own().sign(claims).map_err(AuthError::Sign)
    }

    fn own(&self) -> Arc<OwnKeys> {
        Arc::clone(&self.own.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads our own keys again, since another replica may have made a new one; not more often than
    /// every few seconds, since anybody can send a token with an unknown key's name.
    async fn reread(&self, now: i64) -> Result<(), Denied> {
        let mut last = self.reread.lock().await;
        if now.saturating_sub(*last) < REREAD_EVERY {
            return Ok(());
        }
        *last = now;
        if let Some(keys) = self.source.read().await.map_err(Denied::Unavailable)? {
            *self.own.write().unwrap_or_else(PoisonError::into_inner) =
                Arc::new(OwnKeys::new(&keys));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
