//! What is common to all that writes copies: that they are looked after once they are written.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, PoisonError},
};

use futures::{StreamExt, stream};

use super::{Error, Failure, NumberService, PageOutcome};
use crate::{
    domain::{AccountId, E164},
    repository::{CopyWrite, RepositoryError},
};

/// How many numbers or databases are worked on at once.
pub(super) const AT_ONCE: usize = 16;

/// What copies were made from, until they are written: between the reading of a number and the
/// writing of its copy the number may get another owner, and then nothing says where that copy is.
#[derive(Debug, Default)]
pub struct CopyWatch(Mutex<HashMap<String, Made>>);

/// What the copies of a number were made from.
#[derive(Debug)]
struct Made {
    rev: Option<String>,
    accounts: BTreeSet<AccountId>,
}

impl CopyWatch {
    pub(super) fn note(&self, write: &CopyWrite) {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = made.entry(write.number.to_string()).or_insert_with(|| {
            let rev = write.rev.clone();
            Made { rev, accounts: BTreeSet::new() }
        });
        if entry.rev != write.rev {
            // Two versions: whichever it is now, one of the copies is wrong.
            entry.rev = None;
        }
        entry.accounts.insert(write.account.clone());
    }

    fn take(&self, id: &str) -> Option<Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
    }
}

impl NumberService {
    /// Looks at the numbers again whose copies were written, and brings the copies of those in line
    /// that were changed in between. Of numbers that nobody noted, as after a crash, those copies that
    /// the number itself names.
    pub async fn settle_copies(&self, watch: &CopyWatch, written: &[String]) {
        let ids: Vec<E164> = written.iter().filter_map(|id| E164::parse(id).ok()).collect();
        let revisions = self.numbers.revisions_of(&ids).await;
        let changed = ids.into_iter().zip(revisions).filter_map(|(id, now)| {
            let made = watch.take(id.as_str());
            let is_same = made.as_ref().is_some_and(|made| made.rev.is_some() && made.rev == now);
            let accounts = made.map(|made| made.accounts).unwrap_or_default();
            (!is_same).then_some((id, accounts))
        });
        let changed: Vec<_> = changed.collect();
        stream::iter(changed)
            .for_each_concurrent(AT_ONCE, |(id, mut accounts)| async move {
                if let Ok(opened) = self.numbers.open(&id, &[]).await {
                    accounts.extend(opened.accounts());
                }
                self.numbers.sync(&id, &accounts).await;
            })
            .await;
    }

    /// Plans the writes of copies.
    pub(super) async fn plan_copies(
        &self,
        outcome: &mut PageOutcome,
        watch: Option<&CopyWatch>,
        writes: Vec<CopyWrite>,
    ) -> Result<(), Error> {
        let ids: Vec<String> = writes.iter().map(|it| it.number.to_string()).collect();
        if let Some(watch) = watch {
            for write in &writes {
                watch.note(write);
            }
        }
        for (id, written) in ids.into_iter().zip(self.numbers.write_copies(writes).await) {
            if let Err(err) = written {
                outcome.fail_to_read(id, err)?;
            }
        }
        Ok(())
    }
}

impl PageOutcome {
    /// Counts what cannot be read, in words that say where it fails.
    ///
    /// # Errors
    ///
    /// What may pass, so that all of the page is tried again.
    pub(super) fn fail_to_read(
        &mut self,
        id: impl Into<String>,
        err: RepositoryError,
    ) -> Result<(), Error> {
        let message = match &err {
            RepositoryError::Undecodable { source, .. } => format!("{err}: {source}"),
            err => err.to_string(),
        };
        let err = Error::from(err);
        if matches!(err, Error::Unavailable(_) | Error::Conflict) {
            return Err(err);
        }
        self.failed.push((id.into(), Failure { error: err.id().to_owned(), message }));
        Ok(())
    }
}
