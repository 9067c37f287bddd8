//! Which numbers an actor may create, and how they come in.

use super::{Actor, CarrierName, State};

/// Why a number may not be created.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("requestor is unauthorized to perform operation")]
pub struct CreationDenied {
    /// What is not allowed, in words.
    pub cause: String,
}

/// The states in which an actor may create numbers, in the order in which the wire lists them.
#[must_use]
pub fn creation_states(actor: &Actor) -> &'static [State] {
    if actor.is_admin {
        &[State::Aging, State::Available, State::InService, State::PortIn, State::Reserved]
    } else if actor.may_add_numbers {
        &[State::InService, State::Reserved]
    } else {
        &[]
    }
}

/// The state in which a new number comes in: `wanted`, or in service when nothing is wanted, when it
/// was ported in, and when it belongs to a mobile device.
///
/// # Errors
///
/// [`CreationDenied`] when the actor may not create numbers in that state, or none at all.
pub fn creation_state(
    actor: &Actor,
    wanted: Option<State>,
    ported_in: bool,
    carrier: Option<&CarrierName>,
) -> Result<State, CreationDenied> {
    let wanted = wanted.unwrap_or(State::InService);
    if wanted == State::PortIn {
        return Ok(wanted);
    }
    if ported_in || carrier.is_some_and(CarrierName::is_mdn) {
        return Ok(State::InService);
    }
    if creation_states(actor).contains(&wanted) {
        return Ok(wanted);
    }
    Err(CreationDenied { cause: format!("creating number in state '{wanted}' is not allowed") })
}

/// Refuses an actor who may not create numbers. A number that is being ported in may come from
/// anybody.
///
/// # Errors
///
/// [`CreationDenied`] unless the actor is the operator, may add numbers, or ports one in.
pub fn may_create(actor: &Actor, state: State, ported_in: bool) -> Result<(), CreationDenied> {
    if actor.is_admin || actor.may_add_numbers || ported_in || state == State::PortIn {
        return Ok(());
    }
    let cause = match &actor.account {
        Some(account) => format!("account '{account}' is not allowed to create number"),
        None => "account id is undefined".to_owned(),
    };
    Err(CreationDenied { cause })
}

/// The carrier of a new number: what is asked for; for one that was ported in the carrier of ports,
/// for one that is being ported the local one, else the carrier of new numbers.
#[must_use]
pub fn creation_carrier(
    state: State,
    ported_in: bool,
    asked: Option<CarrierName>,
    of_ports: &CarrierName,
    of_new_numbers: &CarrierName,
) -> CarrierName {
    if state == State::PortIn {
        return CarrierName::local();
    }
    asked.unwrap_or_else(|| if ported_in { of_ports.clone() } else { of_new_numbers.clone() })
}
