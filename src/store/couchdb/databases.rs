//! Lists, makes, drops and migrates databases.

use std::collections::BTreeSet;

use futures::{StreamExt, stream};
use reqwest::Method;

use super::{
    super::{DbName, Kind, StoreError, rules},
    CouchStore,
    designs::Installed,
    failure::{Failure, Verdict},
};

/// Behind every name that begins with the same text: no database name goes beyond ASCII.
const LAST: &str = "\u{fff0}";

impl CouchStore {
    /// The databases of this installation whose names begin with `prefix`.
    pub(super) async fn list_databases(&self, prefix: &str) -> Result<Vec<DbName>, Failure> {
        let from = format!("{}{prefix}", self.config.database_prefix);
        let request = self
            .on_server(Method::GET, "/_all_dbs")
            .within(self.config.bulk_timeout())
            .query("startkey", json_text(&from))
            .query("endkey", json_text(&format!("{from}{LAST}")));
        let names = self.transport.read(&request).await?.decode::<Vec<String>>()?;
        let ours = |name: &String| name.starts_with(&from) && !name.starts_with('_');
        let mut names: Vec<_> = names
            .into_iter()
            .filter(ours)
            .filter_map(|name| name.strip_prefix(&self.config.database_prefix).map(DbName::new))
            .collect();
        names.sort();
        Ok(names)
    }

    /// Makes sure that a database exists, with its indexes; returns whether it was made now.
    pub(super) async fn make_database(&self, db: &DbName) -> Result<bool, Failure> {
        let request = self.on_database(Method::PUT, db, "");
        let made = match self.transport.read(&request).await {
            Ok(_) => true,
            // 412 is `file_exists`.
            Err(failure) if failure.has_status(412) => false,
            Err(failure) => return Err(failure),
        };
        self.install_indexes(db).await?;
        Ok(made)
    }

    /// Drops one of our dated databases.
    pub(super) async fn drop_dated(&self, db: &DbName) -> Result<(), Failure> {
        if !rules::is_dated(db) {
            return Err(Failure::Own(Kind::Refused, "only a dated database of ours is dropped"));
        }
        match self.transport.read(&self.on_database(Method::DELETE, db, "")).await {
            Err(failure) if !failure.is_missing() => Err(failure),
            _ => Ok(()),
        }
    }

    /// Makes what is missing of `wanted`, and the indexes of every database right. One line per
    /// thing that was changed, in the order of the names.
    pub(super) async fn bring_up_to_date(
        &self,
        wanted: &[DbName],
    ) -> Result<Vec<String>, StoreError> {
        let listed = self.list_databases("").await;
        let listed = listed.map_err(|failure| failure.of_read("migrate", "", ""))?;
        let present: BTreeSet<DbName> = listed.into_iter().collect();
        let all: BTreeSet<&DbName> = present.iter().chain(wanted).collect();
        let work: Vec<_> =
            all.into_iter().map(|db| self.migrate_one(db, present.contains(db))).collect();
        let mut done = stream::iter(work).buffered(self.config.parallel_databases);
        let mut lines = Vec::new();
        while let Some(line) = done.next().await {
            lines.extend(line?);
        }
        Ok(lines)
    }

    async fn migrate_one(
        &self,
        db: &DbName,
        is_present: bool,
    ) -> Result<Option<String>, StoreError> {
        let not_made = |failure| not_made(failure, "migrate", db);
        if !is_present {
            let made = self.make_database(db).await.map_err(not_made)?;
            return Ok(made.then(|| rules::created_line(db)));
        }
        match self.install_indexes(db).await {
            Ok(Installed::Same) => Ok(None),
            Ok(Installed::New) => Ok(Some(format!("{db}: indexes installed"))),
            Ok(Installed::Upgraded) => Ok(Some(format!("{db}: indexes upgraded"))),
            // Dropped since it was listed.
            Err(failure) if failure.is_no_database() => Ok(None),
            Err(failure) => Err(not_made(failure)),
        }
    }
}

/// What a caller is told about a database that could not be made. A name that CouchDB does not
/// take means elsewhere that there is no such database; here it is the name that is refused.
pub(super) fn not_made(failure: Failure, call: &'static str, db: &DbName) -> StoreError {
    match failure.verdict() {
        Verdict::Final(Kind::NoDatabase) if failure.has_status(400) => {
            failure.with_kind(Kind::Refused, call, db.as_str(), "")
        }
        Verdict::Final(kind) => failure.with_kind(kind, call, db.as_str(), ""),
        Verdict::Unsent | Verdict::Doubt => failure.of_read(call, db.as_str(), ""),
    }
}

/// A text as a JSON value, as CouchDB wants it in a parameter.
pub(super) fn json_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
