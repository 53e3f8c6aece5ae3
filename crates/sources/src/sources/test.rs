//! Trying a source out: a request held against it without storing anything, and why it is not taken.

mod sample;
mod written;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use omni_events::Org;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::{
    sample::{own_url, sample},
    written::incoming,
};
use super::{Sources, definition};
use crate::{
    Error,
    compiled::Compiled,
    lab::{self, Case, Diagnosis},
    secrets::Secrets,
    webhook::{
        Incoming, Receiver,
        drafts::Drafts,
        judge::{Check, Judged, Reason},
    },
};

/// The checks in their order, but for greetings.
const CHECKS: [Check; 5] =
    [Check::Address, Check::Size, Check::ExpectedHeaders, Check::Signature, Check::Body];

/// A request to try: one from the quarantine, one that is written out, or a sample that is made here when nothing is set.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[schemars(rename = "SourceTest")]
pub struct TestRequest {
    /// A refused request of this source, as of when it came.
    pub quarantine_id: Option<Uuid>,
    /// `POST` unless set.
    pub method: Option<String>,
    /// The URL that the sender called, or its path; that of the source unless set.
    pub url: Option<String>,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its body as text, exactly as it came.
    pub body: Option<String>,
    /// Its body in Base64, where it is no text or must not be changed on the way.
    pub body_base64: Option<String>,
    /// When it came; now unless set. Old signatures are refused for their age.
    pub at: Option<DateTime<Utc>>,
}

/// What a source says to a request; nothing was stored.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SourceTestReport")]
pub struct TestReport {
    /// Whether it would be taken.
    pub verified: bool,
    /// The checks in their order.
    pub checks: Vec<CheckReport>,
    /// The events it would become; also of a request that is not genuine, as if it were.
    pub would_become: Vec<WouldBecome>,
    /// What is wrong and how to mend it; empty for a request that would be taken.
    pub diagnosis: Vec<Diagnosis>,
    /// The sample that was made, genuinely signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    /// What else is to be said, such as why no sample can be made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SourceCheck")]
pub struct CheckReport {
    /// `address`, `size`, `expected-headers`, `greeting`, `signature` or `body`.
    pub check: String,
    /// `passed`, `failed` or `skipped`.
    pub outcome: String,
    /// More about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// An event that a request would become.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WouldBecome {
    /// Its type.
    pub event_type: String,
    /// The key by which a repeat would be recognised.
    pub idempotency_key: Option<String>,
}

/// A genuinely signed request; no secret is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "SourceSample")]
pub struct Sample {
    /// Its method.
    pub method: String,
    /// Where to send it.
    pub url: String,
    /// Its headers.
    pub headers: BTreeMap<String, String>,
    /// Its body.
    pub body: String,
    /// The command that sends it.
    pub curl: String,
}

impl Sources {
    /// Holds a request against a source and says what would become of it, and why if it is not taken. Nothing is stored.
    /// `base` is the URL of this server, for a sample. `None` if there is no such source, or request.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a request that is none, [`Error::NotWhole`] for one that was not kept whole.
    pub async fn test(
        &self,
        receiver: &Receiver,
        (org, name): (&Org, &str),
        request: TestRequest,
        base: &str,
    ) -> Result<Option<TestReport>, Error> {
        let Some(source) = self.of_now(org, name).await? else { return Ok(None) };
        let now = request.at.unwrap_or_else(|| self.0.clock.now());
        if let Some(id) = request.quarantine_id {
            let Some(row) = self.refused(org, name, id).await? else { return Ok(None) };
            let incoming = self.whole(org, &row).await?.ok_or(Error::NotWhole)?;
            let at = request.at.unwrap_or(row.received_at);
            return self.report(receiver, source, incoming, at).await.map(Some);
        }
        let url = own_url(&source, base);
        if request == (TestRequest { at: request.at, ..TestRequest::default() }) {
            let id = self.0.random.uuid_v7(self.0.clock.now());
            return match sample(&source, &url, id, now) {
                Err(why) => Ok(Some(TestReport {
                    verified: false,
                    checks: Vec::new(),
                    would_become: Vec::new(),
                    diagnosis: Vec::new(),
                    sample: None,
                    note: Some(why),
                })),
                Ok((incoming, sample)) => {
                    let mut report = self.report(receiver, source, incoming, now).await?;
                    report.sample = Some(sample);
                    Ok(Some(report))
                }
            };
        }
        let incoming = incoming(&request, &url).map_err(Error::Invalid)?;
        self.report(receiver, source, incoming, now).await.map(Some)
    }

    async fn report(
        &self,
        receiver: &Receiver,
        source: Compiled,
        incoming: Incoming,
        at: DateTime<Utc>,
    ) -> Result<TestReport, Error> {
        let judged = receiver.judge(&source, &incoming, at, false).await;
        let mut report = TestReport {
            verified: false,
            checks: checks(&judged),
            would_become: Vec::new(),
            diagnosis: Vec::new(),
            sample: None,
            note: (!source.enabled)
                .then(|| "the source is disabled: it takes nothing until it is enabled".to_owned()),
        };
        match judged {
            Judged::Genuine { drafts, .. } => {
                report.verified = true;
                report.would_become = become_of(&drafts);
            }
            Judged::Greeting(_) => {
                report.verified = true;
                report.note =
                    Some("it is a greeting: it is answered and becomes nothing".to_owned());
            }
            Judged::NeedsCertificate(url) => {
                report.note = Some(format!("the certificate at {url} cannot be fetched now"));
            }
            Judged::Refused(refusal) => {
                if let Judged::Genuine { drafts, .. } =
                    receiver.judge(&source, &incoming, at, true).await
                {
                    report.would_become = become_of(&drafts);
                }
                report.diagnosis = match refusal.reason.map(|reason| *reason) {
                    None => vec![Diagnosis::of_check(
                        "not-taken",
                        "the method brings no event, or something that is needed does not answer"
                            .to_owned(),
                        "",
                    )],
                    Some(Reason { fault: None, check, code, text }) => {
                        vec![Diagnosis::of_check(code, text, check.name())]
                    }
                    Some(_) => self.diagnose(receiver, source, incoming, at).await?,
                };
            }
        }
        Ok(report)
    }

    async fn diagnose(
        &self,
        receiver: &Receiver,
        source: Compiled,
        incoming: Incoming,
        at: DateTime<Utc>,
    ) -> Result<Vec<Diagnosis>, Error> {
        let (org, name) = (source.org.clone(), source.name.clone());
        let Some(row) = self.row(&org, &name).await? else { return Ok(Vec::new()) };
        let now = self.0.clock.now();
        let mut retired = self.secrets(&org, &row)?;
        retired.held.retain(|held| !held.counts(now));
        let others = self.all_compiled(&org);
        let others = others.iter().filter(|other| other.name != name);
        let others: Vec<(String, Secrets)> =
            others.map(|other| (other.name.clone(), other.secrets.of(now))).collect();
        let (url, certificate) = receiver.seen(&source, &incoming).await;
        let definition = definition(&row)?;
        let secrets = source.secrets;
        let case = Case { definition, secrets, retired, others, incoming, url, at, certificate };
        // Hundreds of hashes of a large body are no work for the threads that answer others.
        let found = tokio::task::spawn_blocking(move || lab::diagnose(&case)).await;
        Ok(found.unwrap_or_else(|error| {
            tracing::error!(%error, "the signature lab broke");
            Vec::new()
        }))
    }
}

fn become_of(drafts: &Drafts) -> Vec<WouldBecome> {
    let one = |draft: &omni_event_log::Draft| WouldBecome {
        event_type: draft.event_type.as_str().to_owned(),
        idempotency_key: draft.dedupe.as_ref().map(|dedupe| dedupe.key.clone()),
    };
    drafts.iter().map(one).collect()
}

fn checks(judged: &Judged) -> Vec<CheckReport> {
    let report = |check: Check, outcome: &str, detail: Option<String>| CheckReport {
        check: check.name().to_owned(),
        outcome: outcome.to_owned(),
        detail,
    };
    let failed = match judged {
        Judged::Genuine { .. } => {
            return CHECKS.map(|check| report(check, "passed", None)).to_vec();
        }
        Judged::Greeting(_) => return vec![report(Check::Greeting, "passed", None)],
        Judged::NeedsCertificate(_) => None,
        Judged::Refused(refusal) => refusal.reason.as_deref(),
    };
    let Some(Reason { check: at, text, .. }) = failed else { return Vec::new() };
    if !CHECKS.contains(at) {
        return vec![report(*at, "failed", Some(text.clone()))];
    }
    let mut is_after = false;
    let one = |check: Check| {
        if check == *at {
            is_after = true;
            return report(check, "failed", Some(text.clone()));
        }
        report(check, if is_after { "skipped" } else { "passed" }, None)
    };
    CHECKS.into_iter().map(one).collect()
}
