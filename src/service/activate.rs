//! Putting a number in service for an account.

use serde_json::{Map, Value};

use super::{
    Batch, Error, NumberService, NumberView, Outcomes, Terms,
    change::{Operation, Target, must_exist},
};
use crate::{
    carriers,
    domain::{AccountId, Actor, E164, Lineage, Number, State, Taking},
    repository::{Decision, Opened},
};

/// Taking a stored number for an account into a state.
pub(super) struct Take {
    /// The account that is to have it.
    pub(super) taker: Lineage,
    /// The state that it is to be in.
    pub(super) state: State,
    /// What is to be written on it; what is written there stays when this is empty.
    pub(super) public: Map<String, Value>,
}

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
        terms: Terms<'_>,
    ) -> Result<NumberView, Error> {
        let settings = &*self.settings.get().await?;
        let taker = self.lineage(account).await?;
        let target = Target { actor, account: Some(account), settings, terms };
        self.change_one(&target, number, &Take { taker, state: State::InService, public }).await
    }

    /// As [`NumberService::activate`], for many numbers.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn activate_many(
        &self,
        actor: &Actor,
        account: &AccountId,
        batch: &Batch,
        public: Map<String, Value>,
        terms: Terms<'_>,
    ) -> Result<Outcomes, Error> {
        let settings = &*self.settings.get().await?;
        let taker = self.lineage(account).await?;
        let target = Target { actor, account: Some(account), settings, terms };
        self.change_many(&target, batch, &Take { taker, state: State::InService, public }).await
    }
}

impl Operation for Take {
    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let mut stored = must_exist(number, opened)?;
        let owner = service.owner_of(&stored.number).await?;
        let taking = Taking {
            actor: target.actor,
            taker: Some(&self.taker),
            owner: owner.as_ref(),
            open_purchase: target.settings.open_purchase,
        };
        if !self.public.is_empty() {
            stored.number.public.clone_from(&self.public);
        }
        if stored.number.take(self.state, &taking, service.numbers.now())? {
            must_be_ours(&stored.number)?;
        }
        Ok(Decision::save(stored))
    }
}

/// Refuses a number that only its carrier could hand over: no carrier can be asked yet.
fn must_be_ours(number: &Number) -> Result<(), Error> {
    match carriers::find(&number.carrier) {
        Some(carrier) if carrier.is_ours => Ok(()),
        _ => Err(Error::Carrier { number: number.id.clone(), carrier: number.carrier.clone() }),
    }
}
