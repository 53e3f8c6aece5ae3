//! What has expired: counted, deleted a little at a time, and forgotten for good later.
//!
//! Rows that another process is working on are left to it, so several may work at once and none waits.

use chrono::{DateTime, Utc};
use diesel::sql_types as st;

use crate::{
    Answer,
    conn::{Conn, read},
    dual::Bind,
};

/// The reason of a deletion because the time was over.
pub const EXPIRED: &str = "expired";

/// What has expired of one stage of one type of event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The type of the events.
    pub event_type: String,
    /// Where on their way it was captured.
    pub stage: String,
    /// How many parts.
    pub parts: i64,
    /// Bytes that they take in the store, compressed. A part that is the payload of its event takes none.
    pub bytes: i64,
    /// Bytes before compression.
    pub size: i64,
    /// When the first of them was captured.
    pub oldest: DateTime<Utc>,
    /// When the last of them was captured.
    pub newest: DateTime<Utc>,
}

type DueRow = (String, String, i64, i64, i64, DateTime<Utc>, DateTime<Utc>);
type DueTypes =
    (st::Text, st::Text, st::BigInt, st::BigInt, st::BigInt, st::Timestamptz, st::Timestamptz);

/// What of an organisation will have expired at a time and is not deleted, by type and stage.
pub fn due<'a>(conn: &'a mut Conn, org: &'a str, at: DateTime<Utc>) -> Answer<'a, Vec<Due>> {
    const SELECT: &str = "SELECT e.event_type, p.stage, COUNT(*), \
        CAST(COALESCE(SUM(LENGTH(p.body)), 0) AS BIGINT), CAST(SUM(p.size) AS BIGINT), \
        MIN(p.created_at), MAX(p.created_at) \
        FROM event_payloads p JOIN omni_events e ON e.id = p.event_id";
    const GROUP: &str =
        "p.deleted_at IS NULL GROUP BY e.event_type, p.stage ORDER BY e.event_type, p.stage";
    Box::pin(async move {
        let sqlite = format!("{SELECT} WHERE p.org = ? AND p.expires_at <= ? AND {GROUP}");
        let postgres = format!("{SELECT} WHERE p.org = $1 AND p.expires_at <= $2 AND {GROUP}");
        let query = conn.by_kind(&sqlite, &postgres, vec![Bind::Text(org), Bind::Time(at)]);
        let rows = conn.load(&query).await?;
        let of = |(event_type, stage, parts, bytes, size, oldest, newest)| Due {
            event_type,
            stage,
            parts,
            bytes,
            size,
            oldest,
            newest,
        };
        rows.iter().map(|row| read::<DueRow, DueTypes>(row).map(of)).collect()
    })
}

/// How many parts of all organisations have expired and are not deleted.
pub fn count_due(conn: &mut Conn, at: DateTime<Utc>) -> Answer<'_, i64> {
    const SELECT: &str =
        "SELECT COUNT(*) FROM event_payloads WHERE deleted_at IS NULL AND expires_at <= ";
    Box::pin(async move {
        let (sqlite, postgres) = (format!("{SELECT}?"), format!("{SELECT}$1"));
        let query = conn.by_kind(&sqlite, &postgres, vec![Bind::Time(at)]);
        let rows = conn.load(&query).await?;
        Ok(rows.first().map(read::<i64, st::BigInt>).transpose()?.unwrap_or_default())
    })
}

/// Deletes the bytes of what has expired, the oldest first and `limit` parts at most; answers how many parts.
///
/// With an organisation, only what belongs to it.
pub fn expire<'a>(
    conn: &'a mut Conn,
    org: Option<&'a str>,
    now: DateTime<Utc>,
    limit: i64,
) -> Answer<'a, usize> {
    const SQLITE: &str = "UPDATE event_payloads \
        SET body = NULL, deleted_at = ?, deleted_reason = ? WHERE (event_id, stage, part) IN \
        (SELECT event_id, stage, part FROM event_payloads WHERE expires_at <= ? AND deleted_at IS NULL \
         AND org = COALESCE(?, org) ORDER BY expires_at LIMIT ?)";
    const POSTGRES: &str = "UPDATE event_payloads \
        SET body = NULL, deleted_at = $1, deleted_reason = $2 WHERE (event_id, stage, part) IN \
        (SELECT event_id, stage, part FROM event_payloads WHERE expires_at <= $3 AND deleted_at IS NULL \
         AND org = COALESCE($4, org) ORDER BY expires_at LIMIT $5 FOR UPDATE SKIP LOCKED)";
    Box::pin(async move {
        let binds = vec![
            Bind::Time(now),
            Bind::Text(EXPIRED),
            Bind::Time(now),
            org.map_or(Bind::Null(crate::dual::Ty::Text), Bind::Text),
            Bind::BigInt(limit.max(0)),
        ];
        let expire = conn.by_kind(SQLITE, POSTGRES, binds);
        Ok(conn.execute(&expire).await?)
    })
}

/// Removes the rows of what was deleted at or before a time, `limit` at most; answers how many.
pub fn remove(conn: &mut Conn, before: DateTime<Utc>, limit: i64) -> Answer<'_, usize> {
    const SQLITE: &str = "DELETE FROM event_payloads WHERE (event_id, stage, part) IN \
        (SELECT event_id, stage, part FROM event_payloads WHERE deleted_at <= ? ORDER BY deleted_at LIMIT ?)";
    const POSTGRES: &str = "DELETE FROM event_payloads WHERE (event_id, stage, part) IN \
        (SELECT event_id, stage, part FROM event_payloads WHERE deleted_at <= $1 \
         ORDER BY deleted_at LIMIT $2 FOR UPDATE SKIP LOCKED)";
    Box::pin(async move {
        let binds = vec![Bind::Time(before), Bind::BigInt(limit.max(0))];
        let remove = conn.by_kind(SQLITE, POSTGRES, binds);
        Ok(conn.execute(&remove).await?)
    })
}
