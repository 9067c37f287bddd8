//! Reading one number.

use super::{Error, NumberService, NumberView};
use crate::{
    domain::{Actor, E164, number_database},
    repository::{MirrorStatus, NumberRepository, Opened, Saved},
};

/// What an administrator is shown of a number wherever it is.
#[derive(Clone, Debug)]
pub struct NumberRecord {
    /// The number.
    pub view: NumberView,
    /// The database of the number document, not encoded.
    pub database: String,
    /// What is wrong with its copies: `missing`, `stale`, `extra`, `conflicting`; empty when all is
    /// well.
    pub drift: Vec<&'static str>,
}

impl NumberService {
    /// Reads a number.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also for what the actor may not see.
    pub async fn get(&self, actor: &Actor, number: &E164) -> Result<NumberView, Error> {
        let missing = || Error::NotFound(number.clone());
        let (found, rev) = self.numbers.get(number).await?.ok_or_else(missing)?;
        let owner = self.owner_of(&found).await?;
        if !found.is_visible_to(actor, owner.as_ref()) {
            return Err(missing());
        }
        let settings = self.settings.get().await?;
        let read =
            Saved { number: found, rev: Some(rev), mirror: MirrorStatus::Synced, written: false };
        self.view(read, &settings, actor).await
    }

    /// Reads any number with what is known of its copies; administrators only.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] or [`Error::Forbidden`].
    pub async fn record(&self, actor: &Actor, number: &E164) -> Result<NumberRecord, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let Opened::Found(stored) = self.numbers.open(number, &[]).await? else {
            return Err(Error::NotFound(number.clone()));
        };
        let settings = self.settings.get().await?;
        let drift = NumberRepository::drift(&stored);
        let behind = drift.iter().any(|drift| *drift != "conflicting");
        let read = Saved {
            rev: stored.rev().cloned(),
            number: stored.number,
            mirror: if behind { MirrorStatus::Pending } else { MirrorStatus::Synced },
            written: false,
        };
        let view = self.view(read, &settings, actor).await?;
        Ok(NumberRecord { view, database: number_database(number), drift })
    }
}
