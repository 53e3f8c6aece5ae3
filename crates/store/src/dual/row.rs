//! Values on their way out: a row of either database, read by the stock conversions of its own backend.

use std::ops::Range;

use chrono::{DateTime, Utc};
use diesel::{
    SqliteConnection,
    connection::LoadConnection,
    deserialize::{FromSql, FromSqlRef, Result},
    pg::{Pg, PgValue},
    row::{self, IntoOwnedRow, PartialRow, RowIndex, RowSealed},
    sql_types as st,
    sqlite::{Sqlite, SqliteValue},
};
use diesel_async::{AsyncConnectionCore, AsyncPgConnection};
use uuid::Uuid;

use super::Dual;

/// A row as PostgreSQL sends it.
pub(crate) type PgRow = <AsyncPgConnection as AsyncConnectionCore>::Row<'static, 'static>;
/// A row of SQLite, copied out of the statement.
pub(crate) type LiteRow =
    <<SqliteConnection as LoadConnection>::Row<'static, 'static> as IntoOwnedRow<
        'static,
        Sqlite,
    >>::OwnedRow;

/// A row of either database.
pub(crate) enum Row {
    Pg(PgRow),
    Lite(LiteRow),
}

/// A value of either database, still in its form.
pub(crate) enum Raw<'a> {
    Pg(PgValue<'a>),
    Lite(SqliteValue<'a, 'a, 'a>),
}

/// One column of a row.
pub(crate) enum Field<'f> {
    Pg(<PgRow as row::Row<'f, Pg>>::Field<'f>),
    Lite(<LiteRow as row::Row<'f, Sqlite>>::Field<'f>),
}

impl<'f> row::Field<'f, Dual> for Field<'f> {
    fn field_name(&self) -> Option<&str> {
        match self {
            Self::Pg(field) => field.field_name(),
            Self::Lite(field) => field.field_name(),
        }
    }

    fn value(&self) -> Option<Raw<'_>> {
        match self {
            Self::Pg(field) => field.value().map(Raw::Pg),
            Self::Lite(field) => field.value().map(Raw::Lite),
        }
    }
}

impl RowSealed for Row {}

impl RowIndex<usize> for Row {
    fn idx(&self, index: usize) -> Option<usize> {
        match self {
            Self::Pg(row) => row.idx(index),
            Self::Lite(row) => row.idx(index),
        }
    }
}

impl<'n> RowIndex<&'n str> for Row {
    fn idx(&self, name: &'n str) -> Option<usize> {
        match self {
            Self::Pg(row) => row.idx(name),
            Self::Lite(row) => row.idx(name),
        }
    }
}

impl<'a> row::Row<'a, Dual> for Row {
    type Field<'f>
        = Field<'f>
    where
        'a: 'f,
        Self: 'f;
    type InnerPartialRow = Self;

    fn field_count(&self) -> usize {
        match self {
            Self::Pg(row) => row::Row::<Pg>::field_count(row),
            Self::Lite(row) => row::Row::<Sqlite>::field_count(row),
        }
    }

    fn get<'b, I>(&'b self, index: I) -> Option<Field<'b>>
    where
        'a: 'b,
        Self: RowIndex<I>,
    {
        let index = self.idx(index)?;
        match self {
            Self::Pg(row) => row::Row::<Pg>::get(row, index).map(Field::Pg),
            Self::Lite(row) => row::Row::<Sqlite>::get(row, index).map(Field::Lite),
        }
    }

    fn partial_row(&self, range: Range<usize>) -> PartialRow<'_, Self> {
        PartialRow::new(self, range)
    }
}

macro_rules! reads {
    ($($rust:ty, $sql:ty;)+) => {$(
        impl FromSql<$sql, Dual> for $rust {
            fn from_sql(raw: Raw<'_>) -> Result<Self> {
                match raw {
                    Raw::Pg(value) => FromSql::<$sql, Pg>::from_sql(value),
                    Raw::Lite(value) => FromSql::<$sql, Sqlite>::from_sql(value),
                }
            }
        }
    )+};
}
reads! {
    bool, st::Bool;
    i16, st::SmallInt;
    i32, st::Integer;
    i64, st::BigInt;
    f64, st::Double;
}

impl<'a> FromSqlRef<'a, st::Text, Dual> for &'a str {
    fn from_sql(raw: &'a mut Raw<'_>) -> Result<Self> {
        match raw {
            Raw::Pg(value) => FromSqlRef::<st::Text, Pg>::from_sql(value),
            Raw::Lite(value) => FromSqlRef::<st::Text, Sqlite>::from_sql(value),
        }
    }
}

impl<'a> FromSqlRef<'a, st::Binary, Dual> for &'a [u8] {
    fn from_sql(raw: &'a mut Raw<'_>) -> Result<Self> {
        match raw {
            Raw::Pg(value) => FromSqlRef::<st::Binary, Pg>::from_sql(value),
            Raw::Lite(value) => FromSqlRef::<st::Binary, Sqlite>::from_sql(value),
        }
    }
}

impl FromSql<st::Uuid, Dual> for Uuid {
    fn from_sql(raw: Raw<'_>) -> Result<Self> {
        match raw {
            Raw::Pg(value) => FromSql::<st::Uuid, Pg>::from_sql(value),
            Raw::Lite(mut value) => {
                let bytes: &[u8] = FromSqlRef::<st::Binary, Sqlite>::from_sql(&mut value)?;
                Ok(Self::from_slice(bytes)?)
            }
        }
    }
}

impl FromSql<st::Timestamptz, Dual> for DateTime<Utc> {
    fn from_sql(raw: Raw<'_>) -> Result<Self> {
        match raw {
            Raw::Pg(value) => FromSql::<st::Timestamptz, Pg>::from_sql(value),
            Raw::Lite(value) => {
                let micros: i64 = FromSql::<st::BigInt, Sqlite>::from_sql(value)?;
                Self::from_timestamp_micros(micros)
                    .ok_or_else(|| format!("{micros} is no time in microseconds").into())
            }
        }
    }
}
