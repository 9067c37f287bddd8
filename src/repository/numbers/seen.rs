//! Numbers beside the copies of one account, for looking at whether they go together. The copies are
//! read first and the numbers after, so that what is written over a copy is never older than it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    NumberRepository, Opened, RepositoryError, Span, Stored, database,
    mirror::{self, Mirror},
};
use crate::{
    domain::{AccountId, E164, NumberDatabase},
    store::{DbName, Document, Kind, Lookup, Order, Page, Query, Question, Write},
};

/// How many databases of numbers are asked at once for what an account owns.
const PARALLEL: usize = 8;
/// How many databases of numbers one page goes through at most.
const DATABASES_OF_A_PAGE: usize = 128;

/// Numbers, each as it would be opened to be changed, with the account's copy; or why not.
pub type Seen = Vec<(E164, Result<Opened, RepositoryError>)>;

/// A page of numbers that an account has to do with.
#[derive(Debug, Default)]
pub struct SeenPage {
    /// The numbers, in order.
    pub numbers: Seen,
    /// How many documents are no copies of numbers, though their ids begin like theirs.
    pub strange: u64,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl NumberRepository {
    /// A page of the numbers of which an account holds copies; none when it has no database.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`]. What goes wrong with one database of numbers is said of its
    /// numbers.
    pub async fn seen_by_copies(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<SeenPage>, RepositoryError> {
        let Some(copies) = self.copies(account, after, limit).await? else {
            return Ok(None);
        };
        let next = copies.next;
        Ok(Some(self.beside(account, copies.documents, Vec::new(), next).await))
    }

    /// A page of the numbers of which an account holds copies, or that it owns as far as the index of
    /// owners knows; none when it has no database.
    ///
    /// # Errors
    ///
    /// As [`NumberRepository::seen_by_copies`], and when one of the indexes cannot be read.
    pub async fn seen_of_account(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<SeenPage>, RepositoryError> {
        let Some(mut copies) = self.copies(account, after, limit).await? else {
            return Ok(None);
        };
        let mut owned = self.owned(account, after, limit).await?;
        // Behind the end of one of them nothing is known of the other.
        let next = copies.next.iter().chain(&owned.next).min().cloned();
        if let Some(end) = &next {
            copies.documents.retain(|document| document.id <= *end);
            owned.documents.retain(|document| document.id <= *end);
        }
        Ok(Some(self.beside(account, copies.documents, owned.documents, next).await))
    }

    /// Numbers, with the copies that an account holds of them. One result per number, in order.
    pub async fn seen(&self, account: &AccountId, ids: &[E164]) -> Seen {
        let texts: Vec<String> = ids.iter().map(ToString::to_string).collect();
        let db = mirror::database(account);
        let mut copies = self.look_up(BTreeMap::from([(db.clone(), texts)])).await;
        let mut numbers = self.look_up(by_database(ids)).await;
        let see = |id: &E164| {
            let copy = copies.remove(&(db.clone(), id.to_string()));
            let number = numbers.remove(&(database(id), id.to_string()));
            let opened = copy.transpose().map_err(RepositoryError::from).and_then(|copy| {
                let number = number.transpose()?.unwrap_or(Lookup::Missing);
                let mirror = Mirror::new(copy.unwrap_or(Lookup::Missing));
                self.opened(id, number, BTreeMap::from([(account.clone(), mirror)]))
            });
            (id.clone(), opened)
        };
        ids.iter().map(see).collect()
    }

    /// Reads the copies that the owner of these numbers holds of them.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn read_copies(
        &self,
        owner: &AccountId,
        numbers: &mut [Stored],
    ) -> Result<(), RepositoryError> {
        let ids: Vec<String> = numbers.iter().map(|stored| stored.number.id.to_string()).collect();
        let copies = self.store.get_many(&mirror::database(owner), &ids).await?;
        for (stored, copy) in numbers.iter_mut().zip(copies) {
            stored.mirrors.insert(owner.clone(), Mirror::new(copy));
        }
        Ok(())
    }

    /// Makes the owner's copies of these numbers, which were read before them, equal to them. One
    /// result per number, in order.
    pub async fn put_copies(
        &self,
        owner: &AccountId,
        numbers: &[Stored],
    ) -> Vec<Result<(), RepositoryError>> {
        let none = Mirror::default();
        let put = |stored: &Stored| {
            let mirror = stored.mirrors.get(owner).unwrap_or(&none);
            mirror.put(owner, &stored.number.id, &stored.base)
        };
        let writes: Vec<Option<Write>> = numbers.iter().map(put).collect();
        let sets = writes.iter().flatten().map(|write| vec![write.clone()]).collect();
        let mut outcomes = self.store.commit_many(sets).await.into_iter();
        let outcome = |write: Option<Write>| match write.and_then(|_| outcomes.next()) {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(err)) => Err(err.error.into()),
        };
        writes.into_iter().map(outcome).collect()
    }

    /// A page of the documents of an account whose ids begin like those of numbers; none when it
    /// has no database.
    pub(super) async fn copies(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Option<Page>, RepositoryError> {
        match self.page(&mirror::database(account), Question::All, after, limit).await {
            Err(RepositoryError::Store(err)) if err.kind == Kind::NoDatabase => Ok(None),
            page => Ok(Some(page?)),
        }
    }

    /// A page of the documents of numbers that an account owns, over all databases of numbers.
    async fn owned(
        &self,
        account: &AccountId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, RepositoryError> {
        let from = after.map(str::to_owned);
        let span = Span { from, ..Span::default() };
        let mut databases = self.databases(false).await?;
        databases.retain(|it| span.reaches(it) && after != Some(end_of(it).as_str()));
        let mut left = databases.as_slice();
        let (mut documents, mut at_once) = (Vec::new(), 1);
        while !left.is_empty() {
            let (some, rest) = left.split_at(at_once.min(left.len()));
            // What is asked of each together is no more than the page.
            let share = (limit.saturating_sub(documents.len()) / some.len()).max(1);
            let ask = |database: &NumberDatabase| {
                let db = DbName::new(database.as_str());
                let question = Question::Owner(Some(account.to_string()));
                // A later page of an index is not brought up to date, so a first one must be one.
                let after = after.filter(|after| after.starts_with(key_of(database)));
                async move { self.page(&db, question, after, share).await }
            };
            let asked: Vec<_> = some.iter().map(ask).collect();
            let pages: Vec<Page> = stream::iter(asked).buffered(PARALLEL).try_collect().await?;
            for page in pages {
                documents.extend(page.documents);
                if page.next.is_some() {
                    return Ok(Page { documents, next: page.next });
                }
            }
            let is_enough =
                documents.len() >= limit || databases.len() - rest.len() >= DATABASES_OF_A_PAGE;
            if let Some(last) = some.last().filter(|_| is_enough && !rest.is_empty()) {
                return Ok(Page { documents, next: Some(end_of(last)) });
            }
            (left, at_once) = (rest, PARALLEL);
        }
        Ok(Page { documents, next: None })
    }

    async fn page(
        &self,
        db: &DbName,
        question: Question,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Page, RepositoryError> {
        let (range, order) = (Span::default().ids(), Order::Ascending);
        let query = Query { question, range, order, after: after.map(str::to_owned), limit };
        Ok(self.store.query(db, &query).await?)
    }

    /// Copies, and the numbers that they are copies of, those that were read after them or are read
    /// now.
    async fn beside(
        &self,
        account: &AccountId,
        copies: Vec<Document>,
        owned: Vec<Document>,
        next: Option<String>,
    ) -> SeenPage {
        let mut strange = 0;
        let mut keyed = |documents: Vec<Document>| {
            let mut keyed = BTreeMap::new();
            for document in documents {
                match E164::parse(&document.id) {
                    Ok(id) => drop(keyed.insert(id, document)),
                    Err(_) => strange += 1,
                }
            }
            keyed
        };
        let (mut copies, mut owned) = (keyed(copies), keyed(owned));
        let unread: Vec<E164> =
            copies.keys().filter(|id| !owned.contains_key(*id)).cloned().collect();
        let mut found = self.look_up(by_database(&unread)).await;
        let ids: BTreeSet<E164> = copies.keys().chain(owned.keys()).cloned().collect();
        let see = |id: E164| {
            let number = match owned.remove(&id) {
                Some(number) => Ok(Lookup::Live(number)),
                None => {
                    found.remove(&(database(&id), id.to_string())).unwrap_or(Ok(Lookup::Missing))
                }
            };
            let mirror = copies
                .remove(&id)
                .map_or_else(Mirror::default, |copy| Mirror::new(Lookup::Live(copy)));
            let mirrors = BTreeMap::from([(account.clone(), mirror)]);
            let opened = number.map_err(RepositoryError::from);
            let opened = opened.and_then(|number| self.opened(&id, number, mirrors));
            (id, opened)
        };
        SeenPage { numbers: ids.into_iter().map(see).collect(), strange, next }
    }
}

impl Opened {
    /// Whether a copy was found in an account's database.
    #[must_use]
    pub fn has_copy(&self, account: &AccountId) -> bool {
        let mirrors = match self {
            Self::Found(stored) => &stored.mirrors,
            Self::Vacant(vacancy) => &vacancy.mirrors,
        };
        mirrors.get(account).is_some_and(Mirror::exists)
    }
}

/// The ids of numbers by the databases that they belong into.
pub(super) fn by_database(ids: &[E164]) -> BTreeMap<DbName, Vec<String>> {
    let mut wanted = BTreeMap::<DbName, Vec<String>>::new();
    for id in ids {
        wanted.entry(database(id)).or_default().push(id.to_string());
    }
    wanted
}

/// A text behind every number of a database and before those of the next one.
fn end_of(database: &NumberDatabase) -> String {
    format!("{}:", key_of(database))
}

/// What the ids of a database's numbers begin with.
fn key_of(database: &NumberDatabase) -> &str {
    database.as_str().trim_start_matches("numbers/")
}
