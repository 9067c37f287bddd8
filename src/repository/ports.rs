//! Port requests, as far as numbers need them. They are documents of another program, in a database
//! that need not exist; nothing here writes them.
//!
//! They are asked for by number and by account, and the documents are in the order of neither. An
//! index of our own would be one more thing in a database that is not ours, so the requests that
//! are open, which are few, are kept in memory and brought up to date from the database's feed: the
//! first question reads every request once, and later ones what has changed.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::Value;
use tokio::sync::Mutex;

use super::{NumberRepository, RepositoryError};
use crate::{
    domain::{AccountId, E164},
    store::{Body, DbName, Kind, Lookup, Seq, SharedStore, StoreError},
};

/// The database of port requests.
pub(super) const DATABASE: &str = "port_requests";
/// For how long what was read counts as known, at most.
const REMEMBERED: Duration = Duration::from_secs(5);
/// How many changes are read at once.
const READ_AT_ONCE: usize = 200;
/// The states in which a request concerns nobody but who wrote it.
const CLOSED: [&str; 3] = ["unconfirmed", "canceled", "completed"];
/// The state of a request that was refused: it is shown, and holds nobody up.
const REJECTED: &str = "rejected";

/// A number in an open port request.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Port {
    /// The number.
    pub number: E164,
    /// The account that it is to come to.
    pub account: AccountId,
    /// The id of the request.
    pub request: String,
    /// Where the request stands.
    pub state: String,
    /// The application that the number is to route to.
    pub used_by: Option<String>,
    /// When the request was made, in Gregorian seconds.
    pub created: i64,
    /// When it was last changed, in Gregorian seconds.
    pub modified: i64,
}

/// Reads port requests.
#[derive(Clone, Debug)]
pub struct PortRepository {
    store: SharedStore,
    known: Arc<Mutex<Known>>,
}

/// What is known of the requests, up to a place in their feed.
#[derive(Debug, Default)]
struct Known {
    place: Option<Seq>,
    read_at: Option<Instant>,
    requests: BTreeMap<String, Vec<Port>>,
    /// Whether the index is older than the requests.
    is_behind: bool,
    index: Arc<Index>,
}

#[derive(Debug, Default)]
struct Index {
    by_number: HashMap<E164, Port>,
    by_account: HashMap<AccountId, Vec<Port>>,
}

impl PortRepository {
    /// The port requests of the store that these numbers are in.
    #[must_use]
    pub fn beside(numbers: &NumberRepository) -> Self {
        Self { store: numbers.store.clone(), known: Arc::default() }
    }

    /// The numbers in open requests of an account, in order.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn of_account(&self, account: &AccountId) -> Result<Vec<Port>, RepositoryError> {
        let index = self.index().await?;
        Ok(index.by_account.get(account).cloned().unwrap_or_default())
    }

    /// The open request that a number is in, whoever made it.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn of_number(&self, number: &E164) -> Result<Option<Port>, RepositoryError> {
        Ok(self.index().await?.by_number.get(number).cloned())
    }

    async fn index(&self) -> Result<Arc<Index>, RepositoryError> {
        let mut known = self.known.lock().await;
        if known.read_at.is_none_or(|read_at| read_at.elapsed() >= REMEMBERED) {
            match self.catch_up(&mut known).await {
                Ok(()) => (),
                Err(err) if err.kind == Kind::NoDatabase => *known = Known::default(),
                Err(err) => {
                    // A place that is not understood any more is of a database that was replaced.
                    if !err.kind.is_retryable() {
                        *known = Known::default();
                    }
                    return Err(err.into());
                }
            }
            known.read_at = Some(Instant::now());
        }
        Ok(known.index.clone())
    }

    /// Reads what has changed. When it is interrupted, the next one goes on where it was.
    async fn catch_up(&self, known: &mut Known) -> Result<(), StoreError> {
        let db = DbName::new(DATABASE);
        loop {
            let changes = self.store.changes(&db, known.place.as_ref(), READ_AT_ONCE).await?;
            if changes.rows.is_empty() {
                break;
            }
            let ids: Vec<String> = changes.rows.into_iter().map(|row| row.id).collect();
            let found = self.store.get_many(&db, &ids).await?;
            for (id, found) in ids.iter().zip(found) {
                known.learn(id, found);
            }
            known.place = Some(changes.last);
        }
        if known.is_behind {
            known.index = Arc::new(Index::of(known.requests.values().flatten()));
            known.is_behind = false;
        }
        Ok(())
    }
}

impl Port {
    /// Whether the number is on its way, so that nobody may create it.
    #[must_use]
    pub fn is_under_way(&self) -> bool {
        self.state != REJECTED
    }
}

impl Known {
    fn learn(&mut self, id: &str, found: Lookup) {
        let ports = found.live().map(|found| read(id, &found.body)).unwrap_or_default();
        let before = if ports.is_empty() {
            self.requests.remove(id)
        } else {
            self.requests.insert(id.to_owned(), ports)
        };
        self.is_behind |= self.requests.get(id) != before.as_ref();
    }
}

impl Index {
    fn of<'a>(ports: impl Iterator<Item = &'a Port>) -> Self {
        let mut ports: Vec<&Port> = ports.collect();
        // Of several requests with one number, one that is under way speaks for it.
        ports.sort_by_key(|port| (&port.number, !port.is_under_way(), &port.request));
        let mut index = Self::default();
        for port in ports {
            let of_account = index.by_account.entry(port.account.clone()).or_default();
            if of_account.last().is_none_or(|last| last.number != port.number) {
                of_account.push(port.clone());
            }
            index.by_number.entry(port.number.clone()).or_insert_with(|| port.clone());
        }
        index
    }
}

/// The numbers of a request; none when it is closed, or cannot be understood.
fn read(id: &str, body: &Body) -> Vec<Port> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let time = |key: &str| body.get(key).and_then(Value::as_i64).unwrap_or_default();
    let is_deleted = body.get("pvt_deleted").and_then(Value::as_bool) == Some(true);
    let state = text("pvt_port_state").or_else(|| text("port_state")).unwrap_or("unconfirmed");
    let account = text("pvt_account_id").and_then(|text| AccountId::parse_any(text).ok());
    let numbers = body.get("numbers").and_then(Value::as_object);
    let (Some(account), Some(numbers)) = (account, numbers) else {
        return Vec::new();
    };
    if text("pvt_type") != Some("port_request") || is_deleted || CLOSED.contains(&state) {
        return Vec::new();
    }
    let port = |(number, members): (&String, &Value)| {
        Some(Port {
            number: E164::parse(number).ok()?,
            account: account.clone(),
            request: id.to_owned(),
            state: state.to_owned(),
            used_by: members.get("used_by").and_then(Value::as_str).map(str::to_owned),
            created: time("pvt_created"),
            modified: time("pvt_modified"),
        })
    };
    numbers.iter().filter_map(port).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ACCOUNT: &str = "0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f0f";

    #[expect(clippy::needless_pass_by_value, reason = "written as literals")]
    fn ports(members: Value) -> Vec<Port> {
        let mut body = json!({
            "pvt_type": "port_request", "pvt_account_id": ACCOUNT, "pvt_port_state": "submitted",
            "numbers": {"+14155550177": {"used_by": "callflow"}, "oops": {}},
        });
        body.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        read("p", body.as_object().unwrap())
    }

    #[test]
    fn a_request_is_read_when_it_is_open() {
        let open = ports(json!({"pvt_created": 7, "pvt_modified": 8}));
        assert_eq!(open.len(), 1);
        assert_eq!(open[0].number.as_str(), "+14155550177");
        assert_eq!((open[0].created, open[0].modified), (7, 8));
        assert_eq!(open[0].used_by.as_deref(), Some("callflow"));
        for state in ["submitted", "pending", "scheduled", "rejected"] {
            assert_eq!(ports(json!({"pvt_port_state": state})).len(), 1, "{state}");
        }
        for closed in [
            json!({"pvt_port_state": "unconfirmed"}),
            json!({"pvt_port_state": "completed"}),
            json!({"pvt_port_state": "canceled"}),
            json!({"pvt_port_state": null}),
            json!({"pvt_deleted": true}),
            json!({"pvt_type": "number"}),
            json!({"pvt_account_id": "x"}),
            json!({"numbers": ["+14155550177"]}),
        ] {
            assert_eq!(ports(closed.clone()), [], "{closed}");
        }
        assert_eq!(ports(json!({"pvt_port_state": null, "port_state": "pending"})).len(), 1);
    }

    #[test]
    fn a_request_that_is_under_way_speaks_for_a_number() {
        let port = |request: &str, state: &str| {
            let mut port = ports(json!({"pvt_port_state": state})).remove(0);
            port.request = request.to_owned();
            port
        };
        let both = [port("a", "rejected"), port("b", "pending")];
        let index = Index::of(both.iter());
        assert_eq!(index.by_number[&both[0].number].request, "b");
        assert_eq!(index.by_account[&both[0].account].len(), 1);
    }

    #[test]
    fn what_was_learnt_is_forgotten_with_the_request() {
        let mut known = Known::default();
        let body = json!({
            "pvt_type": "port_request", "pvt_account_id": ACCOUNT, "pvt_port_state": "submitted",
            "numbers": {"+14155550177": {}},
        });
        let document = crate::store::Document {
            id: "p".to_owned(),
            rev: crate::store::Rev::new("1-a"),
            body: body.as_object().unwrap().clone(),
            conflicts: Vec::new(),
        };
        known.learn("p", Lookup::Live(document.clone()));
        assert!(known.is_behind && known.requests.len() == 1);
        known.is_behind = false;
        known.learn("p", Lookup::Live(document));
        assert!(!known.is_behind, "nothing is new");
        known.learn("p", Lookup::Missing);
        assert!(known.is_behind && known.requests.is_empty());
    }
}
