//! The files of the embedded bus: the lock, the database and its tables.
//!
//! It must stay true that the lock is held for as long as the writing connection is open: sequences and dedupe ids live
//! in the memory of the one process that writes.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use crate::{Error, Stream};

/// The format of the database, in `user_version`.
const FORMAT: i32 = 2;

/// How long a reading connection waits for a lock that a checkpoint holds.
const READ_WAIT: Duration = Duration::from_secs(5);

/// Messages of about 1 KB sit 15 to a page of this size: a third more messages per second than with 4 KiB.
const PAGE_SIZE: u32 = 16 * 1024;

/// What a message takes besides its data, about, in bytes: its id, subject, time and place.
pub(super) const ROW_SIZE: u64 = 96;

/// How many messages of a stream are looked at to estimate its size.
const SAMPLE: u32 = 256;

/// Everything but the tables of the streams.
const TABLES: &str = "
    -- One row, made with the database and lost with it.
    CREATE TABLE bus (identity TEXT NOT NULL);
    -- The highest sequence that retention has removed: an emptied stream must not count from 1 again. And the size of
    -- the messages from there up to `counted`, so that opening need not add up all of them.
    CREATE TABLE streams (
        stream TEXT PRIMARY KEY, purged INTEGER NOT NULL,
        counted INTEGER NOT NULL DEFAULT 0, size INTEGER NOT NULL DEFAULT 0
    ) WITHOUT ROWID;
    -- Everything up to `floor` is settled, and the ranges in `settled` above it.
    CREATE TABLE consumers (
        consumer TEXT NOT NULL, stream TEXT NOT NULL, floor INTEGER NOT NULL, settled TEXT NOT NULL,
        PRIMARY KEY (consumer, stream)
    ) WITHOUT ROWID;
    -- What went wrong with messages that are not settled.
    CREATE TABLE failures (
        consumer TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, reasons TEXT NOT NULL,
        PRIMARY KEY (consumer, stream, seq)
    ) WITHOUT ROWID;
    CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY, consumer TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL,
        attempts INTEGER NOT NULL, reasons TEXT NOT NULL, dead_at INTEGER NOT NULL,
        id BLOB NOT NULL, subject TEXT NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL
    );
    -- Written to when nothing else is to be written and the log must be synced.
    CREATE TABLE syncs (number INTEGER PRIMARY KEY, at INTEGER NOT NULL);
";

/// Where the files are.
#[derive(Clone, Debug)]
pub(super) struct Files {
    database: PathBuf,
    lock: PathBuf,
}

impl Files {
    /// Makes the directory if it is missing.
    pub(super) fn in_directory(directory: &Path) -> Result<Self, Error> {
        fs::create_dir_all(directory).map_err(Error::backend("create its directory"))?;
        Ok(Self { database: directory.join("bus.db"), lock: directory.join("bus.lock") })
    }

    /// Takes the lock. It is given back when the file is closed, also by the system after a crash.
    pub(super) fn lock(&self) -> Result<File, Error> {
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&self.lock)
            .map_err(Error::backend("open its lock file"))?;
        match file.try_lock() {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(Error::Locked { path: self.lock.clone() }),
            Err(TryLockError::Error(error)) => Err(Error::backend("lock its directory")(error)),
        }
    }

    /// Opens the connection that writes; makes the tables when the database is new, and gives it this identity then.
    pub(super) fn writer(&self, identity: &str) -> Result<Connection, Error> {
        let mut connection = self.connect().map_err(Error::backend("open its database"))?;
        // Nobody else writes, and a checkpoint that would have to wait for a reader is done later.
        connection.busy_timeout(Duration::ZERO).map_err(Error::backend("open its database"))?;
        let found =
            migrate(&mut connection, identity).map_err(Error::backend("prepare its database"))?;
        if found > FORMAT {
            return Err(Error::Version { path: self.database.clone(), found, known: FORMAT });
        }
        Ok(connection)
    }

    /// Opens another connection that can write, for checkpoints.
    pub(super) fn connect(&self) -> rusqlite::Result<Connection> {
        let connection = Connection::open(&self.database)?;
        connection.pragma_update(None, "page_size", PAGE_SIZE)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "normal")?;
        // Checkpoints are made by size, from another thread.
        connection.pragma_update(None, "wal_autocheckpoint", 0)?;
        // 16 MiB; the default of 2 MB is a hundred pages of this size.
        connection.pragma_update(None, "cache_size", -16_384)?;
        connection.busy_timeout(READ_WAIT)?;
        Ok(connection)
    }

    /// Opens a connection that only reads.
    pub(super) fn reader(&self) -> rusqlite::Result<Connection> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(&self.database, flags)?;
        connection.busy_timeout(READ_WAIT)?;
        Ok(connection)
    }
}

/// Brings the tables to the present format. Returns the format that was found.
fn migrate(connection: &mut Connection, identity: &str) -> rusqlite::Result<i32> {
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found >= FORMAT {
        return Ok(found);
    }
    let transaction = connection.transaction()?;
    if found == 0 {
        transaction.execute_batch(TABLES)?;
        for stream in Stream::ALL {
            // The data comes last, so that reading the columns before it does not read the pages it spills to.
            transaction.execute_batch(&format!(
                "CREATE TABLE {} (seq INTEGER PRIMARY KEY, id BLOB NOT NULL, subject TEXT NOT NULL,
                     at INTEGER NOT NULL, data BLOB NOT NULL)",
                table(stream)
            ))?;
        }
    } else {
        transaction.execute_batch(
            "CREATE TABLE bus (identity TEXT NOT NULL);
             ALTER TABLE streams ADD COLUMN counted INTEGER NOT NULL DEFAULT 0;
             ALTER TABLE streams ADD COLUMN size INTEGER NOT NULL DEFAULT 0;",
        )?;
        Stream::ALL.into_iter().try_for_each(|stream| estimate(&transaction, stream))?;
    }
    transaction.execute("INSERT INTO bus VALUES (?1)", [identity])?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()?;
    Ok(found)
}

/// Sets the size of a stream that nobody has counted, from its last messages: adding up all of them may take minutes.
fn estimate(connection: &Connection, stream: Stream) -> rusqlite::Result<()> {
    let table = table(stream);
    connection.execute(
        &format!(
            "INSERT INTO streams (stream, purged, counted, size)
             SELECT ?1, min(seq) - 1, max(seq), (max(seq) - min(seq) + 1) * (
                 SELECT CAST(avg(length(data) + {ROW_SIZE}) AS INTEGER)
                 FROM (SELECT data FROM {table} ORDER BY seq DESC LIMIT {SAMPLE}))
             FROM {table} HAVING count(seq) > 0
             ON CONFLICT (stream) DO UPDATE SET counted = excluded.counted, size = excluded.size"
        ),
        [stream.as_str()],
    )?;
    Ok(())
}

/// The table of a stream.
pub(super) fn table(stream: Stream) -> &'static str {
    match stream {
        Stream::Message => "stream_message",
        Stream::Instance => "stream_instance",
        Stream::Identity => "stream_identity",
        Stream::Media => "stream_media",
        Stream::Access => "stream_access",
        Stream::Custom => "stream_custom",
        Stream::System => "stream_system",
    }
}
