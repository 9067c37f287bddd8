//! The indexes of single databases, as an operator refreshes them.

use super::{NumberRepository, RepositoryError};
use crate::store::{DbName, Kind};

impl NumberRepository {
    /// Whether a database has its indexes as this build has them; none when there is no such
    /// database.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn has_current_indexes(
        &self,
        database: &str,
    ) -> Result<Option<bool>, RepositoryError> {
        match self.store.has_current_indexes(&DbName::new(database)).await {
            Err(err) if err.kind == Kind::NoDatabase => Ok(None),
            current => Ok(Some(current?)),
        }
    }

    /// Installs the indexes of a database, which is made where it is missing.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Store`].
    pub async fn install_indexes(&self, database: &str) -> Result<(), RepositoryError> {
        Ok(self.store.create_database(&DbName::new(database)).await?)
    }
}
