//! Putting a number in service for an account.

use std::sync::OnceLock;

use serde_json::{Map, Value};

use super::{
    Error, IfMatch, NumberService, NumberView,
    acquire::Acquiring,
    change::{Decision, Target},
};
use crate::{
    domain::{AccountId, Actor, E164, State, Taking},
    repository::Opened,
};

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
        if_match: Option<&IfMatch>,
    ) -> Result<NumberView, Error> {
        self.take(actor, account, number, State::InService, &public, if_match).await
    }

    /// Takes a number for an account into a state: one that is stored, or one that was offered.
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
        let target = Target { number, account: Some(account), if_match };
        let (settings, acquired) = (&*settings, OnceLock::new());
        let acquiring = Acquiring { settings, actor, taker: &taker };
        let saved = self.change(target, |opened| {
            let (acquiring, acquired) = (&acquiring, &acquired);
            async move {
                let (mut taken, is_stored) = match &opened {
                    Opened::Found(stored) => (stored.number.clone(), true),
                    Opened::Vacant(_) => (self.offered(acquiring, number).await?, false),
                };
                let owner = self.owner_of(&taken).await?;
                let open_purchase = settings.open_purchase;
                let taking = Taking {
                    actor,
                    taker: Some(acquiring.taker),
                    owner: owner.as_ref(),
                    open_purchase,
                };
                if !public.is_empty() {
                    taken.public.clone_from(public);
                }
                let is_free = taken.owner.is_none();
                let must_buy = taken.take(state, &taking, self.numbers.now())?;
                if must_buy || is_free && taken.carrier.stock().is_some() {
                    self.acquire(acquiring, &mut taken, is_stored).await?;
                    // Set once: the carrier of a number that is tried again is the same.
                    let _ = acquired.set(taken.carrier.clone());
                }
                Ok(match opened {
                    Opened::Found(mut stored) => {
                        stored.number = taken;
                        Decision::Save(stored)
                    }
                    Opened::Vacant(vacancy) => Decision::fill(vacancy, taken),
                })
            }
        });
        let saved = saved.await;
        if let Some(carrier) = acquired.get() {
            self.conclude(account, number, carrier, saved.is_ok()).await;
        }
        let saved = saved?;
        Ok(Self::view(saved, settings, actor))
    }
}
