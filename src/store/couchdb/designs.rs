//! Our design documents, and how they come into the databases.
//!
//! They are all called `_design/number_manager`; KAZOO's own are neither read nor touched.

use reqwest::Method;
use serde_json::{Map, Value};

use super::{
    super::{DbName, Kind},
    CouchStore,
    failure::Failure,
    names,
    wire::Stored,
};

/// The id of our design document, in every database.
pub(super) const DESIGN: &str = "_design/number_manager";

/// The indexes of a database of numbers.
const NUMBERS: &str = include_str!("../../../migrations/couchdb/numbers.json");

/// How often an installation is tried that others are at as well.
const TRIES: usize = 5;

/// What an installation did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Installed {
    /// It was there already, as this build has it.
    Same,
    /// There was none.
    New,
    /// There was another one.
    Upgraded,
}

impl CouchStore {
    /// Installs the indexes that a database of this kind needs.
    pub(super) async fn install_indexes(&self, db: &DbName) -> Result<Installed, Failure> {
        if !names::holds_numbers(db) {
            return Ok(Installed::Same);
        }
        self.install_number_indexes(db).await
    }

    /// Installs the indexes of a database of numbers. Safe at once from several processes: a
    /// conflict means that another one was here, and what it left is compared again.
    pub(super) async fn install_number_indexes(&self, db: &DbName) -> Result<Installed, Failure> {
        let wanted: Map<String, Value> =
            serde_json::from_str(NUMBERS).expect("our own file, and a test reads it");
        for _ in 0..TRIES {
            let stored = self.stored_design(db).await?;
            if stored.as_ref().is_some_and(|stored| stored.body == wanted) {
                return Ok(Installed::Same);
            }
            let done = if stored.is_some() { Installed::Upgraded } else { Installed::New };
            let mut design = wanted.clone();
            if let Some(stored) = stored {
                design.insert("_rev".to_owned(), Value::String(stored.rev));
            }
            let json = Value::Object(design).to_string();
            let request = self.on_document(Method::PUT, db, DESIGN).body(json);
            match self.transport.read(&request).await {
                Ok(_) => return Ok(done),
                Err(failure) if failure.has_status(409) => {}
                Err(failure) => return Err(failure),
            }
        }
        Err(Failure::Own(Kind::Unavailable, "the indexes are being changed by someone else"))
    }

    async fn stored_design(&self, db: &DbName) -> Result<Option<Stored>, Failure> {
        match self.transport.read(&self.on_document(Method::GET, db, DESIGN)).await {
            Ok(answer) => Ok(Some(answer.decode()?)),
            Err(failure) if failure.is_no_database() => Err(failure),
            Err(failure) if failure.is_missing() => Ok(None),
            Err(failure) => Err(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_design_document_can_be_read() {
        let design: Map<String, Value> = serde_json::from_str(NUMBERS).unwrap();
        assert!(design["views"]["carriers"]["map"].as_str().unwrap().contains("emit("));
    }
}
