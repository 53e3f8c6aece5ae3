//! The statements of one commit. Nothing here touches memory that others see: the writer does, after the commit.

use rusqlite::{CachedStatement, Connection, params};

use super::{
    dedupe::Dedupe,
    log::Stored,
    schema::{ROW_SIZE, table},
    state::Journal,
};
use crate::{Addressed, DeadLetter, Receipt, Stream};

/// Most messages removed in one commit, so that publishers do not wait for a purge.
const PURGE_STEP: i64 = 512;

/// Most bytes of messages removed in one commit: large ones are removed page by page.
const PURGE_SIZE: u64 = 4 << 20;

/// The size of a stream is stored whenever it has grown by this much, in bytes: so much must be added up at open.
const UNCOUNTED_MAX: u64 = 16 << 20;

/// The ends of a stream, and its size.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Head {
    pub(super) sequence: u64,
    /// The time of the last message, in microseconds.
    pub(super) at: i64,
    /// Up to here everything was removed.
    pub(super) purged: u64,
    /// What is there, in bytes.
    pub(super) size: u64,
    /// How much of it came after the size was stored.
    pub(super) uncounted: u64,
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
pub(super) struct Insert<'a> {
    connection: &'a Connection,
    dedupe: &'a mut Dedupe,
    appended: &'a mut Appended,
    now: i64,
    /// The statement for the stream of the last message; most groups are for one.
    statement: Option<(Stream, CachedStatement<'a>)>,
}

impl<'a> Insert<'a> {
    pub(super) fn new(
        connection: &'a Connection,
        dedupe: &'a mut Dedupe,
        appended: &'a mut Appended,
        now: i64,
    ) -> Self {
        Self { connection, dedupe, appended, now, statement: None }
    }

    /// Inserts a message unless its id is known.
    pub(super) fn message(&mut self, to: Addressed) -> rusqlite::Result<Receipt> {
        let Addressed { stream, message } = to;
        if let Some(sequence) = self.dedupe.get(message.id, stream) {
            return Ok(Receipt { stream, sequence, duplicate: true });
        }
        let head = self.appended.heads[stream.index()];
        let size = message.data.len() as u64 + ROW_SIZE;
        let next = Head {
            sequence: head.sequence + 1,
            at: self.now.max(head.at),
            size: head.size + size,
            uncounted: head.uncounted + size,
            ..head
        };
        self.statement(stream)?.execute(params![
            next.sequence as i64,
            message.id.as_bytes(),
            &*message.subject,
            next.at,
            &*message.data,
        ])?;
        self.appended.heads[stream.index()] = next;
        self.dedupe.insert(message.id, stream, next.at, next.sequence);
        let Head { sequence, at, .. } = next;
        self.appended.stored.push(Stored { stream, sequence, at, message });
        Ok(Receipt { stream, sequence, duplicate: false })
    }

    fn statement(&mut self, stream: Stream) -> rusqlite::Result<&mut CachedStatement<'a>> {
        let statement = match self.statement.take() {
            Some((of, statement)) if of == stream => statement,
            _ => self.connection.prepare_cached(insert_sql(stream))?,
        };
        Ok(&mut self.statement.insert((stream, statement)).1)
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

/// Stores the sizes of streams that have grown much, or of all.
pub(super) fn count(connection: &Connection, heads: &mut Heads, all: bool) -> rusqlite::Result<()> {
    for stream in Stream::ALL {
        let head = &mut heads[stream.index()];
        if head.uncounted > UNCOUNTED_MAX || (all && head.uncounted > 0) {
            store_head(connection, stream, head)?;
        }
    }
    Ok(())
}

fn store_head(connection: &Connection, stream: Stream, head: &mut Head) -> rusqlite::Result<()> {
    head.uncounted = 0;
    let Head { sequence, purged, size, .. } = *head;
    connection
        .prepare_cached("INSERT OR REPLACE INTO streams VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![stream.as_str(), purged as i64, sequence as i64, size as i64])?;
    Ok(())
}

/// Removes some of the oldest messages: those before a sequence, and as many as make the stream larger than a size.
///
/// Returns how many. The last message stays whatever its size.
pub(super) fn purge(
    connection: &Connection,
    stream: Stream,
    (before, size_max): (u64, u64),
    head: &mut Head,
) -> rusqlite::Result<u64> {
    let table = table(stream);
    let (mut purged, mut size, mut count) = (head.purged, 0, 0);
    let sql = format!(
        "SELECT seq, length(data) FROM {table} WHERE seq > ?1 ORDER BY seq LIMIT {PURGE_STEP}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([purged as i64])?;
    while let Some(row) = rows.next()? {
        let sequence = row.get::<_, i64>(0)? as u64;
        let excess = head.size.saturating_sub(size) > size_max && sequence < head.sequence;
        if size >= PURGE_SIZE || !(sequence < before || excess) {
            break;
        }
        purged = sequence;
        size += row.get::<_, i64>(1)? as u64 + ROW_SIZE;
        count += 1;
    }
    drop(rows);
    if count == 0 {
        return Ok(0);
    }
    connection.execute(&format!("DELETE FROM {table} WHERE seq <= ?1"), [purged as i64])?;
    // They cannot be handed out again.
    connection.execute(
        "DELETE FROM failures WHERE stream = ?1 AND seq <= ?2",
        params![stream.as_str(), purged as i64],
    )?;
    head.purged = purged;
    head.size = if purged == head.sequence { 0 } else { head.size.saturating_sub(size) };
    store_head(connection, stream, head)?;
    Ok(count)
}

/// Removes dead letters of a range of numbers; returns how many.
///
/// Never by "the oldest so many": when all are gone, numbers begin anew, and a new one must not be taken for old.
pub(super) fn purge_dead(
    connection: &Connection,
    (from, through): (i64, i64),
) -> rusqlite::Result<u64> {
    let removed = connection
        .execute("DELETE FROM dead_letters WHERE number BETWEEN ?1 AND ?2", [from, through])?;
    Ok(removed as u64)
}
