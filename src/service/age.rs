//! Numbers that have aged for long enough become available again.

use super::{
    Error, NumberService, PageOutcome, Stretch,
    change::{Operation, Target, must_exist},
};
use crate::{
    domain::{Actor, E164, Number, State},
    repository::{Decision, Opened, Settings},
};

/// The end of ageing.
struct EndAging;

/// Whether a number has aged for as long as the settings say.
fn is_due(number: &Number, settings: &Settings, now: i64) -> bool {
    number.state == State::Aging && number.in_state_since() <= now - settings.expiry.aging
}

impl NumberService {
    /// Makes the numbers of a page of a database available that have aged for long enough.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a database of stock, and those of every read. What goes wrong with one
    /// number is in the outcome.
    pub async fn age_page(
        &self,
        actor: &Actor,
        stretch: Stretch<'_>,
    ) -> Result<PageOutcome, Error> {
        let (settings, now) = (self.settings.get().await?, self.numbers.now());
        let is_due = |number: &Number| is_due(number, &settings, now);
        let (numbers, mut outcome) = self.numbers_in(stretch, &[State::Aging], is_due).await?;
        self.change_each(actor, numbers, &EndAging, &mut outcome).await?;
        Ok(outcome)
    }

    /// The same for these numbers, as they were given. Those that have not aged for long enough are
    /// skipped.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn age_numbers(
        &self,
        actor: &Actor,
        numbers: &[String],
    ) -> Result<PageOutcome, Error> {
        let mut outcome = PageOutcome::default();
        let numbers = self.parse_each(numbers, &mut outcome).await?;
        self.change_each(actor, numbers, &EndAging, &mut outcome).await?;
        Ok(outcome)
    }
}

impl Operation for EndAging {
    const IS_CHARGED: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        // What was given back to its carrier has left a tombstone at most, and so it stays.
        let mut stored = must_exist(number, opened)?;
        let now = service.numbers.now();
        if !is_due(&stored.number, target.settings, now) {
            return Err(Error::NoChange);
        }
        stored.number.end_aging(now)?;
        Ok(Decision::save(stored))
    }
}
