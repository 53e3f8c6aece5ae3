//! What can go wrong between a caller and the database.

/// Why the store could not do what was asked.
///
/// Not finding a row is no error: reads answer `None`.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The location names no database that can be used.
    #[error("cannot use this database location: {0}")]
    Location(String),
    /// A connection could not be made.
    #[error("cannot connect to {place}: {reason}; {advice}")]
    Connect {
        /// The file or server, without credentials.
        place: String,
        /// What the driver says.
        reason: String,
        /// What to do about it.
        advice: &'static str,
    },
    /// The connection was lost before the statement was answered: the server was stopped, or cut it off. Whether the
    /// statement had an effect is unknown if it was a commit; otherwise it had none.
    #[error("the connection to the database was lost: {0}; it will be made again by who asks next")]
    Lost(#[source] diesel::result::Error),
    /// All connections stayed in use for longer than a caller may wait.
    #[error(
        "every database connection stayed busy for {seconds} s; the database is slow or overloaded"
    )]
    Busy {
        /// How long was waited.
        seconds: u64,
    },
    /// A migration failed; nothing of it was kept.
    #[error("migration {version} failed and was rolled back: {source}")]
    Migration {
        /// Name of the migration.
        version: &'static str,
        /// What the database says.
        source: diesel::result::Error,
    },
    /// A row with this name is there already.
    #[error("{what} `{name}` already exists; choose another name or update it")]
    Exists {
        /// Kind of row.
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// This writer was fenced or retired, so nobody would publish what it commits; nothing was committed.
    #[error(
        "event writer {writer} was retired by another process; claim a new writer and send the batch again"
    )]
    WriterRetired {
        /// Number of the writer.
        writer: i64,
    },
    /// A stored value cannot be read as what it must be.
    #[error("{table}.{column} holds a value that cannot be read: {reason}")]
    Corrupt {
        /// Table of the value.
        table: &'static str,
        /// Column of the value.
        column: &'static str,
        /// Why it cannot be read.
        reason: String,
    },
    /// The database refused or failed a statement; its transaction was rolled back.
    #[error("the database failed a statement: {0}")]
    Query(#[source] diesel::result::Error),
}

/// What every query of the store answers.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The future that every query of the store returns; boxed, so that binaries do not compile the queries again.
pub type Answer<'a, T> = futures_util::future::BoxFuture<'a, Result<T>>;

impl From<diesel::result::Error> for Error {
    fn from(error: diesel::result::Error) -> Self {
        use diesel::result::{DatabaseErrorKind as Kind, Error as Diesel};
        match error {
            Diesel::DatabaseError(Kind::ClosedConnection | Kind::UnableToSendCommand, _) => {
                Self::Lost(error)
            }
            _ => Self::Query(error),
        }
    }
}

impl Error {
    /// Whether a process that commits must end: what it commits from now on cannot be trusted or would not be published.
    ///
    /// After a failed sync the operating system may have dropped what was written, so trying again proves nothing.
    pub fn ends_writing(&self) -> bool {
        match self {
            Self::WriterRetired { .. } => true,
            Self::Query(diesel::result::Error::DatabaseError(_, info)) => {
                // SQLite's own words for SQLITE_IOERR, which diesel passes on without the code.
                info.message().contains("disk I/O error")
            }
            _ => false,
        }
    }

    /// Turns the violation of a unique key into [`Error::Exists`].
    pub(crate) fn or_exists(self, what: &'static str, name: &str) -> Self {
        use diesel::result::{DatabaseErrorKind, Error as Diesel};
        match self {
            Self::Query(Diesel::DatabaseError(DatabaseErrorKind::UniqueViolation, _)) => {
                Self::Exists { what, name: name.to_owned() }
            }
            other => other,
        }
    }

    pub(crate) fn corrupt(
        table: &'static str,
        column: &'static str,
        reason: impl ToString,
    ) -> Self {
        Self::Corrupt { table, column, reason: reason.to_string() }
    }
}
