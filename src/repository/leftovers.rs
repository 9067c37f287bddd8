//! What those who provide features outside are still to be told of a number: written down before the
//! number is written, so that it is not forgotten, and until they have been told. And, apart from that,
//! the letters to humans about it.
//!
//! What is written down only says where to look. What is to be there outside is what the number's own
//! document says, by then. Whoever begins to tell writes that down first, and so does whoever is about
//! to put something on the number; only one of them can.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{NumberRepository, OWN_DATABASE, OpenPage, RepositoryError, write_id};
use crate::{
    domain::E164,
    store::{Body, DbName, Document, Expect, Kind, Rev, WRITE_ID, Write},
};

/// How often something is written down again because somebody else did at the same time.
const TRIES: u32 = 5;

/// What it is that is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Matter {
    /// What providers are to be told.
    Features,
    /// What humans are to be told.
    Letters,
}

/// What is left to be done by one provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Left {
    /// The provider's name.
    pub provider: String,
    /// What it needs to know.
    pub data: Value,
}

/// What is left to be done outside for a number.
#[derive(Clone, Debug, PartialEq)]
pub struct Leftover {
    /// What it is.
    pub matter: Matter,
    /// The number.
    pub number: E164,
    /// What is left, in the order in which it came up.
    pub left: Vec<Left>,
    /// The revision at which the number was to be changed: while it is stored, the change may come.
    pub of_rev: Option<String>,
    /// Since when it is left, in Gregorian seconds.
    pub since: i64,
    /// From when on it may be tried, in Gregorian seconds.
    pub due: i64,
    /// Until when somebody who has begun may still be at it, in Gregorian seconds; 0 while nobody has
    /// begun.
    pub begun_until: i64,
    /// How often it failed.
    pub tries: u32,
    /// Why, the last time.
    pub reason: Option<String>,
    rev: Option<Rev>,
}

impl Matter {
    /// What the ids begin with; the number follows.
    fn prefix(self) -> &'static str {
        match self {
            Self::Features => "provide:",
            Self::Letters => "letters:",
        }
    }

    fn id(self, number: &E164) -> String {
        format!("{}{number}", self.prefix())
    }
}

impl Leftover {
    /// The same, begun by somebody until a time in Gregorian seconds; by nobody for 0.
    #[must_use]
    pub fn begun(self, until: i64) -> Self {
        Self { begun_until: until, ..self }
    }

    /// The same, not before a time in Gregorian seconds.
    #[must_use]
    pub fn held(self, until: i64) -> Self {
        Self { due: until, ..self }
    }

    /// The same after some of it failed.
    #[must_use]
    pub fn failed(self, left: Vec<Left>, reason: String) -> Self {
        Self { left, tries: self.tries.saturating_add(1), reason: Some(reason), ..self }
    }

    /// Whether somebody is at it at a time in Gregorian seconds.
    #[must_use]
    pub fn is_under_way(&self, now: i64) -> bool {
        self.begun_until > now
    }

    fn nothing(matter: Matter, number: &E164, now: i64) -> Self {
        Self {
            matter,
            number: number.clone(),
            left: Vec::new(),
            of_rev: None,
            since: now,
            due: now,
            begun_until: 0,
            tries: 0,
            reason: None,
            rev: None,
        }
    }

    fn encode(&self) -> Body {
        let members = json!({
            "pvt_type": "leftover",
            "number": self.number.as_str(),
            "left": self.left,
            "of_rev": self.of_rev,
            "since": self.since,
            "due": self.due,
            "begun_until": self.begun_until,
            "tries": self.tries,
            "reason": self.reason,
            WRITE_ID: write_id(),
        });
        let Value::Object(body) = members else { unreachable!("written as an object above") };
        body
    }

    fn decode(matter: Matter, found: Document) -> Result<Self, RepositoryError> {
        let body = &found.body;
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let time = |key: &str| body.get(key).and_then(Value::as_i64);
        let read = || {
            Some(Self {
                matter,
                number: E164::parse(text("number")?).ok()?,
                left: Vec::deserialize(body.get("left")?).ok()?,
                of_rev: text("of_rev").map(str::to_owned),
                since: time("since")?,
                due: time("due")?,
                begun_until: time("begun_until")?,
                tries: u32::try_from(time("tries")?).ok()?,
                reason: text("reason").map(str::to_owned),
                rev: Some(found.rev.clone()),
            })
        };
        read().ok_or(RepositoryError::Conflict { id: found.id })
    }
}

impl NumberRepository {
    /// Writes down what is left to be done for a number, beside what is left from before. Not before
    /// `due`, unless that is sooner.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when others keep writing it down, and
    /// [`RepositoryError::Store`].
    pub async fn leave(
        &self,
        matter: Matter,
        number: &E164,
        left: &[Left],
        of_rev: Option<&str>,
        due: i64,
    ) -> Result<(), RepositoryError> {
        for _ in 0..TRIES {
            let found = self.leftover(matter, number).await?;
            let mut all = found.unwrap_or_else(|| Leftover::nothing(matter, number, self.now()));
            let new = left.iter().filter(|it| !all.left.contains(it)).cloned().collect::<Vec<_>>();
            all.left.extend(new);
            all.of_rev = of_rev.map(str::to_owned);
            // What was tried before waits no longer than what is new.
            all.since = self.now();
            all.due = due;
            match self.keep_leftover(all).await {
                Err(RepositoryError::Conflict { .. }) => (),
                kept => return kept.map(|_| ()),
            }
        }
        Err(RepositoryError::Conflict { id: matter.id(number) })
    }

    /// What is left to be done for a number.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] for what cannot be read, and [`RepositoryError::Store`].
    pub async fn leftover(
        &self,
        matter: Matter,
        number: &E164,
    ) -> Result<Option<Leftover>, RepositoryError> {
        let found = self.store.get(&DbName::new(OWN_DATABASE), &matter.id(number)).await?;
        found.live().map(|found| Leftover::decode(matter, found)).transpose()
    }

    /// Writes down where it stands.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when somebody else did since it was read.
    pub async fn keep_leftover(&self, leftover: Leftover) -> Result<Leftover, RepositoryError> {
        let id = leftover.matter.id(&leftover.number);
        let expect = leftover.rev.clone().map_or(Expect::Absent, Expect::At);
        let put = Write::put(DbName::new(OWN_DATABASE), id.as_str(), expect, leftover.encode());
        match self.store.commit(vec![put]).await {
            Ok(done) => Ok(Leftover { rev: done.revs.into_iter().next(), ..leftover }),
            Err(err) if err.error.kind == Kind::Conflict => Err(RepositoryError::Conflict { id }),
            Err(err) => Err(err.error.into()),
        }
    }

    /// Strikes out what is done.
    ///
    /// # Errors
    ///
    /// As [`NumberRepository::keep_leftover`].
    pub async fn end_leftover(&self, leftover: Leftover) -> Result<(), RepositoryError> {
        let Some(rev) = leftover.rev else {
            return Ok(());
        };
        let id = leftover.matter.id(&leftover.number);
        let stamp = Body::from_iter([(WRITE_ID.to_owned(), write_id().into())]);
        let delete = Write::delete(DbName::new(OWN_DATABASE), id.as_str(), rev, stamp);
        match self.store.commit(vec![delete]).await {
            Ok(_) => Ok(()),
            Err(err) if err.error.kind == Kind::Conflict => Err(RepositoryError::Conflict { id }),
            Err(err) => Err(err.error.into()),
        }
    }

    /// A page of what is left, by number, behind `after`; what cannot be read by its id. And where the
    /// next page goes on.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn leftovers(
        &self,
        matter: Matter,
        after: Option<&E164>,
        limit: usize,
    ) -> Result<OpenPage<Leftover>, RepositoryError> {
        let decode: fn(Document) -> _ = match matter {
            Matter::Features => |found| Leftover::decode(Matter::Features, found),
            Matter::Letters => |found| Leftover::decode(Matter::Letters, found),
        };
        self.open_matters(matter.prefix(), after, limit, decode).await
    }
}
