//! What OpenAPI and AsyncAPI say alike about payloads: their schemas, drafts and media types.

use serde_json::{Map, Value, json};

use super::{
    NotImported,
    bundle::{Budget, Target, bundle},
    place::{Source, is_formatted, object, refused},
};

/// Most event types in one document.
pub(super) const TYPES_MAX: usize = 1000;
/// Most references from one payload to the next before there is a schema; more is a circle.
const HOPS_MAX: usize = 32;

/// A draft of JSON Schema.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Draft7,
    Draft202012,
}

/// The payloads of one document.
pub(super) struct Payloads<'a> {
    pub(super) source: Source<'a>,
    budget: Budget,
}

impl Dialect {
    /// The draft that the value of `$schema` names; OpenAPI 3.1 has the words of 2020-12 and some of its own.
    pub(super) fn of(uri: &str, at: &str) -> Result<Self, NotImported> {
        let plain =
            uri.trim_end_matches('#').trim_start_matches("https://").trim_start_matches("http://");
        match plain {
            "json-schema.org/draft/2020-12/schema" => Ok(Self::Draft202012),
            "json-schema.org/draft-07/schema" => Ok(Self::Draft7),
            _ if plain.starts_with("spec.openapis.org/oas/3.") => Ok(Self::Draft202012),
            _ => Err(refused(
                at,
                "names a dialect that is not read: use JSON Schema 2020-12 or draft-07",
            )),
        }
    }

    /// The draft of a `schemaFormat`, as AsyncAPI writes them.
    fn of_format(format: &str, at: &str) -> Result<Self, NotImported> {
        let lower = format.to_ascii_lowercase().replace(' ', "");
        let (media, parameters) = lower.split_once(';').unwrap_or((&lower, ""));
        let version = parameters
            .split(';')
            .find_map(|parameter| parameter.strip_prefix("version="))
            .unwrap_or_default();
        let version = version.trim_matches('"');
        let family = media.trim_end_matches("+json").trim_end_matches("+yaml");
        match (family, version) {
            ("application/vnd.aai.asyncapi", _) => Ok(Self::Draft7),
            ("application/schema", "draft-07" | "draft-7" | "draft7" | "draft/07") => {
                Ok(Self::Draft7)
            }
            ("application/schema", "" | "draft-2020-12" | "draft/2020-12" | "2020-12") => {
                Ok(Self::Draft202012)
            }
            ("application/vnd.oai.openapi", version) if version.starts_with("3.1") => {
                Ok(Self::Draft202012)
            }
            _ => {
                let format: String = format.chars().take(100).collect();
                Err(refused(
                    at,
                    format!(
                        "is in the format `{format}`; JSON Schema draft-07 and 2020-12 are read"
                    ),
                ))
            }
        }
    }

    pub(super) fn uri(self) -> &'static str {
        match self {
            Self::Draft7 => "http://json-schema.org/draft-07/schema#",
            Self::Draft202012 => "https://json-schema.org/draft/2020-12/schema",
        }
    }

    /// The keyword for schemas that others refer to.
    pub(super) fn definitions(self) -> &'static str {
        match self {
            Self::Draft7 => "definitions",
            Self::Draft202012 => "$defs",
        }
    }
}

impl<'a> Payloads<'a> {
    pub(super) fn new(document: &'a Value) -> Self {
        Self { source: Source::new(document, false), budget: Budget::default() }
    }

    /// The schema that stands at a place or that the place refers to, complete in itself.
    pub(super) fn schema(
        &mut self,
        pointer: String,
        dialect: Dialect,
    ) -> Result<Value, NotImported> {
        let (root, dialect) = self.root(pointer.clone(), dialect)?;
        let target = Target { known: &pointer, prefix: "#", definitions: dialect.definitions() };
        let mut schema = bundle(&mut self.source, &mut self.budget, &root, &target)?;
        if dialect != Dialect::Draft202012 && schema.is_object() {
            schema["$schema"] = json!(dialect.uri());
        }
        Ok(schema)
    }

    /// The place of the schema itself: after references that say nothing else, and inside of what names its format.
    fn root(
        &mut self,
        pointer: String,
        mut dialect: Dialect,
    ) -> Result<(String, Dialect), NotImported> {
        let mut at = pointer.clone();
        for _ in 0..HOPS_MAX {
            let value = self.source.document.pointer(&at).unwrap_or(&Value::Null);
            if is_formatted(value) {
                let format_at = format!("{at}/schemaFormat");
                let format = value["schemaFormat"]
                    .as_str()
                    .ok_or_else(|| refused(&format_at, "must be a text"))?;
                dialect = Dialect::of_format(format, &format_at)?;
                at.push_str("/schema");
                continue;
            }
            if let Some(schema) = value.get("$schema") {
                let schema_at = format!("{at}/$schema");
                dialect = Dialect::of(schema.as_str().unwrap_or_default(), &schema_at)?;
            }
            match value.as_object() {
                Some(members) if members.len() == 1 && members.contains_key("$ref") => {
                    let reference = members["$ref"]
                        .as_str()
                        .ok_or_else(|| refused(&at, "has a `$ref` that is not a text"))?;
                    let base = self.source.base_of(&at, &pointer).unwrap_or_default();
                    at = self.source.resolve(reference, &base, &at)?;
                }
                _ => return Ok((at, dialect)),
            }
        }
        Err(refused(&pointer, "refers to itself in a circle"))
    }
}

/// The members of an object that holds event types, if they are not too many.
pub(super) fn limited<'a>(
    value: &'a Value,
    at: &str,
) -> Result<&'a Map<String, Value>, NotImported> {
    let members = object(value, at)?;
    if members.len() > TYPES_MAX {
        return Err(refused(at, format!("has more than {TYPES_MAX} entries: split the document")));
    }
    Ok(members)
}

/// What an operation or a message says of itself in prose.
pub(super) fn described(value: &Value) -> Option<String> {
    let words = ["description", "summary", "title"]
        .into_iter()
        .filter_map(|word| value.get(word)?.as_str());
    words.map(str::trim).find(|text| !text.is_empty()).map(str::to_owned)
}

/// Whether a media type is JSON or written in it, as `application/cloudevents+json` is.
pub(super) fn is_json(media: &str) -> bool {
    let essence = media.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}
