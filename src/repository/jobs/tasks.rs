//! Work by tables: what was asked for, and the rows that were given, in chunks of a bounded size. Once it
//! is begun it is a job, whose id is the task's with two digits more: so it is begun once.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{JobRepository, RepositoryError, database, object, unreadable};
use crate::store::{Document, Expect, IdRange, Kind, Order, Query, Question};

/// The prefix of the ids of tasks.
const TASK: &str = "task:";
/// The prefix of the ids of what was given.
const INPUT: &str = "task_input:";

/// Something that is to be done by a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Its id: 30 hexadecimal digits, which rise with time.
    pub id: String,
    /// What is to be done.
    pub action: String,
    /// The account that it is done for; none for an administrator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The account whose rights count; none for the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_account: Option<String>,
    /// Whether the rights are an administrator's, whatever the account is.
    pub is_admin: bool,
    /// The name of the file that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_name: Option<String>,
    /// Whether nothing is written.
    #[serde(default)]
    pub dry_run: bool,
    /// When it was asked for, in Gregorian seconds.
    pub created: i64,
    /// The names of the columns that were given.
    pub columns: Vec<String>,
    /// How many rows were given; none when the action takes none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// In how many chunks they lie.
    pub chunks: u64,
}

/// Rows that lie together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskChunk {
    /// Which row of all is the first of them, from 0.
    pub first: u64,
    /// The rows as a table without a header.
    pub text: String,
}

impl Task {
    /// The id of the job that it becomes.
    #[must_use]
    pub fn job(&self) -> String {
        format!("{}00", self.id)
    }

    /// When its id was made, in milliseconds of Unix time.
    fn made_ms(id: &str) -> Option<i64> {
        i64::from_str_radix(id.get(..12)?, 16).ok()
    }
}

impl JobRepository {
    /// Stores rows of a task.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn keep_chunk(
        &self,
        task: &str,
        number: u64,
        chunk: &TaskChunk,
    ) -> Result<(), RepositoryError> {
        let body = object(json!({ "pvt_type": "task_input", "chunk": chunk }));
        self.put(&chunk_id(task, number), Expect::Absent, body).await.map(|_| ())
    }

    /// Rows of a task; none when there are no such.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn chunk(
        &self,
        task: &str,
        number: u64,
    ) -> Result<Option<TaskChunk>, RepositoryError> {
        let id = chunk_id(task, number);
        let Some(mut found) = self.store.get(&database(), &id).await?.live() else {
            return Ok(None);
        };
        let chunk = found.body.shift_remove("chunk").unwrap_or_default();
        serde_json::from_value(chunk).map(Some).map_err(|_| unreadable(&id))
    }

    /// Stores a task, whose rows are stored.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn create_task(&self, task: &Task) -> Result<(), RepositoryError> {
        let body = object(json!({ "pvt_type": "task", "task": task }));
        self.put(&format!("{TASK}{}", task.id), Expect::Absent, body).await.map(|_| ())
    }

    /// Reads a task.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn task(&self, id: &str) -> Result<Option<Task>, RepositoryError> {
        let found = self.store.get(&database(), &format!("{TASK}{id}")).await?.live();
        found.map(read).transpose()
    }

    /// A page of tasks, the newest first: those before the one named, and where the next one goes on.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn tasks(
        &self,
        before: Option<&str>,
        limit: usize,
    ) -> Result<(Vec<Task>, Option<String>), RepositoryError> {
        let query = Query {
            question: Question::All,
            range: IdRange::starting_with(TASK),
            order: Order::Descending,
            after: before.map(|before| format!("{TASK}{before}")),
            limit,
        };
        let page = self.store.query(&database(), &query).await?;
        let next = page.next.map(|id| id.trim_start_matches(TASK).to_owned());
        let tasks: Result<Vec<Task>, _> = page.documents.into_iter().map(read).collect();
        Ok((tasks?, next))
    }

    /// Removes a task that is not under way, with its rows and what became of them. The task itself goes
    /// first, so that it is not begun again; what is left when this is interrupted is found as old.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`], [`RepositoryError::Conflict`] when somebody else removes it, too.
    pub async fn forget_task(&self, id: &str) -> Result<(), RepositoryError> {
        self.forget_all(&format!("{TASK}{id}")).await?;
        self.forget_input(id).await?;
        self.forget(&format!("{id}00")).await
    }

    /// Removes the rows of a task that did not come to be.
    ///
    /// # Errors
    ///
    /// As [`JobRepository::forget_task`].
    pub async fn forget_input(&self, id: &str) -> Result<(), RepositoryError> {
        self.forget_all(&format!("{INPUT}{id}:")).await
    }

    /// The oldest tasks that were made before a time, in milliseconds of Unix time, and were never begun;
    /// rows without a task among them, which a process left behind that ended.
    ///
    /// # Errors
    ///
    /// [`RepositoryError`].
    pub async fn old_tasks(
        &self,
        before_ms: i64,
        limit: usize,
    ) -> Result<Vec<String>, RepositoryError> {
        let mut old = Vec::new();
        for prefix in [TASK, INPUT] {
            let query = Query {
                question: Question::All,
                range: IdRange::starting_with(prefix),
                order: Order::Ascending,
                after: None,
                limit: if prefix == INPUT { 1 } else { limit },
            };
            let page = match self.store.query(&database(), &query).await {
                Err(err) if err.kind == Kind::NoDatabase => continue,
                page => page?,
            };
            for document in page.documents {
                let id = document.id.trim_start_matches(prefix);
                let id = id.split(':').next().unwrap_or_default().to_owned();
                let is_old = Task::made_ms(&id).is_some_and(|made| made < before_ms);
                if is_old && !old.contains(&id) && !self.is_begun(&id).await? {
                    old.push(id);
                }
            }
        }
        Ok(old)
    }

    async fn is_begun(&self, task: &str) -> Result<bool, RepositoryError> {
        Ok(self.load(&format!("{task}00")).await?.is_some())
    }
}

fn chunk_id(task: &str, number: u64) -> String {
    format!("{INPUT}{task}:{number:06}")
}

fn read(document: Document) -> Result<Task, RepositoryError> {
    let Document { id, mut body, .. } = document;
    let task = body.shift_remove("task").unwrap_or_default();
    serde_json::from_value(task).map_err(|_| unreadable(&id))
}
