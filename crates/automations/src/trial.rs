//! A definition tried out on an event: whether it would run, why not, and what its actions would be given. Nothing is done.

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
    /// Its config with the templates filled in; null when that cannot be done.
    pub config: Value,
    /// Why it cannot be filled in. What another action answers is known only when it has run.
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
        let work = tokio::task::spawn_blocking(move || {
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
            actions: actions.iter().map(|action| rendered(action, &scope)).collect(),
        })
    }
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
