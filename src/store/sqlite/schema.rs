//! The file: its connections, its schema, and the lock that keeps other processes out.

use std::{
    ffi::OsString,
    fs::{File, OpenOptions, TryLockError},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use super::{OpenError, SqliteConfig, applications};

/// A step of the schema: its statements, and what only this program can do behind them.
type Step = (&'static str, fn(&Connection) -> rusqlite::Result<()>);

/// The steps of the schema, in order; `migrations/README.md` says how one is added.
const STEPS: &[Step] = &[
    (include_str!("../../../migrations/sqlite/0001_documents.sql"), |_| Ok(())),
    (include_str!("../../../migrations/sqlite/0002_indexes.sql"), applications::fill),
];

/// Statements that a connection keeps prepared: more than there are.
const PREPARED_STATEMENTS: usize = 32;

/// Pages of the write-ahead log before they are moved into the file.
const LOG_PAGES: i64 = 4_000;

/// What the writer keeps of the file in memory.
const WRITER_CACHE_KIB: i64 = 16 << 10;

/// Makes the file and its folder where they are missing, and returns its one true path.
pub(super) fn prepare(path: &Path) -> Result<PathBuf, OpenError> {
    let failed = |source| OpenError::File { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    private_file(path).map_err(failed)?;
    // Two names of one file must meet at one lock.
    path.canonicalize().map_err(failed)
}

/// Takes the lock beside the file. It lasts as long as the returned handle, and the system lets
/// go of it when the process dies, however it dies.
pub(super) fn lock(path: &Path) -> Result<File, OpenError> {
    let mut name: OsString = path.into();
    name.push(".lock");
    let failed = |source| OpenError::File { path: name.clone().into(), source };
    let file = private_file(Path::new(&name)).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse { path: path.to_owned() }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

/// Opens the connection that writes, and brings the file to the schema of this build.
pub(super) fn writer(path: &Path, config: &SqliteConfig) -> Result<Connection, OpenError> {
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    let mut connection =
        connect(path, config, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(failed)?;
    // The mode stays with the file, so this is the one place that sets it.
    connection.pragma_update(None, "journal_mode", "wal").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "full").map_err(failed)?;
    // Both from measurements: with SQLite's own values, bulk writes are a fifth slower.
    connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES).map_err(failed)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB).map_err(failed)?;
    // A group that was large once does not leave a large log behind.
    connection.pragma_update(None, "journal_size_limit", 64 << 20).map_err(failed)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(failed)?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens a connection that only reads. The file is one that [`writer`] has opened.
pub(super) fn reader(path: &Path, config: &SqliteConfig) -> Result<Connection, OpenError> {
    connect(path, config, OpenFlags::SQLITE_OPEN_READ_ONLY)
        .map_err(|source| OpenError::Database { path: path.to_owned(), source })
}

fn connect(path: &Path, config: &SqliteConfig, mode: OpenFlags) -> rusqlite::Result<Connection> {
    // Each connection stays on one thread, so SQLite's own lock around it is not needed.
    let connection = Connection::open_with_flags(path, mode | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(Duration::from_millis(config.busy_timeout_ms.into()))?;
    connection.set_prepared_statement_cache_capacity(PREPARED_STATEMENTS);
    Ok(connection)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::Database { path: path.to_owned(), source };
    let transaction =
        connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let version: usize = transaction
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        .map(|version| usize::try_from(version).unwrap_or(usize::MAX))
        .map_err(failed)?;
    let Some(missing) = STEPS.get(version..) else {
        return Err(OpenError::Newer { path: path.to_owned(), found: version, known: STEPS.len() });
    };
    for (statements, fill) in missing {
        transaction.execute_batch(statements).map_err(failed)?;
        fill(&transaction).map_err(failed)?;
    }
    transaction
        .pragma_update(None, "user_version", i64::try_from(STEPS.len()).unwrap_or(i64::MAX))
        .map_err(failed)?;
    transaction.commit().map_err(failed)
}

/// Opens a file that only its owner may read, for it holds the carriers' secrets.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
