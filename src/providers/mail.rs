//! Notices as e-mail: what they say, whom they go to, and how they are handed over (SMTP). They are kept
//! until a server has taken them, so one can come twice, and none is lost.

use std::{fmt, net::IpAddr, time::Duration};

use lettre::{
    AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor,
    message::{Mailbox, header::ContentType},
    transport::smtp::authentication::Credentials,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Notice, Subject, VendorError};
use crate::domain::AccountId;

/// How much of what a server says is handed on, in characters.
const SAID: usize = 300;

/// Where notices are handed over, and whom they go to.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// The server; empty: no e-mail is sent.
    pub server: String,
    /// Its port.
    pub port: u16,
    /// How what is said to it is kept secret.
    pub security: MailSecurity,
    /// Who hands them over; empty for nobody.
    pub username: String,
    /// Their password.
    pub password: SecretString,
    /// Who they come from.
    pub from: String,
    /// Those who do what they ask for.
    pub to: Vec<String>,
    /// How long handing one over may take, in milliseconds.
    pub timeout_ms: u64,
}

/// How what is said to a server is kept secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// From the second word on.
    Starttls,
    /// From the beginning.
    Tls,
    /// Not at all; to this machine itself only.
    None,
}

/// Hands notices over to a server.
pub struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    to: Vec<Mailbox>,
    password: SecretString,
}

impl Default for MailConfig {
    /// As in `default.toml`.
    fn default() -> Self {
        Self {
            server: String::new(),
            port: 587,
            security: MailSecurity::Starttls,
            username: String::new(),
            password: SecretString::default(),
            from: String::new(),
            to: Vec::new(),
            timeout_ms: 10_000,
        }
    }
}

impl fmt::Debug for Mailer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mailer").field("to", &self.to).finish_non_exhaustive()
    }
}

impl Mailer {
    /// A mailer with these settings; none when no server is named. Asks nobody.
    ///
    /// # Errors
    ///
    /// What is wrong, in words that begin with the setting's name.
    pub fn new(config: &MailConfig) -> Result<Option<Self>, String> {
        if config.server.is_empty() {
            return Ok(None);
        }
        let from = config.from.parse().map_err(|_| "mail.from is no e-mail address".to_owned())?;
        let to: Result<Vec<Mailbox>, _> = config.to.iter().map(|to| to.parse()).collect();
        let to = to.map_err(|_| "mail.to holds what is no e-mail address".to_owned())?;
        if to.is_empty() {
            return Err("mail.to names nobody".to_owned());
        }
        if config.timeout_ms == 0 {
            return Err("mail.timeout_ms must be at least 1".to_owned());
        }
        Ok(Some(Self {
            transport: transport(config)?,
            from,
            to,
            password: config.password.clone(),
        }))
    }

    /// What a notice says, and whom it goes to, to be kept until it is sent.
    #[must_use]
    pub fn letter(&self, notice: &Notice) -> Value {
        let named = match &notice.subject {
            Subject::ManualAction { to, .. } => to.as_slice(),
            _ => &[],
        };
        let mut to: Vec<&str> =
            named.iter().map(String::as_str).filter(|to| to.parse::<Mailbox>().is_ok()).collect();
        let ours: Vec<String> = self.to.iter().map(ToString::to_string).collect();
        if to.is_empty() {
            to = ours.iter().map(String::as_str).collect();
        }
        let subject = format!("{}: {}", notice.subject.name(), notice.number);
        json!({"to": to, "subject": subject, "text": text(notice)})
    }

    /// Hands a letter over.
    ///
    /// # Errors
    ///
    /// [`VendorError`] in the server's words: it is to be tried again.
    pub async fn send(&self, letter: &Value) -> Result<(), VendorError> {
        let said = |key: &str| letter[key].as_str().unwrap_or_default().to_owned();
        let mut message = Message::builder()
            .from(self.from.clone())
            .subject(said("subject"))
            .header(ContentType::TEXT_PLAIN);
        for to in letter["to"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            message =
                message.to(to.parse().map_err(|_| VendorError::refused("no such address"))?);
        }
        let message = message.body(said("text"));
        let message = message.map_err(|err| VendorError::refused(err.to_string()))?;
        let sent = self.transport.send(message).await;
        sent.map(|_| ()).map_err(|err| VendorError::refused(self.words(&err.to_string())))
    }

    fn words(&self, text: &str) -> String {
        let password = self.password.expose_secret();
        let text =
            if password.is_empty() { text.to_owned() } else { text.replace(password, "***") };
        text.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(SAID).collect()
    }
}

fn transport(config: &MailConfig) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let server = config.server.as_str();
    let wrong = |_| "mail.server cannot be used".to_owned();
    let builder = match config.security {
        MailSecurity::Starttls => {
            AsyncSmtpTransport::<Tokio1Executor>::starttls_relay(server).map_err(wrong)?
        }
        MailSecurity::Tls => AsyncSmtpTransport::<Tokio1Executor>::relay(server).map_err(wrong)?,
        MailSecurity::None if is_here(server) => {
            AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server)
        }
        MailSecurity::None => {
            return Err("mail.security may be `none` for this machine only".to_owned());
        }
    };
    let builder = builder.port(config.port).timeout(Some(Duration::from_millis(config.timeout_ms)));
    Ok(if config.username.is_empty() {
        builder.build()
    } else {
        let password = config.password.expose_secret().to_owned();
        builder.credentials(Credentials::new(config.username.clone(), password)).build()
    })
}

fn is_here(server: &str) -> bool {
    server == "localhost" || server.parse().is_ok_and(|ip: IpAddr| ip.is_loopback())
}

/// What a notice says: its members as KAZOO names them, and what it is about.
fn text(notice: &Notice) -> String {
    let (what, data) = match &notice.subject {
        Subject::Cnam(data) => ("Give the number this caller name.", Some(data)),
        Subject::Port(data) => ("Port the number in.", Some(data)),
        Subject::Ported(data) => ("The number was ported in.", Some(data)),
        Subject::E911(_, data) => ("See to the number's emergency address.", Some(data)),
        Subject::ManualAction { .. } => ("Switch a feature by hand.", None),
    };
    let account = notice.account.as_ref().map_or("none", AccountId::as_str);
    let mut lines = vec![
        what.to_owned(),
        String::new(),
        format!("Number: {}", notice.number),
        format!("Account-ID: {account}"),
        format!("Number-State: {}", notice.state.as_str()),
        format!("Local-Number: {}", notice.is_local),
        format!("Authorized-By: {}", notice.asked_by),
    ];
    if let Subject::ManualAction { feature, provider, .. } = &notice.subject {
        lines.extend([format!("Feature: {feature}"), format!("Provider: {provider}")]);
    }
    lines.extend(notice.subject.action().map(|action| format!("Action: {action}")));
    if let Some(data) = data {
        lines.extend([String::new(), format!("{data:#}")]);
    }
    lines.push(String::new());
    lines.join("\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> MailConfig {
        MailConfig {
            server: "smtp.example.com".to_owned(),
            from: "Numbers <numbers@example.com>".to_owned(),
            to: vec!["ops@example.com".to_owned()],
            password: "s3cret".to_owned().into(),
            ..MailConfig::default()
        }
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let check = |change: fn(&mut MailConfig), setting: Option<&str>| {
            let mut config = config();
            change(&mut config);
            let named = Mailer::new(&config).err();
            assert_eq!(named.as_deref().and_then(|it| it.split(' ').next()), setting, "{named:?}");
        };
        check(|_| (), None);
        check(|it| it.security = MailSecurity::Tls, None);
        check(|it| it.from = "me".to_owned(), Some("mail.from"));
        check(|it| it.to = vec!["@".to_owned()], Some("mail.to"));
        check(|it| it.to = Vec::new(), Some("mail.to"));
        check(|it| it.timeout_ms = 0, Some("mail.timeout_ms"));
        check(|it| it.security = MailSecurity::None, Some("mail.security"));
        let here = |it: &mut MailConfig| {
            (it.security, it.server) = (MailSecurity::None, "127.0.0.1".to_owned());
        };
        check(here, None);
        assert!(Mailer::new(&MailConfig::default()).unwrap().is_none());
        let mailer = Mailer::new(&config()).unwrap().unwrap();
        assert!(!format!("{mailer:?} {:?}", config()).contains("s3cret"));
    }
}
