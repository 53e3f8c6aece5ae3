//! Bringing events back.

use clap::{Args, Subcommand};

use super::Page;

#[derive(Debug, Subcommand)]
pub(crate) enum Replay {
    /// Bring events back; without --run it only tells what would come back
    Start(Box<StartReplay>),
    /// How far a replay is
    Status {
        /// Id of the replay
        id: String,
        /// Follow it until it ends
        #[arg(long, short = 'w')]
        watch: bool,
    },
    /// Stop a replay; what it has brought back stays
    Cancel {
        /// Id of the replay
        id: String,
    },
    /// The newest replays first
    List(Page),
}

#[derive(Args, Debug)]
pub(crate) struct StartReplay {
    /// Only these events, and no other filter; may repeat
    #[arg(long = "event", value_name = "ID", conflicts_with_all = [
        "types", "from", "to", "source", "channel", "instance", "identity", "correlation", "provider_id", "status",
        "direction",
    ])]
    pub(crate) ids: Vec<String>,
    /// Only types that match, such as message.* or custom.webhook.github.>; several with commas
    #[arg(long = "type", value_name = "PATTERN", value_delimiter = ',')]
    pub(crate) types: Vec<String>,
    /// Only events received at or after this time, such as 2026-11-21T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<String>,
    /// Only events received before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) to: Option<String>,
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
    /// Only events with this outcome, such as failed
    #[arg(long)]
    pub(crate) status: Option<String>,
    /// Only events that went this way: inbound, outbound or system
    #[arg(long)]
    pub(crate) direction: Option<String>,
    /// Only this automation sees them (name or id); otherwise all do
    #[arg(long, value_name = "NAME")]
    pub(crate) automation: Option<String>,
    /// Do again what succeeded before
    #[arg(long)]
    pub(crate) repeat_effects: bool,
    /// Events per second
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) rate: u32,
    /// Really bring them back
    #[arg(long)]
    pub(crate) run: bool,
}
