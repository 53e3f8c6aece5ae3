//! Values on their way into a statement: borrowed from the query, so that a payload is copied once at most.
//!
//! SQLite keeps a UUID as a BLOB of 16 bytes and a time as an INTEGER of microseconds since 1970.

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult,
    backend::Backend,
    pg::Pg,
    query_builder::{AstPass, BindCollector},
    result::Error::SerializationError,
    serialize::{IsNull, Output, Result, ToSql},
    sql_types::{self as st, HasSqlType, Nullable},
    sqlite::Sqlite,
};
use uuid::Uuid;

use super::{Dual, Kind, Ty};

/// One value, ready for either database.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Bind<'a> {
    Null(Ty),
    Bool(bool),
    SmallInt(i16),
    Int(i32),
    BigInt(i64),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Time(DateTime<Utc>),
    Uuid(Uuid),
}

/// Gathers the values of one statement in the order of its parameters.
#[derive(Debug, Default)]
pub(crate) struct Binds<'a>(pub(crate) Vec<Bind<'a>>);

impl<'a> BindCollector<'a, Dual> for Binds<'a> {
    type Buffer = Bind<'a>;

    fn push_bound_value<T, U>(&mut self, bind: &'a U, lookup: &mut ()) -> QueryResult<()>
    where
        Dual: Backend + HasSqlType<T>,
        U: ToSql<T, Dual> + ?Sized + 'a,
    {
        let null = Bind::Null(<Dual as HasSqlType<T>>::metadata(lookup));
        let mut out = Output::<Dual>::new(null, lookup);
        let is_null = bind.to_sql(&mut out).map_err(SerializationError)?;
        self.0.push(match is_null {
            IsNull::Yes => null,
            IsNull::No => out.into_inner(),
        });
        Ok(())
    }

    fn push_null_value(&mut self, ty: Ty) -> QueryResult<()> {
        self.0.push(Bind::Null(ty));
        Ok(())
    }
}

macro_rules! binds {
    ($($rust:ty, $sql:ty => |$value:ident| $bind:expr;)+) => {$(
        impl ToSql<$sql, Dual> for $rust {
            fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Dual>) -> Result {
                let $value = self;
                out.set_value($bind);
                Ok(IsNull::No)
            }
        }
    )+};
}
binds! {
    bool, st::Bool => |v| Bind::Bool(*v);
    i16, st::SmallInt => |v| Bind::SmallInt(*v);
    i32, st::Integer => |v| Bind::Int(*v);
    i64, st::BigInt => |v| Bind::BigInt(*v);
    f64, st::Double => |v| Bind::Double(*v);
    str, st::Text => |v| Bind::Text(v);
    [u8], st::Binary => |v| Bind::Bytes(v);
    DateTime<Utc>, st::Timestamptz => |v| Bind::Time(*v);
    Uuid, st::Uuid => |v| Bind::Uuid(*v);
}

impl Bind<'_> {
    /// Turns what SQLite has no type for into what it has.
    pub(super) fn for_kind(self, kind: Kind) -> Self {
        match (kind, self) {
            (Kind::Sqlite, Self::Time(time)) => Self::BigInt(time.timestamp_micros()),
            (_, bind) => bind,
        }
    }

    pub(super) fn push_pg<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Self::Null(ty) => push_null_pg(*ty, out),
            Self::Bool(v) => out.push_bind_param_value_only::<st::Bool, _>(v),
            Self::SmallInt(v) => out.push_bind_param_value_only::<st::SmallInt, _>(v),
            Self::Int(v) => out.push_bind_param_value_only::<st::Integer, _>(v),
            Self::BigInt(v) => out.push_bind_param_value_only::<st::BigInt, _>(v),
            Self::Double(v) => out.push_bind_param_value_only::<st::Double, _>(v),
            Self::Text(v) => out.push_bind_param_value_only::<st::Text, str>(v),
            Self::Bytes(v) => out.push_bind_param_value_only::<st::Binary, [u8]>(v),
            Self::Time(v) => out.push_bind_param_value_only::<st::Timestamptz, _>(v),
            Self::Uuid(v) => out.push_bind_param_value_only::<st::Uuid, _>(v),
        }
    }

    pub(super) fn push_lite<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        match self {
            Self::Null(_) => out.push_bind_param_value_only::<Nullable<st::Text>, _>(&None::<&str>),
            Self::Bool(v) => out.push_bind_param_value_only::<st::Bool, _>(v),
            Self::SmallInt(v) => out.push_bind_param_value_only::<st::SmallInt, _>(v),
            Self::Int(v) => out.push_bind_param_value_only::<st::Integer, _>(v),
            Self::BigInt(v) => out.push_bind_param_value_only::<st::BigInt, _>(v),
            Self::Double(v) => out.push_bind_param_value_only::<st::Double, _>(v),
            Self::Text(v) => out.push_bind_param_value_only::<st::Text, str>(v),
            Self::Bytes(v) => out.push_bind_param_value_only::<st::Binary, [u8]>(v),
            Self::Uuid(v) => {
                out.push_bind_param_value_only::<st::Binary, [u8]>(v.as_bytes().as_slice())
            }
            Self::Time(_) => {
                Err(SerializationError("a time reached SQLite without its conversion".into()))
            }
        }
    }
}

fn push_null_pg(ty: Ty, out: &mut AstPass<'_, '_, Pg>) -> QueryResult<()> {
    match ty {
        Ty::Bool => out.push_bind_param_value_only::<Nullable<st::Bool>, _>(&None::<bool>),
        Ty::SmallInt => out.push_bind_param_value_only::<Nullable<st::SmallInt>, _>(&None::<i16>),
        Ty::Int => out.push_bind_param_value_only::<Nullable<st::Integer>, _>(&None::<i32>),
        Ty::BigInt => out.push_bind_param_value_only::<Nullable<st::BigInt>, _>(&None::<i64>),
        Ty::Double => out.push_bind_param_value_only::<Nullable<st::Double>, _>(&None::<f64>),
        Ty::Text => out.push_bind_param_value_only::<Nullable<st::Text>, _>(&None::<&str>),
        Ty::Bytes => out.push_bind_param_value_only::<Nullable<st::Binary>, _>(&None::<&[u8]>),
        Ty::Uuid => out.push_bind_param_value_only::<Nullable<st::Uuid>, _>(&None::<Uuid>),
        Ty::Time => {
            out.push_bind_param_value_only::<Nullable<st::Timestamptz>, _>(&None::<DateTime<Utc>>)
        }
        Ty::Real | Ty::Date | Ty::Clock | Ty::Timestamp => {
            Err(SerializationError(format!("no column has the type {ty:?}").into()))
        }
    }
}
