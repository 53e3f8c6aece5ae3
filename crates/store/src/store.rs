//! The store: where the database is, and the pools of connections to it.
//!
//! SQLite has one connection that writes and some that only read, so that readers never wait for a commit and two
//! writers never collide. PostgreSQL has one pool for both.

use std::{
    fmt,
    ops::{Deref, DerefMut},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{Manager, Metrics, Object, Pool, PoolError, RecycleError, RecycleResult},
};
use diesel::{Connection as _, SqliteConnection, connection::SimpleConnection as _};
use diesel_async::AsyncPgConnection;
use tokio_postgres::{Config, NoTls, config::SslMode};

use crate::{
    Error, Kind, Result,
    checkpoint::Checkpointer,
    conn::{Conn, here},
    migrate,
};

/// Connections to PostgreSQL per process: commits are grouped, so few are needed, and servers allow 100 in all.
const POSTGRES_CONNS: usize = 16;
/// Connections that read SQLite: more only fight for the same cores.
const SQLITE_READERS: usize = 4;
/// Longest wait for a connection before the caller is told that the database is overloaded.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// Longest wait for a new connection to a server that does not answer.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// The timeout comes first, so that what follows waits for locks; the page size must be set before the first table. With
/// `FULL`, a commit that was answered survives a power cut.
const PRAGMAS: &str = "
    PRAGMA busy_timeout = 5000;
    PRAGMA page_size = 8192;
    PRAGMA journal_mode = wal;
    PRAGMA foreign_keys = on;
    PRAGMA temp_store = memory;
    PRAGMA mmap_size = 268435456;
    PRAGMA journal_size_limit = 134217728;
";
/// How often a connection is set up again while another one makes the file, and the pause between: 5 s in all, like the
/// wait for other locks.
const SET_UP_TRIES: u32 = 1000;
const SET_UP_PAUSE: Duration = Duration::from_millis(5);
/// The writer copies the log itself only when it reaches 64 MiB; see `checkpoint`.
const WRITER_PRAGMAS: &str = "
    PRAGMA synchronous = full;
    PRAGMA cache_size = -65536;
    PRAGMA wal_autocheckpoint = 8192;
";
const READER_PRAGMAS: &str = "PRAGMA query_only = on; PRAGMA cache_size = -16384;";

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file, made if it is not there.
    Sqlite(PathBuf),
    /// A `postgres://` URL.
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
    readers: Pool<Opener>,
    writers: Pool<Opener>,
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
    /// When the location is wrong or asks for encryption, the database cannot be reached, or a migration fails.
    pub async fn open(location: &Location) -> Result<Self> {
        let inner = Self::connect(location).await?;
        Ok(Self(Arc::new(inner)))
    }

    async fn connect(location: &Location) -> Result<Inner> {
        let (kind, readers, writers) = match location {
            Location::Sqlite(path) => {
                // This makes the file, so it comes before the readers.
                let lite = here(|| open_sqlite(path, WRITER_PRAGMAS))?;
                let checkpointer = Checkpointer::start(path, lite)?;
                let opener = |checkpointer| Opener::Lite { path: path.clone(), checkpointer };
                let writers = pool(opener(Some(checkpointer)), 1)?;
                (Kind::Sqlite, pool(opener(None), SQLITE_READERS)?, writers)
            }
            Location::Postgres(url) => {
                let pool = pool(Opener::Pg(Box::new(postgres_config(url)?)), POSTGRES_CONNS)?;
                (Kind::Postgres, pool.clone(), pool)
            }
        };
        migrate::run(&mut *take(&writers).await?).await?;
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
        take(&self.0.readers).await
    }

    /// Takes a connection for writing; on SQLite it is the only one, so hold it briefly.
    ///
    /// # Errors
    /// When no connection becomes free in time, or none can be made.
    pub async fn write(&self) -> Result<PooledConn> {
        take(&self.0.writers).await
    }

    /// Which database this is.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }
}

/// A connection on loan from the store; it goes back when dropped, or is closed if a transaction was left open.
pub struct PooledConn(Option<Object<Opener>>);

impl Deref for PooledConn {
    type Target = Conn;

    #[expect(clippy::expect_used, reason = "only `drop` takes the connection out")]
    fn deref(&self) -> &Conn {
        self.0.as_ref().expect("a loan has its connection until it is dropped")
    }
}

impl DerefMut for PooledConn {
    #[expect(clippy::expect_used, reason = "only `drop` takes the connection out")]
    fn deref_mut(&mut self) -> &mut Conn {
        self.0.as_mut().expect("a loan has its connection until it is dropped")
    }
}

impl Drop for PooledConn {
    fn drop(&mut self) {
        // At once, and not when the connection is next wanted: an open transaction holds locks.
        if let Some(mut object) = self.0.take()
            && object.is_broken()
        {
            drop(Object::take(object));
        }
    }
}

fn pool(opener: Opener, size: usize) -> Result<Pool<Opener>> {
    Pool::builder(opener)
        .max_size(size)
        .wait_timeout(Some(WAIT_MAX))
        .runtime(Runtime::Tokio1)
        .build()
        .map_err(|error| Error::Location(error.to_string()))
}

async fn take(pool: &Pool<Opener>) -> Result<PooledConn> {
    match pool.get().await {
        Ok(object) => Ok(PooledConn(Some(object))),
        Err(PoolError::Backend(error)) => Err(error),
        Err(PoolError::Timeout(_)) => Err(Error::Busy { seconds: WAIT_MAX.as_secs() }),
        Err(error) => Err(Error::Connect { place: "the pool".into(), reason: error.to_string() }),
    }
}

fn postgres_config(url: &str) -> Result<Config> {
    let mut config = Config::from_str(url).map_err(|error| Error::Location(error.to_string()))?;
    if config.get_ssl_mode() == SslMode::Require {
        return Err(Error::Tls);
    }
    if config.get_application_name().is_none() {
        config.application_name("omni");
    }
    if config.get_connect_timeout().is_none() {
        config.connect_timeout(CONNECT_MAX);
    }
    Ok(config)
}

/// Makes connections for a pool.
pub(crate) enum Opener {
    /// To a PostgreSQL server.
    Pg(Box<Config>),
    /// To a SQLite file.
    Lite {
        /// The file.
        path: PathBuf,
        /// Only of the opener whose connections may write.
        checkpointer: Option<Checkpointer>,
    },
}

impl Manager for Opener {
    type Type = Conn;
    type Error = Error;

    async fn create(&self) -> Result<Conn> {
        match self {
            Self::Pg(config) => open_postgres(config).await,
            Self::Lite { path, checkpointer: None } => {
                here(|| open_sqlite(path, READER_PRAGMAS)).map(|lite| Conn::sqlite(lite, None))
            }
            Self::Lite { path, checkpointer: Some(checkpointer) } => {
                let lite = here(|| open_sqlite(path, WRITER_PRAGMAS))?;
                Ok(Conn::sqlite(lite, Some(checkpointer.writes())))
            }
        }
    }

    async fn recycle(&self, conn: &mut Conn, _: &Metrics) -> RecycleResult<Error> {
        // No round trip to ask whether the connection lives: that would cost as much as a small query.
        if conn.is_broken() {
            return Err(RecycleError::message("the connection was lost or left in a transaction"));
        }
        Ok(())
    }
}

async fn open_postgres(config: &Config) -> Result<Conn> {
    let failed = |reason: String| Error::Connect {
        place: format!("PostgreSQL at {:?} port {:?}", config.get_hosts(), config.get_ports()),
        reason,
    };
    let (client, connection) =
        config.connect(NoTls).await.map_err(|error| failed(chain(&error)))?;
    AsyncPgConnection::try_from_client_and_connection(client, connection)
        .await
        .map(Conn::postgres)
        .map_err(|error| failed(chain(&error)))
}

fn open_sqlite(path: &Path, role: &str) -> Result<SqliteConnection> {
    let failed = |reason: String| Error::Connect { place: path.display().to_string(), reason };
    let url = path.to_str().ok_or_else(|| failed("the path is not UTF-8".into()))?;
    let mut lite = SqliteConnection::establish(url).map_err(|error| failed(error.to_string()))?;
    set_up(&mut lite, role).map_err(|error| failed(error.to_string()))?;
    Ok(lite)
}

/// Sets a connection up. SQLite itself does not wait when two connections turn on the write-ahead log of a new file at
/// once, so the one that comes second tries again.
#[expect(
    clippy::disallowed_methods,
    reason = "a pause on a blocking thread while another process makes the file"
)]
fn set_up(lite: &mut SqliteConnection, role: &str) -> diesel::QueryResult<()> {
    let mut tries_left = SET_UP_TRIES;
    loop {
        match lite.batch_execute(PRAGMAS).and_then(|()| lite.batch_execute(role)) {
            Err(error) if tries_left > 0 && error.to_string().contains("locked") => {
                tries_left -= 1;
                std::thread::sleep(SET_UP_PAUSE);
            }
            done => return done,
        }
    }
}

/// An error with its causes: drivers hide the useful part behind "error connecting to server".
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
