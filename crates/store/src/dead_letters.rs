//! What a consumer or an automation gave up: kept until somebody resolves or abandons it, or a retry succeeds.
//!
//! What must stay true: one thing that was given up is one row, however often that is told, because its id is derived
//! from what it is.

use chrono::{DateTime, Utc};
use diesel::{Insertable, insert_into};
use uuid::Uuid;

use crate::{
    Result,
    batch::chunks,
    conn::Conn,
    dual::collect_each,
    schema::dead_letters::{self, self as d},
};

/// Waits for its next try, or for somebody to look.
pub const PENDING: &str = "pending";
/// A retry of it is on its way.
pub const RETRYING: &str = "retrying";
/// Done with: a retry succeeded, or somebody says so.
pub const RESOLVED: &str = "resolved";
/// Nobody will try again.
pub const ABANDONED: &str = "abandoned";

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

/// Adds what was given up; what is there already stays as it is.
pub(crate) async fn insert(conn: &mut Conn, letters: &[&NewDeadLetter]) -> Result<()> {
    let inserts: Vec<_> = chunks(conn.kind(), letters)
        .map(|chunk| insert_into(d::table).values(chunk.to_vec()).on_conflict_do_nothing())
        .collect();
    let statements = collect_each(conn.kind(), &inserts)?;
    conn.execute_each(&statements).await?;
    Ok(())
}
