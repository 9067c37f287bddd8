//! Doing what another job planned, and taking back what another job did: both go through its journal.

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    JobError,
    operation::{Argument, ArgumentKind, Operation, PageContext, Preparation, Work},
    scope::{Form, Over, Scope},
};
use crate::{
    domain::E164,
    repository::{Applied, Job, RecordedSet, Way},
    service::{Error, Failure, NumberService, PageOutcome},
};

/// Does what a dry run planned, and nothing else.
#[derive(Debug)]
pub(super) struct Apply;

/// Puts back what a job changed and nobody has changed since.
#[derive(Debug)]
pub(super) struct Revert;

/// The journal of a job, forwards or backwards.
#[derive(Debug)]
struct Replay {
    job: String,
    way: Way,
    /// The work whose plan it is: it knows what is to be done beside the writing.
    planned: Option<Box<dyn Work>>,
}

/// What is found of a number that has an address or a name again which was taken off it outside. The
/// journal says what the number was, but not whether whoever provides that would do so again.
const TO_BE_PROVIDED: &str = "features_to_provide_again";

/// What is found of a number that is stored again, and that its carrier has back by now: it is to be
/// bought anew.
const GIVEN_BACK: &str = "given_back_to_carrier";

const ARGUMENTS: &[Argument] = &[Argument {
    name: "job",
    kind: ArgumentKind::Text,
    required: true,
    meaning: "the job whose journal it goes through",
}];

#[async_trait]
impl Operation for Apply {
    fn name(&self) -> &'static str {
        "apply"
    }

    fn summary(&self) -> &'static str {
        "What a dry run planned is done, where nobody has changed the numbers since."
    }

    fn arguments(&self) -> &'static [Argument] {
        ARGUMENTS
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::Nothing]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        let planned = Some(planned_work(job).await?);
        Ok(Box::new(Replay { planned, ..Replay::of(job, Way::Forward) }))
    }
}

#[async_trait]
impl Operation for Revert {
    fn name(&self) -> &'static str {
        "revert"
    }

    fn summary(&self) -> &'static str {
        "What a job changed is as it was before, where nobody has changed it since."
    }

    fn arguments(&self) -> &'static [Argument] {
        ARGUMENTS
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::Nothing]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        Ok(Box::new(Replay::of(job, Way::Back)))
    }
}

impl Replay {
    fn of(job: &Preparation<'_>, way: Way) -> Self {
        Self { job: id_of(job).to_owned(), way, planned: None }
    }
}

impl Replay {
    /// Of the numbers that are stored again when these sets are taken back, those that their carriers
    /// have back. Those that wait for it are not given back from here on.
    async fn numbers_back(
        &self,
        page: &PageContext<'_>,
        sets: &[RecordedSet],
    ) -> Result<Vec<E164>, Error> {
        let deleted: Vec<E164> = page.service.numbers_deleted(sets)?;
        if let Some(live) = page.live {
            // One that is being given back at this moment is refused before it is written.
            live.hold_many(deleted.iter().cloned()).await?;
        }
        page.service.given_back(&deleted).await
    }
}

fn id_of<'a>(job: &Preparation<'a>) -> &'a str {
    job.arguments.get("job").and_then(Value::as_str).unwrap_or_default()
}

/// The work of the job that made the plan.
async fn planned_work(job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
    let id = id_of(job);
    let stored = job.jobs.load(id).await.map_err(Error::from)?;
    let planner = stored.ok_or_else(|| JobError::UnknownJob(id.to_owned()))?.job;
    let (scope, operation) = scope_of(&planner, job.operations.iter().copied())?;
    let (arguments, dry_run) = (&planner.arguments, job.dry_run);
    operation.prepare(&Preparation { arguments, scope: &scope, dry_run, ..*job }).await
}

/// The scope of a stored job, and the operation of its name.
pub(super) fn scope_of(
    job: &Job,
    mut operations: impl Iterator<Item = &'static dyn Operation>,
) -> Result<(Scope, &'static dyn Operation), JobError> {
    let operation = operations.find(|operation| operation.name() == job.operation);
    let operation = operation.ok_or_else(|| JobError::UnknownOperation(job.operation.clone()))?;
    let scope = Some(&job.scope).filter(|it| **it != json!({}));
    let scope = Scope::parse(scope, operation.forms()).map_err(|err| JobError::Wrong {
        member: "scope".to_owned(),
        problem: err.to_string(),
        value: job.scope.clone(),
    })?;
    Ok((scope, operation))
}

#[async_trait]
impl Work for Replay {
    fn over(&self) -> Over {
        Over::Once
    }

    fn gives_back(&self) -> bool {
        self.planned.as_ref().is_some_and(|work| work.gives_back())
    }

    async fn before_write(&self, service: &NumberService, ids: &[String]) -> Vec<(String, Error)> {
        match &self.planned {
            Some(work) => work.before_write(service, ids).await,
            None => Vec::new(),
        }
    }

    async fn after_write(&self, service: &NumberService, ids: &[String]) {
        if let Some(work) = &self.planned {
            work.after_write(service, ids).await;
        }
    }

    async fn settle(&self, service: &NumberService, written: &[String]) {
        if let Some(work) = &self.planned {
            work.settle(service, written).await;
        }
    }

    async fn page(&self, page: &PageContext<'_>) -> Result<PageOutcome, Error> {
        let backwards = self.way == Way::Back;
        let part = page.jobs.journal(&self.job, page.after, backwards).await?;
        let Some(part) = part else {
            return Ok(PageOutcome::default());
        };
        let mut outcome = PageOutcome {
            read: part.sets.len() as u64,
            next: Some(part.place),
            ..PageOutcome::default()
        };
        let back = if backwards { self.numbers_back(page, &part.sets).await? } else { Vec::new() };
        let applied = page.service.carry_out_recorded(&part.sets, self.way).await;
        for (set, applied) in part.sets.iter().zip(applied) {
            if matches!(applied, Applied::Written) && back.iter().any(|id| id.as_str() == set.id())
            {
                outcome.found.push((GIVEN_BACK, set.id().to_owned()));
            }
            match applied {
                Applied::Written if backwards && page.service.is_to_be_provided_again(set) => {
                    outcome.found.push((TO_BE_PROVIDED, set.id().to_owned()));
                }
                Applied::Written => (),
                Applied::Done => outcome.unchanged += 1,
                Applied::Stale => {
                    let message = "it was changed since".to_owned();
                    let failure = Failure { error: "stale".to_owned(), message };
                    outcome.failed.push((set.id().to_owned(), failure));
                }
                Applied::Failed(err) if err.leaves_doubt() => return Err(err.into()),
                Applied::Failed(err) => outcome.fail(set.id(), &err.into()),
            }
        }
        Ok(outcome)
    }
}
