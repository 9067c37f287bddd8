//! Who may take, change and see a number, where KAZOO was too generous.

use number_manager::domain::{Actor, Number, Refused, State, Taking};
use serde_json::json;

use crate::support::people::{MADE, account, actor, inward, lineage, number};

const MASTER: &str = "account0000000000000000000000001";
const RESELLER: &str = "account0000000000000000000000002";
const CHILD: &str = "account0000000000000000000000003";
const STRANGER: &str = "unrelated_account_b113394f16cb71";
const OPERATOR: &str = "system";
const NOBODY: &str = "";

/// Whether accounts may take free numbers by themselves.
#[derive(Clone, Copy)]
enum Purchase {
    Open,
    Closed,
}

fn who(id: &str) -> Actor {
    actor(&inward(&json!(id)))
}

fn id(id: &str) -> Option<number_manager::domain::AccountId> {
    account(&inward(&json!({ "id": if id.is_empty() { None } else { Some(id) } })), "id")
}

fn held(state: State, owner: &str) -> Number {
    let mut number = number(state, "knm_telnyx");
    number.owner = id(owner);
    number
}

fn take(
    number: &mut Number,
    to: State,
    by: &str,
    taker: &str,
    purchase: Purchase,
) -> Result<bool, Refused> {
    let owner = number.owner.clone().map(lineage);
    let taker = id(taker).map(lineage);
    let taking = Taking {
        actor: &who(by),
        taker: taker.as_ref(),
        owner: owner.as_ref(),
        open_purchase: matches!(purchase, Purchase::Open),
    };
    number.take(to, &taking, MADE + 60)
}

#[track_caller]
fn allowed(mut number: Number, to: State, by: &str, taker: &str) {
    take(&mut number, to, by, taker, Purchase::Open).unwrap();
    assert_eq!((number.state, number.owner), (to, id(taker)));
}

#[track_caller]
fn forbidden(mut number: Number, to: State, by: &str, taker: &str) {
    let before = number.clone();
    let outcome = take(&mut number, to, by, taker, Purchase::Open);
    assert_eq!(outcome, Err(Refused::Forbidden));
    assert_eq!(number, before);
}

#[test]
fn the_target_of_a_move_is_checked_too() {
    let held_by_reseller = || held(State::InService, RESELLER);
    allowed(held_by_reseller(), State::InService, RESELLER, CHILD);
    allowed(held(State::InService, CHILD), State::InService, RESELLER, RESELLER);
    allowed(held_by_reseller(), State::InService, MASTER, STRANGER);
    forbidden(held_by_reseller(), State::InService, RESELLER, STRANGER);
    forbidden(held_by_reseller(), State::InService, RESELLER, MASTER);
    forbidden(held_by_reseller(), State::InService, CHILD, CHILD);
    forbidden(held_by_reseller(), State::Reserved, RESELLER, STRANGER);
}

#[test]
fn staying_in_service_asks_for_authority_too() {
    allowed(held(State::InService, RESELLER), State::InService, RESELLER, RESELLER);
    forbidden(held(State::InService, RESELLER), State::InService, STRANGER, RESELLER);
}

#[test]
fn what_is_reserved_goes_to_descendants_only() {
    allowed(held(State::Reserved, RESELLER), State::InService, CHILD, CHILD);
    forbidden(held(State::Reserved, RESELLER), State::InService, STRANGER, STRANGER);
    forbidden(held(State::Reserved, CHILD), State::InService, STRANGER, CHILD);
    // Neither for an account above the taker nor for one beside it.
    forbidden(held(State::Reserved, RESELLER), State::InService, CHILD, RESELLER);
    forbidden(held(State::Reserved, RESELLER), State::Reserved, CHILD, CHILD);
}

#[test]
fn what_an_administrator_reserved_is_not_everybodys() {
    allowed(held(State::Reserved, MASTER), State::InService, CHILD, CHILD);
    forbidden(held(State::Reserved, MASTER), State::InService, STRANGER, STRANGER);
    assert!(!held(State::Reserved, MASTER).is_visible_to(&who(STRANGER), None));
}

#[test]
fn available_numbers_are_taken_for_oneself_or_a_descendant() {
    for to in [State::InService, State::Reserved] {
        allowed(held(State::Available, NOBODY), to, STRANGER, STRANGER);
        allowed(held(State::Available, NOBODY), to, RESELLER, CHILD);
        forbidden(held(State::Available, NOBODY), to, CHILD, RESELLER);
        forbidden(held(State::Available, NOBODY), to, STRANGER, CHILD);
    }
}

#[test]
fn a_closed_stock_is_for_administrators() {
    for to in [State::InService, State::Reserved] {
        let mut number = held(State::Available, NOBODY);
        let by_itself = take(&mut number, to, RESELLER, RESELLER, Purchase::Closed);
        assert_eq!(by_itself, Err(Refused::Forbidden));
        for admin in [MASTER, OPERATOR] {
            let mut number = held(State::Available, NOBODY);
            take(&mut number, to, admin, RESELLER, Purchase::Closed).unwrap();
        }
    }
}

#[test]
fn aging_numbers_go_to_administrators_and_their_last_owner() {
    let aging = || {
        let mut number = held(State::Aging, NOBODY);
        number.previous_owner = id(RESELLER);
        number
    };
    allowed(aging(), State::InService, RESELLER, RESELLER);
    allowed(aging(), State::InService, MASTER, STRANGER);
    forbidden(aging(), State::InService, STRANGER, STRANGER);
    forbidden(aging(), State::InService, CHILD, CHILD);
    assert!(!aging().is_visible_to(&who(STRANGER), None));
}

#[test]
fn only_administrators_let_a_free_number_age() {
    for from in [State::Available, State::Aging, State::Released] {
        allowed(held(from, NOBODY), State::Aging, OPERATOR, NOBODY);
        forbidden(held(from, NOBODY), State::Aging, RESELLER, NOBODY);
        forbidden(held(from, NOBODY), State::Aging, RESELLER, RESELLER);
    }
}

#[test]
fn administrators_alone_end_a_release() {
    allowed(held(State::Released, NOBODY), State::Available, OPERATOR, NOBODY);
    allowed(held(State::Released, NOBODY), State::Available, MASTER, NOBODY);
    forbidden(held(State::Released, NOBODY), State::Available, RESELLER, RESELLER);
}

#[test]
fn what_is_held_is_held_by_somebody() {
    for (from, to) in [
        (State::Available, State::InService),
        (State::Available, State::Reserved),
        (State::Reserved, State::Reserved),
        (State::Reserved, State::InService),
        (State::InService, State::InService),
        (State::PortIn, State::InService),
        (State::PortIn, State::PortIn),
    ] {
        let owner = if from == State::Available { NOBODY } else { RESELLER };
        forbidden(held(from, owner), to, RESELLER, NOBODY);
        forbidden(held(from, owner), to, OPERATOR, NOBODY);
    }
}

#[test]
fn changing_a_number_asks_for_holding_it() {
    #[track_caller]
    fn check(number: &Number, by: &str, changeable: bool) {
        let owner = number.owner.clone().map(lineage);
        assert_eq!(number.is_changeable_by(&who(by), owner.as_ref()), changeable, "{by}");
    }
    let available = held(State::Available, NOBODY);
    let reserved_above = held(State::Reserved, RESELLER);
    let own = held(State::InService, CHILD);
    for admin in [OPERATOR, MASTER] {
        check(&available, admin, true);
        check(&own, admin, true);
    }
    check(&own, CHILD, true);
    check(&own, RESELLER, true);
    check(&own, STRANGER, false);
    check(&available, STRANGER, false);
    check(&reserved_above, CHILD, false);
    assert!(available.is_visible_to(&who(STRANGER), None));
    assert!(reserved_above.is_visible_to(&who(CHILD), None));
}

#[test]
fn a_number_whose_owner_is_gone_is_the_operators() {
    let mut orphan = held(State::InService, RESELLER);
    assert!(!orphan.is_changeable_by(&who(RESELLER), None));
    assert!(!orphan.is_visible_to(&who(STRANGER), None));
    let taker = lineage(id(STRANGER).unwrap());
    let actor = who(STRANGER);
    let taking = Taking { actor: &actor, taker: Some(&taker), owner: None, open_purchase: true };
    assert_eq!(orphan.take(State::InService, &taking, MADE), Err(Refused::Forbidden));
    assert!(orphan.is_changeable_by(&Actor::operator(), None));
}

#[test]
fn another_owner_knows_nothing_of_the_old_ones_application() {
    let mut number = held(State::InService, RESELLER);
    number.used_by = Some("callflow".to_owned());
    take(&mut number, State::InService, RESELLER, RESELLER, Purchase::Open).unwrap();
    assert_eq!(number.used_by.as_deref(), Some("callflow"));
    take(&mut number, State::InService, RESELLER, CHILD, Purchase::Open).unwrap();
    assert_eq!(number.used_by, None);
    assert_eq!(number.previous_owner, id(RESELLER));
}

#[test]
fn staying_in_a_state_does_not_move_its_beginning() {
    let mut number = held(State::InService, RESELLER);
    take(&mut number, State::InService, RESELLER, CHILD, Purchase::Open).unwrap();
    assert_eq!(number.state_since, Some(MADE));
    take(&mut number, State::Reserved, CHILD, CHILD, Purchase::Open).unwrap();
    assert_eq!(number.state_since, Some(MADE + 60));
}

#[test]
fn numbers_of_mobile_devices_stay_in_service() {
    let mdn = |state| {
        let mut number = number(state, "knm_mdn");
        number.owner = id(RESELLER);
        number
    };
    let mut moved = mdn(State::InService);
    take(&mut moved, State::InService, RESELLER, CHILD, Purchase::Open).unwrap();
    assert_eq!(moved.owner, id(CHILD));
    for to in [State::Reserved, State::Available, State::Aging, State::PortIn] {
        let refused = take(&mut mdn(State::InService), to, OPERATOR, CHILD, Purchase::Open);
        let Err(Refused::Transition(err)) = refused else {
            panic!("{refused:?}");
        };
        assert_eq!(err.cause, Some(format!("from 'MDN' to {to}")));
    }
}

#[test]
fn reserving_again_is_no_change() {
    let mut number = held(State::Reserved, RESELLER);
    let again = take(&mut number, State::Reserved, RESELLER, RESELLER, Purchase::Open);
    assert_eq!(again, Err(Refused::NoChange));
}
