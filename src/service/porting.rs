//! Numbers that are on their way to us in a port request.

use super::{Error, NumberService};
use crate::{
    domain::{AccountId, Actor, E164},
    repository::Port,
};

impl NumberService {
    /// The number in an open port request of the account, which stands in for a number that is not
    /// stored.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`] when there is no such request, [`Error::Forbidden`],
    /// [`Error::NoAccount`], and those of every read.
    pub async fn ported(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
    ) -> Result<Port, Error> {
        if !actor.rules(&self.lineage(account).await?) {
            return Err(Error::forbidden());
        }
        let mut ports = self.ports.of_account(account).await?.into_iter();
        ports.find(|port| port.number == *number).ok_or_else(|| Error::NotFound(number.clone()))
    }

    /// Refuses a new number that is on its way in somebody's port request. What cannot be looked up
    /// is not taken for absent.
    pub(super) async fn must_not_be_porting(&self, number: &E164) -> Result<(), Error> {
        match self.ports.of_number(number).await? {
            Some(port) if port.is_under_way() => Err(Error::Porting(number.clone())),
            _ => Ok(()),
        }
    }
}
