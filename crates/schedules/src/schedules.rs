//! The handle: schedules are saved, shown, changed and deleted here.
//!
//! What must stay true: a change never loses an instant that was due before it, and never makes one due that was decided.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use omni_clock::{Clock, Random};
use omni_event_log::EventLog;
use omni_events::Org;
use omni_store::{
    Store,
    schedules::{self as store, FirePage, ScheduleRow},
};
use tokio::sync::Notify;

use crate::{
    Definition, Error, Fire, FireStatus, FiresQuery, Instant, Kind, Problem, Runner, Schedule,
    Stats,
    judge::{GRACE, arranged},
    prepared::{Prepared, Ready},
    stats::Counters,
};

/// How often a change is tried again when somebody else was faster.
const UPDATE_TRIES: usize = 8;
/// Most instants of [`Schedules::next`].
const NEXT_MAX: usize = 1_000;

/// The schedules of all organisations; a clone is cheap and shares everything.
#[derive(Clone, Debug)]
pub struct Schedules(pub(crate) Arc<Inner>);

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) store: Store,
    pub(crate) log: EventLog,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<Random>,
    pub(crate) config: Config,
    pub(crate) ready: Ready,
    pub(crate) counters: Counters,
    /// Tells the runner of this process that something has changed.
    pub(crate) changed: Notify,
    /// By how many microseconds the clock of the database is ahead of ours.
    pub(crate) ahead: AtomicI64,
}

/// How the schedules of a process are looked after.
#[derive(Clone, Copy, Debug)]
pub struct Config {
    /// How often it looks for what other replicas have changed, and for work that is done.
    pub check_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self { check_every: Duration::from_secs(1) }
    }
}

impl Inner {
    /// The time that decides what is due: that of the database where replicas share one.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        self.clock.now() + TimeDelta::microseconds(self.ahead.load(Ordering::Relaxed))
    }
}

impl Schedules {
    /// Puts the handle together. Nothing fires before [`Runner::run`].
    pub fn new(
        store: Store,
        log: EventLog,
        (clock, random): (Arc<dyn Clock>, Arc<Random>),
        config: Config,
    ) -> Self {
        Self(Arc::new(Inner {
            store,
            log,
            clock,
            random,
            config,
            ready: Ready::default(),
            counters: Counters::default(),
            changed: Notify::new(),
            ahead: AtomicI64::new(0),
        }))
    }

    /// The loop that fires; every replica runs one.
    pub fn runner(&self) -> Runner {
        Runner::new(self.clone())
    }

    /// What this process has done.
    pub fn stats(&self) -> Stats {
        self.0.counters.read()
    }

    /// Saves a new schedule. Its instants count from now.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault, [`Error::Exists`] for a name that is taken.
    pub async fn create(
        &self,
        org: &Org,
        definition: Definition,
        by: Option<&str>,
    ) -> Result<Schedule, Error> {
        let now = self.0.now();
        let prepared = Prepared::new(definition, now)?;
        let definition = &prepared.definition;
        let row = ScheduleRow {
            id: self.0.random.uuid_v7(now),
            org: org.as_str().to_owned(),
            name: definition.name.clone(),
            version: 1,
            enabled: definition.enabled,
            definition: json(definition)?,
            decided_until: counts_from(definition, now),
            next_at: None,
            due_at: None,
            moves: 0,
            number: 0,
            fired: 0,
            skipped: 0,
            missed: 0,
            waiting: 0,
            last_event_id: None,
            last_fired_at: None,
            alarm: None,
            failure: None,
            alarm_at: None,
            alarm_told: true,
            overdue_told: None,
            created_at: now,
            updated_at: now,
            created_by: by.map(str::to_owned),
        };
        let row = arranged(row, &prepared, now);
        let mut conn = self.0.store.write().await?;
        store::insert(&mut conn, &row).await.map_err(|error| match error {
            omni_store::Error::Exists { name, .. } => Error::Exists(name),
            other => Error::Store(other),
        })?;
        drop(conn);
        self.0.changed.notify_one();
        self.shown(org, row)
    }

    /// Reads one schedule.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn get(&self, org: &Org, name: &str) -> Result<Option<Schedule>, Error> {
        self.row(org, name).await?.map(|row| self.shown(org, row)).transpose()
    }

    /// Lists schedules by name, those after `after`, 1,000 at most.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn list(
        &self,
        org: &Org,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<Schedule>, Error> {
        let mut conn = self.0.store.read().await?;
        let rows = store::list(&mut conn, org.as_str(), after, limit).await?;
        drop(conn);
        rows.into_iter().map(|row| self.shown(org, row)).collect()
    }

    /// Replaces the definition of a schedule; `None` if there is none.
    ///
    /// When its instants change, those of the new plan count from now; what was due under the old one is decided before.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every fault (the name cannot change), [`Error::Stale`] when `if_version` is not its
    /// version any more, [`Error::Ended`] when it is to be enabled and has no instant left.
    pub async fn update(
        &self,
        org: &Org,
        name: &str,
        definition: Definition,
        if_version: Option<i32>,
    ) -> Result<Option<Schedule>, Error> {
        let mut current = 0;
        for _ in 0..UPDATE_TRIES {
            let Some(row) = self.row(org, name).await? else { return Ok(None) };
            current = row.version;
            if if_version.is_some_and(|wanted| wanted != current) {
                return Err(Error::Stale { current });
            }
            if definition.name != row.name {
                let message = "the name of a schedule cannot change: its events carry it; make a new schedule";
                return Err(Error::Invalid(vec![Problem::at("/name", message)]));
            }
            let old: Definition = read(&row)?;
            let now = self.0.now();
            let is_same_plan = instants_of(&old) == instants_of(&definition);
            if !is_same_plan && row.due_at.is_some_and(|due| due <= now) {
                self.decide_one(row.id).await?;
                continue;
            }
            let seen = (row.version, row.moves);
            let row = changed(row, &old, &definition, now)?;
            let mut conn = self.0.store.write().await?;
            let is_done = store::update(&mut conn, &row, seen).await?;
            drop(conn);
            if is_done {
                self.0.changed.notify_one();
                return self.shown(org, row).map(Some);
            }
        }
        Err(Error::Stale { current })
    }

    /// Enables or disables a schedule; `None` if there is none. What passes while it is disabled is caught up with as its
    /// catch-up policy says, and fires that wait do so until it is enabled again.
    ///
    /// # Errors
    /// [`Error::Ended`] when it is to be enabled and has no instant left.
    pub async fn set_enabled(
        &self,
        org: &Org,
        name: &str,
        enabled: bool,
    ) -> Result<Option<Schedule>, Error> {
        let Some(row) = self.row(org, name).await? else { return Ok(None) };
        if row.enabled == enabled {
            return self.shown(org, row).map(Some);
        }
        let definition = Definition { enabled, ..read(&row)? };
        self.update(org, name, definition, None).await
    }

    /// Deletes a schedule with the list of its fires; false if there was none. Its events stay.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn delete(&self, org: &Org, name: &str) -> Result<bool, Error> {
        let mut conn = self.0.store.write().await?;
        Ok(store::delete(&mut conn, org.as_str(), name).await?)
    }

    /// The next instants of a schedule, 1,000 at most, also while it is disabled; `None` if there is none of this name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(
        &self,
        org: &Org,
        name: &str,
        count: usize,
    ) -> Result<Option<Vec<Instant>>, Error> {
        let Some(row) = self.row(org, name).await? else { return Ok(None) };
        let prepared = self.0.ready.get(&row)?;
        let number = u64::try_from(row.number).unwrap_or(0);
        let left = prepared.definition.max_fires.map(|most| most.saturating_sub(number));
        let left = left.and_then(|left| usize::try_from(left).ok()).unwrap_or(NEXT_MAX);
        let after = self.0.now().max(row.decided_until);
        let instants = prepared.plan.upcoming(after, count.min(left).min(NEXT_MAX));
        Ok(Some(instants.into_iter().map(|time| instant(&row, &prepared, time)).collect()))
    }

    /// The fires of a schedule, the one that was decided last first; `None` if there is none of this name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn fires(
        &self,
        org: &Org,
        name: &str,
        query: FiresQuery,
    ) -> Result<Option<Vec<Fire>>, Error> {
        let Some(row) = self.row(org, name).await? else { return Ok(None) };
        let both = [FireStatus::Pending.as_str(), FireStatus::Waiting.as_str()];
        let one = query.status.map(|status| [status.as_str()]);
        let statuses: &[&str] = match (&query.status, &one) {
            (Some(FireStatus::Pending), _) => &both,
            (_, Some(one)) => one,
            (_, None) => &[],
        };
        let page = FirePage { statuses, before: query.before, limit: query.limit };
        let mut conn = self.0.store.read().await?;
        let found = store::fires(&mut conn, row.id, &page).await?;
        Ok(Some(found.into_iter().map(Fire::of).collect()))
    }

    pub(crate) async fn row(&self, org: &Org, name: &str) -> Result<Option<ScheduleRow>, Error> {
        let mut conn = self.0.store.read().await?;
        Ok(store::get(&mut conn, org.as_str(), name).await?)
    }

    fn shown(&self, org: &Org, row: ScheduleRow) -> Result<Schedule, Error> {
        let prepared = self.0.ready.get(&row)?;
        Ok(Schedule::of(org, row, &prepared, self.0.now()))
    }
}

/// From when on the instants of a new plan count. One for a single moment may be as late as a request is on its way.
fn counts_from(definition: &Definition, now: DateTime<Utc>) -> DateTime<Utc> {
    if definition.kind == Kind::Once { now - GRACE } else { now }
}

/// Makes the row that replaces one.
fn changed(
    row: ScheduleRow,
    old: &Definition,
    new: &Definition,
    now: DateTime<Utc>,
) -> Result<ScheduleRow, Error> {
    let is_same_plan = instants_of(old) == instants_of(new);
    let prepared =
        if is_same_plan { Prepared::stored(new.clone()) } else { Prepared::new(new.clone(), now) }?;
    let decided_until = if !is_same_plan {
        counts_from(new, now)
    } else if new.enabled && !old.enabled {
        // A clock that was far ahead for a while must not silence it until then.
        row.decided_until.min(now)
    } else {
        row.decided_until
    };
    let row = ScheduleRow {
        version: row.version.saturating_add(1),
        enabled: new.enabled,
        definition: json(new)?,
        decided_until,
        // What was refused before may be taken now.
        failure: None,
        updated_at: now,
        ..row
    };
    let row = arranged(row, &prepared, now);
    if new.enabled && !old.enabled && row.due_at.is_none() {
        return Err(Error::Ended(row.name));
    }
    Ok(row)
}

/// What decides the instants of a definition: all of it but what is known to decide something else.
fn instants_of(definition: &Definition) -> Definition {
    Definition {
        description: None,
        event_type: None,
        payload: serde_json::Value::Null,
        overlap: crate::Overlap::default(),
        catchup: crate::Catchup::default(),
        catchup_window_ms: None,
        jitter_ms: 0,
        max_fires: None,
        enabled: true,
        ..definition.clone()
    }
}

pub(crate) fn instant(row: &ScheduleRow, prepared: &Prepared, time: DateTime<Utc>) -> Instant {
    let plan = &prepared.plan;
    let jitter_ms = plan.jitter(row.id, time).num_milliseconds();
    Instant { time, local: plan.local(time), jitter_ms }
}

fn json(definition: &Definition) -> Result<String, Error> {
    serde_json::to_string(definition)
        .map_err(|source| Error::Unreadable { name: definition.name.clone(), source })
}

fn read(row: &ScheduleRow) -> Result<Definition, Error> {
    serde_json::from_str(&row.definition)
        .map_err(|source| Error::Unreadable { name: row.name.clone(), source })
}
