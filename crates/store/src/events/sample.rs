//! Reading the payloads of one type, newest first, a bounded piece at a time: to hold a schema against them.
//!
//! What must stay true: a piece never fills the memory, however many events there are and however large; and each row is
//! read whole once at most, however many of them are replays.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Binary, Nullable, Timestamptz, Uuid as SqlUuid};
use uuid::Uuid;

use crate::{
    Answer, Error, Kind, Result,
    conn::{Conn, read},
    dual::Statement,
    pack::unpack,
};

use super::{filter::Place, writer::Writer};

/// Most events of a piece.
pub const PIECE_MAX: i64 = 512;
/// Largest payload that is read along with its place, in bytes as they are kept.
const SMALL_MAX: i64 = 8 << 10;
/// Most bytes of larger payloads in one piece, unless one alone is larger.
const PIECE_BYTES: i64 = 4 << 20;

/// The events of one type.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// The tenant.
    pub org: &'a str,
    /// The type, exactly.
    pub event_type: &'a str,
    /// Received at or after this.
    pub from: Option<DateTime<Utc>>,
    /// Received before this.
    pub to: Option<DateTime<Utc>>,
}

/// An event of a sample.
pub struct Sampled {
    /// Its place.
    pub place: Place,
    /// Its id.
    pub id: Uuid,
    /// Bytes of its payload as they are kept; none for a replay.
    size: Option<i64>,
    packed: Option<Vec<u8>>,
}

impl std::fmt::Debug for Sampled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Sampled").field(&self.id).finish()
    }
}

impl Sampled {
    /// Whether it has the payload of an earlier event.
    pub fn is_replay(&self) -> bool {
        self.size.is_none()
    }

    /// The bytes of its payload; none if they were taken out on purpose, and for a replay.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when they are damaged.
    pub fn open(self) -> Result<Option<Vec<u8>>> {
        let Some(packed) = self.packed else { return Ok(None) };
        unpack(packed).map_err(|error| Error::corrupt("omni_events", "payload", error))
    }
}

/// The next events after a place, at most so many and at most [`PIECE_MAX`], fewer where they are large; none when there
/// are no more.
pub fn next<'a>(
    conn: &'a mut Conn,
    sample: Sample<'a>,
    after: Option<Place>,
    limit: i64,
) -> Answer<'a, Vec<Sampled>> {
    Box::pin(async move {
        let statement = statement(conn.kind(), sample, after, limit.min(PIECE_MAX));
        let rows = conn.load(&statement).await?;
        let mut piece = Vec::with_capacity(rows.len());
        let (mut large, mut bytes) = (Vec::new(), 0);
        for row in &rows {
            let sampled = sampled(row)?;
            if sampled.packed.is_none()
                && let Some(size) = sampled.size
            {
                bytes += size;
                if bytes > PIECE_BYTES && !large.is_empty() {
                    break;
                }
                large.push(sampled.place.sequence);
            }
            piece.push(sampled);
        }
        drop(rows);
        let mut payloads = payloads(conn, &large).await?;
        for sampled in piece.iter_mut().filter(|sampled| sampled.packed.is_none()) {
            sampled.packed = payloads.remove(&sampled.place.sequence);
        }
        Ok(piece)
    })
}

/// How many events there are, replays included, counted up to so many. Reads an index only.
pub fn count<'a>(conn: &'a mut Conn, sample: Sample<'a>, most: i64) -> Answer<'a, i64> {
    Box::pin(async move {
        let mut w = Writer::new(conn.kind());
        w.sql("SELECT count(*) FROM (SELECT 1 FROM omni_events");
        selected(&mut w, sample);
        w.sql(" LIMIT ").number(most).sql(") AS counted");
        let rows = conn.load(&w.done()).await?;
        rows.first().map_or(Ok(0), read::<i64, BigInt>)
    })
}

/// The lines of the plan of a piece: for tests.
#[cfg(feature = "testing")]
pub fn explain<'a>(
    conn: &'a mut Conn,
    sample: Sample<'a>,
    after: Option<Place>,
) -> Answer<'a, Vec<String>> {
    Box::pin(async move {
        let statement = statement(conn.kind(), sample, after, PIECE_MAX);
        super::explain::plan(conn, statement).await
    })
}

fn statement(kind: Kind, sample: Sample<'_>, after: Option<Place>, limit: i64) -> Statement<'_> {
    let mut w = Writer::new(kind);
    w.sql("SELECT received_at, sequence, id");
    w.sql(", CASE WHEN replay_of IS NULL THEN CAST(length(payload) AS BIGINT) END");
    w.sql(", CASE WHEN replay_of IS NULL AND length(payload) <= ").number(SMALL_MAX);
    w.sql(" THEN payload END FROM omni_events");
    selected(&mut w, sample);
    if let Some(Place { received_at, sequence }) = after {
        w.sql(" AND (received_at, sequence) < (").time(received_at).sql(", ");
        w.number(sequence).sql(")");
    }
    w.sql(" ORDER BY received_at DESC, sequence DESC LIMIT ").number(limit);
    w.done()
}

fn selected<'a>(w: &mut Writer<'a>, sample: Sample<'a>) {
    w.only(Kind::Sqlite, " INDEXED BY omni_events_by_type");
    w.sql(" WHERE org = ").text(sample.org).sql(" AND event_type = ").text(sample.event_type);
    for (condition, time) in
        [(" AND received_at >= ", sample.from), (" AND received_at < ", sample.to)]
    {
        if let Some(time) = time {
            w.sql(condition).time(time);
        }
    }
}

fn sampled(row: &crate::dual::Row) -> Result<Sampled> {
    type Columns = (Timestamptz, BigInt, SqlUuid, Nullable<BigInt>, Nullable<Binary>);
    let (received_at, sequence, id, size, packed) =
        read::<(DateTime<Utc>, i64, Uuid, Option<i64>, Option<Vec<u8>>), Columns>(row)?;
    Ok(Sampled { place: Place { received_at, sequence }, id, size, packed })
}

/// The payloads at these sequences, as they are kept.
async fn payloads(conn: &mut Conn, sequences: &[i64]) -> Result<HashMap<i64, Vec<u8>>> {
    if sequences.is_empty() {
        return Ok(HashMap::new());
    }
    let mut w = Writer::new(conn.kind());
    w.sql("SELECT sequence, payload FROM omni_events WHERE sequence IN (");
    for (index, sequence) in sequences.iter().enumerate() {
        w.sql(if index == 0 { "" } else { ", " }).number(*sequence);
    }
    w.sql(")");
    let rows = conn.load(&w.done()).await?;
    rows.iter().map(read::<(i64, Vec<u8>), (BigInt, Binary)>).collect()
}
