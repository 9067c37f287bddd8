//! Numbers by their stored carrier.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};

use super::{
    NumberRepository, RepositoryError, Stored,
    bulk::PARALLEL_LOOKUPS,
    codec,
    mirror::{self, Mirror},
};
use crate::{
    domain::{AccountId, Number, NumberDatabase},
    store::{DbName, Document, IdRange, Kind, Order, Page, Query, Question, Rev},
};

/// A page of the numbers of one carrier.
#[derive(Debug)]
pub struct CarrierPage {
    /// Each number ready to be saved, or its id and why it cannot be read.
    pub numbers: Vec<Result<Stored, (String, RepositoryError)>>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl NumberRepository {
    /// The databases that hold numbers, in order; those of the carriers' own stock only `with_stock`.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn databases(
        &self,
        with_stock: bool,
    ) -> Result<Vec<NumberDatabase>, RepositoryError> {
        let names = self.store.databases("numbers/").await?;
        let parsed =
            names.iter().filter_map(|name| NumberDatabase::parse_or_stock(name.as_str()).ok());
        Ok(parsed.filter(|database| with_stock || !database.is_stock()).collect())
    }

    /// How many documents of a database carry each stored carrier name, those whose ids begin with
    /// `prefix` or all. A database that does not exist has none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn carrier_counts(
        &self,
        database: &NumberDatabase,
        prefix: Option<&str>,
    ) -> Result<BTreeMap<Option<String>, u64>, RepositoryError> {
        let db = DbName::new(database.as_str());
        match self.store.carrier_counts(&db, &ids(prefix)).await {
            Err(err) if err.kind == Kind::NoDatabase => Ok(BTreeMap::new()),
            counts => Ok(counts?),
        }
    }

    /// A page of the numbers that are stored under exactly this carrier name, ready to be saved:
    /// their owners' copies are looked up with one request per account.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn with_carrier(
        &self,
        database: &NumberDatabase,
        carrier: &str,
        prefix: Option<&str>,
        after: Option<String>,
        limit: usize,
    ) -> Result<CarrierPage, RepositoryError> {
        let db = DbName::new(database.as_str());
        let question = Question::Carrier(Some(carrier.to_owned()));
        let order = Order::Ascending;
        let query = Query { question, range: ids(prefix), order, after, limit };
        let page = match self.store.query(&db, &query).await {
            Err(err) if err.kind == Kind::NoDatabase => Page { documents: Vec::new(), next: None },
            page => page?,
        };
        let still = |it: &Document| codec::stored_carrier(&it.body) == Some(carrier);
        let documents = page.documents.into_iter().filter(still).collect();
        Ok(CarrierPage { numbers: self.with_mirrors(documents).await?, next: page.next })
    }

    async fn with_mirrors(
        &self,
        documents: Vec<Document>,
    ) -> Result<Vec<Result<Stored, (String, RepositoryError)>>, RepositoryError> {
        let decoded: Vec<_> = documents.into_iter().map(|it| self.decode_document(it)).collect();
        let mut held: BTreeMap<AccountId, Vec<String>> = BTreeMap::new();
        for (number, _) in decoded.iter().flatten() {
            if let Some(owner) = &number.owner {
                held.entry(owner.clone()).or_default().push(number.id.to_string());
            }
        }
        let mut revisions = self.mirror_revisions(held).await?;
        let mut stored = |(number, document): (Number, Document)| {
            let mirrors = number.owner.iter().map(|owner| {
                let rev = revisions.remove(&(owner.clone(), number.id.to_string()));
                (owner.clone(), Mirror::at(rev))
            });
            let mirrors = mirrors.collect();
            Stored::read(number, document, mirrors)
        };
        Ok(decoded.into_iter().map(|decoded| decoded.map(&mut stored)).collect())
    }

    async fn mirror_revisions(
        &self,
        held: BTreeMap<AccountId, Vec<String>>,
    ) -> Result<BTreeMap<(AccountId, String), Rev>, RepositoryError> {
        let lookups = stream::iter(held).map(|(account, ids)| async move {
            let revs = self.store.revisions(&mirror::database(&account), &ids).await?;
            Ok::<_, RepositoryError>((account, ids, revs))
        });
        let mut lookups = lookups.buffer_unordered(PARALLEL_LOOKUPS);
        let mut found = BTreeMap::new();
        while let Some(lookup) = lookups.next().await {
            let (account, ids, revs) = lookup?;
            for (id, rev) in ids.into_iter().zip(revs) {
                if let Some(rev) = rev {
                    found.insert((account.clone(), id), rev);
                }
            }
        }
        Ok(found)
    }
}

/// The ids that begin with `prefix`, or all.
pub(super) fn ids(prefix: Option<&str>) -> IdRange {
    match prefix {
        Some(prefix) => IdRange::starting_with(prefix),
        None => IdRange { from: String::new(), before: "\u{10ffff}".to_owned() },
    }
}
