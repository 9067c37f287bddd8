//! Saving one number.

use std::collections::BTreeSet;

use futures::future::{OptionFuture, try_join_all};

use super::{
    NumberRepository, RepositoryError, Saved, Stored, codec, database,
    mirror::{Mirror, MirrorStatus},
};
use crate::{
    domain::AccountId,
    repository::write_id,
    store::{CommitError, Committed, Expect, Kind, Rev, Write},
};

/// How often a write is prepared again because a copy was changed by somebody else in between.
const TRIES: u32 = 5;

impl NumberRepository {
    /// Saves a number with its copies. A number that was not changed is not written; its copies are
    /// brought in line all the same.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when the number was changed since it was read: nothing was
    /// written. [`RepositoryError::Store`] when the store fails before the number is stored.
    pub async fn save(&self, mut stored: Stored) -> Result<Saved, RepositoryError> {
        if stored.before.as_ref() == Some(&stored.number) {
            return self.save_unchanged(stored).await;
        }
        self.complete_mirrors(&mut stored, false).await?;
        self.make_room(&mut stored).await?;
        stored.number.modified = self.now();
        let body = codec::encode(&stored.number, &stored.base, &write_id());
        let id = stored.number.id.clone();
        let number = Write::put(database(&id), id.as_str(), stored.expect.clone(), body);
        let (rev, mirror) = self.write(&mut stored, number).await?;
        Ok(Saved { number: stored.number, rev: Some(rev), mirror, written: true })
    }

    /// Deletes a number with its copies. The tombstone says who owned it.
    ///
    /// # Errors
    ///
    /// As [`NumberRepository::save`].
    pub async fn delete(&self, mut stored: Stored) -> Result<Saved, RepositoryError> {
        let id = stored.number.id.clone();
        let Expect::At(rev) = stored.expect.clone() else {
            let mirror = MirrorStatus::Synced;
            return Ok(Saved { number: stored.number, rev: None, mirror, written: false });
        };
        stored.number.modified = self.now();
        self.complete_mirrors(&mut stored, true).await?;
        let tombstone = codec::tombstone(&stored.owners, stored.number.modified, &write_id());
        let number = Write::delete(database(&id), id.as_str(), rev, tombstone);
        let (_, mirror) = self.write(&mut stored, number).await?;
        Ok(Saved { number: stored.number, rev: None, mirror, written: true })
    }

    pub(super) async fn save_unchanged(
        &self,
        mut stored: Stored,
    ) -> Result<Saved, RepositoryError> {
        self.complete_mirrors(&mut stored, false).await?;
        let right = Self::drift(&stored).iter().all(|drift| *drift == "conflicting");
        let mirror = if right {
            MirrorStatus::Synced
        } else {
            self.sync(&stored.number.id, &stored.mirrors.keys().cloned().collect()).await
        };
        let rev = match stored.expect {
            Expect::At(rev) => Some(rev),
            Expect::Absent => None,
        };
        Ok(Saved { number: stored.number, rev, mirror, written: false })
    }

    /// Removes the copy that the last owner may still hold when its name is about to be replaced.
    pub(super) async fn make_room(&self, stored: &mut Stored) -> Result<(), RepositoryError> {
        let number = &stored.number;
        let is_replaced = |last: &&AccountId| {
            number.previous_owner.as_ref() != Some(*last) && number.owner.as_ref() != Some(*last)
        };
        let Some(replaced) = stored.owners.previous_owner.clone().filter(|it| is_replaced(&it))
        else {
            return Ok(());
        };
        // One that could not be read may be there.
        if stored.mirrors.get(&replaced).is_none_or(Mirror::exists) {
            self.remove_stray(&number.id, &replaced).await?;
            stored.mirrors.remove(&replaced);
        }
        Ok(())
    }

    /// Reads the copies that the write is about and that were not read yet: the new owner's, the old
    /// owner's, and the last owner's, which an interrupted write may have left. That one cannot hold
    /// up a write, unless nothing would say any more where it is (`ends`).
    pub(super) async fn complete_mirrors(
        &self,
        stored: &mut Stored,
        ends: bool,
    ) -> Result<(), RepositoryError> {
        let id = stored.number.id.clone();
        let is_wanted = |account: &&AccountId| !stored.mirrors.contains_key(*account);
        let owners: BTreeSet<&AccountId> =
            stored.number.owner.iter().chain(&stored.owners.owner).filter(is_wanted).collect();
        let last = stored.owners.previous_owner.as_ref().filter(is_wanted);
        let last = last.filter(|last| !owners.contains(last));
        let owners = try_join_all(owners.into_iter().map(|owner| self.mirror(&id, owner)));
        let last = OptionFuture::from(last.map(|last| self.mirror(&id, last)));
        let (owners, last) = tokio::join!(owners, last);
        let last = match last.transpose() {
            Err(_) if !ends => None,
            last => last?,
        };
        stored.mirrors.extend(owners?.into_iter().chain(last));
        Ok(())
    }

    /// Commits the number with its copies and returns its revision. A copy that was changed in
    /// between is read again; an account that has no database any more has no copy; once the number
    /// is stored, what is left of its copies is finished or left to be finished.
    pub(super) async fn write(
        &self,
        stored: &mut Stored,
        number: Write,
    ) -> Result<(Rev, MirrorStatus), RepositoryError> {
        let id = stored.number.id.clone();
        let mut gone: Vec<String> = Vec::new();
        for _ in 0..TRIES {
            let mut set = stored.write_set(number.clone());
            set.retain(|write| !gone.iter().any(|gone| gone == write.db.as_str()));
            let CommitError { mut applied, failed, error } = match self.store.commit(set).await {
                Ok(done) if gone.is_empty() => return Ok(finished(done)),
                Ok(done) => return Ok((finished(done).0, MirrorStatus::Pending)),
                Err(err) => err,
            };
            if !applied.is_empty() {
                let rev = applied.swap_remove(0);
                return Ok((rev, self.sync(&id, &stored.accounts()).await));
            }
            match (failed, error.kind) {
                (0, Kind::NoDatabase) => self.store.create_database(&number.db).await?,
                (0, Kind::Conflict) => {
                    return Err(RepositoryError::Conflict { id: id.to_string() });
                }
                (_, Kind::Conflict) => self.reread_mirrors(stored).await?,
                (_, Kind::NoDatabase) => gone.push(error.db),
                _ => return Err(error.into()),
            }
        }
        Err(RepositoryError::Conflict { id: id.to_string() })
    }

    async fn reread_mirrors(&self, stored: &mut Stored) -> Result<(), RepositoryError> {
        let accounts: Vec<_> = stored.mirrors.keys().cloned().collect();
        for account in accounts {
            let (account, mirror) = self.mirror(&stored.number.id, &account).await?;
            stored.mirrors.insert(account, mirror);
        }
        Ok(())
    }
}

pub(super) fn finished(done: Committed) -> (Rev, MirrorStatus) {
    let mirror = if done.quorum { MirrorStatus::Synced } else { MirrorStatus::Pending };
    let rev = done.revs.into_iter().next().expect("a set has at least the number's write");
    (rev, mirror)
}
