//! What is read when a bus or a consumer is opened.

use std::collections::HashMap;

use omni_events::SubjectPattern;
use rusqlite::{Connection, params};
use uuid::Uuid;

use super::{
    commit::{Head, Heads},
    cursor::Cursor,
    dedupe::Dedupe,
    log::Log,
    ranges::Ranges,
    readers,
    schema::table,
    state::{Key, State},
};
use crate::{ConsumerConfig, Error, Start, Stream};

/// Reads where each stream ends.
pub(super) fn heads(connection: &Connection) -> rusqlite::Result<Heads> {
    let mut heads = Heads::default();
    for stream in Stream::ALL {
        let sql = format!("SELECT seq, at FROM {} ORDER BY seq DESC LIMIT 1", table(stream));
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query([])?;
        if let Some(row) = rows.next()? {
            heads[stream.index()] =
                Head { sequence: row.get::<_, i64>(0)? as u64, at: row.get(1)? };
        }
    }
    let mut statement = connection.prepare("SELECT stream, purged FROM streams")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let head = &mut heads[readers::stream(row, 0)?.index()];
        head.sequence = head.sequence.max(row.get::<_, i64>(1)? as u64);
    }
    Ok(heads)
}

/// Reads the ids that came within the window.
pub(super) fn dedupe(connection: &Connection, now: i64) -> rusqlite::Result<Dedupe> {
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

/// The streams a consumer reads.
pub(super) fn streams(filters: &[SubjectPattern]) -> Result<Vec<Stream>, Error> {
    let mut streams = Vec::new();
    for filter in filters {
        streams.extend(Stream::selected_by(filter)?);
    }
    streams.sort_unstable();
    streams.dedup();
    Ok(streams)
}

/// Reads where a consumer stands, and places it in those of its streams that are new to it.
pub(super) fn state(
    connection: &Connection,
    config: &ConsumerConfig,
    heads: &[(Stream, u64)],
) -> rusqlite::Result<State> {
    let mut stored: HashMap<Stream, (u64, Ranges)> = HashMap::new();
    let mut statement =
        connection.prepare("SELECT stream, floor, settled FROM consumers WHERE consumer = ?1")?;
    let mut rows = statement.query(params![config.name])?;
    while let Some(row) = rows.next()? {
        let settled: String = row.get(2)?;
        let settled = Ranges::from_json(&settled).map_err(|error| {
            let text = rusqlite::types::Type::Text;
            rusqlite::Error::FromSqlConversionFailure(2, text, Box::new(error))
        })?;
        stored.insert(readers::stream(row, 0)?, (row.get::<_, i64>(1)? as u64, settled));
    }
    let mut cursors = Vec::with_capacity(heads.len());
    for (stream, head) in heads {
        cursors.push(match stored.remove(stream) {
            Some((floor, settled)) => Cursor::new(*stream, floor + 1, settled),
            None => start(connection, *stream, *head, config)?,
        });
    }
    Ok(State::new(cursors, failures(connection, &config.name)?))
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

/// The last committed sequence of some streams.
pub(super) fn ends(log: &Log, streams: Vec<Stream>) -> Vec<(Stream, u64)> {
    streams.into_iter().map(|stream| (stream, log.ends(stream).0)).collect()
}
