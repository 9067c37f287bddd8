//! Saving one number.

use futures::future::{OptionFuture, try_join_all};

use super::{
    NumberRepository, RepositoryError, Saved, Stored, codec, database,
    mirror::{Mirror, MirrorStatus, Patience},
    stored::Unread,
};
use crate::{
    domain::{AccountId, Charge},
    repository::{charges, trail::Entry, write_id},
    store::{Change, CommitError, Committed, Kind, Rev, Write},
};

/// How often a write is prepared again because a copy was changed by somebody else in between.
const TRIES: u32 = 5;

/// What was decided about a number that was read.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Save it as it is now.
    Save(Box<Stored>),
    /// Delete it.
    Delete(Box<Stored>),
}

impl Decision {
    /// Save this number.
    #[must_use]
    pub fn save(stored: Stored) -> Self {
        Self::Save(Box::new(stored))
    }

    /// Delete this number.
    #[must_use]
    pub fn delete(stored: Stored) -> Self {
        Self::Delete(Box::new(stored))
    }

    /// What it costs: one charge, or none.
    #[must_use]
    pub fn charges(&self) -> &[Charge] {
        self.stored().charge.as_slice()
    }

    /// Whether nothing says any more where copies are once it is done.
    #[must_use]
    pub fn ends(&self) -> bool {
        matches!(self, Self::Delete(_))
    }

    /// The number.
    #[must_use]
    pub fn stored(&self) -> &Stored {
        let (Self::Save(stored) | Self::Delete(stored)) = self;
        stored
    }

    /// The number, to be changed on before it is carried out.
    pub fn stored_mut(&mut self) -> &mut Stored {
        let (Self::Save(stored) | Self::Delete(stored)) = self;
        stored
    }
}

/// How far a decision can be carried out before anything is written.
pub(super) enum Prepared {
    /// Nothing has to be written.
    Done(Box<Saved>),
    /// This write has to be committed with the copies.
    Waiting(Box<Stored>, Box<Write>),
}

impl NumberRepository {
    /// Does what was decided.
    ///
    /// # Errors
    ///
    /// As [`NumberRepository::save`].
    pub async fn carry_out(&self, decision: Decision) -> Result<Saved, RepositoryError> {
        match self.prepare(decision, Patience::begin()).await? {
            Prepared::Done(saved) => Ok(*saved),
            Prepared::Waiting(mut stored, number) => {
                let deleted = matches!(number.change, Change::Delete(_));
                let (rev, mirror) = self.write(&mut stored, *number).await?;
                Ok(stored.saved((!deleted).then_some(rev), mirror))
            }
        }
    }

    /// Saves a number with its copies. A number that was not changed is not written; its copies are
    /// brought in line all the same.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when the number was changed since it was read: nothing was
    /// written. [`RepositoryError::Store`] when the store fails before the number is stored.
    pub async fn save(&self, stored: Stored) -> Result<Saved, RepositoryError> {
        self.carry_out(Decision::save(stored)).await
    }

    /// Deletes a number with its copies. The tombstone says who owned it.
    ///
    /// # Errors
    ///
    /// As [`NumberRepository::save`].
    pub async fn delete(&self, stored: Stored) -> Result<Saved, RepositoryError> {
        self.carry_out(Decision::delete(stored)).await
    }

    /// Everything that comes before the write: what is missing is read, what must be gone is
    /// removed. `patience` is for copies of a number that itself stays as it is.
    pub(super) async fn prepare(
        &self,
        mut decision: Decision,
        patience: Patience,
    ) -> Result<Prepared, RepositoryError> {
        let ends = decision.ends();
        let stored = decision.stored_mut();
        self.complete_mirrors(stored, ends).await?;
        if !stored.is_unchanged() && !stored.is_settled {
            self.settle_charge(&stored.base).await?;
            stored.is_settled = true;
        }
        match decision {
            Decision::Save(stored) if stored.is_unchanged() => {
                Ok(Prepared::Done(Box::new(self.save_unchanged(*stored, patience).await)))
            }
            Decision::Save(mut stored) => {
                self.make_room(&mut stored).await?;
                let number = self.put(&mut stored);
                if let (Some(_), Change::Put(body)) = (&stored.charge, &number.change) {
                    self.open_month(body).await?;
                }
                Ok(Prepared::Waiting(stored, Box::new(number)))
            }
            Decision::Delete(mut stored) => Ok(match stored.rev().cloned() {
                None => Prepared::Done(Box::new(stored.unwritten(MirrorStatus::Synced))),
                Some(rev) => {
                    let number = self.deletion(&mut stored, rev);
                    Prepared::Waiting(stored, Box::new(number))
                }
            }),
        }
    }

    /// The write of the number as it is now.
    pub(super) fn put(&self, stored: &mut Stored) -> Write {
        stored.number.pin_age();
        stored.number.modified = self.now();
        let (id, write_id) = (&stored.number.id, write_id());
        let mut body = codec::encode(&stored.number, &stored.base, &write_id);
        if stored.is_settled {
            body.shift_remove(charges::MEMBER);
        }
        if let Some(charge) = &stored.charge {
            let member = charges::member(charge, id, &write_id, stored.number.modified);
            body.insert(charges::MEMBER.to_owned(), member);
        }
        Write::put(database(id), id.as_str(), stored.expect.clone(), body)
    }

    fn deletion(&self, stored: &mut Stored, rev: Rev) -> Write {
        stored.number.modified = self.now();
        let tombstone = codec::tombstone(&stored.owners, stored.number.modified, &write_id());
        let id = &stored.number.id;
        Write::delete(database(id), id.as_str(), rev, tombstone)
    }

    async fn save_unchanged(&self, stored: Stored, patience: Patience) -> Saved {
        let right = Self::drift(&stored).iter().all(|drift| *drift == "conflicting");
        let mirror = if right {
            MirrorStatus::Synced
        } else {
            let accounts = stored.mirrors.keys().cloned().collect();
            self.sync_until(&stored.number.id, &accounts, patience).await
        };
        stored.unwritten(mirror)
    }

    /// Removes the copy that the last owner may still hold when its name is about to be replaced.
    async fn make_room(&self, stored: &mut Stored) -> Result<(), RepositoryError> {
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
    async fn complete_mirrors(
        &self,
        stored: &mut Stored,
        ends: bool,
    ) -> Result<(), RepositoryError> {
        let id = stored.number.id.clone();
        let Unread { owners, last } = stored.unread();
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
        let entry = Entry::of(stored.ground.clone(), &number, self.now());
        let mut gone: Vec<String> = Vec::new();
        for _ in 0..TRIES {
            let mut set = stored.write_set(number.clone());
            set.retain(|write| !gone.iter().any(|gone| gone == write.db.as_str()));
            let done = self.trail.commit(entry.clone(), set).await;
            let CommitError { mut applied, failed, error } = match done {
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
