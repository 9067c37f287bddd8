//! Counts by carrier, from the view `carriers`, whose rows the server adds up.

use std::collections::BTreeMap;

use reqwest::Method;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{DbName, IdRange},
    CouchStore,
    failure::Failure,
    indexes::{CARRIERS, key_of},
    read::Rows,
};

/// How many carriers are counted in one request.
const COUNTS_AT_ONCE: usize = 100;

/// Behind every id.
const LAST_ID: &str = "\u{10ffff}";

type Carrier = Option<String>;

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
    /// How many documents of the range each carrier has.
    ///
    /// Of everything with one request; of a part with two: which carriers there are, and how many
    /// documents each has within the range. Names that ICU takes for equal have rows of their own, which
    /// can take turns.
    pub(super) async fn count_carriers(
        &self,
        db: &DbName,
        range: &IdRange,
    ) -> Result<BTreeMap<Carrier, u64>, Failure> {
        let request = self.on_database(Method::GET, db, &CARRIERS.path()).query("group_level", "1");
        let rows = self.read_view(db, CARRIERS, &request).await?.decode::<Rows<CountRow>>()?.rows;
        let mut counts = BTreeMap::new();
        if range.from.is_empty() && range.before.as_str() >= LAST_ID {
            for CountRow { key: (carrier,), value } in rows {
                *counts.entry(carrier).or_insert(0) += value;
            }
            return Ok(counts);
        }
        let mut carriers: Vec<Carrier> = rows.into_iter().map(|row| row.key.0).collect();
        carriers.sort();
        carriers.dedup();
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
            .on_database(Method::POST, db, &format!("{}/queries", CARRIERS.path()))
            .body(json!({ "queries": queries }).to_string());
        Ok(self.read_view(db, CARRIERS, &request).await?.decode::<Results>()?.results)
    }
}
