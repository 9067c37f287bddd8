//! Pages of a database of numbers, sorted by who owns them.

use std::collections::BTreeMap;

use super::{NumberRepository, RepositoryError, Stored, carriers::ids};
use crate::{
    domain::{AccountId, NumberDatabase},
    store::{DbName, Kind, Order, Page, Query, Question},
};

/// A page of numbers by their owners. Their copies were not read.
#[derive(Debug, Default)]
pub struct OwnersPage {
    /// The numbers of each owner, and of nobody.
    pub numbers: BTreeMap<Option<AccountId>, Vec<Stored>>,
    /// Those that cannot be read, and why.
    pub unreadable: Vec<(String, RepositoryError)>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl NumberRepository {
    /// A page of the numbers of a database, those whose ids begin with `prefix` or all. A database
    /// that does not exist has none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn by_owner(
        &self,
        database: &NumberDatabase,
        prefix: Option<&str>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<OwnersPage, RepositoryError> {
        let (question, order) = (Question::All, Order::Ascending);
        let after = after.map(str::to_owned);
        let query = Query { question, range: ids(prefix.or(Some("+"))), order, after, limit };
        let page = match self.store.query(&DbName::new(database.as_str()), &query).await {
            Err(err) if err.kind == Kind::NoDatabase => Page { documents: Vec::new(), next: None },
            page => page?,
        };
        let mut sorted = OwnersPage { next: page.next, ..OwnersPage::default() };
        for document in page.documents {
            match self.decode_document(document) {
                Ok((number, document)) => {
                    let numbers = sorted.numbers.entry(number.owner.clone()).or_default();
                    numbers.push(Stored::read(number, document, BTreeMap::new()));
                }
                Err(unreadable) => sorted.unreadable.push(unreadable),
            }
        }
        Ok(sorted)
    }
}
