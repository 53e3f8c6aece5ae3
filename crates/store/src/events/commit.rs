//! The group commit: everything that waits goes into one transaction, and nobody is answered before it is on disk.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{ExpressionMethods as _, QueryDsl as _, insert_into, update};
use omni_events::Event;
use uuid::Uuid;

use crate::{
    Answer, Kind, Result,
    batch::chunks,
    conn::{Conn, Run as _, read},
    counters,
    dual::{Bind, Statement, collect, collect_each},
    error::Error,
    schema::{event_payloads as p, event_texts as t, omni_events as e, outbox_writers as w},
};

use super::{
    Committed, NewEvent, dedupe,
    row::{CaptureRow, NewRow},
};

/// Commits a batch of events with their keys and captures, and the writer's watermark, in one transaction.
///
/// The answers are in the order of the events. `published_through` is the highest sequence up to which this writer has
/// published everything; it never goes back. An id that is stored already is a repeat, so a batch whose commit had an
/// unknown outcome may be sent again as it was.
///
/// # Errors
/// [`Error::WriterRetired`] when another process took the writer's events over. With any error nothing of the batch was
/// committed, unless the connection was lost during the commit.
pub fn commit_batch<'a>(
    conn: &'a mut Conn,
    writer: i64,
    published_through: i64,
    now: DateTime<Utc>,
    events: &'a [NewEvent],
) -> Answer<'a, Vec<Committed>> {
    Box::pin(async move {
        conn.begin().await?;
        let result = async {
            set_published(conn, writer, published_through, now).await?;
            insert_all(conn, writer, now, events).await
        };
        let result = result.await;
        conn.end(result).await
    })
}

/// Moves the watermark and shows that the writer lives; locks the writer's row against its fence.
pub(crate) async fn set_published(
    conn: &mut Conn,
    writer: i64,
    through: i64,
    now: DateTime<Utc>,
) -> Result<()> {
    let alive = update(w::table.filter(w::id.eq(writer)).filter(w::fenced.eq(false)))
        .set(w::heartbeat_at.eq(now));
    let ahead = update(w::table.filter(w::id.eq(writer)).filter(w::published_through.lt(through)))
        .set(w::published_through.eq(through));
    let kind = conn.kind();
    let both = [collect(kind, &alive)?, collect(kind, &ahead)?];
    // The transaction is undone if the writer is dead, and the second statement with it.
    match conn.execute_each(&both).await?.first() {
        Some(1) => Ok(()),
        _ => Err(Error::WriterRetired { writer }),
    }
}

async fn insert_all(
    conn: &mut Conn,
    writer: i64,
    now: DateTime<Utc>,
    events: &[NewEvent],
) -> Result<Vec<Committed>> {
    let sequences = allocate(conn, events.len()).await?;
    let mut answers: Vec<Committed> =
        sequences.iter().map(|sequence| Committed::New { sequence: *sequence }).collect();
    dedupe::claim(conn, now, events, &mut answers).await?;
    insert_events(conn, writer, events, &mut answers).await?;
    insert_captures(conn, events, &answers).await?;
    Ok(answers)
}

/// Takes the next sequences, ascending.
async fn allocate(conn: &mut Conn, events: usize) -> Result<Vec<i64>> {
    let count = events as i64;
    match conn.kind() {
        Kind::Sqlite => {
            let last = counters::add(conn, "events", count).await?;
            Ok((last - count + 1..=last).collect())
        }
        Kind::Postgres => {
            let sql = "SELECT nextval('omni_events_sequence') FROM generate_series(1, $1)";
            let next = Statement::new(Kind::Postgres, sql.into(), vec![Bind::BigInt(count)]);
            let rows = conn.load(&next).await?;
            rows.iter().map(read::<i64, diesel::sql_types::BigInt>).collect()
        }
    }
}

/// The events that are still new, with their sequences.
fn still_new<'a>(
    events: &'a [NewEvent],
    answers: &'a [Committed],
) -> impl Iterator<Item = (&'a NewEvent, i64)> {
    events.iter().zip(answers).filter_map(|(event, answer)| match answer {
        Committed::New { sequence } => Some((event, *sequence)),
        _ => None,
    })
}

async fn insert_events(
    conn: &mut Conn,
    writer: i64,
    events: &[NewEvent],
    answers: &mut [Committed],
) -> Result<()> {
    let rows: Vec<NewRow<'_>> = still_new(events, answers)
        .map(|(new, sequence)| NewRow::new(new, sequence, writer))
        .collect();
    let inserts: Vec<_> = chunks(conn.kind(), &rows)
        .map(|chunk| insert_into(e::table).values(chunk).on_conflict(e::id).do_nothing())
        .collect();
    let statements = collect_each(conn.kind(), &inserts)?;
    let inserted: usize = conn.execute_each(&statements).await?.iter().sum();
    if inserted < rows.len() {
        let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
        answer_known_ids(conn, events, &ids, answers).await?;
    }
    insert_words(conn, events, answers).await
}

/// Lets SQLite find events by their words; PostgreSQL has an index that follows the column.
async fn insert_words(conn: &mut Conn, events: &[NewEvent], answers: &[Committed]) -> Result<()> {
    if conn.kind() == Kind::Postgres {
        return Ok(());
    }
    let rows: Vec<_> = still_new(events, answers)
        .filter_map(|(new, sequence)| {
            let m = &new.event.metadata;
            let text = m.content_text.as_deref()?;
            Some((t::rowid.eq(sequence), t::org.eq(m.org.as_str()), t::content_text.eq(text)))
        })
        .collect();
    let inserts: Vec<_> = chunks(Kind::Sqlite, &rows)
        .map(|chunk| insert_into(t::table).values(chunk.to_vec()))
        .collect();
    let statements = collect_each(Kind::Sqlite, &inserts)?;
    conn.execute_each(&statements).await?;
    Ok(())
}

/// Some ids were stored already, so a commit of an unknown outcome is being repeated: answers with what is stored.
async fn answer_known_ids(
    conn: &mut Conn,
    events: &[NewEvent],
    ids: &[Uuid],
    answers: &mut [Committed],
) -> Result<()> {
    let mut stored: HashMap<Uuid, (i64, String)> = HashMap::new();
    for some in chunks(Kind::Postgres, ids) {
        let query = e::table.filter(e::id.eq_any(some)).select((e::id, e::sequence, e::org));
        let found: Vec<(Uuid, i64, String)> = query.rows(conn).await?;
        stored.extend(found.into_iter().map(|(id, sequence, org)| (id, (sequence, org))));
    }
    for (new, answer) in events.iter().zip(answers) {
        let Committed::New { sequence: ours } = *answer else { continue };
        let event_id = new.event.id;
        if let Some((sequence, org)) = stored.get(&event_id)
            && *sequence != ours
        {
            *answer = if org == new.event.metadata.org.as_str() {
                Committed::Repeat { event_id, sequence: *sequence }
            } else {
                Committed::Conflict { event_id }
            };
        }
    }
    Ok(())
}

async fn insert_captures(
    conn: &mut Conn,
    events: &[NewEvent],
    answers: &[Committed],
) -> Result<()> {
    let rows: Vec<CaptureRow<'_>> = still_new(events, answers)
        .filter_map(|(new, _)| {
            let Event { id, ref metadata, received_at, .. } = new.event;
            Some(CaptureRow::new(id, metadata.org.as_str(), new.capture.as_ref()?, received_at))
        })
        .collect();
    let inserts: Vec<_> =
        chunks(conn.kind(), &rows).map(|chunk| insert_into(p::table).values(chunk)).collect();
    let statements = collect_each(conn.kind(), &inserts)?;
    conn.execute_each(&statements).await?;
    Ok(())
}
