//! Who is told of changes by calls: receivers, and how far each one was told. They lie apart, so that who
//! changes a receiver and who tells it do not meet.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Map, Value, json};

use super::{NumberRepository, OWN_DATABASE, RepositoryError, write_id};
use crate::domain::{ID_DIGITS, is_id};
use crate::store::{
    Body, CommitError, DbName, Document, Expect, IdRange, Kind, Order, Query, Question, Rev,
    SharedStore, WRITE_ID, Write,
};

/// Where the ids of receivers begin.
const RECEIVER: &str = "webhook:";
/// Where those begin that say how far one was told.
const PROGRESS: &str = "webhook_progress:";
/// How often something is changed again because somebody else changed it at the same time.
const TRIES: u32 = 5;
/// How many documents are read at once.
const PAGE: usize = 100;

/// Somebody who is told of changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Receiver {
    /// Where to.
    pub url: String,
    /// What signs what is told.
    #[serde(serialize_with = "as_it_is")]
    pub secret: SecretString,
    /// Whether it is told anything.
    pub enabled: bool,
    /// Since when there is one (RFC 3339).
    pub created: String,
}

/// How far a receiver was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Up to here.
    pub cursor: String,
    /// How often it has not taken the next changes.
    #[serde(default)]
    pub failures: u32,
    /// Since when it does not (RFC 3339).
    #[serde(default)]
    pub failing_since: Option<String>,
    /// Why it did not take them the last time.
    #[serde(default)]
    pub last_error: Option<String>,
    /// When it took some last (RFC 3339).
    #[serde(default)]
    pub last_success: Option<String>,
    /// When it is tried again, in milliseconds of Unix time.
    #[serde(default)]
    pub next_ms: i64,
    /// Whether it was given up.
    #[serde(default)]
    pub dead: bool,
    /// When changes were dropped before it had taken them (RFC 3339).
    #[serde(default)]
    pub missed: Option<String>,
}

/// How far a receiver was told, as it is stored.
#[derive(Clone, Debug)]
pub struct StoredProgress {
    /// How far.
    pub progress: Progress,
    rev: Rev,
}

/// Keeps receivers.
#[derive(Clone, Debug)]
pub struct WebhookRepository {
    store: SharedStore,
}

impl WebhookRepository {
    /// Receivers in this store.
    #[must_use]
    pub fn new(store: SharedStore) -> Self {
        Self { store }
    }

    /// Those in the store of these numbers.
    #[must_use]
    pub fn beside(numbers: &NumberRepository) -> Self {
        Self::new(numbers.store.clone())
    }

    /// All receivers, by their ids.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn all(&self) -> Result<Vec<(String, Receiver)>, RepositoryError> {
        let (mut receivers, mut after) = (Vec::new(), None);
        loop {
            let (question, order) = (Question::All, Order::Ascending);
            let range = IdRange::starting_with(RECEIVER);
            let query = Query { question, range, order, after, limit: PAGE };
            let page = self.store.query(&own(), &query).await?;
            receivers.extend(page.documents.into_iter().filter_map(|found| {
                let id = found.id.strip_prefix(RECEIVER)?.to_owned();
                Some((id, read(found, "webhook")?.0))
            }));
            after = page.next;
            if after.is_none() {
                return Ok(receivers);
            }
        }
    }

    /// A receiver; none when there is none of that id.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn get(&self, id: &str) -> Result<Option<Receiver>, RepositoryError> {
        let found = self.load::<Receiver>(RECEIVER, id, "webhook").await?;
        Ok(found.map(|(receiver, _)| receiver))
    }

    /// Adds a receiver that was told up to `cursor`.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn add(
        &self,
        id: &str,
        receiver: &Receiver,
        cursor: String,
    ) -> Result<(), RepositoryError> {
        let progress = Progress { cursor, ..Progress::default() };
        let set = vec![
            put(PROGRESS, id, "progress", &progress, Expect::Absent),
            put(RECEIVER, id, "webhook", receiver, Expect::Absent),
        ];
        self.store.commit(set).await.map(drop).map_err(|err| err.error.into())
    }

    /// Changes a receiver; none when there is none of that id.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when others kept changing it, [`RepositoryError::Store`].
    pub async fn change(
        &self,
        id: &str,
        change: impl Fn(&mut Receiver),
    ) -> Result<Option<Receiver>, RepositoryError> {
        for _ in 0..TRIES {
            let Some((mut receiver, rev)) = self.load(RECEIVER, id, "webhook").await? else {
                return Ok(None);
            };
            change(&mut receiver);
            let write = put(RECEIVER, id, "webhook", &receiver, Expect::At(rev));
            if self.write(write).await?.is_some() {
                return Ok(Some(receiver));
            }
        }
        Err(RepositoryError::Conflict { id: format!("{RECEIVER}{id}") })
    }

    /// Removes a receiver; returns whether there was one.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn remove(&self, id: &str) -> Result<bool, RepositoryError> {
        let mut was_there = false;
        for prefix in [RECEIVER, PROGRESS] {
            let document = format!("{prefix}{id}");
            if let Some(found) = self.find(&document, id).await? {
                was_there |= prefix == RECEIVER;
                let tombstone = Map::from_iter([(WRITE_ID.to_owned(), write_id().into())]);
                self.write(Write::delete(own(), document, found.rev, tombstone)).await?;
            }
        }
        Ok(was_there)
    }

    /// How far a receiver was told; none when it is gone.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn progress(&self, id: &str) -> Result<Option<StoredProgress>, RepositoryError> {
        let found = self.load(PROGRESS, id, "progress").await?;
        Ok(found.map(|(progress, rev)| StoredProgress { progress, rev }))
    }

    /// Keeps how far it was told, over what was read; none when somebody else changed that.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn keep(
        &self,
        id: &str,
        over: &StoredProgress,
        progress: Progress,
    ) -> Result<Option<StoredProgress>, RepositoryError> {
        let expect = Expect::At(over.rev.clone());
        let rev = self.write(put(PROGRESS, id, "progress", &progress, expect)).await?;
        Ok(rev.map(|rev| StoredProgress { progress, rev }))
    }

    async fn load<T: for<'de> Deserialize<'de>>(
        &self,
        prefix: &str,
        id: &str,
        kind: &str,
    ) -> Result<Option<(T, Rev)>, RepositoryError> {
        let found = self.find(&format!("{prefix}{id}"), id).await?;
        Ok(found.and_then(|found| read(found, kind)))
    }

    /// A document of a receiver. What cannot be an id is not asked for: it may be too long for that.
    async fn find(&self, document: &str, id: &str) -> Result<Option<Document>, RepositoryError> {
        if !is_id(id, ID_DIGITS) {
            return Ok(None);
        }
        Ok(self.store.get(&own(), document).await?.live())
    }

    /// Makes a write; none when somebody else was faster.
    async fn write(&self, write: Write) -> Result<Option<Rev>, RepositoryError> {
        match self.store.commit(vec![write]).await {
            Ok(done) => Ok(done.revs.into_iter().next()),
            Err(CommitError { error, .. }) if error.kind == Kind::Conflict => Ok(None),
            Err(CommitError { error, .. }) => Err(error.into()),
        }
    }
}

/// Who calls has to know it.
fn as_it_is<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

fn own() -> DbName {
    DbName::new(OWN_DATABASE)
}

fn read<T: for<'de> Deserialize<'de>>(mut found: Document, kind: &str) -> Option<(T, Rev)> {
    let stored = found.body.shift_remove(kind)?;
    Some((serde_json::from_value(stored).ok()?, found.rev))
}

fn put(prefix: &str, id: &str, kind: &str, value: &impl Serialize, expect: Expect) -> Write {
    let body: Body = Map::from_iter([
        ("pvt_type".to_owned(), Value::from(kind)),
        (kind.to_owned(), json!(value)),
        (WRITE_ID.to_owned(), write_id().into()),
    ]);
    Write::put(own(), format!("{prefix}{id}"), expect, body)
}
