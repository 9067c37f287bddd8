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

/// The indexes that a kind of database has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Indexes {
    /// Those of a database of numbers.
    Numbers,
    /// Those of an account's database.
    Account,
}

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
        match Indexes::of(db) {
            Some(indexes) => self.install(db, indexes).await,
            None => Ok(Installed::Same),
        }
    }

    /// Installs these indexes. Safe at once from several processes: a conflict means that another
    /// one was here, and what it left is compared again.
    pub(super) async fn install(
        &self,
        db: &DbName,
        indexes: Indexes,
    ) -> Result<Installed, Failure> {
        let wanted = indexes.design();
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

    /// Whether a database has the indexes of its kind as this build has them.
    pub(super) async fn are_indexes_current(&self, db: &DbName) -> Result<bool, Failure> {
        // Read in any case: it says whether there is such a database.
        let stored = self.stored_design(db).await?;
        let is_same =
            |indexes: Indexes| stored.is_some_and(|stored| stored.body == indexes.design());
        Ok(Indexes::of(db).is_none_or(is_same))
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

impl Indexes {
    /// What a database of this name needs.
    fn of(db: &DbName) -> Option<Self> {
        if names::holds_numbers(db) {
            Some(Self::Numbers)
        } else if names::is_account(db) {
            Some(Self::Account)
        } else {
            None
        }
    }

    fn design(self) -> Map<String, Value> {
        let text = match self {
            Self::Numbers => include_str!("../../../migrations/couchdb/numbers.json"),
            Self::Account => include_str!("../../../migrations/couchdb/accounts.json"),
        };
        serde_json::from_str(text).expect("our own file, and a test reads it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_design_documents_can_be_read() {
        for (indexes, views) in
            [(Indexes::Numbers, &["carriers", "owners"][..]), (Indexes::Account, &["applications"])]
        {
            let design = indexes.design();
            let found = design["views"].as_object().unwrap();
            assert!(found.keys().eq(views), "{indexes:?}");
            assert!(found.values().all(|view| view["map"].as_str().unwrap().contains("emit(")));
        }
    }

    #[test]
    fn a_name_says_which_indexes_a_database_needs() {
        let of = |name| Indexes::of(&DbName::new(name));
        assert_eq!(of("numbers/+1415"), Some(Indexes::Numbers));
        assert_eq!(of("account/0f/0f/0f0f0f0f0f0f0f0f0f0f0f0f0f0f"), Some(Indexes::Account));
        // Those of a month hold calls, and neither numbers nor applications.
        assert_eq!(of("account/0f/0f/0f0f0f0f0f0f0f0f0f0f0f0f0f0f-202603"), None);
        assert_eq!(of("accounts"), None);
        assert_eq!(of("number_manager"), None);
    }
}
