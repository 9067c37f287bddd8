//! Threads that own connections, the bounded queue in front of them, and what can go wrong.
//!
//! *Job*: a piece of work for such a thread. *Fault*: why a job failed, before the caller says
//! which database and document it was about.

use std::{
    error::Error,
    fmt, io,
    sync::Arc,
    thread::{self, JoinHandle},
};

use rusqlite::{Connection, ErrorCode};
use tokio::sync::{Mutex, mpsc};

use super::super::{DbName, Kind, StoreError};

/// Threads that take jobs from one queue. Dropping it waits until they are done.
pub(super) struct Workers<J> {
    /// `None` only while it is dropped.
    queue: Option<mpsc::Sender<J>>,
    threads: Vec<JoinHandle<()>>,
}

/// Why a job failed.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) kind: Kind,
    pub(super) source: Option<Box<dyn Error + Send + Sync>>,
    /// Which write of a set it was; 0 where there is no set.
    pub(super) write: usize,
}

/// The receiving end of the queue, shared by the threads.
pub(super) struct Jobs<J>(Arc<Mutex<mpsc::Receiver<J>>>);

impl<J: Send + 'static> Workers<J> {
    /// Starts one thread per connection; each runs `work` until it returns, which it must do when
    /// [`Jobs::next`] says that there are no more.
    pub(super) fn start(
        name: &str,
        queue_depth: usize,
        connections: Vec<Connection>,
        work: impl Fn(Connection, Jobs<J>) + Clone + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, jobs) = mpsc::channel(queue_depth);
        let jobs = Arc::new(Mutex::new(jobs));
        let mut workers = Self { queue: Some(queue), threads: Vec::new() };
        for connection in connections {
            let (work, jobs) = (work.clone(), Jobs(Arc::clone(&jobs)));
            let thread = thread::Builder::new().name(name.to_owned());
            workers.threads.push(thread.spawn(move || work(connection, jobs))?);
        }
        Ok(workers)
    }

    /// Puts a job into the queue, waiting while it is full.
    pub(super) async fn send(&self, job: J) -> Result<(), Fault> {
        let queue = self.queue.as_ref().expect("only drop takes the queue away");
        queue.send(job).await.map_err(|_| Fault::unavailable("the store's thread has ended"))
    }
}

impl<J> fmt::Debug for Workers<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Workers").field("threads", &self.threads.len()).finish_non_exhaustive()
    }
}

impl<J> Drop for Workers<J> {
    fn drop(&mut self) {
        self.queue = None;
        for thread in self.threads.drain(..) {
            // A thread that panicked has already said so.
            drop(thread.join());
        }
    }
}

impl<J> Jobs<J> {
    /// Waits for the next job; `None` when the store is being dropped.
    pub(super) fn next(&self) -> Option<J> {
        self.0.blocking_lock().blocking_recv()
    }

    /// Waits for a job and takes those that wait behind it too, `most` altogether. Empty when the
    /// store is being dropped.
    pub(super) fn next_group(&self, most: usize) -> Vec<J> {
        let mut jobs = self.0.blocking_lock();
        let mut group = Vec::new();
        group.extend(jobs.blocking_recv());
        while !group.is_empty() && group.len() < most {
            let Ok(job) = jobs.try_recv() else { break };
            group.push(job);
        }
        group
    }
}

impl Fault {
    /// A fault without a cause.
    pub(super) fn new(kind: Kind) -> Self {
        Self { kind, source: None, write: 0 }
    }

    /// The store could not do it now.
    pub(super) fn unavailable(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Unavailable, source: Some(source.into()), write: 0 }
    }

    /// The document cannot be stored.
    pub(super) fn refused(source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { kind: Kind::Refused, source: Some(source.into()), write: 0 }
    }

    /// The same fault, of a write of a set.
    pub(super) fn at_write(mut self, write: usize) -> Self {
        self.write = write;
        self
    }

    /// The error as the store's callers see it.
    pub(super) fn into_error(self, call: &'static str, db: &DbName, id: &str) -> StoreError {
        StoreError { source: self.source, ..StoreError::new(self.kind, call, db, id) }
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let kind = match error.sqlite_error_code() {
            Some(
                ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::DiskFull
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::OutOfMemory
                | ErrorCode::OperationInterrupted
                | ErrorCode::OperationAborted
                | ErrorCode::FileLockingProtocolFailed,
            ) => Kind::Unavailable,
            Some(
                ErrorCode::PermissionDenied
                | ErrorCode::ReadOnly
                | ErrorCode::AuthorizationForStatementDenied,
            ) => Kind::Denied,
            Some(ErrorCode::TooBig) => Kind::Refused,
            _ => Kind::Unexpected,
        };
        Self { kind, source: Some(error.into()), write: 0 }
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self { kind: Kind::Unexpected, source: Some(error.into()), write: 0 }
    }
}
