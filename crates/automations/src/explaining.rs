//! Why an event did what it did, and why nothing happened: of one automation, or of all that listen to its type or nearly.
//!
//! It must stay true that what is compared is what was in force when the event was handled, or that the answer says what
//! was compared instead; and that no organisation learns of another's automations.

mod document;
mod judging;
mod near;
mod past;

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use chrono::{DateTime, Utc};
use omni_events::{Event, TypePattern};
use omni_rules::Proof;
use omni_store::{
    automations::{self as rows, AutomationRow},
    executions::{ExecutionRow, for_event},
};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

pub use self::document::{Explained, Explanation, Reason, ReasonKind, Recorded};
use self::{
    judging::{Case, judge},
    past::{Past, past},
};
use crate::{Automations, Error, matching::document, replaying};

/// Automations that one answer shows.
const SHOWN_MAX: usize = 20;
/// Automations that are compared with an event for one answer.
const EXAMINED_MAX: usize = 500;
/// Bytes of their definitions, and of those of their earlier versions.
const DEFINITIONS_MAX: usize = 32 << 20;
/// How long they are read and compared; whoever asks waits.
const EXAMINED_FOR: Duration = Duration::from_secs(3);
/// Automations of one read, and how many reads.
const PAGE: i64 = 100;
const PAGES_MAX: usize = 200;

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
        let place = self.place().await;
        let until = self.clock().elapsed() + EXAMINED_FOR;
        let org = subject.event.metadata.org.as_str();
        let mut conn = self.store().read().await?;
        let executions = for_event(&mut conn, org, subject.event.id).await?;
        drop(conn);
        // Of two of one automation the later one counts.
        let executions: Executions =
            executions.into_iter().map(|row| (row.automation_id, row)).collect();
        let asked = match automation {
            Some(key) => match self.named(org, key).await? {
                Some(current) => Asked { kept: vec![current], ..Asked::default() },
                None => return Ok(None),
            },
            None => self.listening(&subject, &executions, until).await?,
        };
        let mut notes = notes(&subject);
        if asked.unread {
            let at_most = PAGE * PAGES_MAX as i64;
            let why = format!("at most {at_most} by name, and for three seconds");
            notes.push(format!("not all automations of the organisation were looked at: {why}"));
        }
        let mut more = asked.left;
        let mut cases = Vec::with_capacity(asked.kept.len());
        let mut kept = asked.kept.into_iter();
        let mut size = 0;
        for current in kept.by_ref() {
            let id = id_of(&current);
            let recorded = executions.get(&id).cloned();
            let past = self.past_if_needed(&current, &subject, recorded.as_ref()).await?;
            size += past.versions.iter().map(|one| one.definition.len()).sum::<usize>();
            cases.push(Case { current, past, recorded, known: self.cache().known(id) });
            if size >= DEFINITIONS_MAX || self.clock().elapsed() >= until {
                break;
            }
        }
        more += kept.len();
        let (mut items, unjudged) = self.judged(subject.clone(), cases, until, place).await?;
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
    async fn named(&self, org: &str, key: &str) -> Result<Option<Current>, Error> {
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
            let is_known = !rows::versions_from(&mut conn, org, id, i32::MAX, 1).await?.is_empty();
            return Ok(is_known.then_some(Err(id)));
        }
        Ok(found.map(Ok))
    }

    /// Those that listen to the type or nearly, those that have an execution first.
    async fn listening(
        &self,
        subject: &Subject,
        executions: &Executions,
        until: Duration,
    ) -> Result<Asked, Error> {
        let (org, event_type) = (subject.event.metadata.org.as_str(), &subject.event.event_type);
        let (mut listed, mut seen) = (Listed::default(), HashSet::new());
        let (mut after, mut pages) = (None, 0);
        let unread = loop {
            if pages == PAGES_MAX || self.clock().elapsed() >= until {
                break true;
            }
            let mut conn = self.store().read().await?;
            let page = rows::list(&mut conn, org, after.as_deref(), PAGE).await?;
            drop(conn);
            let Some(last) = page.last() else { break false };
            after = Some(last.name.clone());
            for row in page {
                let pattern = TypePattern::parse(&row.trigger_event_type);
                if executions.contains_key(&row.id) {
                    seen.insert(row.id);
                    listed.add(0, Ok(row));
                } else if pattern.is_ok_and(|pattern| pattern.matches(event_type)) {
                    listed.add(1, Ok(row));
                } else if near::is_near(&row.trigger_event_type, event_type.as_str()) {
                    listed.add(2, Ok(row));
                }
            }
            pages += 1;
        };
        for (read, id) in executions.keys().filter(|id| !seen.contains(*id)).enumerate() {
            if read >= EXAMINED_MAX || self.clock().elapsed() >= until {
                listed.left += 1;
            } else if let Some(gone) = self.named(org, &id.to_string()).await? {
                listed.add(0, gone);
            }
        }
        let Listed { kinds, left, .. } = listed;
        Ok(Asked { kept: kinds.into_iter().flatten().collect(), left, unread })
    }

    /// The past of an automation, where another version than the current one may have been in force.
    async fn past_if_needed(
        &self,
        current: &Current,
        subject: &Subject,
        recorded: Option<&ExecutionRow>,
    ) -> Result<Past, Error> {
        if let Ok(current) = current {
            let is_other = recorded.is_some_and(|row| row.automation_version != current.version);
            let is_later = subject.processed_at.is_some_and(|at| current.updated_at > at);
            if !is_other && !is_later {
                return Ok(Past::default());
            }
        }
        let (org, id) = (subject.event.metadata.org.as_str(), id_of(current));
        let mut conn = self.store().read().await?;
        past(&mut conn, org, id, subject.processed_at, recorded.map(|row| row.automation_version))
            .await
    }

    /// Compares the cases with the event in a thread that may take long, and answers them with their distance from a match
    /// and how many there was no time for.
    async fn judged(
        &self,
        subject: Subject,
        cases: Vec<Case>,
        until: Duration,
        place: Option<OwnedSemaphorePermit>,
    ) -> Result<(Vec<(usize, Explanation)>, usize), Error> {
        let automations = self.clone();
        let count = cases.len();
        let work = tokio::task::spawn_blocking(move || {
            let _place = place;
            let document = document(&subject.event).unwrap_or_default();
            let mut judged: Vec<(usize, Explanation)> = Vec::with_capacity(cases.len());
            for case in cases {
                // One is always compared, however long reading took.
                if !judged.is_empty() && automations.clock().elapsed() >= until {
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

/// An automation as it is stored, or the id of one that was deleted.
type Current = Result<AutomationRow, Uuid>;

/// What was recorded for the event, by automation.
type Executions = HashMap<Uuid, ExecutionRow>;

/// The automations that are asked about.
#[derive(Default)]
struct Asked {
    kept: Vec<Current>,
    /// How many more there are.
    left: usize,
    /// Whether there may be more still.
    unread: bool,
}

/// What is kept while all automations are read: what there is room for, of the first kinds as long as there are any.
#[derive(Default)]
struct Listed {
    kinds: [Vec<Current>; 3],
    /// Bytes of definitions.
    size: usize,
    left: usize,
}

impl Listed {
    fn add(&mut self, kind: usize, current: Current) {
        while self.is_full() {
            self.left += 1;
            let lesser = self.kinds[kind + 1..].iter_mut().rev().find_map(Vec::pop);
            let Some(lesser) = lesser else { return };
            self.size -= size_of(&lesser);
        }
        self.size += size_of(&current);
        self.kinds[kind].push(current);
    }

    fn is_full(&self) -> bool {
        let count: usize = self.kinds.iter().map(Vec::len).sum();
        count >= EXAMINED_MAX || self.size >= DEFINITIONS_MAX
    }
}

fn size_of(current: &Current) -> usize {
    current.as_ref().map_or(0, |row| row.definition.len())
}

fn id_of(current: &Current) -> Uuid {
    current.as_ref().map_or_else(|id| *id, |row| row.id)
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
