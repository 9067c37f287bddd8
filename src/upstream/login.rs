//! A name and a password, as HTTP wants them together.

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use reqwest::RequestBuilder;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::settings::{said, secret};
use crate::domain::ConfigurationError;

/// A name and its password.
#[derive(Clone)]
pub(crate) struct Login {
    name: String,
    password: SecretString,
}

impl Login {
    /// Reads the two settings; none unless both are there.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] names the setting.
    pub(crate) fn read(
        members: &Map<String, Value>,
        name: &'static str,
        password: &'static str,
    ) -> Result<Option<Self>, ConfigurationError> {
        let (name, password) = (said(members, name)?, secret(members, password)?);
        Ok(name.zip(password).map(|(name, password)| Self { name, password }))
    }

    /// The same request by somebody who has them.
    pub(crate) fn sign(&self, request: RequestBuilder) -> RequestBuilder {
        request.basic_auth(&self.name, Some(self.password.expose_secret()))
    }

    /// What must not be told: the password, and both as they are sent.
    pub(crate) fn secrets(&self) -> [SecretString; 2] {
        let both = format!("{}:{}", self.name, self.password.expose_secret());
        [self.password.clone(), BASE64_STANDARD.encode(both).into()]
    }
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Login").field("name", &self.name).finish_non_exhaustive()
    }
}
