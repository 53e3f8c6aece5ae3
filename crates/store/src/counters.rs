//! Numbers that only grow: sequences on SQLite, and the revision of each kind of definition, by which caches see that
//! something changed, even that a row is gone.

use diesel::{ExpressionMethods as _, QueryDsl as _, query_builder::QueryFragment, update};

use crate::{
    Error, Result,
    conn::{Conn, Run as _},
    dual::Dual,
    schema::counters as c,
};

/// Adds to a counter and answers its new value.
pub(crate) async fn add(conn: &mut Conn, name: &'static str, amount: i64) -> Result<i64> {
    let more = update(c::table.filter(c::name.eq(name)))
        .set(c::value.eq(c::value + amount))
        .returning(c::value);
    found(name, more.row(conn).await?)
}

/// The value of a counter.
pub(crate) async fn get(conn: &mut Conn, name: &'static str) -> Result<i64> {
    found(name, c::table.filter(c::name.eq(name)).select(c::value).row(conn).await?)
}

fn found(name: &'static str, value: Option<i64>) -> Result<i64> {
    value.ok_or_else(|| Error::corrupt("counters", "name", format!("`{name}` is missing")))
}

/// Runs a change and, if it touched a row, adds to the counter; answers whether it did.
pub(crate) async fn bump_if(
    conn: &mut Conn,
    name: &'static str,
    change: impl QueryFragment<Dual> + Send,
) -> Result<bool> {
    let touched = change.run(conn).await? > 0;
    if touched {
        add(conn, name, 1).await?;
    }
    Ok(touched)
}
