//! What a release makes of a number.

use number_manager::{
    domain::{AccountId, CarrierName, Number, ReleaseRules, Released, ReserveHistory, State},
    repository::Settings,
};
use serde_json::{Value, json};

use crate::support::people::{MADE, number};

const LATER: i64 = MADE + 60;

fn account(letter: char) -> AccountId {
    AccountId::parse(&letter.to_string().repeat(32)).unwrap()
}

fn rules(settings: &Value) -> ReleaseRules {
    Settings::read(settings.as_object().unwrap()).unwrap().release
}

/// A number in service at account `a`, which these accounts have reserved.
fn held(carrier: &str, reserved_by: &str) -> Number {
    let mut number = number(State::InService, carrier);
    number.owner = Some(account('a'));
    number.reserve_history = ReserveHistory::new(reserved_by.chars().map(account).collect());
    number
}

#[track_caller]
fn check(carrier: &str, settings: &Value, state: State, outcome: &Released) {
    let mut number = held(carrier, "a");
    assert_eq!(number.release(&rules(settings), |_| true, LATER).as_ref(), Ok(outcome));
    assert_eq!(number.state, state);
    assert_eq!((number.owner, number.previous_owner), (None, Some(account('a'))));
    assert_eq!(number.reserve_history, ReserveHistory::default());
    assert_eq!(number.state_since, Some(LATER));
}

#[test]
fn a_number_that_nobody_takes_over_becomes_what_is_configured() {
    let kept = &Released::Kept;
    check("knm_telnyx", &json!({}), State::Aging, kept);
    check("knm_telnyx", &json!({"released_state": "aging"}), State::Aging, kept);
    check("knm_telnyx", &json!({"released_state": "available"}), State::Available, kept);
    check("knm_telnyx", &json!({"released_state": "released"}), State::Released, kept);
    let aged = json!({"released_state": "available", "should_age": true});
    check("knm_telnyx", &aged, State::Aging, kept);
    let released = json!({"released_state": "released", "should_age": true});
    check("knm_telnyx", &released, State::Released, kept);
    check("knm_inventory", &json!({}), State::Aging, kept);
}

#[test]
fn some_numbers_are_deleted() {
    let deleted = &Released::Deleted;
    check("knm_telnyx", &json!({"released_state": "deleted"}), State::Deleted, deleted);
    check("knm_telnyx", &json!({"should_permanently_delete": true}), State::Deleted, deleted);
    let both = json!({"should_permanently_delete": true, "should_age": true});
    check("knm_telnyx", &both, State::Deleted, deleted);
    check("knm_local", &json!({}), State::Deleted, deleted);
    check("knm_local", &json!({"released_state": "available"}), State::Deleted, deleted);
    check("knm_mdn", &json!({}), State::Deleted, deleted);
}

#[test]
fn an_unusable_released_state_is_refused_when_it_is_read() {
    for state in ["in_service", "reserved", "port_in", "discovery", "gone", ""] {
        let settings = json!({"released_state": state});
        assert!(Settings::read(settings.as_object().unwrap()).is_err(), "{state}");
    }
}

#[test]
fn whoever_reserved_it_before_has_it_again() {
    #[track_caller]
    fn check(carrier: &str, history: &str, heir: char, left: &str) {
        let mut number = held(carrier, history);
        number.used_by = Some("callflow".to_owned());
        let everything_goes = json!({"should_permanently_delete": true});
        let outcome = number.release(&rules(&everything_goes), |_| true, LATER);
        assert_eq!(outcome, Ok(Released::Reverted));
        assert_eq!((number.state, number.owner), (State::Reserved, Some(account(heir))));
        assert_eq!((number.previous_owner, number.used_by), (Some(account('a')), None));
        let left: Vec<_> = left.chars().map(account).collect();
        assert_eq!(number.reserve_history.accounts(), left);
    }
    check("knm_telnyx", "ap", 'p', "p");
    check("knm_telnyx", "p", 'p', "p");
    check("knm_telnyx", "abp", 'b', "bp");
    check("knm_local", "am", 'm', "m");
    check("knm_mdn", "m", 'm', "m");
}

#[test]
fn accounts_that_are_gone_inherit_nothing() {
    let mut number = held("knm_telnyx", "abp");
    let exists = |account_: &AccountId| *account_ != account('b');
    assert_eq!(number.release(&rules(&json!({})), exists, LATER), Ok(Released::Reverted));
    assert_eq!(number.owner, Some(account('p')));

    let mut number = held("knm_telnyx", "ab");
    assert_eq!(number.release(&rules(&json!({})), exists, LATER), Ok(Released::Kept));
    assert_eq!(number.owner, None);
}

#[test]
fn what_the_owner_wrote_and_the_features_go() {
    for (carrier, left) in [("knm_telnyx", json!({})), ("knm_local", json!({"local": {}}))] {
        let mut number = held(carrier, "ap");
        number.features.insert("e911".to_owned(), json!({"region": "CA"}));
        number.public.insert("note".to_owned(), json!("mine"));
        number.carrier_data = Some(json!({"order": 7}));
        number.release(&rules(&json!({})), |_| true, LATER).unwrap();
        assert_eq!(json!(number.features), left);
        assert!(number.public.is_empty());
        assert_eq!(number.carrier_data, Some(json!({"order": 7})), "the carrier's own");
        assert_eq!(number.carrier, CarrierName::read(carrier).unwrap());
    }
}

#[test]
fn a_refused_release_changes_nothing() {
    for state in [State::Available, State::Aging, State::Discovery, State::PortOut] {
        let mut number = held("knm_telnyx", "ap");
        number.state = state;
        let before = number.clone();
        let refused = number.release(&rules(&json!({})), |_| true, LATER).unwrap_err();
        assert_eq!(refused.cause, Some(format!("from {state} to aging")));
        assert_eq!(number, before);
    }
}

#[test]
fn an_heir_that_had_it_reserved_keeps_the_time_of_it() {
    let mut number = held("knm_telnyx", "ap");
    number.state = State::Reserved;
    number.release(&rules(&json!({})), |_| true, LATER).unwrap();
    assert_eq!((number.state, number.state_since), (State::Reserved, Some(MADE)));
}
