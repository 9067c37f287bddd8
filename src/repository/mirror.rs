//! The copies of number documents in account databases.
//!
//! The mirror of a number is a pure function of its document: the owner's account database holds
//! the same members under the same id, and no other account database holds it. Attachments stay
//! with the number document, since a copy cannot carry them.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use super::{ErrorKind, NumberRepository, RepositoryError};
use crate::{
    domain::{AccountId, E164, account_database, number_database},
    store::{Body, DbName, Expect, Kind, Lookup, Rev, WRITE_ID, Write},
};

/// How the copies of a number stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MirrorStatus {
    /// Right.
    Synced,
    /// The number document is stored, its copies follow.
    Pending,
}

/// For how long a copy that could not be written is tried again before the answer goes out.
const PATIENCE: Duration = Duration::from_secs(2);
/// The first pause between two tries; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(20);

/// When copies that cannot be written are left to be finished later: the same moment for all numbers
/// of a request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience(Instant);

impl Patience {
    /// Begins now.
    pub(super) fn begin() -> Self {
        Self(Instant::now() + PATIENCE)
    }
}

/// What an account's database holds under a number's id, as it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Mirror(Option<Copy>);

/// A copy: its revision and, unless only that was looked up, its members and the versions that lost
/// against it.
#[derive(Clone, Debug)]
struct Copy {
    rev: Rev,
    body: Option<Body>,
    losers: Vec<Rev>,
}

impl Mirror {
    /// The copy as it was read.
    pub(super) fn new(found: Lookup) -> Self {
        Self(found.live().map(|found| Copy {
            rev: found.rev,
            body: Some(found.body),
            losers: found.conflicts,
        }))
    }

    /// The copy of which only the revision was looked up; none when there is no copy.
    pub(super) fn at(rev: Option<Rev>) -> Self {
        Self(rev.map(|rev| Copy { rev, body: None, losers: Vec::new() }))
    }

    /// Whether there is a copy.
    pub(super) fn exists(&self) -> bool {
        self.0.is_some()
    }

    /// The write that makes this copy equal to a number document; none when it is.
    pub(super) fn put(&self, account: &AccountId, id: &E164, number: &Body) -> Option<Write> {
        let wanted = mirrored(number);
        let expect = match &self.0 {
            Some(_) if self.equals(number) => return None,
            Some(copy) => Expect::At(copy.rev.clone()),
            None => Expect::Absent,
        };
        Some(Write::put(database(account), id.as_str(), expect, wanted))
    }

    /// The write that removes this copy; none when there is none. The tombstone names the write.
    pub(super) fn delete(&self, account: &AccountId, id: &E164, write_id: &str) -> Option<Write> {
        let copy = self.0.as_ref()?;
        let tombstone = Body::from_iter([(WRITE_ID.to_owned(), write_id.into())]);
        Some(Write::delete(database(account), id.as_str(), copy.rev.clone(), tombstone))
    }

    /// Whether there are versions of it that lost: they would be the copy when it is deleted.
    pub(super) fn has_losers(&self) -> bool {
        self.0.as_ref().is_some_and(|copy| !copy.losers.is_empty())
    }

    /// The writes that remove those versions. They are of no worth: what a copy holds follows from its
    /// number.
    pub(super) fn remove_losers(&self, account: &AccountId, id: &E164) -> Vec<Write> {
        let losers = self.0.iter().flat_map(|copy| &copy.losers);
        let remove = |rev: &Rev| {
            let tombstone = Body::from_iter([(WRITE_ID.to_owned(), super::write_id().into())]);
            Write::delete(database(account), id.as_str(), rev.clone(), tombstone)
        };
        losers.map(remove).collect()
    }

    /// Whether the copy is there and equal to a number document.
    pub(super) fn equals(&self, number: &Body) -> bool {
        let copy = self.0.as_ref().and_then(|copy| copy.body.as_ref());
        copy.is_some_and(|copy| mirrored(copy) == mirrored(number))
    }
}

/// The members of a number document that its copy holds.
pub(super) fn mirrored(number: &Body) -> Body {
    let mut copy = number.clone();
    copy.shift_remove("_attachments");
    copy
}

/// The database of an account.
pub(super) fn database(account: &AccountId) -> DbName {
    DbName::new(account_database(account))
}

impl NumberRepository {
    /// Brings the copies in these accounts in line with the number document as it is now, whoever
    /// wrote it. Tries for two seconds; what is not done by then is [`MirrorStatus::Pending`].
    pub async fn sync(&self, id: &E164, accounts: &BTreeSet<AccountId>) -> MirrorStatus {
        self.sync_until(id, accounts, Patience::begin()).await
    }

    /// As [`NumberRepository::sync`], with a patience that began before; there is one try in any
    /// case.
    pub(super) async fn sync_until(
        &self,
        id: &E164,
        accounts: &BTreeSet<AccountId>,
        Patience(deadline): Patience,
    ) -> MirrorStatus {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.sync_once(id, accounts).await {
                Ok(()) => return MirrorStatus::Synced,
                Err(err) if may_pass(&err) && Instant::now() + pause < deadline => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(err) => {
                    let cause: &(dyn std::error::Error + 'static) = &err;
                    tracing::warn!(number = %id, error = cause, "the copies of a number wait");
                    return MirrorStatus::Pending;
                }
            }
        }
    }

    /// As [`NumberRepository::sync`], with one try, whose failure is only logged.
    pub async fn settle(&self, id: &E164, accounts: &BTreeSet<AccountId>) {
        if accounts.is_empty() {
            return;
        }
        if let Err(err) = self.sync_once(id, accounts).await {
            let cause: &(dyn std::error::Error + 'static) = &err;
            tracing::warn!(number = %id, error = cause, "the copies of a number wait");
        }
    }

    /// Reads the copies first and the number after, so that a newer number is never overwritten by
    /// an older one, and commits what differs. Of a number that cannot be read nobody knows whose
    /// it is, so then no copy is touched.
    pub(super) async fn sync_once(
        &self,
        id: &E164,
        accounts: &BTreeSet<AccountId>,
    ) -> Result<(), RepositoryError> {
        let mut mirrors = Vec::with_capacity(accounts.len());
        for account in accounts {
            mirrors.push((
                account,
                Mirror::new(self.store.get(&database(account), id.as_str()).await?),
            ));
        }
        let number = self.store.get(&DbName::new(number_database(id)), id.as_str()).await?.live();
        let owner = match &number {
            Some(number) => self.decode(id, &number.body)?.owner,
            None => None,
        };
        for (account, mirror) in mirrors {
            let write = match &number {
                Some(number) if owner.as_ref() == Some(account) => {
                    mirror.put(account, id, &number.body)
                }
                _ => mirror.delete(account, id, &super::write_id()),
            };
            if let Some(write) = write {
                self.store.commit(vec![write]).await.map_err(|err| err.error)?;
            }
        }
        match &number {
            Some(number) => self.settle_charge(&number.body).await,
            None => Ok(()),
        }
    }

    /// Removes the copy that an account may still hold of a number that it neither owns nor owned
    /// last. Called before the last owner's name is replaced on the number, so that at most one
    /// copy is ever out of place and the number says where. An account that has become the owner
    /// in the meantime keeps its copy.
    pub(super) async fn remove_stray(
        &self,
        id: &E164,
        account: &AccountId,
    ) -> Result<(), RepositoryError> {
        match self.sync_once(id, &BTreeSet::from([account.clone()])).await {
            Err(RepositoryError::Store(err)) if err.kind == Kind::Conflict => {
                Err(RepositoryError::Conflict { id: id.to_string() })
            }
            outcome => outcome,
        }
    }
}

/// Whether the same call may succeed later.
fn may_pass(err: &RepositoryError) -> bool {
    matches!(err.kind(), ErrorKind::Conflict | ErrorKind::Unavailable)
}
