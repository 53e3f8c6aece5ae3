//! What is captured of one type of event, and for how long.

use chrono::TimeDelta;
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};

use super::Stage;

/// Longest time that can be asked for, in days: what is to stay longer stays for ever.
const RETENTION_DAYS_MAX: u32 = 36_500;
/// Most bytes of a body that can be asked for: no larger one comes in.
const BYTES_MAX: u64 = 64 << 20;

/// What is captured of one type of event, and for how long.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CapturePolicy {
    /// The stages that are captured; all when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<Stage>>,
    /// Days until the bytes are deleted, 1 to 36500; null keeps them for ever; as long as the deployment says when
    /// absent. It holds for what is captured from now on.
    #[serde(default, deserialize_with = "given", skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<u32>")]
    pub retention_days: Option<Option<u32>>,
    /// Whether anything is captured.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Most bytes of a body that are kept, its beginning; all when absent. The payload of the event itself is never cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bytes: Option<u64>,
}

/// Something wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFault {
    /// The place in the policy, as a JSON Pointer.
    pub pointer: &'static str,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl Default for CapturePolicy {
    /// All stages, as long as the deployment says.
    fn default() -> Self {
        Self { stages: None, retention_days: None, enabled: true, max_bytes: None }
    }
}

impl CapturePolicy {
    /// Everything that is wrong with it.
    pub fn faults(&self) -> Vec<PolicyFault> {
        let mut faults = Vec::new();
        let mut fault = |pointer, message: String| faults.push(PolicyFault { pointer, message });
        if self.stages.as_ref().is_some_and(Vec::is_empty) {
            let message = "no stage is left; say `enabled: false`, or leave it out for all stages";
            fault("/stages", message.to_owned());
        }
        if let Some(Some(days)) = self.retention_days
            && !(1..=RETENTION_DAYS_MAX).contains(&days)
        {
            fault(
                "/retentionDays",
                format!("{days} is not between 1 and {RETENTION_DAYS_MAX}; null keeps for ever"),
            );
        }
        if let Some(bytes) = self.max_bytes
            && !(1..=BYTES_MAX).contains(&bytes)
        {
            fault("/maxBytes", format!("{bytes} is not between 1 and {BYTES_MAX}"));
        }
        faults
    }

    /// Whether a stage is captured.
    pub(super) fn wants(&self, stage: Stage) -> bool {
        self.enabled && self.stages.as_ref().is_none_or(|stages| stages.contains(&stage))
    }

    /// How long it is kept; `None` for ever.
    pub(super) fn retention(&self, default: Option<TimeDelta>) -> Option<TimeDelta> {
        self.retention_days.map_or(default, |days| days.map(|days| TimeDelta::days(days.into())))
    }

    /// How many bytes of a body are kept.
    pub(super) fn most(&self) -> usize {
        self.max_bytes.and_then(|most| usize::try_from(most).ok()).unwrap_or(usize::MAX)
    }
}

fn yes() -> bool {
    true
}

/// Tells null from absent.
#[expect(clippy::option_option, reason = "absent, null and a number mean three things")]
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<u32>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(json: &str) -> CapturePolicy {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn null_is_for_ever_and_absent_is_the_default() {
        let default = Some(TimeDelta::days(14));
        assert_eq!(policy("{}").retention(default), default);
        assert_eq!(policy(r#"{"retentionDays":null}"#).retention(default), None);
        assert_eq!(policy(r#"{"retentionDays":3}"#).retention(default), Some(TimeDelta::days(3)));
        for text in ["{}", r#"{"retentionDays":null}"#, r#"{"retentionDays":3,"stages":["error"]}"#]
        {
            let read = policy(text);
            assert_eq!(policy(&serde_json::to_string(&read).unwrap()), read);
        }
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        let faults = policy(r#"{"stages":[],"retentionDays":0,"maxBytes":0}"#).faults();
        let places: Vec<&str> = faults.iter().map(|fault| fault.pointer).collect();
        assert_eq!(places, ["/stages", "/retentionDays", "/maxBytes"]);
        assert!(
            policy(r#"{"stages":["error"],"retentionDays":36500,"maxBytes":1}"#)
                .faults()
                .is_empty()
        );
        assert!(serde_json::from_str::<CapturePolicy>(r#"{"stages":["bridge_raw"]}"#).is_err());
        assert!(serde_json::from_str::<CapturePolicy>(r#"{"stage":"error"}"#).is_err());
    }

    #[test]
    fn a_policy_that_is_off_wants_nothing() {
        assert!(policy("{}").wants(Stage::Error));
        assert!(!policy(r#"{"enabled":false}"#).wants(Stage::Error));
        assert!(!policy(r#"{"stages":["webhook_raw"]}"#).wants(Stage::Error));
    }
}
