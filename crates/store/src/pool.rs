//! The pools: connections are made when they are wanted, lent, and given up when they are broken.
//!
//! What must stay true: nobody is lent a connection that is known to be lost, and after an outage the first who asks gets
//! a new one at once.

use std::{
    ops::{Deref, DerefMut},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use deadpool::{
    Runtime,
    managed::{Manager, Metrics, Object, Pool as Deadpool, PoolError, RecycleError, RecycleResult},
};

use crate::{
    Error, Result,
    checkpoint::Checkpointer,
    conn::{Conn, here},
    postgres::Server,
    sqlite,
};

/// Longest wait for a connection before the caller is told that the database is overloaded.
const WAIT_MAX: Duration = Duration::from_secs(30);

/// Connections of one kind.
#[derive(Clone)]
pub(crate) struct Pool(Deadpool<Opener>);

impl Pool {
    pub(crate) fn new(opener: Opener, size: usize) -> Result<Self> {
        Deadpool::builder(opener)
            .max_size(size)
            .wait_timeout(Some(WAIT_MAX))
            .runtime(Runtime::Tokio1)
            .build()
            .map(Self)
            .map_err(|error| Error::Location(error.to_string()))
    }

    pub(crate) async fn take(&self) -> Result<PooledConn> {
        match self.0.get().await {
            Ok(object) => Ok(PooledConn(Some(object))),
            Err(PoolError::Backend(error)) => Err(error),
            Err(PoolError::Timeout(_)) => Err(Error::Busy { seconds: WAIT_MAX.as_secs() }),
            Err(error) => Err(Error::Connect {
                place: "the pool".into(),
                reason: error.to_string(),
                advice: "the store was closed; open it again",
            }),
        }
    }
}

/// A connection on loan from the store; it goes back when dropped, or is closed if it was lost or a transaction was left
/// open.
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

/// Makes connections for a pool.
pub(crate) enum Opener {
    /// To a PostgreSQL server.
    Pg(Arc<Server>),
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
            // Boxed: the hand-shake is large, and everybody who takes a connection would carry it.
            Self::Pg(server) => Box::pin(server.connect()).await.map(Conn::postgres),
            Self::Lite { path, checkpointer: None } => {
                here(|| sqlite::open_reader(path)).map(|lite| Conn::sqlite(lite, None))
            }
            Self::Lite { path, checkpointer: Some(checkpointer) } => {
                let lite = here(|| sqlite::open_writer(path))?;
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
