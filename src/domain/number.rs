//! A number: what is known about it, and the changes that its life allows.

use serde_json::{Map, Value};

use super::{
    AccountId, Actor, CarrierName, E164, InvalidTransition, Lineage, ReserveHistory, Right, State,
};

/// The feature that marks numbers which never leave the platform. Set by the carrier's name alone.
pub const LOCAL_FEATURE: &str = "local";

/// A number and everything the platform knows about it.
///
/// The fields are open, since most of them mean nothing to each other; the owner, the carrier and
/// the state change through methods, which keep what belongs together.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// The number itself.
    pub id: E164,
    /// Where it stands in its life; changed by [`Number::enter`].
    pub state: State,
    /// Who it comes from; changed by [`Number::set_carrier`].
    pub carrier: CarrierName,
    /// The account that owns it; changed by [`Number::set_owner`].
    pub owner: Option<AccountId>,
    /// The last different owner.
    pub previous_owner: Option<AccountId>,
    /// The application that it routes to (`callflow`, `trunkstore`). Gone when the owner changes.
    pub used_by: Option<String>,
    /// The features in force, each with its settings.
    pub features: Map<String, Value>,
    /// The number's own list of allowed features; empty when it has none.
    pub features_allowed: Vec<String>,
    /// The number's own list of denied features; empty when it has none.
    pub features_denied: Vec<String>,
    /// Who reserved it.
    pub reserve_history: ReserveHistory,
    /// Whether it came in through a port.
    pub ported_in: bool,
    /// What the carrier needs to know again; opaque to everybody else.
    pub carrier_data: Option<Value>,
    /// Who created it: an account id or `system`. Never changes.
    pub authorizing_account: Option<String>,
    /// When it was created, in Gregorian seconds.
    pub created: i64,
    /// When it was last changed, in Gregorian seconds.
    pub modified: i64,
    /// When it entered its state, in Gregorian seconds; unknown on documents of other programs.
    pub state_since: Option<i64>,
    /// What its owner wrote on it: every public member, in order.
    pub public: Map<String, Value>,
}

/// Which accounts a step is about, and who takes it.
#[derive(Clone, Copy, Debug)]
pub struct Taking<'a> {
    /// Who asks.
    pub actor: &'a Actor,
    /// The account that is to have the number afterwards, if any.
    pub taker: Option<&'a Lineage>,
    /// The account that owns it now, as far as it can still be read.
    pub owner: Option<&'a Lineage>,
    /// Whether accounts may take `available` numbers by themselves.
    pub open_purchase: bool,
}

/// Why a step was refused. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The actor may not do that.
    #[error("requestor is unauthorized to perform operation")]
    Forbidden,
    /// The lifecycle has no such step.
    #[error(transparent)]
    Transition(#[from] InvalidTransition),
    /// The account has the number already.
    #[error("no change required")]
    NoChange,
}

/// What a release makes of a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Released {
    /// An account that reserved it before has it again.
    Reverted,
    /// Nobody owns it; it stays in our stock.
    Kept,
    /// It leaves our stock: the document is to be deleted.
    Deleted,
}

/// What becomes of numbers that nobody takes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReleaseRules {
    /// The state after a release; [`State::Deleted`] deletes.
    pub released_state: State,
    /// Whether what would be available ages first.
    pub should_age: bool,
    /// Whether every released number is deleted.
    pub should_permanently_delete: bool,
}

impl Number {
    /// A number that was not stored before.
    #[must_use]
    pub fn new(id: E164, state: State, carrier: CarrierName, creator: &Actor, now: i64) -> Self {
        let mut number = Self {
            id,
            state,
            carrier: carrier.clone(),
            owner: None,
            previous_owner: None,
            used_by: None,
            features: Map::new(),
            features_allowed: Vec::new(),
            features_denied: Vec::new(),
            reserve_history: ReserveHistory::default(),
            ported_in: false,
            carrier_data: None,
            authorizing_account: Some(creator.name().to_owned()),
            created: now,
            modified: now,
            state_since: Some(now),
            public: Map::new(),
        };
        number.set_carrier(carrier);
        number
    }

    /// Puts the number in a state, at a time in Gregorian seconds. Staying in a state does not
    /// move the time since when.
    pub fn enter(&mut self, state: State, now: i64) {
        if self.state != state {
            self.state = state;
            self.state_since = Some(now);
        }
    }

    /// Gives the number to an account or to nobody. With another owner it is no longer used by an
    /// application, and the old one is remembered.
    pub fn set_owner(&mut self, owner: Option<AccountId>) {
        if self.owner == owner {
            return;
        }
        if let Some(old) = self.owner.take() {
            self.previous_owner = Some(old);
        }
        self.owner = owner;
        self.used_by = None;
    }

    /// Changes the carrier, and with it whether the number is a local one.
    pub fn set_carrier(&mut self, carrier: CarrierName) {
        if carrier.is_local() {
            self.features.entry(LOCAL_FEATURE).or_insert_with(|| Value::Object(Map::new()));
        } else {
            self.features.shift_remove(LOCAL_FEATURE);
        }
        self.carrier = carrier;
    }

    /// Whether the number never leaves the platform.
    #[must_use]
    pub fn is_local(&self) -> bool {
        self.carrier.is_local() || self.features.contains_key(LOCAL_FEATURE)
    }

    /// Whether the actor may act for the number: for its owner or, when it has none, for the
    /// account that is to have it.
    fn authorizes(&self, taking: &Taking<'_>) -> bool {
        if taking.actor.is_admin {
            return true;
        }
        let taker = taking.taker.is_none_or(|taker| taking.actor.rules(taker));
        match &self.owner {
            Some(_) => taker && taking.owner.is_some_and(|owner| taking.actor.rules(owner)),
            None => taking.taker.is_some() && taker,
        }
    }

    /// Whether the number is held reserved by the actor's account or one of its ancestors.
    #[must_use]
    pub fn is_reserved_from_parent(&self, actor: &Actor) -> bool {
        let held_above = |owner: &AccountId| actor.descends_from(owner);
        self.state == State::Reserved && self.owner.as_ref().is_some_and(held_above)
    }

    /// Whether the actor may see the number. `owner` is its owner's lineage.
    #[must_use]
    pub fn is_visible_to(&self, actor: &Actor, owner: Option<&Lineage>) -> bool {
        actor.is_admin
            || self.state == State::Available
            || owner.is_some_and(|owner| actor.rules(owner))
            || self.is_reserved_from_parent(actor)
    }

    /// Whether the actor may change what is written on the number, or release it. Free numbers are
    /// the operator's.
    #[must_use]
    pub fn is_changeable_by(&self, actor: &Actor, owner: Option<&Lineage>) -> bool {
        actor.is_admin || self.owner.is_some() && owner.is_some_and(|owner| actor.rules(owner))
    }

    /// Takes the step to `state` at a time in Gregorian seconds, and returns whether the number
    /// has to be bought at its carrier before it is saved.
    ///
    /// # Errors
    ///
    /// [`Refused`] says why not; the number is then unchanged.
    pub fn take(&mut self, state: State, taking: &Taking<'_>, now: i64) -> Result<bool, Refused> {
        self.check_mdn(state)?;
        let step = self.state.step(state)?;
        let taker = taking.taker.map(|taker| &taker.account);
        let stays = taker.is_some() && taker == self.owner.as_ref();
        if stays && self.state == State::Reserved && state == State::Reserved {
            return Err(Refused::NoChange);
        }
        let leaves_none = step.sets_owner && taker.is_none() && state.needs_owner();
        if leaves_none || !self.may_take(step.right, taking) {
            return Err(Refused::Forbidden);
        }
        if step.pushes_history
            && let Some(taker) = taker
        {
            self.reserve_history.push(taker.clone());
        }
        self.enter(state, now);
        if step.sets_owner {
            self.set_owner(taker.cloned());
        }
        if state == State::Aging {
            // Nobody holds what is ageing; whom it was put aside for may take it back.
            self.set_owner(None);
        }
        Ok(step.acquires)
    }

    /// Takes off everything that an owner put on it.
    pub(super) fn clear(&mut self) {
        self.public = Map::new();
        self.features.retain(|feature, _| feature == LOCAL_FEATURE);
    }

    fn may_take(&self, right: Right, taking: &Taking<'_>) -> bool {
        let takes = || taking.taker.is_some_and(|taker| taking.actor.rules(taker));
        if taking.actor.is_admin {
            return true;
        }
        match right {
            Right::Admin => false,
            Right::Owner => self.authorizes(taking),
            Right::OwnerOrReservedFromParent => {
                self.authorizes(taking) || takes() && self.is_reserved_from_parent(taking.actor)
            }
            Right::Taker => {
                // Left-overs can be available and still name an owner; only that one's own may
                // take them.
                let free = self.owner.is_none() || self.authorizes(taking);
                taking.open_purchase && free && takes()
            }
            Right::LastOwner => {
                let last = self.owner.as_ref().or(self.previous_owner.as_ref());
                takes() && taking.taker.is_some_and(|taker| Some(&taker.account) == last)
            }
        }
    }

    /// Numbers of mobile devices stay in service.
    fn check_mdn(&self, to: State) -> Result<(), InvalidTransition> {
        if !self.carrier.is_mdn() {
            return Ok(());
        }
        let cause = match to {
            State::InService if self.state == State::InService => return Ok(()),
            State::InService => format!("from {} to {to}", self.state),
            _ => format!("from 'MDN' to {to}"),
        };
        Err(InvalidTransition { cause: Some(cause) })
    }

    /// Releases the number: it goes back to whoever reserved it before and still exists, else it
    /// becomes what `rules` say. What the owner wrote and the features are gone.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] when a number in this state cannot be released. Whether the actor may
    /// is [`Number::is_changeable_by`].
    pub fn release(
        &mut self,
        rules: &ReleaseRules,
        exists: impl Fn(&AccountId) -> bool,
        now: i64,
    ) -> Result<Released, InvalidTransition> {
        let is_local = self.carrier.as_str() == CarrierName::LOCAL;
        if !is_local && !self.state.can_be_released() {
            let cause = format!("from {} to {}", self.state, rules.released_state);
            return Err(InvalidTransition { cause: Some(cause) });
        }
        self.clear();
        if let Some(heir) = self.reserve_history.unwind(self.owner.as_ref(), exists) {
            self.set_owner(Some(heir));
            self.enter(State::Reserved, now);
            return Ok(Released::Reverted);
        }
        self.set_owner(None);
        let state = rules.state_of(&self.carrier);
        self.enter(state, now);
        Ok(if state == State::Deleted { Released::Deleted } else { Released::Kept })
    }
}

impl ReleaseRules {
    /// The state of a number of that carrier when nobody takes it over.
    fn state_of(self, carrier: &CarrierName) -> State {
        if carrier.is_local() || self.should_permanently_delete {
            State::Deleted
        } else if self.should_age && self.released_state == State::Available {
            State::Aging
        } else {
            self.released_state
        }
    }
}
