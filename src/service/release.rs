//! Giving a number up, and deleting it outright.

use std::{collections::BTreeSet, future::ready};

use super::{
    Error, IfMatch, NumberService, NumberView,
    change::{Decision, Target},
};
use crate::domain::{AccountId, Actor, E164, Number, Released, State};

impl NumberService {
    /// Releases a number: it goes back to the account that reserved it before, or becomes what the
    /// settings say.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::InvalidTransition`], and those of every
    /// write.
    pub async fn release(
        &self,
        actor: &Actor,
        number: &E164,
        if_match: Option<&IfMatch>,
    ) -> Result<NumberView, Error> {
        let settings = self.settings.get().await?;
        let target = Target { number, account: actor.account.as_ref(), if_match };
        let saved = self
            .change_stored(target, |mut stored| {
                let rules = &settings.release;
                async move {
                    let owner = self.owner_of(&stored.number).await?;
                    if !stored.number.is_changeable_by(actor, owner.as_ref()) {
                        return Err(Error::forbidden());
                    }
                    let existing = self.existing_reservers(&stored.number).await?;
                    let exists = |account: &AccountId| existing.contains(account);
                    let now = self.numbers.now();
                    Ok(match stored.number.release(rules, exists, now)? {
                        Released::Reverted | Released::Kept => Decision::save(stored),
                        Released::Deleted => Decision::Delete(Box::new(stored)),
                    })
                }
            })
            .await?;
        Ok(Self::view(saved, &settings, actor))
    }

    /// Deletes a number outright, whatever its state; administrators only. Its carrier is not told.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], and those of every write.
    pub async fn delete(
        &self,
        actor: &Actor,
        number: &E164,
        if_match: Option<&IfMatch>,
    ) -> Result<NumberView, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let settings = self.settings.get().await?;
        let target = Target { number, account: None, if_match };
        let saved = self
            .change_stored(target, |mut stored| {
                stored.number.enter(State::Deleted, self.numbers.now());
                ready(Ok(Decision::Delete(Box::new(stored))))
            })
            .await?;
        Ok(Self::view(saved, &settings, actor))
    }

    /// The accounts of a number's reserve history that still exist.
    pub(super) async fn existing_reservers(
        &self,
        number: &Number,
    ) -> Result<BTreeSet<AccountId>, Error> {
        let mut existing = BTreeSet::new();
        for account in number.reserve_history.accounts() {
            if self.accounts.get(account).await?.is_some() {
                existing.insert(account.clone());
            }
        }
        Ok(existing)
    }
}
