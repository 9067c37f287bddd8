//! The job that a task becomes.

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::{
    action::{Kind, action},
    lists::Lists,
    rows::Rows,
};
use crate::{
    domain::{AccountId, Actor},
    jobs::{Argument, ArgumentKind, Form, JobError, Operation, Preparation, Work},
    repository::Task,
    service::{Error, NumberService},
};

/// What tasks become. Nobody asks for it by name.
pub const OPERATIONS: &[&dyn Operation] = &[&BY_TABLE];

/// The one of them.
pub(super) static BY_TABLE: ByTable = ByTable;

/// The argument that says which task it is.
const TASK: &str = "task";

/// What a task says is done.
#[derive(Debug)]
pub(super) struct ByTable;

#[async_trait]
impl Operation for ByTable {
    fn name(&self) -> &'static str {
        TASK
    }

    fn summary(&self) -> &'static str {
        "What a task says is done, row by row."
    }

    fn arguments(&self) -> &'static [Argument] {
        const {
            &[Argument {
                name: TASK,
                kind: ArgumentKind::Text,
                required: true,
                meaning: "the task",
            }]
        }
    }

    fn forms(&self) -> &'static [Form] {
        &[Form::Nothing]
    }

    async fn prepare(&self, job: &Preparation<'_>) -> Result<Box<dyn Work>, JobError> {
        let id = job.arguments.get(TASK).and_then(Value::as_str).unwrap_or_default();
        let task = job.jobs.task(id).await.map_err(Error::from)?;
        let task = task.ok_or_else(|| JobError::UnknownJob(id.to_owned()))?;
        let found = action(&task.action);
        let found = found.ok_or_else(|| JobError::UnknownOperation(task.action.clone()))?;
        let actor = actor(job.service, &task).await?;
        let account = task.account.as_deref().and_then(|id| AccountId::parse(id).ok());
        Ok(match found.kind {
            Kind::Rows(kind) => {
                let account = account.as_ref();
                Box::new(Rows::new(task.clone(), kind, actor, account.cloned(), job.jobs.clone()))
            }
            Kind::List { below } => Box::new(Lists::of_account(actor, account, below)),
            Kind::Dump(state) => Box::new(Lists::of_all(actor, state)),
        })
    }
}

/// The arguments of the job that a task becomes.
pub(super) fn arguments(task: &Task) -> Map<String, Value> {
    Map::from_iter([(TASK.to_owned(), task.id.as_str().into())])
}

/// Whose rights count, as they are now.
async fn actor(service: &NumberService, task: &Task) -> Result<Actor, Error> {
    let account = task.auth_account.as_deref().and_then(|id| AccountId::parse(id).ok());
    service.actor(account.as_ref(), task.is_admin).await
}
