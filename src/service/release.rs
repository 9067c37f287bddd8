//! Giving numbers up, and deleting them outright.

use std::collections::BTreeSet;

use super::{
    Batch, Error, NumberService, NumberView, Outcomes, Terms,
    change::{Operation, Target, must_exist},
};
use crate::{
    domain::{AccountId, Actor, E164, Number, Released, State},
    repository::{Decision, Opened, Saved},
};

pub(super) struct Release;

pub(super) struct Deletion;

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
        terms: Terms<'_>,
    ) -> Result<NumberView, Error> {
        let settings = &*self.settings.get().await?;
        let target = Target { actor, account: actor.account.as_ref(), settings, terms };
        self.change_one(&target, number, &Release).await
    }

    /// As [`NumberService::release`], for many numbers.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn release_many(
        &self,
        actor: &Actor,
        batch: &Batch,
        terms: Terms<'_>,
    ) -> Result<Outcomes, Error> {
        let settings = &*self.settings.get().await?;
        let target = Target { actor, account: actor.account.as_ref(), settings, terms };
        self.change_many(&target, batch, &Release).await
    }

    /// Deletes a number outright, whatever its state; administrators only. It is given back to its carrier.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], and those of every write.
    pub async fn delete(
        &self,
        actor: &Actor,
        number: &E164,
        terms: Terms<'_>,
    ) -> Result<NumberView, Error> {
        must_be_admin(actor)?;
        let settings = &*self.settings.get().await?;
        let target = Target { actor, account: None, settings, terms };
        self.change_one(&target, number, &Deletion).await
    }

    /// As [`NumberService::delete`], for many numbers.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`] for all but administrators, and those that concern no single number.
    pub async fn delete_many(
        &self,
        actor: &Actor,
        batch: &Batch,
        terms: Terms<'_>,
    ) -> Result<Outcomes, Error> {
        must_be_admin(actor)?;
        let settings = &*self.settings.get().await?;
        let target = Target { actor, account: None, settings, terms };
        self.change_many(&target, batch, &Deletion).await
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

impl Operation for Release {
    const IS_CHARGED: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let mut stored = must_exist(number, opened)?;
        let owner = service.owner_of(&stored.number).await?;
        if !stored.number.is_changeable_by(target.actor, owner.as_ref()) {
            return Err(Error::forbidden());
        }
        let existing = service.existing_reservers(&stored.number).await?;
        let exists = |account: &AccountId| existing.contains(account);
        let now = service.numbers.now();
        Ok(match stored.number.release(&target.settings.release, exists, now)? {
            Released::Reverted | Released::Kept => Decision::save(stored),
            Released::Deleted => Decision::delete(stored),
        })
    }

    async fn conclude(
        &self,
        service: &NumberService,
        _number: &E164,
        outcome: &Result<Saved, Error>,
    ) {
        if let Ok(saved) = outcome {
            service.restock(saved).await;
        }
    }
}

impl Operation for Deletion {
    const IS_CHARGED: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        _target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let mut stored = must_exist(number, opened)?;
        stored.number.enter(State::Deleted, service.numbers.now());
        Ok(Decision::delete(stored))
    }

    async fn conclude(
        &self,
        service: &NumberService,
        _number: &E164,
        outcome: &Result<Saved, Error>,
    ) {
        if let Ok(saved) = outcome {
            service.restock(saved).await;
        }
    }
}

pub(super) fn must_be_admin(actor: &Actor) -> Result<(), Error> {
    if actor.is_admin { Ok(()) } else { Err(Error::forbidden()) }
}
