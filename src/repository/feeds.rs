//! What changed in databases, how far it was followed, and who follows.
//!
//! A checkpoint lies beside the documents that it is about, and is gone with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures::{StreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{OWN_DATABASE, RepositoryError, write_id};
use crate::{
    domain::{AccountId, E164, NumberDatabase, account_database, number_database},
    store::{
        Body, DbName, Document, Expect, IdRange, Kind, Lookup, Order, Query, Question, Rev, Seq,
        SharedStore, StoreError, WRITE_ID, Write,
    },
};

/// The name of the checkpoints.
const CHECKPOINT: &str = "number_manager_follower";
/// The document of the lease.
const LEASE: &str = "lease:follower";
/// Where the ids of numbers begin that could not be settled.
const RETRY: &str = "retry:";
/// Where the ids of those begin that say how far a database was followed.
const FOLLOWED: &str = "followed:";
/// How many documents are read at once.
const PAGE: usize = 500;
/// How many are written at once.
const PARALLEL: usize = 16;

/// A database that is followed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feed {
    /// One of numbers.
    Numbers(NumberDatabase),
    /// One of an account, for the copies in it.
    Copies(AccountId),
    /// What a carrier has in stock.
    Stock(NumberDatabase),
}

/// A page of changes.
#[derive(Clone, Debug)]
pub struct FeedPage {
    /// The numbers.
    pub numbers: Vec<E164>,
    /// How many changes of any kind there were; none at the end.
    pub read: usize,
    /// Where the next page goes on.
    pub last: Seq,
}

/// Databases that may have changed.
#[derive(Clone, Debug)]
pub struct FeedUpdates {
    /// Those that are followed.
    pub feeds: BTreeSet<Feed>,
    /// Where to go on.
    pub last: Seq,
}

/// How the following goes, as its holder says it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Following {
    /// How old the oldest change is that is not settled, in milliseconds.
    pub lag_ms: u64,
    /// How many databases have changes that were not read yet.
    pub databases_behind: u64,
    /// How many numbers could not be settled.
    pub retries: u64,
    /// How many of them have versions that name different owners.
    pub conflicting_owners: u64,
    /// How many were put right since the lease was taken.
    pub healed: u64,
}

/// Who follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FollowerLease {
    /// The process.
    pub holder: String,
    /// How often the lease was taken.
    pub epoch: u64,
    /// Until when it is held, in milliseconds of Unix time.
    pub until_ms: i64,
    /// How it goes.
    pub following: Following,
}

/// A lease as it is stored.
#[derive(Clone, Debug)]
pub struct StoredLease {
    /// The lease.
    pub lease: FollowerLease,
    rev: Rev,
}

/// A number that could not be settled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unsettled {
    /// The accounts whose copies are looked at.
    pub accounts: BTreeSet<String>,
    /// Why.
    pub reason: String,
    /// Since when (RFC 3339).
    pub since: String,
    /// How often it was tried.
    pub tries: u32,
}

/// Reads feeds, and keeps what following them needs.
#[derive(Clone, Debug)]
pub struct FeedRepository {
    store: SharedStore,
}

impl Feed {
    fn database(&self) -> DbName {
        match self {
            Self::Numbers(database) | Self::Stock(database) => DbName::new(database.as_str()),
            Self::Copies(account) => DbName::new(account_database(account)),
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> String {
        self.database().to_string()
    }

    /// The number that a document of this id is, is a copy of, or is in stock under.
    fn number(&self, id: &str) -> Option<E164> {
        let number = E164::parse(id).ok()?;
        match self {
            Self::Numbers(database) if number_database(&number) != database.as_str() => None,
            Self::Numbers(_) | Self::Copies(_) | Self::Stock(_) => Some(number),
        }
    }

    fn of(name: &DbName) -> Option<Self> {
        if let Ok(database) = NumberDatabase::parse_or_stock(name.as_str()) {
            let is_stock = database.is_stock();
            return Some(if is_stock { Self::Stock(database) } else { Self::Numbers(database) });
        }
        let account = AccountId::parse_any(name.as_str()).ok()?;
        // Those of a month hold no numbers.
        (account_database(&account) == name.as_str()).then_some(Self::Copies(account))
    }
}

impl FeedRepository {
    /// Feeds of this store.
    #[must_use]
    pub fn new(store: SharedStore) -> Self {
        Self { store }
    }

    /// The databases that are followed, each with the name of the state that it is in.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn all(&self) -> Result<BTreeMap<Feed, Seq>, RepositoryError> {
        let mut names = self.store.databases("numbers/").await?;
        names.extend(self.store.databases("account/").await?);
        let feeds = names.iter().filter_map(Feed::of).collect();
        let states = self.states(feeds).await?;
        Ok(states.into_iter().filter_map(|(feed, state)| Some((feed, state?))).collect())
    }

    /// The names of the states that these databases are in; none for one that is not there.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn states(
        &self,
        feeds: BTreeSet<Feed>,
    ) -> Result<BTreeMap<Feed, Option<Seq>>, RepositoryError> {
        let names: Vec<DbName> = feeds.iter().map(Feed::database).collect();
        let versions = self.store.versions(&names).await?;
        Ok(feeds.into_iter().zip(versions).collect())
    }

    /// Waits until a database changes behind `since`; without it, says at once where the present is.
    /// None where the store cannot tell.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn updates(
        &self,
        since: Option<&Seq>,
        wait: Duration,
    ) -> Result<Option<FeedUpdates>, RepositoryError> {
        let updates = self.store.updates(since, wait).await?;
        Ok(updates.map(|updates| FeedUpdates {
            feeds: updates.databases.iter().filter_map(Feed::of).collect(),
            last: updates.last,
        }))
    }

    /// Those of the databases that this process wrote to that are followed.
    #[must_use]
    pub fn written(&self, writes: &super::LocalWrites) -> BTreeSet<Feed> {
        writes.take().iter().filter_map(Feed::of).collect()
    }

    /// A page of what changed.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn page(
        &self,
        feed: &Feed,
        since: Option<&Seq>,
        limit: usize,
    ) -> Result<FeedPage, RepositoryError> {
        let changes = self.store.changes(&feed.database(), since, limit).await?;
        let numbers = changes.rows.iter().filter_map(|row| feed.number(&row.id)).collect();
        Ok(FeedPage { numbers, read: changes.rows.len(), last: changes.last })
    }

    /// How far a database was followed; none when it never was, or is another one now.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn checkpoint(&self, feed: &Feed) -> Result<Option<Seq>, RepositoryError> {
        let stored = self.store.checkpoint(&feed.database(), CHECKPOINT).await?;
        let seq = stored.as_ref().and_then(|stored| stored.get("seq")).and_then(Value::as_str);
        Ok(seq.map(Seq::new))
    }

    /// Keeps how far it was followed.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn keep_checkpoint(&self, feed: &Feed, seq: &Seq) -> Result<(), RepositoryError> {
        let value = json!({ "seq": seq.as_str() });
        Ok(self.store.set_checkpoint(&feed.database(), CHECKPOINT, value).await?)
    }

    /// How far each database was followed, as it is kept apart from them: one that says otherwise, or
    /// nothing, was put back or made anew.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn followed(&self) -> Result<BTreeMap<Feed, Seq>, RepositoryError> {
        let stored = self.own_documents(FOLLOWED).await?;
        let followed = stored.into_iter().filter_map(|found| {
            let feed = Feed::of(&DbName::new(found.id.strip_prefix(FOLLOWED)?))?;
            Some((feed, Seq::new(found.body.get("followed")?.as_str()?)))
        });
        Ok(followed.collect())
    }

    /// Keeps that, apart from the databases. What is not kept is kept the next time.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`] when nothing could be.
    pub async fn keep_followed(
        &self,
        followed: &BTreeMap<Feed, Seq>,
    ) -> Result<(), RepositoryError> {
        let ids: Vec<String> =
            followed.keys().map(|feed| format!("{FOLLOWED}{}", feed.name())).collect();
        let found = self.store.get_many(&own(), &ids).await?;
        let put = |((id, found), seq): ((String, Lookup), &Seq)| {
            let expect = found.live().map_or(Expect::Absent, |found| Expect::At(found.rev));
            vec![Write::put(own(), id, expect, own_body("followed", &seq.as_str()))]
        };
        let sets = ids.into_iter().zip(found).zip(followed.values()).map(put).collect();
        let failed = self.store.commit_many(sets).await.into_iter().find_map(Result::err);
        failed.map_or(Ok(()), |err| Err(err.error.into()))
    }

    /// The lease as it is stored; none before the first.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn lease(&self) -> Result<Option<StoredLease>, RepositoryError> {
        let found = self.store.get(&own(), LEASE).await?.live();
        Ok(found.map(|mut found| {
            let lease = found.body.shift_remove("lease").unwrap_or_default();
            // One of another build is anybody's.
            let lease = serde_json::from_value(lease).unwrap_or_else(|_| FollowerLease {
                holder: String::new(),
                epoch: 0,
                until_ms: 0,
                following: Following::default(),
            });
            StoredLease { lease, rev: found.rev }
        }))
    }

    /// Stores the lease over the one that was read, or where there was none. The second of the answer
    /// says whether it reached the store's quorum: one that did not is not held.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when somebody else stored it, [`RepositoryError::Store`].
    pub async fn put_lease(
        &self,
        lease: FollowerLease,
        over: Option<&StoredLease>,
    ) -> Result<(StoredLease, bool), RepositoryError> {
        let expect = over.map_or(Expect::Absent, |over| Expect::At(over.rev.clone()));
        let body = own_body("lease", &lease);
        let done = self.store.commit(vec![Write::put(own(), LEASE, expect, body)]).await;
        let done = done.map_err(|err| match err.error.kind {
            Kind::Conflict => RepositoryError::Conflict { id: LEASE.to_owned() },
            _ => err.error.into(),
        })?;
        let Some(rev) = done.revs.into_iter().next() else {
            return Err(StoreError::new(Kind::Unexpected, "commit", &own(), LEASE).into());
        };
        Ok((StoredLease { lease, rev }, done.quorum))
    }

    /// The numbers that could not be settled.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn unsettled(&self) -> Result<BTreeMap<E164, Unsettled>, RepositoryError> {
        let stored = self.own_documents(RETRY).await?;
        let unsettled = stored.into_iter().filter_map(|mut found| {
            let id = E164::parse(found.id.strip_prefix(RETRY)?).ok()?;
            let stored = found.body.shift_remove("retry")?;
            Some((id, serde_json::from_value(stored).ok()?))
        });
        Ok(unsettled.collect())
    }

    async fn own_documents(&self, prefix: &str) -> Result<Vec<Document>, RepositoryError> {
        let (mut documents, mut after) = (Vec::new(), None);
        loop {
            let (question, order) = (Question::All, Order::Ascending);
            let range = IdRange::starting_with(prefix);
            let query = Query { question, range, order, after, limit: PAGE };
            let page = self.store.query(&own(), &query).await?;
            documents.extend(page.documents);
            after = page.next;
            if after.is_none() {
                return Ok(documents);
            }
        }
    }

    /// Keeps numbers that could not be settled, and forgets those that are (`None`). The answer names
    /// those that could not be kept.
    pub async fn keep_unsettled(
        &self,
        numbers: Vec<(E164, Option<Unsettled>)>,
    ) -> BTreeMap<E164, RepositoryError> {
        let kept = stream::iter(numbers).map(|(id, unsettled)| async move {
            let kept = self.keep_one(&id, unsettled.as_ref()).await;
            kept.err().map(|err| (id, err))
        });
        kept.buffer_unordered(PARALLEL).filter_map(async |it| it).collect().await
    }

    async fn keep_one(
        &self,
        id: &E164,
        unsettled: Option<&Unsettled>,
    ) -> Result<(), RepositoryError> {
        let id = format!("{RETRY}{id}");
        let found = self.store.get(&own(), &id).await?.live();
        let write = match (unsettled, found) {
            (None, None) => return Ok(()),
            (None, Some(found)) => {
                let tombstone = Map::from_iter([(WRITE_ID.to_owned(), write_id().into())]);
                Write::delete(own(), id, found.rev, tombstone)
            }
            (Some(unsettled), found) => {
                let expect = found.map_or(Expect::Absent, |found| Expect::At(found.rev));
                Write::put(own(), id, expect, own_body("retry", unsettled))
            }
        };
        self.store.commit(vec![write]).await.map(drop).map_err(|err| err.error.into())
    }
}

fn own() -> DbName {
    DbName::new(OWN_DATABASE)
}

fn own_body(kind: &str, value: &impl Serialize) -> Body {
    Map::from_iter([
        ("pvt_type".to_owned(), Value::from(kind)),
        (kind.to_owned(), json!(value)),
        (WRITE_ID.to_owned(), write_id().into()),
    ])
}
