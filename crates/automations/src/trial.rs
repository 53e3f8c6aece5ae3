//! A definition tried out on an event: whether it would run, why not, and what its actions would be given. Nothing is done.

use std::io::{self, Write};

use omni_events::Event;
use omni_rules::{Finding, Proof};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use crate::{
    Automations, Definition, Error, Reason, ReasonKind,
    compiled::{CompiledAction, try_compile},
    linting::findings,
    matching::document,
    plan::scope,
};

/// Bytes of JSON that the configs of one answer have together.
const SHOWN_MAX: usize = 4 << 20;

/// What a definition would make of an event.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AutomationTrial")]
pub struct Trial {
    /// Whether it would run: nothing stands against it, and the proof holds.
    pub matched: bool,
    /// The same in one sentence.
    pub summary: String,
    /// Why it would not run whatever the event looks like.
    pub reasons: Vec<Reason>,
    /// The pattern and the conditions, leaf by leaf.
    pub proof: Proof,
    /// What is odd about the definition, with this event or any other.
    pub findings: Vec<Finding>,
    /// The actions in their order, filled in as for this event, whether it would run or not.
    pub actions: Vec<Rendered>,
}

/// An action as it would be given to whoever does it.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Rendered {
    /// The kind of action.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its config with the templates filled in; null when that cannot be done, or is too large to show.
    pub config: Value,
    /// Why it is not filled in. What another action answers is known only when it has run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

impl Automations {
    /// Tries a definition out on an event. `schema` is that of the payload of the type it listens to, if there is one.
    ///
    /// # Errors
    /// When the definition has faults.
    pub async fn try_out(
        &self,
        definition: Definition,
        event: Event,
        schema: Option<Value>,
    ) -> Result<Trial, Error> {
        let automations = self.clone();
        let place = self.place().await;
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            automations.tried_out(&definition, &event, schema.as_ref())
        });
        work.await?
    }

    fn tried_out(
        &self,
        definition: &Definition,
        event: &Event,
        schema: Option<&Value>,
    ) -> Result<Trial, Error> {
        let (filter, actions) = try_compile(definition, self.actions()).map_err(Error::Invalid)?;
        let mut reasons = Vec::new();
        if !definition.enabled {
            reasons.push(Reason::new(ReasonKind::Disabled, "it is off"));
        }
        if !definition.trigger_event_type.matches(&event.event_type) {
            let (pattern, event_type) = (definition.trigger_event_type.as_str(), &event.event_type);
            let message = format!("it listens to `{pattern}`, and the event is `{event_type}`");
            reasons.push(Reason::new(ReasonKind::WrongType, message));
        }
        let document = document(event).unwrap_or_default();
        let proof = filter.explain(&document);
        let summary = match reasons.first() {
            Some(reason) => reason.message.clone(),
            None => proof.summary(),
        };
        let scope = scope(&document);
        Ok(Trial {
            matched: reasons.is_empty() && proof.matched,
            summary,
            reasons,
            proof,
            findings: findings(&filter, schema),
            actions: all_rendered(&actions, &scope, SHOWN_MAX),
        })
    }
}

/// The actions filled in; those that do not fit into what is left of so many bytes of JSON are not kept.
fn all_rendered(actions: &[CompiledAction], scope: &Value, at_most: usize) -> Vec<Rendered> {
    let mut left = at_most;
    let one = |action| {
        let mut rendered = rendered(action, scope);
        let size = size_of_json(&rendered.config);
        if size > left {
            rendered.config = Value::Null;
            rendered.error = Some(format!(
                "config: it is too large to show: {size} bytes of JSON, where the actions of one test have {at_most} together"
            ));
        } else {
            left -= size;
        }
        rendered
    };
    actions.iter().map(one).collect()
}

fn rendered(action: &CompiledAction, scope: &Value) -> Rendered {
    let kind = action.kind.clone();
    match action.config.render(scope) {
        Ok(config) => Rendered { kind, config, error: None },
        Err(error) => {
            let error = Some(format!("config{}: {error}", error.pointer));
            Rendered { kind, config: Value::Null, error }
        }
    }
}

/// How long a value is as JSON, without writing it anywhere.
fn size_of_json(value: &Value) -> usize {
    let mut counted = Counted(0);
    // Nothing here can fail.
    let _ = serde_json::to_writer(&mut counted, value);
    counted.0
}

struct Counted(usize);

impl Write for Counted {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
