//! `log`: a line in the log of this installation. Repeats are harmless.

use async_trait::async_trait;
use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::action::{Action, Call, Error, Problem};
use crate::config::{self, Rules, head, text};

/// A log line is for reading. Longer texts are cut, so that a rule cannot fill the log with payloads.
const MESSAGE_MAX: usize = 4 * 1024;

/// Writes a line to the log.
#[derive(Clone, Copy, Debug)]
pub struct Log;

/// Configuration of `log`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Config {
    /// How loud the line is.
    #[serde(default)]
    level: Level,
    /// The text of the line.
    #[schemars(with = "String")]
    message: Value,
    /// Values to put beside the text.
    #[serde(default)]
    fields: Map<String, Value>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Level {
    Debug,
    #[default]
    Info,
    Warn,
    Error,
}

impl Rules for Config {
    fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}

#[async_trait]
impl Action for Log {
    fn kind(&self) -> &'static str {
        "log"
    }

    fn describe(&self) -> &'static str {
        "Write a line to the log"
    }

    fn config_schema(&self) -> Value {
        schema_for!(Config).to_value()
    }

    fn check(&self, config: &Value) -> Vec<Problem> {
        config::check::<Config>(config, &json!({ "level": "info", "message": "", "fields": {} }))
    }

    async fn run(&self, call: &Call<'_>, config: Value) -> Result<Value, Error> {
        let Config { level, message, fields } = config::rendered(config)?;
        let message = text(&message);
        let message = head(&message, MESSAGE_MAX);
        let fields = Value::Object(fields).to_string();
        write(level, call, message, head(&fields, MESSAGE_MAX));
        Ok(json!({ "logged": message }))
    }
}

/// The level of a log line is fixed where it is written, hence four places.
fn write(level: Level, call: &Call<'_>, message: &str, fields: &str) {
    let automation = call.automation;
    let event = call.event.id;
    match level {
        Level::Debug => {
            tracing::debug!(target: "omni::automation", automation, %event, fields, "{message}");
        }
        Level::Info => {
            tracing::info!(target: "omni::automation", automation, %event, fields, "{message}");
        }
        Level::Warn => {
            tracing::warn!(target: "omni::automation", automation, %event, fields, "{message}");
        }
        Level::Error => {
            tracing::error!(target: "omni::automation", automation, %event, fields, "{message}");
        }
    }
}

#[cfg(test)]
mod tests;
