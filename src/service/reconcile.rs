//! Making it so: the number exists, is in service, and an account holds it.

use std::{collections::BTreeMap, future::ready};

use futures::{StreamExt, stream};
use serde_json::{Map, Value};

use super::{
    Error, IfMatch, NumberService, NumberView, Update,
    change::{Decision, Target},
    create::asked_carrier,
};
use crate::{
    domain::{AccountId, Actor, CarrierName, E164, Number, State},
    repository::{Opened, Stored},
};

/// How many numbers of one request are worked on at once.
const PARALLEL_NUMBERS: usize = 8;

/// What a reconciliation wants to be written.
#[derive(Clone, Debug, Default)]
pub struct Reconciliation {
    /// Public members, merged into what is there; `null` deletes.
    pub public: Map<String, Value>,
    /// The carrier, as given.
    pub carrier: Option<String>,
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
        wanted: &Reconciliation,
        if_match: Option<&IfMatch>,
    ) -> Result<NumberView, Error> {
        if !actor.is_admin {
            return Err(Error::forbidden());
        }
        let carrier = asked_carrier(actor, wanted.carrier.as_deref())?;
        let settings = self.settings.get().await?;
        self.lineage(account).await?;
        let now = self.numbers.now();
        let target = Target { number, account: Some(account), if_match };
        let saved = self
            .change(target, |opened| {
                let mut stored = match opened {
                    Opened::Found(stored) => *stored,
                    Opened::Vacant(vacancy) => {
                        let carrier = settings.available_carrier.clone();
                        let id = number.clone();
                        vacancy.fill(Number::new(id, State::InService, carrier, actor, now))
                    }
                };
                make_it_so(&mut stored, account, wanted, carrier.clone(), now);
                ready(Ok(Decision::save(stored)))
            })
            .await?;
        Ok(Self::view(saved, &settings, actor))
    }

    /// The same for many numbers, each with its outcome.
    pub async fn reconcile_many(
        &self,
        actor: &Actor,
        account: &AccountId,
        numbers: Vec<E164>,
        wanted: &Reconciliation,
    ) -> BTreeMap<E164, Result<NumberView, Error>> {
        stream::iter(numbers)
            .map(|number| async move {
                let outcome = self.reconcile(actor, account, &number, wanted, None).await;
                (number, outcome)
            })
            .buffer_unordered(PARALLEL_NUMBERS)
            .collect()
            .await
    }
}

fn make_it_so(
    stored: &mut Stored,
    account: &AccountId,
    wanted: &Reconciliation,
    carrier: Option<CarrierName>,
    now: i64,
) {
    let number = &mut stored.number;
    Update::Merge(wanted.public.clone()).apply(&mut number.public);
    if let Some(carrier) = carrier {
        number.set_carrier(carrier);
    }
    number.enter(State::InService, now);
    number.set_owner(Some(account.clone()));
}
