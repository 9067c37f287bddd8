//! What is open about numbers between us and their carriers: documents of our own database, each named
//! after its kind and its number.

use super::{NumberRepository, OWN_DATABASE, RepositoryError};
use crate::{
    domain::E164,
    store::{DbName, Document, IdRange, Order, Query, Question},
};

/// Some of what is open, each as far as it can be read, and the number that the next page goes on behind.
pub type OpenPage<T> = (Vec<Result<T, RepositoryError>>, Option<E164>);

impl NumberRepository {
    /// A page of the documents whose ids are `prefix` and a number, by number, behind `after`.
    pub(super) async fn open_matters<T>(
        &self,
        prefix: &str,
        after: Option<&E164>,
        limit: usize,
        decode: fn(Document) -> Result<T, RepositoryError>,
    ) -> Result<OpenPage<T>, RepositoryError> {
        let query = Query {
            question: Question::All,
            range: IdRange::starting_with(prefix),
            order: Order::Ascending,
            after: after.map(|number| format!("{prefix}{number}")),
            limit,
        };
        let page = self.store.query(&DbName::new(OWN_DATABASE), &query).await?;
        let next = page.next.as_deref().and_then(|id| id.strip_prefix(prefix));
        let next = next.and_then(|number| E164::parse(number).ok());
        Ok((page.documents.into_iter().map(decode).collect(), next))
    }
}
