//! Pages of documents in the order of their ids.
//!
//! A page goes on behind an id, never behind a count. The server cannot begin *behind* a key in
//! either direction, so it is asked for one row more and the first is dropped.

use reqwest::Method;
use serde::Deserialize;

use super::{
    super::{DbName, Document, IdRange, Order, Page, Query, rules::DESIGN_PREFIX},
    CouchStore,
    databases::json_text,
    failure::Failure,
    read::Rows,
    transport::Request,
    wire::Stored,
};

/// A row that stands for one document.
pub(super) struct Row {
    pub(super) id: String,
    /// `None` when it has gone since the index was read, or does not belong to the answer.
    pub(super) document: Option<Document>,
}

/// From which key to which the server is asked, in the direction of the page.
pub(super) struct Span<'a> {
    /// The first key; itself only in the answer when it is the range's own lower end.
    start: &'a str,
    /// The last key.
    end: &'a str,
    order: Order,
}

#[derive(Deserialize)]
struct DocRow {
    id: String,
    doc: Option<Stored>,
}

impl CouchStore {
    /// One page of every document of the range.
    pub(super) async fn page_of_all(&self, db: &DbName, query: &Query) -> Result<Page, Failure> {
        let Some(span) = Span::of(query) else { return self.empty_page(db).await };
        let request = self
            .on_database(Method::GET, db, "/_all_docs")
            .query("include_docs", "true")
            .query("conflicts", "true")
            .query("limit", rows_asked(query).to_string());
        let request = span.ask(request, json_text);
        let rows = self.transport.read(&request).await?.decode::<Rows<DocRow>>()?.rows;
        Ok(page(query, rows.into_iter().map(Row::from)))
    }

    /// The answer for a range that holds no id, which the server would take for a mistake.
    pub(super) async fn empty_page(&self, db: &DbName) -> Result<Page, Failure> {
        self.transport.read(&self.on_database(Method::GET, db, "")).await?;
        Ok(Page { documents: Vec::new(), next: None })
    }
}

impl<'a> Span<'a> {
    /// The span of a page; `None` when nothing can be in it.
    pub(super) fn of(query: &'a Query) -> Option<Self> {
        let IdRange { from, before } = &query.range;
        let after = query.after.as_ref();
        let (start, end) = match query.order {
            Order::Ascending => (after.map_or(from, |after| after.max(from)), before),
            Order::Descending => (after.map_or(before, |after| after.min(before)), from),
        };
        let is_empty = match query.order {
            Order::Ascending => start >= end,
            Order::Descending => start <= end,
        };
        (!is_empty).then_some(Self { start, end, order: query.order })
    }

    /// The request with the span's keys, as `key` spells them.
    pub(super) fn ask(&self, request: Request, key: impl Fn(&str) -> String) -> Request {
        let request = request.query("startkey", key(self.start)).query("endkey", key(self.end));
        match self.order {
            Order::Ascending => request.query("inclusive_end", "false"),
            Order::Descending => request.query("descending", "true"),
        }
    }
}

impl From<DocRow> for Row {
    fn from(row: DocRow) -> Self {
        let document = row.doc.filter(|doc| !doc.deleted).map(Stored::into_document);
        Self { id: row.id, document }
    }
}

/// The rows to ask for: the page, one to know whether more follow, one that may be dropped.
pub(super) fn rows_asked(query: &Query) -> usize {
    query.limit.max(1).saturating_add(2)
}

/// Makes a page of the rows that the server sent for it.
pub(super) fn page(query: &Query, rows: impl Iterator<Item = Row>) -> Page {
    let limit = query.limit.max(1);
    let mut rows: Vec<_> = rows.filter(|row| belongs(query, &row.id)).take(limit + 1).collect();
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = rows.last().filter(|_| more).map(|row| row.id.clone());
    let documents = rows.into_iter().filter(|row| !row.id.starts_with(DESIGN_PREFIX));
    Page { documents: documents.filter_map(|row| row.document).collect(), next }
}

/// Whether an id belongs to the page or those behind it, in byte order.
fn belongs(query: &Query, id: &str) -> bool {
    let IdRange { from, before } = &query.range;
    let behind = query.after.as_deref().is_none_or(|after| match query.order {
        Order::Ascending => id > after,
        Order::Descending => id < after,
    });
    behind && from.as_str() <= id && id < before.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Question;

    fn query(order: Order, after: Option<&str>, limit: usize) -> Query {
        let range = IdRange { from: "b".into(), before: "e".into() };
        Query { question: Question::All, range, order, after: after.map(Into::into), limit }
    }

    fn ids(query: &Query, rows: &[&str]) -> (Vec<String>, Option<String>) {
        let row = |id: &&str| {
            let stored = Stored { id: (*id).into(), ..Stored::default() };
            Row { id: (*id).into(), document: Some(stored.into_document()) }
        };
        let page = page(query, rows.iter().map(row));
        (page.documents.into_iter().map(|document| document.id).collect(), page.next)
    }

    #[test]
    fn a_page_drops_what_is_outside_and_says_where_the_next_goes_on() {
        let up = query(Order::Ascending, None, 2);
        assert_eq!(ids(&up, &["b", "c", "d"]), (vec!["b".into(), "c".into()], Some("c".into())));
        let up = query(Order::Ascending, Some("c"), 2);
        assert_eq!(ids(&up, &["c", "d"]), (vec!["d".into()], None));
        let down = query(Order::Descending, None, 2);
        assert_eq!(ids(&down, &["e", "d", "c"]), (vec!["d".into(), "c".into()], None));
        let down = query(Order::Descending, Some("d"), 1);
        assert_eq!(ids(&down, &["d", "c", "b"]), (vec!["c".into()], Some("c".into())));
    }

    #[test]
    fn a_design_document_takes_a_place_but_is_not_shown() {
        let range = IdRange { from: "A".into(), before: "z".into() };
        let up = Query { range, ..query(Order::Ascending, None, 1) };
        assert_eq!(ids(&up, &["_design/x", "a"]), (vec![], Some("_design/x".into())));
    }

    #[test]
    fn a_span_without_ids_is_not_asked_for() {
        assert!(Span::of(&query(Order::Ascending, Some("e"), 1)).is_none());
        assert!(Span::of(&query(Order::Descending, Some("b"), 1)).is_none());
        assert!(Span::of(&query(Order::Ascending, Some("a"), 1)).is_some_and(|s| s.start == "b"));
        assert!(Span::of(&query(Order::Descending, Some("z"), 1)).is_some_and(|s| s.start == "e"));
    }
}
