//! The feed of changes: what became of numbers, one document per event, in databases by the month,
//! which expire by being dropped. The sequence of a database is the place in it, so nothing is skipped
//! in a cluster either.
//!
//! Whoever keeps copies true appends; one process at a time does, and always to the newest month that
//! there is. Should one that was paused write into the month before, readers look there, too, as long as
//! a month lasts.

mod cursor;

use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use self::cursor::Place;
pub use self::cursor::{Cursor, NoCursor};
use super::{Condition, Happening, NumberRepository, RepositoryError, write_id};
use crate::{
    domain::{AccountId, Clock, E164, from_gregorian_seconds},
    store::{
        Body, CommitError, DbName, Expect, Kind, Lookup, SharedStore, StoreError, WRITE_ID, Write,
    },
};

/// What the names of the databases begin with; the month follows.
pub(super) const DATABASES: &str = "number_manager_feed-";
/// The type of the documents.
const TYPE: &str = "number_change";
/// How often a month's database is made that somebody drops.
const TRIES: u32 = 3;

/// What became of a number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The number.
    pub number: String,
    /// `created`, `updated` or `deleted`.
    pub kind: String,
    /// Its state.
    #[serde(default)]
    pub state: Option<String>,
    /// The account that owns it.
    #[serde(default)]
    pub assigned_to: Option<String>,
    /// The last different one.
    #[serde(default)]
    pub previously_assigned_to: Option<String>,
    /// The revision of its document.
    #[serde(default)]
    pub revision: Option<String>,
    /// What its document comes to.
    #[serde(default)]
    pub digest: Option<String>,
    /// When it was changed (RFC 3339).
    pub time: String,
    /// An account that held it and that the number does not name any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held_by: Option<String>,
}

/// A page of the feed.
#[derive(Clone, Debug)]
pub struct EventPage {
    /// What happened.
    pub events: Vec<Event>,
    /// Where to go on.
    pub cursor: Cursor,
    /// Whether there was no more.
    pub is_last: bool,
}

/// Why the feed cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum EventsError {
    /// What follows the place was dropped; the feed goes on here.
    #[error("the feed does not reach back to the cursor")]
    Gone(Box<Cursor>),
    /// The store failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl From<StoreError> for EventsError {
    fn from(error: StoreError) -> Self {
        Self::Repository(error.into())
    }
}

/// Appends to the feed and reads it.
#[derive(Clone, Debug)]
pub struct EventRepository {
    store: SharedStore,
    clock: Arc<dyn Clock>,
    /// The database that is appended to.
    month: Arc<Mutex<Option<DbName>>>,
}

impl Event {
    /// What became of a number that stands so. `held_by`: an account that it names no more.
    #[must_use]
    pub fn of(
        number: &E164,
        condition: &Condition,
        held_by: Option<&AccountId>,
        now: Timestamp,
    ) -> Self {
        let kind = match condition.happening {
            Happening::Created => "created",
            Happening::Updated => "updated",
            Happening::Deleted => "deleted",
        };
        let text = |account: &AccountId| account.to_string();
        let changed = condition.changed.and_then(from_gregorian_seconds);
        Self {
            number: number.to_string(),
            kind: kind.to_owned(),
            state: condition.state.clone(),
            assigned_to: condition.owner.as_ref().map(text),
            previously_assigned_to: condition.previous_owner.as_ref().map(text),
            revision: Some(condition.revision.clone()),
            digest: condition.digest.clone(),
            time: changed.unwrap_or(now).to_string(),
            held_by: held_by.map(text),
        }
    }

    /// The same for the same change, so that one that is told of again is recognised.
    fn id(&self) -> String {
        let parts = [&self.revision, &self.held_by].into_iter().flatten();
        let parts = parts.flat_map(|part| ["@", part]);
        [&*self.number].into_iter().chain(parts).collect()
    }

    fn body(&self) -> Body {
        let mut body = Body::from_iter([("pvt_type".to_owned(), TYPE.into())]);
        if let Value::Object(members) = json!(self) {
            body.extend(members);
        }
        body.insert(WRITE_ID.to_owned(), write_id().into());
        body
    }
}

impl EventRepository {
    /// The feed in this store.
    #[must_use]
    pub fn new(store: SharedStore, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock, month: Arc::default() }
    }

    /// The feed in the store of these numbers.
    #[must_use]
    pub fn beside(numbers: &NumberRepository) -> Self {
        Self::new(numbers.store.clone(), numbers.clock.clone())
    }

    /// The time now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Begins to append: whatever was known before, somebody else may have begun another month.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn begin(&self) -> Result<(), RepositoryError> {
        *self.known() = None;
        self.turn().await
    }

    /// Begins another month if it is time to, so that who reads finds one that nothing happened in.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn turn(&self) -> Result<(), RepositoryError> {
        Ok(self.open().await.map(drop)?)
    }

    /// Appends events, each with its result, in order. What was appended before is left as it is.
    pub async fn append(&self, events: &[Event]) -> Vec<Result<(), RepositoryError>> {
        let mut results: Vec<Result<(), StoreError>> = Vec::new();
        for _ in 0..TRIES {
            let db = match self.open().await {
                Ok(db) => db,
                Err(err) => return events.iter().map(|_| Err(err.again().into())).collect(),
            };
            results = self.append_to(&db, events).await;
            let is_gone = |done: &Result<(), StoreError>| {
                done.as_ref().is_err_and(|err| err.kind == Kind::NoDatabase)
            };
            if !results.iter().any(is_gone) {
                break;
            }
            // Somebody dropped it.
            *self.known() = None;
        }
        results.into_iter().map(|done| Ok(done?)).collect()
    }

    async fn append_to(&self, db: &DbName, events: &[Event]) -> Vec<Result<(), StoreError>> {
        let put =
            |event: &Event| vec![Write::put(db.clone(), event.id(), Expect::Absent, event.body())];
        let done = self.store.commit_many(events.iter().map(put).collect()).await;
        let done = done.into_iter().map(|done| match done {
            // What too few nodes of a cluster have is tried again.
            Ok(done) if !done.quorum => Err(StoreError::new(Kind::Unavailable, "commit", db, "")),
            Err(CommitError { error, .. }) if error.kind != Kind::Conflict => Err(error),
            Ok(_) | Err(_) => Ok(()),
        });
        done.collect()
    }

    /// A page of the feed behind a place, or from its beginning.
    ///
    /// # Errors
    ///
    /// [`EventsError`].
    pub async fn page(
        &self,
        since: Option<&Cursor>,
        limit: usize,
    ) -> Result<EventPage, EventsError> {
        let months = self.months().await?;
        let Some(mut cursor) = self.start(since, &months) else {
            return Err(EventsError::Gone(Box::new(self.present().await?)));
        };
        let mut events = Vec::new();
        loop {
            if let Some(before) = &mut cursor.before
                && !self.read(before, limit, &mut events).await?
            {
                // It was dropped.
                cursor.before = None;
            }
            if !self.read(&mut cursor.now, limit, &mut events).await?
                && months.contains(&cursor.now.month)
            {
                return Err(EventsError::Gone(Box::new(self.present().await?)));
            }
            if events.len() >= limit {
                return Ok(EventPage { events, cursor, is_last: false });
            }
            let Some(next) = months.iter().find(|month| **month > cursor.now.month) else {
                return Ok(EventPage { events, cursor, is_last: true });
            };
            cursor = cursor.turned(next);
        }
    }

    /// The end of the feed.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn present(&self) -> Result<Cursor, RepositoryError> {
        let mut months = self.months().await?;
        let Some(month) = months.pop() else {
            return Ok(Cursor::of_month(month_of(self.clock.now())));
        };
        let before = match months.pop() {
            Some(before) => Some(self.end_of(before).await?),
            None => None,
        };
        Ok(Cursor { before, now: self.end_of(month).await? })
    }

    async fn end_of(&self, month: String) -> Result<Place, StoreError> {
        let seq = Some(self.store.version(&database(&month)).await?);
        Ok(Place { month, seq })
    }

    /// A name of the state that the feed is in: another one once there is something new.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn state(&self) -> Result<String, RepositoryError> {
        let Some(month) = self.months().await?.pop() else { return Ok(String::new()) };
        let version = self.store.version(&database(&month)).await?;
        Ok(format!("{month} {}", version.as_str()))
    }

    /// Where to begin; none where what follows was dropped.
    fn start(&self, since: Option<&Cursor>, months: &[String]) -> Option<Cursor> {
        let oldest = months.first();
        let Some(since) = since else {
            let month = oldest.cloned().unwrap_or_else(|| month_of(self.clock.now()));
            return Some(Cursor::of_month(month));
        };
        let is_there = months.contains(&since.now.month);
        let is_before = oldest.is_some_and(|oldest| since.now.month < *oldest);
        // Nothing can have been dropped of a month that had not begun.
        (is_there || since.now.seq.is_none() && !is_before).then(|| since.clone())
    }

    /// Reads on in a month until there is nothing more, or enough; returns whether it is there.
    async fn read(
        &self,
        place: &mut Place,
        limit: usize,
        events: &mut Vec<Event>,
    ) -> Result<bool, StoreError> {
        let db = database(&place.month);
        while events.len() < limit {
            let left = limit - events.len();
            let page = match self.store.changes(&db, place.seq.as_ref(), left).await {
                Err(err) if err.kind == Kind::NoDatabase => return Ok(false),
                page => page?,
            };
            if page.rows.is_empty() {
                break;
            }
            let ids: Vec<String> = page.rows.into_iter().map(|row| row.id).collect();
            let found = self.store.get_many(&db, &ids).await?;
            for (id, found) in ids.into_iter().zip(found) {
                match found {
                    Lookup::Live(found) => {
                        let event = serde_json::from_value(Value::Object(found.body));
                        // What is none of ours is nobody's.
                        events.extend(event.ok());
                    }
                    Lookup::Deleted(_) => (),
                    // It was just seen.
                    Lookup::Missing => {
                        return Err(StoreError::new(Kind::Unavailable, "get_many", &db, &id));
                    }
                }
            }
            place.seq = Some(page.last);
        }
        Ok(true)
    }

    /// The months that there are, in order.
    async fn months(&self) -> Result<Vec<String>, StoreError> {
        let found = self.store.databases(DATABASES).await?;
        let month = |db: &DbName| {
            let month = db.as_str().strip_prefix(DATABASES)?;
            let is_month = month.len() == 6 && month.bytes().all(|it| it.is_ascii_digit());
            is_month.then(|| month.to_owned())
        };
        Ok(found.iter().filter_map(month).collect())
    }

    /// The database to append to: that of the month, or a later one if somebody whose clock is ahead
    /// has begun it.
    async fn open(&self) -> Result<DbName, StoreError> {
        let now = database(&month_of(self.clock.now()));
        if let Some(known) = self.known().clone().filter(|known| *known >= now) {
            return Ok(known);
        }
        let newest = self.months().await?.pop().map(|month| database(&month));
        let db = newest.into_iter().chain([now]).max().expect("there is one");
        self.store.create_database(&db).await?;
        *self.known() = Some(db.clone());
        Ok(db)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Option<DbName>> {
        self.month.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The month of a time.
fn month_of(time: Timestamp) -> String {
    time.strftime("%Y%m").to_string()
}

/// The database of a month.
fn database(month: &str) -> DbName {
    DbName::new(format!("{DATABASES}{month}"))
}
