//! Which events are listed and followed.

use clap::Args;

use super::Page;

/// Which events are meant, wherever many are.
#[derive(Args, Debug)]
pub(crate) struct EventFilter {
    /// Only types that match, such as message.* or custom.webhook.github.>; several with commas
    #[arg(long = "type", value_name = "PATTERN")]
    pub(crate) types: Option<String>,
    /// Only events of this source, such as webhook:github
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Only events of this kind of channel, such as whatsapp
    #[arg(long)]
    pub(crate) channel: Option<String>,
    /// Only events of this instance of a channel
    #[arg(long)]
    pub(crate) instance: Option<String>,
    /// Only events that this person sent or got
    #[arg(long, value_name = "ID")]
    pub(crate) identity: Option<String>,
    /// Only events of this correlation
    #[arg(long, value_name = "ID")]
    pub(crate) correlation: Option<String>,
    /// Only events with this id at their provider
    #[arg(long, value_name = "ID")]
    pub(crate) provider_id: Option<String>,
    /// Only events with this outcome, such as completed, failed or pending
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only events that went this way: inbound, outbound or system
    #[arg(long)]
    pub(crate) direction: Option<String>,
    /// Only events received at or after this time, such as 2026-11-21T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only events received before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
}

impl EventFilter {
    /// What is set besides the types, by the names in the API.
    pub(crate) fn members(&self) -> [(&'static str, &Option<String>); 10] {
        [
            ("source", &self.source),
            ("channelType", &self.channel),
            ("instanceId", &self.instance),
            ("identityId", &self.identity),
            ("correlationId", &self.correlation),
            ("providerEventId", &self.provider_id),
            ("status", &self.status),
            ("direction", &self.direction),
            ("from", &self.from),
            ("to", &self.to),
        ]
    }
}

#[derive(Args, Debug)]
pub(crate) struct ListEvents {
    #[command(flatten)]
    pub(crate) filter: EventFilter,
    /// Only events that this event caused itself
    #[arg(long, value_name = "ID")]
    pub(crate) cause: Option<String>,
    /// Only events in the format of this provider
    #[arg(long)]
    pub(crate) provider: Option<String>,
    /// Only events with this kind of content, such as text or image
    #[arg(long)]
    pub(crate) content_type: Option<String>,
    /// Only events whose text has all these words; a last * stands for any ending
    #[arg(long, short = 's', value_name = "WORDS")]
    pub(crate) search: Option<String>,
    /// asc, oldest first, or desc
    #[arg(long)]
    pub(crate) order: Option<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

impl ListEvents {
    /// The filters by their names in the API.
    pub(crate) fn filters(&self) -> Vec<(&'static str, &Option<String>)> {
        let more = [
            ("type", &self.filter.types),
            ("causationId", &self.cause),
            ("provider", &self.provider),
            ("contentType", &self.content_type),
            ("q", &self.search),
            ("order", &self.order),
        ];
        self.filter.members().into_iter().chain(more).collect()
    }
}

#[derive(Args, Debug)]
pub(crate) struct TailEvents {
    /// Only types that match, such as message.* or custom.webhook.github.>; several with commas
    #[arg(long = "type", value_name = "PATTERN")]
    pub(crate) types: Option<String>,
    /// Only events of this source, such as webhook:github
    #[arg(long)]
    pub(crate) source: Option<String>,
    /// Only events of this kind of channel, such as whatsapp
    #[arg(long)]
    pub(crate) channel: Option<String>,
    /// Only events of this instance of a channel
    #[arg(long)]
    pub(crate) instance: Option<String>,
    /// From after this sequence on, instead of only what comes from now on
    #[arg(long, value_name = "SEQUENCE")]
    pub(crate) since: Option<i64>,
}

#[derive(Args, Debug)]
pub(crate) struct ExplainEvent {
    /// Id of the event
    pub(crate) id: String,
    /// Only for this automation (id or name), whatever it listens to
    #[arg(long, value_name = "NAME|ID")]
    pub(crate) automation: Option<String>,
}
