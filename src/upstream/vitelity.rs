//! Vitelity's API, which sells numbers and provides features: one address, and commands that are
//! answered in XML.

use reqwest::{Method, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{
    VendorError,
    http::{Deadline, Line},
    settings::{Common, address, form, missing, said, secret},
    xml::Element,
};
use crate::domain::ConfigurationError;

/// Where it is.
const URI: &str = "https://api.vitelity.net/api.php";
/// How often it may be asked a second when nothing is set.
const PACE: u32 = 1;

/// The way to Vitelity.
#[derive(Debug)]
pub(crate) struct Vitelity {
    /// The limits and the deadlines.
    pub(crate) line: Line,
    uri: Url,
    login: Option<String>,
    pass: Option<SecretString>,
}

impl Vitelity {
    /// Reads its settings.
    ///
    /// # Errors
    ///
    /// [`ConfigurationError`] names the setting.
    pub(crate) fn open(
        members: &Map<String, Value>,
        common: &Common,
    ) -> Result<Self, ConfigurationError> {
        let limits = common.paced(members, PACE).line;
        let pass = secret(members, "pass")?;
        Ok(Self {
            line: Line::new(limits, pass.iter().cloned().collect()),
            uri: match address(members, "api_uri", false)? {
                Some(uri) => uri,
                None => Url::parse(URI).expect("an address"),
            },
            login: said(members, "login")?,
            pass,
        })
    }

    /// Sends a command and reads what is said to it: an error for anything but success.
    ///
    /// # Errors
    ///
    /// [`VendorError`], in doubt when what was ordered may have been done.
    pub(crate) async fn command(
        &self,
        command: &str,
        arguments: &[(&str, &str)],
        deadline: Deadline,
        is_order: bool,
    ) -> Result<Element, VendorError> {
        let login = self.login.as_deref().ok_or_else(|| missing("login"))?;
        let pass = self.pass.as_ref().ok_or_else(|| missing("pass"))?.expose_secret();
        let first = [("login", login), ("pass", pass), ("cmd", command)];
        let all = [&first[..], arguments, &[("xml", "yes")]].concat();
        let request = self.line.request(Method::POST, self.uri.clone());
        let request = request
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(form(&all));
        let reply = if is_order {
            self.line.order(request, deadline).await?
        } else {
            self.line.ask(request, deadline).await?
        };
        if !reply.is_success() {
            return Err(self.line.refusal(&reply, None, &reply.text()));
        }
        let content = reply.xml()?;
        if content.name() != "content" {
            return Err(VendorError::doubtful("its answer has no content"));
        }
        match content.said(&["status"]) {
            Some("ok" | "success") => Ok(content),
            // A list comes without.
            None if content.at(&["numbers"]).is_some() => Ok(content),
            None => Err(VendorError::doubtful("its answer has no status")),
            Some(status) => {
                let words = content.said(&["error"]).or_else(|| content.said(&["response"]));
                Err(VendorError::refused(self.line.words(words.unwrap_or(status))))
            }
        }
    }
}
