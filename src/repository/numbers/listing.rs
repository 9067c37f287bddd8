//! The numbers that an account holds, from their copies.

use serde_json::Value;

use super::{NumberRepository, RepositoryError, mirror};
use crate::{
    domain::{AccountId, Number},
    store::{Body, IdRange, Kind, Order, Page, Query, Question},
};

/// Which of an account's numbers are read, and which way.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// The first id that is read.
    pub from: Option<String>,
    /// The last id that is read.
    pub to: Option<String>,
    /// Whether the highest comes first.
    pub descending: bool,
}

/// A page of the numbers that an account holds.
#[derive(Clone, Debug)]
pub struct HeldPage {
    /// The numbers, each with its copy as it is stored.
    pub numbers: Vec<(Number, Body)>,
    /// Where the next page goes on; `None` when this was the last.
    pub next: Option<String>,
}

impl NumberRepository {
    /// A page of the numbers that an account holds, from their copies: each with the copy itself.
    /// `from` and `to` bound the ids, both included; `after` goes on behind an id.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn held_by(
        &self,
        account: &AccountId,
        span: &Span,
        after: Option<String>,
        limit: usize,
    ) -> Result<HeldPage, RepositoryError> {
        let order = if span.descending { Order::Descending } else { Order::Ascending };
        let query = Query { question: Question::All, range: span.ids(), order, after, limit };
        let page = match self.store.query(&mirror::database(account), &query).await {
            Err(err) if err.kind == Kind::NoDatabase => Page { documents: Vec::new(), next: None },
            page => page?,
        };
        let mut numbers = Vec::with_capacity(page.documents.len());
        for document in page.documents {
            if document.body.get("pvt_deleted").and_then(Value::as_bool) == Some(true) {
                continue;
            }
            match self.decode_document(document) {
                Ok((number, document)) => numbers.push((number, document.body)),
                Err((id, err)) => {
                    let cause: &(dyn std::error::Error + 'static) = &err;
                    tracing::warn!(number = id, error = cause, "a copy is left out of a listing");
                }
            }
        }
        Ok(HeldPage { numbers, next: page.next })
    }
}

impl Span {
    /// The ids of numbers begin with `+`, which nothing else in an account's database does.
    fn ids(&self) -> IdRange {
        let all = IdRange::starting_with("+");
        let (low, high) =
            if self.descending { (&self.to, &self.from) } else { (&self.from, &self.to) };
        let from = low.clone().unwrap_or_default().max(all.from);
        let before = high.as_ref().map_or(all.before.clone(), |high| format!("{high}\0"));
        IdRange { from, before: before.min(all.before) }
    }
}
