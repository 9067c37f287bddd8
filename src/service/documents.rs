//! Numbers as their documents: taken out whole, and brought in as they are.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{Error, NumberService};
use crate::{
    domain::{AccountId, E164, Number, NumberDatabase},
    repository::{Arrival, Moved},
};

/// What became of a document that was brought in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Brought {
    /// It is stored.
    Made,
    /// It was there, and as it is.
    Unchanged,
}

impl NumberService {
    /// A page of the documents of numbers in a database, and where the next one goes on.
    ///
    /// # Errors
    ///
    /// Those of every read.
    pub async fn documents(
        &self,
        database: &NumberDatabase,
        after: Option<String>,
        limit: usize,
    ) -> Result<(Vec<Moved>, Option<String>), Error> {
        Ok(self.numbers.transfer().page(database.as_str(), after, limit).await?)
    }

    /// Brings documents of numbers in, with copies for their owners. Whatever is stored stays as it is. One
    /// outcome per document, in order.
    ///
    /// # Errors
    ///
    /// What may pass, and concerns no single document.
    pub async fn bring_in(
        &self,
        documents: Vec<Map<String, Value>>,
    ) -> Result<Vec<Result<Brought, Error>>, Error> {
        let mut outcomes = Vec::with_capacity(documents.len());
        let mut fit = Vec::new();
        for document in documents {
            outcomes.push(match self.document_of_number(document).await {
                Ok((number, moved)) => {
                    fit.push((number, moved));
                    None
                }
                Err(err @ Error::Unavailable(_)) => return Err(err),
                Err(err) => Some(Err(err)),
            });
        }
        let moved = fit.iter().map(|(_, moved)| moved.clone()).collect();
        let arrivals = self.numbers.transfer().load(moved).await?;
        let mut brought = Vec::with_capacity(arrivals.len());
        for ((number, _), arrival) in fit.into_iter().zip(arrivals) {
            brought.push(match arrival {
                Arrival::Made => {
                    let owners: BTreeSet<AccountId> = number.owner.into_iter().collect();
                    // A copy that is not there yet follows.
                    self.numbers.sync(&number.id, &owners).await;
                    Ok(Brought::Made)
                }
                Arrival::Unchanged => Ok(Brought::Unchanged),
                Arrival::Other => Err(Error::Exists(number.id)),
                Arrival::Failed(err) => Err(err.into()),
            });
        }
        let mut brought = brought.into_iter();
        Ok(outcomes.into_iter().filter_map(|it| it.or_else(|| brought.next())).collect())
    }

    /// The number that a document is of.
    async fn document_of_number(
        &self,
        document: Map<String, Value>,
    ) -> Result<(Number, Moved), Error> {
        let id = document.get("_id").and_then(Value::as_str).unwrap_or_default();
        let id = E164::parse(id).map_err(|_| Error::NotReconcilable(id.to_owned()))?;
        let body: Map<String, Value> =
            document.into_iter().filter(|(name, _)| !name.starts_with('_')).collect();
        let number = self.numbers.decode(&id, &body);
        let number = number.map_err(|err| Error::Invalid { cause: err.to_string() })?;
        if let Some(owner) = &number.owner
            && self.accounts.get(owner).await?.is_none()
        {
            return Err(Error::NoAccount(owner.clone()));
        }
        let database = NumberDatabase::from(&id).to_string();
        Ok((number, Moved { database, id: id.to_string(), body }))
    }
}
