//! A number as the wire shows it. Old interfaces read `features` at the top and `_read_only`, new
//! ones the envelope's `metadata`: all of them are written.

use serde_json::{Map, Value, json};

use crate::{
    domain::{Number, State},
    service::{Creation, Mirror, NumberRecord, NumberView},
};

use super::{envelope::Reply, fault::Fault, schema};

/// Members that clients send back as they got them, or that steer a request: never stored.
const DROPPED: &[&str] = &[
    "state",
    "id",
    "used_by",
    "_read_only",
    "features",
    "features_available",
    "metadata",
    "create_with_state",
    "carrier_name",
    "accept_charges",
];
/// The longest name of a carrier, in characters.
const CARRIER_NAME_MAX: usize = 30;

/// What a body asks to be written on a number.
#[derive(Debug)]
pub(super) struct Wanted {
    /// The public members.
    pub public: Map<String, Value>,
    /// The state asked for.
    pub state: Option<State>,
    /// The carrier asked for.
    pub carrier: Option<String>,
}

impl Wanted {
    /// A number that is to be created so.
    pub(super) fn into_creation(self) -> Creation {
        let Self { public, state, carrier } = self;
        Creation { public, state, carrier, ported_in: false }
    }

    /// Reads the body of a write of one number, which has to fit the schema.
    pub(super) fn read(data: &Map<String, Value>) -> Result<Self, Fault> {
        Self::unchecked(&schema::check(data)?)
    }

    /// Reads members that no schema holds for.
    pub(super) fn unchecked(data: &Map<String, Value>) -> Result<Self, Fault> {
        let is_public = |name: &str| {
            !name.starts_with('_') && !name.starts_with("pvt_") && !DROPPED.contains(&name)
        };
        let public = data.iter().filter(|(name, _)| is_public(name));
        Ok(Self {
            public: public.map(|(name, value)| (name.clone(), value.clone())).collect(),
            state: data.get("create_with_state").map(read_state).transpose()?,
            carrier: data.get("carrier_name").map(read_carrier).transpose()?,
        })
    }
}

fn read_state(value: &Value) -> Result<State, Fault> {
    let state = value.as_str().and_then(|text| State::parse(text).ok());
    state.ok_or_else(|| {
        let what = json!({
            "message": "Value not found in enumerated list of values",
            "target": State::ALL.map(State::as_str),
            "value": value,
        });
        Fault::validation("create_with_state", "enum", what)
    })
}

fn read_carrier(value: &Value) -> Result<String, Fault> {
    const NAME: &str = "carrier_name";
    let Value::String(text) = value else {
        return Err(Fault::wrong_type(NAME, "string", value));
    };
    let refuse = |rule: &str, message: String, target: usize| {
        let what = json!({ "message": message, "target": target, "value": text });
        Err(Fault::validation(NAME, rule, what))
    };
    match text.chars().count() {
        0 => refuse("minLength", "String must be at least 1 characters".to_owned(), 1),
        length if length > CARRIER_NAME_MAX => {
            let message = format!("String must not be more than {CARRIER_NAME_MAX} characters");
            refuse("maxLength", message, CARRIER_NAME_MAX)
        }
        _ => Ok(text.clone()),
    }
}

/// The answer that shows one number.
pub(super) fn reply(view: NumberView) -> Reply {
    let pending = view.mirror == Mirror::Pending;
    let (data, metadata) = body(&view);
    let reply = Reply::ok(data).metadata(metadata).revision(view.revision);
    if pending { reply.accepted() } else { reply }
}

/// The answer that shows an administrator one number, wherever it is.
pub(super) fn record_reply(record: NumberRecord) -> Reply {
    let (mut data, mut metadata) = body(&record.view);
    let number = &record.view.number;
    let place = json!({
        "assigned_to": number.owner.as_ref().map(ToString::to_string),
        "previously_assigned_to": number.previous_owner.as_ref().map(ToString::to_string),
        "carrier": number.carrier.as_str(),
        "database": record.database,
        "reserve_history": number.reserve_history.accounts().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "mirror": { "synced": record.drift.is_empty(), "drift": record.drift },
    });
    if let Value::Object(place) = place {
        data.extend(place.clone());
        metadata.extend(place);
    }
    Reply::ok(data).metadata(metadata).revision(record.view.revision)
}

/// One number among many.
pub(super) fn data(view: &NumberView) -> Value {
    Value::Object(body(view).0)
}

/// One number: `data`, and the envelope's `metadata`.
fn body(view: &NumberView) -> (Map<String, Value>, Map<String, Value>) {
    let number = &view.number;
    let read_only = read_only(view);
    let mut metadata = Map::with_capacity(read_only.len() + 1);
    metadata.insert("id".to_owned(), number.id.as_str().into());
    metadata.extend(read_only.clone());
    let mut data = number.public.clone();
    data.insert("id".to_owned(), number.id.as_str().into());
    data.insert("state".to_owned(), number.state.as_str().into());
    // What a document of another program says publicly is not what is in force.
    data.shift_remove("used_by");
    if let Some(app) = &number.used_by {
        data.insert("used_by".to_owned(), app.as_str().into());
    }
    data.insert("features".to_owned(), features(number));
    data.insert("features_available".to_owned(), view.features_available.clone().into());
    data.insert("_read_only".to_owned(), Value::Object(read_only));
    (data, metadata)
}

fn read_only(view: &NumberView) -> Map<String, Value> {
    let number = &view.number;
    let mut map = Map::new();
    map.insert("created".to_owned(), number.created.into());
    map.insert("modified".to_owned(), number.modified.into());
    if let Some(carrier) = number.carrier.short() {
        map.insert("carrier_module".to_owned(), carrier.into());
    }
    map.insert("state".to_owned(), number.state.as_str().into());
    if let Some(app) = &number.used_by {
        map.insert("used_by".to_owned(), app.as_str().into());
    }
    let features =
        json!({ "available": view.features_available, "settings": view.feature_settings });
    map.insert("features".to_owned(), features);
    if number.state == State::Deleted {
        map.insert("is_deleted".to_owned(), true.into());
    }
    if view.mirror == Mirror::Pending {
        map.insert("mirror".to_owned(), "pending".into());
    }
    map
}

fn features(number: &Number) -> Value {
    let mut names: Vec<&str> = number.features.keys().map(String::as_str).collect();
    names.sort_unstable();
    names.into()
}

/// A number as a row of a listing.
pub(super) fn row(view: &NumberView) -> Map<String, Value> {
    let number = &view.number;
    let mut row = Map::new();
    row.insert("state".to_owned(), number.state.as_str().into());
    row.insert("features".to_owned(), features(number));
    row.insert("features_allowed".to_owned(), number.features_allowed.clone().into());
    row.insert("features_denied".to_owned(), number.features_denied.clone().into());
    row.insert("features_available".to_owned(), view.features_available.clone().into());
    if let Some(owner) = &number.owner {
        row.insert("assigned_to".to_owned(), owner.as_str().into());
    }
    if let Some(app) = &number.used_by {
        row.insert("used_by".to_owned(), app.as_str().into());
    }
    row.insert("created".to_owned(), number.created.into());
    row.insert("updated".to_owned(), number.modified.into());
    row
}

#[cfg(test)]
mod tests {
    use crate::domain::{Actor, CarrierName, E164};

    use super::*;

    fn view() -> NumberView {
        let id = E164::parse("+14155550100").unwrap();
        let mut number =
            Number::new(id, State::InService, CarrierName::local(), &Actor::operator(), 7);
        number.public.insert("my".to_owned(), json!({"tag": "x"}));
        NumberView {
            number,
            revision: Some("1-a".to_owned()),
            features_available: vec!["failover".to_owned()],
            feature_settings: Map::new(),
            mirror: Mirror::Synced,
        }
    }

    #[test]
    fn one_number_is_shown_to_old_and_new_interfaces() {
        let (data, metadata) = body(&view());
        let read_only = json!({
            "created": 7, "modified": 7, "carrier_module": "local", "state": "in_service",
            "features": {"available": ["failover"], "settings": {}},
        });
        assert_eq!(
            Value::Object(data),
            json!({
                "my": {"tag": "x"}, "id": "+14155550100", "state": "in_service",
                "features": ["local"], "features_available": ["failover"], "_read_only": read_only,
            })
        );
        assert_eq!(
            Value::Object(metadata),
            json!({
                "id": "+14155550100", "created": 7, "modified": 7, "carrier_module": "local",
                "state": "in_service", "features": {"available": ["failover"], "settings": {}},
            })
        );
    }

    #[test]
    fn a_pending_mirror_and_a_deletion_are_said() {
        let mut view = view();
        view.mirror = Mirror::Pending;
        view.number.state = State::Deleted;
        let (data, metadata) = body(&view);
        assert_eq!(data["_read_only"]["mirror"], "pending");
        assert_eq!(metadata["mirror"], "pending");
        assert_eq!(data["_read_only"]["is_deleted"], true);
    }

    #[test]
    fn what_is_not_the_clients_to_write_is_dropped() {
        let data = json!({
            "my": 1, "pvt_state": "aging", "_foo": 1, "id": "zzz", "state": "aging", "used_by": "x",
            "_read_only": {}, "features": [], "features_available": [], "metadata": {},
            "create_with_state": "reserved", "carrier_name": "local",
        });
        let wanted = Wanted::read(data.as_object().unwrap()).unwrap();
        assert_eq!(Value::Object(wanted.public), json!({"my": 1}));
        assert_eq!(wanted.state, Some(State::Reserved));
        assert_eq!(wanted.carrier.as_deref(), Some("local"));
    }

    #[test]
    fn bad_values_name_the_field_and_the_rule() {
        let check = |data: Value, field: &str, rule: &str| {
            let fault = Wanted::read(data.as_object().unwrap()).unwrap_err();
            assert_eq!((fault.status.as_u16(), &*fault.message), (400, "validation error"));
            assert!(fault.data[field][rule]["message"].is_string(), "{}", fault.data);
        };
        check(json!({"create_with_state": "nope"}), "create_with_state", "enum");
        check(json!({"create_with_state": 1}), "create_with_state", "enum");
        check(json!({"carrier_name": 1}), "carrier_name", "type");
        check(json!({"carrier_name": ""}), "carrier_name", "minLength");
        check(json!({"carrier_name": "x".repeat(31)}), "carrier_name", "maxLength");
    }
}
