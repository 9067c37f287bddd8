//! The accounts that the vectors are about, and numbers for them.

use std::sync::LazyLock;

use number_manager::domain::{AccountId, Actor, CarrierName, E164, Lineage, Number, State};
use serde_json::Value;

use crate::support::vectors::vectors;

/// An account of the vectors. Its id has underscores there, which no account's id has here.
const UNDERSCORED: &str = "unrelated_account_b113394f16cb71";
/// The id that stands for it.
const SUBSTITUTE: &str = "unrelatedxaccountxb113394f16cb71";
/// When the numbers of the tests were made, in Gregorian seconds.
pub(crate) const MADE: i64 = 63_600_000_000;

/// The documents of the vectors' accounts, with ids as they are here.
static ACCOUNTS: LazyLock<Vec<Value>> = LazyLock::new(|| {
    vectors("fixture/account").iter().map(|vector| inward(&vector.expect)).collect()
});

/// What a vector gives, with ids as they are here.
pub(crate) fn inward(value: &Value) -> Value {
    replaced(value, UNDERSCORED, SUBSTITUTE)
}

/// An answer, with ids as the vectors spell them.
pub(crate) fn outward(value: &Value) -> Value {
    replaced(value, SUBSTITUTE, UNDERSCORED)
}

fn replaced(value: &Value, from: &str, to: &str) -> Value {
    serde_json::from_str(&value.to_string().replace(from, to)).unwrap()
}

fn document(account: &str) -> &'static Value {
    ACCOUNTS.iter().find(|document| document["id"] == account).unwrap()
}

/// The account under `key` of what is given; `None` when there is `null` or nothing.
pub(crate) fn account(given: &Value, key: &str) -> Option<AccountId> {
    given[key].as_str().map(|id| AccountId::parse(id).unwrap())
}

/// The accounts in a list.
pub(crate) fn accounts(list: &Value) -> Vec<AccountId> {
    let ids = list.as_array().into_iter().flatten();
    ids.map(|id| AccountId::parse(id.as_str().unwrap()).unwrap()).collect()
}

/// An account of the vectors, with its ancestors.
pub(crate) fn lineage(account: AccountId) -> Lineage {
    let ancestors = accounts(&document(account.as_str())["pvt_tree"]);
    Lineage { account, ancestors }
}

/// Who asks: `system` is the operator, `null` somebody without an account or a right.
pub(crate) fn actor(auth_by: &Value) -> Actor {
    match auth_by.as_str() {
        Some("system") => Actor::operator(),
        Some(id) => {
            let document = document(id);
            let Lineage { account, ancestors } = lineage(AccountId::parse(id).unwrap());
            Actor {
                account: Some(account),
                is_admin: document["pvt_superduper_admin"] == true,
                may_add_numbers: document["pvt_wnm_allow_additions"] == true,
                ancestors,
            }
        }
        None => {
            Actor { account: None, is_admin: false, may_add_numbers: false, ancestors: Vec::new() }
        }
    }
}

/// A number that the operator made.
pub(crate) fn number(state: State, carrier: &str) -> Number {
    let id = E164::parse("+14158867900").unwrap();
    let carrier = CarrierName::read(carrier).unwrap();
    Number::new(id, state, carrier, &Actor::operator(), MADE)
}
