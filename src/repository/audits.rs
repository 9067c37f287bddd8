//! What the last audit of everything found.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{Findings, NumberRepository, OWN_DATABASE, RepositoryError, Tally, write_id};
use crate::store::{Body, DbName, Expect, Kind, WRITE_ID, Write};

use std::collections::BTreeMap;

/// The document.
const ID: &str = "last_audit";
/// How often it is written again when somebody else did at the same time.
const TRIES: u32 = 5;

/// What the last audit of everything found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastAudit {
    /// The job.
    pub job: String,
    /// When it began (RFC 3339).
    pub started: Option<String>,
    /// When it ended.
    pub finished: String,
    /// Whether it repaired what it found.
    pub repair: bool,
    /// Counts.
    pub counts: Tally,
    /// What it found, by kind.
    pub findings: BTreeMap<String, Findings>,
}

impl NumberRepository {
    /// What the last audit of everything found; none when there was none.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn last_audit(&self) -> Result<Option<LastAudit>, RepositoryError> {
        let found = self.store.get(&DbName::new(OWN_DATABASE), ID).await?.live();
        let audit = found.and_then(|mut found| found.body.shift_remove("audit"));
        // One of another build is none.
        Ok(audit.and_then(|audit| serde_json::from_value(audit).ok()))
    }

    /// Keeps what an audit of everything found.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Conflict`] when others kept keeping theirs, [`RepositoryError::Store`].
    pub async fn keep_last_audit(&self, audit: &LastAudit) -> Result<(), RepositoryError> {
        let db = DbName::new(OWN_DATABASE);
        for _ in 0..TRIES {
            let found = self.store.get(&db, ID).await?.live();
            let expect = found.map_or(Expect::Absent, |found| Expect::At(found.rev));
            let body: Body = Map::from_iter([
                ("pvt_type".to_owned(), Value::from("last_audit")),
                ("audit".to_owned(), json!(audit)),
                (WRITE_ID.to_owned(), write_id().into()),
            ]);
            match self.store.commit(vec![Write::put(db.clone(), ID, expect, body)]).await {
                Ok(_) => return Ok(()),
                Err(err) if err.error.kind == Kind::Conflict => (),
                Err(err) => return Err(err.error.into()),
            }
        }
        Err(RepositoryError::Conflict { id: ID.to_owned() })
    }
}
