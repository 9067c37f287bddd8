//! Pages of numbers in the order of their ids: those of an account, from its copies, and those of a
//! database of numbers.

use serde_json::Value;

use super::{NumberRepository, RepositoryError, mirror};
use crate::{
    domain::{AccountId, E164, Number, NumberDatabase},
    store::{Body, DbName, IdRange, Kind, Order, Page, Query, Question},
};

/// Which numbers are read, and which way.
#[derive(Clone, Debug, Default)]
pub struct Span {
    /// The first id that is read.
    pub from: Option<String>,
    /// The last id that is read.
    pub to: Option<String>,
    /// Whether the highest comes first.
    pub descending: bool,
}

/// A page of numbers.
#[derive(Clone, Debug)]
pub struct HeldPage {
    /// The numbers, each with the document that it was read from.
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
        self.page_of(&mirror::database(account), span, after, limit).await
    }

    /// As [`NumberRepository::held_by`], of the number documents of a database.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn stored_in(
        &self,
        database: &NumberDatabase,
        span: &Span,
        after: Option<String>,
        limit: usize,
    ) -> Result<HeldPage, RepositoryError> {
        self.page_of(&DbName::new(database.as_str()), span, after, limit).await
    }

    /// Whether an account's database holds a copy of each of these numbers.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn are_held(
        &self,
        account: &AccountId,
        numbers: impl Iterator<Item = &E164> + Send,
    ) -> Result<Vec<bool>, RepositoryError> {
        let ids: Vec<String> = numbers.map(ToString::to_string).collect();
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let revisions = self.store.revisions(&mirror::database(account), &ids).await?;
        Ok(revisions.into_iter().map(|revision| revision.is_some()).collect())
    }

    /// A name of the state that an account's database is in; another one after every write.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn version_of(&self, account: &AccountId) -> Result<String, RepositoryError> {
        match self.store.version(&mirror::database(account)).await {
            Err(err) if err.kind == Kind::NoDatabase => Ok(String::new()),
            version => Ok(version?.as_str().to_owned()),
        }
    }

    async fn page_of(
        &self,
        database: &DbName,
        span: &Span,
        after: Option<String>,
        limit: usize,
    ) -> Result<HeldPage, RepositoryError> {
        let order = if span.descending { Order::Descending } else { Order::Ascending };
        let query = Query { question: Question::All, range: span.ids(), order, after, limit };
        let page = match self.store.query(database, &query).await {
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
                    tracing::warn!(number = id, error = cause, "a number is left out of a listing");
                }
            }
        }
        Ok(HeldPage { numbers, next: page.next })
    }
}

impl Span {
    /// Whether a database of numbers can hold any of these ids.
    #[must_use]
    pub fn reaches(&self, database: &NumberDatabase) -> bool {
        let prefix = database.as_str().trim_start_matches("numbers/");
        let (low, high) = self.bounds();
        let ends_before = low.is_some_and(|low| prefix < low.as_str() && !low.starts_with(prefix));
        let begins_behind = high.is_some_and(|high| prefix > high.as_str());
        !ends_before && !begins_behind
    }

    /// The ids of numbers begin with `+`, which nothing else in an account's database does.
    pub(super) fn ids(&self) -> IdRange {
        let all = IdRange::starting_with("+");
        let (low, high) = self.bounds();
        let from = low.cloned().unwrap_or_default().max(all.from);
        let before = high.map_or(all.before.clone(), |high| format!("{high}\0"));
        IdRange { from, before: before.min(all.before) }
    }

    fn bounds(&self) -> (Option<&String>, Option<&String>) {
        let (from, to) = (self.from.as_ref(), self.to.as_ref());
        if self.descending { (to, from) } else { (from, to) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reaches(from: Option<&str>, to: Option<&str>, descending: bool, prefix: &str) -> bool {
        let span = Span { from: from.map(Into::into), to: to.map(Into::into), descending };
        span.reaches(&NumberDatabase::parse(prefix).unwrap())
    }

    #[test]
    fn databases_that_hold_nothing_of_a_span_are_passed_over() {
        assert!(reaches(None, None, false, "+1415"));
        assert!(reaches(Some("+14155550100"), None, false, "+1415"));
        assert!(reaches(Some("+1415"), None, false, "+1415"));
        assert!(reaches(Some("+14"), None, false, "+1415"));
        assert!(!reaches(Some("+1416"), None, false, "+1415"));
        assert!(reaches(Some("+1416"), None, true, "+1415"));
        assert!(!reaches(Some("+1414"), None, true, "+1415"));
        assert!(!reaches(None, Some("+1414999"), false, "+1415"));
        assert!(reaches(None, Some("+1415999"), false, "+1415"));
        assert!(!reaches(None, Some("+1416"), true, "+1415"));
    }
}
