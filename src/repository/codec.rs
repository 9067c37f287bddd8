//! Numbers as documents, and back: the only file that knows their stored field names.
//!
//! Old spellings of a field are read and today's are written. What nobody here understands stays
//! where it stands, private or not.

use serde_json::{Map, Value};

use crate::{
    domain::{
        AccountId, CarrierName, E164, Number, ReserveHistory, State, encoded, number_database,
    },
    store::{Body, WRITE_ID},
};

/// A member that is not what it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("member {field} {problem}")]
pub struct UndecodableField {
    /// The member.
    pub field: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

/// Members that were replaced by others, and the public ones that KAZOO once stored by mistake.
const OUTDATED: [&str; 5] =
    ["pvt_number_state", "pvt_module_data", "pvt_carrier_module", "used_by", "id"];

/// Today's private members, in the order in which a new document gets them.
const PRIVATE: [&str; 18] = [
    "pvt_type",
    "pvt_db_name",
    "pvt_module_name",
    "pvt_state",
    "pvt_state_since",
    "pvt_ported_in",
    "pvt_assigned_to",
    "pvt_previously_assigned_to",
    "pvt_used_by",
    "pvt_features",
    "pvt_features_allowed",
    "pvt_features_denied",
    "pvt_reserve_history",
    "pvt_carrier_data",
    "pvt_authorizing_account",
    "pvt_created",
    "pvt_modified",
    WRITE_ID,
];

/// Reads a number's document. `of_new_numbers` is the carrier of documents that name none; `now`,
/// in Gregorian seconds, the time of those that say no other.
///
/// # Errors
///
/// The first [`UndecodableField`] without which the number would be misunderstood.
pub fn decode(
    id: &E164,
    body: &Body,
    of_new_numbers: &CarrierName,
    now: i64,
) -> Result<Number, UndecodableField> {
    if text(body, "pvt_type").is_some_and(|kind| kind != "number") {
        return Err(UndecodableField { field: "pvt_type", problem: "is not `number`" });
    }
    let public = read_public(body);
    let carrier = stored_carrier(body).and_then(CarrierName::read);
    let created = time(body, "pvt_created").unwrap_or(now);
    let mut number = Number {
        id: id.clone(),
        state: read_state(body)?,
        carrier: of_new_numbers.clone(),
        owner: account(body, "pvt_assigned_to")?,
        previous_owner: account(body, "pvt_previously_assigned_to")?,
        used_by: text(body, "pvt_used_by").or_else(|| text(body, "used_by")).map(str::to_owned),
        features: read_features(body, &public),
        features_allowed: texts(body, "pvt_features_allowed"),
        features_denied: texts(body, "pvt_features_denied"),
        reserve_history: read_history(body)?,
        ported_in: read_ported_in(body)?,
        carrier_data: read_carrier_data(body),
        authorizing_account: text(body, "pvt_authorizing_account").map(str::to_owned),
        created,
        modified: time(body, "pvt_modified").unwrap_or(now),
        state_since: time(body, "pvt_state_since"),
        public,
    };
    number.set_carrier(carrier.unwrap_or_else(|| of_new_numbers.clone()));
    Ok(number)
}

/// The document of a number, written over the one that was read: `base` gives the order of members
/// and everything that is not ours. `write_id` names this write.
#[must_use]
pub fn encode(number: &Number, base: &Body, write_id: &str) -> Body {
    let mut private = private_members(number, write_id);
    let mut body = Body::new();
    for (key, value) in base {
        if OUTDATED.contains(&key.as_str()) {
            continue;
        }
        if PRIVATE.contains(&key.as_str()) {
            if let Some(value) = private.shift_remove(key) {
                body.insert(key.clone(), value);
            }
        } else if key.starts_with('_') || key.starts_with("pvt_") {
            body.insert(key.clone(), value.clone());
        } else if let Some(value) = number.public.get(key) {
            body.insert(key.clone(), value.clone());
        }
    }
    body.extend(private);
    for (key, value) in &number.public {
        if is_public(key) && !body.contains_key(key) {
            body.insert(key.clone(), value.clone());
        }
    }
    body
}

/// Whether a member is its owner's to write. What is written to a number can come from a client.
fn is_public(key: &str) -> bool {
    !key.starts_with('_') && !key.starts_with("pvt_") && !OUTDATED.contains(&key)
}

/// The name under which a document stores its carrier, as it stands; `None` when it has none.
#[must_use]
pub(super) fn stored_carrier(body: &Body) -> Option<&str> {
    let named = |key| body.get(key).and_then(Value::as_str);
    named("pvt_module_name").or_else(|| named("pvt_carrier_module"))
}

/// What a deleted number leaves behind: who owned it, so that no copy of it is forgotten.
#[must_use]
pub(super) fn tombstone(owners: &Owners, deleted_at: i64, write_id: &str) -> Body {
    let id = |account: &Option<AccountId>| account.as_ref().map(|it| Value::from(it.as_str()));
    let members = [
        ("pvt_type", Some(Value::from("number"))),
        ("pvt_assigned_to", id(&owners.owner)),
        ("pvt_previously_assigned_to", id(&owners.previous_owner)),
        ("pvt_modified", Some(deleted_at.into())),
        (WRITE_ID, Some(write_id.into())),
    ];
    let present = members.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    present.collect()
}

/// Who owned a number, as far as a document or a tombstone can be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owners {
    /// The owner.
    pub(super) owner: Option<AccountId>,
    /// The last different owner.
    pub(super) previous_owner: Option<AccountId>,
}

/// The owner that a document names, as far as it can be read.
#[must_use]
pub(super) fn owner(body: &Body) -> Option<AccountId> {
    account(body, "pvt_assigned_to").ok().flatten()
}

/// Who owns a number, or owned one that was deleted. Tombstones of other programs say nothing.
#[must_use]
pub(super) fn tombstone_owners(tombstone: &Body) -> Owners {
    Owners {
        owner: account(tombstone, "pvt_assigned_to").ok().flatten(),
        previous_owner: account(tombstone, "pvt_previously_assigned_to").ok().flatten(),
    }
}

fn private_members(number: &Number, write_id: &str) -> Map<String, Value> {
    let mut members = Map::new();
    for key in PRIVATE {
        if let Some(value) = private_member(number, key, write_id) {
            members.insert(key.to_owned(), value);
        }
    }
    members
}

fn private_member(number: &Number, key: &str, write_id: &str) -> Option<Value> {
    let id = |account: &AccountId| Value::from(account.as_str());
    match key {
        "pvt_type" => Some("number".into()),
        "pvt_db_name" => Some(encoded(&number_database(&number.id)).into()),
        "pvt_module_name" => Some(number.carrier.as_str().into()),
        "pvt_state" => Some(number.state.as_str().into()),
        "pvt_state_since" => number.state_since.map(Value::from),
        "pvt_ported_in" => Some(number.ported_in.into()),
        "pvt_assigned_to" => number.owner.as_ref().map(id),
        "pvt_previously_assigned_to" => number.previous_owner.as_ref().map(id),
        "pvt_used_by" => number.used_by.as_deref().map(Value::from),
        "pvt_features" => {
            (!number.features.is_empty()).then(|| Value::Object(number.features.clone()))
        }
        "pvt_features_allowed" => list(number.features_allowed.iter().map(String::as_str)),
        "pvt_features_denied" => list(number.features_denied.iter().map(String::as_str)),
        "pvt_reserve_history" => {
            list(number.reserve_history.accounts().iter().map(AccountId::as_str))
        }
        "pvt_carrier_data" => number.carrier_data.clone(),
        "pvt_authorizing_account" => number.authorizing_account.as_deref().map(Value::from),
        "pvt_created" => Some(number.created.into()),
        "pvt_modified" => Some(number.modified.into()),
        WRITE_ID => Some(write_id.into()),
        _ => None,
    }
}

/// When the number was made, in Gregorian seconds.
pub(super) fn created(body: &Body) -> Option<i64> {
    time(body, "pvt_created")
}

/// When it was changed last, in Gregorian seconds; tombstones of ours say it, too.
pub(super) fn modified(body: &Body) -> Option<i64> {
    time(body, "pvt_modified")
}

/// A list of texts, or nothing when it is empty.
fn list<'a>(texts: impl Iterator<Item = &'a str>) -> Option<Value> {
    let texts: Vec<Value> = texts.map(Value::from).collect();
    (!texts.is_empty()).then_some(Value::Array(texts))
}

fn text<'a>(body: &'a Body, key: &str) -> Option<&'a str> {
    body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn texts(body: &Body, key: &str) -> Vec<String> {
    let items = body.get(key).and_then(Value::as_array);
    items.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}

/// A time in Gregorian seconds. Some writers store it as a fraction or as text.
fn time(body: &Body, key: &str) -> Option<i64> {
    let value = body.get(key)?;
    value
        .as_i64()
        .or_else(|| whole_seconds(value.as_f64()?))
        .or_else(|| value.as_str()?.parse().ok())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "fractions are dropped, and the range is checked"
)]
fn whole_seconds(seconds: f64) -> Option<i64> {
    // Beyond that a fraction no longer holds whole seconds exactly.
    (seconds.abs() < 9e15).then_some(seconds as i64)
}

fn account(body: &Body, key: &'static str) -> Result<Option<AccountId>, UndecodableField> {
    match body.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(value) => {
            let parsed = value.as_str().and_then(|text| AccountId::parse_any(text).ok());
            let problem = "is not the id of an account";
            parsed.map(Some).ok_or(UndecodableField { field: key, problem })
        }
    }
}

/// The state as a document spells it, under today's name or the old one.
pub(super) fn stored_state(body: &Body) -> Option<&str> {
    text(body, "pvt_state").or_else(|| text(body, "pvt_number_state"))
}

fn read_state(body: &Body) -> Result<State, UndecodableField> {
    let stored = stored_state(body);
    let stored = stored.ok_or(UndecodableField { field: "pvt_state", problem: "is missing" })?;
    let problem = "is not a state of a number";
    State::parse(stored).map_err(|_| UndecodableField { field: "pvt_state", problem })
}

fn read_ported_in(body: &Body) -> Result<bool, UndecodableField> {
    match body.get("pvt_ported_in") {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(ported_in)) => Ok(*ported_in),
        Some(_) => {
            Err(UndecodableField { field: "pvt_ported_in", problem: "is neither true nor false" })
        }
    }
}

fn read_history(body: &Body) -> Result<ReserveHistory, UndecodableField> {
    let wrong = |problem| UndecodableField { field: "pvt_reserve_history", problem };
    let accounts = match body.get("pvt_reserve_history") {
        None | Some(Value::Null) => return Ok(ReserveHistory::default()),
        Some(Value::Array(accounts)) => accounts,
        Some(_) => return Err(wrong("is not a list")),
    };
    let parse = |value: &Value| {
        let parsed = value.as_str().and_then(|text| AccountId::parse_any(text).ok());
        parsed.ok_or_else(|| wrong("holds something that is not the id of an account"))
    };
    Ok(ReserveHistory::new(accounts.iter().map(parse).collect::<Result<_, _>>()?))
}

/// The carrier's own data, under today's key or the one of 3.22. Empty values are none; where both
/// hold members, today's come first and the old ones fill up, so that none of them is lost.
fn read_carrier_data(body: &Body) -> Option<Value> {
    let is_some = |value: &&Value| match value {
        Value::Null => false,
        Value::Object(members) => !members.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    };
    let read = |key| body.get(key).filter(is_some);
    match (read("pvt_carrier_data"), read("pvt_module_data")) {
        (Some(Value::Object(today)), Some(Value::Object(old))) => {
            let mut members = today.clone();
            for (key, value) in old {
                members.entry(key).or_insert_with(|| value.clone());
            }
            Some(Value::Object(members))
        }
        (today, old) => today.or(old).cloned(),
    }
}

fn read_public(body: &Body) -> Map<String, Value> {
    let mut public: Map<String, Value> = body
        .iter()
        .filter(|(key, _)| is_public(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    if !public.contains_key("e911") {
        let old = public.get("vitelity_e911").or_else(|| public.get("dash_e911")).cloned();
        if let Some(address) = old {
            public.insert("e911".to_owned(), address);
        }
    }
    public
}

/// The features, from an object or from the list of names that 3.22 stored.
fn read_features(body: &Body, public: &Map<String, Value>) -> Map<String, Value> {
    let mut features = match body.get("pvt_features") {
        Some(Value::Object(features)) => features.clone(),
        Some(Value::Array(names)) => {
            names.iter().filter_map(Value::as_str).map(|name| from_list(name, public)).collect()
        }
        _ => Map::new(),
    };
    for old in ["dash_e911", "vitelity_e911"] {
        if let Some(settings) = features.shift_remove(old) {
            features.insert("e911".to_owned(), settings);
        }
    }
    features
}

/// A feature that stood in a list, with the settings that the public members give it.
fn from_list(name: &str, public: &Map<String, Value>) -> (String, Value) {
    let object = |key: &str| match public.get(key) {
        Some(Value::Object(members)) => members.clone(),
        _ => Map::new(),
    };
    let pick = |key: &str, members: &[&str]| {
        let mut picked = object(key);
        picked.retain(|member, _| members.contains(&member.as_str()));
        Value::Object(picked)
    };
    let settings = match name {
        "force_outbound" => is_true(public.get("force_outbound")).into(),
        "ringback" => pick("ringback", &["early", "transfer"]),
        "failover" => pick("failover", &["e164", "sip"]),
        "prepend" => {
            let mut prepend = object("prepend");
            let enabled = is_true(prepend.get("enabled"));
            prepend.insert("enabled".to_owned(), enabled.into());
            Value::Object(prepend)
        }
        "outbound_cnam" => pick("cnam", &["display_name"]),
        "inbound_lookup" => {
            return ("inbound_cnam".to_owned(), serde_json::json!({"inbound_lookup": true}));
        }
        "dash_e911" | "vitelity_e911" | "telnyx_e911" => {
            return ("e911".to_owned(), Value::Object(object(name)));
        }
        other => Value::Object(object(other)),
    };
    (name.to_owned(), settings)
}

/// True, or a text or number that KAZOO takes for true.
fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(value)) => *value,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}
