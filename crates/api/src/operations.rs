//! What the API does, once: both faces call these functions and only translate.
//!
//! Every function takes the call first, and everything it touches belongs to the organisation of the call.

pub(crate) mod admin;
pub(crate) mod audit;
pub(crate) mod automations;
pub(crate) mod captures;
pub(crate) mod dead_letters;
pub(crate) mod events;
pub(crate) mod executions;
pub(crate) mod explain;
pub(crate) mod publish;
pub(crate) mod registry;
pub(crate) mod replays;
pub(crate) mod scheduled;
pub(crate) mod schedules;
pub(crate) mod schema_check;
pub(crate) mod sources;
pub(crate) mod tail;
pub(crate) mod trace;
pub(crate) mod trials;

use uuid::Uuid;

use crate::problem::Problem;

/// Reads an id. What is no id names nothing, so it is not found rather than wrong.
pub(crate) fn id(what: &str, text: &str) -> Result<Uuid, Problem> {
    Uuid::try_parse(text).map_err(|_| Problem::not_found(what, shown(text)))
}

/// Refuses a text that no row can hold: PostgreSQL has no NUL in texts, and no name or label has one.
pub(crate) fn storable(pointer: &str, text: Option<&str>) -> Result<(), Problem> {
    if text.is_some_and(|text| text.contains('\0')) {
        return Err(Problem::field(pointer, "it has a NUL character, which nothing here has"));
    }
    Ok(())
}

/// An id or name of a caller, short enough for a message.
pub(crate) fn shown(text: &str) -> String {
    text.chars().take(200).collect()
}
