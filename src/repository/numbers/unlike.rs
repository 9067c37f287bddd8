//! Where the copies of an account are not what the numbers say. What is found is only a reason to
//! look again: `sync` reads both before it writes.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    NumberRepository, RepositoryError, Span, codec,
    mirror::{self, Mirror},
};
use crate::{
    domain::{AccountId, E164, NumberDatabase, number_database},
    store::{Body, DbName, Document, IdRange, Kind, Lookup, Order, Query, Question},
};

/// How many documents are read at once.
const READ_AT_ONCE: usize = 500;
/// How many databases are asked at once.
const PARALLEL: usize = 8;

/// Numbers of which a page of copies is not what it should be.
#[derive(Clone, Debug)]
pub struct Unlike {
    /// The numbers.
    pub numbers: Vec<E164>,
    /// Those of which a copy has versions that lost.
    pub conflicting: Vec<E164>,
    /// How many copies were compared.
    pub read: u64,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl NumberRepository {
    /// Looks through a page of an account's copies for those that are unlike their numbers, or
    /// should not be there.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn unlike_numbers(
        &self,
        account: &AccountId,
        after: Option<String>,
    ) -> Result<Unlike, RepositoryError> {
        let range = Span::default().ids();
        self.unlike_within(account, range, after).await
    }

    /// The same of the copies of the numbers of one database.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn unlike_numbers_of(
        &self,
        account: &AccountId,
        database: &NumberDatabase,
    ) -> Result<Vec<E164>, RepositoryError> {
        let (mut unlike, mut after) = (Vec::new(), None);
        loop {
            let range = IdRange::starting_with(database.as_str().trim_start_matches("numbers/"));
            let page = self.unlike_within(account, range, after).await?;
            unlike.extend(page.numbers);
            after = page.next;
            if after.is_none() {
                return Ok(unlike);
            }
        }
    }

    async fn unlike_within(
        &self,
        account: &AccountId,
        range: IdRange,
        after: Option<String>,
    ) -> Result<Unlike, RepositoryError> {
        let (copies, next) =
            self.documents(&mirror::database(account), Question::All, range, after).await?;
        let read = copies.len() as u64;
        let conflicting = copies.iter().filter(|it| !it.conflicts.is_empty());
        let conflicting = conflicting.filter_map(|it| E164::parse(&it.id).ok()).collect();
        let mut by_database: BTreeMap<String, Vec<(E164, Document)>> = BTreeMap::new();
        for copy in copies {
            // What has no number's id is no copy of one.
            if let Ok(id) = E164::parse(&copy.id) {
                by_database.entry(number_database(&id)).or_default().push((id, copy));
            }
        }
        let looked_up = stream::iter(by_database).map(|(database, copies)| async move {
            let ids: Vec<String> = copies.iter().map(|(id, _)| id.to_string()).collect();
            let found = self.store.get_many(&DbName::new(database), &ids).await?;
            Ok::<_, RepositoryError>((copies, found))
        });
        let mut looked_up = looked_up.buffer_unordered(PARALLEL);
        let mut numbers = Vec::new();
        while let Some((copies, found)) = looked_up.try_next().await? {
            for ((id, copy), found) in copies.into_iter().zip(found) {
                let number = found.live().map(|number| number.body);
                let is_right = number.is_some_and(|number| {
                    codec::owner(&number).as_ref() == Some(account)
                        && Mirror::new(Lookup::Live(copy)).equals(&number)
                });
                if !is_right {
                    numbers.push(id);
                }
            }
        }
        Ok(Unlike { numbers, conflicting, read, next })
    }

    /// The numbers of a database that an account owns, as far as the index of owners knows, and
    /// that its copies are unlike.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn unlike_copies(
        &self,
        database: &NumberDatabase,
        account: &AccountId,
    ) -> Result<Vec<E164>, RepositoryError> {
        let (mut unlike, mut after) = (Vec::new(), None);
        loop {
            let question = Question::Owner(Some(account.to_string()));
            let (documents, next) = self
                .documents(&DbName::new(database.as_str()), question, Span::default().ids(), after)
                .await?;
            // The index may be behind the documents that come with it.
            let owned =
                documents.into_iter().filter(|it| codec::owner(&it.body).as_ref() == Some(account));
            let owned: Vec<(E164, Body)> =
                owned.filter_map(|it| Some((E164::parse(&it.id).ok()?, it.body))).collect();
            let ids: Vec<String> = owned.iter().map(|(id, _)| id.to_string()).collect();
            if !ids.is_empty() {
                let copies = self.store.get_many(&mirror::database(account), &ids).await?;
                let wrong = owned.into_iter().zip(copies);
                let wrong =
                    wrong.filter(|((_, number), copy)| !Mirror::new(copy.clone()).equals(number));
                unlike.extend(wrong.map(|((id, _), _)| id));
            }
            after = next;
            if after.is_none() {
                return Ok(unlike);
            }
        }
    }

    async fn documents(
        &self,
        database: &DbName,
        question: Question,
        range: IdRange,
        after: Option<String>,
    ) -> Result<(Vec<Document>, Option<String>), RepositoryError> {
        let (order, limit) = (Order::Ascending, READ_AT_ONCE);
        let query = Query { question, range, order, after, limit };
        match self.store.query(database, &query).await {
            Err(err) if err.kind == Kind::NoDatabase => Ok((Vec::new(), None)),
            page => {
                let page = page?;
                Ok((page.documents, page.next))
            }
        }
    }
}
