//! Reserving a number for an account.

use serde_json::Map;

use super::{Error, NumberService, NumberView, Terms, activate::Take, change::Target};
use crate::domain::{AccountId, Actor, E164, State};

impl NumberService {
    /// Reserves a stored number for an account, which goes to the head of its reserve history.
    ///
    /// # Errors
    ///
    /// [`Error::NoChange`] when the account has it reserved already, and those of
    /// [`NumberService::activate`].
    pub async fn reserve(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
        terms: Terms<'_>,
    ) -> Result<NumberView, Error> {
        let settings = &*self.settings.get().await?;
        let taker = self.lineage(account).await?;
        let target = Target { actor, account: Some(account), settings, terms };
        let take = Take { taker, state: State::Reserved, public: Map::new() };
        self.change_one(&target, number, &take).await
    }
}
