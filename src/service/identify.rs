//! Whose a number is.

use super::{Error, NumberService};
use crate::domain::{AccountId, Actor, E164};

/// Whose a number is, and whether it is in use there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Identity {
    /// It is in use at this account.
    Of(AccountId),
    /// This account holds it in a state in which it is not in use.
    NotInService(AccountId),
    /// This account holds it and is not in use itself.
    Disabled(AccountId),
    /// Nobody holds it.
    Unassigned,
}

impl NumberService {
    /// Says whose a number is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], also for what the actor may not see; and those of every read.
    pub async fn identify(&self, actor: &Actor, number: &E164) -> Result<Identity, Error> {
        let missing = || Error::NotFound(number.clone());
        let Some((found, _)) = self.numbers.get(number).await? else {
            return self.identify_port(actor, number).await?.ok_or_else(missing);
        };
        let owner = self.owner_of(&found).await?;
        if !found.is_visible_to(actor, owner.as_ref()) {
            return Err(missing());
        }
        let Some(holder) = found.owner else {
            return Ok(Identity::Unassigned);
        };
        if found.state.is_in_use() {
            self.in_use_at(holder).await
        } else {
            Ok(Identity::NotInService(holder))
        }
    }

    /// The account that an open port request is to bring the number to.
    async fn identify_port(&self, actor: &Actor, number: &E164) -> Result<Option<Identity>, Error> {
        if !self.settings.get().await?.account_from_ports {
            return Ok(None);
        }
        let Some(port) = self.ports.of_number(number).await? else {
            return Ok(None);
        };
        match self.accounts.get(&port.account).await? {
            Some(holder) if actor.rules(&holder.lineage()) => {
                Ok(Some(self.in_use_at(port.account).await?))
            }
            _ => Ok(None),
        }
    }

    async fn in_use_at(&self, holder: AccountId) -> Result<Identity, Error> {
        let is_in_use = self.accounts.get(&holder).await?.is_some_and(|found| found.enabled);
        Ok(if is_in_use { Identity::Of(holder) } else { Identity::Disabled(holder) })
    }
}
