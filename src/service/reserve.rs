//! Reserving a number for an account.

use serde_json::Map;

use super::{Error, IfMatch, NumberService, NumberView};
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
        if_match: Option<&IfMatch>,
    ) -> Result<NumberView, Error> {
        self.take(actor, account, number, State::Reserved, &Map::new(), if_match).await
    }
}
