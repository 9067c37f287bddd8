//! What humans are asked to do, or told, about a number.

use std::fmt;

use async_trait::async_trait;
use serde_json::Value;

use crate::domain::{AccountId, E164, Number, State};

/// Whether something is to be put in place or taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Switch {
    /// Put in place, or changed.
    On,
    /// Taken away.
    Off,
}

/// What it is about.
#[derive(Clone, Debug, PartialEq)]
pub enum Subject {
    /// Give the number this caller name.
    Cnam(Value),
    /// Port the number in.
    Port(Value),
    /// The number was ported in.
    Ported(Value),
    /// See to the number's emergency address.
    E911(Switch, Value),
    /// Switch a feature at the carrier or provider by hand.
    ManualAction {
        /// The feature.
        feature: &'static str,
        /// Who provides it.
        provider: String,
        /// On or off.
        switch: Switch,
        /// The e-mail addresses of those who do it; empty when the settings name none.
        to: Vec<String>,
    },
}

/// A message to a human about a number, sent after the change was saved.
#[derive(Clone, Debug, PartialEq)]
pub struct Notice {
    /// What it is about.
    pub subject: Subject,
    /// The number.
    pub number: E164,
    /// The account that has it, or that had it.
    pub account: Option<AccountId>,
    /// The number's state.
    pub state: State,
    /// Whether it is a local number.
    pub is_local: bool,
    /// Who asked for the change: an account id or `system`.
    pub asked_by: String,
}

/// Brings notices to humans.
#[async_trait]
pub trait Notifier: fmt::Debug + Send + Sync + 'static {
    /// Sends a notice, or sees to it that it will be sent: the change is saved, so this cannot fail
    /// it, and somebody waits for the answer.
    async fn send(&self, notice: Notice);
}

/// Writes notices into the log, without what they say of people and places.
#[derive(Debug)]
pub struct LogNotifier;

impl Subject {
    /// The name of the message.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Cnam(_) => "cnam_request",
            Self::Port(_) => "port_request",
            Self::Ported(_) => "ported",
            Self::E911(..) => "e911_request",
            Self::ManualAction { .. } => "number_feature_manual_action",
        }
    }

    /// The action that is asked for, where there are two.
    #[must_use]
    pub fn action(&self) -> Option<&'static str> {
        match self {
            Self::E911(switch, _) | Self::ManualAction { switch, .. } => Some(switch.as_str()),
            Self::Cnam(_) | Self::Port(_) | Self::Ported(_) => None,
        }
    }
}

impl Switch {
    /// As messages spell it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::On => "activate",
            Self::Off => "deactivate",
        }
    }
}

impl Notice {
    /// A notice about a number as it is now. `before` tells who had it, when nobody has.
    #[must_use]
    pub fn new(subject: Subject, number: &Number, before: Option<&Number>, asked_by: &str) -> Self {
        let last = || before.and_then(|before| before.owner.clone());
        Self {
            subject,
            number: number.id.clone(),
            account: number.owner.clone().or_else(last),
            state: number.state,
            is_local: number.is_local(),
            asked_by: asked_by.to_owned(),
        }
    }
}

#[async_trait]
impl Notifier for LogNotifier {
    async fn send(&self, notice: Notice) {
        let (number, subject) = (notice.number.as_str(), notice.subject.name());
        let account_id = notice.account.as_ref().map(AccountId::as_str);
        let action = notice.subject.action();
        let state = notice.state.as_str();
        match &notice.subject {
            Subject::Ported(_) => {
                tracing::info!(subject, number, account_id, state, "a number was ported in");
            }
            Subject::ManualAction { feature, provider, .. } => tracing::warn!(
                subject,
                number,
                account_id,
                state,
                feature,
                provider,
                action,
                "somebody has to switch a feature by hand"
            ),
            _ => tracing::warn!(
                subject,
                number,
                account_id,
                state,
                action,
                "somebody has to do what was asked for"
            ),
        }
    }
}
