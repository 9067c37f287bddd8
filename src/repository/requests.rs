//! Requests that carried a key of the client's: claimed before they are done, and kept with their
//! answers for a day, so that a repetition is answered and not done again.
//!
//! They lie in databases by the day, which expire by being dropped: CouchDB forgets no document
//! otherwise. Today's and yesterday's are read. Around midnight two replicas may claim in different
//! databases; both look into the neighbouring one after they claimed, so at least one steps back.

use std::{sync::Arc, time::Duration};

use futures::future::try_join_all;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use super::{RepositoryError, write_id};
use crate::{
    domain::Clock,
    store::{
        Body, CommitError, DbName, Document, Expect, Kind, Rev, SharedStore, StoreError, WRITE_ID,
        Write,
    },
};

/// What the names of the databases begin with.
pub(super) const DATABASES: &str = "number_manager_requests-";
/// For how long a request is remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// By how much the clocks of two replicas may differ.
const SKEW: SignedDuration = SignedDuration::from_mins(1);
/// How often an answer that could not be kept is tried again.
const TRIES: u32 = 3;
/// The pause before that.
const PAUSE: Duration = Duration::from_millis(100);

/// Claims requests and keeps their answers.
#[derive(Clone, Debug)]
pub struct RequestRepository {
    store: SharedStore,
    clock: Arc<dyn Clock>,
}

/// The right to do a request, until it ends.
#[derive(Clone, Debug)]
pub struct Claim {
    db: DbName,
    id: String,
    fingerprint: String,
    created: i64,
    rev: Rev,
}

/// What is known of a request.
#[derive(Debug)]
pub enum Claimed {
    /// Nothing: it is the caller's to do now.
    Mine(Claim),
    /// It was done; this was its answer.
    Done(Value),
    /// Somebody does it just now, for so many seconds at most.
    InFlight(u64),
    /// Another request had the same key.
    Another,
}

/// What a document says.
enum Record {
    Another,
    Done(Value),
    InFlight(u64),
    /// Whoever had claimed it is gone.
    Abandoned,
}

impl RequestRepository {
    /// Requests in this store.
    #[must_use]
    pub fn new(store: SharedStore, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Claims the request of that id for `lease`, unless it is known. `fingerprint` tells requests
    /// of the same id apart.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`]: nothing is claimed.
    pub async fn claim(
        &self,
        id: &str,
        fingerprint: &str,
        lease: Duration,
    ) -> Result<Claimed, RepositoryError> {
        let now = self.clock.now();
        let today = database(now);
        let days = [today.clone(), database(before(now, REMEMBERED))];
        let mut expect = Expect::Absent;
        for (db, found) in self.read(days, id).await? {
            let Some(found) = found else { continue };
            match self.read_record(&found.body, fingerprint) {
                Some(Record::Abandoned) if db == today => expect = Expect::At(found.rev),
                None | Some(Record::Abandoned) => (),
                Some(known) => return Ok(known.into()),
            }
        }
        let claim = match self.write_claim(&today, id, fingerprint, expect, now, lease).await {
            Ok(claim) => claim,
            Err(err) if err.kind == Kind::Conflict => {
                return Ok(self.lost(&today, id, fingerprint).await?);
            }
            Err(err) => return Err(err.into()),
        };
        self.check_midnight(claim, fingerprint, now).await
    }

    /// Prolongs a claim that is still held.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when somebody took it over, [`RepositoryError::Store`].
    pub async fn renew(&self, claim: &mut Claim, lease: Duration) -> Result<(), RepositoryError> {
        let body = claim.body(("until", json!(until(self.clock.now(), lease))));
        claim.rev = self.put(claim, body).await.map_err(|err| claim.failed(err))?;
        Ok(())
    }

    /// Keeps the answer of a request that was claimed. Tries again when the store fails: without it
    /// a repetition would be done again once the claim has ended.
    ///
    /// # Errors
    ///
    /// As [`RequestRepository::renew`].
    pub async fn keep(&self, claim: &Claim, answer: Value) -> Result<(), RepositoryError> {
        let body = claim.body(("answer", answer));
        let mut tries = 1;
        loop {
            match self.put(claim, body.clone()).await {
                Ok(_) => return Ok(()),
                Err(err) if err.kind == Kind::Unavailable && tries < TRIES => tries += 1,
                Err(err) => return Err(claim.failed(err)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Gives up a claim: the request may be done again.
    ///
    /// # Errors
    ///
    /// As [`RequestRepository::renew`].
    pub async fn release(&self, claim: &Claim) -> Result<(), RepositoryError> {
        let tombstone = Body::from_iter([(WRITE_ID.to_owned(), write_id().into())]);
        let write =
            Write::delete(claim.db.clone(), claim.id.as_str(), claim.rev.clone(), tombstone);
        match self.store.commit(vec![write]).await {
            Ok(_) => Ok(()),
            Err(err) => Err(claim.failed(err.error)),
        }
    }

    async fn read<const N: usize>(
        &self,
        dbs: [DbName; N],
        id: &str,
    ) -> Result<Vec<(DbName, Option<Document>)>, StoreError> {
        let read = |db: DbName| async move {
            let found = self.store.get(&db, id).await?.live();
            Ok((db, found))
        };
        try_join_all(dbs.into_iter().map(read)).await
    }

    async fn write_claim(
        &self,
        db: &DbName,
        id: &str,
        fingerprint: &str,
        expect: Expect,
        now: Timestamp,
        lease: Duration,
    ) -> Result<Claim, StoreError> {
        let (db, id, fingerprint) = (db.clone(), id.to_owned(), fingerprint.to_owned());
        let created = now.as_millisecond();
        let mut claim = Claim { db, id, fingerprint, created, rev: Rev::new("") };
        let body = claim.body(("until", json!(until(now, lease))));
        let write = Write::put(claim.db.clone(), claim.id.as_str(), expect, body);
        claim.rev = match self.commit(write.clone()).await {
            Err(err) if err.kind == Kind::NoDatabase => {
                self.begin_day(&claim.db, now).await?;
                self.commit(write).await?
            }
            done => done?,
        };
        Ok(claim)
    }

    /// Somebody else was faster.
    async fn lost(&self, db: &DbName, id: &str, fingerprint: &str) -> Result<Claimed, StoreError> {
        let found = self.store.get(db, id).await?.live();
        let known = found.and_then(|found| self.read_record(&found.body, fingerprint));
        Ok(match known {
            // Given up in between: it will be free at the next try.
            None | Some(Record::Abandoned) => Claimed::InFlight(1),
            Some(known) => known.into(),
        })
    }

    /// Steps back when the same request was claimed on the other side of midnight.
    async fn check_midnight(
        &self,
        claim: Claim,
        fingerprint: &str,
        now: Timestamp,
    ) -> Result<Claimed, RepositoryError> {
        for day in [database(before(now, SKEW)), database(before(now, -SKEW))] {
            if day == claim.db {
                continue;
            }
            let found = self.store.get(&day, &claim.id).await?.live();
            let known = found.and_then(|found| self.read_record(&found.body, fingerprint));
            if let Some(known @ (Record::Another | Record::Done(_) | Record::InFlight(_))) = known {
                self.release(&claim).await?;
                return Ok(known.into());
            }
        }
        Ok(Claimed::Mine(claim))
    }

    /// Creates a day's database, and drops those that nobody reads any more.
    async fn begin_day(&self, db: &DbName, now: Timestamp) -> Result<(), StoreError> {
        self.store.create_database(db).await?;
        let oldest = oldest_kept(now);
        for old in self.store.databases(DATABASES).await? {
            if old < oldest {
                self.store.drop_database(&old).await?;
            }
        }
        Ok(())
    }

    async fn put(&self, claim: &Claim, body: Body) -> Result<Rev, StoreError> {
        let expect = Expect::At(claim.rev.clone());
        self.commit(Write::put(claim.db.clone(), claim.id.as_str(), expect, body)).await
    }

    /// Commits one write. What too few nodes of a cluster have is not written.
    async fn commit(&self, write: Write) -> Result<Rev, StoreError> {
        let (db, id) = (write.db.clone(), write.id.clone());
        match self.store.commit(vec![write]).await {
            Ok(done) if done.quorum => {
                Ok(done.revs.into_iter().next().expect("one write was made"))
            }
            Ok(_) => Err(StoreError::new(Kind::Unavailable, "commit", &db, &id)),
            Err(CommitError { error, .. }) => Err(error),
        }
    }

    /// What a document says; nothing when it is older than a day.
    fn read_record(&self, body: &Body, fingerprint: &str) -> Option<Record> {
        let now = self.clock.now();
        let number = |key: &str| body.get(key).and_then(Value::as_i64);
        if number("created")? <= before(now, REMEMBERED).as_millisecond() {
            return None;
        }
        if let Some(left) = number("until").map(|until| until - now.as_millisecond())
            && left <= 0
        {
            return Some(Record::Abandoned);
        }
        if body.get("fingerprint").and_then(Value::as_str) != Some(fingerprint) {
            return Some(Record::Another);
        }
        if let Some(answer) = body.get("answer") {
            return Some(Record::Done(answer.clone()));
        }
        let left = number("until")? - now.as_millisecond();
        Some(Record::InFlight(u64::try_from(left).unwrap_or_default().div_ceil(1000).max(1)))
    }
}

impl Claim {
    fn body(&self, (key, value): (&str, Value)) -> Body {
        Body::from_iter([
            ("fingerprint".to_owned(), self.fingerprint.as_str().into()),
            ("created".to_owned(), self.created.into()),
            (key.to_owned(), value),
            (WRITE_ID.to_owned(), write_id().into()),
        ])
    }

    fn failed(&self, err: StoreError) -> RepositoryError {
        match err.kind {
            Kind::Conflict => RepositoryError::Conflict { id: self.id.clone() },
            _ => err.into(),
        }
    }
}

impl From<Record> for Claimed {
    fn from(record: Record) -> Self {
        match record {
            Record::Another => Self::Another,
            Record::Done(answer) => Self::Done(answer),
            Record::InFlight(left) => Self::InFlight(left),
            Record::Abandoned => Self::InFlight(1),
        }
    }
}

/// The oldest database that is read now.
pub(super) fn oldest_kept(now: Timestamp) -> DbName {
    database(before(now, REMEMBERED + SKEW))
}

/// The database of a day.
fn database(time: Timestamp) -> DbName {
    DbName::new(format!("{DATABASES}{}", time.strftime("%Y%m%d")))
}

fn before(time: Timestamp, span: SignedDuration) -> Timestamp {
    time.saturating_sub(span).unwrap_or(Timestamp::MIN)
}

/// When a claim ends, in Unix milliseconds.
fn until(now: Timestamp, lease: Duration) -> i64 {
    now.as_millisecond().saturating_add(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
}
