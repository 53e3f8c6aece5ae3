//! A statement after its type is gone: text and values. Behind it nothing is generic, which keeps the crate quick to
//! compile, and diesel's rule about what may stay prepared is replaced by a bounded one of our own.

use diesel::{
    QueryResult,
    pg::Pg,
    query_builder::{AstPass, Query, QueryBuilder as _, QueryFragment, QueryId},
    sql_types::Untyped,
    sqlite::Sqlite,
};

use super::{Bind, Binds, Builder, Dual, Kind};

/// Statements with at most this many values stay prepared. diesel would prepare UPDATE and upsert anew each time, one
/// more round trip on PostgreSQL; but its cache has no bound, so long lists of varying length must stay out of it.
const KEPT_BINDS_MAX: usize = 64;

/// SQL text and the values for its parameters.
#[derive(Debug)]
pub(crate) struct Statement<'a> {
    sql: String,
    binds: Vec<Bind<'a>>,
    keep: bool,
}

/// Turns a query into text and values.
pub(crate) fn collect(kind: Kind, query: &dyn QueryFragment<Dual>) -> QueryResult<Statement<'_>> {
    let mut builder = Builder::new(kind);
    query.to_sql(&mut builder, &Dual)?;
    let mut binds = Binds::default();
    query.collect_binds(&mut binds, &mut (), &Dual)?;
    Ok(Statement::new(kind, builder.finish(), binds.0))
}

/// Collects queries whose texts are a few fixed ones, so that all of them stay prepared; see [`crate::batch`].
pub(crate) fn collect_each<Q: QueryFragment<Dual>>(
    kind: Kind,
    queries: &[Q],
) -> QueryResult<Vec<Statement<'_>>> {
    queries.iter().map(|query| collect(kind, query).map(Statement::kept)).collect()
}

impl<'a> Statement<'a> {
    /// A statement written by hand: parameters are `$1 …` on PostgreSQL and `?` on SQLite.
    pub(crate) fn new(kind: Kind, sql: String, mut binds: Vec<Bind<'a>>) -> Self {
        for bind in &mut binds {
            *bind = bind.for_kind(kind);
        }
        let keep = binds.len() <= KEPT_BINDS_MAX;
        Self { sql, binds, keep }
    }

    /// Has the statement planned for its values each time it runs.
    pub(crate) fn once(mut self) -> Self {
        self.keep = false;
        self
    }

    /// The question how the database would run the statement.
    #[cfg(feature = "testing")]
    pub(crate) fn explained(self, kind: Kind) -> Self {
        let word = match kind {
            Kind::Sqlite => "EXPLAIN QUERY PLAN ",
            Kind::Postgres => "EXPLAIN ",
        };
        Self { sql: format!("{word}{}", self.sql), keep: false, ..self }
    }

    /// Keeps the statement prepared whatever its size.
    fn kept(mut self) -> Self {
        self.keep = true;
        self
    }
}

impl QueryFragment<Pg> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if !self.keep {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql(&self.sql);
        self.binds.iter().try_for_each(|bind| bind.push_pg(&mut out))
    }
}

impl QueryFragment<Sqlite> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        if !self.keep {
            out.unsafe_to_cache_prepared();
        }
        out.push_sql(&self.sql);
        self.binds.iter().try_for_each(|bind| bind.push_lite(&mut out))
    }
}

impl QueryId for Statement<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Statement<'_> {
    type SqlType = Untyped;
}
