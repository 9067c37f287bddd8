//! Emergency addresses, whoever provides them.

use serde_json::{Map, Value};

use super::{Hold, ProviderError, read};
use crate::{
    domain::{E164, Number, State},
    upstream::digits,
};

/// The public member that asks for one, and the feature.
pub(super) const MEMBER: &str = "e911";
pub(super) const FEATURES: &[&str] = &[MEMBER];

/// Who is named when nobody else is.
const SOMEBODY: &str = "Valued Customer";
/// The shortest name of a caller.
const SHORTEST_NAME: usize = 3;

/// Where they are held.
pub(super) fn holds_in(state: State) -> Hold {
    match state {
        State::Reserved | State::InService | State::PortIn => Hold::Held,
        _ => Hold::Dropped,
    }
}

/// What `e911` asks for.
pub(super) fn wanted(public: &Map<String, Value>) -> Vec<(&'static str, Value)> {
    let address = read::object(public, MEMBER);
    address.map(|address| (MEMBER, Value::Object(address.clone()))).into_iter().collect()
}

/// The address of a number.
pub(super) fn address(number: Option<&Number>) -> Option<&Value> {
    number?.features.get(MEMBER)
}

/// Who is said to call from an address: whom it names, else who holds the number.
pub(super) fn caller_name(address: &Value, holder: Option<&str>, longest: usize) -> String {
    let named = address["caller_name"].as_str().map(str::trim);
    let named = named.filter(|name| name.chars().count() >= SHORTEST_NAME);
    let holder = holder.map(str::trim).filter(|name| !name.is_empty());
    let name = named.or(holder).unwrap_or(SOMEBODY);
    let name: String = name.chars().take(longest).collect();
    format!("{name:<SHORTEST_NAME$}")
}

/// The digits of a number where there are such addresses.
pub(super) fn ten_digits(number: &E164) -> Result<&str, ProviderError> {
    digits::ten_digits(number).map_err(|_| {
        let cause = "emergency addresses are for numbers of the North American plan only";
        ProviderError::Invalid { cause: cause.to_owned() }
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_caller_has_a_name() {
        let check = |address: Value, holder: Option<&str>, wanted: &str| {
            assert_eq!(caller_name(&address, holder, 8), wanted, "{address} {holder:?}");
        };
        check(json!({"caller_name": "Ann Lee"}), Some("Acme"), "Ann Lee");
        check(json!({"caller_name": "Al"}), Some("Acme"), "Acme");
        check(json!({"caller_name": 7}), Some("X"), "X  ");
        check(json!({}), Some("A very long name"), "A very l");
        check(json!({}), Some(" "), "Valued C");
        check(json!({}), None, "Valued C");
    }
}
