//! Events that the product raises about itself.

use omni_event_log::Draft;
use omni_events::{EventType, Org, Payload};
use serde::Serialize;

/// Who says so.
const SOURCE: &str = "system:bus";

/// A draft of an event of the default organisation. `None`, said in the log, when there can be none.
pub(crate) fn draft(event_type: &'static str, payload: &impl Serialize) -> Option<Draft> {
    let parsed = EventType::parse(event_type).ok();
    let payload =
        serde_json::to_vec(payload).ok().and_then(|json| Payload::parse(json.into()).ok());
    let draft = parsed.zip(payload);
    if draft.is_none() {
        tracing::error!(event_type, "an event about the product itself cannot be written");
    }
    draft.map(|(event_type, payload)| Draft::new(Org::default(), event_type, SOURCE, payload))
}
