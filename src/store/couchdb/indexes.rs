//! Questions that a view of our design documents answers: key `[value, id]`.
//!
//! A view compares text by ICU's rules. By these `,` comes before `+`, so the id in the key is
//! spelled as the hexadecimal digits of its bytes, whose order is that of the bytes. And different
//! values can be equal, so they are compared again here.
//!
//! A view is built when it is first read, which can take longer than any single request may: the
//! server goes on building, so the request is repeated, up to [`INDEX_WAITS`] times the bulk limit
//! (5 minutes with the default settings). A new view in a design document builds all of its views
//! anew.

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    super::{DbName, Kind, Page, Query},
    CouchStore,
    designs::{DESIGN, Indexes},
    failure::Failure,
    pages::{Row, Span, page, rows_asked},
    read::Rows,
    transport::{Answer, Request},
    wire::Stored,
};

/// How often a view that is missing is asked for again, once it was installed.
const INSTALLATIONS: u32 = 6;

/// How many times a view is asked whose answer is late.
const INDEX_WAITS: usize = 10;

/// A view of one of our design documents.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    name: &'static str,
    indexes: Indexes,
}

/// Number documents by their carriers.
pub(super) const CARRIERS: View = View { name: "carriers", indexes: Indexes::Numbers };
/// Number documents by their owners.
pub(super) const OWNERS: View = View { name: "owners", indexes: Indexes::Numbers };
/// The documents of an account by the numbers that they route.
pub(super) const APPLICATIONS: View = View { name: "applications", indexes: Indexes::Account };

#[derive(Deserialize)]
struct IndexRow {
    id: String,
    key: (Value, Value),
    doc: Option<Stored>,
}

impl CouchStore {
    /// One page of the documents that a view has under this value.
    pub(super) async fn page_of_view(
        &self,
        db: &DbName,
        query: &Query,
        view: View,
        value: Option<&str>,
    ) -> Result<Page, Failure> {
        let Some(span) = Span::of(query) else { return self.empty_page(db).await };
        let request = self
            .on_database(Method::GET, db, &view.path())
            .query("reduce", "false")
            .query("include_docs", "true")
            .query("conflicts", "true")
            .query("limit", rows_asked(query).to_string());
        let request = span.ask(request, |id| json!([value, key_of(id)]).to_string());
        let request = match query.after {
            None => request,
            // What was written since the first page must not move the later ones; and another
            // copy of the index may be behind the one that answered first.
            Some(_) => request.query("update", "false").query("stable", "true"),
        };
        let rows = self.read_view(db, view, &request).await?.decode::<Rows<IndexRow>>()?.rows;
        let wanted = json!(value);
        Ok(page(query, rows.into_iter().map(|row| row.checked(&wanted))))
    }

    /// Reads a view; installs it first where it is missing. The server remembers design documents
    /// and may answer for a moment by the one that was there before. A view that stays missing is a
    /// failure, never an empty answer.
    pub(super) async fn read_view(
        &self,
        db: &DbName,
        view: View,
        request: &Request,
    ) -> Result<Answer, Failure> {
        for attempt in 0..INSTALLATIONS {
            match self.await_view(request).await {
                Err(failure) if failure.is_missing() && !failure.is_no_database() => {
                    self.install(db, view.indexes).await?;
                    sleep(self.transport.pause(attempt)).await;
                }
                other => return other,
            }
        }
        Err(Failure::Own(Kind::Unavailable, "the index is not there although it was installed"))
    }

    async fn await_view(&self, request: &Request) -> Result<Answer, Failure> {
        let mut answer = self.transport.read(request).await;
        for _ in 1..INDEX_WAITS {
            match &answer {
                Err(failure) if failure.is_late() => answer = self.transport.read(request).await,
                _ => break,
            }
        }
        answer
    }
}

impl View {
    /// The path of the view within a database.
    pub(super) fn path(self) -> String {
        format!("/{DESIGN}/_view/{}", self.name)
    }
}

impl IndexRow {
    /// The row, without its document when it is another value's.
    fn checked(self, wanted: &Value) -> Row {
        let document = self.doc.filter(|doc| self.key.0 == *wanted && !doc.deleted);
        Row { id: self.id, document: document.map(Stored::into_document) }
    }
}

/// An id as the view's keys spell it.
pub(super) fn key_of(id: &str) -> String {
    let digit = |bits: u8| char::from_digit(bits.into(), 16).expect("four bits are one digit");
    id.bytes().flat_map(|byte| [byte >> 4, byte & 15]).map(digit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_the_bytes_of_the_ids() {
        let mut ids = ["+", "+1", "+1415", "+1416", ",", "A", "a", "é", "\u{ffff}", "😀"];
        ids.sort_unstable();
        assert!(ids.map(key_of).is_sorted());
        assert_eq!(key_of("+1é"), "2b31c3a9");
    }
}
