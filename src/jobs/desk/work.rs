//! Running one job, from its lease to its end.

use std::{sync::Arc, time::Duration};

use serde_json::{Value, json};
use tokio::time::timeout;

use super::Desk;
use crate::{
    domain::Actor,
    jobs::{
        JobError, Narrator, Scope, Unit, Work,
        keeper::{Keeper, Stop},
        replay::scope_of,
        runner::Run,
    },
    repository::{Job, JobFailure, JobState, Origin, RepositoryError, Tally, Wanted},
    service::Error,
};

impl Desk {
    /// Takes a job and runs it to its end, or until it has to stop.
    pub(super) async fn run(
        &self,
        id: &str,
        work: Option<Box<dyn Work>>,
        narrator: Option<&Narrator>,
    ) -> Result<(), RepositoryError> {
        let lease = Duration::from_millis(self.limits.lease_ms);
        let shutdown = self.shutdown.clone();
        let taken =
            Keeper::take(&self.repository, &self.clock, &self.holder, lease, shutdown, id).await?;
        let Some(keeper) = taken else {
            return Ok(());
        };
        let job = keeper.job().await;
        tracing::info!(job = id, operation = job.operation, "a job runs here");
        let origin = Origin::of_job(&job);
        let running = origin.during(self.work_through(&keeper, &job, work, narrator));
        let renewing = self.renew(&keeper);
        let ended = tokio::select! {
            ended = running => ended,
            stop = renewing => Err(stop),
        };
        self.end(&keeper, ended, narrator).await
    }

    /// Keeps the lease; ends when it is lost.
    async fn renew(&self, keeper: &Keeper) -> Stop {
        let pause = Duration::from_millis(self.limits.renewal_ms.max(1));
        loop {
            // Whether it was poked or not, it is time.
            let _ = timeout(pause, self.poked.notified()).await;
            if let Err(stop) = keeper.renew().await {
                return stop;
            }
        }
    }

    async fn work_through(
        &self,
        keeper: &Keeper,
        job: &Job,
        work: Option<Box<dyn Work>>,
        narrator: Option<&Narrator>,
    ) -> Result<(), Stop> {
        let broken = |err: &JobError| {
            Stop::Broken(JobFailure {
                id: job.id.clone(),
                database: None,
                error: err.id().to_owned(),
                message: err.to_string(),
            })
        };
        let (scope, operation) = scope_of(job, self.known()).map_err(|err| broken(&err))?;
        let work = match work {
            Some(work) => work,
            None => operation
                .prepare(&self.preparation(&job.arguments, &scope, job.dry_run))
                .await
                .map_err(|err| broken(&err))?,
        };
        let units = self.units(job, &scope, &*work).await.map_err(|err| broken(&err.into()))?;
        keeper.change(|job| job.units = Some(units.len() as u64)).await?;
        // An administrator asked for it; only they can.
        let actor = Actor::operator();
        let patience = Duration::from_millis(self.limits.patience_ms);
        let run = Run {
            service: &self.service,
            repository: &self.repository,
            keeper,
            work: &*work,
            job,
            actor: &actor,
            narrator,
            courtesy: &self.courtesy,
            patience,
        };
        run.go(&units).await?;
        keeper.check()?;
        let done = keeper.job().await;
        if !job.dry_run {
            work.finish(&self.service, &done).await.map_err(|err| broken(&err.into()))?;
        }
        if let Some(narrator) = narrator {
            narrator.tell(work.closing(&done));
        }
        Ok(())
    }

    /// What the job goes through: the same after a crash.
    async fn units(&self, job: &Job, scope: &Scope, work: &dyn Work) -> Result<Vec<Unit>, Error> {
        let read = |values: Vec<Value>| {
            let units: Result<Vec<Unit>, _> =
                values.into_iter().map(serde_json::from_value).collect();
            units.map_err(|err| Error::Store(Arc::new(err)))
        };
        if let Some(values) = self.repository.units(&job.id).await? {
            return read(values);
        }
        let units = work.units(&self.service, scope, job.page_size).await?;
        let values: Vec<Value> = units.iter().map(|unit| json!(unit)).collect();
        self.repository.keep_units(&job.id, &values).await?;
        // Somebody else may have been first.
        read(self.repository.units(&job.id).await?.unwrap_or(values))
    }

    async fn end(
        &self,
        keeper: &Keeper,
        ended: Result<(), Stop>,
        narrator: Option<&Narrator>,
    ) -> Result<(), RepositoryError> {
        let now = self.clock.now().to_string();
        let state = match &ended {
            Err(Stop::Lost) => {
                tracing::warn!("the lease of a job was lost");
                return Ok(());
            }
            Ok(()) => None,
            Err(Stop::Broken(_)) => Some(JobState::Failed),
            Err(Stop::Wanted(Wanted::Cancel)) => Some(JobState::Cancelled),
            Err(Stop::Wanted(Wanted::Pause)) => Some(JobState::Paused),
            // Another process goes on with it, or this one after its next start.
            Err(Stop::Shutdown) => Some(JobState::Queued),
        };
        let given_back = keeper
            .give_back(|job| {
                job.state = state.unwrap_or_else(|| result_of(job.counts));
                job.wanted = None;
                if job.state.has_ended() {
                    job.finished = Some(now.clone());
                    job.live = Tally::default();
                }
                if let Err(Stop::Broken(failure)) = &ended {
                    job.error = Some(failure.clone());
                }
            })
            .await;
        if let (Err(Stop::Broken(failure)), Some(narrator)) = (&ended, narrator) {
            narrator.tell(format!("ERROR: {}\n", failure.message));
        }
        let job = keeper.job().await;
        if given_back.is_ok() && job.state.has_ended() {
            tracing::info!(job = job.id, state = job.state.name(), "a job ended");
            self.repository.leave(&job.id).await?;
        }
        Ok(())
    }
}

/// How a job ended that went through everything.
fn result_of(counts: Tally) -> JobState {
    match (counts.failed, counts.changed + counts.unchanged) {
        (0, _) => JobState::Succeeded,
        (_, 0) => JobState::Failed,
        _ => JobState::Partial,
    }
}
