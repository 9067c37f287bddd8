//! Tokens that are denied before they end: a document for each in our own database, so that every
//! replica knows, and a restart forgets none.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{KeysError, OWN_DATABASE, write_id};
use crate::store::{
    Body, CommitError, DbName, Document, Expect, IdRange, Kind, Order, Query, Question,
    SharedStore, StoreError, WRITE_ID, Write,
};

/// What the ids of the documents begin with.
const PREFIX: &str = "revoked_token:";
/// How often a document that others write is written again.
const TRIES: u32 = 5;
/// How many documents are looked at once.
const PAGE: usize = 1000;

/// The tokens that are denied, by their own names (`jti`).
#[derive(Clone, Debug)]
pub struct RevokedRepository {
    store: SharedStore,
}

impl RevokedRepository {
    /// The tokens that are denied in `store`.
    #[must_use]
    pub fn new(store: SharedStore) -> Self {
        Self { store }
    }

    /// Whether the token of that name is denied.
    ///
    /// # Errors
    ///
    /// [`KeysError::Store`]: that is not known.
    pub async fn holds(&self, jti: &str) -> Result<bool, KeysError> {
        let found = self.store.get(&DbName::new(OWN_DATABASE), &id_of(jti)).await;
        Ok(found.map_err(KeysError::Store)?.live().is_some())
    }

    /// Denies the token of that name until it would have ended, in Unix seconds. One that is denied
    /// for longer already stays so. Returns until when it is denied.
    ///
    /// # Errors
    ///
    /// [`KeysError::Store`]: the token may be good still.
    pub async fn add(&self, jti: &str, until: i64) -> Result<i64, KeysError> {
        let (db, id) = (DbName::new(OWN_DATABASE), id_of(jti));
        for _ in 0..TRIES {
            let found = self.store.get(&db, &id).await.map_err(KeysError::Store)?.live();
            let expect = match found {
                Some(found) => match until_of(&found) {
                    Some(known) if known >= until => return Ok(known),
                    _ => Expect::At(found.rev),
                },
                None => Expect::Absent,
            };
            match self.store.commit(vec![Write::put(db.clone(), &*id, expect, body(until))]).await {
                Ok(done) if done.quorum => return Ok(until),
                // Too few nodes of a cluster know.
                Ok(_) => break,
                Err(CommitError { error, .. }) if error.kind == Kind::Conflict => (),
                Err(CommitError { error, .. }) => return Err(KeysError::Store(error)),
            }
        }
        Err(KeysError::Store(StoreError::new(Kind::Unavailable, "commit", &db, &id)))
    }

    /// Forgets the tokens that would have ended by now, in Unix seconds.
    ///
    /// # Errors
    ///
    /// [`KeysError::Store`] of the first that could not be forgotten.
    pub async fn forget_ended(&self, now: i64) -> Result<(), KeysError> {
        let db = DbName::new(OWN_DATABASE);
        let mut after = None;
        loop {
            let query = Query {
                question: Question::All,
                range: IdRange::starting_with(PREFIX),
                order: Order::Ascending,
                after,
                limit: PAGE,
            };
            let page = self.store.query(&db, &query).await.map_err(KeysError::Store)?;
            let ended = page.documents.into_iter();
            let ended = ended.filter(|found| until_of(found).is_some_and(|until| until <= now));
            let tombstone = || Body::from_iter([(WRITE_ID.to_owned(), write_id().into())]);
            let sets = ended
                .map(|it| vec![Write::delete(db.clone(), &*it.id, it.rev, tombstone())])
                .collect();
            for outcome in self.store.commit_many(sets).await {
                match outcome {
                    // Another replica forgets it, or it is denied for longer by now.
                    Err(CommitError { error, .. }) if error.kind != Kind::Conflict => {
                        return Err(KeysError::Store(error));
                    }
                    _ => (),
                }
            }
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(()),
            }
        }
    }
}

/// The document of a name, which may be any text.
fn id_of(jti: &str) -> String {
    let mut id = PREFIX.to_owned();
    for byte in Sha256::digest(jti.as_bytes()) {
        let _ = write!(id, "{byte:02x}");
    }
    id
}

fn until_of(document: &Document) -> Option<i64> {
    document.body.get("until").and_then(Value::as_i64)
}

fn body(until: i64) -> Body {
    let members = json!({ "pvt_type": "revoked_token", "until": until, WRITE_ID: write_id() });
    let Value::Object(body) = members else { unreachable!("written as an object above") };
    body
}
