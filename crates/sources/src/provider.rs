//! The templates of providers: what a source of a known sender need not say.
//!
//! A template is data, one file under `providers/`, in the words of a definition. Whatever a template says, a definition
//! can say too, so no sender needs code of its own here.

use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::definition::{CustomResponse, EventTypeFrom, Handshake, Verifier};

/// What is known of a sender.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(rename = "ProviderTemplate")]
pub struct Template {
    /// What `provider` is set to.
    pub name: String,
    /// The name that people use.
    pub title: String,
    /// The page that says how it signs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub docs: Option<String>,
    /// What to write into `secret`, and where the provider shows it; nothing if there is no secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// What to write into `secondSecret`, if it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub second_secret: Option<String>,
    /// How it signs.
    pub verifier: Verifier,
    /// Where the name of its event stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_type_from: Option<EventTypeFrom>,
    /// Where the id of its delivery stands, in the words of `idempotencyKeys`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub idempotency_keys: Vec<String>,
    /// Its greeting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handshake: Option<Handshake>,
    /// What it must be answered, where that matters to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<CustomResponse>,
    /// What a user has to know besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The files, by name.
const FILES: &[&str] = &[
    include_str!("../providers/asana.json"),
    include_str!("../providers/aws-sns.json"),
    include_str!("../providers/bitbucket.json"),
    include_str!("../providers/calendly.json"),
    include_str!("../providers/cloudevents.json"),
    include_str!("../providers/customerio.json"),
    include_str!("../providers/discord.json"),
    include_str!("../providers/docusign.json"),
    include_str!("../providers/dropbox.json"),
    include_str!("../providers/generic.json"),
    include_str!("../providers/github.json"),
    include_str!("../providers/gitlab.json"),
    include_str!("../providers/gitlab-signed.json"),
    include_str!("../providers/grafana.json"),
    include_str!("../providers/hookdeck.json"),
    include_str!("../providers/hubspot.json"),
    include_str!("../providers/inngest.json"),
    include_str!("../providers/intercom.json"),
    include_str!("../providers/jira.json"),
    include_str!("../providers/linear.json"),
    include_str!("../providers/mailgun.json"),
    include_str!("../providers/meta.json"),
    include_str!("../providers/microsoft-graph.json"),
    include_str!("../providers/paddle.json"),
    include_str!("../providers/pagerduty.json"),
    include_str!("../providers/paypal.json"),
    include_str!("../providers/sendgrid.json"),
    include_str!("../providers/sentry.json"),
    include_str!("../providers/shopify.json"),
    include_str!("../providers/slack.json"),
    include_str!("../providers/square.json"),
    include_str!("../providers/standard-webhooks.json"),
    include_str!("../providers/stripe.json"),
    include_str!("../providers/svix.json"),
    include_str!("../providers/telegram.json"),
    include_str!("../providers/terraform.json"),
    include_str!("../providers/twilio.json"),
    include_str!("../providers/twitch.json"),
    include_str!("../providers/typeform.json"),
    include_str!("../providers/vercel.json"),
    include_str!("../providers/webflow.json"),
    include_str!("../providers/woocommerce.json"),
    include_str!("../providers/x.json"),
    include_str!("../providers/xero.json"),
    include_str!("../providers/zendesk.json"),
    include_str!("../providers/zoom.json"),
];

/// Every template, by name.
pub fn all() -> &'static [Template] {
    static ALL: OnceLock<Vec<Template>> = OnceLock::new();
    ALL.get_or_init(|| FILES.iter().filter_map(|text| read(text)).collect())
}

/// The template of this name.
pub fn find(name: &str) -> Option<&'static Template> {
    all().iter().find(|template| template.name == name)
}

/// The files are part of the program, and a test reads each: one that cannot be read is left out rather than a crash.
fn read(text: &str) -> Option<Template> {
    serde_json::from_str(text)
        .inspect_err(|error| tracing::error!(%error, "a template of a provider cannot be read"))
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_is_read_and_they_are_sorted() {
        let names: Vec<&str> = all().iter().map(|template| template.name.as_str()).collect();
        assert_eq!(names.len(), FILES.len());
        assert!(names.is_sorted(), "{names:?}");
    }
}
