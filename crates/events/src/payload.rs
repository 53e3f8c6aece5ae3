//! The payloads of the built-in event types, as Rust types; their JSON Schemas are seeded into the registry.
//!
//! Fields may be added and stay optional; unknown fields are kept, since providers know more than we do.

mod messages;
mod people;
mod system;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde_json::Value;

pub use self::{
    messages::{
        Attachment, Content, MediaProcessed, MessageFailed, MessageReceived, MessageSent, Party,
    },
    people::{
        AccessDecided, IdentityLinked, IdentityMerged, InstanceConnected, InstanceDisconnected,
    },
    system::{
        AutomationExecuted, DeadLetter, DefinitionChanged, ExecutedAction, HealthDegraded,
        ReplayCompleted, ReplayStarted, ScheduleAlarm, ScheduleOverdue,
    },
};

/// A built-in event type with what its payload looks like.
#[derive(Clone, Debug)]
pub struct CoreType {
    /// The event type.
    pub event_type: &'static str,
    /// What it tells, in one sentence.
    pub description: &'static str,
    /// JSON Schema 2020-12 of the payload.
    pub schema: Value,
}

/// Every built-in event type, in the order of their domains.
pub fn core_types() -> Vec<CoreType> {
    vec![
        core::<MessageReceived>("message.received", "A message came in through a channel."),
        core::<MessageSent>(
            "message.sent",
            "A message was handed to a channel and accepted by it.",
        ),
        core::<MessageFailed>("message.failed", "A message could not be sent."),
        core::<InstanceConnected>("instance.connected", "An instance of a channel is connected."),
        core::<InstanceDisconnected>(
            "instance.disconnected",
            "An instance of a channel lost its connection.",
        ),
        core::<IdentityLinked>("identity.linked", "A handle was linked to a person."),
        core::<IdentityMerged>("identity.merged", "Two persons turned out to be one."),
        core::<MediaProcessed>("media.processed", "An attachment was processed."),
        core::<AccessDecided>("access.allowed", "Access was granted."),
        core::<AccessDecided>("access.denied", "Access was refused."),
        core::<DeadLetter>(
            "system.dead_letter",
            "An event could not be handled and was set aside.",
        ),
        core::<ReplayStarted>("system.replay.started", "A replay began."),
        core::<ReplayCompleted>("system.replay.completed", "A replay ended."),
        core::<AutomationExecuted>(
            "system.automation.executed",
            "An automation has carried out its actions for an event.",
        ),
        core::<DefinitionChanged>(
            "system.definition.changed",
            "A definition that every process keeps in memory was made, changed or deleted.",
        ),
        core::<ScheduleAlarm>("system.schedule.alarm", "Somebody has to look at a schedule."),
        core::<ScheduleOverdue>(
            "system.schedule.overdue",
            "An instant of a schedule is over and nobody has dealt with it.",
        ),
        core::<HealthDegraded>("system.health.degraded", "A part of the installation is not well."),
    ]
}

fn core<T: JsonSchema>(event_type: &'static str, description: &'static str) -> CoreType {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>();
    CoreType { event_type, description, schema: schema.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::EventType;

    #[test]
    fn core_types_have_valid_names_and_object_schemas() {
        let types = core_types();
        assert_eq!(types.iter().filter(|t| !t.event_type.starts_with("system.")).count(), 10);
        for core in types {
            EventType::parse(core.event_type).unwrap();
            assert_eq!(core.schema["type"], "object", "{}", core.event_type);
        }
    }
}
