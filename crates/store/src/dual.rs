//! One diesel backend for two databases: which of them a statement is for is decided when it is written out.
//!
//! What must stay true: only what both databases understand compiles. Everything here is stock diesel except the values
//! (`bind`, `row`) and the statement that is left once its type is gone (`collect`).

mod bind;
mod collect;
mod row;

use diesel::{
    QueryResult,
    backend::{Backend, DieselReserveSpecialization, SqlDialect, TrustedBackend, sql_dialect as d},
    query_builder::{
        AstPass, BoxedLimitOffsetClause, IntoBoxedClause, LimitOffsetClause, QueryBuilder,
        QueryFragment,
    },
    sql_types::{self as st, HasSqlType, TypeMetadata},
};

pub(crate) use bind::{Bind, Binds};
pub(crate) use collect::{Statement, collect, collect_each};
pub(crate) use row::{Raw, Row};

/// Which database is behind a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A PostgreSQL server, shared by several processes.
    Postgres,
    /// A SQLite file, owned by one process.
    Sqlite,
}

/// The backend of every query in this crate.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dual;

impl Backend for Dual {
    type QueryBuilder = Builder;
    type RawValue<'a> = Raw<'a>;
    type BindCollector<'a> = Binds<'a>;
}

impl DieselReserveSpecialization for Dual {}
impl TrustedBackend for Dual {}

/// The types of columns in use; a typed NULL needs one on PostgreSQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ty {
    Bool,
    SmallInt,
    Int,
    BigInt,
    Real,
    Double,
    Text,
    Bytes,
    Date,
    Clock,
    Timestamp,
    Time,
    Uuid,
}

impl TypeMetadata for Dual {
    type TypeMetadata = Ty;
    type MetadataLookup = ();
}

macro_rules! has_types {
    ($($sql:ty => $ty:ident),+ $(,)?) => {$(
        impl HasSqlType<$sql> for Dual {
            fn metadata(_: &mut ()) -> Ty { Ty::$ty }
        }
    )+};
}
has_types! {
    st::Bool => Bool, st::SmallInt => SmallInt, st::Integer => Int, st::BigInt => BigInt, st::Float => Real,
    st::Double => Double, st::Text => Text, st::Binary => Bytes, st::Date => Date, st::Time => Clock,
    st::Timestamp => Timestamp, st::Timestamptz => Time, st::Uuid => Uuid,
}

/// Says that `ON CONFLICT` is understood as PostgreSQL spells it; SQLite spells it the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OnConflict;

impl d::on_conflict_clause::SupportsOnConflictClause for OnConflict {}
impl d::on_conflict_clause::SupportsOnConflictClauseWhere for OnConflict {}
impl d::on_conflict_clause::PgLikeOnConflictClause for OnConflict {}

impl SqlDialect for Dual {
    type ReturningClause = d::returning_clause::PgLikeReturningClause;
    type OnConflictClause = OnConflict;
    type InsertWithDefaultKeyword = d::default_keyword_for_insert::IsoSqlDefaultKeyword;
    type BatchInsertSupport = d::batch_insert_support::PostgresLikeBatchInsertSupport;
    type ConcatClause = d::concat_clause::ConcatWithPipesClause;
    type DefaultValueClauseForInsert = d::default_value_clause::AnsiDefaultValueClause;
    type EmptyFromClauseSyntax = d::from_clause_syntax::AnsiSqlFromClauseSyntax;
    type ExistsSyntax = d::exists_syntax::AnsiSqlExistsSyntax;
    type ArrayComparison = d::array_comparison::AnsiSqlArrayComparison;
    type SelectStatementSyntax = d::select_statement_syntax::AnsiSqlSelectStatement;
    type AliasSyntax = d::alias_syntax::AsAliasSyntax;
    type WindowFrameClauseGroupSupport =
        d::window_frame_clause_group_support::IsoGroupWindowFrameUnit;
    type WindowFrameExclusionSupport = d::window_frame_exclusion_support::FrameExclusionSupport;
    type AggregateFunctionExpressions =
        d::aggregate_function_expressions::PostgresLikeAggregateFunctionExpressions;
    type BuiltInWindowFunctionRequireOrder =
        d::built_in_window_function_require_order::NoOrderRequired;
}

/// Writes the SQL text: `$1` for PostgreSQL, a bare `?` for SQLite, where named parameters are looked up in a list.
#[derive(Debug)]
pub(crate) struct Builder {
    kind: Kind,
    sql: String,
    binds: usize,
}

impl Builder {
    pub(crate) fn new(kind: Kind) -> Self {
        Self { kind, sql: String::with_capacity(256), binds: 0 }
    }
}

impl QueryBuilder<Dual> for Builder {
    fn push_sql(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    fn push_identifier(&mut self, identifier: &str) -> QueryResult<()> {
        self.sql.push('"');
        self.sql.push_str(&identifier.replace('"', "\"\""));
        self.sql.push('"');
        Ok(())
    }

    fn push_bind_param(&mut self) {
        self.push_bind_param_value_only();
        match self.kind {
            Kind::Sqlite => self.sql.push('?'),
            Kind::Postgres => {
                use std::fmt::Write as _;
                // Writing into a String cannot fail.
                let _ = write!(self.sql, "${}", self.binds);
            }
        }
    }

    fn push_bind_param_value_only(&mut self) {
        self.binds += 1;
    }

    fn finish(self) -> String {
        self.sql
    }
}

impl<L, O> QueryFragment<Dual> for LimitOffsetClause<L, O>
where
    L: QueryFragment<Dual>,
    O: QueryFragment<Dual>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Dual>) -> QueryResult<()> {
        self.limit_clause.walk_ast(out.reborrow())?;
        self.offset_clause.walk_ast(out)
    }
}

impl QueryFragment<Dual> for BoxedLimitOffsetClause<'_, Dual> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Dual>) -> QueryResult<()> {
        if let Some(limit) = &self.limit {
            limit.walk_ast(out.reborrow())?;
        }
        if let Some(offset) = &self.offset {
            offset.walk_ast(out)?;
        }
        Ok(())
    }
}

impl<'a, L, O> IntoBoxedClause<'a, Dual> for LimitOffsetClause<L, O>
where
    L: QueryFragment<Dual> + Send + 'a,
    O: QueryFragment<Dual> + Send + 'a,
{
    type BoxedClause = BoxedLimitOffsetClause<'a, Dual>;

    fn into_boxed(self) -> Self::BoxedClause {
        BoxedLimitOffsetClause {
            limit: Some(Box::new(self.limit_clause)),
            offset: Some(Box::new(self.offset_clause)),
        }
    }
}
