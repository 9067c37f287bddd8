//! Removing numbers of a state that nobody needs any more.

use super::{
    Error, NumberService, PageOutcome,
    change::{Operation, Target, must_exist},
    release::Deletion,
};
use crate::{
    domain::{Actor, E164, Number, NumberDatabase, State},
    repository::{Decision, Opened, Pick, Saved},
};

/// The states whose numbers may be removed.
const PURGED: [State; 2] = [State::Discovery, State::Deleted];

/// A removal of the numbers of a state.
#[derive(Clone, Copy, Debug)]
pub struct Purge(State);

impl Purge {
    /// A removal of the numbers of this state.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a state whose numbers are not removed, and for what is no state.
    pub fn of(state: &str) -> Result<Self, Error> {
        let found = PURGED.into_iter().find(|it| it.as_str() == state);
        found.map(Self).ok_or_else(|| {
            let cause = match State::parse(state) {
                Ok(state) => format!("numbers in state '{state}' are not purged"),
                Err(err) => err.to_string(),
            };
            Error::Invalid { cause: format!("{cause}; only discovery and deleted ones are") }
        })
    }

    /// The state.
    #[must_use]
    pub fn state(self) -> State {
        self.0
    }
}

impl NumberService {
    /// Removes the numbers of that state in a page of a database, with their copies. Each is read
    /// again by itself right before.
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] for a database of stock, and those of every read. What goes wrong with one
    /// number is in the outcome.
    pub async fn purge_page(
        &self,
        actor: &Actor,
        purge: Purge,
        stretch: Stretch<'_>,
    ) -> Result<PageOutcome, Error> {
        let states = &[purge.0];
        let (numbers, mut outcome) = self.numbers_in(stretch, states, |_| true).await?;
        self.change_each(actor, numbers, &purge, &mut outcome).await?;
        Ok(outcome)
    }

    /// The numbers of a part of a database that are in one of these states, as far as they are
    /// wanted.
    pub(super) async fn numbers_in(
        &self,
        stretch: Stretch<'_>,
        states: &[State],
        is_wanted: impl Fn(&Number) -> bool,
    ) -> Result<(Vec<E164>, PageOutcome), Error> {
        let Stretch { database, prefix, after, limit } = stretch;
        must_hold_numbers(database)?;
        let after = after.map(str::to_owned);
        let page = self.numbers.pick(database, Pick::In(states), prefix, after, limit).await?;
        let mut outcome =
            PageOutcome { read: page.read, next: page.next, ..PageOutcome::default() };
        let unreadable = page.unreadable.len();
        for (id, err) in page.unreadable {
            outcome.fail(id, &err.into());
        }
        let wanted = page.numbers.into_iter().filter(|number| is_wanted(number));
        let numbers: Vec<E164> = wanted.map(|number| number.id).collect();
        outcome.skipped = page.read - (numbers.len() + unreadable) as u64;
        Ok((numbers, outcome))
    }
}

/// A part of a database of numbers.
#[derive(Clone, Copy, Debug)]
pub struct Stretch<'a> {
    /// The database.
    pub database: &'a NumberDatabase,
    /// Only numbers that begin with this.
    pub prefix: Option<&'a str>,
    /// Only numbers behind this one.
    pub after: Option<&'a str>,
    /// The most documents.
    pub limit: usize,
}

/// Refuses a database of stock, whose ids are those of numbers that lie elsewhere.
pub(super) fn must_hold_numbers(database: &NumberDatabase) -> Result<(), Error> {
    if database.is_stock() {
        return Err(Error::Invalid { cause: format!("{database} holds stock and no numbers") });
    }
    Ok(())
}

impl Operation for Purge {
    const IS_CHARGED: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let stored = must_exist(number, opened)?;
        if stored.number.state != self.0 {
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
