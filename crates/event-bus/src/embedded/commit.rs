//! The statements of one commit. Nothing here touches memory that others see: the writer does, after the commit.

use rusqlite::{Connection, params};

use super::{dedupe::Dedupe, log::Stored, schema::table, state::Journal};
use crate::{DeadLetter, Message, Receipt, Stream};

/// Most messages removed in one commit, so that publishers do not wait for a purge.
const PURGE_STEP: i64 = 512;

/// The end of a stream.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    pub(super) sequence: u64,
    /// The time of the last message, in microseconds.
    pub(super) at: i64,
}

/// The ends of all streams.
pub(super) type Heads = [Head; Stream::ALL.len()];

/// What a commit adds to the streams.
#[derive(Debug)]
pub(super) struct Appended {
    /// Where the streams end after it.
    pub(super) heads: Heads,
    /// The messages, in order.
    pub(super) stored: Vec<Stored>,
}

/// Messages on their way into the streams, in one commit.
#[derive(Debug)]
pub(super) struct Insert<'a> {
    pub(super) connection: &'a Connection,
    pub(super) dedupe: &'a mut Dedupe,
    pub(super) appended: &'a mut Appended,
    pub(super) now: i64,
}

impl Insert<'_> {
    /// Inserts a message unless its id is known.
    pub(super) fn message(&mut self, message: &Message) -> rusqlite::Result<Receipt> {
        // The handle has checked it; were it otherwise, the commit fails.
        let stream = Stream::of(&message.subject)
            .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))?;
        if let Some(sequence) = self.dedupe.get(message.id, stream) {
            return Ok(Receipt { stream, sequence, duplicate: true });
        }
        let head = &mut self.appended.heads[stream.index()];
        let next = Head { sequence: head.sequence + 1, at: self.now.max(head.at) };
        self.connection.prepare_cached(insert_sql(stream))?.execute(params![
            next.sequence as i64,
            message.id.as_bytes(),
            &*message.subject,
            next.at,
            &*message.data,
        ])?;
        *head = next;
        self.dedupe.insert(message.id, stream, next.at, next.sequence);
        let Head { sequence, at } = next;
        self.appended.stored.push(Stored { stream, sequence, at, message: message.clone() });
        Ok(Receipt { stream, sequence, duplicate: false })
    }
}

fn insert_sql(stream: Stream) -> &'static str {
    match stream {
        Stream::Message => "INSERT INTO stream_message VALUES (?1, ?2, ?3, ?4, ?5)",
        Stream::Instance => "INSERT INTO stream_instance VALUES (?1, ?2, ?3, ?4, ?5)",
        Stream::Identity => "INSERT INTO stream_identity VALUES (?1, ?2, ?3, ?4, ?5)",
        Stream::Media => "INSERT INTO stream_media VALUES (?1, ?2, ?3, ?4, ?5)",
        Stream::Access => "INSERT INTO stream_access VALUES (?1, ?2, ?3, ?4, ?5)",
        Stream::Custom => "INSERT INTO stream_custom VALUES (?1, ?2, ?3, ?4, ?5)",
        Stream::System => "INSERT INTO stream_system VALUES (?1, ?2, ?3, ?4, ?5)",
    }
}

/// Stores what has changed for one consumer.
pub(super) fn journal(
    connection: &Connection,
    consumer: &str,
    journal: &Journal,
) -> rusqlite::Result<()> {
    if journal.cleared {
        forget(connection, consumer)?;
    }
    for (stream, floor, settled) in &journal.floors {
        connection
            .prepare_cached("INSERT OR REPLACE INTO consumers VALUES (?1, ?2, ?3, ?4)")?
            .execute(params![consumer, stream.as_str(), *floor as i64, settled.to_json()])?;
    }
    for ((stream, sequence), reasons) in &journal.failures {
        let (stream, sequence) = (stream.as_str(), *sequence as i64);
        match reasons {
            Some(reasons) => connection
                .prepare_cached("INSERT OR REPLACE INTO failures VALUES (?1, ?2, ?3, ?4)")?
                .execute(params![consumer, stream, sequence, json(reasons)?])?,
            None => connection
                .prepare_cached(
                    "DELETE FROM failures WHERE consumer = ?1 AND stream = ?2 AND seq = ?3",
                )?
                .execute(params![consumer, stream, sequence])?,
        };
    }
    journal.dead.iter().try_for_each(|dead| bury(connection, dead))
}

fn bury(connection: &Connection, dead: &DeadLetter) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO dead_letters
                 (consumer, stream, seq, attempts, reasons, dead_at, id, subject, at, data)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            dead.consumer,
            dead.stream.as_str(),
            dead.sequence as i64,
            dead.attempts,
            json(&dead.reasons)?,
            dead.dead_at.timestamp_micros(),
            dead.message.id.as_bytes(),
            &*dead.message.subject,
            dead.published_at.timestamp_micros(),
            &*dead.message.data,
        ])?;
    Ok(())
}

fn json(reasons: &[String]) -> rusqlite::Result<String> {
    serde_json::to_string(reasons)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

/// Removes everything stored for a consumer but its dead letters.
pub(super) fn forget(connection: &Connection, consumer: &str) -> rusqlite::Result<()> {
    connection.execute("DELETE FROM consumers WHERE consumer = ?1", [consumer])?;
    connection.execute("DELETE FROM failures WHERE consumer = ?1", [consumer])?;
    Ok(())
}

/// Removes some of the oldest messages before a sequence; returns how many, and the sequence before which all are gone.
pub(super) fn purge(
    connection: &Connection,
    stream: Stream,
    before: u64,
) -> rusqlite::Result<(u64, u64)> {
    let table = table(stream);
    let oldest: Option<i64> =
        connection.query_row(&format!("SELECT min(seq) FROM {table}"), [], |row| row.get(0))?;
    let Some(oldest) = oldest else { return Ok((0, 0)) };
    let end = (before as i64).min(oldest + PURGE_STEP);
    if end <= oldest {
        return Ok((0, 0));
    }
    let purged = connection.execute(&format!("DELETE FROM {table} WHERE seq < ?1"), [end])?;
    connection.execute(
        "INSERT OR REPLACE INTO streams VALUES (?1, ?2)",
        params![stream.as_str(), end - 1],
    )?;
    Ok((purged as u64, end as u64))
}
