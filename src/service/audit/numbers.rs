//! The side of the numbers.

use std::collections::BTreeMap;

use super::{Audit, kind};
use crate::{
    domain::{AccountId, E164, NumberDatabase},
    repository::{RepositoryError, Source},
    service::{
        Error, NumberService, PageOutcome,
        audit_sums::{Sums, name_of, place_of},
    },
};

/// How many documents are read at once where a database is summed up again.
const READ_AT_ONCE: usize = 1000;

impl NumberService {
    /// Sums up a page of the numbers of a database, for the copies to be compared with, and reports
    /// what is wrong with the numbers themselves.
    ///
    /// # Errors
    ///
    /// Those of every read. What goes wrong with one number is in the outcome.
    pub async fn audit_numbers(
        &self,
        audit: &Audit,
        database: &NumberDatabase,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let page = self.numbers.sources(database, None, after.map(str::to_owned), limit).await?;
        let mut outcome = PageOutcome { next: page.next, ..PageOutcome::default() };
        let accounts = audit.accounts.get_or_try_init(|| self.numbers.account_databases()).await?;
        let (mut held, mut homeless) = (Vec::new(), Vec::new());
        for source in self.readable(audit, &mut outcome, page.sources).await? {
            let Some(owner) = source.number.owner.clone() else { continue };
            if accounts.contains(&owner) {
                let sum = source.fingerprint();
                held.push((owner, sum));
            } else {
                homeless.push((source.number.id, owner));
            }
        }
        self.judge_copies(audit, &mut outcome, homeless).await?;
        if let Some(place) = place_of(database.as_str().trim_start_matches("numbers/")) {
            audit.sums.lock().await.take(place, after, held, outcome.next.as_deref());
        }
        Ok(outcome)
    }

    /// Compares a page of the numbers of a database with the copies of their owners, and of the
    /// accounts that owned them last. Copies in other accounts are not looked for.
    ///
    /// # Errors
    ///
    /// As [`NumberService::audit_numbers`].
    pub async fn audit_database(
        &self,
        audit: &Audit,
        database: &NumberDatabase,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let page = self.numbers.sources(database, prefix, after.map(str::to_owned), limit).await?;
        let mut outcome = PageOutcome { next: page.next, ..PageOutcome::default() };
        let sources = self.readable(audit, &mut outcome, page.sources).await?;
        let mut suspects: Vec<(E164, AccountId)> = Vec::new();
        let mut owned = Vec::with_capacity(sources.len());
        let mut left = BTreeMap::<AccountId, Vec<E164>>::new();
        for source in sources {
            let number = &source.number;
            let last = number.previous_owner.clone().filter(|it| Some(it) != number.owner.as_ref());
            if let Some(last) = last {
                left.entry(last).or_default().push(number.id.clone());
            }
            if let Some(owner) = number.owner.clone() {
                owned.push((source, owner));
            }
        }
        for (id, compared) in self.numbers.unequal(owned).await {
            match compared {
                Ok(None) => (),
                Ok(Some(unequal)) => suspects.push((id, unequal.account)),
                Err(err) => outcome.fail_to_read(id.as_str(), err)?,
            }
        }
        for (account, ids) in left {
            let held = self.numbers.are_held(&account, ids.iter()).await?;
            let held = ids.into_iter().zip(held).filter(|(_, is_held)| *is_held);
            suspects.extend(held.map(|(id, _)| (id, account.clone())));
        }
        let wrong = self.judge_copies(audit, &mut outcome, suspects).await?;
        outcome.unchanged = outcome.unchanged.saturating_sub(wrong);
        Ok(outcome)
    }

    /// The numbers of a page that can be read; the others are reported, and versions that contradict
    /// each other.
    async fn readable(
        &self,
        audit: &Audit,
        outcome: &mut PageOutcome,
        sources: Vec<Result<Source, (String, RepositoryError)>>,
    ) -> Result<Vec<Source>, Error> {
        let mut readable = Vec::with_capacity(sources.len());
        for source in sources {
            outcome.read += 1;
            match source {
                Ok(source) => {
                    if source.conflicts() > 0 {
                        self.contradiction(audit, outcome, &source.number.id).await?;
                    }
                    outcome.unchanged += 1;
                    readable.push(source);
                }
                Err((id, err)) => {
                    let is_misplaced = E164::parse(&id).is_ok() && is_misplaced(&err);
                    let kind = if is_misplaced { kind::WRONG_DATABASE } else { kind::UNDECODABLE };
                    outcome.found.push((kind, id));
                }
            }
        }
        Ok(readable)
    }

    /// Sums up the databases that were not: those that a process before this one went through, and
    /// those that are new.
    pub(super) async fn complete(&self, sums: &mut Sums) -> Result<(), Error> {
        if sums.is_complete {
            return Ok(());
        }
        for database in self.numbers.databases(false).await? {
            let Some(place) = place_of(database.as_str().trim_start_matches("numbers/")) else {
                continue;
            };
            if sums.is_settled(place) {
                continue;
            }
            sums.forget(place);
            if let Err(err) = self.sum_up(sums, &database).await {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(database = name_of(place), error = cause, "an audit leaves it out");
                sums.give_up(place);
            }
        }
        sums.is_complete = true;
        Ok(())
    }

    async fn sum_up(&self, sums: &mut Sums, database: &NumberDatabase) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let page = self.numbers.sources(database, None, after.clone(), READ_AT_ONCE).await?;
            let owned = page.sources.into_iter().flatten().filter_map(|source| {
                let owner = source.number.owner.clone()?;
                Some((owner, source.fingerprint()))
            });
            let (owned, next) = (owned.collect(), page.next);
            if let Some(place) = place_of(database.as_str().trim_start_matches("numbers/")) {
                sums.take(place, after.as_deref(), owned, next.as_deref());
            }
            after = next;
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// Whether a number lies in the database of other numbers.
fn is_misplaced(err: &RepositoryError) -> bool {
    matches!(err, RepositoryError::Undecodable { source, .. } if source.field == "_id")
}
