//! Many numbers at once.

use futures::{StreamExt, stream};

use super::{NumberRepository, RepositoryError, Saved, Stored, codec, database, save::finished};
use crate::{
    repository::write_id,
    store::{CommitError, Committed, Kind, Write},
};

/// How many accounts' copies are looked up at once for a bulk write.
pub(super) const PARALLEL_LOOKUPS: usize = 16;

impl NumberRepository {
    /// Saves many numbers that keep their owners, with one request per database and step instead of
    /// one per number. One result per number, in order.
    pub async fn save_many(&self, numbers: Vec<Stored>) -> Vec<Result<Saved, RepositoryError>> {
        let now = self.now();
        let mut sets = Vec::with_capacity(numbers.len());
        let mut waiting = Vec::with_capacity(numbers.len());
        for mut stored in numbers {
            stored.number.modified = now;
            let body = codec::encode(&stored.number, &stored.base, &write_id());
            let id = stored.number.id.as_str();
            let db = database(&stored.number.id);
            let number = Write::put(db, id, stored.expect.clone(), body);
            sets.push(stored.write_set(number.clone()));
            waiting.push((stored, number));
        }
        let outcomes = self.store.commit_many(sets).await;
        stream::iter(waiting.into_iter().zip(outcomes))
            .map(|((stored, number), outcome)| self.finish(stored, number, outcome))
            .buffered(PARALLEL_LOOKUPS)
            .collect()
            .await
    }

    /// What became of one number of a bulk write. A set that was stopped by a copy is written again
    /// by itself.
    async fn finish(
        &self,
        mut stored: Stored,
        number: Write,
        outcome: Result<Committed, CommitError>,
    ) -> Result<Saved, RepositoryError> {
        let (rev, mirror) = match outcome {
            Ok(done) => finished(done),
            Err(CommitError { mut applied, .. }) if !applied.is_empty() => {
                let mirror = self.sync(&stored.number.id, &stored.accounts()).await;
                (applied.swap_remove(0), mirror)
            }
            Err(CommitError { failed: 0, error, .. }) if error.kind == Kind::Conflict => {
                return Err(RepositoryError::Conflict { id: stored.number.id.to_string() });
            }
            Err(CommitError { failed: 0, error, .. }) => return Err(error.into()),
            Err(_) => self.write(&mut stored, number).await?,
        };
        Ok(Saved { number: stored.number, rev: Some(rev), mirror, written: true })
    }
}
