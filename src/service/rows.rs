//! What a job does about the rows of a table: many numbers together, each wanting something of its own,
//! and all of them only planned.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use futures::{StreamExt, stream};
use serde_json::Map;

use super::{
    Creation, Error, NumberService, NumberView, Terms, Update,
    activate::Take,
    change::{Operation, Target},
    create::{Plan, asked_carrier},
    release::{Deletion, Release, must_be_admin},
    sync::Sync,
    update::Rewrite,
};
use crate::{
    carriers,
    domain::{AccountId, Actor, CarrierName, E164, Number, State},
    repository::{Decision, MirrorStatus, Opened, Saved},
};

/// How many numbers are shown side by side.
const PARALLEL_VIEWS: usize = 16;

/// What a row wants of its number.
#[derive(Clone, Debug)]
pub enum RowWish {
    /// That it is created, or taken when it is free.
    Import {
        /// The account that is to have it.
        account: AccountId,
        /// What is asked for.
        creation: Creation,
    },
    /// That it is in service for an account.
    Assign(AccountId),
    /// That it is reserved for an account.
    Reserve(AccountId),
    /// That something is written on it; with another carrier, for administrators.
    Update(Update, Option<String>),
    /// That it is given up.
    Release,
    /// That it is gone.
    Delete,
    /// That it is as its carrier has it, for administrators.
    Sync,
}

/// A number that a row was about, before and after.
#[derive(Clone, Debug)]
pub struct RowDone {
    /// As it was; none when it is new.
    pub before: Option<Number>,
    /// As it is now.
    pub view: NumberView,
    /// Whether anything of it is written.
    pub written: bool,
}

/// One operation for each of many numbers.
struct Each<O> {
    operations: HashMap<E164, O>,
    /// The numbers as they were.
    before: Mutex<HashMap<E164, Number>>,
}

/// Taking a number that is stored: nothing is bought.
struct Stored(Take);

impl NumberService {
    /// Plans what rows want, each number once and each for itself. One outcome per row, in order.
    ///
    /// # Errors
    ///
    /// Those that concern no single number, and what may pass.
    pub async fn change_rows(
        &self,
        actor: &Actor,
        rows: Vec<(E164, RowWish)>,
    ) -> Result<Vec<Result<RowDone, Error>>, Error> {
        let imports = rows.iter().any(|(_, wish)| matches!(wish, RowWish::Import { .. }));
        let default = if imports { Some(self.settings.carrier_of_imports().await?) } else { None };
        let order: Vec<E164> = rows.iter().map(|(number, _)| number.clone()).collect();
        let (mut plans, mut takes, mut rewrites) = (Vec::new(), Vec::new(), Vec::new());
        let (mut releases, mut deletions, mut syncs) = (Vec::new(), Vec::new(), Vec::new());
        let mut outcomes: HashMap<E164, Result<RowDone, Error>> = HashMap::new();
        for (number, wish) in rows {
            let refused = match wish {
                RowWish::Import { account, creation } => {
                    let plan = self.plan_import(actor, &account, creation, default.as_ref()).await;
                    plan.map(|plan| plans.push((number.clone(), plan)))
                }
                RowWish::Assign(account) => {
                    let take = self.take_stored(&account, State::InService).await;
                    take.map(|take| takes.push((number.clone(), take)))
                }
                RowWish::Reserve(account) => {
                    let take = self.take_stored(&account, State::Reserved).await;
                    take.map(|take| takes.push((number.clone(), take)))
                }
                RowWish::Update(update, carrier) => asked_carrier(actor, carrier.as_deref())
                    .map(|carrier| Rewrite { update, carrier })
                    .map(|rewrite| rewrites.push((number.clone(), rewrite))),
                RowWish::Release => {
                    releases.push((number.clone(), Release));
                    Ok(())
                }
                RowWish::Delete => {
                    must_be_admin(actor).map(|()| deletions.push((number.clone(), Deletion)))
                }
                RowWish::Sync => must_be_admin(actor).map(|()| syncs.push((number.clone(), Sync))),
            };
            if let Err(refused) = refused {
                outcomes.insert(number, Err(refused));
            }
        }
        outcomes.extend(self.change_each_by(actor, plans).await?);
        outcomes.extend(self.change_each_by(actor, takes).await?);
        outcomes.extend(self.change_each_by(actor, rewrites).await?);
        outcomes.extend(self.change_each_by(actor, releases).await?);
        outcomes.extend(self.change_each_by(actor, deletions).await?);
        outcomes.extend(self.change_each_by(actor, syncs).await?);
        if let Some(err) =
            outcomes.values().find_map(|it| it.as_ref().err().filter(|err| may_pass(err)))
        {
            return Err(err.clone());
        }
        Ok(order.iter().filter_map(|number| outcomes.remove(number)).collect())
    }

    /// Whether there is a carrier of that name.
    #[must_use]
    pub fn knows_carrier(name: &str) -> bool {
        carriers::named(name).is_some()
    }

    /// Looks numbers up. One answer per number, in order.
    ///
    /// # Errors
    ///
    /// What may pass.
    pub async fn find_rows(
        &self,
        actor: &Actor,
        numbers: Vec<E164>,
    ) -> Result<Vec<Result<NumberView, Error>>, Error> {
        let opened = self.numbers.open_many(&numbers, None).await;
        let looks = numbers.into_iter().zip(opened).map(|(number, opened)| async move {
            let Opened::Found(stored) = opened? else {
                return Err(Error::NotFound(number));
            };
            let owner = self.owner_of(&stored.number).await?;
            if !stored.number.is_visible_to(actor, owner.as_ref()) {
                return Err(Error::NotFound(number));
            }
            let settings = self.settings.get().await?;
            let (rev, mirror) = (stored.rev().cloned(), MirrorStatus::Synced);
            let read = Saved { number: stored.number, rev, mirror, written: false };
            self.view(read, &settings, actor).await
        });
        let looks: Vec<_> = looks.collect();
        let found: Vec<Result<NumberView, Error>> =
            stream::iter(looks).buffered(PARALLEL_VIEWS).collect().await;
        match found.iter().find_map(|it| it.as_ref().err().filter(|err| may_pass(err))) {
            Some(err) => Err(err.clone()),
            None => Ok(found),
        }
    }

    async fn change_each_by<O: Operation + Send>(
        &self,
        actor: &Actor,
        operations: Vec<(E164, O)>,
    ) -> Result<Vec<(E164, Result<RowDone, Error>)>, Error> {
        if operations.is_empty() {
            return Ok(Vec::new());
        }
        let settings = &*self.settings.get().await?;
        // Nobody is asked about what a row costs.
        let terms = Terms { accepts_charges: true, ..Terms::default() };
        let target = Target { actor, account: None, settings, terms };
        let numbers = operations.iter().map(|(number, _)| number.clone()).collect();
        let each = Each { operations: operations.into_iter().collect(), before: Mutex::default() };
        let saved = self.change_some(&target, numbers, &each).await;
        let mut done = Vec::with_capacity(saved.len());
        for (number, outcome) in saved {
            each.conclude(self, &number, &outcome).await;
            let before = each.before().remove(&number);
            let outcome = match outcome {
                Ok(saved) => {
                    let written = saved.written;
                    let view = self.view(saved, settings, actor).await;
                    view.map(|view| RowDone { before, view, written })
                }
                Err(err) => Err(err),
            };
            done.push((number, outcome));
        }
        Ok(done)
    }

    /// Checks what a row asks for that brings a number in. State and carrier are administrators' to say.
    async fn plan_import(
        &self,
        actor: &Actor,
        account: &AccountId,
        creation: Creation,
        default: Option<&CarrierName>,
    ) -> Result<Plan, Error> {
        let creation = if actor.is_admin {
            creation
        } else {
            Creation { state: None, carrier: None, ..creation }
        };
        let is_chosen = creation.carrier.is_some() || creation.ported_in;
        let mut plan = self.plan_creation(actor, account, creation).await?;
        if !is_chosen {
            plan.carrier = default.cloned();
        }
        Ok(plan)
    }

    async fn take_stored(&self, account: &AccountId, state: State) -> Result<Stored, Error> {
        Ok(Stored(Take::new(self.lineage(account).await?, state, Map::new())))
    }
}

/// Whether the same may go well a moment later.
fn may_pass(err: &Error) -> bool {
    matches!(err, Error::Unavailable(_) | Error::Conflict)
}

impl<O> Each<O> {
    fn before(&self) -> MutexGuard<'_, HashMap<E164, Number>> {
        // Nothing that holds it can fail half way.
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<O: Operation + Send> Operation for Each<O> {
    const IS_CHARGED: bool = O::IS_CHARGED;
    const CONCERNS_FEATURES: bool = O::CONCERNS_FEATURES;

    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        let operation = self.operations.get(number);
        let operation = operation.ok_or_else(|| Error::NotFound(number.clone()))?;
        if let Opened::Found(stored) = &opened {
            self.before().insert(number.clone(), stored.number.clone());
        }
        operation.decide(service, target, number, opened).await
    }

    async fn acquire(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        decision: &mut Decision,
    ) -> Result<(), Error> {
        match self.operations.get(&decision.stored().number.id) {
            Some(operation) => operation.acquire(service, target, decision).await,
            None => Ok(()),
        }
    }

    async fn conclude(
        &self,
        service: &NumberService,
        number: &E164,
        outcome: &Result<Saved, Error>,
    ) {
        if let Some(operation) = self.operations.get(number) {
            operation.conclude(service, number, outcome).await;
        }
    }
}

impl Operation for Stored {
    async fn decide(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        number: &E164,
        opened: Opened,
    ) -> Result<Decision, Error> {
        match opened {
            Opened::Found(_) => self.0.decide(service, target, number, opened).await,
            Opened::Vacant(_) => Err(Error::NotFound(number.clone())),
        }
    }

    async fn acquire(
        &self,
        service: &NumberService,
        target: &Target<'_>,
        decision: &mut Decision,
    ) -> Result<(), Error> {
        self.0.acquire(service, target, decision).await
    }

    async fn conclude(
        &self,
        service: &NumberService,
        number: &E164,
        outcome: &Result<Saved, Error>,
    ) {
        self.0.conclude(service, number, outcome).await;
    }
}
