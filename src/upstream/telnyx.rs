//! Telnyx's API v2, which sells numbers and provides features.

use reqwest::{Method, RequestBuilder, Url};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{
    VendorError,
    http::{Line, Reply},
    settings::{Common, address, asking, below, missing, secret},
};
use crate::domain::{ConfigurationError, E164};

/// Where it is.
const BASE: &str = "https://api.telnyx.com/v2";

/// The way to Telnyx.
#[derive(Debug)]
pub(crate) struct Telnyx {
    /// The limits and the deadlines.
    pub(crate) line: Line,
    base: Url,
    token: Option<SecretString>,
}

impl Telnyx {
    /// Reads its settings.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] names the setting.
    pub(crate) fn open(
        members: &Map<String, Value>,
        common: &Common,
    ) -> Result<Self, ConfigurationError> {
        let token = secret(members, "token")?;
        Ok(Self {
            line: Line::new(common.line, token.iter().cloned().collect()),
            base: match address(members, "base_url", false)? {
                Some(base) => base,
                None => Url::parse(BASE).expect("an address"),
            },
            token,
        })
    }

    /// Whether it can be told who asks.
    pub(crate) fn is_set_up(&self) -> bool {
        self.token.is_some()
    }

    /// Begins a request for what is at this path.
    pub(crate) fn request(
        &self,
        method: Method,
        parts: &[&str],
    ) -> Result<RequestBuilder, VendorError> {
        self.request_with(method, parts, &[])
    }

    /// The same, with a query.
    pub(crate) fn request_with(
        &self,
        method: Method,
        parts: &[&str],
        query: &[(&str, &str)],
    ) -> Result<RequestBuilder, VendorError> {
        let token = self.token.as_ref().ok_or_else(|| missing("token"))?;
        let request = self.line.request(method, asking(below(&self.base, parts), query));
        Ok(request.bearer_auth(token.expose_secret()).header("Accept", "application/json"))
    }

    /// What an answer of success says.
    pub(crate) fn said(&self, reply: &Reply) -> Result<Value, VendorError> {
        if reply.is_success() { reply.json() } else { Err(self.refusal(reply)) }
    }

    /// The first error that an answer names.
    pub(crate) fn refusal(&self, reply: &Reply) -> VendorError {
        let body = reply.json().unwrap_or_default();
        let error = &body["errors"][0];
        let text = |key: &str| error[key].as_str();
        let reason = text("detail").or_else(|| text("title")).unwrap_or_default();
        self.line.refusal(reply, text("code"), reason)
    }

    /// Its own id of a number that is ours; none when it is not.
    pub(crate) async fn id_of(&self, number: &E164) -> Result<Option<String>, VendorError> {
        let row = self.owned(number).await?;
        Ok(row.and_then(|row| row["id"].as_str().map(str::to_owned)))
    }

    /// What it says of a number that is ours; none when it is not.
    pub(crate) async fn owned(&self, number: &E164) -> Result<Option<Value>, VendorError> {
        let digits = number.as_str().trim_start_matches('+');
        let filters = [("filter[phone_number]", digits)];
        let request = self.request_with(Method::GET, &["phone_numbers"], &filters)?;
        let reply = self.line.ask(request, self.line.provisioning()).await?;
        let said = self.said(&reply)?;
        let rows = said["data"].as_array().ok_or_else(|| VendorError::refused("no list came"))?;
        Ok(rows.iter().find(|row| row["phone_number"] == number.as_str()).cloned())
    }
}
