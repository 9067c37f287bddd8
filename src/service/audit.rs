//! The audit: every number against every copy, each read once. Numbers and copies are summed up by
//! account and database, and only where the sums differ one looks again; what is found there is
//! believed once both were read by themselves.

mod accounts;
mod numbers;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use futures::{StreamExt, stream};
use tokio::sync::{Mutex as AsyncMutex, OnceCell};

use super::{CopyWatch, Error, NumberService, PageOutcome, audit_sums::Sums, copies::AT_ONCE};
use crate::{
    domain::{AccountId, E164},
    repository::{Contradiction, CopyWrite, Drift, Look},
};

/// The kinds of what an audit finds.
mod kind {
    /// The owner holds no copy.
    pub(super) const MISSING: &str = "missing";
    /// The owner's copy is not equal to the number.
    pub(super) const STALE: &str = "stale";
    /// A copy of a number that nobody owns or that there is not.
    pub(super) const EXTRA: &str = "extra";
    /// A copy of a number that another account owns.
    pub(super) const WRONG_OWNER: &str = "wrong_owner";
    /// Versions of a number that contradict each other and name the same owner.
    pub(super) const CONFLICTING: &str = "conflicting";
    /// A copy with versions that lost: they go.
    pub(super) const CONFLICTING_COPY: &str = "conflicting_copy";
    /// Versions that name different owners: an administrator decides.
    pub(super) const CONFLICTING_OWNERS: &str = "conflicting_owners";
    /// The owner of a number is no account.
    pub(super) const NO_ACCOUNT: &str = "no_account";
    /// A document that cannot be read as a number.
    pub(super) const UNDECODABLE: &str = "undecodable";
    /// A number in the database of other numbers.
    pub(super) const WRONG_DATABASE: &str = "wrong_database";
}

/// The most versions that are put right at the end; the next audit finds the others again.
const MOST_CONFLICTS: usize = 10_000;

/// An audit under way.
#[derive(Debug, Default)]
pub struct Audit {
    /// Whether what is found is put right.
    repair: bool,
    /// Whether the job only plans, so that nothing has to be looked after.
    dry_run: bool,
    watch: CopyWatch,
    sums: AsyncMutex<Sums>,
    accounts: OnceCell<BTreeSet<AccountId>>,
    conflicting: Mutex<Vec<E164>>,
    conflicting_copies: Mutex<Vec<(E164, AccountId)>>,
}

impl Audit {
    /// An audit that puts right what it finds (`repair`), or only plans to.
    #[must_use]
    pub fn new(repair: bool, dry_run: bool) -> Self {
        Self { repair, dry_run, ..Self::default() }
    }

    /// Whether it puts right what it finds.
    #[must_use]
    pub fn repairs(&self) -> bool {
        self.repair
    }
}

impl NumberService {
    /// Looks after the copies that an audit wrote.
    pub async fn settle_audit(&self, audit: &Audit, written: &[String]) {
        self.settle_copies(&audit.watch, written).await;
    }

    /// Removes the versions that lost of the numbers that an audit found; it is no copy's writing, so
    /// it comes at the end. What fails is found again by the next audit.
    pub async fn remove_losers(&self, audit: &Audit) {
        if !audit.repair || audit.dry_run {
            return;
        }
        let numbers = match audit.conflicting.lock() {
            Ok(mut numbers) => std::mem::take(&mut *numbers),
            Err(_) => return,
        };
        for number in numbers {
            if let Err(err) = self.numbers.remove_losers(&number).await {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(number = %number, error = cause, "versions of a number stay");
            }
        }
        let copies = match audit.conflicting_copies.lock() {
            Ok(mut copies) => std::mem::take(&mut *copies),
            Err(_) => return,
        };
        let mut wanted = BTreeMap::<E164, BTreeSet<AccountId>>::new();
        for (number, account) in copies {
            wanted.entry(number).or_default().insert(account);
        }
        for (number, looked) in self.numbers.look_at(wanted).await {
            if let Look::Failed(err) = looked.outcome {
                let cause: &(dyn std::error::Error + 'static) = &err;
                tracing::warn!(number = %number, error = cause, "versions of a copy stay");
            }
        }
    }

    /// Reports copies that have versions which lost, and notes them for the end.
    fn conflicting_copies(
        audit: &Audit,
        outcome: &mut PageOutcome,
        account: &AccountId,
        numbers: Vec<E164>,
    ) {
        let ids = numbers.iter().map(|id| (kind::CONFLICTING_COPY, id.to_string()));
        outcome.found.extend(ids);
        if let Ok(mut copies) = audit.conflicting_copies.lock() {
            let room = MOST_CONFLICTS.saturating_sub(copies.len());
            copies.extend(numbers.into_iter().take(room).map(|id| (id, account.clone())));
        }
    }

    /// Reads copies and their numbers by themselves, reports what is wrong, and plans its repair.
    /// Returns how many were wrong.
    async fn judge_copies(
        &self,
        audit: &Audit,
        outcome: &mut PageOutcome,
        suspects: Vec<(E164, AccountId)>,
    ) -> Result<u64, Error> {
        let reads = suspects.into_iter().map(|(id, account)| async move {
            let drift = self.numbers.drift_of(&id, &account).await;
            (id, drift)
        });
        let reads: Vec<_> = reads.collect();
        let mut reads = stream::iter(reads).buffered(AT_ONCE);
        let (mut wrong, mut writes) = (0, Vec::new());
        while let Some((id, drift)) = reads.next().await {
            match drift {
                Ok(None) => (),
                Err(err) => outcome.fail_to_read(id.as_str(), err)?,
                Ok(Some((drift, write))) => {
                    wrong += 1;
                    self.found(audit, outcome, drift, write, &mut writes).await?;
                }
            }
        }
        let watch = (!audit.dry_run).then_some(&audit.watch);
        self.plan_copies(outcome, watch, writes).await?;
        Ok(wrong)
    }

    async fn found(
        &self,
        audit: &Audit,
        outcome: &mut PageOutcome,
        drift: Drift,
        write: CopyWrite,
        writes: &mut Vec<CopyWrite>,
    ) -> Result<(), Error> {
        let id = write.number.to_string();
        let kind = match drift {
            Drift::Missing | Drift::Stale => match self.account(&write.account).await {
                Ok(_) if drift == Drift::Missing => kind::MISSING,
                Ok(_) => kind::STALE,
                Err(Error::NoAccount(_)) => {
                    outcome.found.push((kind::NO_ACCOUNT, id));
                    return Ok(());
                }
                Err(err) => return Err(err),
            },
            Drift::Extra => kind::EXTRA,
            Drift::WrongOwner => kind::WRONG_OWNER,
        };
        outcome.found.push((kind, id));
        if audit.repair {
            writes.push(write);
        }
        Ok(())
    }

    /// Reports what the versions of a number say, when there are several.
    async fn contradiction(
        &self,
        audit: &Audit,
        outcome: &mut PageOutcome,
        id: &E164,
    ) -> Result<(), Error> {
        let kind = match self.numbers.contradiction(id).await {
            Ok(None) => return Ok(()),
            Ok(Some(Contradiction::SameOwner)) => kind::CONFLICTING,
            Ok(Some(Contradiction::OtherOwners)) => kind::CONFLICTING_OWNERS,
            Err(err) => return outcome.fail_to_read(id.as_str(), err),
        };
        outcome.found.push((kind, id.to_string()));
        if kind == kind::CONFLICTING
            && let Ok(mut numbers) = audit.conflicting.lock()
            && numbers.len() < MOST_CONFLICTS
        {
            numbers.push(id.clone());
        }
        Ok(())
    }
}
