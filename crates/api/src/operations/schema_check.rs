//! A schema held against everything that is there: the versions of the type, its stored events, and who reads it.
//!
//! Nothing is changed, and what is found refuses nothing by itself.

use std::collections::{BTreeSet, HashMap, HashSet};

use omni_automations::{Read, Reader};
use omni_events::EventType;
use omni_registry::{Error, Progress, Schema, TypeOptions, off_thread};
use omni_schema::{Reading, Step, places, reading};
use serde_json::Value;

use crate::{
    App,
    call::Call,
    documents::{Check, Loss, ReaderFinding, ReaderKind, summary},
    problem::Problem,
};

/// Most findings of one answer.
const FINDINGS_MAX: usize = 100;
/// Most different places that are looked up in the schemas; automations of a type mostly read the same few.
const PLACES_MAX: usize = 5000;
/// How an item of an array is written in a place.
const ITEM: &str = "0";

/// A schema that may become the next version of a type.
pub(crate) struct Proposed<'a> {
    pub(crate) event_type: &'a EventType,
    pub(crate) schema: Value,
    /// As if the type had these.
    pub(crate) options: &'a TypeOptions,
    /// Stored events at most, the newest.
    pub(crate) limit: u64,
}

/// Says what a schema would break, and for whom. What readers lose is told against the version that is the newest now, so
/// ask before it is registered.
pub(crate) async fn check(
    app: &App,
    call: &Call,
    proposed: Proposed<'_>,
    progress: impl FnMut(Progress) + Send,
) -> Result<Check, Problem> {
    let Proposed { event_type, schema, options, limit } = proposed;
    let registry = &app.registry;
    registry.refresh().await?;
    let compared = registry.compare(&call.org, event_type, schema.clone(), options).await?;
    let old = registry.get(&call.org, event_type.as_str()).map(|info| info.schema);
    let readers = app.automations.readers(&call.org, event_type).await?;
    let count = readers.len();
    let lost = off_thread(move || {
        // It was found usable when it was compared, and the old one when it was registered.
        let new = Schema::new(schema)?;
        let old = old.and_then(|old| Schema::new(old).ok());
        let findings = findings(&readers, old.as_ref(), &new);
        Ok((new, findings))
    });
    let (new, readers) = lost
        .await?
        .map_err(|reason| Error::Schema { event_type: event_type.as_str().to_owned(), reason })?;
    let evidence = registry.evidence(&call.org, event_type, (&new, limit), progress).await?;
    let summary = summary(&evidence, &readers, count);
    Ok(Check { compared, evidence, readers, summary })
}

/// Who relies on a type by its name, in words; it cannot be deleted while somebody does.
pub(crate) async fn users(
    app: &App,
    call: &Call,
    event_type: &EventType,
) -> Result<Vec<String>, Problem> {
    Ok(app.automations.users(&call.org, event_type).await?)
}

/// What readers read that the new schema does not give.
fn findings(readers: &[Reader], old: Option<&Schema>, new: &Schema) -> Vec<ReaderFinding> {
    let mut schemas = Schemas { old, new, known: HashMap::new(), added: None };
    let mut findings = Vec::new();
    for reader in readers {
        let mut told = HashSet::new();
        for read in &reader.reads {
            let Some(loss) = schemas.loss(read).filter(|_| told.insert((&read.text, &read.place)))
            else {
                continue;
            };
            if findings.len() == FINDINGS_MAX {
                return findings;
            }
            let suggestion = if loss == Loss::Gone { schemas.suggestion(read) } else { None };
            let finding = ReaderFinding {
                kind: ReaderKind::Automation,
                id: reader.id,
                name: reader.name.clone(),
                enabled: reader.enabled,
                path: read.text.clone(),
                place: read.place.clone(),
                reading: loss,
                suggestion,
                message: String::new(),
            };
            findings.push(finding.told());
        }
    }
    findings
}

/// What two versions say of places.
struct Schemas<'a> {
    old: Option<&'a Schema>,
    new: &'a Schema,
    /// What was looked up before: in the old one, in the new one.
    known: HashMap<Vec<Step>, (Reading, Reading)>,
    /// Places that the new one names and the old one does not.
    added: Option<Vec<String>>,
}

impl Schemas<'_> {
    fn loss(&mut self, read: &Read) -> Option<Loss> {
        let mut never = true;
        for path in &read.paths {
            let (old, new) = self.readings(path)?;
            if old == Reading::Declared && new != Reading::Declared {
                return Some(Loss::Gone);
            }
            never &= new == Reading::Never;
        }
        never.then_some(Loss::Never)
    }

    fn readings(&mut self, path: &[Step]) -> Option<(Reading, Reading)> {
        if let Some(known) = self.known.get(path) {
            return Some(*known);
        }
        if self.known.len() >= PLACES_MAX {
            return None;
        }
        let old = self.old.map_or(Reading::Possible, |old| reading(old, path));
        let found = (old, reading(self.new, path));
        self.known.insert(path.to_vec(), found);
        Some(found)
    }

    /// The one new place that has the name or the parent of the place that is gone.
    fn suggestion(&mut self, read: &Read) -> Option<String> {
        let gone: Vec<&str> = read.paths.first()?.iter().map(shown).collect::<Option<_>>()?;
        let (&last, parent) = gone.split_last()?;
        let (old, new) = (self.old, self.new);
        let added = self.added.get_or_insert_with(|| {
            let before = old.map(named).unwrap_or_default();
            named(new).into_iter().filter(|place| !before.contains(place)).collect()
        });
        let only = |wanted: &dyn Fn(&[&str]) -> bool| {
            let mut found =
                added.iter().filter(|place| wanted(&place.split('.').collect::<Vec<_>>()));
            let first = found.next()?;
            found.next().is_none().then(|| format!("payload.{first}"))
        };
        let same_name = only(&|place| last != ITEM && place.last() == Some(&last));
        same_name
            .or_else(|| only(&|place| place.len() == parent.len() + 1 && place.starts_with(parent)))
    }
}

/// The places that a schema names, with those on the way to them.
fn named(schema: &Schema) -> BTreeSet<String> {
    let mut named = BTreeSet::new();
    for place in places(schema) {
        named.extend(place.match_indices('.').map(|(end, _)| place[..end].to_owned()));
        named.insert(place);
    }
    named
}

/// A step as a place is written; a place of any depth cannot be.
fn shown(step: &Step) -> Option<&str> {
    match step {
        Step::Name(name) => Some(name),
        Step::Item => Some(ITEM),
        Step::Any => None,
    }
}

#[cfg(test)]
mod tests;
