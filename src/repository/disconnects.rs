//! Numbers that are to be given back to their carriers: written down before a number is deleted, so
//! that none is forgotten, and until it is done.
//!
//! What is written down is a wish. Whether it holds is what the number's own document says: a number
//! that is stored is not given back. Whoever begins to give one back writes that down first, and so
//! does whoever is about to store the number again; only one of them can.

use serde_json::{Value, json};

use super::{NumberRepository, OWN_DATABASE, OpenPage, RepositoryError, write_id};
use crate::{
    domain::{CarrierName, E164, Number},
    store::{Body, DbName, Document, Expect, Kind, Lookup, Rev, WRITE_ID, Write},
};

/// What the ids begin with; the number follows.
const PREFIX: &str = "disconnect:";

/// A number that is to be given back.
#[derive(Clone, Debug, PartialEq)]
pub struct Disconnect {
    /// The number.
    pub number: E164,
    /// Who takes it back.
    pub carrier: CarrierName,
    /// What the carrier needs to know.
    pub data: Option<Value>,
    /// The revision at which the number was to be deleted.
    pub of_rev: String,
    /// Since when it is to be given back, in Gregorian seconds.
    pub since: i64,
    /// From when on it may be tried, in Gregorian seconds.
    pub due: i64,
    /// Until when somebody who has begun may still be giving it back, in Gregorian seconds; 0 while
    /// nobody has begun.
    pub begun_until: i64,
    /// How often it failed.
    pub tries: u32,
    /// Why, the last time.
    pub reason: Option<String>,
    rev: Option<Rev>,
}

/// What there is to know about giving a number back.
#[derive(Clone, Debug, PartialEq)]
pub enum DisconnectLookup {
    /// It is to be given back.
    Wanted(Box<Disconnect>),
    /// It was given back.
    Done,
    /// Neither.
    Nothing,
}

impl Disconnect {
    /// A number that is about to be deleted at this revision.
    #[must_use]
    pub fn of(number: &Number, of_rev: &str, now: i64) -> Self {
        Self {
            number: number.id.clone(),
            carrier: number.carrier.clone(),
            data: number.carrier_data.clone(),
            of_rev: of_rev.to_owned(),
            since: now,
            due: now,
            begun_until: 0,
            tries: 0,
            reason: None,
            rev: None,
        }
    }

    /// The same, given back by somebody until a time in Gregorian seconds; by nobody for 0.
    #[must_use]
    pub fn begun(self, until: i64) -> Self {
        Self { begun_until: until, ..self }
    }

    /// The same, not before a time in Gregorian seconds.
    #[must_use]
    pub fn held(self, until: i64) -> Self {
        Self { due: until, ..self }
    }

    /// The same after it failed.
    #[must_use]
    pub fn failed(self, reason: String) -> Self {
        Self { tries: self.tries.saturating_add(1), reason: Some(reason), ..self }
    }

    /// Whether somebody is giving it back at a time in Gregorian seconds.
    #[must_use]
    pub fn is_under_way(&self, now: i64) -> bool {
        self.begun_until > now
    }

    fn id(number: &E164) -> String {
        format!("{PREFIX}{number}")
    }

    fn encode(&self) -> Body {
        let members = json!({
            "pvt_type": "disconnect",
            "number": self.number.as_str(),
            "carrier": self.carrier.as_str(),
            "carrier_data": self.data,
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

    fn decode(found: Document) -> Result<Self, RepositoryError> {
        let body = &found.body;
        let text = |key: &str| body.get(key).and_then(Value::as_str);
        let time = |key: &str| body.get(key).and_then(Value::as_i64);
        let read = || {
            Some(Self {
                number: E164::parse(text("number")?).ok()?,
                carrier: CarrierName::read(text("carrier")?)?,
                data: body.get("carrier_data").filter(|data| !data.is_null()).cloned(),
                of_rev: text("of_rev")?.to_owned(),
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

    fn write(&self) -> Write {
        let expect = self.rev.clone().map_or(Expect::Absent, Expect::At);
        Write::put(DbName::new(OWN_DATABASE), Self::id(&self.number), expect, self.encode())
    }
}

impl NumberRepository {
    /// Writes down that these numbers are to be given back, in place of what was written down of
    /// them before. One result per number, in order.
    ///
    /// # Errors
    ///
    /// As [`NumberRepository::disconnects`].
    pub async fn want_back(
        &self,
        wishes: Vec<Disconnect>,
    ) -> Result<Vec<Result<(), RepositoryError>>, RepositoryError> {
        let numbers: Vec<E164> = wishes.iter().map(|it| it.number.clone()).collect();
        let (found, now) = (self.disconnects(&numbers).await?, self.now());
        let mut results: Vec<Result<(), RepositoryError>> = Vec::with_capacity(wishes.len());
        let (mut places, mut sets) = (Vec::new(), Vec::new());
        for (place, (mut wish, found)) in wishes.into_iter().zip(found).enumerate() {
            let id = Disconnect::id(&wish.number);
            match found {
                // Of an earlier life of the number, and just being done.
                DisconnectLookup::Wanted(before) if before.is_under_way(now) => {
                    results.push(Err(RepositoryError::Conflict { id }));
                    continue;
                }
                DisconnectLookup::Wanted(before) => wish.rev = before.rev,
                DisconnectLookup::Done | DisconnectLookup::Nothing => (),
            }
            places.push(place);
            sets.push(vec![wish.write()]);
            results.push(Err(RepositoryError::Conflict { id }));
        }
        for (place, outcome) in places.into_iter().zip(self.store.commit_many(sets).await) {
            match outcome {
                Ok(_) => results[place] = Ok(()),
                Err(err) if err.error.kind == Kind::Conflict => (),
                Err(err) => results[place] = Err(err.error.into()),
            }
        }
        Ok(results)
    }

    /// What is written down about giving these numbers back, in order.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] for one that cannot be read, and [`RepositoryError::Store`].
    pub async fn disconnects(
        &self,
        numbers: &[E164],
    ) -> Result<Vec<DisconnectLookup>, RepositoryError> {
        let ids: Vec<String> = numbers.iter().map(Disconnect::id).collect();
        let found = self.store.get_many(&DbName::new(OWN_DATABASE), &ids).await?;
        found.into_iter().map(looked_up).collect()
    }

    /// The same of one number.
    ///
    /// # Errors
    ///
    /// As [`NumberRepository::disconnects`].
    pub async fn disconnect(&self, number: &E164) -> Result<DisconnectLookup, RepositoryError> {
        let id = Disconnect::id(number);
        looked_up(self.store.get(&DbName::new(OWN_DATABASE), &id).await?)
    }

    /// Writes down where giving a number back stands.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when somebody else did since it was read.
    pub async fn keep_disconnect(&self, wish: Disconnect) -> Result<Disconnect, RepositoryError> {
        match self.store.commit(vec![wish.write()]).await {
            Ok(done) => Ok(Disconnect { rev: done.revs.into_iter().next(), ..wish }),
            Err(err) if err.error.kind == Kind::Conflict => {
                Err(RepositoryError::Conflict { id: Disconnect::id(&wish.number) })
            }
            Err(err) => Err(err.error.into()),
        }
    }

    /// Strikes a number out that was given back, or is not to be. What is left says which.
    ///
    /// # Errors
    ///
    /// As [`NumberRepository::keep_disconnect`].
    pub async fn end_disconnect(
        &self,
        wish: Disconnect,
        is_done: bool,
    ) -> Result<(), RepositoryError> {
        let Some(rev) = wish.rev else {
            return Ok(());
        };
        let id = Disconnect::id(&wish.number);
        let mut left = Body::from_iter([(WRITE_ID.to_owned(), write_id().into())]);
        if is_done {
            left.insert("given_back".to_owned(), self.now().into());
            left.insert("carrier".to_owned(), wish.carrier.as_str().into());
        }
        let delete = Write::delete(DbName::new(OWN_DATABASE), id.as_str(), rev, left);
        match self.store.commit(vec![delete]).await {
            Ok(_) => Ok(()),
            Err(err) if err.error.kind == Kind::Conflict => Err(RepositoryError::Conflict { id }),
            Err(err) => Err(err.error.into()),
        }
    }

    /// A page of the numbers that are to be given back, by number, behind `after`; those that
    /// cannot be read by their ids. And where the next page goes on.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn waiting_disconnects(
        &self,
        after: Option<&E164>,
        limit: usize,
    ) -> Result<OpenPage<Disconnect>, RepositoryError> {
        self.open_matters(PREFIX, after, limit, Disconnect::decode).await
    }
}

fn looked_up(found: Lookup) -> Result<DisconnectLookup, RepositoryError> {
    Ok(match found {
        Lookup::Live(document) => DisconnectLookup::Wanted(Box::new(Disconnect::decode(document)?)),
        Lookup::Deleted(left) if left.body.contains_key("given_back") => DisconnectLookup::Done,
        Lookup::Deleted(_) | Lookup::Missing => DisconnectLookup::Nothing,
    })
}
