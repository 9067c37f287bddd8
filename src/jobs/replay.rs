//! Doing what another job planned, and taking back what another job did: both go through its journal.

use async_trait::async_trait;
use serde_json::Value;

use super::{
    JobError,
    operation::{Argument, ArgumentKind, Operation, PageContext, Preparation, Work},
    scope::{Form, Over},
};
use crate::{
    repository::{Applied, Way},
    service::{Error, Failure, PageOutcome},
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
}

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
        Ok(Box::new(Replay::of(job, Way::Forward)))
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
        let id = job.arguments.get("job").and_then(Value::as_str).unwrap_or_default();
        Self { job: id.to_owned(), way }
    }
}

#[async_trait]
impl Work for Replay {
    fn over(&self) -> Over {
        Over::Once
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
        let applied = page.service.carry_out_recorded(&part.sets, self.way).await;
        for (set, applied) in part.sets.iter().zip(applied) {
            match applied {
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
