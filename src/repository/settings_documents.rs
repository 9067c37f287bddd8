//! The documents that hold settings, as they are: read whole, written at the revision that was read.

use serde_json::Value;

use super::{RepositoryError, SETTINGS_DATABASE, SettingsRepository, write_id};
use crate::{
    domain::{AccountId, account_database},
    store::{Body, CommitError, DbName, Expect, Kind, Rev, WRITE_ID, Write},
};

/// What the platform's document and those of carriers are called.
const SYSTEM: &str = "number_manager";
/// The document of an account's own settings.
const OF_ACCOUNT: &str = "configs_number_manager";

/// Which document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SettingsName {
    /// The platform's.
    System,
    /// That of a carrier or another vendor, by its name without `knm_`.
    Vendor(String),
    /// An account's own.
    Account(AccountId),
}

/// A document of settings.
#[derive(Clone, Debug, Default)]
pub struct SettingsDocument {
    /// Its members, in order.
    pub body: Body,
    /// The revision that it was read at; `None` when there is none.
    pub rev: Option<String>,
}

impl SettingsName {
    fn place(&self) -> (DbName, String) {
        let system = DbName::new(SETTINGS_DATABASE);
        match self {
            Self::System => (system, SYSTEM.to_owned()),
            Self::Vendor(name) => (system, format!("{SYSTEM}.{name}")),
            Self::Account(account) => {
                (DbName::new(account_database(account)), OF_ACCOUNT.to_owned())
            }
        }
    }
}

impl SettingsRepository {
    /// Reads a document; an empty one where there is none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn document(&self, name: &SettingsName) -> Result<SettingsDocument, RepositoryError> {
        let (db, id) = name.place();
        let found = self.store.get(&db, &id).await?.live();
        let read = |found: crate::store::Document| SettingsDocument {
            body: found.body,
            rev: Some(found.rev.as_str().to_owned()),
        };
        Ok(found.map(read).unwrap_or_default())
    }

    /// Writes a document over the one that was read, at a time in Gregorian seconds. What the
    /// platform's says is in force here at once.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when it was changed since: nothing was written.
    pub async fn write_document(
        &self,
        name: &SettingsName,
        mut document: SettingsDocument,
        now: i64,
    ) -> Result<SettingsDocument, RepositoryError> {
        let (db, id) = name.place();
        let body = &mut document.body;
        if document.rev.is_none() {
            body.insert("pvt_type".to_owned(), "config".into());
            body.insert("pvt_created".to_owned(), now.into());
        }
        body.insert("pvt_modified".to_owned(), now.into());
        body.insert(WRITE_ID.to_owned(), Value::from(write_id()));
        let expect = match &document.rev {
            Some(rev) => Expect::At(Rev::new(rev.as_str())),
            None => Expect::Absent,
        };
        let write = Write::put(db, id.as_str(), expect, document.body.clone());
        match self.store.commit(vec![write]).await {
            Ok(done) => document.rev = done.revs.first().map(|rev| rev.as_str().to_owned()),
            Err(CommitError { error, .. }) if error.kind == Kind::Conflict => {
                return Err(RepositoryError::Conflict { id });
            }
            Err(CommitError { error, .. }) => return Err(error.into()),
        }
        if *name == SettingsName::System {
            self.read_again().await;
        }
        Ok(document)
    }
}
