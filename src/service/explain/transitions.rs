//! Every state that a number could be brought into, and the guard that forbids it.

use super::{Facts, Repair};
use crate::{
    carriers,
    domain::{Number, Refused, Released, Right, State, Taking},
};

/// A state, and whether the number may be brought into it by whoever asks.
#[derive(Clone, Debug)]
pub struct Transition {
    /// The state.
    pub to: State,
    /// What forbids it; none when it is allowed.
    pub guard: Option<Guard>,
    /// What makes it allowed, or brings it about, where one call does.
    pub repair: Option<Repair>,
}

/// What forbids a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guard {
    /// The guard's id.
    pub id: &'static str,
    /// The same in words.
    pub message: String,
}

/// Every state.
pub(super) fn all(facts: &Facts<'_>) -> Vec<Transition> {
    let Some(number) = facts.number else { return Vec::new() };
    let released = released(facts, number);
    let transition = |to: State| {
        let guard = guard(facts, number, to, released);
        let repair = guard.as_ref().and_then(|_| repair(facts, number, to, released));
        Transition { to, guard, repair }
    };
    State::ALL.into_iter().map(transition).collect()
}

/// The state that a release leads to, if there can be one.
fn released(facts: &Facts<'_>, number: &Number) -> Option<State> {
    if !number.is_changeable_by(facts.actor, facts.owner) {
        return None;
    }
    let mut after = number.clone();
    let exists = |account: &_| facts.reservers.contains(account);
    match after.release(&facts.settings.release, exists, facts.now).ok()? {
        Released::Deleted => Some(State::Deleted),
        Released::Kept | Released::Reverted => Some(after.state),
    }
}

fn guard(facts: &Facts<'_>, number: &Number, to: State, released: Option<State>) -> Option<Guard> {
    if released == Some(to) || to == State::Deleted && facts.actor.is_admin {
        return None;
    }
    let open_purchase = facts.settings.open_purchase;
    let taking =
        Taking { actor: facts.actor, taker: facts.taker, owner: facts.owner, open_purchase };
    match number.clone().take(to, &taking, facts.now) {
        Ok(acquires) => {
            let is_ours = carriers::find(&number.carrier).is_some_and(|carrier| carrier.is_ours);
            (acquires && !is_ours).then(|| {
                let carrier = number.carrier.as_str();
                Guard::new("must_be_bought", format!("it must be bought at {carrier} first"))
            })
        }
        Err(Refused::NoChange) => {
            Some(Guard::new("no_change_required", "the account has it so already"))
        }
        Err(Refused::Transition(err)) => Some(match (err.cause, released) {
            (Some(cause), None) => Guard::new("no_such_step", format!("there is no step {cause}")),
            (Some(cause), Some(state)) => {
                let message = format!("there is no step {cause}; a release leads to {state}");
                Guard::new("no_such_step", message)
            }
            (None, _) => {
                Guard::new("no_way_there", format!("nothing that is asked for leads to {to}"))
            }
        }),
        Err(Refused::Forbidden) => Some(forbidden(facts, number, to)),
    }
}

fn forbidden(facts: &Facts<'_>, number: &Number, to: State) -> Guard {
    if facts.taker.is_none() {
        return Guard::new("needs_account", "an account must get it, and none is named");
    }
    let right = number.state.step(to).map(|step| step.right);
    match right {
        Ok(Right::Admin) => Guard::new("admin_only", "only an administrator may"),
        Ok(Right::Taker) if !facts.settings.open_purchase => {
            Guard::new("purchase_closed", "the setting open_purchase is off")
        }
        Ok(Right::Taker) => Guard::new("not_the_taker", "only who may act for the taker may"),
        Ok(Right::LastOwner) => Guard::new("not_the_last_owner", "only the last owner may"),
        Ok(Right::Owner | Right::OwnerOrReservedFromParent) | Err(_) => {
            Guard::new("not_the_owner", "only who may act for the owner may")
        }
    }
}

/// The call after which the state is reached, or can be.
fn repair(
    facts: &Facts<'_>,
    number: &Number,
    to: State,
    released: Option<State>,
) -> Option<Repair> {
    let account = facts.account?;
    let is_held = matches!(number.state, State::InService | State::Reserved);
    match to {
        State::InService => Some(Repair::Reconcile(account.clone())),
        State::Reserved if !is_held => Some(Repair::Reconcile(account.clone())),
        State::Aging | State::Available | State::Released if is_held => {
            // A release decides otherwise for these numbers, whatever the settings say.
            let by_settings = !number.is_local() && released != Some(State::Reserved);
            by_settings.then(|| Repair::ReleasedState(to.as_str()))
        }
        State::Aging | State::Available | State::Released => {
            Some(Repair::Reconcile(account.clone()))
        }
        State::Reserved | State::Deleted | State::Discovery | State::PortIn | State::PortOut => {
            None
        }
    }
}

impl Guard {
    fn new(id: &'static str, message: impl Into<String>) -> Self {
        Self { id, message: message.into() }
    }
}
