//! Searching for words without sorting all that have them: a common word has millions.
//!
//! On SQLite the index of words answers by sequence, so a search goes by sequence there: the same as the order of the
//! list but for events that were received at the same moment. On PostgreSQL it answers without order, so a search looks
//! at ever larger stretches of time, which follow each other as the list does.

use chrono::{DateTime, TimeDelta, Utc};
use diesel::sql_types::{BigInt, Nullable, Timestamptz};

use crate::{
    Kind, Result,
    conn::{Conn, read},
    dual::Statement,
};

use super::{
    filter::Place,
    question::{Question, place},
    words::Words,
    writer::Writer,
};

/// Events with the words that are looked at first, and at most, in one statement.
const CHUNK: (i64, i64) = (256, 4096);

/// The first stretch of time, and how much longer each next one is.
const WINDOW: (TimeDelta, i32) = (TimeDelta::hours(1), 8);

/// The sequences between which a search goes, both outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) above: i64,
    pub(super) below: i64,
}

/// Says that an event has the words.
pub(super) fn has_words<'a>(w: &mut Writer<'a>, words: &'a Words) {
    match w.kind() {
        Kind::Sqlite => {
            w.sql(" AND EXISTS (SELECT 1 FROM event_texts WHERE event_texts MATCH ");
            w.text(words.as_str()).sql(" AND event_texts.rowid = omni_events.sequence)");
        }
        Kind::Postgres => {
            w.sql(" AND omni_events.content_text IS NOT NULL");
            w.sql(" AND to_tsvector('simple', omni_events.content_text) @@ to_tsquery('simple', ");
            w.text(words.as_str()).sql(")");
        }
    }
}

/// Goes through the events with the words by sequence, and leaves out what else does not fit.
pub(super) async fn by_sequence(
    question: &Question<'_>,
    conn: &mut Conn,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Place>> {
    let mut bounds = Bounds { above: i64::MIN, below: i64::MAX };
    if let Some(Place { sequence, .. }) = after {
        let bound = if question.ascending { &mut bounds.above } else { &mut bounds.below };
        *bound = sequence;
    }
    let (mut chunk, mut is_bounded) = (CHUNK.0, false);
    let mut found = Vec::new();
    loop {
        let rows = conn.load(&hits(question, bounds, chunk)).await?;
        let mut last = None;
        for row in &rows {
            let (sequence, received_at) =
                read::<(i64, Option<DateTime<Utc>>), (BigInt, Nullable<Timestamptz>)>(row)?;
            last = Some(sequence);
            found.extend(received_at.map(|received_at| Place { received_at, sequence }));
        }
        let (Some(last), true) = (last, (found.len() as i64) < limit) else { break };
        if (rows.len() as i64) < chunk {
            break;
        }
        if question.ascending {
            bounds.above = last;
        } else {
            bounds.below = last;
        }
        chunk = (chunk * 4).min(CHUNK.1);
        // Many have the words, so it is worth knowing where the time that is asked for begins and ends.
        if !std::mem::replace(&mut is_bounded, true) && !narrow(question, conn, &mut bounds).await?
        {
            break;
        }
    }
    found.truncate(limit as usize);
    Ok(found)
}

/// Moves the bounds to the sequences of the time that is asked for; `false` when it has none.
async fn narrow(question: &Question<'_>, conn: &mut Conn, bounds: &mut Bounds) -> Result<bool> {
    if question.filter.from.is_none() && question.filter.to.is_none() {
        return Ok(true);
    }
    let rows = conn.load(&ends(question)).await?;
    let ends = rows.first().map(read::<_, (Nullable<BigInt>, Nullable<BigInt>)>).transpose()?;
    let Some((Some(first), Some(last))): Option<(Option<i64>, Option<i64>)> = ends else {
        return Ok(false);
    };
    bounds.above = bounds.above.max(first.saturating_sub(1));
    bounds.below = bounds.below.min(last.saturating_add(1));
    Ok(true)
}

/// The first and the last sequence of the time that is asked for; reads that stretch of the index, and no event.
fn ends<'a>(question: &'a Question<'_>) -> Statement<'a> {
    let mut w = Writer::new(Kind::Sqlite);
    w.sql(
        "SELECT min(sequence), max(sequence) FROM omni_events INDEXED BY omni_events_recent WHERE ",
    );
    question.own(&mut w);
    for (condition, time) in [
        (" AND received_at >= ", question.filter.from),
        (" AND received_at < ", question.filter.to),
    ] {
        if let Some(time) = time {
            w.sql(condition).time(time);
        }
    }
    w.done()
}

/// The next events with the words by sequence; without their time where something else does not fit.
pub(super) fn hits<'a>(question: &'a Question<'_>, bounds: Bounds, limit: i64) -> Statement<'a> {
    let way = if question.ascending { "" } else { " DESC" };
    let mut w = Writer::new(Kind::Sqlite);
    w.sql("SELECT hit.sequence, omni_events.received_at FROM (SELECT rowid AS sequence FROM event_texts");
    w.sql(" WHERE event_texts MATCH ");
    w.text(question.words.as_ref().map_or("", Words::as_str));
    w.sql(" AND rowid > ").number(bounds.above).sql(" AND rowid < ").number(bounds.below);
    w.sql(" ORDER BY rowid").sql(way).sql(" LIMIT ").number(limit);
    w.sql(") AS hit LEFT JOIN omni_events ON omni_events.sequence = hit.sequence AND ");
    question.own(&mut w);
    question.conditions(&mut w);
    w.done()
}

/// Looks at stretches of time from the place on, until there is enough.
pub(super) async fn by_window(
    question: &Question<'_>,
    conn: &mut Conn,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Place>> {
    let Some((mut first, mut beyond)) = span(question, conn, after).await? else {
        return Ok(Vec::new());
    };
    let (mut length, growth) = WINDOW;
    let mut found = Vec::new();
    while first < beyond && (found.len() as i64) < limit {
        let window = if question.ascending {
            let end = first.checked_add_signed(length).map_or(beyond, |end| end.min(beyond));
            (std::mem::replace(&mut first, end), end)
        } else {
            let start = beyond.checked_sub_signed(length).map_or(first, |start| start.max(first));
            (start, std::mem::replace(&mut beyond, start))
        };
        let rows = conn.load(&within(question, after, window, limit)).await?;
        for row in &rows {
            found.push(place(row)?);
        }
        length = length.checked_mul(growth).unwrap_or(TimeDelta::MAX);
    }
    found.truncate(limit as usize);
    Ok(found)
}

/// From which time on until before which one there can be something.
async fn span(
    question: &Question<'_>,
    conn: &mut Conn,
    after: Option<Place>,
) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>> {
    type Ends = (Option<DateTime<Utc>>, Option<DateTime<Utc>>);
    let rows = conn.load(&extent(question)).await?;
    let read_ends = read::<Ends, (Nullable<Timestamptz>, Nullable<Timestamptz>)>;
    let Some((Some(oldest), Some(newest))) = rows.first().map(read_ends).transpose()? else {
        return Ok(None);
    };
    // Times are exact to the microsecond.
    let past = |time: DateTime<Utc>| time + TimeDelta::microseconds(1);
    let mut first = question.filter.from.map_or(oldest, |from| from.max(oldest));
    let mut beyond = question.filter.to.map_or(past(newest), |to| to.min(past(newest)));
    match after {
        Some(after) if question.ascending => first = first.max(after.received_at),
        Some(after) => beyond = beyond.min(past(after.received_at)),
        None => {}
    }
    Ok(Some((first, beyond)))
}

fn extent<'a>(question: &'a Question<'_>) -> Statement<'a> {
    let mut w = Writer::new(Kind::Postgres);
    w.sql("SELECT (SELECT min(received_at) FROM omni_events WHERE ");
    question.own(&mut w);
    w.sql("), (SELECT max(received_at) FROM omni_events WHERE ");
    question.own(&mut w);
    w.sql(")");
    w.done()
}

/// The places of one stretch of time.
pub(super) fn within<'a>(
    question: &'a Question<'_>,
    after: Option<Place>,
    (first, beyond): (DateTime<Utc>, DateTime<Utc>),
    limit: i64,
) -> Statement<'a> {
    let mut w = Writer::new(Kind::Postgres);
    w.sql("SELECT omni_events.received_at, omni_events.sequence FROM omni_events WHERE ");
    question.own(&mut w);
    w.sql(" AND omni_events.received_at >= ").time(first);
    w.sql(" AND omni_events.received_at < ").time(beyond);
    question.conditions(&mut w);
    question.beyond(&mut w, after);
    question.order(&mut w, limit);
    // How many have the words and how long the stretch is decide how to look.
    w.done_once()
}

/// The plans of the statements of a search.
#[cfg(feature = "testing")]
pub(super) async fn explain(question: &Question<'_>, conn: &mut Conn) -> Result<Vec<String>> {
    use super::explain::plan;
    let all = Bounds { above: i64::MIN, below: i64::MAX };
    match conn.kind() {
        Kind::Sqlite => {
            let mut lines = plan(conn, hits(question, all, CHUNK.0)).await?;
            lines.extend(plan(conn, ends(question)).await?);
            Ok(lines)
        }
        Kind::Postgres => {
            let mut lines = plan(conn, extent(question)).await?;
            if let Some(span) = span(question, conn, None).await? {
                lines.extend(plan(conn, within(question, None, span, 50)).await?);
            }
            Ok(lines)
        }
    }
}
