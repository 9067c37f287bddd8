//! Receivers, as administrators keep them.

use std::sync::Arc;

use secrecy::{ExposeSecret, SecretString};
use uuid::Uuid;

use super::{WebhooksConfig, rules::Rules};
use crate::{
    domain::Clock,
    repository::{
        Cursor, NumberRepository, Progress, Receiver, RepositoryError, WebhookRepository,
    },
};

/// The shortest secret, in characters.
const SECRET_MIN: usize = 16;
/// The longest address and the longest secret.
const TEXT_MAX: usize = 2048;
/// How often a place is set again because the receiver was told something in between.
const TRIES: u32 = 5;

/// Keeps receivers.
#[derive(Clone, Debug)]
pub struct Webhooks {
    repository: WebhookRepository,
    rules: Rules,
    receivers: usize,
    clock: Arc<dyn Clock>,
}

/// A receiver and how it stands.
#[derive(Clone, Debug)]
pub struct ReceiverView {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub receiver: Receiver,
    /// How far it was told.
    pub progress: Progress,
}

/// What is to be changed about a receiver.
#[derive(Clone, Debug, Default)]
pub struct ReceiverChange {
    /// Where to.
    pub url: Option<String>,
    /// What signs.
    pub secret: Option<SecretString>,
    /// Whether it is told anything.
    pub enabled: Option<bool>,
}

/// Why a receiver is not kept.
#[derive(Debug, thiserror::Error)]
pub enum WebhookError {
    /// There is none of that id.
    #[error("webhook {0} not found")]
    NotFound(String),
    /// A member says what cannot be.
    #[error("{field} {problem}")]
    Wrong {
        /// The member.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] RepositoryError),
}

impl Webhooks {
    /// Receivers beside these numbers.
    #[must_use]
    pub fn new(numbers: &NumberRepository, config: &WebhooksConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            repository: WebhookRepository::beside(numbers),
            rules: Rules::of(config),
            receivers: config.receivers,
            clock,
        }
    }

    /// Adds a receiver, which is told what happens behind a place; without one from the oldest on.
    ///
    /// # Errors
    ///
    /// [`WebhookError`].
    pub async fn add(
        &self,
        wanted: ReceiverChange,
        since: Option<&Cursor>,
    ) -> Result<ReceiverView, WebhookError> {
        self.check(&wanted)?;
        let Some(url) = wanted.url else { return Err(wrong("url", "is missing")) };
        if self.repository.all().await?.len() >= self.receivers {
            let problem = format!("would be one more than webhooks.receivers ({})", self.receivers);
            return Err(WebhookError::Wrong { field: "url", problem });
        }
        let made = || {
            let halves = [Uuid::new_v4(), Uuid::new_v4()];
            SecretString::from(halves.map(|half| half.simple().to_string()).concat())
        };
        let receiver = Receiver {
            url,
            secret: wanted.secret.unwrap_or_else(made),
            enabled: wanted.enabled.unwrap_or(true),
            created: self.clock.now().to_string(),
        };
        let cursor = since.map(Cursor::to_string).unwrap_or_default();
        let id = Uuid::now_v7().simple().to_string();
        self.repository.add(&id, &receiver, cursor).await?;
        self.get(&id).await
    }

    /// All receivers.
    ///
    /// # Errors
    ///
    /// [`WebhookError::Store`].
    pub async fn list(&self) -> Result<Vec<ReceiverView>, WebhookError> {
        let mut views = Vec::new();
        for (id, receiver) in self.repository.all().await? {
            let progress = self.progress(&id).await?;
            views.push(ReceiverView { id, receiver, progress });
        }
        Ok(views)
    }

    /// A receiver.
    ///
    /// # Errors
    ///
    /// [`WebhookError::NotFound`], [`WebhookError::Store`].
    pub async fn get(&self, id: &str) -> Result<ReceiverView, WebhookError> {
        let receiver = self.repository.get(id).await?;
        let receiver = receiver.ok_or_else(|| WebhookError::NotFound(id.to_owned()))?;
        Ok(ReceiverView { id: id.to_owned(), receiver, progress: self.progress(id).await? })
    }

    /// Changes a receiver. One that was given up is tried again.
    ///
    /// # Errors
    ///
    /// [`WebhookError`].
    pub async fn change(
        &self,
        id: &str,
        wanted: ReceiverChange,
    ) -> Result<ReceiverView, WebhookError> {
        self.check(&wanted)?;
        let changed = self.repository.change(id, |receiver| {
            if let Some(url) = &wanted.url {
                receiver.url.clone_from(url);
            }
            if let Some(secret) = &wanted.secret {
                receiver.secret = secret.clone();
            }
            receiver.enabled = wanted.enabled.unwrap_or(receiver.enabled);
        });
        if changed.await?.is_none() {
            return Err(WebhookError::NotFound(id.to_owned()));
        }
        self.restart(id, None).await?;
        self.get(id).await
    }

    /// Removes a receiver.
    ///
    /// # Errors
    ///
    /// [`WebhookError::NotFound`], [`WebhookError::Store`].
    pub async fn remove(&self, id: &str) -> Result<(), WebhookError> {
        if self.repository.remove(id).await? {
            Ok(())
        } else {
            Err(WebhookError::NotFound(id.to_owned()))
        }
    }

    /// Has a receiver told everything behind a place once more; without one from the oldest on.
    ///
    /// # Errors
    ///
    /// [`WebhookError::NotFound`], [`WebhookError::Store`].
    pub async fn replay(
        &self,
        id: &str,
        since: Option<&Cursor>,
    ) -> Result<ReceiverView, WebhookError> {
        self.get(id).await?;
        self.restart(id, Some(since.map(Cursor::to_string).unwrap_or_default())).await?;
        self.get(id).await
    }

    /// Forgets that a receiver failed, and sets where it goes on.
    async fn restart(&self, id: &str, cursor: Option<String>) -> Result<(), WebhookError> {
        for _ in 0..TRIES {
            let Some(stored) = self.repository.progress(id).await? else {
                return Err(WebhookError::NotFound(id.to_owned()));
            };
            let cursor = cursor.clone().unwrap_or_else(|| stored.progress.cursor.clone());
            let progress = Progress {
                cursor,
                last_success: stored.progress.last_success.clone(),
                ..Progress::default()
            };
            if self.repository.keep(id, &stored, progress).await?.is_some() {
                return Ok(());
            }
        }
        Err(RepositoryError::Conflict { id: id.to_owned() }.into())
    }

    async fn progress(&self, id: &str) -> Result<Progress, WebhookError> {
        let stored = self.repository.progress(id).await?;
        Ok(stored.map(|stored| stored.progress).unwrap_or_default())
    }

    fn check(&self, wanted: &ReceiverChange) -> Result<(), WebhookError> {
        if let Some(url) = &wanted.url {
            if url.len() > TEXT_MAX {
                return Err(wrong("url", "is too long"));
            }
            self.rules.check(url).map_err(|problem| wrong("url", problem))?;
        }
        match &wanted.secret {
            Some(secret) if !(SECRET_MIN..=TEXT_MAX).contains(&secret.expose_secret().len()) => {
                let problem = format!("must have {SECRET_MIN} to {TEXT_MAX} characters");
                Err(WebhookError::Wrong { field: "secret", problem })
            }
            _ => Ok(()),
        }
    }
}

fn wrong(field: &'static str, problem: &str) -> WebhookError {
    WebhookError::Wrong { field, problem: problem.to_owned() }
}
