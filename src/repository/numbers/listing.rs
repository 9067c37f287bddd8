//! Pages of numbers in the order of their ids: those of an account, from its copies, and those of a
//! database of numbers.

use serde_json::Value;

use super::{NumberRepository, RepositoryError, mirror};
use crate::{
    domain::{AccountId, E164, Number, NumberDatabase, Numbering, Quantities},
    store::{Body, DbName, IdRange, Kind, Order, Page, Query, Question},
};

/// How many copies are read at once to be counted.
const COUNTED_AT_ONCE: usize = 500;

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
        let query = span.query(Question::All, after, limit);
        Ok(self.held(self.page_of(&mirror::database(account), &query).await?))
    }

    /// As [`NumberRepository::held_by`], of the number documents of a database; when `owners` are
    /// named, only of those that one of them owns, or nobody (`None`), as far as the index of
    /// owners knows: it may be behind, so the numbers in the page can have other owners by now.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn stored_in(
        &self,
        database: &NumberDatabase,
        owners: &[Option<AccountId>],
        span: &Span,
        after: Option<String>,
        limit: usize,
    ) -> Result<HeldPage, RepositoryError> {
        let db = DbName::new(database.as_str());
        if owners.is_empty() {
            let query = span.query(Question::All, after, limit);
            return Ok(self.held(self.page_of(&db, &query).await?));
        }
        let mut pages = Vec::with_capacity(owners.len());
        for owner in owners {
            let owner = owner.as_ref().map(ToString::to_string);
            let query = span.query(Question::Owner(owner), after.clone(), limit);
            pages.push(self.page_of(&db, &query).await?);
        }
        Ok(self.held(merged(pages, span.descending)))
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

    async fn page_of(&self, database: &DbName, query: &Query) -> Result<Page, RepositoryError> {
        match self.store.query(database, query).await {
            Err(err) if err.kind == Kind::NoDatabase => {
                Ok(Page { documents: Vec::new(), next: None })
            }
            page => Ok(page?),
        }
    }

    /// The numbers of a page, without those that cannot be read.
    fn held(&self, page: Page) -> HeldPage {
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
        HeldPage { numbers, next: page.next }
    }

    /// Counts what an account holds, page by page.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn count_held(
        &self,
        account: &AccountId,
        numbering: &Numbering,
    ) -> Result<Quantities, RepositoryError> {
        let mut counts = Quantities::default();
        let mut after = None;
        loop {
            let page = self.held_by(account, &Span::default(), after, COUNTED_AT_ONCE).await?;
            page.numbers.iter().for_each(|(number, _)| counts.count(number, numbering));
            after = page.next;
            if after.is_none() {
                return Ok(counts);
            }
        }
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

    fn query(&self, question: Question, after: Option<String>, limit: usize) -> Query {
        let order = if self.descending { Order::Descending } else { Order::Ascending };
        Query { question, range: self.ids(), order, after, limit }
    }

    fn bounds(&self) -> (Option<&String>, Option<&String>) {
        let (from, to) = (self.from.as_ref(), self.to.as_ref());
        if self.descending { (to, from) } else { (from, to) }
    }
}

/// One page of several that begin at the same place: up to where the first of them ends, for behind
/// that it says nothing. A document that changed between two of them is there once.
fn merged(pages: Vec<Page>, descending: bool) -> Page {
    let ends = pages.iter().filter_map(|page| page.next.clone());
    let next = if descending { ends.max() } else { ends.min() };
    let is_within = |id: &String| match &next {
        None => true,
        Some(end) if descending => id >= end,
        Some(end) => id <= end,
    };
    let mut documents: Vec<_> = pages.into_iter().flat_map(|page| page.documents).collect();
    documents.retain(|document| is_within(&document.id));
    documents.sort_by(|a, b| a.id.cmp(&b.id));
    documents.dedup_by(|a, b| a.id == b.id);
    if descending {
        documents.reverse();
    }
    Page { documents, next }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Body, Document, Rev};

    #[test]
    fn several_pages_are_one_as_far_as_all_of_them_go() {
        let page = |ids: &[&str], next: Option<&str>| Page {
            documents: ids
                .iter()
                .map(|id| Document {
                    id: (*id).to_owned(),
                    rev: Rev::new("1-a"),
                    body: Body::new(),
                    conflicts: Vec::new(),
                })
                .collect(),
            next: next.map(str::to_owned),
        };
        let check = |pages, descending, wanted: &[&str], end: Option<&str>| {
            let merged = merged(pages, descending);
            assert!(merged.documents.iter().map(|it| it.id.as_str()).eq(wanted.iter().copied()));
            assert_eq!(merged.next.as_deref(), end);
        };
        check(
            vec![page(&["b", "d"], None), page(&["a", "d"], None)],
            false,
            &["a", "b", "d"],
            None,
        );
        let up = vec![page(&["a", "e"], Some("e")), page(&["b", "c"], Some("c")), page(&[], None)];
        check(up, false, &["a", "b", "c"], Some("c"));
        let down = vec![page(&["e", "a"], Some("a")), page(&["c", "b"], Some("b"))];
        check(down, true, &["e", "c", "b"], Some("b"));
    }

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
