//! Telling every process that a definition has changed, so that it reads it again at once.
//!
//! It must stay true that nothing rests on it: every cache also reads by the clock, so a notice that is lost is a delay.

use omni_events::{EventType, Org, Payload, payload::DefinitionChanged};

use crate::{Draft, EventLog};

/// The type of the event.
pub const DEFINITION_CHANGED: &str = "system.definition.changed";
/// Who says so.
const SOURCE: &str = "system:definitions";

impl EventLog {
    /// Records that a definition of an organisation has changed; call it after the change is stored. A notice that cannot
    /// be recorded is only logged: the change itself is done.
    pub async fn tell_changed(&self, org: &Org, changed: &DefinitionChanged) {
        let Some(draft) = draft(org, changed) else { return };
        if let Err(error) = self.append(draft).await {
            let (kind, name) = (&changed.kind, &changed.name);
            tracing::warn!(kind, name, %error, "other processes hear of a change by the clock only");
        }
    }
}

fn draft(org: &Org, changed: &DefinitionChanged) -> Option<Draft> {
    let event_type = EventType::parse(DEFINITION_CHANGED).ok()?;
    let payload = Payload::from_value(&serde_json::to_value(changed).ok()?);
    Some(Draft::new(org.clone(), event_type, SOURCE, payload))
}
