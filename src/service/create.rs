//! Bringing a number in for an account.

use serde_json::{Map, Value};

use super::{
    Error, IfMatch, NumberService, NumberView,
    change::{Decision, Target},
};
use crate::{
    carriers,
    domain::{
        AccountId, Actor, CarrierName, E164, Lineage, Number, State, Taking, creation_carrier,
        creation_state, may_create,
    },
    repository::{Opened, Settings, Stored, Vacancy},
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
struct Plan<'a> {
    actor: &'a Actor,
    taker: Lineage,
    settings: &'a Settings,
    state: State,
    carrier: Option<CarrierName>,
    public: Map<String, Value>,
}

impl NumberService {
    /// Creates a number for an account, or takes one that is free. Never buys at a carrier.
    /// `if_match`: what must be stored.
    ///
    /// # Errors
    ///
    /// [`Error::Forbidden`], [`Error::Exists`], [`Error::InvalidTransition`],
    /// [`Error::NoAccount`], [`Error::Invalid`] for an unknown carrier, and those of every write.
    pub async fn create(
        &self,
        actor: &Actor,
        account: &AccountId,
        number: &E164,
        creation: Creation,
        if_match: Option<&IfMatch>,
    ) -> Result<NumberView, Error> {
        let settings = self.settings.get().await?;
        let state = creation_state(actor, creation.state, false, None)?;
        let taker = self.lineage(account).await?;
        if !actor.rules(&taker) {
            return Err(Error::forbidden());
        }
        may_create(actor, state, false)?;
        let carrier = asked_carrier(actor, creation.carrier.as_deref())?;
        let public = creation.public;
        let plan = Plan { actor, taker, settings: &settings, state, carrier, public };
        let target = Target { actor, number, account: Some(account), if_match };
        let saved = self
            .change(target, |opened| {
                let plan = &plan;
                async move {
                    match opened {
                        Opened::Found(stored) => self.take_existing(plan, *stored).await,
                        Opened::Vacant(vacancy) => self.bring_in(plan, number, vacancy),
                    }
                }
            })
            .await?;
        self.view(saved, &settings, actor).await
    }

    /// Takes a number that is stored already and free.
    async fn take_existing(&self, plan: &Plan<'_>, mut stored: Stored) -> Result<Decision, Error> {
        let owner = self.owner_of(&stored.number).await?;
        let number = &mut stored.number;
        if !number.is_visible_to(plan.actor, owner.as_ref()) && number.owner.is_some() {
            return Err(Error::forbidden());
        }
        if !matches!(number.state, State::Aging | State::Available | State::PortIn) {
            return Err(Error::Exists(number.id.clone()));
        }
        number.public.clone_from(&plan.public);
        if let Some(carrier) = &plan.carrier {
            number.set_carrier(carrier.clone());
        }
        number.take(plan.state, &plan.taking(owner.as_ref()), self.numbers.now())?;
        Ok(Decision::save(stored))
    }

    fn bring_in(
        &self,
        plan: &Plan<'_>,
        number: &E164,
        vacancy: Vacancy,
    ) -> Result<Decision, Error> {
        let settings = plan.settings;
        let (of_ports, of_new) = (&settings.port_in_carrier, &settings.available_carrier);
        let carrier = creation_carrier(plan.state, false, plan.carrier.clone(), of_ports, of_new);
        let now = self.numbers.now();
        let mut number = Number::new(number.clone(), plan.state, carrier, plan.actor, now);
        number.public.clone_from(&plan.public);
        number.take(plan.state, &plan.taking(None), now)?;
        Ok(Decision::fill(vacancy, number))
    }
}

impl Plan<'_> {
    fn taking<'a>(&'a self, owner: Option<&'a Lineage>) -> Taking<'a> {
        let open_purchase = self.settings.open_purchase;
        Taking { actor: self.actor, taker: Some(&self.taker), owner, open_purchase }
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
