//! Reads from the bytes of an event what rules ask for, and skips the rest. It must stay true that what is not asked for
//! is not decoded, and that every value comes with the array elements that it lies in.

mod block;
mod escape;
mod names;
mod paths;
mod scan;
mod values;
mod walk;

pub(crate) use self::{
    paths::{FieldId, Paths},
    values::{Context, ROOT, Values},
};

/// The bytes are not the JSON that was promised.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the event is not a JSON object that can be read: {what} at byte {offset}")]
pub struct Unreadable {
    /// Bytes before the fault.
    pub offset: usize,
    /// What was expected there.
    pub what: &'static str,
}

#[cfg(test)]
mod tests;
