//! The event of a fire.
//!
//! What must stay true: the id of the event and its key follow from the schedule and the instant alone, so whoever records
//! it a second time, however much later, records nothing.

use chrono::{DateTime, SecondsFormat, Utc};
use omni_event_log::Draft;
use omni_events::{Org, Payload, rfc3339_millis};
use omni_store::schedules::{FireRow, MANUAL};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::prepared::Prepared;

/// The id of the event of an instant: a UUIDv7 whose time is the instant, and whose rest is a hash of schedule and instant.
pub(crate) fn event_id(schedule: Uuid, nominal: DateTime<Utc>) -> Uuid {
    let hash = Uuid::new_v5(&schedule, &nominal.timestamp_micros().to_be_bytes());
    let mut rest = [0; 10];
    rest.copy_from_slice(&hash.as_bytes()[..10]);
    let millis = u64::try_from(nominal.timestamp_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &rest).into_uuid()
}

/// Makes the event of a fire.
///
/// # Errors
/// Why its payload cannot be made; it will not be at another time either.
pub(crate) fn draft(
    prepared: &Prepared,
    fire: &FireRow,
    actual: DateTime<Utc>,
) -> Result<Draft, String> {
    let definition = &prepared.definition;
    let name = &definition.name;
    let (nominal, actual) = (rfc3339_millis(fire.nominal), rfc3339_millis(actual));
    let scope = json!({
        "schedule": { "id": fire.schedule_id, "name": name },
        "fire": {
            "nominal": nominal,
            "actual": actual,
            "number": fire.number,
            "reason": fire.reason,
            "local": prepared.plan.local(fire.nominal),
        },
    });
    let rendered = prepared.payload.render(&scope);
    let mut payload = rendered.map_err(|error| format!("payload{error}"))?;
    if let Value::Object(members) = &mut payload {
        members.entry("schedule").or_insert_with(|| {
            json!({
                "name": name,
                "nominal": nominal,
                "actual": actual,
                "number": fire.number,
                "reason": fire.reason,
            })
        });
    }
    let org = Org::parse(&fire.org).map_err(|error| error.to_string())?;
    let source = format!("schedule:{name}");
    let payload = Payload::from_value(&payload);
    let mut draft = Draft::new(org, prepared.event_type.clone(), source.clone(), payload);
    draft.id = Some(fire.event_id);
    draft.time = Some(fire.nominal);
    draft.metadata.triggered_by.clone_from(&fire.triggered_by);
    draft.metadata.traceparent = Some(traceparent(fire));
    let key = if fire.reason == MANUAL {
        fire.id.to_string()
    } else {
        let nominal = fire.nominal.to_rfc3339_opts(SecondsFormat::Micros, true);
        format!("{}:{nominal}", fire.schedule_id)
    };
    // The payload says when it was made, so that two of one fire differ; they are one event all the same.
    Ok(draft.deduplicated(source, key, [0; 32]))
}

/// A trace begins with each fire; its id is that of the event.
fn traceparent(fire: &FireRow) -> String {
    let span = fire.id.as_u64_pair().1;
    format!("00-{}-{span:016x}-01", fire.event_id.simple())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_of_an_event_follows_from_schedule_and_instant() {
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let at = |ms| DateTime::from_timestamp_millis(ms).unwrap();
        let id = event_id(one, at(1_700_000_000_000));
        assert_eq!(id, event_id(one, at(1_700_000_000_000)));
        assert_ne!(id, event_id(other, at(1_700_000_000_000)));
        assert_ne!(id, event_id(one, at(1_700_000_000_001)));
        assert!(id < event_id(one, at(1_700_000_000_001)), "ids ascend with time");
        assert_eq!(id.get_version_num(), 7);
    }
}
