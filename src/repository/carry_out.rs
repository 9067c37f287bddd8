//! Doing what a job recorded: as it was planned, and again after a crash.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};

use super::{
    NumberRepository, RepositoryError,
    journal::{Found, PlannedSet, RecordedSet, Resolution},
    trail::Entry,
};
use crate::{
    domain::{E164, Number},
    store::{CommitError, Committed, DbName, Expect, Kind, Lookup, StoreError, Write, WriteSet},
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
        let mut results: Vec<Option<Applied>> = sets.iter().map(|_| None).collect();
        let entries = sets.iter().map(|set| set.entry(self.now())).collect();
        let (mut places, mut writes, mut void) = (Vec::new(), Vec::new(), Vec::new());
        for (place, noted) in self.note_many(entries).await.into_iter().enumerate() {
            match noted {
                Ok(noted) => {
                    places.push((place, noted));
                    writes.push(sets[place].write_set());
                }
                Err(err) => results[place] = Some(Applied::Failed(err.into())),
            }
        }
        for ((place, noted), outcome) in
            places.into_iter().zip(self.store.commit_many(writes).await)
        {
            results[place] = first_outcome(outcome);
            if matches!(results[place], Some(Applied::Stale)) {
                void.extend(noted);
            }
        }
        self.strike(void).await;
        let open = results.iter().zip(sets).filter(|(result, _)| result.is_none());
        let again: Vec<RecordedSet> = open.map(|(_, set)| set.recorded()).collect();
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
            self.note_and_write(&found, places, writes, &mut results).await;
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

    /// Notes who makes these writes, and makes those of which it is noted. What has to be looked at again
    /// has no result.
    async fn note_and_write(
        &self,
        found: &Reading,
        places: Vec<usize>,
        writes: Vec<WriteSet>,
        results: &mut [Option<Applied>],
    ) {
        let entries = writes.iter().map(|set| found.entry(set.first()?, self.now())).collect();
        let noted = self.note_many(entries).await;
        let (mut open, mut sets, mut void) = (Vec::new(), Vec::new(), Vec::new());
        for ((place, set), noted) in places.into_iter().zip(writes).zip(noted) {
            match noted {
                Ok(noted) => {
                    open.push((place, noted));
                    sets.push(set);
                }
                Err(err) => results[place] = Some(Applied::Failed(err.into())),
            }
        }
        for ((place, noted), outcome) in open.into_iter().zip(self.store.commit_many(sets).await) {
            results[place] = match outcome {
                Ok(_) => Some(Applied::Written),
                // It is looked at again.
                Err(err) if err.error.kind == Kind::Conflict => {
                    if err.failed == 0 {
                        void.extend(noted);
                    }
                    None
                }
                Err(err) => Some(Applied::Failed(err.error.into())),
            };
        }
        self.strike(void).await;
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
    fn entry(&self, write: &Write, now: i64) -> Option<Entry> {
        let found = self.found.get(&(write.db.to_string(), write.id.clone()));
        let before = match found {
            Some(Lookup::Live(found)) => Some((&found.body, Some(&found.rev))),
            _ => None,
        };
        Entry::of(before, write, now)
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
