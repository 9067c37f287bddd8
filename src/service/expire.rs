//! What nobody needs any more: numbers that were only seen, those that are marked as deleted, and our
//! own databases of days and months that are over.

use super::{
    Error, NumberService, PageOutcome, Stretch,
    change::{Operation, Target, must_exist},
    release::Deletion,
};
use crate::{
    domain::{Actor, E164, Number, State},
    repository::{Decision, ExpirySettings, Opened, Saved},
};

/// The kind of finding of a database that is over.
pub const DATABASE_EXPIRED: &str = "database_expired";

/// The states whose numbers expire.
const STATES: [State; 2] = [State::Discovery, State::Deleted];

/// The removal of a number that has expired.
struct Expiry;

/// Whether a number has expired at a time in Gregorian seconds.
fn is_over(number: &Number, expiry: &ExpirySettings, now: i64) -> bool {
    let kept = match number.state {
        State::Discovery => expiry.discovery,
        State::Deleted => expiry.deleted,
        _ => return false,
    };
    number.in_state_since() <= now - kept
}

impl NumberService {
    /// Removes the numbers of a page of a database that have expired, with their copies. Each is read
    /// again by itself right before.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a database of stock, and those of every read. What goes wrong with one
    /// number is in the outcome.
    pub async fn expire_page(
        &self,
        actor: &Actor,
        stretch: Stretch<'_>,
    ) -> Result<PageOutcome, Error> {
        let (settings, now) = (self.settings.get().await?, self.numbers.now());
        let is_over = |number: &Number| is_over(number, &settings.expiry, now);
        let (numbers, mut outcome) = self.numbers_in(stretch, &STATES, is_over).await?;
        self.change_each(actor, numbers, &Expiry, &mut outcome).await?;
        Ok(outcome)
    }

    /// Drops our own dated databases that nobody reads any more. Without the service itself (`live`)
    /// it is only said which.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn expire_databases(&self, live: Option<&Self>) -> Result<PageOutcome, Error> {
        let mut outcome = PageOutcome::default();
        let settings = self.settings.get().await?;
        for database in self.numbers.expired_databases(&settings.expiry).await? {
            if let Some(live) = live {
                live.numbers.drop_dated(&database).await?;
            }
            outcome.read += 1;
            outcome.changed += 1;
            outcome.found.push((DATABASE_EXPIRED, database));
        }
        Ok(outcome)
    }
}

impl Operation for Expiry {
    const IS_CHARGED: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let stored = must_exist(number, opened)?;
        // It may have been activated since the page was read.
        if !is_over(&stored.number, &target.settings.expiry, service.numbers.now()) {
            return Err(Error::NoChange);
        }
        Deletion.decide(service, target, number, Opened::Found(Box::new(stored))).await
    }

    async fn conclude(
        &self,
        service: &NumberService,
        number: &E164,
        outcome: &Result<Saved, Error>,
    ) {
        Deletion.conclude(service, number, outcome).await;
    }
}
