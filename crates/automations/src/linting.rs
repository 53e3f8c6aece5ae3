//! What is odd about automations without any event: by themselves, against the schema of their type, and beside each other.
//!
//! It must stay true that nothing is refused because of a finding, and that an answer which did not look at everything says
//! so.

use std::{cmp::Reverse, collections::BTreeMap, sync::Arc, time::Duration};

use omni_events::Org;
use omni_rules::{Filter, Finding, Listed, lint_against, lint_set};
use omni_store::automations::{self as rows, AutomationRow};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Automations, Definition, Error, Problem,
    automations::from_row,
    compiled::{place, try_compile},
};

/// Automations of one read, and how many are looked at.
const PAGE: i64 = 100;
const AUTOMATIONS_MAX: usize = 10_000;
/// Bytes of definitions after which no more are read.
const DEFINITIONS_MAX: usize = 32 << 20;
/// How long they are looked at, reading included; whoever asks waits.
const LOOKED_FOR: Duration = Duration::from_secs(3);
/// Automations that one answer shows.
const SHOWN_MAX: usize = 500;

/// What was found out about automations.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "AutomationLints")]
pub struct Lints {
    /// Those with findings, by name.
    pub items: Vec<Linted>,
    /// How many were looked at.
    pub checked: usize,
    /// Whether everything was looked at and is shown. Otherwise there may be more findings.
    pub complete: bool,
}

/// What was found out about one automation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Linted {
    /// The automation; absent for a definition that is not saved.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub automation_id: Option<Uuid>,
    /// Its name.
    pub name: String,
    /// Why it does not run at all; empty when it does.
    pub problems: Vec<Problem>,
    /// What is odd about it, the worst first. Pointers lead into the definition; one without is about all of it.
    pub findings: Vec<Finding>,
}

/// An automation that is looked at.
struct Looked {
    id: Option<Uuid>,
    definition: Definition,
    filter: Result<Arc<Filter>, Vec<Problem>>,
}

impl Automations {
    /// Says what is odd about a definition, saved or not, or without one about all automations of the organisation.
    /// `schema` knows the schema of the payload of an event type, if it has one.
    ///
    /// # Errors
    /// When the definition has faults, and when the store cannot be read.
    pub async fn lint(
        &self,
        org: &Org,
        definition: Option<Definition>,
        schema: impl Fn(&str) -> Option<Value> + Send + 'static,
    ) -> Result<Lints, Error> {
        let subject = definition.map(|definition| self.checked(definition)).transpose()?;
        let place = self.place().await;
        let until = self.clock().elapsed() + LOOKED_FOR;
        let (rows, all_read) = self.rows(org, until).await?;
        let automations = self.clone();
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            let is_late = || automations.clock().elapsed() >= until;
            let is_other = |row: &AutomationRow| {
                subject.as_ref().is_none_or(|subject| subject.definition.name != row.name)
            };
            let mut looked = Vec::with_capacity(rows.len());
            let mut all_looked = all_read;
            for row in rows.into_iter().filter(is_other) {
                if is_late() {
                    all_looked = false;
                    break;
                }
                looked.extend(automations.looked(row));
            }
            let only = subject.is_some().then_some(looked.len());
            looked.extend(subject);
            let mut lints = lints(&looked, only, &schema, &is_late);
            lints.complete &= all_looked;
            lints
        });
        Ok(work.await?)
    }

    fn checked(&self, definition: Definition) -> Result<Looked, Error> {
        let (filter, _) = try_compile(&definition, self.actions()).map_err(Error::Invalid)?;
        Ok(Looked { id: None, definition, filter: Ok(Arc::new(filter)) })
    }

    /// As many as there is room and time for, and whether these are all.
    async fn rows(&self, org: &Org, until: Duration) -> Result<(Vec<AutomationRow>, bool), Error> {
        let mut found: Vec<AutomationRow> = Vec::new();
        let mut size = 0;
        while found.len() < AUTOMATIONS_MAX
            && size < DEFINITIONS_MAX
            && self.clock().elapsed() < until
        {
            let after = found.last().map(|row| row.name.clone());
            let mut conn = self.store().read().await?;
            let page = rows::list(&mut conn, org.as_str(), after.as_deref(), PAGE).await?;
            if page.is_empty() {
                return Ok((found, true));
            }
            size += page.iter().map(|row| row.definition.len()).sum::<usize>();
            found.extend(page);
        }
        Ok((found, false))
    }

    fn looked(&self, row: AutomationRow) -> Option<Looked> {
        let (id, version) = (row.id, row.version);
        let known = self.cache().known(id).filter(|known| known.automation.version == version);
        if let Some(known) = known {
            let definition = known.automation.definition.clone();
            return Some(Looked { id: Some(id), definition, filter: Ok(known.filter.clone()) });
        }
        // What cannot be read at all is said when it is loaded.
        let definition = from_row(row).ok()?.definition;
        let filter = try_compile(&definition, self.actions()).map(|(filter, _)| Arc::new(filter));
        Some(Looked { id: Some(id), definition, filter })
    }
}

/// Findings of all, or of the one at a place, which is looked at however late it is.
fn lints(
    looked: &[Looked],
    only: Option<usize>,
    schema: &dyn Fn(&str) -> Option<Value>,
    is_late: &dyn Fn() -> bool,
) -> Lints {
    let wanted = |place: &usize| only.is_none_or(|only| only == *place);
    let mut found: BTreeMap<usize, Vec<Finding>> = BTreeMap::new();
    let mut checked = 0;
    for (place, one) in looked.iter().enumerate().filter(|(place, _)| wanted(place)) {
        if only.is_none() && is_late() {
            break;
        }
        checked += 1;
        let Ok(filter) = &one.filter else { continue };
        let event_type = &one.definition.trigger_event_type;
        let schema = schema(event_type.as_str());
        found.insert(place, findings(filter, schema.as_ref()));
    }
    // Comparing them with each other has a limit of steps, not of time.
    let complete = !is_late() && beside(looked, only, &mut found);
    let mut items = Vec::new();
    for (place, one) in looked.iter().enumerate().filter(|(place, _)| wanted(place)) {
        let mut findings = found.remove(&place).unwrap_or_default();
        findings.sort_by_key(|finding| Reverse(finding.severity));
        let problems = one.filter.as_ref().err().cloned().unwrap_or_default();
        if findings.is_empty() && problems.is_empty() {
            continue;
        }
        let name = one.definition.name.clone();
        items.push(Linted { automation_id: one.id, name, problems, findings });
    }
    let complete = complete && items.len() <= SHOWN_MAX;
    items.truncate(SHOWN_MAX);
    Lints { items, checked, complete }
}

/// What is odd about a filter by itself, and against the schema of the payload. Pointers lead into the definition.
pub(crate) fn findings(filter: &Filter, schema: Option<&Value>) -> Vec<Finding> {
    let mut found = filter.lint();
    found.extend(schema.map(|schema| lint_against(filter, "payload", schema)).unwrap_or_default());
    for finding in &mut found {
        finding.pointer = place(&finding.pointer);
    }
    found
}

/// Adds what automations that are on have to do with each other; `false` when there was too much to compare.
fn beside(
    looked: &[Looked],
    only: Option<usize>,
    found: &mut BTreeMap<usize, Vec<Finding>>,
) -> bool {
    let (mut places, mut listed) = (Vec::new(), Vec::new());
    for (place, one) in looked.iter().enumerate() {
        let Ok(filter) = &one.filter else { continue };
        if one.definition.enabled || only == Some(place) {
            places.push(place);
            listed.push(Listed {
                name: &one.definition.name,
                type_pattern: one.definition.trigger_event_type.as_str(),
                filter,
            });
        }
    }
    let set = lint_set(&listed, false);
    for one in set.findings {
        let (rule, other) = (places[one.rule], places[one.other]);
        // What contains the one that is asked about is about that one, too.
        let place = match only {
            Some(only) if other == only => other,
            _ => rule,
        };
        if only.is_none_or(|only| only == place) {
            let finding = Finding {
                code: one.code,
                severity: one.severity,
                pointer: String::new(),
                message: one.message,
            };
            found.entry(place).or_default().push(finding);
        }
    }
    set.complete
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn looked(name: &str) -> Looked {
        let definition = json!({
            "name": name, "triggerEventType": "custom.a", "triggerPattern": { "payload": { "n": [1, 1] } }, "actions": [],
        });
        let definition: Definition = serde_json::from_value(definition).unwrap();
        let filter = crate::compiled::filter(&definition).map(Arc::new);
        Looked { id: None, definition, filter }
    }

    #[test]
    fn when_it_is_late_only_the_one_that_is_asked_about_is_looked_at() {
        let all = [looked("a"), looked("b")];
        let count = |only, is_late: bool| {
            let found = lints(&all, only, &|_| None, &|| is_late);
            (found.checked, found.items.len(), found.complete)
        };
        assert_eq!(count(None, false), (2, 2, true));
        assert_eq!(count(None, true), (0, 0, false));
        assert_eq!(count(Some(1), true), (1, 1, false));
    }
}
