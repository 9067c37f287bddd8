//! Which databases of the server changed.

use std::{collections::BTreeSet, time::Duration};

use reqwest::Method;
use serde::Deserialize;
use serde_json::Value;

use super::{
    super::{DbName, Seq, Updates},
    CouchStore,
    changes::seq_text,
    failure::Failure,
};

#[derive(Deserialize)]
struct Feed {
    results: Vec<FeedRow>,
    last_seq: Value,
}

#[derive(Deserialize)]
struct FeedRow {
    db_name: String,
}

impl CouchStore {
    /// Waits until a database changes. None where the server keeps no such feed, which it does in the
    /// database `_global_changes`.
    pub(super) async fn wait_for_updates(
        &self,
        since: Option<&Seq>,
        wait: Duration,
    ) -> Result<Option<Updates>, Failure> {
        let request = self.on_server(Method::GET, "/_db_updates");
        let request = match since {
            None => request.query("since", "now"),
            Some(since) => request
                .query("since", since.as_str())
                .query("feed", "longpoll")
                .query("timeout", wait.as_millis().to_string())
                .within(wait + self.config.call_timeout()),
        };
        let feed = match self.transport.read(&request).await {
            Err(failure) if failure.is_missing() => return Ok(None),
            answer => answer?.decode::<Feed>()?,
        };
        let prefix = &self.config.database_prefix;
        let databases: BTreeSet<DbName> = feed
            .results
            .iter()
            .filter_map(|row| row.db_name.strip_prefix(prefix.as_str()).map(DbName::new))
            .collect();
        Ok(Some(Updates { databases, last: Seq::new(seq_text(feed.last_seq)) }))
    }
}
