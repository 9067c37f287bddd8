//! How a job goes through its units, page by page: plan, record, write.

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::{
    courtesy::Courtesy,
    keeper::{Keeper, Stop},
    narrator::Narrator,
    operation::{PageContext, UnitReport, Work},
    scope::Unit,
    walk::{Failed, Walk},
};
use crate::{
    domain::{Actor, E164},
    repository::{
        Applied, Job, JobFailure, JobRepository, PlannedSet, RecordedPage, RecordedSet, Report,
        RepositoryError, RowResult, Way,
    },
    service::{Error, NumberService, PageOutcome},
};

/// How often a page is planned again because somebody changed numbers of it in between.
const TRIES: u32 = 4;
/// The first pause after something failed that may pass; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// The longest of these pauses.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// What is said of a document that was planned again and again.
const KEPT_CHANGING: &str = "somebody else kept changing it";

/// Everything that a job is run with.
pub(super) struct Run<'a> {
    pub(super) service: &'a NumberService,
    pub(super) repository: &'a JobRepository,
    pub(super) keeper: &'a Keeper,
    pub(super) work: &'a dyn Work,
    pub(super) job: &'a Job,
    pub(super) actor: &'a Actor,
    pub(super) narrator: Option<&'a Narrator>,
    pub(super) courtesy: &'a Courtesy,
    /// For how long what does not answer is tried again.
    pub(super) patience: Duration,
}

/// Where a page begins, and where the next one does.
#[derive(Clone)]
struct Place {
    after: Option<String>,
    next: Option<String>,
    /// The most documents of it.
    limit: usize,
}

/// What was planned of a page.
struct Planned {
    place: Place,
    outcome: PageOutcome,
    /// What it writes, and the same as it is recorded.
    sets: Vec<PlannedSet>,
    recorded: Vec<RecordedSet>,
}

impl Run<'_> {
    /// Goes through all units that are not finished.
    pub(super) async fn go(&self, units: &[Unit]) -> Result<(), Stop> {
        if let Some(narrator) = self.narrator {
            narrator.tell(self.work.opening(units.len()));
        }
        if let Some(narrator) = self.narrator {
            // What was told of these before is not told again; the others come in their turn.
            let done = (0..units.len() as u64).filter(|number| self.job.done.contains(*number));
            done.for_each(|number| narrator.tell_unit(number, String::new()));
        }
        let open = (0_u64..).zip(units).filter(|(number, _)| !self.job.done.contains(*number));
        let mut stages: BTreeMap<u8, Vec<_>> = BTreeMap::new();
        for (number, unit) in open {
            stages.entry(self.work.stage(unit)).or_default().push((number, unit));
        }
        for open in stages.into_values() {
            let mut waiting = open.into_iter();
            let mut walks = FuturesUnordered::new();
            loop {
                // A walk is made when its turn comes: there may be thousands.
                while walks.len() < self.job.concurrency.max(1)
                    && let Some((number, unit)) = waiting.next()
                {
                    let place = usize::try_from(number).unwrap_or_default();
                    let left = units.len().saturating_sub(place + 1);
                    walks.push(self.go_through(number, unit, left));
                }
                match walks.next().await {
                    Some(ended) => ended?,
                    None => break,
                }
            }
        }
        Ok(())
    }

    async fn go_through(&self, number: u64, unit: &Unit, left: usize) -> Result<(), Stop> {
        let database = unit.database();
        let mut walk = Walk {
            number,
            unit,
            database,
            report: Report::default(),
            is_told: self.narrator.is_some(),
            told: UnitReport::default(),
            page: 0,
            rows: Vec::new(),
            unwritten: Vec::new(),
        };
        if let Err(err) = self.walk(&mut walk).await? {
            let id = walk.database.clone().unwrap_or_else(|| self.job.operation.clone());
            walk.fail(&id, err.id(), &err.to_string());
        }
        if let Some(narrator) = self.narrator {
            narrator.tell_unit(number, self.work.told(unit, left, &walk.told()));
        }
        self.keeper.unit_done(number, walk.database.as_deref(), walk.report).await;
        Ok(())
    }

    /// Goes through one unit. The inner error is what ended it, and nothing else.
    async fn walk(&self, walk: &mut Walk<'_>) -> Result<Result<(), Error>, Stop> {
        let resumed = self.trying(|| async { Ok(self.resume(walk.number).await?) }).await?;
        let (last, next_number) = match resumed {
            Ok(resumed) => resumed,
            Err(err) => return Ok(Err(err)),
        };
        walk.page = next_number;
        let mut after = None;
        if let Some(page) = last {
            walk.report = page.report;
            walk.rows = page.results;
            // A page that was smaller is looked at together with what follows it.
            let limit = self.job.page_size;
            let place = Place { after: page.after, next: page.next, limit };
            if self.job.dry_run {
                walk.report.tally.changed += page.sets.len() as u64;
            } else {
                let outcomes = self.finish(&page.sets).await?;
                let stale = walk.count(page.sets.iter().map(RecordedSet::id).zip(outcomes));
                self.again(walk, &place, stale).await?;
            }
            self.close_rows(walk, &place).await?;
            match place.next {
                None => return Ok(Ok(())),
                next => after = next,
            }
        }
        let limit = self.courtesy.page_size(self.job.page_size);
        let mut planned = match self.plan(walk.unit, after, limit).await? {
            Ok(planned) => planned,
            Err(err) => return Ok(Err(err)),
        };
        loop {
            self.keeper.check()?;
            walk.take(&mut planned.outcome);
            let next = planned.place.next.clone();
            let recording = self.record(walk, &planned.recorded, &planned.place);
            self.courtesy.in_turn(recording).await?;
            // The next page is planned while this one is written: they have no number in common.
            let following = async {
                let after = next?;
                let limit = self.courtesy.page_size(self.job.page_size);
                let plan = self.plan(walk.unit, Some(after), limit);
                Some(self.courtesy.in_turn(plan).await)
            };
            let (written, following) = tokio::join!(self.write(&planned), following);
            let stale = walk.count(written);
            self.again(walk, &planned.place, stale).await?;
            self.close_rows(walk, &planned.place).await?;
            self.keeper.progress(walk.number, walk.report.tally);
            planned = match following {
                None => return Ok(Ok(())),
                Some(following) => match following? {
                    Ok(planned) => planned,
                    Err(err) => return Ok(Err(err)),
                },
            };
            if self.job.pause_ms > 0 {
                sleep(Duration::from_millis(self.job.pause_ms)).await;
            }
        }
    }

    async fn resume(&self, unit: u64) -> Result<(Option<RecordedPage>, u64), RepositoryError> {
        self.repository.last_page(&self.job.id, unit).await
    }

    /// Plans a page. What may pass is tried again for as long as patience lasts.
    async fn plan(
        &self,
        unit: &Unit,
        after: Option<String>,
        limit: usize,
    ) -> Result<Result<Planned, Error>, Stop> {
        let planned = self
            .trying(|| async {
                let (service, plan) = self.service.planning();
                let context = PageContext {
                    service: &service,
                    live: (!self.job.dry_run).then_some(self.service),
                    jobs: self.repository,
                    unit,
                    after: after.as_deref(),
                    limit,
                    actor: self.actor,
                };
                let outcome = self.work.page(&context).await?;
                Ok((outcome, plan.into_sets()))
            })
            .await?;
        Ok(planned.map(|(outcome, sets)| {
            let recorded = sets.iter().map(PlannedSet::recorded).collect();
            let place = Place { after, next: outcome.next.clone(), limit };
            Planned { place, outcome, sets, recorded }
        }))
    }

    /// Records what a page writes. Nobody else may have recorded it.
    async fn record(
        &self,
        walk: &mut Walk<'_>,
        sets: &[RecordedSet],
        place: &Place,
    ) -> Result<(), Stop> {
        if sets.is_empty() && walk.rows.is_empty() {
            return Ok(());
        }
        let page = RecordedPage {
            number: walk.page,
            stamp: Uuid::new_v4().simple().to_string(),
            sets: sets.to_vec(),
            after: place.after.clone(),
            next: place.next.clone(),
            report: walk.report.clone(),
            results: walk.rows.clone(),
        };
        walk.page += 1;
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            match self.repository.record(&self.job.id, walk.number, &page).await {
                Ok(()) => return Ok(()),
                Err(RepositoryError::Conflict { .. }) => return Err(Stop::Lost),
                Err(err) if err.leaves_doubt() && begun.elapsed() < self.patience => {
                    self.keeper.check()?;
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                Err(err) => {
                    let err = Error::from(err);
                    return Err(Stop::Broken(JobFailure {
                        id: self.job.id.clone(),
                        database: None,
                        error: err.id().to_owned(),
                        message: format!("the journal cannot be written: {err}"),
                    }));
                }
            }
        }
    }

    /// Writes what was planned and recorded. In a dry run all of it counts as written.
    async fn write(&self, planned: &Planned) -> Vec<(String, Result<bool, Failed>)> {
        let ids = planned.sets.iter().map(|set| set.id().to_owned());
        if self.job.dry_run {
            return ids.map(|id| (id, Ok(true))).collect();
        }
        let refused = self.before_write(&planned.recorded).await;
        let open = |id: &str| !refused.contains_key(id);
        let (sets, recorded) = if refused.is_empty() {
            (Cow::Borrowed(&planned.sets), Cow::Borrowed(&planned.recorded))
        } else {
            let sets = planned.sets.iter().filter(|set| open(set.id())).cloned().collect();
            let recorded = planned.recorded.iter().filter(|set| open(set.id())).cloned().collect();
            (Cow::Owned(sets), Cow::Owned(recorded))
        };
        let mut applied = Vec::with_capacity(sets.len());
        while let Some(part) = self.courtesy.next_part(&sets, applied.len()) {
            let written = self.courtesy.in_turn(self.service.carry_out_planned(part)).await;
            applied.extend(written);
        }
        let outcomes = self.patiently(applied, &recorded).await;
        self.after_write(&recorded, &outcomes).await;
        let mut outcomes = outcomes.into_iter();
        let outcome = |id: String| match refused.get(&id) {
            Some(failed) => Some((id, Err(failed.clone()))),
            None => Some((id, outcomes.next()?)),
        };
        ids.filter_map(outcome).collect()
    }

    /// What is done outside before these sets are written; those that must not be.
    async fn before_write(&self, sets: &[RecordedSet]) -> HashMap<String, Failed> {
        let ids: Vec<String> = sets.iter().map(|set| set.id().to_owned()).collect();
        let refused = self.work.before_write(self.service, &ids).await;
        let failed = |(id, err)| (id, Failed::from(err));
        let mut refused: HashMap<_, _> = refused.into_iter().map(failed).collect();
        let open = sets.iter().filter(|set| !refused.contains_key(set.id()));
        let open: Vec<&RecordedSet> = open.collect();
        let gives_back = self.work.gives_back();
        match self.service.see_to_carriers(&open, gives_back).await {
            Ok(more) => refused.extend(more.into_iter().map(failed)),
            // Nothing may be deleted of which nobody would know any more that it costs money.
            Err(err) => {
                let all = open.iter().map(|set| (set.id().to_owned(), Failed::from(err.clone())));
                refused.extend(all);
            }
        }
        refused
    }

    /// What follows once it is known what became of these sets.
    async fn after_write(&self, sets: &[RecordedSet], outcomes: &[Result<bool, Failed>]) {
        let ids = |is: fn(&Result<bool, Failed>) -> bool| -> Vec<String> {
            let sets = sets.iter().zip(outcomes).filter(|(_, outcome)| is(outcome));
            sets.map(|(set, _)| set.id().to_owned()).collect()
        };
        let certain = ids(|outcome| outcome.as_ref().map_or_else(|it| !it.is_in_doubt, |_| true));
        if !certain.is_empty() {
            self.work.after_write(self.service, &certain).await;
        }
        if self.work.gives_back() {
            let gone = certain.iter().filter_map(|id| E164::parse(id).ok());
            self.service.give_back_soon(gone.collect());
        }
        let written = ids(|outcome| *outcome == Ok(true));
        if !written.is_empty() {
            self.work.settle(self.service, &written).await;
        }
    }

    /// Finishes a page that a process before this one recorded.
    async fn finish(&self, sets: &[RecordedSet]) -> Result<Vec<Result<bool, Failed>>, Stop> {
        self.keeper.check()?;
        let refused = self.before_write(sets).await;
        let open = sets.iter().filter(|set| !refused.contains_key(set.id()));
        let open: Vec<RecordedSet> = open.cloned().collect();
        let mut applied = Vec::with_capacity(open.len());
        while let Some(part) = self.courtesy.next_part(&open, applied.len()) {
            let written = self.service.carry_out_recorded(part, Way::Forward);
            applied.extend(self.courtesy.in_turn(written).await);
        }
        let outcomes = self.patiently(applied, &open).await;
        // What was done before was done by this job.
        let outcomes: Vec<_> =
            outcomes.into_iter().map(|it| if it == Ok(false) { Ok(true) } else { it }).collect();
        self.after_write(&open, &outcomes).await;
        let mut outcomes = outcomes.into_iter();
        let outcome = |set: &RecordedSet| match refused.get(set.id()) {
            Some(failed) => Some(Err(failed.clone())),
            None => outcomes.next(),
        };
        Ok(sets.iter().filter_map(outcome).collect())
    }

    /// Tries again what failed for a passing reason.
    async fn patiently(
        &self,
        applied: Vec<Applied>,
        sets: &[RecordedSet],
    ) -> Vec<Result<bool, Failed>> {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        let mut results = applied;
        loop {
            let waiting: Vec<usize> =
                (0..results.len()).filter(|place| may_pass(&results[*place])).collect();
            if waiting.is_empty()
                || begun.elapsed() >= self.patience
                || self.keeper.check().is_err_and(|stop| matches!(stop, Stop::Lost))
            {
                return results.into_iter().map(outcome).collect();
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
            let some: Vec<RecordedSet> = waiting.iter().map(|it| sets[*it].clone()).collect();
            let again = self.service.carry_out_recorded(&some, Way::Forward).await;
            for (place, again) in waiting.into_iter().zip(again) {
                // It was this job that had written it.
                results[place] =
                    if matches!(again, Applied::Done) { Applied::Written } else { again };
            }
        }
    }

    /// Plans a page again of which numbers were changed by somebody else in between, and writes what
    /// is left of it.
    async fn again(
        &self,
        walk: &mut Walk<'_>,
        place: &Place,
        mut stale: Vec<String>,
    ) -> Result<(), Stop> {
        for _ in 0..TRIES {
            if stale.is_empty() {
                return Ok(());
            }
            self.keeper.check()?;
            let planned = self.plan(walk.unit, place.after.clone(), place.limit).await?;
            let Ok(mut planned) = planned else {
                break;
            };
            // What else the page holds by now belongs to the pages that follow.
            planned.sets.retain(|set| stale.iter().any(|id| id == set.id()));
            planned.recorded.retain(|set| stale.iter().any(|id| id == set.id()));
            walk.replace_rows(&stale, &planned.outcome.rows);
            self.record(walk, &planned.recorded, place).await?;
            for id in &stale {
                let failure = planned.outcome.failed.iter().find(|(failed, _)| failed == id);
                match failure {
                    Some((_, failure)) => walk.fail(id, &failure.error, &failure.message),
                    None if planned.sets.iter().all(|set| set.id() != id) => {
                        walk.report.tally.unchanged += 1;
                    }
                    None => (),
                }
            }
            let written = self.write(&planned).await;
            stale = walk.count(written);
        }
        for id in stale {
            walk.fail(&id, "datastore_conflict", KEPT_CHANGING);
            walk.unwritten.push((id, KEPT_CHANGING.to_owned()));
        }
        Ok(())
    }

    /// Counts the rows of a page that is over; where any could not be written, what became of them is
    /// recorded once more.
    async fn close_rows(&self, walk: &mut Walk<'_>, place: &Place) -> Result<(), Stop> {
        let unwritten = std::mem::take(&mut walk.unwritten);
        let mut changed = false;
        for (id, message) in unwritten {
            let is_it = |row: &&mut RowResult| row.error.is_none() && row.id() == id;
            if let Some(row) = walk.rows.iter_mut().find(is_it) {
                let failed =
                    self.trying(|| async { self.work.unwritten(walk.unit, row, &message).await });
                *row = failed
                    .await?
                    .unwrap_or_else(|_| RowResult { error: Some(message.clone()), ..row.clone() });
                changed = true;
            }
        }
        if changed {
            self.record(walk, &[], place).await?;
        }
        walk.report.rows.count(&walk.rows);
        walk.rows.clear();
        Ok(())
    }

    /// Does something again, for as long as patience lasts, while it fails for a reason that may
    /// pass.
    async fn trying<T, F>(&self, call: impl Fn() -> F) -> Result<Result<T, Error>, Stop>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let begun = Instant::now();
        let mut pause = FIRST_PAUSE;
        loop {
            self.keeper.check()?;
            match call().await {
                Err(Error::Unavailable(_) | Error::Conflict) if begun.elapsed() < self.patience => {
                    sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
                ended => return Ok(ended),
            }
        }
    }
}

fn may_pass(applied: &Applied) -> bool {
    matches!(applied, Applied::Failed(err) if err.leaves_doubt())
}

fn outcome(applied: Applied) -> Result<bool, Failed> {
    match applied {
        Applied::Written => Ok(true),
        Applied::Done => Ok(false),
        Applied::Stale => {
            let message = "somebody else changed it".to_owned();
            let error = "datastore_conflict";
            Err(Failed { is_stale: true, is_in_doubt: false, error, message })
        }
        Applied::Failed(err) => {
            let is_in_doubt = err.leaves_doubt();
            Err(Failed { is_in_doubt, ..Failed::from(Error::from(err)) })
        }
    }
}
