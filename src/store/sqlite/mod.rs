//! The embedded store: one SQLite file that holds every database.
//!
//! One thread writes, several read beside it, and each owns its connection. The file belongs to
//! one process; the lock beside it (`….lock`) keeps others out. How the file looks is in
//! `migrations/sqlite`.

mod applications;
mod reader;
mod schema;
mod workers;
mod writer;

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    num::{NonZeroU16, NonZeroU32},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use rusqlite::Connection;
use serde::Deserialize;
use serde_json::Value;
use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

use self::{
    workers::{Fault, Workers},
    writer::Prepared,
};
use super::{
    Application, Changes, CommitError, Committed, DbName, DocumentStore, IdRange, Kind, Lookup,
    Page, Query, Rev, Seq, StoreError, WriteSet, rules,
};

/// The limits of an embedded store.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SqliteConfig {
    /// How many threads read.
    pub readers: NonZeroU16,
    /// How many reads, and how many write sets, may wait before callers are held up.
    pub queue_depth: NonZeroU16,
    /// The most write sets that share one transaction.
    pub max_sets_per_group: NonZeroU16,
    /// How long to wait for somebody who locked the file from outside, in milliseconds.
    pub busy_timeout_ms: u32,
    /// How long a call may take before it answers [`Kind::Unavailable`], in milliseconds.
    pub call_timeout_ms: NonZeroU32,
}

/// A store that could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Somebody has it open, maybe this very process.
    #[error("the store {} is in use by another process", path.display())]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A newer build has written it.
    #[error(
        "the store {} has schema {found}, and this build knows no later one than {known}",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema it has.
        found: usize,
        /// The last schema of this build.
        known: usize,
    },
    /// The system does not let us have a file or its folder.
    #[error("the file {} cannot be opened", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// SQLite cannot use the file.
    #[error("the store {} cannot be used", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// The system gives us no thread.
    #[error("a thread of the store could not be started")]
    Thread(#[source] io::Error),
}

/// The embedded store.
///
/// Dropping it waits for the transaction that is being written.
#[derive(Debug)]
pub struct SqliteStore {
    // Fields are dropped in this order: first who uses the file, then the lock, then the file.
    readers: Workers<reader::Job>,
    writer: Workers<writer::Job>,
    call_timeout: Duration,
    _lock: File,
    _scratch: Option<Scratch>,
}

/// A folder that is removed with the value.
#[derive(Debug)]
struct Scratch(PathBuf);

/// A set that was handed to the writer.
struct Pending {
    set: Arc<[Prepared]>,
    answer: oneshot::Receiver<Result<Vec<Rev>, Fault>>,
    deadline: Instant,
}

impl Default for SqliteConfig {
    fn default() -> Self {
        Self {
            readers: const { NonZeroU16::new(4).expect("not zero") },
            queue_depth: const { NonZeroU16::new(1024).expect("not zero") },
            max_sets_per_group: const { NonZeroU16::new(256).expect("not zero") },
            busy_timeout_ms: 5_000,
            call_timeout_ms: const { NonZeroU32::new(10_000).expect("not zero") },
        }
    }
}

impl SqliteStore {
    /// Opens the store in the file `path`, and makes it when it is not there. Blocks the thread.
    ///
    /// # Errors
    ///
    /// [`OpenError::InUse`] while somebody else has it open, and the others when the file cannot
    /// be used.
    pub fn open(path: &Path, config: &SqliteConfig) -> Result<Self, OpenError> {
        let path = schema::prepare(path)?;
        let lock = schema::lock(&path)?;
        let queue_depth = config.queue_depth.get().into();
        let most_sets = config.max_sets_per_group.get().into();

        let writer = schema::writer(&path, config)?;
        let readers: Vec<Connection> = (0..config.readers.get())
            .map(|_| schema::reader(&path, config))
            .collect::<Result<_, _>>()?;
        let writer = Workers::start("store-writer", queue_depth, vec![writer], move |own, jobs| {
            writer::run(own, jobs, most_sets);
        });
        Ok(Self {
            writer: writer.map_err(OpenError::Thread)?,
            readers: Workers::start("store-reader", queue_depth, readers, reader::run)
                .map_err(OpenError::Thread)?,
            call_timeout: Duration::from_millis(config.call_timeout_ms.get().into()),
            _lock: lock,
            _scratch: None,
        })
    }

    /// Opens an empty store that is gone when it is dropped. Its file is in the system's folder
    /// for temporary files, for SQLite has no write-ahead log in memory and tests want the real
    /// thing. Blocks the thread.
    ///
    /// # Errors
    ///
    /// As [`SqliteStore::open`].
    pub fn in_memory() -> Result<Self, OpenError> {
        let folder =
            std::env::temp_dir().join(format!("number-manager-{}", Uuid::new_v4().simple()));
        let scratch = Scratch(folder);
        let store = Self::open(&scratch.0.join("store.sqlite"), &SqliteConfig::default())?;
        Ok(Self { _scratch: Some(scratch), ..store })
    }

    /// Runs `work` on one of the connections that read.
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let deadline = self.deadline();
        let (reply, answer) = oneshot::channel();
        let job: reader::Job = Box::new(move |connection| {
            // When nobody waits any more, the answer is not worth the work.
            if !reply.is_closed() {
                drop(reply.send(work(connection)));
            }
        });
        in_time(deadline, self.readers.send(job)).await?;
        answer_of(deadline, answer).await
    }

    /// Runs `work` on the connection that writes; answers when it is on the disk.
    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let deadline = self.deadline();
        let (job, answer) = writer::job(work);
        in_time(deadline, self.writer.send(job)).await?;
        answer_of(deadline, answer).await
    }

    /// Hands a set to the writer, by `deadline`.
    async fn submit(&self, set: WriteSet, deadline: Instant) -> Result<Pending, CommitError> {
        let set: Arc<[Prepared]> = set.into_iter().map(writer::prepare).collect();
        let writes = Arc::clone(&set);
        let (job, answer) = writer::job(move |connection| writer::apply_set(connection, &writes));
        match in_time(deadline, self.writer.send(job)).await {
            Ok(()) => Ok(Pending { set, answer, deadline }),
            Err(fault) => Err(set_error(fault, &set)),
        }
    }

    fn deadline(&self) -> Instant {
        Instant::now() + self.call_timeout
    }
}

#[async_trait]
impl DocumentStore for SqliteStore {
    async fn get(&self, db: &DbName, id: &str) -> Result<Lookup, StoreError> {
        let (name, key) = (db.clone(), id.to_owned());
        self.read(move |connection| reader::get(connection, &name, &key))
            .await
            .map_err(|fault| fault.into_error("get", db, id))
    }

    async fn get_many(&self, db: &DbName, ids: &[String]) -> Result<Vec<Lookup>, StoreError> {
        let (name, keys) = (db.clone(), ids.to_vec());
        self.read(move |connection| reader::get_many(connection, &name, &keys))
            .await
            .map_err(|fault| fault.into_error("get_many", db, ""))
    }

    async fn revisions(&self, db: &DbName, ids: &[String]) -> Result<Vec<Option<Rev>>, StoreError> {
        let (name, keys) = (db.clone(), ids.to_vec());
        self.read(move |connection| reader::revisions(connection, &name, &keys))
            .await
            .map_err(|fault| fault.into_error("revisions", db, ""))
    }

    async fn query(&self, db: &DbName, query: &Query) -> Result<Page, StoreError> {
        let (name, asked) = (db.clone(), query.clone());
        self.read(move |connection| reader::query(connection, &name, &asked))
            .await
            .map_err(|fault| fault.into_error("query", db, ""))
    }

    async fn carrier_counts(
        &self,
        db: &DbName,
        range: &IdRange,
    ) -> Result<BTreeMap<Option<String>, u64>, StoreError> {
        let (name, ids) = (db.clone(), range.clone());
        self.read(move |connection| reader::carrier_counts(connection, &name, &ids))
            .await
            .map_err(|fault| fault.into_error("carrier_counts", db, ""))
    }

    async fn applications(
        &self,
        db: &DbName,
        numbers: &[String],
    ) -> Result<Vec<Vec<Application>>, StoreError> {
        let (name, asked) = (db.clone(), numbers.to_vec());
        self.read(move |connection| applications::look_up(connection, &name, &asked))
            .await
            .map_err(|fault| fault.into_error("applications", db, ""))
    }

    async fn databases(&self, prefix: &str) -> Result<Vec<DbName>, StoreError> {
        let start = prefix.to_owned();
        self.read(move |connection| reader::databases(connection, &start))
            .await
            .map_err(|fault| fault.into_error("databases", &DbName::new(prefix), ""))
    }

    async fn create_database(&self, db: &DbName) -> Result<(), StoreError> {
        let name = db.clone();
        self.write(move |connection| writer::create(connection, &name).map(drop))
            .await
            .map_err(|fault| fault.into_error("create_database", db, ""))
    }

    /// The indexes of all databases are made with the file.
    async fn has_current_indexes(&self, db: &DbName) -> Result<bool, StoreError> {
        let name = db.clone();
        self.read(move |connection| reader::must_exist(connection, &name))
            .await
            .map(|()| true)
            .map_err(|fault| fault.into_error("has_current_indexes", db, ""))
    }

    async fn drop_database(&self, db: &DbName) -> Result<(), StoreError> {
        if !rules::is_dated(db) {
            return Err(StoreError::new(Kind::Refused, "drop_database", db, ""));
        }
        let name = db.clone();
        self.write(move |connection| writer::forget(connection, &name))
            .await
            .map_err(|fault| fault.into_error("drop_database", db, ""))
    }

    async fn changes(
        &self,
        db: &DbName,
        since: Option<&Seq>,
        limit: usize,
    ) -> Result<Changes, StoreError> {
        let (name, start) = (db.clone(), since.cloned());
        self.read(move |connection| reader::changes(connection, &name, start.as_ref(), limit))
            .await
            .map_err(|fault| fault.into_error("changes", db, ""))
    }

    async fn version(&self, db: &DbName) -> Result<Seq, StoreError> {
        let name = db.clone();
        self.read(move |connection| reader::version(connection, &name))
            .await
            .map_err(|fault| fault.into_error("version", db, ""))
    }

    async fn versions(&self, dbs: &[DbName]) -> Result<Vec<Option<Seq>>, StoreError> {
        let names = dbs.to_vec();
        self.read(move |connection| reader::versions(connection, &names))
            .await
            .map_err(|fault| fault.into_error("versions", &DbName::new(""), ""))
    }

    async fn checkpoint(&self, db: &DbName, name: &str) -> Result<Option<Value>, StoreError> {
        let (database, key) = (db.clone(), name.to_owned());
        self.read(move |connection| reader::checkpoint(connection, &database, &key))
            .await
            .map_err(|fault| fault.into_error("checkpoint", db, name))
    }

    async fn set_checkpoint(
        &self,
        db: &DbName,
        name: &str,
        value: Value,
    ) -> Result<(), StoreError> {
        let (database, key) = (db.clone(), name.to_owned());
        self.write(move |connection| writer::set_checkpoint(connection, &database, &key, &value))
            .await
            .map_err(|fault| fault.into_error("set_checkpoint", db, name))
    }

    async fn commit(&self, set: WriteSet) -> Result<Committed, CommitError> {
        settle(self.submit(set, self.deadline()).await?).await
    }

    async fn commit_many(&self, sets: Vec<WriteSet>) -> Vec<Result<Committed, CommitError>> {
        let mut pending = Vec::with_capacity(sets.len());
        let mut deadline = self.deadline();
        for set in sets {
            let sent = self.submit(set, deadline).await;
            // While the queue moves, each set has its own time; once it is stuck, none waits more.
            if sent.is_ok() {
                deadline = self.deadline();
            }
            pending.push(sent);
        }
        let mut results = Vec::with_capacity(pending.len());
        for set in pending {
            results.push(match set {
                Ok(set) => settle(set).await,
                Err(error) => Err(error),
            });
        }
        results
    }

    async fn migrate(&self, databases: &[DbName]) -> Result<Vec<String>, StoreError> {
        let names = databases.to_vec();
        self.write(move |connection| {
            let mut changed = Vec::new();
            for name in &names {
                if writer::create(connection, name)? {
                    changed.push(rules::created_line(name));
                }
            }
            Ok(changed)
        })
        .await
        .map_err(|fault| fault.into_error("migrate", &DbName::new(""), ""))
    }

    async fn ping(&self) -> Result<(), StoreError> {
        let failed = |fault: Fault| fault.into_error("ping", &DbName::new(""), "");
        self.read(reader::ping).await.map_err(failed)?;
        // The writer has a thread of its own, which may be stuck while the readers are well.
        self.write(reader::ping).await.map_err(failed)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed is left to the system.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// Waits until the writer has answered.
async fn settle(pending: Pending) -> Result<Committed, CommitError> {
    match answer_of(pending.deadline, pending.answer).await {
        Ok(revs) => Ok(Committed { revs, quorum: true }),
        Err(fault) => Err(set_error(fault, &pending.set)),
    }
}

fn set_error(fault: Fault, set: &[Prepared]) -> CommitError {
    let failed = fault.write;
    let error = match set.get(failed) {
        Some(write) => fault.into_error("commit", &write.db, &write.id),
        None => fault.into_error("commit", &DbName::new(""), ""),
    };
    CommitError { applied: Vec::new(), failed, error }
}

async fn answer_of<T>(
    deadline: Instant,
    answer: oneshot::Receiver<Result<T, Fault>>,
) -> Result<T, Fault> {
    in_time(deadline, async {
        answer.await.unwrap_or_else(|closed| Err(Fault::unavailable(closed)))
    })
    .await
}

async fn in_time<T>(
    deadline: Instant,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    match tokio::time::timeout_at(deadline, work).await {
        Ok(result) => result,
        Err(elapsed) => Err(Fault::unavailable(elapsed)),
    }
}
