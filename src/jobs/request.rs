//! What somebody asks for, checked before it becomes a job.

use serde_json::{Map, Value};

use super::{
    JobsConfig,
    operation::{ArgumentKind, Operation},
    scope::{BadScope, Scope},
};
use crate::{domain::Actor, service::Error};

/// What somebody asks for.
#[derive(Clone, Debug)]
pub struct JobRequest {
    /// The operation's name.
    pub operation: String,
    /// Its arguments, its scope and the options of every job, as they were given.
    pub members: Map<String, Value>,
    /// The name that a destructive operation is confirmed by, when it is not its own.
    pub confirmed_by: Option<String>,
    /// Who asks.
    pub actor: Actor,
}

/// A request that was checked.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) arguments: Map<String, Value>,
    pub(super) scope: Scope,
    pub(super) dry_run: bool,
    pub(super) page_size: usize,
    pub(super) concurrency: usize,
    pub(super) pause_ms: u64,
}

/// Why there is no such job.
#[derive(Clone, Debug, thiserror::Error)]
pub enum JobError {
    /// There is no such operation.
    #[error("there is no operation {0}")]
    UnknownOperation(String),
    /// There is no such job.
    #[error("there is no job {0}")]
    UnknownJob(String),
    /// A member that must be given is not.
    #[error("{0} is missing")]
    Missing(&'static str),
    /// A member is wrong.
    #[error("{member} {problem}")]
    Wrong {
        /// The member.
        member: String,
        /// What is wrong with it.
        problem: String,
        /// What was given.
        value: Value,
    },
    /// Another job of the operation works on the same databases.
    #[error("job {0} does the same on the same databases")]
    Running(String),
    /// The job is not in a state in which that can be asked of it.
    #[error("job {id} is {state}")]
    State {
        /// The job.
        id: String,
        /// Its state.
        state: &'static str,
    },
    /// The service refused.
    #[error(transparent)]
    Service(#[from] Error),
}

/// The options of every job.
const OPTIONS: [&str; 5] = ["dry_run", "confirm", "page_size", "concurrency", "pause_ms"];

impl JobError {
    /// The id of the error.
    #[must_use]
    pub fn id(&self) -> &'static str {
        match self {
            Self::UnknownOperation(_) | Self::UnknownJob(_) => "not_found",
            Self::Missing(_) | Self::Wrong { .. } => "invalid",
            Self::Running(_) | Self::State { .. } => "datastore_conflict",
            Self::Service(err) => err.id(),
        }
    }
}

impl JobRequest {
    /// Checks members and their types.
    pub(super) fn check(
        &self,
        operation: &dyn Operation,
        limits: &JobsConfig,
    ) -> Result<Checked, JobError> {
        let mut given = self.members.clone();
        let mut options = Map::new();
        match given.shift_remove("options") {
            None | Some(Value::Null) => (),
            Some(Value::Object(members)) => options.extend(members),
            Some(other) => return Err(wrong("options", "must be an object", other)),
        }
        for name in OPTIONS {
            if let Some(value) = given.shift_remove(name) {
                options.insert(name.to_owned(), value);
            }
        }
        options.retain(|_, value| !value.is_null());
        if let Some((name, value)) =
            options.iter().find(|(name, _)| !OPTIONS.contains(&name.as_str()))
        {
            return Err(wrong(name, "is no option", value.clone()));
        }
        let scope = given.shift_remove("scope");
        if scope.is_none() && !operation.forms().contains(&super::Form::Nothing) {
            return Err(JobError::Missing("scope"));
        }
        let parsed = Scope::parse(scope.as_ref(), operation.forms());
        let parsed = parsed.map_err(|BadScope(problem)| JobError::Wrong {
            member: "scope".to_owned(),
            problem,
            value: scope.unwrap_or_default(),
        })?;
        given.retain(|_, value| !value.is_null());
        check_arguments(operation, &mut given)?;
        let confirm = match options.get("confirm") {
            None => None,
            Some(Value::String(name)) => Some(name.as_str()),
            Some(other) => return Err(wrong("confirm", "must be a text", other.clone())),
        };
        let is_confirmed = confirm == Some(operation.name())
            || confirm.is_some_and(|name| self.confirmed_by.as_deref() == Some(name));
        if confirm.is_some() && !is_confirmed {
            let problem = format!("must be {}", operation.name());
            return Err(wrong("confirm", &problem, confirm.unwrap_or_default().into()));
        }
        let dry_run = match options.get("dry_run") {
            None => operation.is_destructive() && !is_confirmed,
            Some(Value::Bool(false)) if operation.is_destructive() && !is_confirmed => {
                let problem = format!("must repeat {} to change anything", operation.name());
                return Err(wrong("confirm", &problem, Value::Null));
            }
            Some(Value::Bool(flag)) => *flag,
            Some(other) => return Err(wrong("dry_run", "must be true or false", other.clone())),
        };
        let count = |name: &str, default: usize, most: usize| match options.get(name) {
            None => Ok(default),
            Some(value) => {
                let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
                let count = count.filter(|count| (1..=most).contains(count));
                count
                    .ok_or_else(|| wrong(name, &format!("must be from 1 to {most}"), value.clone()))
            }
        };
        let pause_ms = match options.get("pause_ms") {
            None => 0,
            Some(value) => value
                .as_u64()
                .filter(|pause| *pause <= 60_000)
                .ok_or_else(|| wrong("pause_ms", "must be from 0 to 60000", value.clone()))?,
        };
        Ok(Checked {
            arguments: given,
            scope: parsed,
            dry_run,
            page_size: count("page_size", limits.page_size, limits.page_size_max)?,
            concurrency: count("concurrency", limits.concurrency, limits.concurrency_max)?,
            pause_ms,
        })
    }
}

/// Checks the arguments, and reads whole numbers and flags that came as texts, as they do from a
/// command line.
fn check_arguments(
    operation: &dyn Operation,
    given: &mut Map<String, Value>,
) -> Result<(), JobError> {
    let known = operation.arguments();
    for (name, value) in given.iter_mut() {
        let Some(argument) = known.iter().find(|argument| argument.name == name) else {
            return Err(wrong(name, "is no argument of this operation", value.clone()));
        };
        let text = value.as_str().unwrap_or_default();
        let (read, problem) = match argument.kind {
            ArgumentKind::Text => (value.is_string().then(|| value.clone()), "must be a text"),
            ArgumentKind::Flag => {
                let flag = value.as_bool().or_else(|| text.parse().ok());
                (flag.map(Value::from), "must be true or false")
            }
            ArgumentKind::Integer => {
                let number = value.as_i64().or_else(|| text.parse().ok());
                (number.map(Value::from), "must be a whole number")
            }
        };
        *value = read.ok_or_else(|| wrong(name, problem, value.clone()))?;
    }
    let missing = known.iter().find(|it| it.required && !given.contains_key(it.name));
    missing.map_or(Ok(()), |argument| Err(JobError::Missing(argument.name)))
}

fn wrong(member: &str, problem: &str, value: Value) -> JobError {
    JobError::Wrong { member: member.to_owned(), problem: problem.to_owned(), value }
}
