//! Definitions made ready: planned, their templates compiled, their event type read; and the ones that are in use.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::{DateTime, Utc};
use omni_events::EventType;
use omni_store::schedules::ScheduleRow;
use omni_transform::Template;
use serde_json::{Map, Value};
use uuid::Uuid;

use crate::{Definition, Error, Plan, Problem};

/// Where the paths of payload templates start.
const ROOTS: &[&str] = &["schedule", "fire"];
/// Definitions kept ready; with more, all are made ready again. One takes a few KiB.
const READY_MAX: usize = 20_000;
/// Largest payload of a definition, in bytes: it is read with every decision.
const PAYLOAD_MAX: usize = 256 << 10;

/// A definition that can be carried out.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) definition: Definition,
    pub(crate) plan: Plan,
    pub(crate) payload: Template,
    pub(crate) event_type: EventType,
}

impl Prepared {
    /// Checks a definition that is to be saved.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn new(definition: Definition, now: DateTime<Utc>) -> Result<Self, Error> {
        let plan = Plan::new(&definition, now);
        Self::with(plan, definition).map_err(Error::Invalid)
    }

    /// Makes a stored definition ready; one that has ended, too.
    ///
    /// # Errors
    /// When it was written by a newer version.
    pub(crate) fn stored(definition: Definition) -> Result<Self, Error> {
        let plan = Plan::stored(&definition);
        Self::with(plan, definition).map_err(Error::Invalid)
    }

    fn with(
        plan: Result<Plan, Vec<Problem>>,
        definition: Definition,
    ) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let plan = plan.map_err(|found| problems.extend(found)).ok();
        let payload = template(&definition.payload).map_err(|found| problems.extend(found)).ok();
        // The plan has looked at the name and the type, too.
        let event_type = event_type(&definition)
            .map_err(|found| {
                if problems.iter().all(|known| known.pointer != found.pointer) {
                    problems.push(found);
                }
            })
            .ok();
        match (plan, payload, event_type) {
            (Some(plan), Some(payload), Some(event_type)) if problems.is_empty() => {
                Ok(Self { definition, plan, payload, event_type })
            }
            _ => Err(problems),
        }
    }
}

fn template(payload: &Value) -> Result<Template, Vec<Problem>> {
    let size = payload.to_string().len();
    if size > PAYLOAD_MAX {
        let message =
            format!("it has {size} bytes as JSON; a schedule keeps {PAYLOAD_MAX} at most");
        return Err(vec![Problem::at("/payload", message)]);
    }
    let none = Value::Object(Map::new());
    // Without a payload the event still says what fired.
    let payload = if payload.is_null() { &none } else { payload };
    Template::compile_in(payload, ROOTS).map_err(|problems| {
        let place = |problem: omni_transform::Problem| {
            Problem::at(format!("/payload{}", problem.pointer), problem.message)
        };
        problems.into_iter().map(place).collect()
    })
}

fn event_type(definition: &Definition) -> Result<EventType, Problem> {
    let (place, wanted) = match &definition.event_type {
        Some(wanted) => ("/eventType", wanted.clone()),
        None => ("/name", format!("custom.cron.{}", definition.name)),
    };
    EventType::parse(&wanted).map_err(|error| Problem::at(place, error.to_string()))
}

/// The definitions in use, by schedule and version.
#[derive(Debug, Default)]
pub(crate) struct Ready(Mutex<HashMap<(Uuid, i32), Arc<Prepared>>>);

impl Ready {
    /// The definition of a stored schedule.
    ///
    /// # Errors
    /// When it was written by a newer version.
    pub(crate) fn get(&self, row: &ScheduleRow) -> Result<Arc<Prepared>, Error> {
        let key = (row.id, row.version);
        let known = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(prepared) = known().get(&key) {
            return Ok(prepared.clone());
        }
        let definition = serde_json::from_str(&row.definition)
            .map_err(|source| Error::Unreadable { name: row.name.clone(), source })?;
        let prepared = Arc::new(Prepared::stored(definition)?);
        let mut known = known();
        if known.len() >= READY_MAX {
            known.clear();
        }
        known.insert(key, prepared.clone());
        Ok(prepared)
    }
}
