//! Putting a number in service for an account.

use serde_json::{Map, Value};

use super::{
    Error, IfMatch, NumberService, NumberView,
    change::{Decision, Target},
};
use crate::{
    carriers,
    domain::{AccountId, Actor, E164, Number, State, Taking},
};

impl NumberService {
    /// Puts a number in service for an account, whoever had it before. `public` replaces what is
    /// written on it, unless it is empty. A number that the account has in service already stays
    /// as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::InvalidTransition`],
    /// [`Error::NoAccount`], [`Error::Carrier`] for a number that would have to be bought, and those
    /// of every write.
    pub async fn activate(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
        public: Map<String, Value>,
        if_match: Option<&IfMatch>,
    ) -> Result<NumberView, Error> {
        self.take(actor, account, number, State::InService, &public, if_match).await
    }

    /// Takes a stored number for an account into a state.
    pub(super) async fn take(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
        state: State,
        public: &Map<String, Value>,
        if_match: Option<&IfMatch>,
    ) -> Result<NumberView, Error> {
        let settings = self.settings.get().await?;
        let taker = self.lineage(account).await?;
        let target = Target { actor, number, account: Some(account), if_match };
        let saved = self
            .change_stored(target, |mut stored| {
                let (taker, open_purchase) = (Some(&taker), settings.open_purchase);
                async move {
                    let owner = self.owner_of(&stored.number).await?;
                    let taking = Taking { actor, taker, owner: owner.as_ref(), open_purchase };
                    if !public.is_empty() {
                        stored.number.public.clone_from(public);
                    }
                    if stored.number.take(state, &taking, self.numbers.now())? {
                        must_be_ours(&stored.number)?;
                    }
                    Ok(Decision::save(stored))
                }
            })
            .await?;
        self.view(saved, &settings, actor).await
    }
}

/// Refuses a number that only its carrier could hand over: no carrier can be asked yet.
fn must_be_ours(number: &Number) -> Result<(), Error> {
    match carriers::find(&number.carrier) {
        Some(carrier) if carrier.is_ours => Ok(()),
        _ => Err(Error::Carrier { number: number.id.clone(), carrier: number.carrier.clone() }),
    }
}
