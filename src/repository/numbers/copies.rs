//! Number documents and the copies that are made of them.

use std::collections::BTreeMap;

use super::{
    NumberRepository, RepositoryError, Span, UndecodableField,
    bulk::PARALLEL_LOOKUPS,
    carriers::ids,
    codec, database,
    mirror::{self, Mirror},
};
use crate::{
    domain::{AccountId, E164, Number, NumberDatabase, number_database},
    store::{DbName, Document, Kind, Lookup, Order, Page, Query, Question, Rev, Write},
};

use futures::{StreamExt, stream};

/// A document that copies are made from.
#[derive(Clone, Debug)]
pub struct Source {
    /// The number that it holds.
    pub number: Number,
    pub(super) document: Document,
}

/// A page of documents: each as it was read, or its id and why it cannot be.
#[derive(Debug)]
pub struct SourcePage {
    /// The documents.
    pub sources: Vec<Result<Source, (String, RepositoryError)>>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

/// A copy that is not what its number says.
#[derive(Debug)]
pub struct Unequal {
    /// The account.
    pub account: AccountId,
    source: Source,
    mirror: Mirror,
}

/// A write of a copy, or its removal.
#[derive(Clone, Debug)]
pub struct CopyWrite {
    /// The number.
    pub number: E164,
    /// The account.
    pub account: AccountId,
    /// The revision of the number that the copy was made from; `None` when there is no number.
    pub rev: Option<String>,
    pub(super) write: Write,
}

impl Source {
    /// How many other versions of the document there are.
    #[must_use]
    pub fn conflicts(&self) -> usize {
        self.document.conflicts.len()
    }

    /// Whether it says that this account is the owner.
    #[must_use]
    pub fn is_owned_by(&self, account: &AccountId) -> bool {
        codec::owner(&self.document.body).as_ref() == Some(account)
    }
}

impl Unequal {
    /// The number.
    #[must_use]
    pub fn number(&self) -> &E164 {
        &self.source.number.id
    }

    /// The write that makes the copy equal.
    #[must_use]
    pub fn write(self) -> Option<CopyWrite> {
        let Self { account, source, mirror } = self;
        let number = source.number.id;
        let write = mirror.put(&account, &number, &source.document.body)?;
        let rev = Some(source.document.rev.as_str().to_owned());
        Some(CopyWrite { number, account, rev, write })
    }
}

impl NumberRepository {
    /// A page of the number documents of a database, those whose ids begin with `prefix` or all.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn sources(
        &self,
        database: &NumberDatabase,
        prefix: Option<&str>,
        after: Option<String>,
        limit: usize,
    ) -> Result<SourcePage, RepositoryError> {
        let (question, order) = (Question::All, Order::Ascending);
        let query = Query { question, range: ids(prefix), order, after, limit };
        self.source_page(database, &query).await
    }

    /// The same of those that an account owns, as far as the index of owners knows.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn sources_of(
        &self,
        database: &NumberDatabase,
        owner: &AccountId,
        after: Option<String>,
        limit: usize,
    ) -> Result<SourcePage, RepositoryError> {
        let (question, order) = (Question::Owner(Some(owner.to_string())), Order::Ascending);
        let query = Query { question, range: Span::default().ids(), order, after, limit };
        let mut page = self.source_page(database, &query).await?;
        // The index may be behind the documents that come with it.
        let is_owned = |source: &Source| source.number.owner.as_ref() == Some(owner);
        page.sources.retain(|source| source.as_ref().map_or(true, is_owned));
        Ok(page)
    }

    /// The documents of these numbers, in order; `None` where there is none.
    pub async fn sources_named(
        &self,
        numbers: &[E164],
    ) -> Vec<Result<Option<Source>, RepositoryError>> {
        let mut wanted = BTreeMap::<DbName, Vec<String>>::new();
        for id in numbers {
            wanted.entry(database(id)).or_default().push(id.to_string());
        }
        let mut found = self.look_up(wanted).await;
        let reads = numbers.iter().map(|id| {
            let found = found.remove(&(database(id), id.to_string()));
            async move {
                let read = match found {
                    Some(read) => read?,
                    // Asked for twice.
                    None => self.store.get(&database(id), id.as_str()).await?,
                };
                read.live().map(|live| self.source(live).map_err(|(_, err)| err)).transpose()
            }
        });
        let reads: Vec<_> = reads.collect();
        stream::iter(reads).buffered(PARALLEL_LOOKUPS).collect().await
    }

    /// A page of an account's copies.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn copies_in(
        &self,
        account: &AccountId,
        after: Option<String>,
        limit: usize,
    ) -> Result<SourcePage, RepositoryError> {
        let (question, order) = (Question::All, Order::Ascending);
        let query = Query { question, range: Span::default().ids(), order, after, limit };
        let page = self.documents_of(&mirror::database(account), &query).await?;
        let sources = page.documents.into_iter().map(|it| self.source(it)).collect();
        Ok(SourcePage { sources, next: page.next })
    }

    /// The copies of these numbers in an account's database, in order; `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn copies_named(
        &self,
        account: &AccountId,
        numbers: &[E164],
    ) -> Result<Vec<Option<Result<Source, RepositoryError>>>, RepositoryError> {
        let ids: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let found = self.store.get_many(&mirror::database(account), &ids).await?;
        let read =
            |found: Lookup| found.live().map(|live| self.source(live).map_err(|(_, err)| err));
        Ok(found.into_iter().map(read).collect())
    }

    /// Looks at the copies of numbers in accounts, with one request per account. `None` for those that
    /// are what their numbers say.
    pub async fn unequal(
        &self,
        numbers: Vec<(Source, AccountId)>,
    ) -> Vec<(E164, Result<Option<Unequal>, RepositoryError>)> {
        let mut wanted = BTreeMap::<DbName, Vec<String>>::new();
        for (source, account) in &numbers {
            wanted.entry(mirror::database(account)).or_default().push(source.number.id.to_string());
        }
        let mut found = self.look_up(wanted).await;
        let mut compare = |source: Source, account: AccountId| {
            let place = (mirror::database(&account), source.number.id.to_string());
            let mirror = Mirror::new(found.remove(&place).unwrap_or(Ok(Lookup::Missing))?);
            let is_equal = mirror.equals(&source.document.body);
            Ok((!is_equal).then_some(Unequal { account, source, mirror }))
        };
        let numbers = numbers.into_iter();
        numbers.map(|(source, it)| (source.number.id.clone(), compare(source, it))).collect()
    }

    /// Writes copies. One result per write, in order.
    pub async fn write_copies(&self, writes: Vec<CopyWrite>) -> Vec<Result<(), RepositoryError>> {
        let ids: Vec<E164> = writes.iter().map(|it| it.number.clone()).collect();
        let sets = writes.into_iter().map(|it| vec![it.write]).collect();
        let outcomes = self.store.commit_many(sets).await.into_iter().zip(ids);
        let outcome = |(outcome, id): (Result<_, crate::store::CommitError>, E164)| match outcome {
            Ok(_) => Ok(()),
            Err(err) if err.error.kind == Kind::Conflict => {
                Err(RepositoryError::Conflict { id: id.to_string() })
            }
            Err(err) => Err(err.error.into()),
        };
        outcomes.map(outcome).collect()
    }

    /// The revisions of number documents, in order, with one request per database; `None` for what
    /// there is not, and for what could not be read.
    pub async fn revisions_of(&self, numbers: &[E164]) -> Vec<Option<String>> {
        let mut wanted = BTreeMap::<DbName, Vec<String>>::new();
        for id in numbers {
            wanted.entry(database(id)).or_default().push(id.to_string());
        }
        let reads = stream::iter(wanted).map(|(db, ids)| async move {
            let found = self.store.revisions(&db, &ids).await;
            let found = found.unwrap_or_else(|_| vec![None; ids.len()]);
            ids.into_iter().zip(found).collect::<Vec<_>>()
        });
        let reads = reads.buffer_unordered(PARALLEL_LOOKUPS).concat().await;
        let mut found: BTreeMap<String, Option<Rev>> = reads.into_iter().collect();
        let text = |rev: Rev| rev.as_str().to_owned();
        numbers.iter().map(|id| found.remove(id.as_str()).flatten().map(text)).collect()
    }

    async fn source_page(
        &self,
        database: &NumberDatabase,
        query: &Query,
    ) -> Result<SourcePage, RepositoryError> {
        let page = self.documents_of(&DbName::new(database.as_str()), query).await?;
        let read = |document: Document| {
            let source = self.source(document)?;
            if number_database(&source.number.id) == database.as_str() {
                return Ok(source);
            }
            let id = source.document.id;
            let wrong = UndecodableField { field: "_id", problem: "belongs in another database" };
            Err((id.clone(), RepositoryError::Undecodable { id, source: wrong }))
        };
        Ok(SourcePage { sources: page.documents.into_iter().map(read).collect(), next: page.next })
    }

    /// A page of documents; none of a database that does not exist.
    pub(super) async fn documents_of(
        &self,
        db: &DbName,
        query: &Query,
    ) -> Result<Page, RepositoryError> {
        match self.store.query(db, query).await {
            Err(err) if err.kind == Kind::NoDatabase => {
                Ok(Page { documents: Vec::new(), next: None })
            }
            page => Ok(page?),
        }
    }

    fn source(&self, document: Document) -> Result<Source, (String, RepositoryError)> {
        let (number, document) = self.decode_document(document)?;
        Ok(Source { number, document })
    }
}
