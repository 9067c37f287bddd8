//! Bringing a number in for an account.

use serde_json::{Map, Value};

use super::{
    Batch, Error, NumberService, NumberView, Outcomes, Terms,
    acquire::Acquiring,
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
    /// Whether a port request that is completed brings it: then it is in service, whatever state is
    /// asked for, and no open request is in its way. Administrators only.
    pub ported_in: bool,
}

/// A creation that was checked as far as it can be before the number is read.
pub(super) struct Plan {
    taker: Lineage,
    state: State,
    pub(super) carrier: Option<CarrierName>,
    public: Map<String, Value>,
    ported_in: bool,
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

    pub(super) async fn plan_creation(
        &self,
        actor: &Actor,
        account: &AccountId,
        creation: Creation,
    ) -> Result<Plan, Error> {
        let ported_in = creation.ported_in;
        if ported_in && !actor.is_admin {
            return Err(Error::forbidden());
        }
        let state = creation_state(actor, creation.state, ported_in, None)?;
        let taker = self.lineage(account).await?;
        if !actor.rules(&taker) {
            return Err(Error::forbidden());
        }
        may_create(actor, state, ported_in)?;
        let carrier = asked_carrier(actor, creation.carrier.as_deref())?;
        Ok(Plan { taker, state, carrier, public: creation.public, ported_in })
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
                Ok(Decision::save(self.take_existing(target, *stored, owner.as_ref(), now)?))
            }
            Opened::Vacant(vacancy) => {
                if !self.ported_in {
                    service.must_not_be_porting(number).await?;
                }
                self.bring_in(target, number, vacancy, now)
            }
        }
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
        let was_free = stored.before().is_some_and(|before| before.owner.is_none());
        if was_free && stored.number.carrier.stock().is_some() {
            let (settings, actor) = (target.settings, target.actor);
            let acquiring = Acquiring { settings, actor, taker: &self.taker };
            service.acquire(&acquiring, &mut stored.number, true).await?;
        }
        Ok(())
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
    ) -> Result<Stored, Error> {
        let number = &mut stored.number;
        if !number.is_visible_to(target.actor, owner) && number.owner.is_some() {
            return Err(Error::forbidden());
        }
        if self.ported_in && self.holds(number) {
            return Ok(stored);
        }
        if !matches!(number.state, State::Aging | State::Available | State::PortIn) {
            return Err(Error::Exists(number.id.clone()));
        }
        number.public.clone_from(&self.public);
        let of_ports = self.ported_in.then_some(&target.settings.port_in_carrier);
        if let Some(carrier) = self.carrier.as_ref().or(of_ports) {
            number.set_carrier(carrier.clone());
        }
        number.take(self.state, &self.taking(target, owner), now)?;
        number.ported_in |= self.ported_in;
        Ok(stored)
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
        let (asked, ported_in) = (self.carrier.clone(), self.ported_in);
        let carrier = creation_carrier(self.state, ported_in, asked, of_ports, of_new);
        let mut number = Number::new(number.clone(), self.state, carrier, target.actor, now);
        number.public.clone_from(&self.public);
        number.take(self.state, &self.taking(target, None), now)?;
        number.ported_in = ported_in;
        Ok(Decision::save(vacancy.fill(number)))
    }

    /// Whether the account has the number in service already.
    fn holds(&self, number: &Number) -> bool {
        number.state == State::InService && number.owner.as_ref() == Some(&self.taker.account)
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
