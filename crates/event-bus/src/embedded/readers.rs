//! Reading the database beside the writer: ranges for consumers that are behind, places for new ones, dead letters.

use std::sync::{Mutex, MutexGuard, PoisonError};

use omni_events::SubjectPattern;
use rusqlite::{Connection, OptionalExtension, Row, params};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    cursor::Page,
    log::{Ends, Stored, time_of},
    schema::{Files, ROW_SIZE, table},
};
use crate::{DeadLetter, Error, Limit, Message, Read, ReadFrom, Stream};

/// Most messages of a page.
pub(super) const PAGE_MESSAGES_MAX: usize = 256;
/// Most bytes of a page.
const PAGE_SIZE_MAX: usize = 4 << 20;
/// Most rows looked at for one page, when few are selected.
const PAGE_ROWS_MAX: u64 = 8192;

/// A few connections that read. They are opened when there are too few, and kept.
#[derive(Debug)]
pub(super) struct Readers {
    files: Files,
    /// None once closed.
    idle: Mutex<Option<Vec<Connection>>>,
}

impl Readers {
    pub(super) fn new(files: Files) -> Self {
        Self { files, idle: Mutex::new(Some(Vec::new())) }
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connections that nobody uses now; the others are closed after their use.
    pub(super) fn close(&self) {
        self.idle().take();
    }

    fn with<T>(&self, read: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, Error> {
        let connection = self.idle().as_mut().ok_or(Error::Closed)?.pop();
        let connection = match connection {
            Some(connection) => connection,
            None => self.files.reader().map_err(Error::backend("open its database"))?,
        };
        let result = read(&connection).map_err(Error::backend("read its database"));
        if let Some(idle) = self.idle().as_mut() {
            idle.push(connection);
        }
        result
    }

    /// Runs a read on a thread where it may block.
    pub(super) async fn run<T: Send + 'static>(
        self: &std::sync::Arc<Self>,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Error> {
        let readers = std::sync::Arc::clone(self);
        match spawn_blocking(move || readers.with(read)).await {
            Ok(result) => result,
            Err(error) => Err(Error::backend("read its database")(error)),
        }
    }
}

/// Reads selected messages of a range, as many as make a page, and no more than `max`.
pub(super) fn page(
    connection: &Connection,
    stream: Stream,
    (from, through): (u64, u64),
    (filters, max): (&[SubjectPattern], usize),
) -> rusqlite::Result<Page> {
    let max = max.clamp(1, PAGE_MESSAGES_MAX);
    let mut page = Page { from, through: through.min(from + PAGE_ROWS_MAX), messages: Vec::new() };
    let mut size = 0;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT seq, id, subject, at, data FROM {} WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq",
        table(stream)
    ))?;
    let mut rows = statement.query(params![from as i64, page.through as i64])?;
    while let Some(row) = rows.next()? {
        let subject = row.get_ref(2)?.as_str()?;
        if !filters.iter().any(|filter| filter.matches(subject)) {
            continue;
        }
        let sequence = row.get::<_, i64>(0)? as u64;
        let stored = Stored { stream, sequence, at: row.get(3)?, message: message(row, 1, 4)? };
        size += stored.message.data.len();
        page.messages.push(stored);
        if page.messages.len() == max || size > PAGE_SIZE_MAX {
            page.through = sequence;
            break;
        }
    }
    Ok(page)
}

/// Reads `id, subject` from one column on, and `data`.
fn message(row: &Row<'_>, id: usize, data: usize) -> rusqlite::Result<Message> {
    Ok(Message {
        id: Uuid::from_bytes(row.get(id)?),
        subject: row.get_ref(id + 1)?.as_str()?.into(),
        data: bytes::Bytes::copy_from_slice(row.get_ref(data)?.as_blob()?),
    })
}

/// The last selected sequence of a stream.
pub(super) fn last(
    connection: &Connection,
    stream: Stream,
    filters: &[SubjectPattern],
) -> rusqlite::Result<Option<u64>> {
    let sql = format!("SELECT seq, subject FROM {} ORDER BY seq DESC", table(stream));
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let subject = row.get_ref(1)?.as_str()?;
        if filters.iter().any(|filter| filter.matches(subject)) {
            return Ok(Some(row.get::<_, i64>(0)? as u64));
        }
    }
    Ok(None)
}

/// The first sequence that was published at or after a time; one after the last when none was.
///
/// Times never go back within a stream, so this is a search by halves.
pub(super) fn first_at(
    connection: &Connection,
    stream: Stream,
    at: i64,
) -> rusqlite::Result<Option<u64>> {
    let table = table(stream);
    let ends: (Option<i64>, Option<i64>) = connection.query_row(
        &format!("SELECT (SELECT min(seq) FROM {table}), (SELECT max(seq) FROM {table})"),
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    let (Some(mut low), Some(high)) = ends else { return Ok(None) };
    let mut high = high + 1;
    let sql = format!("SELECT at FROM {table} WHERE seq >= ?1 ORDER BY seq LIMIT 1");
    let mut statement = connection.prepare_cached(&sql)?;
    while low < high {
        let middle = low + (high - low) / 2;
        let published: Option<i64> = statement.query_row([middle], |row| row.get(0)).optional()?;
        if published.is_none_or(|published| published >= at) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(Some(low as u64))
}

/// Reads a stretch of a stream for someone who is no consumer.
pub(super) fn read(
    connection: &Connection,
    read: &Read,
    Ends { kept, head, .. }: Ends,
) -> rusqlite::Result<crate::Page> {
    let from = match read.from {
        ReadFrom::Sequence(sequence) => Some(sequence),
        ReadFrom::Time(time) => first_at(connection, read.stream, time.timestamp_micros())?,
    };
    let from = from.unwrap_or(u64::MAX).max(kept);
    if from > head {
        return Ok(crate::Page { messages: Vec::new(), next: None, remaining: 0 });
    }
    let page = page(connection, read.stream, (from, head), (&read.filters, read.max))?;
    Ok(crate::Page {
        messages: page.messages.iter().map(|stored| stored.pulled(1)).collect(),
        next: (page.through < head).then_some(page.through + 1),
        remaining: head - page.through,
    })
}

/// The dead letters that are beyond a limit, as the first and last of their numbers.
pub(super) fn dead_beyond(
    connection: &Connection,
    limit: Limit,
    horizon: i64,
) -> rusqlite::Result<Option<(i64, i64)>> {
    let number = |sql: &str| connection.query_row(sql, [], |row| row.get::<_, Option<i64>>(0));
    let Some(first) = number("SELECT min(number) FROM dead_letters")? else { return Ok(None) };
    // Those before the first one that is young enough.
    let young: Option<i64> = connection
        .query_row(
            "SELECT number FROM dead_letters WHERE dead_at >= ?1 ORDER BY number LIMIT 1",
            [horizon],
            |row| row.get(0),
        )
        .optional()?;
    let mut through = match young {
        Some(young) => young - 1,
        None => number("SELECT max(number) FROM dead_letters")?.unwrap_or(first),
    };
    if let Some(size_max) = limit.bytes {
        let mut statement = connection.prepare(
            "SELECT number, length(data) FROM dead_letters WHERE number > ?1 ORDER BY number DESC",
        )?;
        let mut rows = statement.query([through])?;
        let mut size = 0;
        while let Some(row) = rows.next()? {
            size += row.get::<_, i64>(1)? as u64 + ROW_SIZE;
            if size > size_max {
                through = row.get(0)?;
                break;
            }
        }
    }
    Ok((first <= through).then_some((first, through)))
}

/// The newest dead letters, newest first.
pub(super) fn dead_letters(
    connection: &Connection,
    limit: usize,
) -> rusqlite::Result<Vec<DeadLetter>> {
    let mut statement = connection.prepare_cached(
        "SELECT consumer, stream, seq, attempts, reasons, dead_at, at, id, subject, data
         FROM dead_letters ORDER BY number DESC LIMIT ?1",
    )?;
    let rows = statement.query_map([limit as i64], |row| {
        Ok(DeadLetter {
            consumer: row.get(0)?,
            stream: stream(row, 1)?,
            sequence: row.get::<_, i64>(2)? as u64,
            attempts: row.get(3)?,
            reasons: json(row, 4)?,
            dead_at: time_of(row.get(5)?),
            published_at: time_of(row.get(6)?),
            message: message(row, 7, 9)?,
        })
    })?;
    rows.collect()
}

/// Reads the name of a stream.
pub(super) fn stream(row: &Row<'_>, column: usize) -> rusqlite::Result<Stream> {
    let name = row.get_ref(column)?.as_str()?;
    Stream::ALL
        .into_iter()
        .find(|stream| stream.as_str() == name)
        .ok_or_else(|| rusqlite::Error::IntegralValueOutOfRange(column, 0))
}

/// Reads a column of JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(
    row: &Row<'_>,
    column: usize,
) -> rusqlite::Result<T> {
    serde_json::from_str(row.get_ref(column)?.as_str()?).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(
            column,
            rusqlite::types::Type::Text,
            Box::new(error),
        )
    })
}
