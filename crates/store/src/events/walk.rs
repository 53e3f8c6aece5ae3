//! Reading many events in the order of their receipt, a bounded piece at a time: for replays.
//!
//! What must stay true: a piece is chosen by the size of its rows before they are read, and a row is unpacked when it is
//! wanted, so that neither many nor large events fill the memory.

use chrono::{DateTime, Utc};
use diesel::{
    ExpressionMethods as _, QueryDsl as _, SelectableHelper as _,
    sql_types::{BigInt, Text, Timestamptz},
};
use omni_events::{Event, EventType};
use uuid::Uuid;

use crate::{
    Answer, Error, Kind, Result,
    conn::{Conn, Run as _, read},
    schema::omni_events as e,
};

use super::{
    filter::{Filter, Place},
    question::{Lead, Question},
    row::StoredRow,
    writer::Writer,
};

/// Which events are walked through.
#[derive(Clone, Copy, Debug)]
pub struct Walk<'a> {
    /// The tenant.
    pub org: &'a str,
    /// Which events are wanted, unless `ids` names them.
    pub filter: &'a Filter,
    /// These events and no others, when there are any; few.
    pub ids: &'a [Uuid],
    /// Received no later than this.
    pub until: DateTime<Utc>,
}

/// Where an event is, and what it takes to read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// Its place.
    pub place: Place,
    /// The bytes of its payload as they are kept; `None` when it is a replay, which is not brought back again.
    pub size: Option<i64>,
}

/// An event as it is kept.
pub struct Packed(StoredRow);

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Packed").field(&self.0.id).finish()
    }
}

/// The events of one type in a walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeCount {
    /// The type.
    pub event_type: String,
    /// How many there are.
    pub events: i64,
    /// When the first was received.
    pub first: DateTime<Utc>,
    /// When the last was received.
    pub last: DateTime<Utc>,
}

impl Packed {
    /// Its place.
    pub fn place(&self) -> Place {
        self.0.place()
    }

    /// Its id.
    pub fn id(&self) -> Uuid {
        self.0.id
    }

    /// The event, or nothing if its payload was taken out on purpose.
    ///
    /// # Errors
    /// [`Error::Corrupt`] when the row is damaged.
    pub fn open(self) -> Result<Option<Event>> {
        let (event, is_expunged) = self.0.into_parts()?;
        Ok((!is_expunged).then_some(event))
    }
}

/// The next steps of a walk after a place, at most so many; none when it is over.
pub fn steps<'a>(
    conn: &'a mut Conn,
    walk: Walk<'a>,
    after: Option<Place>,
    limit: i64,
) -> Answer<'a, Vec<Step>> {
    Box::pin(async move {
        let mut places = if walk.ids.is_empty() {
            let Some(question) = Question::new(conn, walk.org, walk.filter, true).await? else {
                return Ok(Vec::new());
            };
            question.places(conn, after, limit).await?
        } else {
            named(conn, walk, after, limit).await?
        };
        places.retain(|place| place.received_at <= walk.until);
        sizes(conn, walk.filter, places).await
    })
}

async fn named(
    conn: &mut Conn,
    walk: Walk<'_>,
    after: Option<Place>,
    limit: i64,
) -> Result<Vec<Place>> {
    let query = e::table
        .filter(e::org.eq(walk.org))
        .filter(e::id.eq_any(walk.ids))
        .select((e::received_at, e::sequence));
    let found: Vec<(DateTime<Utc>, i64)> = query.rows(conn).await?;
    let mut places: Vec<Place> =
        found.into_iter().map(|(received_at, sequence)| Place { received_at, sequence }).collect();
    places.sort_unstable();
    places.retain(|place| after.is_none_or(|after| *place > after));
    places.truncate(usize::try_from(limit).unwrap_or(0));
    Ok(places)
}

/// Looks up the sizes, and leaves out what the filter does not select.
async fn sizes(conn: &mut Conn, filter: &Filter, places: Vec<Place>) -> Result<Vec<Step>> {
    if places.is_empty() {
        return Ok(Vec::new());
    }
    let mut w = Writer::new(conn.kind());
    w.sql("SELECT sequence, CAST(length(payload) AS BIGINT), event_type FROM omni_events");
    w.sql(" WHERE replay_of IS NULL AND sequence IN (");
    for (index, place) in places.iter().enumerate() {
        w.sql(if index == 0 { "" } else { ", " }).number(place.sequence);
    }
    w.sql(")");
    let rows = conn.load(&w.done()).await?;
    let mut sizes = std::collections::HashMap::with_capacity(rows.len());
    for row in &rows {
        let (sequence, size, event_type) = read::<(i64, i64, String), (BigInt, BigInt, Text)>(row)?;
        if selects(filter, &event_type)? {
            sizes.insert(sequence, size);
        }
    }
    let step = |place: Place| Step { place, size: sizes.get(&place.sequence).copied() };
    Ok(places.into_iter().map(step).collect())
}

/// The database may have decided a pattern by a range of types only.
fn selects(filter: &Filter, event_type: &str) -> Result<bool> {
    if filter.types.is_empty() {
        return Ok(true);
    }
    let event_type = EventType::parse(event_type)
        .map_err(|error| Error::corrupt("omni_events", "event_type", error))?;
    Ok(filter.types.iter().any(|pattern| pattern.matches(&event_type)))
}

/// The events at these places, by sequence; few.
pub fn packed<'a>(conn: &'a mut Conn, places: &'a [Place]) -> Answer<'a, Vec<Packed>> {
    Box::pin(async move {
        let sequences = places.iter().map(|place| place.sequence);
        let query = e::table.filter(e::sequence.eq_any(sequences)).select(StoredRow::as_select());
        let rows: Vec<StoredRow> = query.rows(conn).await?;
        let mut found: Vec<Packed> = rows.into_iter().map(Packed).collect();
        found.sort_unstable_by_key(Packed::place);
        Ok(found)
    })
}

/// What a walk would meet, by type.
pub fn counts<'a>(conn: &'a mut Conn, walk: Walk<'a>) -> Answer<'a, Vec<TypeCount>> {
    Box::pin(count(conn, walk, None))
}

/// How many events of a walk an automation has succeeded on already, at the original or at a replay of it.
pub fn succeeded<'a>(conn: &'a mut Conn, walk: Walk<'a>, automation: Uuid) -> Answer<'a, i64> {
    Box::pin(async move {
        let found = count(conn, walk, Some(automation)).await?;
        Ok(found.iter().map(|count| count.events).sum())
    })
}

async fn count(conn: &mut Conn, walk: Walk<'_>, succeeded: Option<Uuid>) -> Result<Vec<TypeCount>> {
    let Some(mut question) = Question::new(conn, walk.org, walk.filter, true).await? else {
        return Ok(Vec::new());
    };
    let is_wide = matches!(question.lead, Lead::Types | Lead::Recent) && walk.ids.is_empty();
    // Every condition is written then, and the database chooses how to find what passes.
    question.lead = Lead::Recent;
    let mut w = Writer::new(conn.kind());
    w.sql("SELECT omni_events.event_type, count(*), min(omni_events.received_at)");
    w.sql(", max(omni_events.received_at) FROM omni_events");
    if is_wide {
        // SQLite groups by sorting, in memory, unless what it reads comes in the order of the groups.
        w.only(Kind::Sqlite, " INDEXED BY omni_events_by_type");
    }
    w.sql(" WHERE ");
    question.own(&mut w);
    question.conditions(&mut w);
    w.sql(" AND omni_events.replay_of IS NULL AND omni_events.received_at <= ").time(walk.until);
    for (index, id) in walk.ids.iter().enumerate() {
        w.sql(if index == 0 { " AND omni_events.id IN (" } else { ", " }).id(*id);
    }
    w.sql(if walk.ids.is_empty() { "" } else { ")" });
    if let Some(automation) = succeeded {
        w.sql(" AND (EXISTS (SELECT 1 FROM automation_logs WHERE automation_logs.event_id = omni_events.id");
        w.sql(" AND automation_logs.status = 'success' AND automation_logs.automation_id = ");
        w.id(automation);
        w.sql(") OR EXISTS (SELECT 1 FROM omni_events AS again JOIN automation_logs");
        w.sql(" ON automation_logs.event_id = again.id WHERE again.replay_of = omni_events.id");
        w.sql(" AND automation_logs.status = 'success' AND automation_logs.automation_id = ");
        w.id(automation).sql("))");
    }
    w.sql(" GROUP BY omni_events.event_type ORDER BY omni_events.event_type");
    let rows = conn.load(&w.done()).await?;
    let mut counts = Vec::with_capacity(rows.len());
    for row in &rows {
        let (event_type, events, first, last) = read::<
            (String, i64, DateTime<Utc>, DateTime<Utc>),
            (Text, BigInt, Timestamptz, Timestamptz),
        >(row)?;
        if selects(walk.filter, &event_type)? {
            counts.push(TypeCount { event_type, events, first, last });
        }
    }
    Ok(counts)
}
