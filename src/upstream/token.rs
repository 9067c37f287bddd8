//! Tokens that are had for a while in exchange for a name and a secret (OAuth 2, client credentials).

use std::time::Duration;

use reqwest::{Method, Url, header};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Mutex, time::Instant};

use super::{
    VendorError,
    http::{Deadline, Line},
    login::Login,
};

/// How long before its end a token is renewed.
const MARGIN: Duration = Duration::from_mins(1);
/// The longest that a token is kept, whatever is said of it.
const LONGEST: u64 = 86_400;

/// Where tokens come from, and the one in use.
#[derive(Debug)]
pub(crate) struct Tokens {
    url: Url,
    login: Login,
    kept: Mutex<Option<Kept>>,
}

#[derive(Debug)]
struct Kept {
    token: SecretString,
    until: Instant,
}

impl Tokens {
    /// Tokens of this place, for this name and secret. Asks nobody.
    #[must_use]
    pub(crate) fn of(url: Url, login: Login) -> Self {
        Self { url, login, kept: Mutex::new(None) }
    }

    /// A token that is good for a while, and is not the one that was refused just now. One is asked
    /// for at a time.
    ///
    /// # Errors
    ///
    /// [`VendorError`], never in doubt.
    pub(crate) async fn get(
        &self,
        line: &Line,
        deadline: Deadline,
        refused: Option<&SecretString>,
    ) -> Result<SecretString, VendorError> {
        let mut kept = self.kept.lock().await;
        let is_refused = |token: &SecretString| {
            refused.is_some_and(|refused| refused.expose_secret() == token.expose_secret())
        };
        if let Some(kept) = kept.as_ref()
            && Instant::now() < kept.until
            && !is_refused(&kept.token)
        {
            return Ok(kept.token.clone());
        }
        *kept = None;
        let new = self.ask(line, deadline).await.map_err(VendorError::without_doubt)?;
        let token = new.token.clone();
        *kept = Some(new);
        Ok(token)
    }

    async fn ask(&self, line: &Line, deadline: Deadline) -> Result<Kept, VendorError> {
        let request = self.login.sign(line.request(Method::POST, self.url.clone()));
        let request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials");
        let reply = line.ask(request, deadline).await?;
        if !reply.is_success() {
            let said = reply.json().unwrap_or_default();
            let reason = said["error_description"].as_str().or_else(|| said["error"].as_str());
            return Err(line.refusal(&reply, None, reason.unwrap_or("no token was given")));
        }
        let said = reply.json()?;
        let token = said["access_token"].as_str().filter(|token| is_token(token));
        let token = token.ok_or_else(|| VendorError::refused("its answer holds no token"))?;
        let token = SecretString::from(token);
        line.learn(token.clone());
        let lasts = Duration::from_secs(said["expires_in"].as_u64().unwrap_or(0).min(LONGEST));
        Ok(Kept { token, until: Instant::now() + lasts.saturating_sub(MARGIN) })
    }
}

/// Whether it can be sent in a header.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
