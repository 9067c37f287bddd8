//! Vitelity's API, which sells numbers and provides features: one address, and commands that are
//! answered in XML.

use reqwest::{Method, Url, header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use super::{
    VendorError,
    digits::number_in,
    http::{Deadline, Line},
    settings::{Common, address, form, missing, said, secret},
    xml::Element,
};
use crate::domain::{ConfigurationError, E164};

/// Where it is.
const URI: &str = "https://api.vitelity.net/api.php";
/// How often it may be asked a second when nothing is set.
const PACE: u32 = 1;

/// What it says when there is nothing.
pub(crate) const NOTHING: [&str; 2] = ["none", "unavailable"];

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

    /// Whether it can be told who asks.
    pub(crate) fn is_set_up(&self) -> bool {
        self.login.is_some() && self.pass.is_some()
    }

    /// Succeeds when it lets us in: a refusal of anything else is about that then.
    pub(crate) async fn login_works(&self) -> Result<(), VendorError> {
        self.ours().await.map(|_| ())
    }

    /// Whether a number is ours.
    pub(crate) async fn has(&self, number: &E164) -> Result<bool, VendorError> {
        Ok(self.ours().await?.contains(number))
    }

    /// The numbers that are ours.
    async fn ours(&self) -> Result<Vec<E164>, VendorError> {
        let listed = self.command("listdids", &[], self.line.provisioning(), false).await;
        let content = match listed {
            Err(err) if NOTHING.contains(&err.reason()) => return Ok(Vec::new()),
            listed => listed.map_err(VendorError::without_doubt)?,
        };
        let numbers = content.at(&["numbers"]);
        let numbers = numbers.ok_or_else(|| VendorError::refused("no_numbers"))?;
        match numbers.said(&["response"]) {
            Some(words) if NOTHING.contains(&words) => Ok(Vec::new()),
            Some(words) => Err(VendorError::refused(self.line.words(words))),
            None => Ok(numbers.children().iter().filter_map(number_of).collect()),
        }
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

/// The number of a row of a list.
pub(crate) fn number_of(row: &Element) -> Option<E164> {
    if !matches!(row.name(), "did" | "number") {
        return None;
    }
    number_in(row.said(&["number"]).or_else(|| row.said(&["did"])).unwrap_or(row.text()))
}
