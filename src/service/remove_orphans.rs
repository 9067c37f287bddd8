//! Removing numbers whose owners hold no copy of them. Each number and the place of its copy are read
//! by themselves right before; what could not be read stays.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};

use super::{Error, NumberService, PageOutcome, remove_copies::CONTRADICTING};
use crate::{
    domain::{AccountId, E164, NumberDatabase},
    repository::{NumberRepository, Opened, RepositoryError, Stored},
};

/// What is found of a number whose owner has no database.
pub const NO_ACCOUNT: &str = "no_account";

/// How many accounts, or numbers, are looked at at once.
const PARALLEL: usize = 16;

impl NumberService {
    /// Removes those of a page of the numbers of a database that have an owner who holds no copy of
    /// them.
    ///
    /// # Errors
    ///
    /// Those of every read. What goes wrong with one account is said of its numbers.
    pub async fn remove_orphan_numbers(
        &self,
        database: &NumberDatabase,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        if database.is_stock() {
            return Ok(PageOutcome::default());
        }
        let mut page = self.numbers.by_owner(database, prefix, after, limit).await?;
        let unowned = page.numbers.remove(&None).map_or(0, |numbers| numbers.len() as u64);
        let mut outcome = PageOutcome {
            read: unowned,
            skipped: unowned,
            next: page.next,
            ..PageOutcome::default()
        };
        for (id, err) in page.unreadable {
            outcome.read += 1;
            outcome.fail(id, &err.into());
        }
        let look_up = page.numbers.into_iter().map(|(owner, numbers)| async move {
            let ids: Vec<E164> = numbers.into_iter().map(|stored| stored.number.id).collect();
            let held = match &owner {
                Some(owner) => self.numbers.are_held(owner, ids.iter()).await,
                None => Ok(vec![true; ids.len()]),
            };
            (ids, held)
        });
        let look_up: Vec<_> = look_up.collect();
        let mut look_up = stream::iter(look_up).buffered(PARALLEL);
        let mut suspects = Vec::new();
        while let Some((ids, held)) = look_up.next().await {
            suspects.extend(outcome.without_copies(ids, held));
        }
        self.remove_unheld(suspects, &mut outcome).await?;
        Ok(outcome)
    }

    async fn remove_unheld(
        &self,
        suspects: Vec<E164>,
        outcome: &mut PageOutcome,
    ) -> Result<(), Error> {
        if suspects.is_empty() {
            return Ok(());
        }
        // A database that is not there answers as if it held no copy: only this says that it is so.
        let accounts = self.numbers.account_databases().await?;
        let opened = suspects.into_iter().map(|id| async move {
            let opened = self.numbers.open(&id, &[]).await;
            (id, opened)
        });
        let opened: Vec<_> = opened.collect();
        let mut opened = stream::iter(opened).buffered(PARALLEL);
        while let Some((id, opened)) = opened.next().await {
            match opened {
                Ok(Opened::Found(stored)) => self.remove_orphan(*stored, &accounts, outcome).await,
                // It was deleted in between.
                Ok(Opened::Vacant(_)) => {
                    outcome.read += 1;
                    outcome.skipped += 1;
                }
                Err(err) => outcome.fail_one(&id, &err.into()),
            }
        }
        Ok(())
    }

    /// Removes a number that was read by itself, unless it turned out to be no orphan.
    async fn remove_orphan(
        &self,
        stored: Stored,
        accounts: &BTreeSet<AccountId>,
        outcome: &mut PageOutcome,
    ) {
        let id = stored.number.id.clone();
        let drift = NumberRepository::drift(&stored);
        if drift.contains(&"conflicting") {
            return outcome.leave(CONTRADICTING, &id);
        }
        if !drift.contains(&"missing") {
            outcome.read += 1;
            outcome.unchanged += 1;
            return;
        }
        if stored.number.owner.as_ref().is_some_and(|owner| !accounts.contains(owner)) {
            outcome.found.push((NO_ACCOUNT, id.to_string()));
        }
        match self.numbers.delete(stored).await {
            // What is written is counted by the job.
            Ok(_) => outcome.read += 1,
            Err(err) => outcome.fail_one(&id, &err.into()),
        }
    }
}

impl PageOutcome {
    /// The numbers of which an account holds no copy; the others are counted.
    fn without_copies(
        &mut self,
        ids: Vec<E164>,
        held: Result<Vec<bool>, RepositoryError>,
    ) -> Vec<E164> {
        match held {
            Ok(held) => {
                let right = held.iter().filter(|held| **held).count() as u64;
                self.read += right;
                self.unchanged += right;
                ids.into_iter().zip(held).filter(|(_, held)| !held).map(|(id, _)| id).collect()
            }
            Err(err) => {
                let err = Error::from(err);
                for id in &ids {
                    self.fail_one(id, &err);
                }
                Vec::new()
            }
        }
    }
}
