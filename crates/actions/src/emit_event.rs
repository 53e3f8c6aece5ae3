//! `emit_event`: a new event caused by the one that fired the rule. What must stay true: one effect
//! gives one event, however often it runs, and a chain of causes is cut at the hop limit.

use async_trait::async_trait;
use omni_event_log::{AppendError, Draft, EventLog};
use omni_events::{EventType, Payload, check_token};
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::action::{Action, Call, Error, Problem};
use crate::config::{self, Rules};

/// Templates can multiply what came in; an event that a rule makes is not larger than this.
const PAYLOAD_MAX: usize = 1024 * 1024;
/// Keys of effects never meet keys that senders chose.
const SCOPE: &str = "effect";
/// The effect key alone says what is a repeat: a second run may render other bytes (a reply of an
/// earlier action, say) and is still the same effect.
const ANY_BODY: [u8; 32] = [0; 32];

/// Appends an event to the log.
#[derive(Clone)]
pub struct EmitEvent {
    log: EventLog,
}

impl EmitEvent {
    /// Appends to `log`.
    pub fn new(log: EventLog) -> Self {
        Self { log }
    }
}

/// Configuration of `emit_event`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Config {
    /// Type of the new event, such as `custom.alert.vip`.
    event_type: String,
    /// Its payload: any JSON.
    payload: Value,
    /// The kind of channel it belongs to.
    #[serde(default)]
    channel_type: Option<String>,
    /// The instance of the channel it belongs to.
    #[serde(default)]
    instance_id: Option<String>,
}

impl Rules for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Err(error) = EventType::parse(&self.event_type) {
            problems.push(Problem::new("/eventType", error.to_string()));
        }
        for (pointer, token) in
            [("/channelType", &self.channel_type), ("/instanceId", &self.instance_id)]
        {
            if let Some(Err(error)) = token.as_deref().map(check_token) {
                problems.push(Problem::new(pointer, error.to_string()));
            }
        }
        problems
    }
}

impl Config {
    fn draft(self, call: &Call<'_>) -> Result<Draft, Error> {
        let event_type = EventType::parse(&self.event_type)
            .map_err(|error| Problem::new("/eventType", error.to_string()))?;
        let org = call.event.metadata.org.clone();
        let source = format!("automation:{}", call.automation);
        let mut draft = Draft::new(org, event_type, source, payload(&self.payload)?)
            .caused_by(call.event)
            .deduplicated(SCOPE, call.effect_key.as_str(), ANY_BODY);
        draft.metadata.channel_type = self.channel_type;
        draft.metadata.instance_id = self.instance_id;
        Ok(draft)
    }
}

/// Writes the payload and reads it again under the limits that hold for events from outside:
/// rendering nests one payload in another and may go past them.
fn payload(value: &Value) -> Result<Payload, Error> {
    let bytes = value.to_string();
    if bytes.len() > PAYLOAD_MAX {
        let message = format!("{} bytes; at most {PAYLOAD_MAX} are stored", bytes.len());
        return Err(Problem::new("/payload", message).into());
    }
    Payload::parse(bytes.into()).map_err(|error| Problem::new("/payload", error.to_string()).into())
}

#[async_trait]
impl Action for EmitEvent {
    fn kind(&self) -> &'static str {
        "emit_event"
    }

    fn describe(&self) -> &'static str {
        "Create a new event"
    }

    fn config_schema(&self) -> Value {
        schema_for!(Config).to_value()
    }

    fn check(&self, config: &Value) -> Vec<Problem> {
        let sample = json!({ "eventType": "custom.a", "channelType": "a", "instanceId": "a" });
        config::check::<Config>(config, &sample)
    }

    async fn run(&self, call: &Call<'_>, config: Value) -> Result<Value, Error> {
        let draft = config::rendered::<Config>(config)?.draft(call)?;
        let appended = self.log.append(draft).await.map_err(failure)?;
        Ok(json!({
            "eventId": appended.event_id,
            "sequence": appended.sequence,
            "repeat": appended.repeat,
        }))
    }
}

fn failure(error: AppendError) -> Error {
    match &error {
        // Appending under the key of the effect is harmless however often it is done.
        AppendError::Overloaded | AppendError::Stopped | AppendError::Store(_) => {
            Error::outage(error.to_string())
        }
        AppendError::Refused(_)
        | AppendError::Metadata { .. }
        | AppendError::TooLarge { .. }
        | AppendError::Conflict { .. }
        | AppendError::Loop { .. } => Error::permanent(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
