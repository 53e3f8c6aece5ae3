//! What a consumer or an automation gave up: kept until somebody resolves or abandons it, or a retry succeeds.
//!
//! What must stay true: one thing that was given up is one row, however often that is told, because its id is derived
//! from what it is; and a row changes only from the state that its change expects, so that of two who do the same at the
//! same time one does it.

mod change;
mod find;
mod list;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::{
    BoolExpressionMethods as _, ExpressionMethods as _, Insertable, QueryDsl as _, Queryable,
    Selectable, SelectableHelper as _, insert_into, query_dsl::methods, upsert::excluded,
};
use uuid::Uuid;

use crate::{
    Answer, Error, Result,
    batch::chunks,
    conn::{Conn, Run as _},
    dual::{Dual, collect_each},
    pack::{pack, unpack},
    schema::dead_letters::{self, self as d},
};

pub use change::{
    Outcome, Settle, Start, abandon, add, resolve, set_told, settle, start_page, start_retry,
};
pub use find::{Finished, due, finished, has_event, retrying, unsent, untold};
pub use list::{Filter, Page, count, list, open};

/// Waits for its next try, or for somebody to look.
pub const PENDING: &str = "pending";
/// A retry of it is on its way.
pub const RETRYING: &str = "retrying";
/// Done with: a retry succeeded, or somebody says so.
pub const RESOLVED: &str = "resolved";
/// Nobody will try again.
pub const ABANDONED: &str = "abandoned";

/// How long after its end a letter is retried by itself; after the last of these it is left to people.
pub const RETRIES_AFTER: [TimeDelta; 3] =
    [TimeDelta::hours(1), TimeDelta::hours(6), TimeDelta::hours(24)];

/// When something that was given up at `dead_at` is retried by itself, as seen at `now`; `None` leaves it to people.
pub fn next_retry(dead_at: DateTime<Utc>, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    RETRIES_AFTER.into_iter().map(|after| dead_at + after).find(|at| *at > now)
}

/// Something that is given up.
#[derive(Clone, Debug, PartialEq, Eq, Insertable)]
#[diesel(table_name = dead_letters, treat_none_as_default_value = false)]
pub struct NewDeadLetter {
    /// Derived from what was given up, by [`id_of`].
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// The event.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: String,
    /// The consumer that gave it up; `automation:{id}` for one automation.
    pub consumer: String,
    /// The automation that failed.
    pub automation_id: Option<Uuid>,
    /// The version of it.
    pub version: Option<i32>,
    /// How often it was tried.
    pub attempts: i32,
    /// Why each try failed, as a JSON array of texts, oldest first.
    pub errors: String,
    /// The message as the bus had it, when the store has no such event; packed.
    pub message: Option<Vec<u8>>,
    /// [`PENDING`] at first.
    pub status: String,
    /// How often it was retried since.
    pub retries: i32,
    /// When it is retried next; `None` leaves that to people.
    pub next_retry_at: Option<DateTime<Utc>>,
    /// When it was given up.
    pub dead_at: DateTime<Utc>,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
    /// Whether an event tells of it.
    pub told: bool,
}

/// The id of what a consumer gave up. Two processes that find the same failure get the same id.
pub fn id_of(consumer: &str, event_id: Uuid) -> Uuid {
    Uuid::new_v5(&event_id, consumer.as_bytes())
}

/// Adds what was given up, each id once. An open letter stays as it is; one that was closed before this failure is opened
/// again and told again. Its retries are counted on: they name the events that retry it.
pub(crate) async fn insert<'a>(
    conn: &mut Conn,
    letters: impl Iterator<Item = &'a NewDeadLetter>,
) -> Result<()> {
    let mut letters: Vec<_> = letters.collect();
    // In their order, so that two processes cannot lock each other out.
    letters.sort_by_key(|letter| letter.id);
    letters.dedup_by_key(|letter| letter.id);
    let inserts: Vec<_> = chunks(conn.kind(), &letters)
        .map(|chunk| {
            let upsert =
                insert_into(d::table).values(chunk.to_vec()).on_conflict(d::id).do_update().set((
                    d::status.eq(excluded(d::status)),
                    d::version.eq(excluded(d::version)),
                    d::attempts.eq(excluded(d::attempts)),
                    d::errors.eq(excluded(d::errors)),
                    d::next_retry_at.eq(excluded(d::next_retry_at)),
                    d::retry_event_id.eq(None::<Uuid>),
                    d::dead_at.eq(excluded(d::dead_at)),
                    d::changed_at.eq(excluded(d::changed_at)),
                    d::told.eq(excluded(d::told)),
                ));
            let is_closed = d::status.eq(RESOLVED).or(d::status.eq(ABANDONED));
            let is_closed = is_closed.and(d::changed_at.lt(excluded(d::dead_at)));
            methods::FilterDsl::filter(upsert, is_closed)
        })
        .collect();
    let statements = collect_each(conn.kind(), &inserts)?;
    conn.execute_each(&statements).await?;
    Ok(())
}

/// What a list shows of a letter: nothing that came with the event.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = dead_letters, check_for_backend(Dual))]
pub struct DeadLetterHead {
    /// Its id.
    pub id: Uuid,
    /// The tenant.
    pub org: String,
    /// The event.
    pub event_id: Uuid,
    /// Its type.
    pub event_type: String,
    /// The consumer that gave it up; `automation:{id}` for one automation.
    pub consumer: String,
    /// The automation that failed.
    pub automation_id: Option<Uuid>,
    /// The version of it.
    pub version: Option<i32>,
    /// How often it was tried before it was given up.
    pub attempts: i32,
    /// [`PENDING`], [`RETRYING`], [`RESOLVED`] or [`ABANDONED`].
    pub status: String,
    /// How often it was retried since.
    pub retries: i32,
    /// When it is retried by itself; `None` leaves that to people.
    pub next_retry_at: Option<DateTime<Utc>>,
    /// The event that retries it, or did so with success.
    pub retry_event_id: Option<Uuid>,
    /// What was said when it was resolved.
    pub note: Option<String>,
    /// Who changed it last.
    pub changed_by: Option<String>,
    /// When it was given up.
    pub dead_at: DateTime<Utc>,
    /// When it last changed.
    pub changed_at: DateTime<Utc>,
}

/// A letter with all that is known.
#[derive(Clone, Debug, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = dead_letters, check_for_backend(Dual))]
pub struct DeadLetterRow {
    /// What a list shows.
    #[diesel(embed)]
    pub head: DeadLetterHead,
    /// Why each try failed, as a JSON array of texts, oldest first.
    pub errors: String,
    /// The message as the bus had it, when the store has no such event; packed.
    pub message: Option<Vec<u8>>,
}

impl DeadLetterRow {
    /// Why each try failed, oldest first.
    pub fn reasons(&self) -> Vec<String> {
        serde_json::from_str(&self.errors).unwrap_or_default()
    }

    /// The message as the bus had it, when the store has no such event.
    ///
    /// # Errors
    /// When the column is damaged.
    pub fn message(&self) -> Result<Option<Vec<u8>>> {
        let Some(packed) = &self.message else { return Ok(None) };
        unpack(packed.clone()).map_err(|error| Error::corrupt("dead_letters", "message", error))
    }
}

/// A message of the bus in the form of the column.
pub fn packed(message: &[u8]) -> Vec<u8> {
    pack(message)
}

/// The letter with this id, if this organisation has it.
pub fn get<'a>(conn: &'a mut Conn, org: &'a str, id: Uuid) -> Answer<'a, Option<DeadLetterRow>> {
    d::table
        .filter(d::id.eq(id))
        .filter(d::org.eq(org))
        .select(DeadLetterRow::as_select())
        .row(conn)
}

/// How many letters of each status an organisation has.
pub fn counts<'a>(conn: &'a mut Conn, org: &'a str) -> Answer<'a, Vec<(String, i64)>> {
    d::table
        .filter(d::org.eq(org))
        .group_by(d::status)
        .order(d::status)
        .select((d::status, diesel::dsl::count_star()))
        .rows(conn)
}
