//! Questions by carrier, from the view `carriers` of our design document: key `[carrier, id]`.
//!
//! A view compares text by ICU's rules. By these `,` comes before `+`, so the id in the key is
//! spelled as the hexadecimal digits of its bytes, whose order is that of the bytes. And different
//! names of carriers can be equal, so they are compared again here.
//!
//! A view is built when it is first read, which can take longer than any
//! single request may: the server goes on building, so the request is repeated, up to
//! [`INDEX_WAITS`] times the bulk limit (5 minutes with the default settings).

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::{
    super::{DbName, IdRange, Kind, Page, Query},
    CouchStore,
    failure::Failure,
    pages::{Row, Span, page, rows_asked},
    read::Rows,
    transport::{Answer, Request},
    wire::Stored,
};

/// How often a view that is missing is asked for again, once it was installed.
const INSTALLATIONS: u32 = 6;
/// The path of the view within a database.
const VIEW: &str = "/_design/number_manager/_view/carriers";

/// How many times a view is asked whose answer is late.
const INDEX_WAITS: usize = 10;

/// How many carriers are counted in one request.
const COUNTS_AT_ONCE: usize = 100;

type Carrier = Option<String>;

#[derive(Deserialize)]
struct IndexRow {
    id: String,
    key: (Value, Value),
    doc: Option<Stored>,
}

#[derive(Deserialize)]
struct CountRow {
    key: (Carrier,),
    value: u64,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<Rows<CountRow>>,
}

impl CouchStore {
    /// One page of the documents with this carrier.
    pub(super) async fn page_of_carrier(
        &self,
        db: &DbName,
        query: &Query,
        carrier: Option<&str>,
    ) -> Result<Page, Failure> {
        let Some(span) = Span::of(query) else { return self.empty_page(db).await };
        let request = self
            .on_database(Method::GET, db, VIEW)
            .query("reduce", "false")
            .query("include_docs", "true")
            .query("conflicts", "true")
            .query("limit", rows_asked(query).to_string());
        let request = span.ask(request, |id| json!([carrier, key_of(id)]).to_string());
        let request = match query.after {
            None => request,
            // What was written since the first page must not move the later ones; and another
            // copy of the index may be behind the one that answered first.
            Some(_) => request.query("update", "false").query("stable", "true"),
        };
        let rows = self.read_index(db, &request).await?.decode::<Rows<IndexRow>>()?.rows;
        let wanted = json!(carrier);
        Ok(page(query, rows.into_iter().map(|row| row.checked(&wanted))))
    }

    /// How many documents of the range each carrier has.
    ///
    /// Two requests: which carriers there are, and how many documents each has within the range.
    pub(super) async fn count_carriers(
        &self,
        db: &DbName,
        range: &IdRange,
    ) -> Result<BTreeMap<Carrier, u64>, Failure> {
        let request = self.on_database(Method::GET, db, VIEW).query("group_level", "1");
        let rows = self.read_index(db, &request).await?.decode::<Rows<CountRow>>()?.rows;
        let mut carriers: Vec<Carrier> = rows.into_iter().map(|row| row.key.0).collect();
        carriers.sort();
        carriers.dedup();
        let mut counts = BTreeMap::new();
        if range.from >= range.before {
            return Ok(counts);
        }
        for carriers in carriers.chunks(COUNTS_AT_ONCE) {
            let answers = self.count_within(db, range, carriers).await?;
            for (carrier, rows) in carriers.iter().zip(answers) {
                // The range of one carrier holds those of another that ICU takes for equal.
                let own = rows.rows.iter().filter(|row| row.key.0 == *carrier);
                let count = own.map(|row| row.value).sum();
                if count > 0 {
                    counts.insert(carrier.clone(), count);
                }
            }
        }
        Ok(counts)
    }

    async fn count_within(
        &self,
        db: &DbName,
        range: &IdRange,
        carriers: &[Carrier],
    ) -> Result<Vec<Rows<CountRow>>, Failure> {
        let question = |carrier: &Carrier| {
            json!({
                "group_level": 1,
                "startkey": [carrier, key_of(&range.from)],
                "endkey": [carrier, key_of(&range.before)],
                "inclusive_end": false,
            })
        };
        let queries: Vec<_> = carriers.iter().map(question).collect();
        let request = self
            .on_database(Method::POST, db, &format!("{VIEW}/queries"))
            .body(json!({ "queries": queries }).to_string());
        Ok(self.read_index(db, &request).await?.decode::<Results>()?.results)
    }

    /// Reads the view; installs it first where it is missing. The server remembers design documents
    /// and may answer for a moment by the one that was there before. A view that stays missing is a
    /// failure, never a database without numbers.
    async fn read_index(&self, db: &DbName, request: &Request) -> Result<Answer, Failure> {
        for attempt in 0..INSTALLATIONS {
            match self.await_index(request).await {
                Err(failure) if failure.is_missing() && !failure.is_no_database() => {
                    self.install_number_indexes(db).await?;
                    sleep(self.transport.pause(attempt)).await;
                }
                other => return other,
            }
        }
        Err(Failure::Own(Kind::Unavailable, "the index is not there although it was installed"))
    }

    async fn await_index(&self, request: &Request) -> Result<Answer, Failure> {
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

impl IndexRow {
    /// The row, without its document when it is another carrier's.
    fn checked(self, wanted: &Value) -> Row {
        let document = self.doc.filter(|doc| self.key.0 == *wanted && !doc.deleted);
        Row { id: self.id, document: document.map(Stored::into_document) }
    }
}

/// An id as the view's keys spell it.
fn key_of(id: &str) -> String {
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
