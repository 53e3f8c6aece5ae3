//! Why an event did what it did, and why nothing happened: of one automation, or of all that listen to its type or nearly.
//!
//! It must stay true that what is compared is what was in force when the event was handled, or that the answer says what
//! was compared instead; and that no organisation learns of another's automations.

mod document;
mod judging;
mod near;

use std::{collections::HashSet, time::Duration};

use chrono::{DateTime, Utc};
use omni_events::{Event, TypePattern};
use omni_rules::Proof;
use omni_store::{
    automations::{self as rows, AutomationRow, VersionRow},
    executions::{ExecutionRow, for_event},
};
use uuid::Uuid;

pub use self::document::{Explained, Explanation, Reason, ReasonKind, Recorded};
use self::judging::{Case, judge};
use crate::{Automations, Error, matching::document, replaying};

/// Automations that one answer shows.
const SHOWN_MAX: usize = 20;
/// Automations that are compared with an event for one answer.
const EXAMINED_MAX: usize = 500;
/// How long they are compared; whoever asks waits.
const EXAMINED_FOR: Duration = Duration::from_secs(3);
/// Automations of one read, and how many reads.
const PAGE: i64 = 500;
const PAGES_MAX: usize = 40;

/// An event, and what became of it.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The event.
    pub event: Event,
    /// The status of its outcome; none while it has not been handled.
    pub status: Option<String>,
    /// When it was handled.
    pub processed_at: Option<DateTime<Utc>>,
    /// What is to be known of it besides, such as that its payload is gone.
    pub notes: Vec<String>,
}

impl Automations {
    /// Explains an event for one automation, given by its id or name, or for all that listen to its type or nearly.
    /// `None` when there is no such automation.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn explain(
        &self,
        subject: Subject,
        automation: Option<&str>,
    ) -> Result<Option<Explained>, Error> {
        let event = &subject.event;
        let org = event.metadata.org.as_str();
        let mut conn = self.store().read().await?;
        let executions = for_event(&mut conn, org, event.id).await?;
        drop(conn);
        let (asked, unread) = match automation {
            Some(key) => (self.named(org, key).await?, false),
            None => self.listening(&subject, &executions).await?,
        };
        if automation.is_some() && asked.is_empty() {
            return Ok(None);
        }
        let mut cases = Vec::with_capacity(asked.len().min(EXAMINED_MAX));
        let mut more = asked.len().saturating_sub(EXAMINED_MAX);
        for asked in asked.into_iter().take(EXAMINED_MAX) {
            let recorded = executions.iter().rfind(|row| row.automation_id == asked.id()).cloned();
            let known = self.cache().known(asked.id());
            let versions =
                self.versions_if_needed(org, &asked, &subject, recorded.as_ref()).await?;
            cases.push(Case { current: asked.current, versions, recorded, known });
        }
        let mut notes = notes(&subject);
        if unread {
            notes.push(format!(
                "only the first {} automations by name were looked at",
                PAGE * PAGES_MAX as i64
            ));
        }
        let (mut items, unjudged) = self.judged(subject.clone(), cases).await?;
        more += unjudged;
        items.sort_by(|(a, mine), (b, other)| a.cmp(b).then_with(|| mine.name.cmp(&other.name)));
        more += items.len().saturating_sub(SHOWN_MAX);
        let items = items.into_iter().take(SHOWN_MAX).map(|(_, item)| item).collect();
        let Subject { event, status, processed_at, .. } = subject;
        let status = status.unwrap_or_else(|| "pending".to_owned());
        let (event_id, event_type) = (event.id, event.event_type);
        Ok(Some(Explained { event_id, event_type, status, processed_at, notes, items, more }))
    }

    /// The automation of this id, also when it was deleted, or of this name.
    async fn named(&self, org: &str, key: &str) -> Result<Vec<Asked>, Error> {
        let mut conn = self.store().read().await?;
        let id = Uuid::try_parse(key).ok();
        let mut found = match id {
            Some(id) => rows::get(&mut conn, org, id).await?,
            None => None,
        };
        if found.is_none() {
            found = rows::by_name(&mut conn, org, key).await?;
        }
        if let (None, Some(id)) = (&found, id) {
            let versions = rows::versions(&mut conn, org, id).await?;
            let gone = Asked { current: Err(id), versions: Some(versions.clone()) };
            return Ok(if versions.is_empty() { Vec::new() } else { vec![gone] });
        }
        Ok(found.into_iter().map(|row| Asked { current: Ok(row), versions: None }).collect())
    }

    /// Those that listen to the type or nearly, those that have an execution first; and whether not all were read.
    async fn listening(
        &self,
        subject: &Subject,
        executions: &[ExecutionRow],
    ) -> Result<(Vec<Asked>, bool), Error> {
        let (org, event_type) = (subject.event.metadata.org.as_str(), &subject.event.event_type);
        let (mut ran, mut listen, mut near) = (Vec::new(), Vec::new(), Vec::new());
        let (mut after, mut pages) = (None, 0);
        let unread = loop {
            let mut conn = self.store().read().await?;
            let page = rows::list(&mut conn, org, after.as_deref(), PAGE).await?;
            drop(conn);
            let Some(last) = page.last() else { break false };
            after = Some(last.name.clone());
            for row in page {
                let pattern = TypePattern::parse(&row.trigger_event_type);
                if executions.iter().any(|execution| execution.automation_id == row.id) {
                    ran.push(row);
                } else if pattern.is_ok_and(|pattern| pattern.matches(event_type)) {
                    listen.push(row);
                } else if near::is_near(&row.trigger_event_type, event_type.as_str()) {
                    near.push(row);
                }
            }
            pages += 1;
            if pages == PAGES_MAX {
                break true;
            }
        };
        let rows = ran.into_iter().chain(listen).chain(near);
        let mut asked: Vec<Asked> =
            rows.map(|row| Asked { current: Ok(row), versions: None }).collect();
        let seen: HashSet<Uuid> = asked.iter().map(Asked::id).collect();
        for gone in executions.iter().filter(|row| !seen.contains(&row.automation_id)) {
            let found = self.named(org, &gone.automation_id.to_string()).await?;
            asked.splice(0..0, found);
        }
        Ok((asked, unread))
    }

    /// The versions of an automation, where another than the current one may have been in force.
    async fn versions_if_needed(
        &self,
        org: &str,
        asked: &Asked,
        subject: &Subject,
        recorded: Option<&ExecutionRow>,
    ) -> Result<Vec<VersionRow>, Error> {
        if let Some(versions) = &asked.versions {
            return Ok(versions.clone());
        }
        let Ok(current) = &asked.current else { return Ok(Vec::new()) };
        let is_other = recorded.is_some_and(|row| row.automation_version != current.version);
        let is_later = subject.processed_at.is_some_and(|at| current.updated_at > at);
        if !is_other && !is_later {
            return Ok(Vec::new());
        }
        let mut conn = self.store().read().await?;
        Ok(rows::versions(&mut conn, org, current.id).await?)
    }

    /// Compares the cases with the event in a thread that may take long, and answers them with their distance from a match
    /// and how many there was no time for.
    async fn judged(
        &self,
        subject: Subject,
        cases: Vec<Case>,
    ) -> Result<(Vec<(usize, Explanation)>, usize), Error> {
        let automations = self.clone();
        let count = cases.len();
        let work = tokio::task::spawn_blocking(move || {
            let document = document(&subject.event).unwrap_or_default();
            let began = automations.clock().elapsed();
            let mut judged = Vec::with_capacity(cases.len());
            for case in cases {
                if automations.clock().elapsed().saturating_sub(began) > EXAMINED_FOR {
                    break;
                }
                let explanation = judge(case, &subject, &document, automations.actions());
                judged.push((distance(&explanation), explanation));
            }
            judged
        });
        let judged = work.await?;
        let left = count - judged.len();
        Ok((judged, left))
    }
}

/// An automation that is asked about.
struct Asked {
    /// As it is stored, or the id of one that was deleted.
    current: Result<AutomationRow, Uuid>,
    /// All of its versions, where they were read already.
    versions: Option<Vec<VersionRow>>,
}

impl Asked {
    fn id(&self) -> Uuid {
        self.current.as_ref().map_or_else(|id| *id, |row| row.id)
    }
}

/// What stands above all explanations.
fn notes(subject: &Subject) -> Vec<String> {
    let mut notes = subject.notes.clone();
    if subject.status.is_none() {
        notes.push("the event has not been handled yet; this is what would happen now".to_owned());
    }
    if let Some((original, replay)) = replaying::of(&subject.event) {
        notes.push(format!("it brings back event {original}"));
        if !replay.repeat_effects {
            notes.push("actions that succeeded for that event are not done again".to_owned());
        }
    }
    notes
}

/// How far an automation is from running: what stands against it, and what does not hold.
fn distance(explanation: &Explanation) -> usize {
    let misses = explanation.proof.as_ref().map_or(usize::MAX / 2, misses);
    explanation.reasons.len() + misses
}

/// How many fields and conditions do not hold in the nearest way to match.
fn misses(proof: &Proof) -> usize {
    let branch = proof.branches.first().map_or(0, |branch| {
        let leaves = branch.leaves.iter().filter(|leaf| !leaf.matched).count();
        leaves + usize::from(branch.apart.is_some())
    });
    branch + proof.conditions.iter().filter(|leaf| !leaf.matched).count()
}
