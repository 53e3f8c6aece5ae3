//! The stage `error`: why the handling of an event failed for good.

use bytes::Bytes;
use omni_events::{Event, EventType, Org};
use omni_store::dead_letters::DeadLetterRow;
use serde::Serialize;
use uuid::Uuid;

use super::{Capture, Stage};
use crate::EventLog;

/// Why a consumer or an automation gave an event up.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Who gave it up: a consumer of the bus, or `automation:{id}`.
    pub consumer: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Why each try failed, oldest first.
    pub errors: Vec<String>,
}

impl EventLog {
    /// Keeps beside an event why its handling failed for good, as [`EventLog::capture`] does.
    ///
    /// It is called where a dead letter is told: that happens seldom, and away from the engine.
    pub fn capture_failure(
        &self,
        event_id: Uuid,
        org: &Org,
        event_type: &EventType,
        failure: &Failure,
    ) {
        // Texts and a number can always be written.
        let body = serde_json::to_vec(failure).unwrap_or_default();
        let json = Some("application/json");
        let capture = Capture::new(Stage::Error, json, std::iter::empty(), None);
        self.capture(event_id, org, event_type, capture.with_body(Bytes::from(body)));
    }

    /// Keeps beside an event what its dead letter says.
    pub(crate) fn capture_letter(&self, letter: &DeadLetterRow, event: &Event) {
        let failure = Failure {
            consumer: letter.head.consumer.clone(),
            attempts: u32::try_from(letter.head.attempts).unwrap_or_default(),
            errors: letter.reasons(),
        };
        self.capture_failure(event.id, &event.metadata.org, &event.event_type, &failure);
    }
}
