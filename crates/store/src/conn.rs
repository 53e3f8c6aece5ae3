//! One connection to either database, and the verbs that run a query on it.
//!
//! What must stay true: a connection whose transaction was neither committed nor rolled back is never used again.
//! SQLite statements run on the calling thread: two thread hops would cost more than the statement.

use std::future::Future;

use diesel::{
    Connection as _, QueryResult, SqliteConnection,
    backend::Backend,
    connection::{LoadConnection, SimpleConnection as _},
    deserialize::FromSqlRow,
    query_builder::{AsQuery, QueryFragment},
    query_dsl::CompatibleType,
    result::{DatabaseErrorKind, Error},
    row::IntoOwnedRow as _,
};
use diesel_async::{
    AsyncConnectionCore as _, AsyncPgConnection, SimpleAsyncConnection as _,
    pooled_connection::PoolableConnection as _,
};
use futures_util::{TryStreamExt as _, future::try_join_all};
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::{
    Answer, Kind, Result,
    checkpoint::Writes,
    dual::{Bind, Dual, Row, Statement, collect},
};

/// A connection to either database; queries of this crate take one.
pub struct Conn {
    inner: Inner,
    /// Only of the one SQLite connection that writes.
    writes: Option<Writes>,
    /// Whether a transaction is open; it stays true when its future was dropped or its end failed.
    open: bool,
    /// Whether the server has gone away; the driver itself notices a moment later.
    lost: bool,
}

enum Inner {
    /// Boxed: it is five times as large as the other.
    Pg(Box<AsyncPgConnection>),
    Lite(SqliteConnection),
}

/// Runs blocking work where it stands, telling a multi-threaded runtime that this thread is taken.
pub(crate) fn here<R>(work: impl FnOnce() -> R) -> R {
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

impl Conn {
    pub(crate) fn postgres(inner: AsyncPgConnection) -> Self {
        Self { inner: Inner::Pg(Box::new(inner)), writes: None, open: false, lost: false }
    }

    /// A connection that writes says so by the count of its writes.
    pub(crate) fn sqlite(inner: SqliteConnection, writes: Option<Writes>) -> Self {
        Self { inner: Inner::Lite(inner), writes, open: false, lost: false }
    }

    pub(crate) fn kind(&self) -> Kind {
        match self.inner {
            Inner::Pg(_) => Kind::Postgres,
            Inner::Lite(_) => Kind::Sqlite,
        }
    }

    /// A statement written by hand, in the words of the database that is there.
    pub(crate) fn by_kind<'a>(
        &self,
        sqlite: &str,
        postgres: &str,
        binds: Vec<Bind<'a>>,
    ) -> Statement<'a> {
        let kind = self.kind();
        let sql = match kind {
            Kind::Sqlite => sqlite,
            Kind::Postgres => postgres,
        };
        Statement::new(kind, sql.to_owned(), binds)
    }

    /// Whether the connection must not be used again.
    pub(crate) fn is_broken(&mut self) -> bool {
        self.open
            || self.lost
            || match &mut self.inner {
                Inner::Pg(pg) => pg.is_broken(),
                Inner::Lite(_) => false,
            }
    }

    /// Opens a transaction; every path afterwards must reach [`Self::end`].
    ///
    /// SQLite's writer takes the write lock at once: a lock taken later could fail half-way through.
    pub(crate) async fn begin(&mut self) -> Result<()> {
        self.open = true;
        let is_writer = self.writes.is_some();
        self.batch(if is_writer { "BEGIN IMMEDIATE" } else { "BEGIN" }).await?;
        Ok(())
    }

    /// Commits on `Ok`, rolls back on `Err`, and answers the result; a failed commit is the error.
    pub(crate) async fn end<T>(&mut self, result: Result<T>) -> Result<T> {
        match result {
            Ok(value) => {
                self.batch("COMMIT").await?;
                self.open = false;
                if let Some(writes) = &mut self.writes {
                    writes.committed();
                }
                Ok(value)
            }
            Err(error) => {
                self.open = self.batch("ROLLBACK").await.is_err();
                Err(error)
            }
        }
    }

    /// Runs several statements of one text, without values.
    pub(crate) async fn batch(&mut self, sql: &str) -> QueryResult<()> {
        let done = match &mut self.inner {
            Inner::Pg(pg) => pg.batch_execute(sql).await,
            Inner::Lite(lite) => here(|| lite.batch_execute(sql)),
        };
        self.tell_loss(done).await
    }

    /// Runs one statement and answers how many rows it touched.
    pub(crate) async fn execute(&mut self, statement: &Statement<'_>) -> QueryResult<usize> {
        let done = match &mut self.inner {
            Inner::Pg(pg) => pg.execute_returning_count(statement).await,
            Inner::Lite(lite) => here(|| run_lite(lite, statement)),
        };
        self.tell_loss(done).await
    }

    /// Runs statements in their order and answers how many rows each touched: in one thread hop on SQLite, in one
    /// round trip on PostgreSQL.
    pub(crate) async fn execute_each(
        &mut self,
        statements: &[Statement<'_>],
    ) -> QueryResult<Vec<usize>> {
        if let Some(writes) = &mut self.writes {
            writes.add(statements.len());
        }
        let done = match &mut self.inner {
            Inner::Pg(pg) => {
                let pg: &AsyncPgConnection = pg;
                // Polled in their order, so sent in their order; a first failure makes the others fail, too.
                let run = |statement| {
                    let mut shared = pg;
                    shared.execute_returning_count(statement)
                };
                try_join_all(statements.iter().map(run)).await
            }
            Inner::Lite(lite) => {
                here(|| statements.iter().map(|statement| run_lite(lite, statement)).collect())
            }
        };
        self.tell_loss(done).await
    }

    /// Runs a query and answers its rows.
    pub(crate) async fn load(&mut self, statement: &Statement<'_>) -> QueryResult<Vec<Row>> {
        let done = match &mut self.inner {
            Inner::Pg(pg) => load_pg(pg, statement).await,
            Inner::Lite(lite) => here(|| {
                let mut names = None;
                LoadConnection::load(lite, statement)?
                    .map(|row| Ok(Row::Lite(row?.into_owned(&mut names))))
                    .collect()
            }),
        };
        self.tell_loss(done).await
    }

    /// Tells the end of the connection from the failure of a statement. A server that stops, or cuts a connection off,
    /// says so like any other error, in words of its language; so after one the driver does not know it is asked whether
    /// it is still there.
    async fn tell_loss<T>(&mut self, done: QueryResult<T>) -> QueryResult<T> {
        let (Inner::Pg(pg), Err(Error::DatabaseError(kind, _))) = (&mut self.inner, &done) else {
            return done;
        };
        self.lost |= match kind {
            DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => true,
            DatabaseErrorKind::Unknown => pg.is_broken() || pg.batch_execute("").await.is_err(),
            _ => false,
        };
        match done {
            Err(Error::DatabaseError(DatabaseErrorKind::Unknown, said)) if self.lost => {
                Err(Error::DatabaseError(DatabaseErrorKind::ClosedConnection, said))
            }
            done => done,
        }
    }
}

async fn load_pg(pg: &mut AsyncPgConnection, statement: &Statement<'_>) -> QueryResult<Vec<Row>> {
    pg.load(statement).await?.map_ok(Row::Pg).try_collect().await
}

fn run_lite(lite: &mut SqliteConnection, statement: &Statement<'_>) -> QueryResult<usize> {
    lite.execute_returning_count(&statement)
}

/// The verbs of a query; everything before them is plain diesel.
pub(crate) trait Run: Sized + Send {
    /// Runs a statement and answers how many rows it touched.
    fn run<'c>(self, conn: &'c mut Conn) -> Answer<'c, usize>
    where
        Self: QueryFragment<Dual> + 'c,
    {
        Box::pin(async move {
            let statement = collect(conn.kind(), &self)?;
            Ok(conn.execute(&statement).await?)
        })
    }

    /// Runs a query and answers all its rows.
    fn rows<'c, U, ST>(self, conn: &'c mut Conn) -> Answer<'c, Vec<U>>
    where
        Self: AsQuery + 'c,
        Self::Query: QueryFragment<Dual> + Send + 'c,
        Self::SqlType: CompatibleType<U, Dual, SqlType = ST>,
        U: FromSqlRow<ST, Dual> + Send + 'c,
        ST: 'c,
    {
        let query = self.as_query();
        Box::pin(async move {
            let found = load(conn, &query).await?;
            found.iter().map(read::<U, ST>).collect()
        })
    }

    /// Runs a query and answers its first row, if it has one.
    fn row<'c, U, ST>(self, conn: &'c mut Conn) -> Answer<'c, Option<U>>
    where
        Self: AsQuery + 'c,
        Self::Query: QueryFragment<Dual> + Send + 'c,
        Self::SqlType: CompatibleType<U, Dual, SqlType = ST>,
        U: FromSqlRow<ST, Dual> + Send + 'c,
        ST: 'c,
    {
        let query = self.as_query();
        Box::pin(async move {
            let found = load(conn, &query).await?;
            found.first().map(read::<U, ST>).transpose()
        })
    }
}

impl<T: Send> Run for T {}

/// Collects before the first await, so that the query itself need not be shared between threads.
fn load<'c>(
    conn: &'c mut Conn,
    query: &'c dyn QueryFragment<Dual>,
) -> impl Future<Output = QueryResult<Vec<Row>>> + Send + use<'c> {
    let statement = collect(conn.kind(), query);
    async move { conn.load(&statement?).await }
}

pub(crate) fn read<U, ST>(row: &Row) -> Result<U>
where
    U: FromSqlRow<ST, Dual>,
    Dual: Backend,
{
    U::build_from_row(row)
        .map_err(|source| diesel::result::Error::DeserializationError(source).into())
}

#[cfg(test)]
mod tests {
    use diesel::{ExpressionMethods as _, QueryDsl as _, insert_into};

    use super::*;
    use crate::{Store, schema::counters as c};

    async fn count(store: &Store) -> i64 {
        let mut conn = store.read().await.unwrap();
        c::table.count().row(&mut conn).await.unwrap().unwrap()
    }

    async fn add(conn: &mut Conn, name: &str) -> Result<()> {
        insert_into(c::table).values((c::name.eq(name), c::value.eq(1_i64))).run(conn).await?;
        Ok(())
    }

    #[tokio::test]
    async fn a_transaction_left_open_is_undone() {
        let store = Store::temporary().await;
        let before = count(&store).await;
        let mut conn = store.write().await.unwrap();
        conn.begin().await.unwrap();
        add(&mut conn, "lost").await.unwrap();
        drop(conn);
        let mut conn = store.write().await.unwrap();
        conn.begin().await.unwrap();
        let kept = add(&mut conn, "kept").await;
        conn.end(kept).await.unwrap();
        assert_eq!(count(&store).await, before + 1);
    }

    #[tokio::test]
    async fn an_error_inside_undoes_everything_and_the_connection_goes_on() {
        let store = Store::temporary().await;
        let before = count(&store).await;
        let mut conn = store.write().await.unwrap();
        conn.begin().await.unwrap();
        add(&mut conn, "lost").await.unwrap();
        let twice = add(&mut conn, "lost").await;
        assert!(conn.end(twice).await.is_err());
        assert!(!conn.is_broken());
        add(&mut conn, "kept").await.unwrap();
        assert_eq!(count(&store).await, before + 1);
    }

    /// What a full disk does: the error reaches the caller, and nothing is there afterwards.
    #[tokio::test]
    async fn a_full_database_fails_the_commit() {
        let store = Store::temporary().await;
        let before = count(&store).await;
        let mut conn = store.write().await.unwrap();
        conn.batch("PRAGMA max_page_count = 1").await.unwrap();
        conn.begin().await.unwrap();
        let result = async {
            for n in 0..1000 {
                add(&mut conn, &format!("{n:0>100}")).await?;
            }
            Ok(())
        };
        let result = result.await;
        assert!(conn.end(result).await.is_err());
        drop(conn);
        assert_eq!(count(&store).await, before);
    }

    /// A commit that fails at its very end: the caller must not be told that it is done.
    #[tokio::test]
    async fn a_failed_commit_is_an_error_and_its_connection_is_given_up() {
        let url = crate::testing::server_url();
        let store = Store::temporary_postgres(&url).await;
        let deferred = "CREATE TABLE late (n INT UNIQUE DEFERRABLE INITIALLY DEFERRED)";
        let mut conn = store.write().await.unwrap();
        conn.batch(deferred).await.unwrap();
        conn.begin().await.unwrap();
        let result = conn.batch("INSERT INTO late VALUES (1), (1)").await;
        assert!(conn.end(result.map_err(Into::into)).await.is_err());
        assert!(conn.is_broken());
    }
}
