//! Numbers that jobs change or remove one by one: each is read by itself right before, and the write
//! expects what was read.

use futures::{StreamExt, stream};

use super::{
    Error, NumberService, PageOutcome, Terms,
    change::{Operation, Target},
    release::{Deletion, Release},
};
use crate::{
    domain::{AccountId, Actor, E164},
    repository::{Decision, Opened, Pick, Saved},
};

/// How many numbers are worked on at once.
const PARALLEL_NUMBERS: usize = 16;

/// A release of what an account still has.
struct ReleaseOf<'a>(&'a AccountId);

impl NumberService {
    /// Deletes numbers, as they were given, whatever their states.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn delete_numbers(
        &self,
        actor: &Actor,
        numbers: &[String],
    ) -> Result<PageOutcome, Error> {
        let mut outcome = PageOutcome::default();
        let numbers = self.parse_each(numbers, &mut outcome).await?;
        self.change_each(actor, numbers, &Deletion, &mut outcome).await?;
        Ok(outcome)
    }

    /// Releases a page of the numbers that an account holds, by the number documents: so also those
    /// of which it has no copy, and those of an account that is gone.
    ///
    /// # Errors
    ///
    /// Those of every read. What goes wrong with one number is in the outcome.
    pub async fn release_page(
        &self,
        actor: &Actor,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        // The place is a database, and an id in it to go on behind.
        let (from, mut behind) = match after.map(|after| after.split_once(' ')) {
            None => ("", None),
            Some(Some((database, id))) => (database, Some(id.to_owned())),
            Some(None) => (after.unwrap_or_default(), None),
        };
        let databases = self.numbers.databases(false).await?;
        let mut databases = databases.into_iter().filter(|it| it.as_str() >= from).peekable();
        let mut outcome = PageOutcome::default();
        while let Some(database) = databases.next() {
            let behind = behind.take().filter(|_| database.as_str() == from);
            let page = self.numbers.pick(&database, Pick::Of(account), None, behind, limit).await?;
            outcome.read += page.read;
            for (id, err) in page.unreadable {
                outcome.fail(id, &err.into());
            }
            let is_empty = page.numbers.is_empty();
            let numbers = page.numbers.into_iter().map(|number| number.id).collect();
            self.change_each(actor, numbers, &ReleaseOf(account), &mut outcome).await?;
            outcome.next = match page.next {
                Some(id) => Some(format!("{database} {id}")),
                None => databases.peek().map(ToString::to_string),
            };
            if !is_empty || outcome.next.as_ref().is_some_and(|next| next.contains(' ')) {
                break;
            }
        }
        Ok(outcome)
    }

    /// The numbers that texts mean; a text that means none has failed.
    pub(super) async fn parse_each(
        &self,
        given: &[String],
        outcome: &mut PageOutcome,
    ) -> Result<Vec<E164>, Error> {
        let mut numbers = Vec::with_capacity(given.len());
        for text in given {
            outcome.read += 1;
            match self.parse(text).await {
                Ok(number) => numbers.push(number),
                Err(err @ Error::NotReconcilable(_)) => outcome.fail(text, &err),
                Err(err) => return Err(err),
            }
        }
        Ok(numbers)
    }

    /// Changes numbers one by one, several side by side. Those that the operation is no longer about
    /// ([`Error::NoChange`]) are skipped.
    pub(super) async fn change_each(
        &self,
        actor: &Actor,
        numbers: Vec<E164>,
        operation: &impl Operation,
        outcome: &mut PageOutcome,
    ) -> Result<(), Error> {
        let settings = &*self.settings.get().await?;
        let target = &Target { actor, account: None, settings, terms: Terms::default() };
        let changes = numbers.into_iter().map(|number| async move {
            let saved = self.change(target, &number, operation).await;
            (number, saved)
        });
        let changes: Vec<_> = changes.collect();
        let mut changes = stream::iter(changes).buffered(PARALLEL_NUMBERS);
        while let Some((number, saved)) = changes.next().await {
            match saved {
                // What is written is counted by the job.
                Ok(Saved { written: true, .. }) => (),
                Ok(_) => outcome.unchanged += 1,
                Err(Error::NoChange) => outcome.skipped += 1,
                // It is tried again.
                Err(err @ Error::Unavailable(_)) => return Err(err),
                Err(err) => outcome.fail(number.as_str(), &err),
            }
        }
        Ok(())
    }
}

impl Operation for ReleaseOf<'_> {
    const IS_CHARGED: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        match &opened {
            Opened::Found(stored) if stored.number.owner.as_ref() == Some(self.0) => {
                Release.decide(service, target, number, opened).await
            }
            // The index of owners was behind.
            _ => Err(Error::NoChange),
        }
    }

    async fn conclude(
        &self,
        service: &NumberService,
        number: &E164,
        outcome: &Result<Saved, Error>,
    ) {
        Release.conclude(service, number, outcome).await;
    }
}
