//! What is kept of a write of a number.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{DATABASES, Origin};
use crate::{
    domain::{E164, from_gregorian_seconds},
    repository::{codec, write_id},
    store::{Body, Change, DbName, Expect, Lookup, Rev, WRITE_ID, Write},
};

/// The type of the documents.
const TYPE: &str = "number_write";
/// Where the names of databases of numbers begin.
const NUMBERS: &str = "numbers/+";

/// A write of a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The number.
    pub number: String,
    /// When (RFC 3339).
    pub time: String,
    /// What was asked for: a method and a route, or a job's operation.
    pub operation: Option<String>,
    /// The account of the token; none for the operator's own, and for what nobody asked for.
    pub account_id: Option<String>,
    /// The token's own name.
    pub jti: Option<String>,
    /// The request.
    pub request_id: Option<String>,
    /// The job.
    pub job_id: Option<String>,
    /// How the number stood; none when it is new.
    pub before: Option<Side>,
    /// How it stands; none when it is deleted.
    pub after: Option<Side>,
    /// The name of the write, which is that of the entry's own as well: the same one twice is one.
    #[serde(rename = "pvt_write_id")]
    pub(super) write: String,
    /// The name of the write before it.
    #[serde(rename = "pvt_follows", default)]
    pub(super) follows: Option<String>,
}

/// How a number stood before or after a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// Its state.
    pub state: Option<String>,
    /// Its owner.
    pub assigned_to: Option<String>,
    /// Its revision, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
}

/// What a write is made over.
#[derive(Clone, Debug, Default)]
pub(in crate::repository) struct Ground {
    /// How the number stood; none when there was none.
    pub(in crate::repository) side: Option<Side>,
    /// The name of the write that made it so.
    pub(in crate::repository) write: Option<String>,
}

impl Ground {
    /// What was found under a number's id.
    pub(in crate::repository) fn of(found: &Lookup) -> Self {
        match found {
            Lookup::Live(found) => Self::live(&found.body, Some(&found.rev)),
            Lookup::Deleted(left) => Self::left(&left.body),
            Lookup::Missing => Self::default(),
        }
    }

    /// A number's document, with its revision.
    pub(in crate::repository) fn live(body: &Body, rev: Option<&Rev>) -> Self {
        Self { side: Some(Side::of(body, rev)), write: write_name(body) }
    }

    /// What a number left behind.
    pub(in crate::repository) fn left(tombstone: &Body) -> Self {
        Self { side: None, write: write_name(tombstone) }
    }
}

impl Entry {
    /// The entry of a write; none of a write of something else.
    pub(in crate::repository) fn of(ground: Ground, write: &Write, now: i64) -> Option<Self> {
        if !write.db.as_str().starts_with(NUMBERS) {
            return None;
        }
        let number = E164::parse(&write.id).ok()?;
        let (Change::Put(left) | Change::Delete(left)) = &write.change;
        let time = codec::modified(left).unwrap_or(now);
        let origin = Origin::current();
        let of_origin =
            |read: fn(&Origin) -> Option<&str>| origin.as_ref().and_then(read).map(str::to_owned);
        Some(Self {
            number: number.to_string(),
            time: written(time),
            operation: of_origin(|it| Some(it.operation())),
            account_id: of_origin(|it| it.caller()?.account.as_deref()),
            jti: of_origin(|it| it.caller()?.jti.as_deref()),
            request_id: of_origin(Origin::request_id),
            job_id: of_origin(Origin::job_id),
            before: ground.side,
            after: match &write.change {
                Change::Put(body) => Some(Side::of(body, None)),
                Change::Delete(_) => None,
            },
            write: write_name(left).unwrap_or_else(write_id),
            follows: ground.write,
        })
    }

    /// The same of a write that keeps the time that the number says it was changed at.
    pub(in crate::repository) fn at(self, now: i64) -> Self {
        Self { time: written(now), ..self }
    }

    /// Where it lies: the same for the same write.
    pub(super) fn place(&self) -> (DbName, String) {
        let digits = |text: &str| text.bytes().filter(u8::is_ascii_digit).map(char::from).collect();
        let time: String = digits(self.time.split('.').next().unwrap_or_default());
        let db = DbName::new(format!("{DATABASES}{}", time.get(..6).unwrap_or_default()));
        (db, format!("{}@{time}@{}", self.number, self.write))
    }

    /// The write that stores it.
    pub(super) fn put(&self) -> Write {
        let (db, id) = self.place();
        let mut body = Body::from_iter([("pvt_type".to_owned(), TYPE.into())]);
        if let Value::Object(members) = json!(self) {
            body.extend(members);
        }
        Write::put(db, id, Expect::Absent, body)
    }
}

/// The name of the write that a document is of.
pub(super) fn write_name(body: &Body) -> Option<String> {
    body.get(WRITE_ID).and_then(Value::as_str).map(str::to_owned)
}

fn written(time: i64) -> String {
    from_gregorian_seconds(time).unwrap_or_default().to_string()
}

impl Side {
    fn of(body: &Body, rev: Option<&Rev>) -> Self {
        Self {
            state: codec::stored_state(body).map(str::to_owned),
            assigned_to: codec::owner(body).map(|owner| owner.to_string()),
            revision: rev.map(|rev| rev.as_str().to_owned()),
        }
    }
}
