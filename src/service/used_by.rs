//! Putting right what numbers say they are used by, by the applications of their owners. A number
//! and its copy are written together.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::{Error, NumberService, PageOutcome};
use crate::{
    domain::{AccountId, E164, NumberDatabase},
    repository::{Application, NumberRepository, Opened, SeenPage, Stored},
};

/// What is found of a number that two applications of its owner claim.
pub const CLAIMED_TWICE: &str = "conflict";
/// What is found of a number that was named beside an account that does not own it.
pub const NOT_OWNED: &str = "not_owned";

/// How many accounts are asked at once.
const PARALLEL_ACCOUNTS: usize = 8;

/// What is done about a number that two applications claim: what it is used by stays as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ClaimedTwice {
    /// Nothing at all.
    Leave,
    /// Its copy is brought in line all the same.
    Mirror,
}

/// Numbers of one owner, or of nobody, as they were read.
pub(super) struct Group {
    pub(super) owner: Option<AccountId>,
    pub(super) numbers: Vec<Stored>,
    /// Whether the owner's copies were read, and before the numbers.
    pub(super) has_copies: bool,
}

/// What is to be done about the numbers of a group.
#[derive(Default)]
struct Judged {
    changed: Vec<Stored>,
    /// Those that are right, with a copy that is not like them.
    unlike: Vec<Stored>,
    right: u64,
    claimed_twice: Vec<String>,
    failed: Vec<(String, Error)>,
}

impl NumberService {
    /// Puts a page of the numbers of a database right.
    ///
    /// # Errors
    ///
    /// Those of every read. What goes wrong with one account is said of its numbers, of which nothing
    /// is changed then.
    pub async fn fix_apps_stored(
        &self,
        database: &NumberDatabase,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        if database.is_stock() {
            return Ok(PageOutcome::default());
        }
        let page = self.numbers.by_owner(database, prefix, after, limit).await?;
        let mut outcome = PageOutcome { next: page.next, ..PageOutcome::default() };
        for (id, err) in page.unreadable {
            outcome.read += 1;
            outcome.fail(id, &err.into());
        }
        let group = |(owner, numbers)| Group { owner, numbers, has_copies: false };
        let groups = page.numbers.into_iter().map(group).collect();
        self.put_use_right(groups, ClaimedTwice::Leave, &mut outcome).await;
        Ok(outcome)
    }

    /// Puts a page of the numbers right of which an account holds copies and which it owns.
    ///
    /// # Errors
    ///
    /// [`Error::NoAccount`] when it has no database, and those of every read.
    pub async fn fix_apps_held(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let page = self.numbers.seen_by_copies(account, after, limit).await?;
        self.fix_apps_seen(account, page).await
    }

    /// Puts a page of the numbers right that an account owns.
    ///
    /// # Errors
    ///
    /// As [`NumberService::fix_apps_held`].
    pub async fn fix_apps_owned(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<PageOutcome, Error> {
        let page = self.numbers.seen_of_account(account, after, limit).await?;
        self.fix_apps_seen(account, page).await
    }

    /// Puts numbers right, as they were given; those that `account` does not own, when it is named,
    /// are left alone.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn fix_apps_named(
        &self,
        numbers: &[String],
        account: Option<&AccountId>,
    ) -> Result<PageOutcome, Error> {
        let mut outcome = PageOutcome::default();
        let ids = self.named(numbers, &mut outcome).await;
        let mut groups = BTreeMap::<Option<AccountId>, Vec<Stored>>::new();
        for (id, opened) in ids.iter().zip(self.numbers.open_many(&ids, None).await) {
            match opened {
                Ok(Opened::Found(stored))
                    if account.is_some() && stored.number.owner.as_ref() != account =>
                {
                    outcome.leave(NOT_OWNED, id);
                }
                Ok(Opened::Found(stored)) => {
                    groups.entry(stored.number.owner.clone()).or_default().push(*stored);
                }
                Ok(Opened::Vacant(_)) => outcome.fail_one(id, &Error::NotFound(id.clone())),
                Err(err) => outcome.fail_one(id, &err.into()),
            }
        }
        let group = |(owner, numbers)| Group { owner, numbers, has_copies: false };
        let groups = groups.into_iter().map(group).collect();
        self.put_use_right(groups, ClaimedTwice::Leave, &mut outcome).await;
        Ok(outcome)
    }

    async fn fix_apps_seen(
        &self,
        account: &AccountId,
        page: Option<SeenPage>,
    ) -> Result<PageOutcome, Error> {
        let page = page.ok_or_else(|| Error::NoAccount(account.clone()))?;
        let mut outcome = PageOutcome { next: page.next, ..PageOutcome::default() };
        let mut numbers = Vec::with_capacity(page.numbers.len());
        for (id, opened) in page.numbers {
            match opened {
                Ok(Opened::Found(stored)) if stored.number.owner.as_ref() == Some(account) => {
                    numbers.push(*stored);
                }
                Ok(_) => {
                    outcome.read += 1;
                    outcome.skipped += 1;
                }
                Err(err) => outcome.fail_one(&id, &err.into()),
            }
        }
        let groups = vec![Group { owner: Some(account.clone()), numbers, has_copies: true }];
        self.put_use_right(groups, ClaimedTwice::Leave, &mut outcome).await;
        Ok(outcome)
    }

    /// The numbers that texts mean; those that mean none fail.
    pub(super) async fn named(&self, numbers: &[String], outcome: &mut PageOutcome) -> Vec<E164> {
        let mut ids = Vec::with_capacity(numbers.len());
        for given in numbers {
            match self.stored_id(given).await {
                Ok(id) => ids.push(id),
                Err(err) => {
                    outcome.read += 1;
                    outcome.fail(given, &err);
                }
            }
        }
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// Puts the numbers of these groups right, and copies that are not like them.
    pub(super) async fn put_use_right(
        &self,
        groups: Vec<Group>,
        claimed_twice: ClaimedTwice,
        outcome: &mut PageOutcome,
    ) {
        let judge = |group: Group| async move {
            let owner = group.owner.clone();
            (owner, self.judge(group, claimed_twice).await)
        };
        let judged: Vec<_> = groups.into_iter().map(judge).collect();
        let judged: Vec<(_, Judged)> =
            stream::iter(judged).buffered(PARALLEL_ACCOUNTS).collect().await;
        let mut changed = Vec::new();
        for (owner, judged) in judged {
            outcome.take(&judged, claimed_twice);
            changed.extend(judged.changed);
            if let Some(owner) = owner {
                self.mirror_right(&owner, &judged.unlike, outcome).await;
            }
        }
        let ids: Vec<E164> = changed.iter().map(|stored| stored.number.id.clone()).collect();
        for (id, saved) in ids.into_iter().zip(self.numbers.save_many(changed).await) {
            if let Err(err) = saved {
                outcome.fail(id.to_string(), &err.into());
            }
        }
    }

    /// Decides about the numbers of one owner. When one of its applications cannot be asked, all of
    /// them fail: nobody knows then what uses them.
    async fn judge(&self, mut group: Group, claimed_twice: ClaimedTwice) -> Judged {
        let ids: Vec<E164> = group.numbers.iter().map(|it| it.number.id.clone()).collect();
        let used = match self.used(&mut group, &ids).await {
            Ok(used) => used,
            Err(err) => {
                let failed = ids.iter().map(|id| (id.to_string(), err.clone())).collect();
                return Judged { failed, ..Judged::default() };
            }
        };
        let mut judged = Judged::default();
        let mut looked_at = Vec::new();
        for (mut stored, used) in group.numbers.into_iter().zip(used) {
            match used {
                Err(()) => {
                    judged.claimed_twice.push(stored.number.id.to_string());
                    if claimed_twice == ClaimedTwice::Mirror {
                        looked_at.push(stored);
                    }
                }
                Ok(app) if stored.number.used_by.as_deref() != app => {
                    stored.number.used_by = app.map(str::to_owned);
                    judged.changed.push(stored);
                }
                Ok(_) => looked_at.push(stored),
            }
        }
        let all = looked_at.len();
        looked_at.retain(is_unlike_copy);
        if let (Some(owner), false) = (&group.owner, group.has_copies) {
            self.look_again(owner, &mut looked_at, &mut judged).await;
        }
        let failed = judged.failed.len();
        judged.right = (all - looked_at.len() - failed) as u64;
        judged.unlike = looked_at;
        judged
    }

    /// What each number is used by, or that two applications claim it; and the owner's copies, if
    /// they were not read yet.
    async fn used(
        &self,
        group: &mut Group,
        ids: &[E164],
    ) -> Result<Vec<Result<Option<&'static str>, ()>>, Error> {
        let Some(owner) = &group.owner else {
            return Ok(vec![Ok(None); ids.len()]);
        };
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let found = self.numbers.readable_applications(owner, ids).await;
        let found = found.map_err(|err| match err {
            err if err.is_of_no_database() => Error::NoAccount(owner.clone()),
            err => err.into(),
        })?;
        if !group.has_copies {
            self.numbers.read_copies(owner, &mut group.numbers).await?;
        }
        Ok(found.iter().map(|found| used_by(found)).collect())
    }

    /// Reads numbers again, after their copies, and keeps those whose copies are still unlike them.
    async fn look_again(&self, owner: &AccountId, numbers: &mut Vec<Stored>, judged: &mut Judged) {
        if numbers.is_empty() {
            return;
        }
        let before = std::mem::take(numbers);
        let ids: Vec<E164> = before.iter().map(|stored| stored.number.id.clone()).collect();
        let seen = self.numbers.seen(owner, &ids).await;
        for ((id, opened), before) in seen.into_iter().zip(before) {
            match opened {
                Ok(Opened::Found(stored))
                    if stored.number.owner.as_ref() == Some(owner)
                        && stored.number.used_by == before.number.used_by
                        && is_unlike_copy(&stored) =>
                {
                    numbers.push(*stored);
                }
                Ok(_) => (),
                Err(err) => judged.failed.push((id.to_string(), err.into())),
            }
        }
    }

    async fn mirror_right(&self, owner: &AccountId, numbers: &[Stored], outcome: &mut PageOutcome) {
        let put = self.numbers.put_copies(owner, numbers).await;
        for (stored, put) in numbers.iter().zip(put) {
            if let Err(err) = put {
                outcome.fail(stored.number.id.to_string(), &err.into());
            }
        }
    }
}

impl PageOutcome {
    /// Counts a number that could not be put right.
    pub(super) fn fail_one(&mut self, id: &E164, err: &Error) {
        self.read += 1;
        self.fail(id.to_string(), err);
    }

    /// Counts a number that is left as it is, and says why.
    pub(super) fn leave(&mut self, kind: &'static str, id: &E164) {
        self.read += 1;
        self.skipped += 1;
        self.found.push((kind, id.to_string()));
    }

    fn take(&mut self, judged: &Judged, claimed_twice: ClaimedTwice) {
        let written = judged.changed.len() + judged.unlike.len();
        let left = match claimed_twice {
            ClaimedTwice::Leave => judged.claimed_twice.len() as u64,
            // They are among those whose copies are looked at.
            ClaimedTwice::Mirror => 0,
        };
        self.read += (written + judged.failed.len()) as u64 + judged.right + left;
        self.unchanged += judged.right;
        self.skipped += left;
        for (id, err) in &judged.failed {
            self.fail(id, err);
        }
        self.found.extend(judged.claimed_twice.iter().map(|id| (CLAIMED_TWICE, id.clone())));
    }
}

/// The application that routes a number; an error when there are several.
fn used_by(found: &[Application]) -> Result<Option<&'static str>, ()> {
    let apps: BTreeSet<&'static str> = found.iter().map(|document| document.app).collect();
    if apps.len() > 1 { Err(()) } else { Ok(apps.first().copied()) }
}

/// Whether the owner's copy is missing or is not like the number.
fn is_unlike_copy(stored: &Stored) -> bool {
    let drift = NumberRepository::drift(stored);
    drift.iter().any(|drift| matches!(*drift, "missing" | "stale"))
}
