//! Bringing a number in for an account.

use serde_json::{Map, Value};

use super::{
    Batch, Error, NumberService, NumberView, Outcomes, Terms,
    change::{Operation, Target},
};
use crate::{
    carriers,
    domain::{
        AccountId, Actor, CarrierName, E164, Lineage, Number, State, Taking, creation_carrier,
        creation_state, may_create,
    },
    repository::{Decision, Opened, Stored, Vacancy},
};

/// What a request wants to be written when a number is created.
#[derive(Clone, Debug, Default)]
pub struct Creation {
    /// The public members.
    pub public: Map<String, Value>,
    /// The state asked for (`create_with_state`).
    pub state: Option<State>,
    /// The carrier asked for (`carrier_name`), as given.
    pub carrier: Option<String>,
}

/// A creation that was checked as far as it can be before the number is read.
struct Plan {
    taker: Lineage,
    state: State,
    carrier: Option<CarrierName>,
    public: Map<String, Value>,
}

impl NumberService {
    /// Creates a number for an account, or takes one that is free. Never buys at a carrier.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::Exists`], [`Error::InvalidTransition`],
    /// [`Error::NoAccount`], [`Error::Porting`], [`Error::Invalid`] for an unknown carrier, and
    /// those of every write.
    pub async fn create(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
        creation: Creation,
        terms: Terms<'_>,
    ) -> Result<NumberView, Error> {
        let settings = &*self.settings.get().await?;
        let plan = self.plan_creation(actor, account, creation).await?;
        let target = Target { actor, account: Some(account), settings, terms };
        self.change_one(&target, number, &plan).await
    }

    /// As [`NumberService::create`], for many numbers. What is refused for all of them is refused
    /// for each.
    ///
    /// # Errors
    ///
    /// Those that concern no single number.
    pub async fn create_many(
        &self,
        actor: &Actor,
        account: &AccountId,
        batch: &Batch,
        creation: Creation,
        terms: Terms<'_>,
    ) -> Result<Outcomes, Error> {
        let settings = &*self.settings.get().await?;
        let plan = match self.plan_creation(actor, account, creation).await {
            Err(refused) if refused.is_of_caller() => return Ok(batch.refused(&refused)),
            plan => plan?,
        };
        let target = Target { actor, account: Some(account), settings, terms };
        self.change_many(&target, batch, &plan).await
    }

    async fn plan_creation(
        &self,
        actor: &Actor,
        account: &AccountId,
        creation: Creation,
    ) -> Result<Plan, Error> {
        let state = creation_state(actor, creation.state, false, None)?;
        let taker = self.lineage(account).await?;
        if !actor.rules(&taker) {
            return Err(Error::forbidden());
        }
        may_create(actor, state, false)?;
        let carrier = asked_carrier(actor, creation.carrier.as_deref())?;
        Ok(Plan { taker, state, carrier, public: creation.public })
    }
}

impl Operation for Plan {
    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let now = service.numbers.now();
        match opened {
            Opened::Found(stored) => {
                let owner = service.owner_of(&stored.number).await?;
                self.take_existing(target, *stored, owner.as_ref(), now)
            }
            Opened::Vacant(vacancy) => {
                service.must_not_be_porting(number).await?;
                self.bring_in(target, number, vacancy, now)
            }
        }
    }
}

impl Plan {
    /// Takes a number that is stored already and free.
    fn take_existing(
        &self,
        target: &Target<'_>,
        mut stored: Stored,
        owner: Option<&Lineage>,
        now: i64,
    ) -> Result<Decision, Error> {
        let number = &mut stored.number;
        if !number.is_visible_to(target.actor, owner) && number.owner.is_some() {
            return Err(Error::forbidden());
        }
        if !matches!(number.state, State::Aging | State::Available | State::PortIn) {
            return Err(Error::Exists(number.id.clone()));
        }
        number.public.clone_from(&self.public);
        if let Some(carrier) = &self.carrier {
            number.set_carrier(carrier.clone());
        }
        number.take(self.state, &self.taking(target, owner), now)?;
        Ok(Decision::save(stored))
    }

    fn bring_in(
        &self,
        target: &Target<'_>,
        number: &E164,
        vacancy: Vacancy,
        now: i64,
    ) -> Result<Decision, Error> {
        let settings = target.settings;
        let (of_ports, of_new) = (&settings.port_in_carrier, &settings.available_carrier);
        let carrier = creation_carrier(self.state, false, self.carrier.clone(), of_ports, of_new);
        let mut number = Number::new(number.clone(), self.state, carrier, target.actor, now);
        number.public.clone_from(&self.public);
        number.take(self.state, &self.taking(target, None), now)?;
        Ok(Decision::save(vacancy.fill(number)))
    }

    fn taking<'a>(&'a self, target: &Target<'a>, owner: Option<&'a Lineage>) -> Taking<'a> {
        let open_purchase = target.settings.open_purchase;
        Taking { actor: target.actor, taker: Some(&self.taker), owner, open_purchase }
    }
}

/// The carrier that a request names: administrators only, and only carriers that there are.
pub(super) fn asked_carrier(
    actor: &Actor,
    asked: Option<&str>,
) -> Result<Option<CarrierName>, Error> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    if !actor.is_admin {
        return Err(Error::forbidden());
    }
    let unknown = || Error::Invalid { cause: format!("'{asked}' is not known by the system") };
    carriers::named(asked).map(Some).ok_or_else(unknown)
}
