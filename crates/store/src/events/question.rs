//! A filter as a statement that answers places in the order of the list.
//!
//! What must stay true: what leads a question is served by one index, in the order of the list or with few rows to sort;
//! everything else of the filter is looked at row by row. SQLite is told which index, because without statistics it
//! guesses; PostgreSQL keeps statistics by itself.

use chrono::{DateTime, Utc};
use diesel::sql_types::{BigInt, Timestamptz};
use omni_events::TypePattern;
use uuid::Uuid;

use crate::{
    Kind, Result, bus,
    conn::{Conn, read},
    dual::{Bind, Statement},
};

use super::{
    filter::{COMPLETED, Filter, PENDING, Place},
    row::StoredRow,
    search,
    types::Types,
    words::{Words, words},
    writer::Writer,
};

/// Types whose events are merged one by one; for more the list of all events is read and the others are left out.
const MERGED_MAX: usize = 64;

/// What finds the events of a question; the first that a filter names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lead {
    Cause(Uuid),
    Provider,
    Correlation,
    Person(Uuid),
    Words,
    /// A status other than completed.
    Unwell,
    Pending,
    Instance,
    Types,
    Recent,
}

/// A part of a question that one index answers; the places of all parts are merged.
#[derive(Clone, Copy, Debug)]
enum Part<'q> {
    Whole,
    Type(&'q str),
    Sender(Uuid),
    Recipient(Uuid),
    Begins(Uuid),
    Follows,
}

/// A filter with what the store had to be asked beforehand.
#[derive(Debug)]
pub(super) struct Question<'q> {
    pub(super) org: &'q str,
    pub(super) filter: &'q Filter,
    pub(super) ascending: bool,
    pub(super) lead: Lead,
    pub(super) words: Option<Words>,
    types: Types,
    /// Everything up to here has an outcome.
    settled: i64,
}

impl<'q> Question<'q> {
    /// Asks what has to be known; `None` when nothing can be found.
    pub(super) async fn new(
        conn: &mut Conn,
        org: &'q str,
        filter: &'q Filter,
        ascending: bool,
    ) -> Result<Option<Self>> {
        let types = Types::of(conn, org, &filter.types).await?;
        if matches!(&types, Types::Of(types) if types.is_empty()) {
            return Ok(None);
        }
        let words = match &filter.text {
            None => None,
            Some(text) => match words(conn.kind(), org, text) {
                None => return Ok(None),
                some => some,
            },
        };
        let settled = match filter.status.as_deref() {
            Some(PENDING) => bus::get(conn).await?.settled_through,
            _ => 0,
        };
        let lead = lead(filter, &types);
        Ok(Some(Self { org, filter, ascending, lead, words, types, settled }))
    }

    /// The places after one, in their order, at most so many; fewer only when there are no more.
    pub(super) async fn places(
        &self,
        conn: &mut Conn,
        after: Option<Place>,
        limit: i64,
    ) -> Result<Vec<Place>> {
        match (self.lead, conn.kind()) {
            (Lead::Words, Kind::Sqlite) => search::by_sequence(self, conn, after, limit).await,
            (Lead::Words, Kind::Postgres) => search::by_window(self, conn, after, limit).await,
            _ => {
                let rows = conn.load(&self.statement(conn.kind(), after, limit)).await?;
                let mut places = rows.iter().map(place).collect::<Result<Vec<Place>>>()?;
                self.sort(&mut places);
                // An event that a person sent to themselves is found twice.
                places.dedup();
                places.truncate(limit as usize);
                Ok(places)
            }
        }
    }

    fn sort(&self, places: &mut [Place]) {
        if self.ascending {
            places.sort_unstable();
        } else {
            places.sort_unstable_by(|a, b| b.cmp(a));
        }
    }

    /// Whether the database decides everything.
    pub(super) fn is_decided(&self) -> bool {
        !matches!(self.types, Types::Between(..))
    }

    /// Decides what the database could not.
    pub(super) fn selects(&self, row: &StoredRow) -> Result<bool> {
        if self.is_decided() {
            return Ok(true);
        }
        let event_type = row.event_type()?;
        let matches = |pattern: &TypePattern| pattern.matches(&event_type);
        Ok(self.filter.types.iter().any(matches))
    }

    /// The statement whose rows are places: those of every part, each part in order and cut.
    pub(super) fn statement(&self, kind: Kind, after: Option<Place>, limit: i64) -> Statement<'_> {
        let parts = self.parts();
        let mut w = Writer::new(kind);
        if let [part] = parts[..] {
            self.part(&mut w, part, after, limit);
        } else {
            for (index, part) in parts.into_iter().enumerate() {
                w.sql(if index == 0 { "" } else { " UNION ALL " }).sql("SELECT * FROM (");
                self.part(&mut w, part, after, limit);
                w.sql(") AS part");
            }
        }
        // How much is pending changes by the second, and a plan for any amount would read everything.
        if self.lead == Lead::Pending { w.done_once() } else { w.done() }
    }

    fn parts(&self) -> Vec<Part<'_>> {
        match (self.lead, &self.types) {
            (Lead::Types, Types::Of(types)) => {
                types.iter().map(|event_type| Part::Type(event_type)).collect()
            }
            (Lead::Person(id), _) => vec![Part::Sender(id), Part::Recipient(id)],
            // The event that begins a chain has no correlation id in its column: it is its own.
            (Lead::Correlation, _) => {
                let own = self.filter.correlation_id.as_deref().map(Uuid::try_parse);
                let own = own.and_then(std::result::Result::ok).map(Part::Begins);
                std::iter::once(Part::Follows).chain(own).collect()
            }
            _ => vec![Part::Whole],
        }
    }

    fn part<'a>(&'a self, w: &mut Writer<'a>, part: Part<'a>, after: Option<Place>, limit: i64) {
        let time = self.time();
        w.sql("SELECT ").sql(time).sql(", omni_events.sequence FROM ");
        if self.lead == Lead::Unwell {
            w.sql("event_outcomes AS o");
            // In the order of the outcomes, each event looked up; the offset keeps PostgreSQL from joining all with all.
            w.only(Kind::Sqlite, " INDEXED BY event_outcomes_unwell CROSS JOIN omni_events");
            w.only(Kind::Postgres, " CROSS JOIN LATERAL (SELECT * FROM omni_events AS looked_up");
            w.only(Kind::Postgres, " WHERE looked_up.id = o.event_id OFFSET 0) AS omni_events");
            w.sql(" WHERE o.event_id = omni_events.id");
            // As the index has it, which holds nothing else.
            w.sql(" AND o.status <> 'completed' AND o.org = ").text(self.org);
            w.sql(" AND ");
        } else {
            w.sql("omni_events").only(Kind::Sqlite, self.hint(part)).sql(" WHERE ");
        }
        self.own(w);
        match part {
            Part::Whole => {}
            Part::Type(event_type) => {
                w.sql(" AND omni_events.event_type = ").text(event_type);
            }
            Part::Sender(id) => {
                w.sql(" AND omni_events.sender_identity_id = ").id(id);
            }
            Part::Recipient(id) => {
                w.sql(" AND omni_events.recipient_identity_id = ").id(id);
            }
            Part::Begins(id) => {
                w.sql(" AND omni_events.correlation_id IS NULL AND omni_events.id = ").id(id);
            }
            Part::Follows => {
                let correlation = self.filter.correlation_id.as_deref().unwrap_or_default();
                w.sql(" AND omni_events.correlation_id = ").text(correlation);
            }
        }
        self.conditions(w);
        self.beyond(w, after);
        self.order(w, limit);
    }

    /// Where the time of receipt is read: from the index that leads.
    fn time(&self) -> &'static str {
        if self.lead == Lead::Unwell { "o.received_at" } else { "omni_events.received_at" }
    }

    fn hint(&self, part: Part<'_>) -> &'static str {
        match (self.lead, part) {
            (Lead::Cause(_), _) => " INDEXED BY omni_events_by_cause",
            (Lead::Provider, _) => " INDEXED BY omni_events_by_provider",
            (Lead::Correlation, Part::Follows) => " INDEXED BY omni_events_by_correlation",
            (Lead::Person(_), Part::Sender(_)) => " INDEXED BY omni_events_by_sender",
            (Lead::Person(_), Part::Recipient(_)) => " INDEXED BY omni_events_by_recipient",
            (Lead::Instance, _) => " INDEXED BY omni_events_by_instance",
            (Lead::Types, _) => " INDEXED BY omni_events_by_type",
            (Lead::Recent, _) => " INDEXED BY omni_events_recent",
            (Lead::Pending, _) => " NOT INDEXED",
            (Lead::Correlation | Lead::Person(_) | Lead::Words | Lead::Unwell, _) => "",
        }
    }

    /// Whose events these are.
    pub(super) fn own<'a>(&'a self, w: &mut Writer<'a>) {
        // What is pending is found by its sequence; no index that begins with the organisation may come in between.
        let hidden = self.lead == Lead::Pending && w.kind() == Kind::Postgres;
        w.sql(if hidden { "omni_events.org || '' = " } else { "omni_events.org = " })
            .text(self.org);
    }

    /// Everything of the filter that is no part of its own.
    pub(super) fn conditions<'a>(&'a self, w: &mut Writer<'a>) {
        let f = self.filter;
        match &self.types {
            Types::All => {}
            Types::Of(_) if self.lead == Lead::Types => {}
            Types::Of(types) => {
                w.sql(" AND omni_events.event_type IN (");
                for (index, event_type) in types.iter().enumerate() {
                    w.sql(if index == 0 { "" } else { ", " }).text(event_type);
                }
                w.sql(")");
            }
            Types::Between(first, beyond) => {
                w.sql(" AND omni_events.event_type >= ").text(first);
                w.sql(" AND omni_events.event_type < ").text(beyond);
            }
        }
        let equal = [
            (" AND omni_events.source = ", f.source.as_deref()),
            (" AND omni_events.channel_type = ", f.channel_type.as_deref()),
            (" AND omni_events.instance_id = ", f.instance_id.as_deref()),
            (" AND omni_events.provider = ", f.provider.as_deref()),
            (" AND omni_events.provider_event_id = ", f.provider_event_id.as_deref()),
            (" AND omni_events.content_type = ", f.content_type.as_deref()),
            (" AND omni_events.direction = ", f.direction.map(omni_events::Direction::as_str)),
        ];
        for (condition, value) in equal {
            if let Some(value) = value {
                w.sql(condition).text(value);
            }
        }
        if let Some(id) = f.causation_id {
            w.sql(" AND omni_events.causation_id = ").id(id);
        }
        self.looked_up(w);
        for (condition, time) in [(" >= ", f.from), (" < ", f.to)] {
            if let Some(time) = time {
                w.sql(" AND ").sql(self.time()).sql(condition).time(time);
            }
        }
    }

    /// What another lead leaves to be looked at: person, correlation, words and outcome.
    fn looked_up<'a>(&'a self, w: &mut Writer<'a>) {
        let f = self.filter;
        if let Some(id) = f.identity_id
            && !matches!(self.lead, Lead::Person(_))
        {
            w.sql(" AND (omni_events.sender_identity_id = ").id(id);
            w.sql(" OR omni_events.recipient_identity_id = ").id(id).sql(")");
        }
        if let Some(correlation) = &f.correlation_id
            && self.lead != Lead::Correlation
        {
            w.sql(" AND (omni_events.correlation_id = ").text(correlation);
            if let Ok(id) = Uuid::try_parse(correlation) {
                w.sql(" OR (omni_events.correlation_id IS NULL AND omni_events.id = ").id(id);
                w.sql(")");
            }
            w.sql(")");
        }
        if let Some(words) = &self.words
            && (self.lead != Lead::Words || w.kind() == Kind::Postgres)
        {
            search::has_words(w, words);
        }
        let outcome =
            "EXISTS (SELECT 1 FROM event_outcomes WHERE event_outcomes.event_id = omni_events.id";
        match f.status.as_deref() {
            None => {}
            Some(PENDING) => {
                w.sql(" AND omni_events.sequence > ").number(self.settled);
                w.sql(" AND NOT ").sql(outcome).sql(")");
            }
            Some(status) if self.lead == Lead::Unwell => {
                w.sql(" AND o.status = ").text(status);
            }
            Some(status) => {
                w.sql(" AND ").sql(outcome);
                w.sql(" AND event_outcomes.status = ").text(status).sql(")");
            }
        }
    }

    /// Only what comes after a place.
    pub(super) fn beyond(&self, w: &mut Writer<'_>, after: Option<Place>) {
        let Some(Place { received_at, sequence }) = after else { return };
        let time = self.time();
        // The comparison of pairs reaches into two tables then, and no index answers it.
        if self.lead == Lead::Unwell {
            w.sql(" AND ").sql(time).sql(if self.ascending { " >= " } else { " <= " });
            w.time(received_at);
        }
        w.sql(" AND (").sql(time).sql(", omni_events.sequence) ");
        w.sql(if self.ascending { "> (" } else { "< (" });
        w.time(received_at).sql(", ").bind(Bind::BigInt(sequence)).sql(")");
    }

    pub(super) fn order(&self, w: &mut Writer<'_>, limit: i64) {
        let way = if self.ascending { "" } else { " DESC" };
        w.sql(" ORDER BY ").sql(self.time()).sql(way).sql(", omni_events.sequence").sql(way);
        w.sql(" LIMIT ").number(limit);
    }
}

fn lead(filter: &Filter, types: &Types) -> Lead {
    if let Some(id) = filter.causation_id {
        return Lead::Cause(id);
    }
    if filter.provider_event_id.is_some() {
        return Lead::Provider;
    }
    if filter.correlation_id.is_some() {
        return Lead::Correlation;
    }
    if let Some(id) = filter.identity_id {
        return Lead::Person(id);
    }
    if filter.text.is_some() {
        return Lead::Words;
    }
    match filter.status.as_deref() {
        Some(PENDING) => return Lead::Pending,
        None | Some(COMPLETED) => {}
        Some(_) => return Lead::Unwell,
    }
    if filter.instance_id.is_some() {
        return Lead::Instance;
    }
    match types {
        Types::Of(types) if types.len() <= MERGED_MAX => Lead::Types,
        _ => Lead::Recent,
    }
}

/// Reads the time and the sequence of a row.
pub(super) fn place(row: &crate::dual::Row) -> Result<Place> {
    let (received_at, sequence) = read::<(DateTime<Utc>, i64), (Timestamptz, BigInt)>(row)?;
    Ok(Place { received_at, sequence })
}
