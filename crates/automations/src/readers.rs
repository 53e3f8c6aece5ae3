//! Which automations read the payload of a type, and what of it: whoever changes the type is told whom it breaks.
//!
//! It must stay true that nothing is left out that a condition or a template can reach: a path that may mean several places
//! is listed with all of them.

use omni_events::{EventType, Org, TypePattern};
use omni_rules::{self as rules, Filter};
use omni_schema::Step;
use omni_store::automations::{self as rows, AutomationRow};
use omni_transform::{self as transform, Template};
use uuid::Uuid;

use crate::{Automations, Definition, Error, automations::from_row};

/// Automations of one read.
const PAGE: i64 = 500;
/// Most places that one path is taken to mean.
const MEANINGS_MAX: usize = 16;

/// An automation that a type triggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reader {
    /// Its id.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Whether it is on.
    pub enabled: bool,
    /// What it reads of the payload, in the order of its definition.
    pub reads: Vec<Read>,
}

/// A place of the payload that an automation reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// The places that are meant, from the payload on: a number is an item of an array or a name, a wildcard is an item or
    /// a member. Never empty.
    pub paths: Vec<Vec<Step>>,
    /// The path as its author wrote it; of a JSONPath that reads several, each by itself.
    pub text: String,
    /// Where it stands in the definition: `pattern`, `condition 2`, `action 1 (webhook): body`.
    pub place: String,
}

impl Automations {
    /// The automations, on or off, that an event of this type triggers, with what each reads of its payload.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn readers(&self, org: &Org, event_type: &EventType) -> Result<Vec<Reader>, Error> {
        let mut readers = Vec::new();
        let is_triggered = |row: &AutomationRow| {
            let pattern = TypePattern::parse(&row.trigger_event_type);
            pattern.is_ok_and(|pattern| pattern.matches(event_type))
        };
        self.each(org, is_triggered, |id, definition| {
            readers.push(Reader {
                id,
                name: definition.name.clone(),
                enabled: definition.enabled,
                reads: reads(definition),
            });
        })
        .await?;
        Ok(readers)
    }

    /// Who names a type, in words: automations that this type and no other triggers, and those that emit it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn users(&self, org: &Org, event_type: &EventType) -> Result<Vec<String>, Error> {
        let mut users = Vec::new();
        let name = event_type.as_str();
        self.each(
            org,
            |_| true,
            |_, definition| {
                let how = if definition.trigger_event_type.as_str() == name {
                    "is triggered by it"
                } else if emits(definition, name) {
                    "emits it"
                } else {
                    return;
                };
                let off = if definition.enabled { "" } else { ", which is off," };
                users.push(format!("automation {}{off} {how}", definition.name));
            },
        )
        .await?;
        Ok(users)
    }

    async fn each(
        &self,
        org: &Org,
        is_wanted: impl Fn(&AutomationRow) -> bool,
        mut visit: impl FnMut(Uuid, &Definition),
    ) -> Result<(), Error> {
        let mut after: Option<String> = None;
        loop {
            let mut conn = self.store().read().await?;
            let page = rows::list(&mut conn, org.as_str(), after.as_deref(), PAGE).await?;
            drop(conn);
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.name.clone());
            for row in page.into_iter().filter(&is_wanted) {
                let id = row.id;
                match from_row(row) {
                    Ok(automation) => visit(id, &automation.definition),
                    // Such a one does not run either, and must not keep a type from changing.
                    Err(error) => {
                        tracing::error!(automation = %id, %error, "a stored automation cannot be read");
                    }
                }
            }
        }
    }
}

/// Everything of the payload that a definition reads.
fn reads(definition: &Definition) -> Vec<Read> {
    let mut reads = Vec::new();
    let pattern = definition.trigger_pattern.as_ref();
    let filter = pattern.and_then(|pattern| Filter::compile(Some(pattern), &[]).ok());
    // What does not compile does not run.
    for path in filter.map(|filter| filter.reads()).unwrap_or_default() {
        reads.extend(read(within_payload(&path), shown(&path), "pattern".to_owned()));
    }
    for (index, condition) in definition.trigger_conditions.iter().enumerate() {
        let paths = rules::reads(&condition.field);
        let is_one = paths.len() == 1;
        for path in &paths {
            let text = if is_one { condition.field.clone() } else { shown(path) };
            let place = format!("condition {}", index + 1);
            reads.extend(read(within_payload(path), text, place));
        }
    }
    for (index, action) in definition.actions.iter().enumerate() {
        // What does not compile does not run.
        let Ok(template) = Template::compile(&action.config) else { continue };
        for found in template.reads() {
            let field = found.pointer.trim_start_matches('/').replace('/', ".");
            let field = field.replace("~1", "/").replace("~0", "~");
            let place = format!("action {} ({}): {field}", index + 1, action.kind);
            reads.extend(read(rendered(&found), found.text.to_owned(), place));
        }
    }
    reads.dedup();
    reads
}

/// Paths of rules, from the payload on, as places; nothing when they read no part of it.
fn read(paths: Vec<Vec<rules::Step>>, text: String, place: String) -> Option<Read> {
    let mut places: Vec<Vec<Step>> = paths.iter().flat_map(|path| meanings(path)).collect();
    // Who reads the payload as a whole reads no place of it.
    places.retain(|place| !place.is_empty());
    places.truncate(MEANINGS_MAX);
    (!places.is_empty()).then_some(Read { paths: places, text, place })
}

/// What a path from the root of an event reads within the payload.
fn within_payload(path: &[rules::Step]) -> Vec<Vec<rules::Step>> {
    use rules::Step::{Descend, Each, Name};
    let is_payload = |name: &str| name == "payload";
    match path {
        [Name(name), rest @ ..] if is_payload(name) => vec![rest.to_vec()],
        [Each, rest @ ..] => vec![rest.to_vec()],
        [Descend, Name(name), rest @ ..] if is_payload(name) => vec![rest.to_vec(), path.to_vec()],
        [Descend, Each, rest @ ..] => vec![rest.to_vec(), path.to_vec()],
        [Descend, ..] => vec![path.to_vec()],
        _ => Vec::new(),
    }
}

/// What a template reads within the payload, which its scope has under three names.
fn rendered(read: &transform::Read<'_>) -> Vec<Vec<rules::Step>> {
    let step = |step: &transform::Step<'_>| match step {
        transform::Step::Name(name) => rules::Step::Name((*name).to_owned()),
        transform::Step::Number(number) => rules::Step::Number((*number).to_owned()),
    };
    let path: Vec<rules::Step> = read.steps.iter().map(step).collect();
    match read.root {
        "payload" | "input" => vec![path],
        "event" => within_payload(&path),
        _ => Vec::new(),
    }
}

/// Every place that a path may mean; of too many, the first.
fn meanings(path: &[rules::Step]) -> Vec<Vec<Step>> {
    let mut places: Vec<Vec<Step>> = vec![Vec::new()];
    for step in path {
        let mut steps: Vec<Option<Step>> = match step {
            rules::Step::Name(name) => vec![Some(Step::Name(name.clone()))],
            rules::Step::Number(name) => vec![Some(Step::Item), Some(Step::Name(name.clone()))],
            rules::Step::Item => vec![Some(Step::Item)],
            rules::Step::Each => vec![Some(Step::Item), Some(Step::Any)],
            // A field that lies in no array comes first, and stands for all when there are too many.
            rules::Step::Items => vec![None, Some(Step::Item)],
            rules::Step::Descend => vec![None, Some(Step::Any)],
        };
        if places.len() * steps.len() > MEANINGS_MAX {
            match step {
                rules::Step::Items => steps.truncate(1),
                // The widest of them is no place that is not read.
                _ => drop(steps.drain(..steps.len() - 1)),
            }
        }
        let grown = |place: &Vec<Step>| {
            let with = |step: &Option<Step>| place.iter().cloned().chain(step.clone()).collect();
            steps.iter().map(with).collect::<Vec<Vec<Step>>>()
        };
        places = places.iter().flat_map(grown).collect();
    }
    places
}

/// A path of a JSONPath, as a person would write it.
fn shown(path: &[rules::Step]) -> String {
    let mut text = String::new();
    for step in path {
        let is_nested = !(text.is_empty() || text.ends_with(".."));
        match step {
            rules::Step::Name(name) | rules::Step::Number(name) => {
                text.push_str(if is_nested { "." } else { "" });
                text.push_str(name);
            }
            rules::Step::Item | rules::Step::Each => text.push_str("[*]"),
            // A pattern does not say whether there are arrays.
            rules::Step::Items => {}
            rules::Step::Descend => text.push_str(".."),
        }
    }
    text
}

/// Whether an action makes events of a type; what a template makes is not known.
fn emits(definition: &Definition, event_type: &str) -> bool {
    let mut emitting = definition.actions.iter().filter(|action| action.kind == "emit_event");
    emitting.any(|action| action.config["eventType"] == event_type)
}

#[cfg(test)]
mod tests;
