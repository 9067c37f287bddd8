//! Doing what a job recorded: as it was planned, and again after a crash.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::{
    NumberRepository, RepositoryError,
    journal::{Found, PlannedSet, RecordedSet, Resolution},
    trail::{Entry, Ground},
};
use crate::{
    domain::{E164, Number},
    store::{CommitError, Committed, DbName, Expect, Kind, StoreError, Write, WriteSet},
};

/// How often a set is looked at again because a copy was changed in between.
const TRIES: u32 = 4;
/// How many documents are asked for at once.
const READ_AT_ONCE: usize = 500;
/// How many databases are read at once.
const PARALLEL: usize = 16;
/// Where the names of databases of numbers begin: those that are made when they are missing.
const NUMBERS: &str = "numbers/";

/// What became of a recorded set.
#[derive(Debug)]
pub enum Applied {
    /// It was written now.
    Written,
    /// It had been written before.
    Done,
    /// Somebody changed the number since it was planned; it stays as it is.
    Stale,
    /// It could not be written, or nobody knows whether it was.
    Failed(RepositoryError),
}

/// Which way a recorded set is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From before to after.
    Forward,
    /// From after to before.
    Back,
}

impl NumberRepository {
    /// Writes what was planned, expecting what was read then. One result per set, in order.
    pub async fn carry_out_planned(&self, sets: &[PlannedSet]) -> Vec<Applied> {
        let now = self.now();
        let writes = sets.iter().map(|set| (set.entry(now), set.write_set())).collect();
        let mut results: Vec<Option<Applied>> = Vec::with_capacity(sets.len());
        let mut again = Vec::new();
        for (place, outcome) in self.trail.commit_many(writes).await.into_iter().enumerate() {
            results.push(first_outcome(outcome));
            if results[place].is_none() {
                again.push(sets[place].recorded());
            }
        }
        // Part of these may be written, so they are looked at before they are written again.
        let mut again = self
            .carry_out_recorded(&again, Way::Forward)
            .await
            .into_iter()
            .map(|it| if matches!(it, Applied::Done) { Applied::Written } else { it });
        results.into_iter().filter_map(|result| result.or_else(|| again.next())).collect()
    }

    /// Looks at each document of the sets and writes what is left of them. One result per set, in
    /// order.
    pub async fn carry_out_recorded(&self, sets: &[RecordedSet], way: Way) -> Vec<Applied> {
        let mut results: Vec<Option<Applied>> = sets.iter().map(|_| None).collect();
        for attempt in 0..TRIES {
            let open: Vec<usize> = (0..sets.len()).filter(|it| results[*it].is_none()).collect();
            if open.is_empty() {
                break;
            }
            let found = self.found(open.iter().map(|place| &sets[*place])).await;
            let (mut places, mut writes) = (Vec::new(), Vec::new());
            for place in open {
                match self.resolve(&sets[place], &found, way) {
                    Ok(Resolution::Done) if attempt > 0 => results[place] = Some(Applied::Written),
                    Ok(Resolution::Done) => results[place] = Some(Applied::Done),
                    Ok(Resolution::Stale) => results[place] = Some(Applied::Stale),
                    Ok(Resolution::Write(set)) => {
                        places.push(place);
                        writes.push(set);
                    }
                    Err(err) => results[place] = Some(Applied::Failed(err)),
                }
            }
            self.make_databases(&writes).await;
            let noted = |set: WriteSet| (found.entry(set.first(), self.now()), set);
            let outcomes = self.trail.commit_many(writes.into_iter().map(noted).collect()).await;
            for (place, outcome) in places.into_iter().zip(outcomes) {
                results[place] = match outcome {
                    Ok(_) => Some(Applied::Written),
                    // It is looked at again.
                    Err(err) if err.error.kind == Kind::Conflict => None,
                    Err(err) => Some(Applied::Failed(err.error.into())),
                };
            }
        }
        let lost = |set: &RecordedSet| {
            Applied::Failed(RepositoryError::Conflict { id: set.id().to_owned() })
        };
        let results = results.into_iter().zip(sets);
        results.map(|(result, set)| result.unwrap_or_else(|| lost(set))).collect()
    }

    /// The numbers that these sets delete, each as it is before, with its revision.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Undecodable`].
    pub fn numbers_deleted<'a>(
        &self,
        sets: impl IntoIterator<Item = &'a RecordedSet>,
    ) -> Result<Vec<(Number, String)>, RepositoryError> {
        let deleted = sets.into_iter().filter_map(|set| {
            // The carriers' stock is no number.
            let id = E164::parse(set.id()).ok()?;
            let (body, rev) = set.deleted()?;
            Some(self.decode(&id, body).map(|number| (number, rev.to_owned())))
        });
        deleted.collect()
    }

    /// The numbers that these sets make.
    ///
    /// # Errors
    ///
    /// [`RepositoryError::Undecodable`].
    pub fn numbers_made<'a>(
        &self,
        sets: impl IntoIterator<Item = &'a RecordedSet>,
    ) -> Result<Vec<Number>, RepositoryError> {
        let made = sets.into_iter().filter_map(|set| {
            let id = E164::parse(set.id()).ok()?;
            Some(self.decode(&id, set.made()?))
        });
        made.collect()
    }

    fn resolve(
        &self,
        set: &RecordedSet,
        found: &Reading,
        way: Way,
    ) -> Result<Resolution, RepositoryError> {
        let failed = set.places().find_map(|(db, _)| found.failed.get(&db));
        if let Some(err) = failed {
            return Err(err.again().into());
        }
        Ok(match way {
            Way::Forward => set.resolve(&found.found),
            Way::Back => set.inverse(&found.found, self.now()),
        })
    }

    /// Reads every document that the sets are about.
    async fn found(&self, sets: impl Iterator<Item = &RecordedSet> + Send) -> Reading {
        let mut wanted: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (db, id) in sets.flat_map(RecordedSet::places) {
            wanted.entry(db).or_default().push(id);
        }
        let parts = wanted.into_iter().flat_map(|(db, ids)| {
            let chunks: Vec<_> = ids.chunks(READ_AT_ONCE).map(<[String]>::to_vec).collect();
            chunks.into_iter().map(move |ids| (db.clone(), ids))
        });
        let reads = stream::iter(parts.collect::<Vec<_>>()).map(|(db, ids)| async move {
            let found = self.store.get_many(&DbName::new(db.as_str()), &ids).await;
            (db, ids, found)
        });
        let mut reads = reads.buffer_unordered(PARALLEL);
        let mut reading = Reading::default();
        while let Some((db, ids, found)) = reads.next().await {
            match found {
                Ok(found) => {
                    let places = ids.into_iter().map(|id| (db.clone(), id));
                    reading.found.extend(places.zip(found));
                }
                Err(err) => {
                    reading.failed.insert(db, err);
                }
            }
        }
        reading
    }

    /// Makes the databases of numbers that a first document goes into. What fails here fails again
    /// when it is written.
    async fn make_databases(&self, sets: &[WriteSet]) {
        let fresh = sets.iter().filter_map(|set| set.first());
        let fresh = fresh.filter(|write| {
            write.expect == Expect::Absent && write.db.as_str().starts_with(NUMBERS)
        });
        let names: BTreeSet<DbName> = fresh.map(|it| it.db.clone()).collect();
        for db in names {
            // Safe to repeat, and cheap when it is there.
            let _ = self.store.create_database(&db).await;
        }
    }
}

/// What was read of the documents of some sets.
#[derive(Default)]
struct Reading {
    found: Found,
    failed: BTreeMap<String, StoreError>,
}

impl Reading {
    /// The entry of a write over what was found.
    fn entry(&self, write: Option<&Write>, now: i64) -> Option<Entry> {
        let write = write?;
        let found = self.found.get(&(write.db.to_string(), write.id.clone()));
        Entry::of(found.map(Ground::of).unwrap_or_default(), write, now)
    }
}

/// What became of a set at its first attempt; none when it has to be looked at.
fn first_outcome(outcome: Result<Committed, CommitError>) -> Option<Applied> {
    match outcome {
        Ok(_) => Some(Applied::Written),
        Err(err) if err.failed == 0 && err.error.kind == Kind::Conflict => Some(Applied::Stale),
        Err(_) => None,
    }
}
