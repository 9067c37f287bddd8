//! KAZOO's answers about a number's life: its states, who may take which step, what a release makes
//! of it, and how it comes in.

mod deviations;

use number_manager::{
    domain::{
        AccountId, Actor, CarrierName, CreationDenied, Number, ParseAccountError, ReleaseRules,
        Released, ReserveHistory, State, Taking, creation_carrier, creation_state, creation_states,
        may_create,
    },
    service::Error,
};
use serde_json::{Map, Value, json};

use crate::support::{
    people::{MADE, account, accounts, actor, inward, lineage, number, outward},
    vectors::{Vector, vector_tests},
};
use deviations::DEVIATIONS;

vector_tests! {
    states: "is_state" => |vector| {
        json!(vector.given.as_str().is_some_and(|text| State::parse(text).is_ok()))
    };
    steps: "transition" => step;
    steps_by_who_asks: "transition/auth" => step;
    what_may_be_released: "can_release" => can_release;
    what_a_release_makes: "release/outcome" => release;
    reserving_is_remembered: "reserve_history/push" => push;
    releasing_goes_back: "reserve_history/unwind" => release;
    releasing_goes_back_as_recommended: "reserve_history/unwind_recommended" => release;
    a_stored_history: "reserve_history/load" => |vector| {
        history(ReserveHistory::new(accounts(&vector.given["stored"])).accounts())
    };
    authority: "is_authorized" => is_authorized;
    reserved_above: "is_reserved_from_parent" => is_reserved_from_parent;
    sight: "can_read" => can_read;
    states_to_create_in: "allowed_creation_states" => |vector| {
        let states = creation_states(&actor(&vector.given["auth_by"]));
        json!(states.iter().map(|state| state.as_str()).collect::<Vec<_>>())
    };
    the_state_of_a_new_number: "state_for_create" => state_for_create;
    who_may_create: "create/request_checks" => request_checks;
    the_carrier_of_a_new_number: "create/module" => carrier_of_new;
    another_owner: "set_assigned_to" => set_owner;
}

fn text<'a>(given: &'a Value, key: &str) -> Option<&'a str> {
    given[key].as_str()
}

fn state(given: &Value, key: &str) -> Option<State> {
    text(given, key).map(|text| State::parse(text).unwrap())
}

fn history(accounts: &[AccountId]) -> Value {
    json!(accounts.iter().map(AccountId::as_str).collect::<Vec<_>>())
}

fn id(account: Option<&AccountId>) -> Value {
    json!(account.map(AccountId::as_str))
}

/// The number that a vector begins with.
fn given_number(given: &Value, state: State) -> Number {
    let mut number = number(state, text(given, "module_name").unwrap_or("knm_telnyx"));
    number.owner = account(given, "assigned_to");
    number.reserve_history = ReserveHistory::new(accounts(&given["reserve_history"]));
    number
}

/// An error as the wire spells it.
fn error(error: &Error) -> Value {
    let (code, cause) = match error {
        Error::Forbidden { cause } => (403, cause.clone()),
        Error::InvalidTransition { cause } => (400, cause.clone()),
        Error::NoChange => (400, None),
        Error::AssignFailure { cause } => (400, Some(cause.clone())),
        other => panic!("{other:?} is no answer of the lifecycle"),
    };
    let mut answer = json!({"code": code, "error": error.id(), "message": error.to_string()});
    if let Some(cause) = cause {
        answer["cause"] = json!(cause);
    }
    json!({"error": answer})
}

/// The members of `full` that the vector says something about: many tell only a part.
fn as_far_as_told(full: &Value, expect: &Value) -> Value {
    match (full, expect) {
        (Value::Object(full), Value::Object(expect)) => {
            let told = full.iter().filter(|(key, _)| expect.contains_key(*key));
            told.map(|(key, value)| (key.clone(), as_far_as_told(value, &expect[key]))).collect()
        }
        _ => full.clone(),
    }
}

fn answer(vector: &Vector, full: &Value) -> Value {
    let full = outward(full);
    let told = as_far_as_told(&full, &vector.expect);
    if told == json!({}) { full } else { told }
}

fn step(vector: &Vector) -> Value {
    let given = inward(&vector.given);
    let from = state(&given, "from").unwrap();
    let Ok(to) = State::parse(text(&given, "to").unwrap()) else {
        return Value::Null;
    };
    let before = given_number(&given, from);
    let mut number = before.clone();
    let (taker, owner) = (account(&given, "assign_to"), account(&given, "assigned_to"));
    let (taker, owner) = (taker.map(lineage), owner.map(lineage));
    let actor = actor(&given["auth_by"]);
    let taking =
        Taking { actor: &actor, taker: taker.as_ref(), owner: owner.as_ref(), open_purchase: true };
    let acquires = match number.take(to, &taking, MADE) {
        Ok(acquires) => acquires,
        Err(refused) => {
            assert_eq!(number, before, "a refused step changes nothing");
            return answer(vector, &error(&refused.into()));
        }
    };
    let ok = json!({
        "state": number.state.as_str(),
        "assigned_to": id(number.owner.as_ref()),
        "prev_assigned_to": id(number.previous_owner.as_ref()),
        "reserve_history": history(number.reserve_history.accounts()),
        "carrier_acquire": acquires,
        "dirty": number != before,
    });
    answer(vector, &json!({"ok": ok}))
}

fn rules(given: &Value) -> ReleaseRules {
    ReleaseRules {
        released_state: state(given, "released_state").unwrap_or(State::Aging),
        should_age: given["should_age"] == true,
        should_permanently_delete: given["should_permanently_delete"] == true,
    }
}

fn can_release(vector: &Vector) -> Value {
    let mut number = given_number(&vector.given, state(&vector.given, "state").unwrap());
    match number.release(&rules(&vector.given), |_| true, MADE) {
        Ok(_) => json!({"allowed": true}),
        Err(refused) => error(&refused.into()),
    }
}

fn release(vector: &Vector) -> Value {
    let mut number = given_number(&vector.given, State::InService);
    let outcome = number.release(&rules(&vector.given), |_| true, MADE).unwrap();
    let ok = json!({
        "state": number.state.as_str(),
        "assigned_to": id(number.owner.as_ref()),
        "reserve_history": history(number.reserve_history.accounts()),
        "carrier_contacted": outcome == Released::Deleted,
    });
    answer(vector, &ok)
}

fn push(vector: &Vector) -> Value {
    let mut number = number(State::InService, "knm_telnyx");
    number.reserve_history = ReserveHistory::new(accounts(&vector.given["reserve_history"]));
    if let Some(account) = account(&vector.given, "assign_to") {
        number.reserve_history.push(account);
    }
    history(number.reserve_history.accounts())
}

/// By a step that asks for authority and nothing else.
fn is_authorized(vector: &Vector) -> Value {
    let given = inward(&vector.given);
    let (taker, owner) = (account(&given, "assign_to"), account(&given, "assigned_to"));
    let state = if owner.is_some() { State::InService } else { State::Available };
    let (taker, owner) = (taker.map(lineage), owner.map(lineage));
    let actor = actor(&given["auth_by"]);
    let taking = Taking {
        actor: &actor,
        taker: taker.as_ref().or(owner.as_ref()),
        owner: owner.as_ref(),
        open_purchase: true,
    };
    json!(given_number(&given, state).take(state, &taking, MADE).is_ok())
}

fn is_reserved_from_parent(vector: &Vector) -> Value {
    let given = inward(&vector.given);
    let number = given_number(&given, state(&given, "state").unwrap());
    json!(number.is_reserved_from_parent(&actor(&given["auth_by"])))
}

fn can_read(vector: &Vector) -> Value {
    let given = inward(&vector.given);
    let number = given_number(&given, state(&given, "state").unwrap());
    let owner = account(&given, "assigned_to").map(lineage);
    json!(number.is_visible_to(&actor(&given["auth_by"]), owner.as_ref()))
}

/// The state in which a vector's number would come in.
fn wanted_state(given: &Value) -> Result<State, CreationDenied> {
    let carrier = text(given, "module_name").and_then(CarrierName::read);
    let ported_in = given["ported_in"] == true;
    let wanted = state(given, "state");
    creation_state(&actor(&given["auth_by"]), wanted, ported_in, carrier.as_ref())
}

fn state_for_create(vector: &Vector) -> Value {
    match wanted_state(&vector.given) {
        Ok(state) => json!({"ok": state.as_str()}),
        Err(denied) => error(&denied.into()),
    }
}

fn request_checks(vector: &Vector) -> Value {
    let given = &vector.given;
    let actor: Actor = actor(&given["auth_by"]);
    let checked = wanted_state(given).and_then(|state| {
        may_create(&actor, state, given["ported_in"] == true)?;
        Ok(state)
    });
    let taker: Result<AccountId, ParseAccountError> =
        AccountId::parse(text(given, "assign_to").unwrap_or_default());
    let full = match (checked, taker) {
        (Err(denied), _) => error(&denied.into()),
        (Ok(_), Err(err)) => json!({"error": err.to_string()}),
        (Ok(state), Ok(taker)) => json!({"ok": {
            "state": state.as_str(), "assign_to": taker.as_str(), "auth_by": actor.name(),
        }}),
    };
    answer(vector, &full)
}

fn carrier_of_new(vector: &Vector) -> Value {
    let given = &vector.given;
    let named = |key| text(given, key).and_then(CarrierName::read);
    let or_local = |key| named(key).unwrap_or_else(CarrierName::local);
    let carrier = creation_carrier(
        state(given, "state").unwrap(),
        given["ported_in"] == true,
        named("module_name"),
        &or_local("port_in_module_name"),
        &or_local("available_module_name"),
    );
    json!(carrier.as_str())
}

fn set_owner(vector: &Vector) -> Value {
    let given = &vector.given;
    let mut number = given_number(given, State::InService);
    number.previous_owner = account(given, "prev");
    number.used_by = text(given, "used_by").map(str::to_owned);
    let before = number.clone();
    number.set_owner(account(given, "set"));
    json!({
        "assigned_to": id(number.owner.as_ref()),
        "used_by": number.used_by,
        "prev_assigned_to": id(number.previous_owner.as_ref()),
        "dirty": number != before,
    })
}

#[test]
fn settings_that_say_nothing_let_a_released_number_age() {
    let settings = number_manager::repository::Settings::read(&Map::new()).unwrap();
    let unset = ReleaseRules {
        released_state: State::Aging,
        should_age: false,
        should_permanently_delete: false,
    };
    assert_eq!(settings.release, unset);
}
