//! Why a task is not made, or not done what is asked of it.

use super::Malformed;
use crate::{jobs::JobError, repository::RepositoryError, service::Error};

/// Why a task is not made, or not done what is asked of it.
#[derive(Clone, Debug, thiserror::Error)]
pub enum TaskError {
    /// The request does not say what is to be done.
    #[error("category or action is missing")]
    Unsaid,
    /// There is no such action.
    #[error("there is no such action")]
    UnknownAction,
    /// The table cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The rows are not what the action needs.
    #[error("the rows are not what the action needs")]
    Rows {
        /// The columns that it needs and that are not there.
        fields: Vec<String>,
        /// Rows without a value that it needs.
        values: Vec<String>,
        /// What it wants, when that was not sent: `text/csv`, or `none`.
        expected: Option<&'static str>,
    },
    /// Records of a JSON body that are no rows.
    #[error("records must be objects of texts")]
    Records,
    /// The action needs an account.
    #[error("the action needs an account")]
    NoAccount,
    /// The file is too long.
    #[error("the file has more than {0} bytes")]
    TooLarge(u64),
    /// The file did not arrive whole.
    #[error("the file did not arrive whole")]
    Broken,
    /// The file did not arrive in time.
    #[error("the file did not arrive in time")]
    Slow,
    /// There is no such task, or it has no such file.
    #[error("there is no task {0}")]
    Unknown(String),
    /// The task was begun before.
    #[error("task already started")]
    Started(String),
    /// The task is not under way.
    #[error("task is not running")]
    Idle,
    /// The task is under way.
    #[error("task is running")]
    Running(String),
    /// The job refused.
    #[error(transparent)]
    Job(#[from] JobError),
}

impl From<Error> for TaskError {
    fn from(err: Error) -> Self {
        Self::Job(err.into())
    }
}

impl From<RepositoryError> for TaskError {
    fn from(err: RepositoryError) -> Self {
        Error::from(err).into()
    }
}
