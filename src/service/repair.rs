//! What `explain` proposes and no other operation does: copies, contradicting versions, and who uses
//! a number.

use std::collections::BTreeSet;

use super::{
    Error, NumberService, Terms,
    change::{Operation, Target, must_exist},
};
use crate::{
    domain::{AccountId, Actor, E164},
    repository::{Decision, MirrorStatus, Opened},
};

/// What is to be repaired of one number.
#[derive(Clone, Debug, Default)]
pub struct Repairs {
    /// The accounts whose copies are brought in line with the number document.
    pub copies: BTreeSet<AccountId>,
    /// The revision that is kept; the others are removed.
    pub keep_revision: Option<String>,
    /// What the number is used by from now on; the inner `None` for nothing.
    pub used_by: Option<Option<String>>,
}

impl NumberService {
    /// Repairs a number; administrators only. Safe to repeat. Returns whether everything is as it
    /// should be; otherwise copies follow.
    ///
    /// # Errors
    ///
    /// [`Error::NotReconcilable`], [`Error::NotFound`], [`Error::Forbidden`], [`Error::Invalid`] for
    /// a revision that there is not, and those of every write.
    pub async fn repair(
        &self,
        actor: &Actor,
        asked: &str,
        repairs: Repairs,
    ) -> Result<bool, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let id = self.stored_id(asked).await?;
        if let Some(rev) = &repairs.keep_revision
            && !self.numbers.keep_version(&id, rev).await?
        {
            let cause = format!("there is no revision {rev}");
            return Err(Error::Invalid { cause });
        }
        let mut is_done = true;
        if !repairs.copies.is_empty() {
            let synced = self.numbers.sync(&id, &repairs.copies).await;
            is_done = synced == MirrorStatus::Synced;
        }
        if let Some(used_by) = repairs.used_by {
            let settings = &*self.settings.get().await?;
            let target = Target { actor, account: None, settings, terms: Terms::default() };
            self.change(&target, &id, &UseBy(used_by)).await?;
        }
        Ok(is_done)
    }

    /// The number that a text means, or that it is though the rules no longer take it.
    pub(super) async fn stored_id(&self, asked: &str) -> Result<E164, Error> {
        match self.parse(asked).await {
            Err(Error::NotReconcilable(given)) => {
                E164::parse(asked).map_err(|_| Error::NotReconcilable(given))
            }
            parsed => parsed,
        }
    }
}

/// Says what a number is used by.
struct UseBy(Option<String>);

impl Operation for UseBy {
    const IS_CHARGED: bool = false;
    const CONCERNS_FEATURES: bool = false;

    async fn decide(
        &self,
        _: &NumberService,
        _: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let mut stored = must_exist(number, opened)?;
        stored.number.used_by.clone_from(&self.0);
        Ok(Decision::save(stored))
    }
}
