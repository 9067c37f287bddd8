//! Making it so: the number exists, is in service, and an account holds it.

use serde_json::{Map, Value};

use super::{
    Batch, Error, NumberService, NumberView, Outcomes, Terms, Update,
    change::{Operation, Target},
    create::asked_carrier,
};
use crate::{
    domain::{AccountId, Actor, CarrierName, E164, Number, State},
    repository::{Decision, Opened},
};

/// What a reconciliation wants to be written.
#[derive(Clone, Debug, Default)]
pub struct Reconciliation {
    /// Public members, merged into what is there; `null` deletes.
    pub public: Map<String, Value>,
    /// The carrier, as given.
    pub carrier: Option<String>,
}

struct MakeItSo<'a> {
    account: &'a AccountId,
    update: Update,
    carrier: Option<CarrierName>,
}

impl NumberService {
    /// Makes it so that the number exists, is in service and belongs to the account, whatever it was
    /// and whoever had it; administrators only. Nothing is bought and nothing is charged. Repeated,
    /// it changes nothing.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::NoAccount`], [`Error::Invalid`] for an unknown carrier, and
    /// those of every write.
    pub async fn reconcile(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
        wanted: Reconciliation,
        terms: Terms<'_>,
    ) -> Result<NumberView, Error> {
        let operation = self.make_it_so(actor, account, wanted).await?;
        let settings = &*self.settings.get().await?;
        let target = Target { actor, account: Some(account), settings, terms };
        self.change_one(&target, number, &operation).await
    }

    /// The same for many numbers.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn reconcile_many(
        &self,
        actor: &Actor,
        account: &AccountId,
        batch: &Batch,
        wanted: Reconciliation,
        terms: Terms<'_>,
    ) -> Result<Outcomes, Error> {
        let operation = self.make_it_so(actor, account, wanted).await?;
        let settings = &*self.settings.get().await?;
        let target = Target { actor, account: Some(account), settings, terms };
        self.change_many(&target, batch, &operation).await
    }

    async fn make_it_so<'a>(
        &self,
        actor: &Actor,
        account: &'a AccountId,
        wanted: Reconciliation,
    ) -> Result<MakeItSo<'a>, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let carrier = asked_carrier(actor, wanted.carrier.as_deref())?;
        self.lineage(account).await?;
        Ok(MakeItSo { account, update: Update::Merge(wanted.public), carrier })
    }
}

impl Operation for MakeItSo<'_> {
    const IS_CHARGED: bool = false;

    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let now = service.numbers.now();
        let mut stored = match opened {
            Opened::Found(stored) => *stored,
            Opened::Vacant(vacancy) => {
                let carrier = target.settings.available_carrier.clone();
                let id = number.clone();
                vacancy.fill(Number::new(id, State::InService, carrier, target.actor, now))
            }
        };
        let number = &mut stored.number;
        self.update.apply(&mut number.public);
        if let Some(carrier) = &self.carrier {
            number.set_carrier(carrier.clone());
        }
        number.enter(State::InService, now);
        number.set_owner(Some(self.account.clone()));
        Ok(Decision::save(stored))
    }
}
