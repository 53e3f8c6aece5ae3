//! The store: where the database is, and the pools of connections to it.
//!
//! SQLite has one connection that writes and some that only read, so that readers never wait for a commit and two
//! writers never collide. PostgreSQL has as many of each kind.

use std::{fmt, path::PathBuf, sync::Arc};

use crate::{
    Kind, Result,
    checkpoint::Checkpointer,
    conn::here,
    migrate,
    pool::{Opener, Pool, PooledConn},
    postgres::Server,
    sqlite,
};

/// Connections to PostgreSQL per process, at most: commits are grouped, so few are needed, and servers allow 100 in all.
/// Readers have their own, so that slow queries never keep a commit waiting.
const POSTGRES_READERS: usize = 8;
const POSTGRES_WRITERS: usize = 8;
/// Connections that read SQLite: more only fight for the same cores.
const SQLITE_READERS: usize = 4;

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file, made if it is not there.
    Sqlite(PathBuf),
    /// A `postgres://` URL; its `sslmode` says how the connection is protected.
    Postgres(String),
}

impl fmt::Debug for Location {
    /// Shows no URL: it holds a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres(..)"),
        }
    }
}

/// All tables, on the database that was opened; a clone shares the connections.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    kind: Kind,
    readers: Pool,
    writers: Pool,
    /// After the pools, which keep files open in it.
    #[cfg(feature = "testing")]
    _dir: Option<tempfile::TempDir>,
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("kind", &self.0.kind).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens the database, makes it if it is a SQLite file that is not there, and brings its tables up to date under a
    /// lock, so that two processes may start at once.
    ///
    /// # Errors
    /// When the location is wrong, the database cannot be reached or cannot prove who it is as the URL demands, or a
    /// migration fails.
    pub async fn open(location: &Location) -> Result<Self> {
        let inner = Self::connect(location).await?;
        Ok(Self(Arc::new(inner)))
    }

    async fn connect(location: &Location) -> Result<Inner> {
        let (kind, readers, writers) = match location {
            Location::Sqlite(path) => {
                // This makes the file, so it comes before the readers.
                let lite = here(|| sqlite::open_writer(path))?;
                let checkpointer = Checkpointer::start(path, lite)?;
                let opener = |checkpointer| Opener::Lite { path: path.clone(), checkpointer };
                let writers = Pool::new(opener(Some(checkpointer)), 1)?;
                (Kind::Sqlite, Pool::new(opener(None), SQLITE_READERS)?, writers)
            }
            Location::Postgres(url) => {
                let server = Arc::new(Server::parse(url)?);
                let readers = Pool::new(Opener::Pg(server.clone()), POSTGRES_READERS)?;
                (Kind::Postgres, readers, Pool::new(Opener::Pg(server), POSTGRES_WRITERS)?)
            }
        };
        migrate::run(&mut *writers.take().await?).await?;
        Ok(Inner {
            kind,
            readers,
            writers,
            #[cfg(feature = "testing")]
            _dir: None,
        })
    }

    /// Opens a SQLite database in a directory that goes away with the last clone of the store.
    #[cfg(feature = "testing")]
    pub(crate) async fn open_in(dir: tempfile::TempDir) -> Result<Self> {
        let inner = Self::connect(&Location::Sqlite(dir.path().join("omni.db"))).await?;
        Ok(Self(Arc::new(Inner { _dir: Some(dir), ..inner })))
    }

    /// Takes a connection for reading; on SQLite it refuses to write.
    ///
    /// # Errors
    /// When no connection becomes free in time, or none can be made.
    pub async fn read(&self) -> Result<PooledConn> {
        self.0.readers.take().await
    }

    /// Takes a connection for writing; on SQLite it is the only one, so hold it briefly.
    ///
    /// # Errors
    /// When no connection becomes free in time, or none can be made.
    pub async fn write(&self) -> Result<PooledConn> {
        self.0.writers.take().await
    }

    /// Which database this is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }
}
