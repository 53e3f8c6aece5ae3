//! Reading a configuration, before and after its templates are rendered.

use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::action::{Error, Problem};

/// A kind of configuration with rules that its types do not say.
pub(crate) trait Rules: DeserializeOwned {
    /// Faults in well-typed values. Texts that are still templates must pass.
    fn problems(&self) -> Vec<Problem>;
}

/// Checks a configuration that may hold templates. A field that is a template stands for a value
/// that is not known yet, so its `sample` is judged in its place.
pub(crate) fn check<C: Rules>(config: &Value, sample: &Value) -> Vec<Problem> {
    let mut config = config.clone();
    for (field, value) in config.as_object_mut().into_iter().flatten() {
        if let (true, Some(sample)) = (is_template(value), sample.get(field)) {
            *value = sample.clone();
        }
    }
    match read::<C>(config) {
        Ok(config) => config.problems(),
        Err(problem) => vec![problem],
    }
}

/// Reads a rendered configuration; the first fault ends the run.
pub(crate) fn rendered<C: Rules>(config: Value) -> Result<C, Error> {
    let config: C = read(config)?;
    match config.problems().into_iter().next() {
        Some(problem) => Err(problem.into()),
        None => Ok(config),
    }
}

/// Whether a value is a text with a template in it.
pub(crate) fn is_template(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.contains("{{"))
}

/// A value as text: a string as it is, anything else as compact JSON. A template that fills a whole
/// string gives a number where the payload has a number, and that is meant as text here.
pub(crate) fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The longest beginning of `text` that has at most `max` bytes.
pub(crate) fn head(text: &str, max: usize) -> &str {
    &text[..text.floor_char_boundary(max)]
}

fn read<C: DeserializeOwned>(config: Value) -> Result<C, Problem> {
    serde_path_to_error::deserialize(config).map_err(|error| {
        let segments = error.path().iter().filter_map(|segment| match segment {
            Segment::Seq { index } => Some(format!("/{index}")),
            Segment::Map { key } => Some(format!("/{}", escape(key))),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
        let pointer: String = segments.collect();
        Problem::new(pointer, error.inner().to_string())
    })
}

/// A key as a segment of a JSON Pointer.
pub(crate) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}
