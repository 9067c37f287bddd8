//! What became of numbers, for those who want to be told: administrators of all of them, an account of
//! those that it or an account below it holds or held.

use super::{Error, NumberService};
use crate::{
    domain::{AccountId, Actor},
    repository::{Cursor, Event, EventPage, EventsError},
};

/// Why the feed cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ChangesError {
    /// What follows the place was dropped; the feed goes on here.
    #[error("the feed does not reach back to the cursor")]
    Gone(Box<Cursor>),
    /// As with every read.
    #[error(transparent)]
    Service(#[from] Error),
}

impl From<EventsError> for ChangesError {
    fn from(error: EventsError) -> Self {
        match error {
            EventsError::Gone(present) => Self::Gone(present),
            EventsError::Repository(error) => Self::Service(error.into()),
        }
    }
}

impl NumberService {
    /// A page of what became of numbers behind a place, or from the beginning, as far as the actor may
    /// know it. There can be nothing in it though more follows.
    ///
    /// # Errors
    ///
    /// [`ChangesError::Gone`], and those of every read.
    pub async fn changes(
        &self,
        actor: &Actor,
        since: Option<&Cursor>,
        limit: usize,
    ) -> Result<EventPage, ChangesError> {
        let page = self.events.page(since, limit).await?;
        if actor.is_admin {
            return Ok(page);
        }
        let mut events = Vec::with_capacity(page.events.len());
        for event in page.events {
            events.extend(self.seen_by(actor, event).await?);
        }
        Ok(EventPage { events, ..page })
    }

    /// The end of what became of numbers.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn present(&self) -> Result<Cursor, Error> {
        Ok(self.events.present().await?)
    }

    /// A name of the state that the feed is in: another one once there is something new.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn state_of_changes(&self) -> Result<String, Error> {
        Ok(self.events.state().await?)
    }

    /// What an account may know of an event; none when it is not about it. Of a number that somebody
    /// else holds by now it learns that it is gone, and nothing more.
    async fn seen_by(&self, actor: &Actor, mut event: Event) -> Result<Option<Event>, Error> {
        let is_owned = self.is_ruled(actor, event.assigned_to.as_deref()).await?;
        let was_owned = self.is_ruled(actor, event.previously_assigned_to.as_deref()).await?;
        let was_held = self.is_ruled(actor, event.held_by.as_deref()).await?;
        if !is_owned && !was_owned && !was_held {
            return Ok(None);
        }
        if event.assigned_to.is_some() && !is_owned {
            (event.assigned_to, event.state) = (None, None);
            (event.revision, event.digest) = (None, None);
        }
        if !was_owned {
            event.previously_assigned_to = None;
        }
        if !was_held {
            event.held_by = None;
        }
        Ok(Some(event))
    }

    /// Whether the actor may act for an account. Of one that is gone nobody knows who could.
    pub(super) async fn is_ruled(
        &self,
        actor: &Actor,
        account: Option<&str>,
    ) -> Result<bool, Error> {
        let Some(Ok(account)) = account.map(AccountId::parse) else { return Ok(false) };
        if actor.account.as_ref() == Some(&account) {
            return Ok(true);
        }
        match self.lineage(&account).await {
            Ok(lineage) => Ok(actor.rules(&lineage)),
            Err(Error::NoAccount(_)) => Ok(false),
            Err(err) => Err(err),
        }
    }
}
