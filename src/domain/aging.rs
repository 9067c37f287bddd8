//! How long a number is in its state, and what becomes of one that has aged.

use super::{InvalidTransition, Number, State};

impl Number {
    /// Since when the number is in its state, in Gregorian seconds; since its last change where its
    /// document does not say.
    #[must_use]
    pub fn in_state_since(&self) -> i64 {
        self.state_since.unwrap_or(self.modified)
    }

    /// Before a number that ages is written: since when it does must not move with its last change.
    pub fn pin_age(&mut self) {
        if self.state == State::Aging && self.state_since.is_none() {
            self.state_since = Some(self.modified);
        }
    }

    /// Makes a number that has aged available, at a time in Gregorian seconds. Nobody owns it, and
    /// nothing is left of what its last owner put on it.
    ///
    /// # Errors
    ///
    /// [`InvalidTransition`] for a number that does not age, and for one that never leaves its device.
    pub fn end_aging(&mut self, now: i64) -> Result<(), InvalidTransition> {
        if self.state != State::Aging || self.carrier.is_mdn() {
            let cause = format!("from {} to {}", self.state, State::Available);
            return Err(InvalidTransition { cause: Some(cause) });
        }
        self.clear();
        self.set_owner(None);
        self.enter(State::Available, now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, json};

    use super::*;
    use crate::domain::{AccountId, Actor, CarrierName, E164, LOCAL_FEATURE};

    fn number(state: State, carrier: &str) -> Number {
        let carrier = CarrierName::read(carrier).unwrap();
        let id = E164::parse("+14155550100").unwrap();
        Number::new(id, state, carrier, &Actor::operator(), 100)
    }

    #[test]
    fn only_what_ages_becomes_available() {
        for state in State::ALL {
            let mut aged = number(state, "knm_telnyx");
            let before = aged.clone();
            match aged.end_aging(200) {
                Ok(()) => assert_eq!((state, aged.state), (State::Aging, State::Available)),
                Err(refused) => {
                    assert_ne!(state, State::Aging);
                    assert_eq!(refused.cause, Some(format!("from {state} to available")));
                    assert_eq!(aged, before);
                }
            }
        }
        assert!(number(State::Aging, "knm_mdn").end_aging(200).is_err());
    }

    #[test]
    fn nothing_of_the_last_owner_is_left() {
        let owner = AccountId::parse(&"0f".repeat(16)).unwrap();
        let mut aged = number(State::Aging, "knm_local");
        aged.owner = Some(owner.clone());
        aged.used_by = Some("callflow".to_owned());
        aged.public = Map::from_iter([("note".to_owned(), json!("mine"))]);
        aged.features.insert("e911".to_owned(), json!({}));
        aged.end_aging(200).unwrap();
        assert_eq!((aged.owner, aged.previous_owner), (None, Some(owner)));
        assert_eq!((aged.used_by, aged.public), (None, Map::new()));
        assert_eq!(aged.features.keys().collect::<Vec<_>>(), [LOCAL_FEATURE]);
        assert_eq!(aged.state_since, Some(200));
    }

    #[test]
    fn an_age_is_fixed_once() {
        let mut aging = number(State::Aging, "knm_telnyx");
        aging.state_since = None;
        assert_eq!(aging.in_state_since(), 100);
        aging.pin_age();
        aging.modified = 300;
        aging.pin_age();
        assert_eq!(aging.in_state_since(), 100);
        let mut other = number(State::InService, "knm_telnyx");
        other.state_since = None;
        other.pin_age();
        assert_eq!(other.state_since, None);
    }
}
