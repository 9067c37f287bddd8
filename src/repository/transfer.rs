//! Moving documents between stores, whole and as they are: what is written equals what was read, but for
//! its revision.

use std::collections::BTreeMap;

use super::{
    ACCOUNTS_DATABASE, NumberRepository, RepositoryError, SETTINGS_DATABASE, charges,
    trail::{self, Entry, Ground, Trail},
};
use crate::store::{
    Body, CommitError, DbName, Document, Expect, IdRange, Kind, Lookup, Order, Query, Question,
    SharedStore, StoreError, Write,
};

/// Where the names of databases begin whose documents are moved: all but the keys, the jobs and what is
/// only remembered for a while.
const PREFIXES: [&str; 7] = [
    SETTINGS_DATABASE,
    ACCOUNTS_DATABASE,
    "account/",
    "numbers/",
    "port_requests",
    charges::PREFIX,
    trail::DATABASES,
];
/// How long the name of an account's database is; those of its months are longer.
const ACCOUNT_NAME: usize = "account/".len() + 34;

/// Moves documents out of a store, and into it.
#[derive(Clone, Debug)]
pub struct TransferRepository {
    store: SharedStore,
    /// What commits, and notes who brings numbers in.
    trail: Trail,
    /// The time that it says.
    now: i64,
}

/// A document that is moved.
#[derive(Clone, Debug, PartialEq)]
pub struct Moved {
    /// Its database.
    pub database: String,
    /// Its id.
    pub id: String,
    /// Its members, but for those of the store itself.
    pub body: Body,
}

/// What became of a document that came in.
#[derive(Debug)]
pub enum Arrival {
    /// It is stored.
    Made,
    /// It was there, and as it is.
    Unchanged,
    /// Another one is there, which stays.
    Other,
    /// It could not be stored.
    Failed(RepositoryError),
}

impl TransferRepository {
    /// Documents of this store; nothing is noted of what comes in, since entries come with it.
    #[must_use]
    pub fn new(store: SharedStore) -> Self {
        Self { trail: Trail::silent(store.clone()), store, now: 0 }
    }

    /// The databases whose documents are moved, in order.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn databases(&self) -> Result<Vec<String>, RepositoryError> {
        let mut names = Vec::new();
        for prefix in PREFIXES {
            let found = self.store.databases(prefix).await?.into_iter();
            let found = found.map(|name| name.as_str().to_owned());
            names.extend(found.filter(|name| {
                let is_whole = prefix == ACCOUNTS_DATABASE || prefix == SETTINGS_DATABASE;
                let is_account = prefix != "account/" || name.len() == ACCOUNT_NAME;
                is_account && (!is_whole || name == prefix)
            }));
        }
        Ok(names)
    }

    /// A page of the documents of a database, and where the next one goes on.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn page(
        &self,
        database: &str,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Moved>, Option<String>), RepositoryError> {
        let range = IdRange { from: String::new(), before: "\u{10ffff}".to_owned() };
        let query = Query { question: Question::All, range, order: Order::Ascending, after, limit };
        let page = self.store.query(&DbName::new(database), &query).await?;
        let moved = |Document { id, body, .. }: Document| {
            let database = database.to_owned();
            Moved { database, id, body: of_itself(body) }
        };
        Ok((page.documents.into_iter().map(moved).collect(), page.next))
    }

    /// Stores documents that are not there, each for itself. One outcome per document, in order.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`] of a read.
    pub async fn load(&self, moved: Vec<Moved>) -> Result<Vec<Arrival>, RepositoryError> {
        let mut by_database = BTreeMap::<DbName, Vec<usize>>::new();
        for (place, it) in moved.iter().enumerate() {
            by_database.entry(DbName::new(it.database.as_str())).or_default().push(place);
        }
        let mut arrivals: Vec<Option<Arrival>> = moved.iter().map(|_| None).collect();
        let (mut places, mut sets) = (Vec::new(), Vec::new());
        for (db, of_database) in by_database {
            let ids: Vec<String> = of_database.iter().map(|it| moved[*it].id.clone()).collect();
            let found = self.store.get_many(&db, &ids).await?;
            for (place, found) in of_database.into_iter().zip(found) {
                match found {
                    Lookup::Live(found) => {
                        let is_it = of_itself(found.body) == moved[place].body;
                        arrivals[place] =
                            Some(if is_it { Arrival::Unchanged } else { Arrival::Other });
                    }
                    Lookup::Deleted(_) | Lookup::Missing => {
                        let Moved { id, body, .. } = moved[place].clone();
                        places.push(place);
                        sets.push(vec![Write::put(db.clone(), id, Expect::Absent, body)]);
                    }
                }
            }
        }
        for (place, outcome) in places.into_iter().zip(self.commit(sets).await) {
            arrivals[place] = Some(match outcome {
                Ok(()) => Arrival::Made,
                // Somebody else was faster, or the document stands in the file twice.
                Err(err) if err.kind == Kind::Conflict => Arrival::Other,
                Err(err) => Arrival::Failed(err.into()),
            });
        }
        Ok(arrivals.into_iter().map(|it| it.unwrap_or(Arrival::Other)).collect())
    }

    /// Commits writes of one document each; a database that is not there is made.
    async fn commit(&self, sets: Vec<Vec<Write>>) -> Vec<Result<(), StoreError>> {
        let outcome = |done: Result<_, CommitError>| done.map(|_| ()).map_err(|err| err.error);
        let done = self.trail.commit_many(sets.iter().map(|set| self.noted(set)).collect()).await;
        let mut outcomes: Vec<_> = done.into_iter().map(outcome).collect();
        let lacks = |it: &Result<(), StoreError>| {
            it.as_ref().is_err_and(|err| err.kind == Kind::NoDatabase)
        };
        let places: Vec<usize> =
            (0..outcomes.len()).filter(|place| lacks(&outcomes[*place])).collect();
        let mut made = BTreeMap::<&DbName, bool>::new();
        for place in &places {
            let db = &sets[*place][0].db;
            if !made.contains_key(db) {
                made.insert(db, self.store.create_database(db).await.is_ok());
            }
        }
        let again: Vec<_> = places.iter().map(|place| self.noted(&sets[*place])).collect();
        if !again.is_empty() {
            let done = self.trail.commit_many(again).await;
            for (place, done) in places.into_iter().zip(done) {
                outcomes[place] = outcome(done);
            }
        }
        outcomes
    }

    /// A set with its entry. A document that says when it was changed was not changed then.
    fn noted(&self, set: &[Write]) -> (Option<Entry>, Vec<Write>) {
        let entry = set.first().and_then(|write| Entry::of(Ground::default(), write, self.now));
        (entry.map(|entry| entry.at(self.now)), set.to_vec())
    }
}

/// The members that are the document's own: those of the store, and attachments, which are no members,
/// are not.
fn of_itself(mut body: Body) -> Body {
    body.retain(|name, _| !name.starts_with('_'));
    body
}

impl NumberRepository {
    /// The documents of the same store, to be moved; who brings numbers in is noted.
    #[must_use]
    pub fn transfer(&self) -> TransferRepository {
        TransferRepository { store: self.store.clone(), trail: self.trail.clone(), now: self.now() }
    }
}
