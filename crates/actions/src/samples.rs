//! An event and a call for the tests of this crate.

use std::time::Duration;

use omni_events::{Event, EventType, Metadata, Payload};
use uuid::Uuid;

use crate::action::Call;

pub(crate) fn event() -> Event {
    let time = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
    Event {
        id: Uuid::from_u128(42),
        event_type: EventType::parse("custom.order.paid").unwrap(),
        source: "api".into(),
        time,
        received_at: time,
        payload: Payload::parse(r#"{"total": 10.50}"#.into()).unwrap(),
        schema_version: None,
        metadata: Metadata { correlation_id: "c-1".into(), hops: 2, ..Metadata::default() },
    }
}

pub(crate) fn call(event: &Event) -> Call<'_> {
    Call {
        event,
        automation_id: Uuid::from_u128(7),
        automation: "paid",
        version: 3,
        index: 0,
        effect_key: "ab12".into(),
        timeout: Duration::from_secs(10),
    }
}

/// Pointers of the problems, for comparing.
pub(crate) fn pointers(problems: &[crate::Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.pointer.as_str()).collect()
}
