//! What is read when a bus or a consumer is opened.

use std::collections::HashMap;

use omni_events::SubjectPattern;
use rusqlite::{Connection, OptionalExtension};
use uuid::Uuid;

use super::{
    commit::{Head, Heads},
    cursor::Cursor,
    dedupe::Dedupe,
    log::Log,
    ranges::Ranges,
    readers,
    schema::{ROW_SIZE, table},
    state::{Key, State},
};
use crate::{ConsumerConfig, Error, Start, Stream, routes};

/// Reads what the writer keeps in memory: what identifies the database, its streams, and the ids of the window.
pub(super) fn bus(connection: &Connection, now: i64) -> rusqlite::Result<(String, Heads, Dedupe)> {
    let identity = connection.query_row("SELECT identity FROM bus", [], |row| row.get(0))?;
    Ok((identity, heads(connection)?, dedupe(connection, now)?))
}

/// Reads where each stream begins and ends, and how large it is.
fn heads(connection: &Connection) -> rusqlite::Result<Heads> {
    let mut heads = Heads::default();
    let mut counted = [0; Stream::ALL.len()];
    let mut statement = connection.prepare("SELECT stream, purged, counted, size FROM streams")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let stream = readers::stream(row, 0)?.index();
        let purged = row.get::<_, i64>(1)? as u64;
        let size = row.get::<_, i64>(3)? as u64;
        counted[stream] = row.get(2)?;
        heads[stream] = Head { sequence: purged, purged, size, ..Head::default() };
    }
    for stream in Stream::ALL {
        let (head, table) = (&mut heads[stream.index()], table(stream));
        let end: Option<(i64, i64)> = connection
            .query_row(
                &format!("SELECT seq, at FROM {table} ORDER BY seq DESC LIMIT 1"),
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )
            .optional()?;
        if let Some((sequence, at)) = end {
            head.sequence = head.sequence.max(sequence as u64);
            head.at = at;
        }
        let uncounted: i64 = connection.query_row(
            &format!(
                "SELECT coalesce(sum(length(data) + {ROW_SIZE}), 0) FROM {table} WHERE seq > ?1"
            ),
            [counted[stream.index()]],
            |row| row.get(0),
        )?;
        head.size += uncounted as u64;
        head.uncounted = uncounted as u64;
    }
    Ok(heads)
}

/// Reads the ids that came within the window.
fn dedupe(connection: &Connection, now: i64) -> rusqlite::Result<Dedupe> {
    let horizon = Dedupe::horizon(now);
    let mut recent: Vec<(i64, u64, Uuid, Stream)> = Vec::new();
    for stream in Stream::ALL {
        let sql = format!("SELECT seq, id, at FROM {} ORDER BY seq DESC", table(stream));
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut count = 0;
        while let Some(row) = rows.next()?
            && count < Dedupe::IDS_MAX
        {
            let at = row.get(2)?;
            if at < horizon {
                break;
            }
            let id = Uuid::from_bytes(row.get(1)?);
            recent.push((at, row.get::<_, i64>(0)? as u64, id, stream));
            count += 1;
        }
    }
    recent.sort_unstable();
    let mut dedupe = Dedupe::default();
    for (at, sequence, id, stream) in recent {
        dedupe.insert(id, stream, at, sequence);
    }
    dedupe.expire(now);
    Ok(dedupe)
}

/// The streams of a consumer.
#[derive(Debug)]
pub(super) struct Streams {
    /// Those of the domains of its filters.
    pub(super) domains: Vec<Stream>,
    /// Those that messages it may want are routed to.
    pub(super) routed: Vec<Stream>,
    /// The last committed sequence of every stream.
    pub(super) heads: [u64; Stream::ALL.len()],
}

impl Streams {
    pub(super) fn new(
        filters: &[SubjectPattern],
        routed: &[Stream],
        log: &Log,
    ) -> Result<Self, Error> {
        let domains = routes::domains(filters)?;
        let routed = if routes::may_select_routed(&domains) { routed.to_vec() } else { Vec::new() };
        Ok(Self { domains, routed, heads: heads_of(log) })
    }
}

/// The last committed sequence of every stream.
pub(super) fn heads_of(log: &Log) -> [u64; Stream::ALL.len()] {
    Stream::ALL.map(|stream| log.ends(stream).head)
}

/// Reads where a consumer stands, and places it in those of its streams that are new to it.
pub(super) fn state(
    connection: &Connection,
    config: &ConsumerConfig,
    streams: &Streams,
) -> rusqlite::Result<State> {
    let mut stored = positions(connection, &config.name)?;
    let is_new = stored.is_empty();
    let mut cursors = Vec::new();
    for stream in Stream::ALL {
        let in_domain = streams.domains.contains(&stream);
        let cursor = match stored.remove(&stream) {
            // Also where nothing is routed any more: what was may still wait there.
            Some(cursor) if in_domain || routes::may_select_routed(&streams.domains) => cursor,
            None if in_domain || (is_new && streams.routed.contains(&stream)) => {
                start(connection, stream, streams.heads[stream.index()], config)?
            }
            // Messages came to be routed here while the consumer was away: all of them are news to it.
            None if streams.routed.contains(&stream) => first(stream),
            _ => continue,
        };
        cursors.push(cursor);
    }
    Ok(State::new(cursors, failures(connection, &config.name)?))
}

/// Reads the positions that are stored for a consumer.
pub(super) fn positions(
    connection: &Connection,
    consumer: &str,
) -> rusqlite::Result<HashMap<Stream, Cursor>> {
    let mut stored = HashMap::new();
    let mut statement =
        connection.prepare("SELECT stream, floor, settled FROM consumers WHERE consumer = ?1")?;
    let mut rows = statement.query([consumer])?;
    while let Some(row) = rows.next()? {
        let settled: String = row.get(2)?;
        let settled = Ranges::from_json(&settled).map_err(|error| {
            let text = rusqlite::types::Type::Text;
            rusqlite::Error::FromSqlConversionFailure(2, text, Box::new(error))
        })?;
        let stream = readers::stream(row, 0)?;
        let floor = row.get::<_, i64>(1)? as u64;
        stored.insert(stream, Cursor::new(stream, floor + 1, settled));
    }
    Ok(stored)
}

/// The place before everything that is kept.
pub(super) fn first(stream: Stream) -> Cursor {
    Cursor::new(stream, 1, Ranges::default())
}

/// Places a consumer by its start.
pub(super) fn start(
    connection: &Connection,
    stream: Stream,
    head: u64,
    config: &ConsumerConfig,
) -> rusqlite::Result<Cursor> {
    let next = match config.start {
        Start::New => None,
        Start::First => Some(1),
        Start::Last => readers::last(connection, stream, &config.filters)?,
        Start::Sequence(sequence) => Some(sequence.max(1)),
        Start::Time(time) => readers::first_at(connection, stream, time.timestamp_micros())?,
    };
    Ok(Cursor::new(stream, next.unwrap_or(head + 1), Ranges::default()))
}

fn failures(
    connection: &Connection,
    consumer: &str,
) -> rusqlite::Result<HashMap<Key, Vec<String>>> {
    let mut statement =
        connection.prepare("SELECT stream, seq, reasons FROM failures WHERE consumer = ?1")?;
    let rows = statement.query_map([consumer], |row| {
        let key = (readers::stream(row, 0)?, row.get::<_, i64>(1)? as u64);
        Ok((key, readers::json(row, 2)?))
    })?;
    rows.collect()
}
