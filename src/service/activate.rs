//! Putting a number in service for an account.

use std::{collections::BTreeMap, sync::Mutex};

use serde_json::{Map, Value};

use super::{
    Batch, Error, NumberService, NumberView, Outcomes, Terms,
    acquire::Acquiring,
    change::{Operation, Target},
};
use crate::{
    domain::{AccountId, Actor, CarrierName, E164, Lineage, State, Taking},
    repository::{Decision, Opened, Saved},
};

/// Taking a number, stored or offered, for an account into a state.
pub(super) struct Take {
    /// The account that is to have it.
    pub(super) taker: Lineage,
    /// The state that it is to be in.
    pub(super) state: State,
    /// What is to be written on it; what is written there stays when this is empty.
    pub(super) public: Map<String, Value>,
    /// The carriers of the numbers that were got hold of and are not saved yet.
    acquired: Mutex<BTreeMap<E164, CarrierName>>,
}

impl Take {
    /// Taking numbers for this account into this state.
    pub(super) fn new(taker: Lineage, state: State, public: Map<String, Value>) -> Self {
        Self { taker, state, public, acquired: Mutex::default() }
    }
}

impl NumberService {
    /// Puts a number in service for an account, whoever had it before. `public` replaces what is
    /// written on it, unless it is empty. A number that the account has in service already stays
    /// as it is.
    ///
    /// # Errors
    ///
    /// [`Error::NotFound`], [`Error::Forbidden`], [`Error::InvalidTransition`],
    /// [`Error::NoAccount`], [`Error::Carrier`] for a number that its carrier does not sell, and
    /// those of every write.
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
        self.change_one(&target, number, &Take::new(taker, State::InService, public)).await
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
        self.change_many(&target, batch, &Take::new(taker, State::InService, public)).await
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
        let (settings, actor) = (target.settings, target.actor);
        let acquiring = Acquiring { settings, actor, taker: &self.taker };
        let mut taken = match &opened {
            Opened::Found(stored) => stored.number.clone(),
            Opened::Vacant(_) => service.offered(&acquiring, number).await?,
        };
        let owner = service.owner_of(&taken).await?;
        let taking = Taking {
            actor,
            taker: Some(&self.taker),
            owner: owner.as_ref(),
            open_purchase: settings.open_purchase,
        };
        if !self.public.is_empty() {
            taken.public.clone_from(&self.public);
        }
        taken.take(self.state, &taking, service.numbers.now())?;
        Ok(Decision::save(match opened {
            Opened::Found(mut stored) => {
                stored.number = taken;
                *stored
            }
            Opened::Vacant(vacancy) => vacancy.fill(taken),
        }))
    }

    async fn acquire(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        decision: &mut Decision,
    ) -> Result<(), Error> {
        let Decision::Save(stored) = decision else {
            return Ok(());
        };
        let before = stored.before();
        let is_stored = before.is_some();
        let must_buy = before.is_none_or(|before| before.state == State::Discovery);
        let was_free = before.is_none_or(|before| before.owner.is_none());
        let number = &mut stored.number;
        if must_buy || was_free && number.carrier.stock().is_some() {
            let (settings, actor) = (target.settings, target.actor);
            let acquiring = Acquiring { settings, actor, taker: &self.taker };
            service.acquire(&acquiring, number, is_stored).await?;
            let mut acquired = self.acquired.lock().expect("no panic while holding this lock");
            acquired.insert(number.id.clone(), number.carrier.clone());
        }
        Ok(())
    }

    async fn conclude(
        &self,
        service: &NumberService,
        number: &E164,
        outcome: &Result<Saved, Error>,
    ) {
        let acquired =
            self.acquired.lock().expect("no panic while holding this lock").remove(number);
        if let Some(carrier) = acquired {
            service.conclude(&self.taker.account, number, &carrier, outcome.is_ok()).await;
        }
    }
}
